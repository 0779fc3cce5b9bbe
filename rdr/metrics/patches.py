"""Cutting images into the patches that distances between sets are computed on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_batch


def split_patches(images: ArrayLike, size: int, *, shifted: bool = True) -> jax.Array:
    """Cuts every image into patches: a grid, and the same grid shifted by half a patch.

    An image of H x W pixels gives floor(H/f) floor(W/f) patches of f x f, and another
    (floor(H/f) - 1)(floor(W/f) - 1) between them. What is left at the right and the bottom is not used.

    Args:
      images: [batch, height, width, channels], at least `size` each way.
      size: side f of the patches in pixels.
      shifted: whether to add the shifted grid.

    Returns:
      [batch, patches, size, size, channels].

    Raises:
      ValueError: if `size` is not positive or the images are smaller.

    Reference:
      Mentzer, Toderici, Tschannen, Agustsson (mentzer2020hific), High-fidelity generative image compression, NeurIPS
      2020, arXiv 2006.09965 (f = 256).
    """
    images = image_batch(images)
    if not 1 <= size <= min(images.shape[1:3]):
        raise ValueError(f"size must be from 1 to the images' shorter side, got {size} for {images.shape}")
    parts = [_grid(images, size)]
    half = size // 2
    rows, columns = (n // size - 1 for n in images.shape[1:3])
    if shifted and half and rows and columns:
        parts.append(_grid(images[:, half : half + rows * size, half : half + columns * size], size))
    return jnp.concatenate(parts, axis=1)


def _grid(images: jax.Array, size: int) -> jax.Array:
    batch, height, width, channels = images.shape
    rows, columns = height // size, width // size
    images = images[:, : rows * size, : columns * size]
    images = images.reshape(batch, rows, size, columns, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return images.reshape(batch, rows * columns, size, size, channels)
