"""Converse for sliding Gaussian windows: white and power-law Gaussian fields in closed form.

Every code of Wasserstein distortion D (exact or proxy) codes the field of pooled means q * X with mean squared error D,
and so its rate is at least that of reverse water-filling of |Q|^2 S, where |Q|^2 = e^(-sigma^2 |w|^2) for a Gaussian
window and S is the spectrum of the source (docs/derivations/wasserstein_rate.md). Distortion is the mean over pixels;
rates are bits per pixel; frequencies w are radians per pixel.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import erfc, gammaln
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, infinite_at_zero, nan_unless
from theory.numerics.units import nats_to_bits
from theory.wasserstein_distortion import separable

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(128)


class FieldPoint(NamedTuple):
    """A point of a rate-distortion curve, given by its water level.

    Attributes:
      distortion: D, mean over pixels.
      rate: R, bits per pixel.
    """

    distortion: jax.Array
    rate: jax.Array


def check_dimension(dimension: int) -> None:
    """Refuses a dimension other than 1 or 2.

    Args:
      dimension: what was given.

    Raises:
      ValueError: if it is neither.
    """
    if dimension not in (1, 2):
        raise ValueError(f"dimension must be 1 or 2, got {dimension!r}")


def gaussian_window_log_power(frequency: ArrayLike, sigma: ArrayLike) -> jax.Array:
    """Computes ln |Q(w)|^2 of the sampled and normalized Gaussian window along one axis.

    q_k is proportional to e^(-k^2 / (2 sigma^2)), k integer: Q is the sum over aliases of e^(-sigma^2 w^2 / 2), divided
    by that at w = 0. At sigma = 0 the window is a single pixel and Q = 1.

    Args:
      frequency: w in [0, pi], radians per pixel; any shape.
      sigma: standard deviation of the continuous window, >= 0, pixels; broadcasts.

    Returns:
      ln |Q|^2, of the broadcast shape. To more than 12 digits.
    """
    w, s = jnp.asarray(frequency, jnp.float64), jnp.asarray(sigma, jnp.float64)
    rank = max(w.ndim, s.ndim)
    w, s = (x.reshape((1,) * (rank - x.ndim) + x.shape) if x.ndim else x for x in (w, s))
    narrow = s < 1.0
    # Few taps where the window is narrow, few aliases where it is wide.
    small = jnp.where(narrow & (s > 0.0), s, 0.5)
    taps = [jnp.where(s > 0.0, jnp.exp(-(k**2) / (2.0 * small**2)), 0.0) for k in range(1, 10)]
    total, change = 1.0 + 2.0 * sum(taps), -4.0 * sum(q * jnp.sin(0.5 * k * w) ** 2 for k, q in enumerate(taps, 1))
    by_taps = jnp.log1p(jnp.where(narrow, change / total, 0.0))
    wide = jnp.where(narrow, 1.0, s) ** 2
    others = [jnp.exp(-2.0 * np.pi * k * wide * (w + np.pi * k)) for k in (-2, -1, 1, 2)]
    at_zero = [jnp.exp(-2.0 * np.pi**2 * k**2 * wide) for k in (1, 2)]
    by_aliases = -0.5 * wide * w**2 + jnp.log1p(sum(others)) - jnp.log1p(2.0 * sum(at_zero))
    return 2.0 * jnp.where(narrow, by_taps, by_aliases)


def gaussian_window_energy(sigma: ArrayLike, *, dimension: int = 2) -> jax.Array:
    """Computes sum_k q_k^2 of the sampled Gaussian window, the variance of a pooled mean of white noise.

    Args:
      sigma: standard deviation of the continuous window, >= 0, pixels; any shape.
      dimension: 1 or 2.

    Returns:
      The sum, 1 at sigma = 0, about (2 sigma sqrt(pi))^-dimension from sigma = 1 on; same shape.

    Raises:
      ValueError: if sigma is negative or infinite (outside of a trace), or the dimension is neither 1 nor 2.
    """
    check_dimension(dimension)
    check_domain("sigma", sigma, minimum=0.0, finite=True)
    s = jnp.asarray(sigma, jnp.float64)
    positive = s > 0.0
    x = jnp.where(positive, s, 1.0)
    # sum q^2 is a theta function of sigma / sqrt(2) over the square of one of sigma.
    value = _theta(x / np.sqrt(2.0)) / _theta(x) ** 2
    return jnp.where(positive, value, jnp.where(s == 0.0, 1.0, jnp.nan)) ** dimension


def _theta(sigma: jax.Array) -> jax.Array:
    """Sums e^(-k^2 / (2 sigma^2)) over all integers, over taps or over aliases."""
    narrow = sigma < 1.0
    small, wide = jnp.where(narrow, sigma, 0.5), jnp.where(narrow, 1.0, sigma)
    by_taps = 1.0 + 2.0 * sum(jnp.exp(-(k**2) / (2.0 * small**2)) for k in range(1, 10))
    by_aliases = 1.0 + 2.0 * sum(jnp.exp(-2.0 * np.pi**2 * k**2 * wide**2) for k in (1, 2))
    return jnp.where(narrow, by_taps, np.sqrt(2.0 * np.pi) * wide * by_aliases)


def white_field_rate(distortion: ArrayLike, sigma: ArrayLike, *, dimension: int = 2) -> jax.Array:
    """Computes the converse for white Gaussian fields pooled with the sampled Gaussian window (certified lower bound).

    R = int 1/2 log2(|Q|^2 / theta)_+ over the band, D = int min(theta, |Q|^2), at any sigma: sigma = 0 is the
    rate-distortion function of squared error. Where the window is not narrower than a pixel and the active band is
    inside of the grid's, this is the closed form of `white_field_water_filling`.

    Args:
      distortion: D >= 0, mean over pixels, for variance 1; any shape.
      sigma: standard deviation of the window, >= 0, pixels; broadcasts.
      dimension: 1 or 2.

    Returns:
      Bits per pixel that no code can go below, under exact and proxy Wasserstein distortion; the broadcast shape. 0
      from D = sum q^2 on (`gaussian_window_energy`). Differentiable in both arguments.

    Raises:
      ValueError: if D < 0, sigma is negative or infinite (outside of a trace), or the dimension is neither 1 nor 2.

    Reference: derived in docs/derivations/wasserstein_rate.md from kolmogorov1956shannon.
    """
    check_dimension(dimension)
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("sigma", sigma, minimum=0.0, finite=True)
    d, s = broadcast(distortion, sigma)
    valid = (d >= 0.0) & (s >= 0.0)
    some = valid & (d > 0.0) & (d < gaussian_window_energy(jnp.where(valid, s, 1.0), dimension=dimension))
    rate = _white_rates(jnp.where(some, d, 0.05).reshape(-1), jnp.where(some, s, 0.5).reshape(-1), dimension)
    rate = jnp.where(some, nats_to_bits(rate.reshape(d.shape)), 0.0) + infinite_at_zero(d)
    return nan_unless(valid, rate)


@functools.partial(jax.jit, static_argnames="dimension")
def _white_rates(d: jax.Array, s: jax.Array, dimension: int) -> jax.Array:
    return jax.vmap(lambda d, s: separable.rate_distortion(d, gaussian_window_log_power, s, dimension=dimension))(d, s)


def white_field_water_filling(water_level: ArrayLike, sigma: ArrayLike, *, dimension: int = 2) -> FieldPoint:
    """Computes the closed form of the converse for white fields and Gaussian windows at a water level.

    With L = ln(1/theta): in 2-D R = L^2 / (16 pi sigma^2 ln 2), D = theta (1 + L) / (4 pi sigma^2); in 1-D
    R = L^1.5 / (3 pi sigma ln 2), D = (theta sqrt(L) + (sqrt(pi)/2) erfc(sqrt(L))) / (pi sigma). The window is the
    continuous one: off by 1e-4 at sigma = 1, 1e-10 at 2, while sqrt(L) / sigma < pi.

    Args:
      water_level: theta in (0, 1], relative to |Q(0)|^2 = 1; any shape.
      sigma: > 0, pixels; broadcasts.
      dimension: 1 or 2.

    Returns:
      `FieldPoint`; NaN where the active band would leave the grid's.

    Raises:
      ValueError: if theta is not in (0, 1] or sigma <= 0 (outside of a trace), or the dimension is neither 1 nor 2.
    """
    check_dimension(dimension)
    check_domain("water_level", water_level, minimum=0.0, maximum=1.0, open_minimum=True)
    check_domain("sigma", sigma, minimum=0.0, open_minimum=True, finite=True)
    theta, s = broadcast(water_level, sigma)
    level = -jnp.log(theta)
    valid = (theta <= 1.0) & (s > 0.0) & (level < (np.pi * s) ** 2)
    if dimension == 2:
        distortion, nats = theta * (1.0 + level) / (4.0 * np.pi * s**2), level**2 / (16.0 * np.pi * s**2)
    else:
        positive = level > 0.0
        root = jnp.where(positive, jnp.sqrt(jnp.where(positive, level, 1.0)), 0.0)
        distortion = (theta * root + 0.5 * np.sqrt(np.pi) * erfc(root)) / (np.pi * s)
        nats = root**3 / (3.0 * np.pi * s)
    return FieldPoint(nan_unless(valid, distortion), nan_unless(valid, nats_to_bits(nats)))


def power_law_water_filling(
    water_level: ArrayLike, sigma: ArrayLike, *, exponent: ArrayLike = 2.0, scale: ArrayLike = 1.0
) -> FieldPoint:
    """Computes the converse for 2-D power-law Gaussian fields and Gaussian windows at a water level.

    For S = K |w|^-a: v^(a/2) e^v = K sigma^a / theta, R = (v^2 + a v) / (16 pi sigma^2 ln 2) and
    D = theta v / (4 pi sigma^2) + K sigma^(a-2) Gamma(1 - a/2, v) / (4 pi). With a = 0, K = 1 it is
    `white_field_water_filling`.

    Args:
      water_level: theta > 0, in units of the spectrum; any shape.
      sigma: > 0, pixels; broadcasts.
      exponent: a >= 0; broadcasts. With a >= 2 the distortion at rate 0 is infinite in the continuum.
      scale: K > 0; broadcasts.

    Returns:
      `FieldPoint`; NaN where the active band would leave the grid's (sqrt(v) / sigma >= pi). It needs an image that is
      large beside sigma, 2 pi / size << sqrt(v) / sigma.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    check_domain("water_level", water_level, minimum=0.0, open_minimum=True, finite=True)
    theta, s, a, k = _power_law_arguments(water_level, sigma, exponent, scale)
    target = jnp.log(k) + a * jnp.log(s) - jnp.log(theta)
    flat = a == 0.0

    def equation(x):  # decreasing in x = -ln v
        return jnp.exp(-x) - 0.5 * a * x

    v = jnp.exp(-decreasing_root(equation, jnp.where(flat, 1.0, target), -7.0, 700.0))
    v = jnp.where(flat, jnp.maximum(target, 0.0), v)
    return _power_law_point(v, theta, s, a, k)


