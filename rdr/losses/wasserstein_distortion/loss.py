"""Wasserstein distortion: from fidelity (sigma = 0) to realism (sigma = infinity), pixel by pixel.

At each position n the features around it have a local distribution, pooled with a window whose standard deviation is
sigma(n). Two images are compared by the squared Wasserstein distance of these distributions, averaged over positions.

`prepare` computes everything about the reference once; `distance` compares an image with it.
`wasserstein_distortion` is both in one call.

Shifting both images together leaves the distortion unchanged for sigma = 0 and infinity, and in the interior for shifts
by multiples of the coarsest sampling in use. Other shifts change it by about a thousandth on textures and up to a
hundredth on edges, as windows are sampled about one standard deviation apart; only the (small) value of images whose
difference is much narrower than sigma, a thin line moved by a pixel, varies by up to a third.

The gradient is bounded wherever a local standard deviation is positive. Where the *image* is exactly flat over a window
its standard deviation has a cone's tip, and the derivative is set to 0: an exactly flat image receives no push towards
texture and is a stationary point of that term. Any noise removes it. Derivatives are for reverse mode, and forward over
reverse (Hessian products); JAX refuses `jax.jvp` of the distortion itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.losses.wasserstein_distortion import decimation as blocks
from rdr.losses.wasserstein_distortion import exact as exactly
from rdr.losses.wasserstein_distortion import pooling
from rdr.losses.wasserstein_distortion.window_weights import as_map, sigma_squared, window_weights


class MapStatistics(NamedTuple):
    """What `distance` needs to know of the reference's feature maps of one size, side by side in their channels.

    Level 0 is the maps themselves, level i their statistics in windows of standard deviation sqrt(4^i - 1) / 2 at
    every 2^(i-1)-th pixel, the last level those of the whole maps. An entry is None where no pixel asks for the level.

    Attributes:
      center: mean of each channel, [batch, 1, 1, channels]; subtracted from everything below, and from the
        image, so that float32 keeps its digits where the mean is large.
      means: per level, local means, [batch, rows, columns, channels].
      deviations: per level, local standard deviations, of the same shape.
      weights: per level, how much each window counts, [batch or 1, rows, columns]; they sum to 1 over all
        levels and windows.
    """

    center: jax.Array
    means: tuple[jax.Array | None, ...]
    deviations: tuple[jax.Array | None, ...]
    weights: tuple[jax.Array | None, ...]


class Statistics(NamedTuple):
    """What `distance` needs to know of the reference.

    Attributes:
      groups: one entry per size of feature maps, in the order in which the sizes first occur.
      like: a pytree like the reference, of empty arrays [batch, height, width, channels, 0] that remember the
        shapes of its maps.
    """

    groups: tuple[MapStatistics, ...]
    like: Any


def wasserstein_distortion(
    reference: Any,
    image: Any,
    sigma: ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    num_levels: int | None = None,
    exact: bool = False,
    p: float = 2.0,
    kernel: exactly.Kernel | None = None,
) -> jax.Array:
    """Computes the Wasserstein distortion between feature maps of two images.

    With local mean m and standard deviation v of each scalar feature in the window of level i at position c,
    weights w_i(n) that mix the two levels around sigma(n), and linear interpolation u_i(n, c) between the
    positions at which level i is sampled (every 2^(i-1)-th),

        D = mean_n sum_i w_i(n) sum_c u_i(n, c) [(m_i - m_i')^2 + (v_i - v_i')^2](c),

    averaged over channels and summed over feature maps. Each bracket is the squared 2-Wasserstein distance of Gaussians
    with these moments, a lower bound on that of the local distributions themselves (`exact=True`). sigma = 0 is the
    mean squared difference, sigma = infinity compares the two images' means and standard deviations; in between,
    windows at pixel n have the standard deviation sigma(n) along each axis (away from the edge).
    Gradients are for reverse mode, and 0 where the image is exactly flat over a window.

    Args:
      reference: a feature map [batch, height, width, channels], floating point, or a pytree of them (say, the
        dict that `rdr.features` returns); scale a map by a to weight its term by a^2.
      image: the same of the other image.
      sigma: standard deviation of the pooling windows, in pixels of the image, 0 to infinity: a number, a map
        [height, width], or a map per image [batch, height, width] ([batch, 1, 1] for numbers). Features r times smaller
        than the image are pooled with sigma / r, sigma^2 averaged over the pixels that each covers. Levels that no
        pixel asks for are skipped if sigma is not traced by JAX. Traced and negative: NaN.
      image_shape: height and width of the image in whose pixels sigma is given; by default those of sigma if
        it is a map (which must then be no smaller than any feature map), otherwise those of the largest feature map.
      num_levels: the finest levels to use, besides single pixels and the whole image; by default all that
        are narrower than the image.
      exact: compares the local distributions themselves, not Gaussians with their moments (slow, for validation).
      p: order of the distance, at least 1; other than 2 only with `exact`.
      kernel: with `exact`, other windows than the pyramid's; see `wasserstein_distortion_exact`.

    Returns:
      [batch], float32, or float64 for float64 maps.

    Raises:
      ValueError: if shapes, dtypes, sigma or the combination of options are not as above.

    Reference:
      Qiu, Wagner, Balle, Theis (qiu2024wasserstein), arXiv 2310.03629; Balle et al. (balle2025good), arXiv 2412.00505.
      There sigma = 2^i names level i of a pyramid whose windows have standard deviation sqrt((4^i - 1) / 6) (`codex`).
    """
    if exact:
        return exactly.exact_wasserstein_distortion(
            reference, image, sigma, p=p, kernel=kernel, image_shape=image_shape, num_levels=num_levels
        )
    if p != 2 or kernel is not None:
        raise ValueError(f"p must be 2 and kernel None unless exact=True, got p = {p} and kernel = {kernel}")
    statistics = prepare(reference, sigma, image_shape=image_shape, num_levels=num_levels)
    return distance(statistics, image)


def prepare(
    reference: Any,
    sigma: ArrayLike,
    *,
    image_shape: tuple[int, int] | None = None,
    num_levels: int | None = None,
) -> Statistics:
    """Computes what `distance` needs of the reference: `distance(prepare(x, sigma), y)` is the distortion.

    Args:
      reference: feature maps [batch, height, width, channels], as of `wasserstein_distortion`.
      sigma: standard deviation of the pooling windows in pixels, as of `wasserstein_distortion`.
      image_shape: height and width of the image in whose pixels sigma is given.
      num_levels: the finest levels to use; by default all that are narrower than the image.

    Returns:
      The statistics: a pytree of arrays, which may be passed through `jit`.

    Raises:
      ValueError: if shapes, dtypes or sigma are not as of `wasserstein_distortion`.
    """
    leaves, structure = jax.tree.flatten(reference)
    leaves = [as_map(f"reference[{i}]" if len(leaves) > 1 else "reference", x) for i, x in enumerate(leaves)]
    if not leaves:
        raise ValueError("reference must hold at least one feature map, got none")
    variance, frame = sigma_squared(sigma, leaves, image_shape)
    groups = tuple(
        _prepare_maps(_side_by_side([leaves[i] for i in group]), variance, frame, num_levels)
        for group in _of_one_size(leaves)
    )
    return Statistics(groups, jax.tree.unflatten(structure, [x[..., None][..., :0] for x in leaves]))


def distance(statistics: Statistics, image: Any) -> jax.Array:
    """Compares an image with a prepared reference.

    Args:
      statistics: what `prepare` returned.
      image: feature maps of the image, a pytree like the reference's.

    Returns:
      [batch] distortions; see `wasserstein_distortion`.

    Raises:
      ValueError: if the maps differ from the reference's in number or shape.
    """
    like, structure = jax.tree.flatten(statistics.like)
    leaves, result = jax.tree.flatten(image)
    if structure != result:
        raise ValueError(f"image must hold feature maps like the reference's, {structure}, got {result}")
    leaves = [as_map("image", x) for x in leaves]
    for x, y in zip(leaves, like):
        if x.shape != y.shape[:-1]:
            raise ValueError(f"image must have the reference's shape {y.shape[:-1]}, got {x.shape}")
    total = jnp.zeros(leaves[0].shape[:1], leaves[0].dtype)
    for prepared, group in zip(statistics.groups, _of_one_size(like)):
        # Each map is averaged over its channels.
        channels = [leaves[i].shape[-1] for i in group]
        share = np.repeat(1 / np.array(channels, np.float64), channels)
        total = total + _distance_of_maps(prepared, _side_by_side([leaves[i] for i in group]), share)
    return total


def _of_one_size(maps: list[jax.Array]) -> list[list[int]]:
    """Lists which maps have one height, width and precision. Together they are pooled, and compiled, only once."""
    groups: dict = {}
    for i, x in enumerate(maps):
        groups.setdefault((x.shape[:3], x.dtype), []).append(i)
    return list(groups.values())


def _side_by_side(maps: list[jax.Array]) -> jax.Array:
    return maps[0] if len(maps) == 1 else jnp.concatenate(maps, -1)


def _prepare_maps(maps: jax.Array, variance: Any, frame: tuple[int, int], num_levels: int | None) -> MapStatistics:
    _, height, width, _ = maps.shape
    weights = window_weights(variance, frame, height, width, num_levels)
    weights = [None if w is None else jnp.asarray(w, maps.dtype) for w in weights]
    center = jax.lax.stop_gradient(maps.mean((1, 2), keepdims=True))
    means, deviations = [], []
    for w, moments in zip(weights, _moments(maps - center, [w is not None for w in weights])):
        means.append(None if w is None or moments is None else moments[0])
        variances = None if w is None or moments is None else moments[1]
        deviations.append(None if variances is None else pooling.safe_std(variances))
    return MapStatistics(center, tuple(means), tuple(deviations), tuple(weights))


def _moments(maps: jax.Array, needed: list[bool]) -> list[tuple[jax.Array, jax.Array | None] | None]:
    """Computes means and variances at the levels needed; the last is the whole map."""
    *levels, whole = needed if len(needed) > 1 else (*needed, False)
    highest = max((i for i, need in enumerate(levels) if need), default=0)
    mean, variance = maps, None
    result: list = [(mean, None)]
    lowest: tuple[jax.Array, jax.Array | None] = result[0]
    for level in range(1, highest + 1):
        if levels[level]:
            # Windows at every half block are compared; every second one of them goes on.
            mean, variance = pooling.pool_moments(mean, variance)
            result.append((mean, variance))
            if level < highest or (level == 1 and whole):
                for axis in (1, 2):
                    mean, variance = (pooling.subsample(x, axis) for x in (mean, variance))
        else:
            mean, variance = blocks.pool_blocks(mean, variance)
            result.append(None)
        if level == 1:
            # The whole map from the first level, whose windows are few but still count every pixel alike.
            lowest = (mean, variance)
    result += [None] * (len(levels) - len(result))
    if len(needed) > 1:
        result.append(_whole_moments(lowest[0], lowest[1], (maps.shape[1], maps.shape[2])) if whole else None)
    return result


def _whole_moments(mean: jax.Array, variance: jax.Array | None, shape: tuple[int, int]) -> tuple[jax.Array, jax.Array]:
    """Merges pixels, or the windows of level 1, into the whole map (law of total variance)."""
    if variance is None:
        share = jnp.full((1, 1, 1, 1), 1 / (shape[0] * shape[1]), mean.dtype)
    else:
        # Each window counts as the pixels that it stands for: two by two, fewer at an odd edge.
        pixels = np.multiply.outer(*(pooling.interpolation_matrix(n).sum(0) / n for n in shape))
        share = jnp.asarray(pixels, mean.dtype).reshape((1, *pixels.shape, 1))
    whole = jnp.sum(share * mean, (1, 2), keepdims=True)
    squares = jnp.square(mean - whole)
    if variance is not None:
        squares = squares + variance
    return whole, jnp.sum(share * squares, (1, 2), keepdims=True)


def _distance_of_maps(statistics: MapStatistics, maps: jax.Array, share: np.ndarray) -> jax.Array:
    moments = _moments(maps - statistics.center.astype(maps.dtype), [w is not None for w in statistics.weights])
    shares = jnp.asarray(share, maps.dtype)[None, None, None]
    total = jnp.zeros(maps.shape[:1], maps.dtype)
    for mean, spread, weight, ours in zip(statistics.means, statistics.deviations, statistics.weights, moments):
        if weight is None or mean is None or ours is None:
            continue
        squares = jnp.square(ours[0] - mean)
        if spread is not None and ours[1] is not None:
            squares = squares + jnp.square(pooling.safe_std(ours[1]) - spread)
        total = total + jnp.sum(weight[..., None] * shares * squares, (1, 2, 3))
    return total
