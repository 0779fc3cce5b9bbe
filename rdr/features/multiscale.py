"""The same feature maps of an image at several resolutions."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike


def half_resolution(images: ArrayLike) -> jax.Array:
    """Halves the resolution of images with the window (1, 3, 3, 1)/8 along each axis.

    Args:
      images: [batch, height, width, channels], floating point; reflected about their edges.

    Returns:
      [batch, ceil(height / 2), ceil(width / 2), channels], of the same dtype.

    Raises:
      ValueError: if the images are not floating point or have an empty side.
    """
    images = jnp.asarray(images)
    if images.ndim != 4 or 0 in images.shape[1:] or not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            "images must be floating point of shape [batch, height, width, channels] without empty sides, got "
            f"{images.dtype} {images.shape}"
        )
    # An odd side is reflected by one pixel more, so that the last block of two is complete.
    pads = [(0, 0), *((1, 1 + n % 2) for n in images.shape[1:3]), (0, 0)]
    sums = jnp.pad(images, pads, mode="symmetric")
    zero = np.zeros((), images.dtype)
    for stride in (1, 1, 2):  # (1, 3, 3, 1) is a box of two, three times
        sums = lax.reduce_window(sums, zero, lax.add, (1, 2, 2, 1), (1, stride, stride, 1), "VALID")
    return sums / 64


def multiscale(
    features: Callable[[jax.Array], dict[str, jax.Array]], images: ArrayLike, *, num_scales: int = 3
) -> dict[str, jax.Array]:
    """Computes feature maps of an image at full, half, quarter, ... resolution.

    Args:
      features: from images to named maps, `partial(vgg.features, params)` say.
      images: [batch, height, width, channels], floating point.
      num_scales: how many resolutions.

    Returns:
      `{"1/1 name": map, "1/2 name": ..., "1/4 name": ...}`.

    Raises:
      ValueError: if `num_scales` is below 1.

    Reference:
      Balle et al. (balle2025good), arXiv 2412.00505, whose Wasserstein distortion reads VGG-16 at three resolutions
      (with the window (1, 2, 1)/4 and zeros outside of the image).
    """
    if num_scales < 1:
        raise ValueError(f"num_scales must be >= 1, got {num_scales}")
    images, result = jnp.asarray(images), {}
    for scale in range(num_scales):
        if scale > 0:
            images = half_resolution(images)
        result.update({f"1/{2**scale} {name}": maps for name, maps in features(images).items()})
    return result
