"""Weights of pooling windows: those that a sigma asks for, and how much each of them counts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import check_channels_last
from rdr.losses.wasserstein_distortion import pooling


def as_map(name: str, value: ArrayLike) -> jax.Array:
    """Checks a feature map and brings it to the precision that the sums are formed in.

    Args:
      name: of the map, for messages.
      value: [batch, height, width, channels].

    Returns:
      The map, float32 or float64.

    Raises:
      ValueError: if it is no map of floating-point numbers.
    """
    value = jnp.asarray(value)
    if value.ndim != 4 or 0 in value.shape[1:]:
        raise ValueError(
            f"{name} must have shape [batch, height, width, channels] without empty sides, got {value.shape}"
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"{name} must be floating point, got {value.dtype}")
    check_channels_last(value, name=name)
    return value.astype(jnp.promote_types(value.dtype, jnp.float32))


def sigma_squared(
    sigma: ArrayLike, maps: list[jax.Array], image_shape: tuple[int, int] | None
) -> tuple[Any, tuple[int, int]]:
    """Checks sigma and squares it, limited to what the whole image amounts to (so that infinity is finite).

    Args:
      sigma: a number, [height, width], or [batch, height, width]; pixels of the image.
      maps: feature maps [batch, rows, columns, channels].
      image_shape: height and width of the image; None for those of sigma, or of the largest map.

    Returns:
      sigma^2, [batch or 1, height or 1, width or 1], in NumPy unless it is traced; and the height and width of the
      image.

    Raises:
      ValueError: if sigma is negative or has another shape, or a map is larger than the image.
    """
    traced = isinstance(sigma, jax.core.Tracer)
    if not traced:
        sigma = np.asarray(sigma)
        if sigma.dtype.kind not in "fiu" and not jnp.issubdtype(sigma.dtype, jnp.floating):
            raise ValueError(f"sigma must be real numbers, got {sigma.dtype}")
        sigma = sigma.astype(np.float64)
        if not (sigma >= 0).all():
            raise ValueError(f"sigma must be >= 0 and not NaN, got {sigma[~(sigma >= 0)].flat[0]:g}")
    if sigma.ndim not in (0, 2, 3):
        raise ValueError(
            f"sigma must be a number or have shape [height, width] or [batch, height, width], got {sigma.shape}"
        )
    # One number per image has no extent of its own.
    extent = sigma.shape[-2:] if sigma.shape[-2:] != (1, 1) else ()
    frame = image_shape if image_shape is not None else extent or max((x.shape[1:3] for x in maps), key=np.prod)
    frame = (int(frame[0]), int(frame[1]))
    if min(frame) < 1:
        raise ValueError(f"image_shape must be a positive height and width, got {image_shape}")
    for x in maps if image_shape is None else ():
        if x.shape[1] > frame[0] or x.shape[2] > frame[1]:
            raise ValueError(
                f"sigma must have the image's height and width, got {sigma.shape} with a feature map of {x.shape[1:3]} "
                "pixels: pass image_shape= if it is a coarser map, its values still in pixels of the image"
            )
    if sigma.ndim == 3 and sigma.shape[0] not in (1, maps[0].shape[0]):
        raise ValueError(f"sigma must have one map or {maps[0].shape[0]}, got {sigma.shape[0]}")
    sigma = sigma.reshape((-1, *sigma.shape[-2:]) if sigma.ndim else (1, 1, 1))
    limit = float(max(frame))
    if traced:
        sigma = sigma.astype(jnp.promote_types(sigma.dtype, jnp.float32))
        # Limited before it is squared: the derivative of the square at infinity would be NaN.
        return jnp.square(jnp.where(sigma >= 0, jnp.minimum(sigma, limit), jnp.nan)), frame
    return np.square(np.minimum(sigma, limit)), frame


def variance_at(variance: Any, frame: tuple[int, int], height: int, width: int) -> Any:
    """Brings sigma^2 from the image's pixels to those of a feature map.

    Args:
      variance: sigma^2 from `sigma_squared`.
      frame: height and width of the image.
      height: of the feature map.
      width: of the feature map.

    Returns:
      [batch or 1, height, width], in squared pixels of the map.
    """
    if variance.shape[1:] != (1, 1):
        rows, columns = (pooling.area_matrix(n, m) for n, m in zip(variance.shape[1:], (height, width)))
        variance = pooling.apply_along_both_axes(rows, variance, columns)
    variance = variance * (height * width / (frame[0] * frame[1]))
    xp = np if isinstance(variance, np.ndarray) else jnp
    return xp.broadcast_to(variance, (variance.shape[0], height, width))


def window_weights(variance: Any, frame: tuple[int, int], height: int, width: int, num_levels: int | None) -> list:
    """Computes how much each window of each level counts.

    Args:
      variance: sigma^2 from `sigma_squared`.
      frame: height and width of the image.
      height: of the feature map.
      width: of the feature map.
      num_levels: finest levels that are used; None for all.

    Returns:
      Per level [batch or 1, rows, columns]; None for levels that are known not to count.
    """
    known = isinstance(variance, np.ndarray)
    variance = variance_at(variance, frame, height, width)
    knots = pooling.pooling_knots(height, width, num_levels)
    per_pixel = pooling.level_weights(variance, knots)
    needed = [not known or bool(w.any()) for w in per_pixel]
    weights = []
    for level, w in enumerate(per_pixel):
        if not needed[level]:
            weights.append(None)
            continue
        w = w / (height * width)
        if level == len(knots) - 1 and level > 0:
            weights.append(w.sum((1, 2), keepdims=True))
            continue
        for step in range(level):
            # The windows that are compared lie at every half block of their level.
            matrix = pooling.interpolation_matrix if step < level - 1 else pooling.dense_interpolation_matrix
            rows, columns = (matrix(n).T for n in w.shape[1:])
            w = pooling.apply_along_both_axes(rows, w, columns)
        weights.append(w)
    return weights
