"""The pooling windows of Wasserstein distortion: their moments, and which of them a sigma asks for.

One level of pooling halves the resolution with the window (1, 3, 3, 1)/8 along each axis, the image being
continued by reflection about its edge. Level i then pools with three-fold convolved boxes of 2^i pixels (a
quadratic B-spline, near to a Gaussian) centred on blocks of 2^i x 2^i pixels, and so

    pooling window of level i: standard deviation s_i = sqrt(4^i - 1) / 2 pixels along each axis,
    i = 0, 1, 2, ...:          0, 0.866, 1.94, 3.97, 7.98, 15.99, ...

The statistics that are compared are taken at every half block (every 2^(i-1)-th pixel, about one standard deviation),
because those of neighbouring blocks alone, two standard deviations apart, would depend on where the blocks begin.
Only every second of them goes on to the next level.

The last level is the whole image, each pixel counting the same: s = sqrt((n^2 - 1) / 12), n the longer side.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def pooling_std(level: int) -> float:
    """Computes the standard deviation of the pooling window of a level, away from the image's edge.

    Args:
      level: 0, 1, 2, ...

    Returns:
      sqrt(4^level - 1) / 2, in pixels along each axis.
    """
    return 0.5 * float(4**level - 1) ** 0.5


def pooling_knots(height: int, width: int, num_levels: int | None = None) -> np.ndarray:
    """Lists the variances of all pooling windows for maps of one size, from a pixel to the whole image.

    Args:
      height: of the maps.
      width: of the maps.
      num_levels: largest level below the whole image; by default as many as are narrower than the image.

    Returns:
      Increasing variances in pixels^2, float64, [levels]: 0, s_1^2, ..., and that of the whole image. A single
      0 for maps of one pixel.

    Raises:
      ValueError: if `num_levels` is negative.
    """
    if num_levels is not None and num_levels < 0:
        raise ValueError(f"num_levels must be >= 0, got {num_levels}")
    whole = (max(height, width) ** 2 - 1) / 12.0
    knots, level = [0.0], 1
    while pooling_std(level) ** 2 < whole and (num_levels is None or level <= num_levels):
        knots.append(pooling_std(level) ** 2)
        level += 1
    return np.array([*knots, whole] if whole > 0 else knots)


def level_weights(variance: Any, knots: np.ndarray) -> list:
    """Splits each pixel's pooling between the two levels whose windows are nearest to the one asked for.

    The weights are linear in the variance, so that sum_i w_i = 1 and the mixture of the two windows has the
    variance asked for, sum_i w_i s_i^2 = min(sigma^2, s_last^2): sigma is the standard deviation of the
    window that is in fact used.

    Args:
      variance: sigma^2 in pixels^2, any shape, a NumPy or JAX array (the result is of the same kind).
      knots: `pooling_knots`.

    Returns:
      For each level an array of the shape of `variance`, in [0, 1].
    """
    xp = np if isinstance(variance, np.ndarray) else jnp
    if len(knots) == 1:
        return [1 + 0 * variance]
    variance = xp.clip(variance, 0, knots[-1])
    # Fraction of the way from each knot to the next; successive differences sum to 1 as they stand.
    ways = [
        xp.clip((variance - low) / (high - low), 0, 1) for low, high in zip(knots[:-1].tolist(), knots[1:].tolist())
    ]
    return [1 - ways[0], *(a - b for a, b in itertools.pairwise(ways)), ways[-1]]


def interpolation_matrix(size: int) -> np.ndarray:
    """Builds the linear interpolation from the blocks of one level to the pixels of the level below.

    A pixel takes 3/4 from its own block of two and 1/4 from the block on its other side; beyond the edge there
    is only its own. Pooling is the transpose, each row divided by its sum (the block's number of pixels), so
    that at the first level every pixel counts the same in the windows together.

    Args:
      size: number of pixels n.

    Returns:
      [n, ceil(n / 2)], float64, rows summing to 1.
    """
    blocks = (size + 1) // 2
    matrix = np.zeros((size, blocks))
    for pixel in range(size):
        own, other = pixel // 2, pixel // 2 + (1 if pixel % 2 else -1)
        matrix[pixel, own] += 0.75
        matrix[pixel, other if 0 <= other < blocks else own] += 0.25
    return matrix


def dense_interpolation_matrix(size: int) -> np.ndarray:
    """Builds the linear interpolation from the windows at every half block to the pixels of the level below.

    A pixel lies half way between two of the windows 0, ..., n, which are centred on the edges between pixels.

    Args:
      size: number of pixels n.

    Returns:
      [n, n + 1], float64, rows (1/2, 1/2).
    """
    return 0.5 * (np.eye(size, size + 1) + np.eye(size, size + 1, 1))


def dense_pooling_matrix(size: int) -> np.ndarray:
    """Builds the windows (1, 3, 3, 1)/8 on all edges between pixels, reflected about the ends.

    Weighted by the column sums of `dense_interpolation_matrix` they count every pixel alike.

    Args:
      size: number of pixels n.

    Returns:
      [n + 1, n], float64, rows summing to 1.
    """
    matrix = np.zeros((size + 1, size))
    for window in range(size + 1):
        for pixel, share in zip(range(window - 2, window + 2), (0.125, 0.375, 0.375, 0.125)):
            # A map of one pixel is its own mirror image over and over.
            inside = min(max(pixel if pixel >= 0 else -1 - pixel, 0), 2 * size - 1 - pixel if pixel >= size else size)
            matrix[window, min(max(inside, 0), size - 1)] += share
    return matrix


def area_matrix(size: int, target: int) -> np.ndarray:
    """Builds the average over the pixels that each of a smaller number of pixels covers.

    Args:
      size: number of pixels n.
      target: number of pixels that cover the same length.

    Returns:
      [target, n], float64, rows summing to 1.
    """
    edges = np.arange(target + 1) * (size / target)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(size)[None]
    overlap = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None)
    return overlap / overlap.sum(1, keepdims=True)


def apply_along_both_axes(rows: np.ndarray, maps: Any, columns: np.ndarray) -> Any:
    """Multiplies [batch, height, width] maps by a matrix from the left and one (transposed) from the right."""
    if isinstance(maps, np.ndarray):
        return rows @ maps @ columns.T
    rows, columns = jnp.asarray(rows, maps.dtype), jnp.asarray(columns, maps.dtype)
    return jnp.einsum("ih,bhw,jw->bij", rows, maps, columns, precision=lax.Precision.HIGHEST)


def pool_moments(
    mean: jax.Array, variance: jax.Array | None, axis: int, *, dense: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Pools local means and variances along one axis, halving its length (or not, if dense).

    mean'     = sum_k a_k mean_k,                                  a = (1, 3, 3, 1) / 8
    variance' = sum_k a_k [variance_k + (mean_k - mean')^2]        (law of total variance)

    A sum of squares, so that it never cancels and never falls below 0.

    Args:
      mean: local means, [batch, height, width, channels].
      variance: local variances of the same shape, or None for zero (single pixels).
      axis: 1 or 2.
      dense: whether there is a window on every edge between elements, or on every second one.

    Returns:
      mean' and variance', with n + 1 or ceil(n / 2) instead of n elements along the axis. Of the dense windows
      `every_second` picks the others.
    """
    cut = _dense_taps if dense else _taps
    taps = cut(mean, axis)
    # Written with differences, so that a constant comes out as it went in, to the last digit.
    pooled = 0.5 * (taps[1] + taps[2]) + 0.125 * ((taps[0] - taps[1]) + (taps[3] - taps[2]))
    squares = [jnp.square(tap - pooled) for tap in taps]
    if variance is not None:
        squares = [a + b for a, b in zip(squares, cut(variance, axis))]
    return pooled, 0.125 * (squares[0] + squares[3]) + 0.375 * (squares[1] + squares[2])


def _taps(maps: jax.Array, axis: int) -> list[jax.Array]:
    """Cuts out the four elements under each window, the maps being reflected about their edges."""
    size = maps.shape[axis]
    blocks = (size + 1) // 2

    def element(i):
        return lax.slice_in_dim(maps, i, i + 1, axis=axis)

    parts = [element(0), maps, element(size - 1)]
    if size % 2:
        parts.append(element(max(size - 2, 0)))
    padded = jnp.concatenate(parts, axis)
    # Pairs are split rather than sliced with stride 2: the gradient of a split is a concatenation, which
    # runs several times faster on CPU than that of a strided slice.
    shape = padded.shape
    pairs = padded.reshape((*shape[:axis], blocks + 1, 2, *shape[axis + 1 :]))
    even, odd = (jnp.squeeze(half, axis + 1) for half in lax.split(pairs, (1, 1), axis + 1))
    return [lax.slice_in_dim(half, start, start + blocks, axis=axis) for start in (0, 1) for half in (even, odd)]


def _dense_taps(maps: jax.Array, axis: int) -> list[jax.Array]:
    """Cuts out the four elements under each window on all edges, the maps being reflected about their ends."""
    size = maps.shape[axis]
    ends = [lax.slice_in_dim(maps, i, i + 1, axis=axis) for i in (min(1, size - 1), 0, size - 1, max(size - 2, 0))]
    padded = jnp.concatenate([*ends[:2], maps, *ends[2:]], axis)
    return [lax.slice_in_dim(padded, tap, tap + size + 1, axis=axis) for tap in range(4)]


def every_second(maps: jax.Array, axis: int) -> jax.Array:
    """Picks, of windows on the edges 0, ..., n, those in the middle of blocks of two: 1, 3, ...

    Args:
      maps: n + 1 elements along the axis.
      axis: 1 or 2.

    Returns:
      ceil(n / 2) elements along the axis.
    """
    size = maps.shape[axis] - 1
    blocks = (size + 1) // 2
    parts = [lax.slice_in_dim(maps, 1, size + 1, axis=axis)]
    if size % 2:
        parts.append(lax.slice_in_dim(maps, size, size + 1, axis=axis))
    padded = jnp.concatenate(parts, axis)
    # Split rather than sliced with stride 2: its gradient is a concatenation, much faster on CPU.
    shape = padded.shape
    pairs = padded.reshape((*shape[:axis], blocks, 2, *shape[axis + 1 :]))
    return jnp.squeeze(lax.slice_in_dim(pairs, 0, 1, axis=axis + 1), axis + 1)


def deviation(variance: jax.Array) -> jax.Array:
    """Computes the standard deviation, with derivative 0 (not infinite) where the variance is 0.

    Args:
      variance: any shape, non-negative.

    Returns:
      sqrt(variance).
    """
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1)), 0)