def power_law_field_rate(
    distortion: ArrayLike, sigma: ArrayLike, *, exponent: ArrayLike = 2.0, scale: ArrayLike = 1.0
) -> jax.Array:
    """Computes the converse for 2-D power-law Gaussian fields and Gaussian windows.

    Args:
      distortion: D > 0, mean over pixels; any shape.
      sigma: > 0, pixels; broadcasts.
      exponent: a >= 0 in S = K |w|^-a; broadcasts.
      scale: K > 0; broadcasts.

    Returns:
      Bits per pixel; the broadcast shape. NaN where the active band would leave the grid's.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    d, s, a, k = _power_law_arguments(distortion, sigma, exponent, scale)
    unit = k * s ** (a - 2.0) / (4.0 * np.pi)

    def log_distortion(x):  # of v = e^x, in units of K sigma^(a-2) / (4 pi)
        v = jnp.exp(x)
        return jnp.log(jnp.exp((1.0 - 0.5 * a) * x - v) + _upper_gamma(1.0 - 0.5 * a, v))

    finite = a < 2.0
    limit = jnp.where(finite, unit * jnp.exp(gammaln(jnp.where(finite, 1.0 - 0.5 * a, 1.0))), jnp.inf)
    some = d < limit
    v = jnp.exp(decreasing_root(log_distortion, jnp.log(jnp.where(some, d / unit, 0.5)), -60.0, 6.4))
    v = jnp.where(some, v, 0.0)
    theta = k * jnp.exp(-v) * jnp.where(some, s**2 / jnp.where(some, v, 1.0), 1.0) ** (0.5 * a)
    return _power_law_point(v, theta, s, a, k).rate


def _power_law_arguments(first, sigma, exponent, scale):
    check_domain("sigma", sigma, minimum=0.0, open_minimum=True, finite=True)
    check_domain("exponent", exponent, minimum=0.0, finite=True)
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    first, s, a, k = broadcast(first, sigma, exponent, scale)
    return nan_unless((first > 0.0) & (s > 0.0) & (a >= 0.0) & (k > 0.0), first), s, a, k


def _power_law_point(v, theta, s, a, k):
    some = v > 0.0
    positive = jnp.where(some, v, 1.0)
    finite = a < 2.0
    whole = jnp.where(finite, jnp.exp(gammaln(jnp.where(finite, 1.0 - 0.5 * a, 1.0))), jnp.inf)
    tail = jnp.where(some, _upper_gamma(1.0 - 0.5 * a, positive), whole)
    distortion = theta * v / (4.0 * np.pi * s**2) + k * s ** (a - 2.0) * tail / (4.0 * np.pi)
    rate = nats_to_bits((v**2 + a * v) / (16.0 * np.pi * s**2))
    valid = (v < (np.pi * s) ** 2) & (theta > 0.0)
    return FieldPoint(nan_unless(valid, distortion), nan_unless(valid, rate))


def _upper_gamma(order: jax.Array, v: jax.Array) -> jax.Array:
    """Computes the incomplete gamma function Gamma(order, v), v > 0, any real order, by quadrature in ln t."""
    end = lax.stop_gradient(jnp.log1p(45.0 / v))[..., None]
    nodes, weights = (x.reshape((1,) * order.ndim + (-1,)) for x in (_NODES, _WEIGHTS))
    x = 0.5 * end * (1.0 + nodes)
    values = jnp.exp(order[..., None] * x - v[..., None] * jnp.expm1(x))
    return jnp.exp(order * jnp.log(v) - v) * jnp.sum(values * 0.5 * end * weights, -1)
