"""Full-reference metrics by name, and those that users add."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jax.typing import ArrayLike

from rdr.metrics.full_reference import FULL_REFERENCE, AnyDisplay, Metric, from_function, full_reference


def names() -> tuple[str, ...]:
    """Lists the metrics that `get` knows.

    Returns:
      The names, sorted.
    """
    return tuple(sorted(FULL_REFERENCE))


def get(
    metric: str | Metric | Callable[[ArrayLike, ArrayLike], jax.Array], *, display: AnyDisplay = None,
    sigma: float = 8.0,
) -> Metric:
    """Finds a metric; networks come with their parameters.

    Args:
      metric: one of `names()`; or a metric, which is returned as it is; or a function of images and reference.
      display: for "csf" and "csf_castle", by default `Display()`, and for "cvvdp", by default "standard_4k".
      sigma: pooling width of "wd_vgg16" in pixels.

    Returns:
      The metric; called as `metric(images, reference)`.

    Raises:
      ValueError: if there is no such metric, or an option is out of range.
      FileNotFoundError: if the weights that it needs are not installed; the message says what to install.
    """
    return full_reference(metric, display=display, sigma=sigma)


def register(
    name: str, metric: Metric | Callable[[ArrayLike, ArrayLike], jax.Array], *, higher_is_better: bool = False,
    min_side: int = 1,
) -> None:
    """Adds a metric, so that it is found by name, by commands, too.

    Args:
      name: a new one, of letters, digits and underscores.
      metric: the metric; or a function of images and reference, both [batch, height, width, 3] in [0, 1], to [batch].
      higher_is_better: the direction of quality, of a function.
      min_side: pixels that images must have each way, of a function.

    Raises:
      ValueError: if the name is taken or is none.
      TypeError: if the metric is none and cannot be called.
    """
    if not isinstance(name, str) or not name.isidentifier() or name in FULL_REFERENCE:
        raise ValueError(f"the name of a metric must be new, of letters, digits and underscores, got {name!r}")
    if not callable(metric):
        raise TypeError(f"metric must be callable, got {type(metric).__name__}")
    if not isinstance(metric, Metric):
        metric = from_function(metric, name=name, higher_is_better=higher_is_better, min_side=min_side)
    FULL_REFERENCE[name] = lambda display, sigma: metric


def unregister(name: str) -> None:
    """Removes a metric that was registered.

    Args:
      name: of the metric; nothing happens if there is none.
    """
    FULL_REFERENCE.pop(name, None)
