"""Pooling to the middles of blocks of two, for levels of Wasserstein distortion that are only passed through."""

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_vjp
def pool_blocks(mean: jax.Array, variance: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Pools local means and variances with the window a = (1, 3, 3, 1)/8 centered on blocks of two by two.

    mean'     = sum_k a_k mean_k
    variance' = sum_k a_k [variance_k + (mean_k - mean')^2]        (law of total variance)

    The same as `pool_moments` followed by `subsample` along both axes, at under half the cost: windows at half
    blocks, which nobody compares, are not computed. As there, a window is three pairs one after another, so that
    nothing cancels and constants stay as they are, and the derivative is written by hand for reverse mode and forward
    mode over it.

    Args:
      mean: local means, [batch, height, width, channels].
      variance: local variances of the same shape, or None for zero (single pixels).

    Returns:
      mean' and variance', [batch, ceil(height / 2), ceil(width / 2), channels]; the maps are reflected about their
      edges.
    """
    return _pool(mean, variance)


def _pool(mean: jax.Array, variance: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    for axis in (1, 2):
        # The barrier keeps XLA from computing the first axis anew for every use by the second.
        mean, variance = lax.optimization_barrier(_pool_axis(mean, variance, axis))
    assert variance is not None  # after the first axis
    return mean, variance


def _pool_axis(
    mean: jax.Array, variance: jax.Array | None, axis: int
) -> tuple[jax.Array, jax.Array]:
    halves = _window(mean, axis)
    spreads = None if variance is None else _window(variance, axis)
    while len(halves) > 1:
        pairs = list(zip(halves, halves[1:]))
        between = [0.25 * jnp.square(a - b) for a, b in pairs]
        spreads = between if spreads is None else [
            c + 0.5 * (a + b) for c, a, b in zip(between, spreads, spreads[1:])]
        halves = [0.5 * (a + b) for a, b in pairs]
    assert spreads is not None  # there are four pixels to a window
    return halves[0], spreads[0]


def _window(maps: jax.Array, axis: int) -> list[jax.Array]:
    """The four pixels of each block's window: each [.., blocks, ..]."""
    size = maps.shape[axis]
    blocks = (size + 1) // 2
    # Pixels -1, 0, ..., 2 blocks, those beyond an edge being its mirror image.
    beyond = [size - 1] if size % 2 == 0 else [size - 1, max(size - 2, 0)]
    ends = [lax.slice_in_dim(maps, i, i + 1, axis=axis) for i in (0, *beyond)]
    padded = jnp.concatenate([ends[0], maps, *ends[1:]], axis)
    pairs = padded.reshape((*padded.shape[:axis], blocks + 1, 2, *padded.shape[axis + 1 :]))
    return [
        jnp.squeeze(lax.slice_in_dim(lax.slice_in_dim(pairs, k // 2, k // 2 + blocks, axis=axis),
                                     k % 2, k % 2 + 1, axis=axis + 1), axis + 1)
        for k in range(4)
    ]


def _forward(mean, variance):
    pooled = _pool(mean, variance)
    return pooled, (mean, pooled[0], variance is None)


def _backward(saved, slopes):
    mean, pooled, from_pixels = saved
    along_mean, along_variance = lax.optimization_barrier((slopes[0] - 2 * pooled * slopes[1], slopes[1]))
    shape = mean.shape[1:3]
    spread = _transposed(along_variance, shape)
    return _transposed(along_mean, shape) + 2 * mean * spread, None if from_pixels else spread


pool_blocks.defvjp(_forward, _backward)


def _transposed(slopes: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Applies the transpose of the pooling of means: [batch, blocks, blocks, channels] to [batch, *shape, channels]."""
    for axis, size in ((2, shape[1]), (1, shape[0])):
        slopes = lax.optimization_barrier(_transposed_axis(slopes, axis, size))
    return slopes


def _transposed_axis(slopes, axis, size):
    # Pixels 2k - 1 and 2k, each from the blocks on its two sides, k = 0, ..., blocks.
    padding = [(0, 0)] * 4
    padding[axis] = (1, 1)
    padded = jnp.pad(slopes, padding)
    before, after = (lax.slice_in_dim(padded, k, k + slopes.shape[axis] + 1, axis=axis) for k in (0, 1))
    pixels = jnp.stack([0.375 * before + 0.125 * after, 0.125 * before + 0.375 * after], axis + 1)
    pixels = pixels.reshape((*slopes.shape[:axis], -1, *slopes.shape[axis + 1 :]))
    # What was taken from beyond the edge goes back to where it was mirrored from.
    inside = lax.slice_in_dim(pixels, 1, size + 1, axis=axis)
    for pixel, mirrored in ((0, 0), (size + 1, size - 1), (size + 2, max(size - 2, 0))):
        if pixel < pixels.shape[axis]:
            edge = [(0, 0, 0)] * 4
            edge[axis] = (mirrored, size - 1 - mirrored, 0)
            inside = inside + lax.pad(
                lax.slice_in_dim(pixels, pixel, pixel + 1, axis=axis), jnp.zeros((), pixels.dtype), edge)
    return inside
