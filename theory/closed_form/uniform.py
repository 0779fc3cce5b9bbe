"""The uniform source on an interval: exact for absolute error, bounded for squared error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.closed_form import shannon_lower_bound
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits


def _check_width(width):
    check_domain("width", width, minimum=0.0, open_minimum=True, finite=True)


def differential_entropy(width: ArrayLike = 1.0) -> jax.Array:
    """Differential entropy log2(width).

    Args:
      width: length of the interval, > 0.

    Returns:
      Bits, of the shape of `width`. Inside a trace a width that is not positive gives NaN.

    Raises:
      ValueError: if `width` is not positive.
    """
    _check_width(width)
    width = jnp.asarray(width, jnp.float64)
    return nan_unless(width > 0, nats_to_bits(jnp.log(jnp.where(width > 0, width, 1.0))))


def absolute_error_rate_distortion(distortion: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Rate-distortion function under E|X - Y| <= D, exactly.

    On [-a, a], with z = 1 - sqrt(1 - 2D/a), R(D) = (-ln z - 1 + z) nats for D < a/2, and 0 above. Y is uniform on
    [-a(1-z), a(1-z)] with probability 1 - z, else at one of the two ends of that interval.

    Args:
      distortion: mean absolute error D >= 0.
      width: 2a > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample; inf at D = 0, with derivative -inf. Inside a trace an argument outside its domain
      gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [yao1978absolute] Yao and Tan, "Absolute error rate-distortion functions for sources with constrained
      magnitudes", IEEE T-IT 24(4), 1978. Derived, with the distribution of Y, in docs/derivations/absolute_error.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_width(width)
    return _absolute_error_rate_distortion(distortion, width)


@jax.jit
def _absolute_error_rate_distortion(distortion, width):
    distortion, width = broadcast(distortion, width)
    inside = (4 * distortion < width) & (width > 0)
    d, w = jnp.where(inside, distortion, 0.125), jnp.where(inside, width, 1.0)
    # x = 2D/a; z = 1 - sqrt(1 - x) = x / (1 + sqrt(1 - x)) without cancellation; the logarithm has a derivative at 0.
    root = jnp.sqrt((w - 4 * d) / w)
    nats = 4 * d / (w * (1 + root)) - 1 - jnp.log(4 * d) + jnp.log(w) + jnp.log1p(root)
    rate = jnp.where(inside, nats_to_bits(nats), 0.0)
    return nan_unless((distortion >= 0) & (width > 0), rate)


def absolute_error_distortion_rate(rate: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Distortion-rate function under mean absolute error, exactly.

    Args:
      rate: bits per sample, >= 0.
      width: length of the interval, > 0; broadcasts with `rate`.

    Returns:
      Mean absolute error a (z - z^2 / 2) where -ln z - 1 + z is the rate in nats. Inside a trace an argument
      outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      The inverse of `absolute_error_rate_distortion`.
    """
    check_domain("rate", rate, minimum=0.0)
    _check_width(width)
    return _absolute_error_distortion_rate(*broadcast(rate, width))


@jax.jit
def _absolute_error_distortion_rate(rate, width):
    nats = bits_to_nats(rate)
    inside = (nats > 0) & jnp.isfinite(nats)
    safe = jnp.where(inside, nats, 1.0)
    # With v = -ln z: v - 1 + e^{-v} = rate, and v - 1 <= rate <= v^2 / 2.
    v = -decreasing_root(lambda u: -u - 1 + jnp.exp(u), safe, -(safe + 1), jnp.zeros_like(safe))
    z = jnp.exp(-v)
    # At rate 0, where v is no smooth function of the rate, the first-order expansion.
    value = width / 4 * jnp.where(inside, z * (2 - z), jnp.where(nats == 0, 1 - 2 * nats, 0.0))
    return nan_unless((rate >= 0) & (width > 0), value)


def squared_error_lower_bound(distortion: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Shannon lower bound under squared error: [log2(width) - (1/2) log2(2 pi e D)]_+ (not tight).

    Args:
      distortion: mean squared error D >= 0.
      width: length of the interval, > 0; broadcasts with `distortion`.

    Returns:
      Lower bound on the rate, bits per sample. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      Shannon 1959; `theory.closed_form.shannon_lower_bound.squared_error`.
    """
    return shannon_lower_bound.squared_error(distortion, differential_entropy(width))


def perfect_realism_lower_bound(distortion: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Lower bound on the rate at squared error D when Y must be uniform as well.

    Args:
      distortion: mean squared error D >= 0.
      width: length of the interval, > 0; broadcasts with `distortion`.

    Returns:
      Lower bound on R(D, P = 0), bits per sample. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      `theory.closed_form.shannon_lower_bound.perfect_realism_squared_error`.
    """
    _check_width(width)
    variance = jnp.asarray(width, jnp.float64) ** 2 / 12
    return shannon_lower_bound.perfect_realism_squared_error(distortion, differential_entropy(width), variance)
