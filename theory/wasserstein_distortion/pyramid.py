"""Windows of a pyramid, as Wasserstein distortion of images pools in practice, and the converse for them.

Along each axis, level i is three boxes of 2^i pixels convolved, of standard deviation sqrt(4^i - 1) / 2, at every
2^(i-1)-th position; level 0 is single pixels and the last level is the whole image. Images are continued by reflection.
A pixel that asks for sigma between two levels takes both, mixed linearly in sigma^2, and hands its weight to the
positions around it by linear interpolation.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast, infinite_at_zero, nan_unless
from theory.numerics.units import nats_to_bits
from theory.wasserstein_distortion import separable
from theory.wasserstein_distortion.converse import covariance_factor, pooled_eigenvalues
from theory.wasserstein_distortion.fields import FieldPoint, check_dimension


class PyramidLevel(NamedTuple):
    """Windows of one level: the products of a row window and a column window.

    Attributes:
      rows: windows along the vertical axis, shape [a, height].
      columns: windows along the horizontal axis, shape [b, width].
      weights: of each pair in the distortion, shape [a, b]; over all levels they sum to 1.
    """

    rows: np.ndarray
    columns: np.ndarray
    weights: jax.Array


def level_std(level: int) -> float:
    """Computes the standard deviation of a level's window along each axis, sqrt(4^level - 1) / 2 pixels.

    Args:
      level: 0, 1, 2, ..

    Returns:
      The standard deviation, in pixels.
    """
    return 0.5 * (4.0**level - 1.0) ** 0.5


@functools.cache
def axis_windows(size: int, level: int) -> np.ndarray:
    """Computes the windows of a level along one axis of an image.

    Each step pools with (1, 3, 3, 1)/8 centered on the edges 0 .. n between samples, reflected about both ends; all but
    the last step keep the middles of pairs (edges 1, 3, .., and n if it is odd).

    Args:
      size: pixels along the axis.
      level: 0, 1, 2, ..

    Returns:
      Windows that sum to 1, shape [positions, size].
    """
    windows = np.eye(size)
    for step in range(level):
        n = len(windows)
        around = np.arange(n + 1)[:, None] + np.arange(-2, 2)
        mirrored = np.where(around < 0, -1 - around, np.where(around >= n, 2 * n - 1 - around, around))
        pooled = np.einsum("k,ekp->ep", np.array([1, 3, 3, 1]) / 8, windows[np.clip(mirrored, 0, n - 1)])
        windows = pooled if step == level - 1 else pooled[1::2]
    return windows


@functools.cache
def _shares(size: int, level: int) -> np.ndarray:
    """How a pixel's weight is handed to the positions of a level: [positions, size], columns sum to 1."""
    shares = np.eye(size)
    for step in range(level):
        n = len(shares)
        if step == level - 1:
            shares = 0.5 * (np.eye(n + 1, n) + np.eye(n + 1, n, -1)) @ shares
            continue
        blocks, own = (n + 1) // 2, np.arange(n) // 2
        other = own + np.where(np.arange(n) % 2, 1, -1)
        other = np.where((other >= 0) & (other < blocks), other, own)
        shares = (0.75 * np.eye(blocks)[:, own] + 0.25 * np.eye(blocks)[:, other]) @ shares
    return shares


def pyramid_levels(sigma: ArrayLike) -> tuple[PyramidLevel, ...]:
    """Lists the windows that a map of sigma asks for, with their weights.

    Args:
      sigma: standard deviation asked for at each pixel, 0 to infinity; shape [height, width].

    Returns:
      One entry per level from single pixels to the whole image; levels of weight 0 are left out if sigma is known.

    Raises:
      ValueError: if sigma has another shape, or is negative (outside of a trace).
    """
    check_domain("sigma", sigma, minimum=0.0)
    sigma = jnp.asarray(sigma, jnp.float64)
    if sigma.ndim != 2 or 0 in sigma.shape:
        raise ValueError(f"sigma must have shape [height, width], got {sigma.shape}")
    height, width = sigma.shape
    whole = (max(height, width) ** 2 - 1) / 12.0
    knots = [level_std(i) ** 2 for i in range(64) if level_std(i) ** 2 < whole] + [whole]
    variance = jnp.minimum(jnp.square(jnp.minimum(sigma, float(max(height, width)))), whole)
    variance = jnp.where(sigma >= 0, variance, jnp.nan)
    levels = []
    for i, knot in enumerate(knots):
        rises = jnp.clip((variance - knots[i - 1]) / (knot - knots[i - 1]), 0, 1) if i else jnp.ones_like(variance)
        falls = jnp.clip((variance - knot) / (knots[i + 1] - knot), 0, 1) if i + 1 < len(knots) else 0.0
        share = (rises - falls) / sigma.size
        if not isinstance(share, jax.core.Tracer) and not bool(jnp.any(share)):
            continue
        if i and i == len(knots) - 1:
            levels.append(PyramidLevel(np.full((1, height), 1 / height), np.full((1, width), 1 / width),
                                       jnp.sum(share).reshape(1, 1)))
            continue
        weights = jnp.asarray(_shares(height, i)) @ share @ _shares(width, i).T
        levels.append(PyramidLevel(axis_windows(height, i), axis_windows(width, i), weights))
    return tuple(levels)


