"""Laplacian pyramids as ColorVideoVDP builds them: sizes halved and rounded up, five taps, odd borders and all.

Planes are [..., height, width]. A step down is (1, 5, 8, 5, 1) / 20 each way, every second sample kept; a step up its
interpolation. Both are sums of shifted slices, which compile to one loop.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from rdr.arguments import total

_TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
LOWEST_FREQUENCY = 0.2  # cycles per degree: bands end below
_FIRST_BAND = 0.3228  # peak of the second band's frequencies over half the sampling rate; halved from there on
BASE_FREQUENCY = 0.1  # that sensitivity to the base band is read at
_BLOCK = 128  # of banded products, pixels


def band_frequencies(height: int, width: int, pixels_per_degree: float) -> np.ndarray:
    """Computes the frequencies at which the bands of an image are centered.

    ppd / 2 times 1, 0.3228, 0.1614, .. down to the first that is not above 0.2 cycles per degree, or as many as the
    shorter side s allows, floor(log2 s); then the base band.

    Args:
      height: pixels.
      width: pixels.
      pixels_per_degree: ppd.

    Returns:
      float64 [bands], cycles per degree; the last is the base band's, 0.1.

    Raises:
      ValueError: if a side is below 2 pixels.

    Reference: mantiuk2024colorvideovdp, section 4.3, and its package.
    """
    if min(height, width) < 2:
        raise ValueError(f"images must have at least 2 pixels each way, got {height} x {width}")
    peaks = np.concatenate([[1.0], _FIRST_BAND * 2.0 ** -np.arange(14.0)]) * pixels_per_degree / 2.0
    below = np.flatnonzero(peaks <= LOWEST_FREQUENCY)
    most = int(math.log2(min(height, width))) - 1
    steps = min(int(below[0]) + 1, most) if below.size else most
    return np.append(peaks[:steps], BASE_FREQUENCY)


def halve(planes: jax.Array) -> jax.Array:
    """Takes a step down.

    Borders are mirrored with the border pixel repeated. Where height and width are not both even or both odd, the last
    column is weighted as the package does, which looks at the parity of the height for both.

    Args:
      planes: [..., height, width], at least 2 each way.

    Returns:
      [..., ceil(height / 2), ceil(width / 2)].
    """
    odd = planes.shape[-2] % 2 == 1
    return _halve_axis(_halve_axis(planes, -2, odd), -1, odd)


def _halve_axis(x: jax.Array, axis: int, odd_rule: bool) -> jax.Array:
    axis %= x.ndim
    n = x.shape[axis]

    def at(k):
        return jax.lax.slice_in_dim(x, k % n, k % n + 1, axis=axis)

    if n % 2:
        end = [at(-1), at(-2)] if odd_rule else [jnp.zeros_like(at(-1)), at(-1)]
    else:
        end = [5.0 * at(-1) + at(-2) if odd_rule else at(-1)]
    padded = jnp.concatenate([at(1), at(0), x, *end], axis=axis)
    half = (n + 1) // 2
    return total(tap * jax.lax.slice_in_dim(padded, k, k + 2 * half - 1, stride=2, axis=axis)
                 for k, tap in enumerate(_TAPS))


def double(planes: jax.Array, height: int, width: int) -> jax.Array:
    """Takes a step up.

    Args:
      planes: [..., ceil(height / 2), ceil(width / 2)].
      height: wanted.
      width: wanted.

    Returns:
      [..., height, width].
    """
    return _double_axis(_double_axis(planes, -2, height), -1, width)


def _double_axis(x: jax.Array, axis: int, n: int) -> jax.Array:
    # Samples lie at 0, 2, .., with the first and the last once more beyond the borders, and zeros between: even places
    # see three samples, odd ones two.
    axis %= x.ndim
    half = x.shape[axis]
    first = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
    last = jax.lax.slice_in_dim(x, half - 1, half, axis=axis)
    padded = jnp.concatenate([first, x, last], axis=axis)
    before, here, behind = (jax.lax.slice_in_dim(padded, k, k + half, axis=axis) for k in range(3))
    even = 2.0 * (_TAPS[0] * (before + behind) + _TAPS[2] * here)
    odd = 2.0 * _TAPS[1] * (here + behind)
    both = jnp.stack([even, odd], axis=axis + 1)
    both = both.reshape(*x.shape[:axis], 2 * half, *x.shape[axis + 1 :])
    return jax.lax.slice_in_dim(both, 0, n, axis=axis)


def gaussian_pyramid(planes: jax.Array, levels: int) -> list[jax.Array]:
    """Takes steps down.

    Args:
      planes: [..., height, width].
      levels: how many resolutions are wanted.

    Returns:
      `planes` and its smaller ones, `levels` in all.
    """
    found = [planes]
    for _ in range(levels - 1):
        found.append(halve(found[-1]))
    return found


def correlate(planes: jax.Array, taps: np.ndarray) -> jax.Array:
    """Filters both ways by an odd number of symmetric taps, borders mirrored without repeating the border pixel.

    Args:
      planes: [..., height, width], each larger than half the number of taps.
      taps: [odd number].

    Returns:
      The same shape.
    """
    for axis in (planes.ndim - 2, planes.ndim - 1):
        planes = _correlate_axis(planes, axis, np.asarray(taps, np.float64))
    return planes


def _correlate_axis(x: jax.Array, axis: int, taps: np.ndarray) -> jax.Array:
    # Products of overlapping blocks with a banded matrix: sums of shifted slices take memory for each of their
    # derivatives, and long to compile.
    n, radius = x.shape[axis], len(taps) // 2
    count = -(-n // _BLOCK)
    block = -(-n // count)
    matrix = np.zeros((block, block + 2 * radius))
    for k, tap in enumerate(taps):
        matrix[np.arange(block), np.arange(block) + k] = tap
    pads = [(0, 0)] * x.ndim
    pads[axis] = (radius, radius)
    padded = jnp.pad(x, pads, mode="reflect")
    pads[axis] = (0, count * block - n)
    padded = jnp.pad(padded, pads)
    blocks = jnp.stack([jax.lax.slice_in_dim(padded, k * block, (k + 1) * block + 2 * radius, axis=axis)
                        for k in range(count)], axis=axis)
    along = "...kiw,oi->...kow" if axis == x.ndim - 2 else "...ki,oi->...ko"
    found = jnp.einsum(along, blocks, jnp.asarray(matrix, x.dtype), precision="highest")
    found = found.reshape(*x.shape[:axis], count * block, *x.shape[axis + 1 :])
    return jax.lax.slice_in_dim(found, 0, n, axis=axis)
