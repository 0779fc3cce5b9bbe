"""Feature maps by name, with their parameters, and those that users add."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.typing import ArrayLike

from rdr.registry import Registry

# [batch, height, width, channels] in [0, 1] -> name -> [batch, rows, columns, channels]
FeatureMaps = Callable[[ArrayLike], dict[str, jax.Array]]


def _network(name: str) -> Callable[..., FeatureMaps]:
    def build(**options: Any) -> FeatureMaps:
        from rdr.features import alexnet, vgg, weights

        features = {"alexnet": alexnet, "vgg16": vgg}[name].features
        return functools.partial(features, weights.load_params(name), **options)

    return build


def _efficientnet() -> FeatureMaps:
    from rdr.features import efficientnet

    return functools.partial(efficientnet.features, efficientnet.load_params())


def _color(**options: Any) -> FeatureMaps:
    from rdr.features import color

    return functools.partial(color.features, None, **options)


def _laplacian_pyramid(**options: Any) -> FeatureMaps:
    from rdr.features import laplacian_pyramid

    return functools.partial(laplacian_pyramid.features, None, **options)


def _steerable_pyramid(**options: Any) -> FeatureMaps:
    from rdr.features import steerable_pyramid

    return functools.partial(steerable_pyramid.features, None, **options)


def _vdp(display: Any = None) -> FeatureMaps:
    from rdr.features import vdp
    from rdr.vision.display import get_display

    return functools.partial(vdp.features, None, display=get_display(display))


FEATURES = Registry("feature map", {
    "alexnet": _network("alexnet"), "color": _color, "efficientnet_lite0": _efficientnet,
    "laplacian_pyramid": _laplacian_pyramid, "steerable_pyramid": _steerable_pyramid, "vdp": _vdp,
    "vgg16": _network("vgg16"),
})  # fmt: skip


def names() -> tuple[str, ...]:
    """Lists the feature maps that `get` knows.

    Returns:
      The names, sorted.
    """
    return FEATURES.names()


def get(features: str | FeatureMaps, **options: Any) -> FeatureMaps:
    """Finds feature maps; networks come with their parameters.

    Args:
      features: one of `names()`, or a function of images, which is returned as it is.
      **options: of the module's `features`, such as `taps` of a network, `space` of "color" or `display` (needed)
        of "vdp".

    Returns:
      A function from images [batch, height, width, channels] in [0, 1] to named maps [batch, rows, columns, channels].

    Raises:
      ValueError: if there are none of this name.
      TypeError: if a function is given together with options.
      FileNotFoundError: if the weights that they need are not installed; the message says what to install.
    """
    return FEATURES.given(features, options) if callable(features) else FEATURES.build(features, **options)


def register(name: str, features: FeatureMaps) -> None:
    """Adds feature maps, so that they are found by name.

    Args:
      name: a new one.
      features: function from images [batch, height, width, channels] to named maps [batch, rows, columns, channels].

    Raises:
      ValueError: if the name is taken.
      TypeError: if they cannot be called.
    """
    if not callable(features):
        raise TypeError(f"features must be callable, got {type(features).__name__}")
    FEATURES.register(name, lambda: features)


def unregister(name: str) -> None:
    """Removes feature maps that were registered.

    Args:
      name: of the maps.
    """
    FEATURES.unregister(name)