def pyramid_mean_matrix(sigma: ArrayLike) -> jax.Array:
    """Computes M = sum_c w_c q_c q_c^T of the pyramid's windows for a map of sigma.

    Args:
      sigma: standard deviation asked for at each pixel, 0 to infinity; shape [height, width].

    Returns:
      M, shape [height * width, height * width], pixels in row-major order; for `converse.pooled_eigenvalues`.

    Raises:
      ValueError: if sigma has another shape, or is negative (outside of a trace).
    """
    sigma = jnp.asarray(sigma, jnp.float64)
    total = jnp.asarray(0.0)
    for rows, columns, weights in pyramid_levels(sigma):
        height, width = rows.shape[1], columns.shape[1]
        by_rows = jnp.einsum("ab,ai,aj->bij", weights, rows, rows).reshape(len(columns), -1)
        by_columns = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
        product = (by_rows.T @ by_columns).reshape(height, height, width, width)
        total = total + product.transpose(0, 2, 1, 3).reshape(height * width, height * width)
    return total


def pyramid_eigenvalues(sigma: ArrayLike, covariance: ArrayLike | None = None) -> jax.Array:
    """Computes the eigenvalues of Sigma^1/2 M Sigma^1/2 for a map of sigma, M from `pyramid_mean_matrix`, ascending.

    M = A^T A, where A has the rows sqrt(w_c) q_c: but for zeros, A Sigma A^T has the same eigenvalues. Wide windows are
    few, and where windows in use are fewer than pixels the smaller matrix is taken. For white noise its elements are
    products of those along rows and along columns.

    Args:
      sigma: standard deviation asked for at each pixel, 0 to infinity; shape [height, width].
      covariance: Sigma, symmetric and positive definite, shape [N, N] with N = height * width, pixels in row-major
        order; the identity (white, variance 1) by default.

    Returns:
      lam >= 0, shape [N], for `converse.converse_rate`. Inside a trace the whole of M is used.

    Raises:
      ValueError: if sigma or the covariance has another shape, sigma is negative, or the covariance is not positive
        definite (values: outside of a trace).
    """
    sigma = jnp.asarray(sigma, jnp.float64)
    levels = pyramid_levels(sigma)
    if not all(is_concrete(level.weights) for level in levels):
        return pooled_eigenvalues(pyramid_mean_matrix(sigma), covariance)
    used = [np.nonzero(level.weights) for level in levels]
    count = sum(len(rows) for rows, _ in used)
    if count >= sigma.size:
        return pooled_eigenvalues(pyramid_mean_matrix(sigma), covariance)
    root = np.sqrt(np.concatenate([np.asarray(level.weights)[at] for level, at in zip(levels, used)]))
    rows = np.concatenate([level.rows[at[0]] for level, at in zip(levels, used)])
    columns = np.concatenate([level.columns[at[1]] for level, at in zip(levels, used)])
    if covariance is None:
        gram = (rows @ rows.T) * (columns @ columns.T) * np.outer(root, root)
    else:
        pooled = (rows[:, :, None] * columns[:, None, :] * root[:, None, None]).reshape(count, -1)
        pooled = pooled @ np.asarray(covariance_factor(covariance, sigma.size))
        gram = pooled @ pooled.T
    return jnp.concatenate([jnp.zeros(sigma.size - count), pooled_eigenvalues(gram)])


def gaussian_windows(sigma: ArrayLike) -> jax.Array:
    """Samples a Gaussian window around every pixel, cut off at the edge and normalized.

    Args:
      sigma: standard deviation at each pixel, 0 (a single pixel) to infinity (the whole image); shape [height, width].

    Returns:
      Windows, shape [height * width, height * width]; each counts 1 / (height * width) in the distortion.

    Raises:
      ValueError: if sigma has another shape, or is negative (outside of a trace).
    """
    check_domain("sigma", sigma, minimum=0.0)
    sigma = jnp.asarray(sigma, jnp.float64)
    if sigma.ndim != 2 or 0 in sigma.shape:
        raise ValueError(f"sigma must have shape [height, width], got {sigma.shape}")
    rows, columns = (np.square(np.subtract.outer(np.arange(n), np.arange(n))) for n in sigma.shape)
    count = sigma.size
    squared = (rows[:, None, :, None] + columns[None, :, None, :]).reshape(count, count)
    s = sigma.reshape(count, 1)
    middle = (s > 0) & (s < jnp.inf)
    density = jnp.exp(-squared / (2.0 * jnp.square(jnp.where(middle, s, 1.0))))
    density = jnp.where(middle, density, jnp.where(s == 0, 1.0 * (squared == 0), jnp.where(s > 0, 1.0, jnp.nan)))
    return density / density.sum(1, keepdims=True)


