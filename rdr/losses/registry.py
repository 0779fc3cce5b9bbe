"""Losses of pairs of images by name, ready to call, and those that users add."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from rdr.registry import Registry

# (images, reference), both [batch, height, width, channels] in [0, 1], -> [batch], 0 for equal images.
Loss = Callable[[ArrayLike, ArrayLike], jax.Array]


def _squared_error() -> Loss:
    from rdr.losses.pointwise import squared_error

    return squared_error


def _absolute_error() -> Loss:
    from rdr.losses.pointwise import absolute_error

    return absolute_error


def _charbonnier() -> Loss:
    from rdr.losses.pointwise import charbonnier

    return charbonnier


def _ssim() -> Loss:
    from rdr.losses.ssim import ssim_loss

    return ssim_loss


def _ms_ssim() -> Loss:
    from rdr.losses.ssim import ms_ssim_loss

    return ms_ssim_loss


def _nlpd() -> Loss:
    from rdr.losses.nlpd import nlpd

    return nlpd


def _ciede2000() -> Loss:
    from rdr.losses.color_difference import color_difference

    return color_difference


def _cvvdp(display: Any = None, inner: bool = False) -> Loss:
    from rdr.losses.cvvdp import cvvdp
    from rdr.vision.display import get_display

    return functools.partial(cvvdp, display=get_display(display), inner=inner)


def _lpips(network: str = "alexnet") -> Loss:
    from rdr.losses import lpips

    return functools.partial(lpips.lpips, lpips.load_params(network), network=network)


def _dists() -> Loss:
    from rdr.losses import dists

    return functools.partial(dists.dists, dists.load_params())


def _wasserstein_distortion(
    sigma: ArrayLike | str, features: str | Callable[[ArrayLike], Any] = "color", display: Any = None
) -> Loss:
    from rdr import features as all_features
    from rdr.losses.wasserstein_distortion import wasserstein_distortion
    from rdr.losses.wasserstein_distortion.sigma import in_pixels
    from rdr.vision.display import get_display

    screen = get_display(display) if display is not None or isinstance(sigma, str) else None
    maps = all_features.get(features, **({"display": screen} if features == "vdp" else {}))
    if isinstance(sigma, str) and screen is not None:
        sigma = in_pixels(sigma, pixels_per_degree=screen.pixels_per_degree)

    def loss(images: ArrayLike, reference: ArrayLike) -> jax.Array:
        return wasserstein_distortion(maps(reference), maps(images), sigma, image_shape=np.shape(images)[1:3])

    return loss


LOSSES = Registry("loss", {
    "absolute_error": _absolute_error, "charbonnier": _charbonnier, "ciede2000": _ciede2000, "cvvdp": _cvvdp,
    "dists": _dists, "lpips": _lpips, "ms_ssim": _ms_ssim, "nlpd": _nlpd, "squared_error": _squared_error,
    "ssim": _ssim, "wasserstein_distortion": _wasserstein_distortion,
})  # fmt: skip


def names() -> tuple[str, ...]:
    """Lists the losses that `get` knows.

    Returns:
      The names, sorted.
    """
    return LOSSES.names()


def get(loss: str | Loss, **options: Any) -> Loss:
    """Finds a loss; networks come with their parameters.

    Args:
      loss: one of `names()`, or a function of images and reference, which is returned as it is.
      **options: `display` (needed) and `inner` of "cvvdp"; `network` of "lpips"; `sigma` (needed; pixels, or degrees of
        `display` as in "0.1deg"), `features` (a name or a function of images) and `display` (needed by degrees and the
        features "vdp") of "wasserstein_distortion"; those of a registered builder.

    Returns:
      A function of images and reference, both [batch, height, width, channels] in [0, 1], to [batch].

    Raises:
      ValueError: if there is no such loss.
      TypeError: if it has no such option, or a function is given together with options.
      FileNotFoundError: if the weights that it needs are not installed; the message says what to install.
    """
    return LOSSES.given(loss, options) if callable(loss) else LOSSES.build(loss, **options)


def register(name: str, loss: Loss) -> None:
    """Adds a loss, so that it is found by name.

    Args:
      name: a new one.
      loss: function of images and reference, both [batch, height, width, channels] in [0, 1], to [batch].

    Raises:
      ValueError: if the name is taken.
      TypeError: if it cannot be called.
    """
    if not callable(loss):
        raise TypeError(f"loss must be callable, got {type(loss).__name__}")
    LOSSES.register(name, lambda: loss)


def unregister(name: str) -> None:
    """Removes a loss that was registered.

    Args:
      name: of the loss.
    """
    LOSSES.unregister(name)
