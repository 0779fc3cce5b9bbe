"""Tiles under exact Wasserstein distortion: the rate-distortion problem of order statistics.

With equal weights on the n pixels of a tile, W2^2 is the mean squared difference between sorted values. The decoder may
put any n values into a tile, and sorting them only helps, so that the rate under exact Wasserstein distortion is the
rate-distortion function of the sorted vector X_(1) <= .. <= X_(n) under squared error: a source without order, as in
varshney2007.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from theory.gaussian import vector
from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits
from theory.wasserstein_distortion.tiles import tile_rate_bounds

MAX_COVARIANCE_PIXELS = 64
_MAX_PIXELS = 1 << 16
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_EDGE = 9.5


def _check_pixels(pixels):
    if not isinstance(pixels, int | np.integer) or not 1 <= pixels <= _MAX_PIXELS:
        raise ValueError(f"pixels must be an integer from 1 to {_MAX_PIXELS}, got {pixels!r}")


def _log_tails(x):
    """ln Phi(x) and ln Phi(-x)."""
    tail = np.vectorize(lambda t: math.erfc(t / math.sqrt(2.0)) / 2.0)(np.abs(x))
    near, far = np.log1p(-tail), np.log(tail)
    return np.where(x > 0, near, far), np.where(x > 0, far, near)


@functools.cache
def order_statistic_means(pixels: int) -> np.ndarray:
    """Computes E X_(i) of n independent standard normal values, in increasing order.

    Args:
      pixels: n, from 1 to 65,536.

    Returns:
      Means, shape [n].

    Raises:
      ValueError: if n is not such a number.
    """
    _check_pixels(pixels)
    n, half = int(pixels), (int(pixels) + 1) // 2
    # The trapezoid rule over the whole line, whose nodes are dense beside the narrowest density.
    x = np.linspace(-_EDGE, _EDGE, 801 + 16 * math.isqrt(n))
    below, above = _log_tails(x)
    density = -0.5 * x**2 - 0.5 * math.log(2.0 * math.pi) + math.log(x[1] - x[0])
    means = np.empty(n)
    for start in range(0, half, 256):
        i = np.arange(start, min(half, start + 256))[:, None]
        logs = np.asarray(gammaln(n + 1.0) - gammaln(i + 1.0) - gammaln(n - i * 1.0))
        means[i[:, 0]] = np.exp(logs + i * below + (n - 1 - i) * above + density) @ x
    means[n - half :] = -means[:half][::-1]
    return means


@functools.cache
def order_statistic_covariance(pixels: int) -> np.ndarray:
    """Computes the covariance matrix of n independent standard normal values after sorting.

    Each of its rows sums to 1.

    Args:
      pixels: n, from 1 to 64.

    Returns:
      Covariance, shape [n, n].

    Raises:
      ValueError: if n is not such a number.
    """
    _check_pixels(pixels)
    n = int(pixels)
    if n > MAX_COVARIANCE_PIXELS:
        raise ValueError(f"pixels must be at most {MAX_COVARIANCE_PIXELS} for a covariance, got {pixels}")
    # Second moments over x < y: y from one Gauss-Legendre rule, x from another up to y.
    y, y_weight = _EDGE * _NODES, _EDGE * _WEIGHTS
    width = (y[:, None] + _EDGE) / 2.0
    x, weight = -_EDGE + width * (1.0 + _NODES), width * _WEIGHTS * y_weight[:, None]
    log_x, log_above = _log_tails(x)[0], _log_tails(y)[1][:, None]
    upper = _log_tails(y)[0][:, None]
    with np.errstate(divide="ignore"):
        between = upper + np.log(-np.expm1(np.minimum(log_x - upper, -1e-17)))
    base = np.log(weight) - 0.5 * (x**2 + y[:, None] ** 2) - math.log(2.0 * math.pi)
    factorial = np.array([math.lgamma(k + 1.0) for k in range(n + 1)])
    second = np.zeros((n, n))
    product = (x * y[:, None]).reshape(-1)
    for i in range(n):
        for j in range(i + 1, n):
            if i + j > n - 1:
                continue
            scale = factorial[n] - factorial[i] - factorial[j - i - 1] - factorial[n - 1 - j]
            logs = scale + base + i * log_x + (j - i - 1) * between + (n - 1 - j) * log_above
            second[i, j] = np.exp(logs).reshape(-1) @ product
    # (X_(1), .., X_(n)) and (-X_(n), .., -X_(1)) have the same distribution.
    second = np.where(np.add.outer(np.arange(n), np.arange(n)) > n - 1, second[::-1, ::-1].T, second)
    means = order_statistic_means(n)
    covariance = np.triu(second, 1) - np.triu(np.outer(means, means), 1)
    covariance = covariance + covariance.T
    return covariance + np.diag(1.0 - covariance.sum(1))


def order_statistic_zero_rate_distortion(pixels: int) -> float:
    """Computes the least exact distortion of tiles at rate 0: the mean variance of an order statistic.

    It is reached by the pixels E X_(i) in any order; an independent tile has exactly twice that.

    Args:
      pixels: n, from 1 to 65,536.

    Returns:
      D0 = 1 - mean (E X_(i))^2.

    Raises:
      ValueError: if n is not such a number.

    Reference: bobkov2019.
    """
    return 1.0 - float(np.mean(np.square(order_statistic_means(pixels))))


def unordered_rate_saving(pixels: ArrayLike) -> jax.Array:
    """Computes log2(n!) / n, the most that a pixel's rate can gain from leaving the order within a tile open.

    Args:
      pixels: n >= 1; any shape.

    Returns:
      Bits per pixel; same shape.

    Raises:
      ValueError: if n < 1 (outside of a trace).
    """
    check_domain("pixels", pixels, minimum=1.0, finite=True)
    n = jnp.asarray(pixels, jnp.float64)
    return nats_to_bits(gammaln(n + 1.0)) / n


def exact_tile_rate_bounds(distortion: ArrayLike, pixels: int) -> tuple[jax.Array, jax.Array]:
    """Bounds the least rate under exact Wasserstein distortion of white Gaussian tiles of variance 1 (certified).

    Below: Shannon's bound of the sorted vector, n/2 log2(1/D) - log2(n!), tight as D -> 0, and that of the proxy loss
    (`tile_rate_bounds`), which is never above the exact one. Above: n/2 log2(1/D), the rate of squared error, and
    reverse water-filling of the sorted vector's covariance (up to 64 pixels), since a Gaussian needs most.

    Args:
      distortion: D >= 0, mean over pixels; any shape.
      pixels: n, from 1 to 65,536.

    Returns:
      (lower, upper), bits per tile; each of the shape of `distortion`.

    Raises:
      ValueError: if D < 0 (outside of a trace), or n is not such a number.

    Reference: varshney2006, varshney2007; derived in docs/derivations/wasserstein_rate.md.
    """
    _check_pixels(pixels)
    check_domain("distortion", distortion, minimum=0.0)
    d = jnp.asarray(distortion, jnp.float64)
    n = float(pixels)
    plain = vector.rate_distortion(n * d, jnp.ones(1), weights=jnp.full(1, n))
    lower = jnp.maximum(tile_rate_bounds(d, n)[0], plain - n * unordered_rate_saving(n))
    if pixels > MAX_COVARIANCE_PIXELS:
        return lower, plain
    eigenvalues = np.maximum(np.linalg.eigvalsh(order_statistic_covariance(int(pixels))), 0.0)
    return lower, jnp.minimum(plain, vector.rate_distortion(n * d, jnp.asarray(eigenvalues)))
