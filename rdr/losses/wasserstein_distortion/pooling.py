"""The pooling windows of Wasserstein distortion: their moments, and which of them a sigma asks for.

One level of pooling halves the resolution with the window (1, 3, 3, 1)/8 along each axis, the image being
continued by reflection about its edge. Level i then pools with three-fold convolved boxes of 2^i pixels (a
quadratic B-spline, near to a Gaussian) centered on blocks of 2^i x 2^i pixels, and so

    pooling window of level i: standard deviation s_i = sqrt(4^i - 1) / 2 pixels along each axis,
    i = 0, 1, 2, ...:          0, 0.866, 1.94, 3.97, 7.98, 15.99, ...

The statistics that are compared are taken at every half block (every 2^(i-1)-th pixel, about one standard deviation),
because those of neighboring blocks alone, two standard deviations apart, would depend on where the blocks begin.
Only every second of them goes on to the next level.

The last level is the whole image, each pixel counting the same: s = sqrt((n^2 - 1) / 12), n the longer side.
"""

import functools
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

    A pixel lies half way between two of the windows 0, ..., n, which are centered on the edges between pixels.

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
    """Multiplies maps by a matrix from the left and one (transposed) from the right.

    Args:
      rows: [new height, height].
      maps: [batch, height, width].
      columns: [new width, width].

    Returns:
      [batch, new height, new width].
    """
    if isinstance(maps, np.ndarray):
        return rows @ maps @ columns.T
    left, right = jnp.asarray(rows, maps.dtype), jnp.asarray(columns, maps.dtype)
    return jnp.einsum("ih,bhw,jw->bij", left, maps, right, precision=lax.Precision.HIGHEST)


@jax.custom_vjp
def pool_moments(mean: jax.Array, variance: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Pools local means and variances with the window a = (1, 3, 3, 1)/8 along both axes, on all edges between pixels.

    mean'     = sum_k a_k mean_k
    variance' = sum_k a_k [variance_k + (mean_k - mean')^2]        (law of total variance)

    The window is three pairs one after another, and the variance of a pair is that of its halves and a quarter of
    the squared difference of their means: a sum of squares, so that it never cancels and never falls below 0. A
    constant comes out as it went in, to the last digit.

    The derivative (written by hand, which saves most of the time and memory) is for reverse mode, and for forward
    mode over it; `jax.jvp` of the values themselves is refused by JAX. It forms sum_k a_k b_k (mean_k - mean') from
    two sums, and is right to the rounding error times |mean| / standard deviation of the window.

    Args:
      mean: local means, [batch, height, width, channels].
      variance: local variances of the same shape, or None for zero (single pixels).

    Returns:
      mean' and variance', [batch, height + 1, width + 1, channels], the maps being reflected about their edges;
      `subsample` picks the middles of blocks of two.
    """
    return _pool(mean, variance)


def _pool(mean: jax.Array, variance: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    mean = _reflect(mean)
    variance = None if variance is None else _reflect(variance)
    for axis in (1, 2):
        for _ in range(3):
            ahead, behind = _pairs(mean, axis)
            spread = 0.25 * jnp.square(ahead - behind)
            if variance is not None:
                spread = spread + 0.5 * sum(_pairs(variance, axis))
            # Without the barrier XLA computes each stage anew for every use of the next.
            mean, variance = lax.optimization_barrier((0.5 * (ahead + behind), spread))
    assert variance is not None  # after the first stage
    return mean, variance


def _pool_moments_forward(mean, variance):
    pooled = _pool(mean, variance)
    return pooled, (mean, pooled[0], variance is None)


def _pool_moments_backward(saved, slopes):
    mean, pooled, from_pixels = saved
    along_mean, along_variance = lax.optimization_barrier((slopes[0] - 2 * pooled * slopes[1], slopes[1]))
    spread = _transposed_pooling(along_variance)
    return _transposed_pooling(along_mean) + 2 * mean * spread, None if from_pixels else spread


pool_moments.defvjp(_pool_moments_forward, _pool_moments_backward)


def _pairs(maps: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    """All but the last, and all but the first."""
    size = maps.shape[axis]
    return lax.slice_in_dim(maps, 0, size - 1, axis=axis), lax.slice_in_dim(maps, 1, size, axis=axis)


def _mirrored(size: int) -> list[int]:
    """Which element lies at -2, ..., size + 1 after reflection (a map of one pixel is its own mirror image)."""
    return [min(1, size - 1), 0, *range(size), size - 1, max(size - 2, 0)]


def _reflect(maps: jax.Array) -> jax.Array:
    """Continues maps by two elements at each end of both axes."""
    for axis in (1, 2):
        mirrored = _mirrored(maps.shape[axis])
        left, right = (
            [lax.slice_in_dim(maps, i, i + 1, axis=axis) for i in part] for part in (mirrored[:2], mirrored[-2:])
        )
        maps = jnp.concatenate([*left, maps, *right], axis)
    return maps


def _transposed_pooling(slopes: jax.Array) -> jax.Array:
    """Applies the transpose of the pooling of means: [batch, n + 1, m + 1, channels] to [batch, n, m, channels]."""
    for _ in range(3):
        padding = ((0, 0), (1, 1), (1, 1), (0, 0))
        zero = np.zeros((), slopes.dtype)
        slopes = lax.reduce_window(slopes, zero, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), padding)
    for axis in (1, 2):
        # What was taken from beyond the edge goes back to where it was mirrored from.
        size = slopes.shape[axis] - 4
        element = functools.partial(lax.slice_in_dim, slopes, axis=axis)
        if size >= 4:
            parts = [
                element(2, 3) + element(1, 2),
                element(3, 4) + element(0, 1),
                element(4, size),
                element(size, size + 1) + element(size + 3, size + 4),
                element(size + 1, size + 2) + element(size + 2, size + 3),
            ]
        else:
            sources = [[k for k, i in enumerate(_mirrored(size)) if i == pixel] for pixel in range(size)]
            parts = [sum(element(k, k + 1) for k in result) for result in sources]
        slopes = jnp.concatenate(parts, axis)
    return slopes / 64


def subsample(maps: jax.Array, axis: int) -> jax.Array:
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


def safe_std(variance: jax.Array) -> jax.Array:
    """Computes the standard deviation, with derivative 0 (not infinite) where the variance is 0.

    Args:
      variance: any shape, non-negative.

    Returns:
      sqrt(variance).
    """
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1)), 0)