@functools.cache
def _lags(level: int) -> np.ndarray:
    """Autocorrelation of a level's window along one axis, at multiples of its stride: lags 0, 1, .."""
    box = np.full(2**level, 2.0**-level)
    window = np.convolve(np.convolve(box, box), box)
    stride = max(1, 2 ** (level - 1))
    return np.correlate(window, window, "full")[len(window) - 1 :: stride]


@functools.cache
def _factor(level: int) -> np.ndarray:
    """Lags of G in P(w) = (2 cos(w/2))^6 G(w): the spectrum of the means vanishes at w = pi, from level 1 on."""
    lags = _lags(level)
    if level == 0:
        return lags
    quotient = np.polydiv(np.concatenate([lags[:0:-1], lags]), np.poly(np.full(6, -1.0)))[0]
    return quotient[len(quotient) // 2 :]


def _log_power(frequency: jax.Array, factor: jax.Array) -> jax.Array:
    """ln of the spectrum of a level's sampled means of white noise, relative to that at 0."""
    total = factor[0] + 2.0 * jnp.sum(factor[1:])
    change = sum(-4.0 * factor[k] * jnp.sin(0.5 * k * frequency) ** 2 for k in range(1, len(factor)))
    return 6.0 * jnp.log(jnp.cos(0.5 * frequency)) + jnp.log1p(change / total)


def _flat(frequency: jax.Array, factor: jax.Array) -> jax.Array:
    return jnp.zeros_like(frequency) * factor[0]


def pyramid_field_water_filling(water_level: ArrayLike, level: int, *, dimension: int = 2) -> FieldPoint:
    """Computes the converse for white fields and one level's windows at a water level, away from edges.

    P(w), the spectrum of the means at every t-th pixel, t = 2^(level-1), takes the place of |Q|^2:
    D = int min(theta, P), R = t^-dimension int 1/2 log2(P / theta)_+. The window's spectrum falls like w^-6: as
    theta -> 0 the rate saturates at one degree of freedom per window.

    Args:
      water_level: theta > 0; any shape.
      level: 0, 1, 2, ..
      dimension: 1 or 2.

    Returns:
      `FieldPoint`: distortion and bits per pixel.

    Raises:
      ValueError: if an argument is outside of its domain (theta: outside of a trace).
    """
    _check_level(level)
    check_dimension(dimension)
    check_domain("water_level", water_level, minimum=0.0, open_minimum=True, finite=True)
    (theta,) = broadcast(water_level)
    peak, stride = _peak(level, dimension), max(1, 2 ** (level - 1))
    valid = theta > 0.0
    relative = jnp.where(valid, jnp.minimum(theta / peak, 1.0), 0.5).reshape(-1)
    distortion, nats = _level_points(relative, _factor(level), level > 0, dimension)
    rate = nats_to_bits(nats) / stride**dimension
    return FieldPoint(*(nan_unless(valid, x.reshape(theta.shape)) for x in (peak * distortion, rate)))


def pyramid_field_rate(distortion: ArrayLike, level: int, *, dimension: int = 2) -> jax.Array:
    """Computes the converse for white fields and one level's windows, away from edges (certified lower bound).

    Args:
      distortion: D >= 0, mean over pixels, for variance 1; any shape.
      level: 0 (the rate-distortion function), 1, 2, ..
      dimension: 1 or 2.

    Returns:
      Bits per pixel; same shape.

    Raises:
      ValueError: if an argument is outside of its domain (D: outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md from kolmogorov1956shannon.
    """
    _check_level(level)
    check_dimension(dimension)
    check_domain("distortion", distortion, minimum=0.0)
    (d,) = broadcast(distortion)
    lags, stride = _lags(level), max(1, 2 ** (level - 1))
    peak, limit = _peak(level, dimension), float(lags[0]) ** dimension
    some = (d > 0.0) & (d < limit)
    relative = jnp.where(some, d, 0.5 * limit).reshape(-1) / peak
    nats = _level_rates(relative, _factor(level), level > 0, dimension).reshape(d.shape)
    rate = jnp.where(some, nats_to_bits(nats) / stride**dimension, 0.0)
    return nan_unless(d >= 0.0, rate + infinite_at_zero(d))


def _check_level(level):
    if not isinstance(level, int | np.integer) or not 0 <= level < 16:
        raise ValueError(f"level must be an integer from 0 to 15, got {level!r}")


def _peak(level, dimension):
    lags = _lags(level)
    return float(lags[0] + 2.0 * lags[1:].sum()) ** dimension


@functools.partial(jax.jit, static_argnames=("pooled", "dimension"))
def _level_points(theta, factor, pooled, dimension):
    log_power = _log_power if pooled else _flat
    return jax.vmap(lambda t: separable.water_filling(t, log_power, factor, dimension=dimension))(theta)


@functools.partial(jax.jit, static_argnames=("pooled", "dimension"))
def _level_rates(d, factor, pooled, dimension):
    log_power = _log_power if pooled else _flat
    return jax.vmap(lambda x: separable.rate_distortion(x, log_power, factor, dimension=dimension))(d)
