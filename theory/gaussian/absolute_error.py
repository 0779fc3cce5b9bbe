"""The Gaussian source under mean absolute error, exactly, and the certificate that proves such results.

For a symmetric density p with increasing hazard rate the optimal Y lives on an interval [-m, m]: it has the density
p - p'' / beta^2 inside and atoms at both ends, and beta = p(m) / P(X > m) is the slope -R'(D) in nats. See
docs/derivations/absolute_error.md; Laplacian and uniform sources have modules of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

_LOG_END_MAX = 27.6  # ends of Y's support up to 1e12 deviations: 40 bits


class GaussianPoint(NamedTuple):
    """A point of the Gaussian's R(D) under absolute error; fields have the broadcast shape of the arguments.

    Attributes:
      end: Y lies in [-end, end].
      atom: probability of each of the two ends.
      rate: bits per sample.
      distortion: mean absolute error.
      slope: -dR/dD, bits per unit of distortion.
    """

    end: jax.Array
    atom: jax.Array
    rate: jax.Array
    distortion: jax.Array
    slope: jax.Array


def _mills_ratio(m):
    """P(X > m) / p(m) of a standard Gaussian, m >= 0."""
    near = jnp.minimum(m, 40.0)
    far = jnp.maximum(m, 40.0) ** -2
    asymptotic = 1 + far * (-1 + far * (3 + far * (-15 + far * (105 - 945 * far))))
    exact = jnp.exp(log_ndtr(-near) + near**2 / 2 + 0.5 * np.log(2 * np.pi))
    return jnp.where(m < 40.0, exact, asymptotic / jnp.maximum(m, 40.0))


def _point(m):
    """Rate (nats) and distortion of the standard Gaussian whose Y ends at m."""
    mills = _mills_ratio(m)
    height = jnp.exp(-(m**2) / 2) / np.sqrt(2 * np.pi)
    distortion = mills + 2 * height * (1 - m * mills - mills**2)
    rate = 0.5 * np.log(np.pi / 2) - 0.5 - jnp.log(mills) + height * (mills * (1 + m**2) - m)
    return rate, distortion


def gaussian_point(end: ArrayLike, variance: ArrayLike = 1.0) -> GaussianPoint:
    """The point of the Gaussian's rate-distortion curve under absolute error whose Y lies in [-end, end].

    Args:
      end: >= 0; 0 is zero rate.
      variance: of the source, > 0; broadcasts with `end`.

    Returns:
      The point: exact. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [tan1975evaluation] Tan and Yao, "Evaluation of rate-distortion functions for a class of independent identically
      distributed sources under an absolute-magnitude criterion", IEEE T-IT 21(1), 1975.
    """
    check_domain("end", end, minimum=0.0, finite=True)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    end, variance = broadcast(end, variance)
    valid = (end >= 0) & (variance > 0)
    deviation = jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
    m = jnp.where(valid, end / deviation, 1.0)
    rate, distortion = _point(m)
    mills = _mills_ratio(m)
    height = jnp.exp(-(m**2) / 2) / np.sqrt(2 * np.pi)
    fields = (end, height * mills * (1 - m * mills), nats_to_bits(rate), deviation * distortion,
              nats_to_bits(1 / (mills * deviation)))
    return GaussianPoint(*(nan_unless(valid, field) for field in fields))


def gaussian_rate_distortion(distortion: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Rate-distortion function of a Gaussian source under E|X - Y| <= D, exactly.

    Args:
      distortion: mean absolute error D >= 0; from sqrt(2 variance / pi) on the rate is 0.
      variance: of the source, > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample; inf at D = 0, with derivative -inf. Inside a trace an argument outside its domain
      gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [tan1975evaluation] Tan and Yao 1975.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _rate_distortion(*broadcast(distortion, variance))


@jax.jit
def _rate_distortion(distortion, variance):
    deviation = jnp.sqrt(jnp.where(variance > 0, variance, 1.0))
    largest = np.sqrt(2 / np.pi)
    coded = distortion < largest * deviation
    inside = coded & (distortion > 1e-12 * deviation)
    safe = jnp.where(inside, distortion, 0.5) / jnp.where(inside, deviation, 1.0)
    m = jnp.expm1(decreasing_root(lambda u: _point(jnp.expm1(u))[1], safe, 0.0, _LOG_END_MAX))
    # Below 1e-12 the Shannon lower bound is exact to rounding.
    near = coded & ~inside
    log_ratio = jnp.log(jnp.where(near, deviation, 1.0)) - jnp.log(jnp.where(near, distortion, 1.0))
    tiny = 0.5 * np.log(np.pi / 2) - 0.5 + log_ratio
    rate = jnp.where(inside, _point(m)[0], jnp.where(near, tiny, 0.0))
    return nan_unless((distortion >= 0) & (variance > 0), nats_to_bits(rate))


def gaussian_distortion_rate(rate: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Distortion-rate function of a Gaussian source under mean absolute error, exactly.

    Args:
      rate: bits per sample, >= 0 (up to 39).
      variance: of the source, > 0; broadcasts with `rate`.

    Returns:
      Mean absolute error. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      The inverse of `gaussian_rate_distortion`.
    """
    check_domain("rate", rate, minimum=0.0, maximum=39.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _distortion_rate(*broadcast(rate, variance))


@jax.jit
def _distortion_rate(rate, variance):
    inside = (rate > 0) & (rate <= 39.0)
    nats = bits_to_nats(jnp.where(inside, rate, 1.0))
    m = jnp.expm1(decreasing_root(lambda u: -_point(jnp.expm1(u))[0], -nats, 0.0, _LOG_END_MAX))
    # At rate 0, where the end is no smooth function of the rate, the first-order expansion: slope -1 / hazard(0).
    at_zero = np.sqrt(2 / np.pi) - np.sqrt(np.pi / 2) * bits_to_nats(jnp.where(inside, 0.0, rate))
    value = jnp.sqrt(jnp.where(variance > 0, variance, 1.0)) * jnp.where(inside, _point(m)[1], at_zero)
    return nan_unless((rate >= 0) & (rate <= 39.0) & (variance > 0), value)
