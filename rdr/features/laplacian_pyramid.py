"""The Laplacian pyramid, and its divisive normalization by local contrast."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_batch, total
from rdr.gradients import absolute

NUM_LEVELS = 6

# Laparra et al. (2016): per level the constant and the weights of the neighbors' amplitudes in the divisor,
# by the neighbor's offset (row, column). Levels after the sixth use the sixth's.
_CONSTANTS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
_NEIGHBORS = (
    {(1, 0): 0.1011, (0, 1): 0.1493, (0, -1): 0.1460, (0, -2): 0.0072, (-1, 0): 0.1015},
    {(1, 0): 0.0757, (0, 1): 0.1986, (0, -1): 0.1846, (-1, 0): 0.0837},
    {(1, 0): 0.0477, (0, 1): 0.2138, (0, -1): 0.2243, (-1, 0): 0.0467},
    {(0, 1): 0.2503, (0, -1): 0.2616},
    {(0, 1): 0.2598, (0, -1): 0.2552},
    {(0, 1): 0.2215, (0, -1): 0.0717},
)


def laplacian_pyramid(images: ArrayLike, *, num_levels: int = NUM_LEVELS) -> tuple[jax.Array, ...]:
    """Splits images into differences between successive low-pass versions.

    x_1 = x; x_{k+1} is x_k filtered with [.05 .25 .4 .25 .05] each way (edges mirrored, the edge pixel
    repeated) and every second sample; z_k = x_k - expand(x_{k+1}), and z_K = x_K. Expanding interpolates with
    twice the same filter each way, edge pixels repeated.

    Args:
      images: [batch, height, width, channels].
      num_levels: K, at least 1; works at any size, 1x1 included.

    Returns:
      K maps [batch, ceil(height / 2^k), ceil(width / 2^k), channels], k = 0..K-1, finest first.

    Raises:
      ValueError: if `num_levels` is below 1, or `images` is no batch of images.

    Reference:
      Burt, Adelson (burt1983laplacian), The Laplacian pyramid as a compact image code, IEEE Transactions on
      Communications 31 (1983).
    """
    low = image_batch(images)
    if num_levels < 1:
        raise ValueError(f"num_levels must be at least 1, got {num_levels}")
    levels = []
    for _ in range(num_levels - 1):
        lower = _reduce(low)
        levels.append(low - _expand(lower, low.shape))
        low = lower
    return (*levels, low)


def reconstruct(levels: tuple[jax.Array, ...]) -> jax.Array:
    """Puts a Laplacian pyramid together again.

    Args:
      levels: what `laplacian_pyramid` returned.

    Returns:
      The images, [batch, height, width, channels].
    """
    low = levels[-1]
    for level in reversed(levels[:-1]):
        low = level + _expand(low, level.shape)
    return low


def normalized_laplacian_pyramid(
    images: ArrayLike, *, num_levels: int = NUM_LEVELS
) -> tuple[jax.Array, ...]:
    """Computes the Laplacian pyramid divided by the local amplitude of its neighbors.

        y_k(n) = z_k(n) / (s_k + sum_m p_k(m) |z_k(n + m)|)

    with the constants of Laparra et al., fitted to gray photographs in [0, 1]. Amplitudes outside of the
    image count as 0. Where z = 0 the gradient of |z| is taken as 0.

    Args:
      images: [batch, height, width, channels]; each channel by itself.
      num_levels: number of levels.

    Returns:
      Maps of the shapes of `laplacian_pyramid`, dimensionless.

    Raises:
      ValueError: if `num_levels` is below 1, or `images` is no batch of images.

    Reference:
      Laparra, Ballé, Berardino, Simoncelli (laparra2016nlpd), Perceptual image quality assessment using a normalized
      Laplacian pyramid, Electronic Imaging 2016; weights as in the authors' NLP_dist.m.
    """
    return tuple(
        level / (_CONSTANTS[min(k, 5)] + _neighbor_sum(absolute(level), _NEIGHBORS[min(k, 5)]))
        for k, level in enumerate(laplacian_pyramid(images, num_levels=num_levels))
    )


def features(
    params: Any, images: ArrayLike, *, num_levels: int = NUM_LEVELS, normalize: bool = True
) -> dict[str, jax.Array]:
    """Returns a Laplacian pyramid as feature maps.

    Args:
      params: not used (None); there so that all feature maps are called alike.
      images: [batch, height, width, channels].
      num_levels: number of levels.
      normalize: whether to divide by local amplitudes (`normalized_laplacian_pyramid`).

    Returns:
      {"level_0": finest map, ..., "lowpass": coarsest map}.

    Raises:
      ValueError: if `num_levels` is below 1, or `images` is no batch of images.
    """
    del params
    transform = normalized_laplacian_pyramid if normalize else laplacian_pyramid
    *levels, lowpass = transform(images, num_levels=num_levels)
    return {f"level_{k}": level for k, level in enumerate(levels)} | {"lowpass": lowpass}


def _reduce(x: jax.Array) -> jax.Array:
    for axis in (1, 2):
        size = x.shape[axis]
        index = np.pad(np.arange(size), 2, mode="symmetric")
        count = (size + 1) // 2
        x = total(
            weight * jnp.take(x, index[tap : tap + 2 * count - 1 : 2], axis=axis)
            for tap, weight in enumerate((0.05, 0.25, 0.4, 0.25, 0.05))
        )
    return x


def _expand(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    for axis in (1, 2):
        count = x.shape[axis]
        before = jnp.take(x, np.maximum(np.arange(count) - 1, 0), axis=axis)
        after = jnp.take(x, np.minimum(np.arange(count) + 1, count - 1), axis=axis)
        pairs = jnp.stack([0.1 * before + 0.8 * x + 0.1 * after, 0.5 * (x + after)], axis=axis + 1)
        doubled = pairs.reshape(*x.shape[:axis], 2 * count, *x.shape[axis + 1 :])
        x = jax.lax.slice_in_dim(doubled, 0, shape[axis], axis=axis)
    return x


def _neighbor_sum(x: jax.Array, weights: dict[tuple[int, int], float]) -> jax.Array:
    padded = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width = x.shape[1:3]
    return total(
        weight * padded[:, 2 + row : 2 + row + height, 2 + column : 2 + column + width]
        for (row, column), weight in weights.items()
    )
