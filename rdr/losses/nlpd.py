"""NLPD: distance between normalized Laplacian pyramids."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_pair, total
from rdr.features.laplacian_pyramid import NUM_LEVELS, normalized_laplacian_pyramid
from rdr.gradients import safe_sqrt


def nlpd(images: ArrayLike, reference: ArrayLike, *, num_levels: int = NUM_LEVELS) -> jax.Array:
    """Computes the normalized Laplacian pyramid distance.

    The mean over the levels of the root mean squared difference of y_k, the Laplacian pyramid divided by the
    local amplitude of its neighbors. At equal levels the root has a kink; the gradient there is given as 0.

    Args:
      images: [batch, height, width, channels] in [0, 1]. The published distance is for one gray channel;
        several channels are transformed one by one and pooled.
      reference: the same shape.
      num_levels: number of levels, the low-pass residual included.

    Returns:
      [batch], dimensionless, 0 for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, or `num_levels` is below 1.

    Reference:
      Laparra, Ballé, Berardino, Simoncelli (laparra2016nlpd), Perceptual image quality assessment using a normalized
      Laplacian pyramid, Electronic Imaging 2016.
    """
    images, reference = image_pair(images, reference)
    levels = [normalized_laplacian_pyramid(x, num_levels=num_levels) for x in (images, reference)]
    roots = [safe_sqrt(jnp.mean(jnp.square(x - y), axis=(1, 2, 3))) for x, y in zip(*levels)]
    return total(roots) / len(roots)
