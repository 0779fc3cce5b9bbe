"""Scalar Gaussian source: lower bounds on R(D,P) from the least second moment that a divergence leaves.

For KL(source || reconstruction), the squared Hellinger distance and total variation a jointly Gaussian reconstruction
is not optimal, and R(D,P) is not known in closed form. But a divergence of at most P keeps the reconstruction's second
moment from falling below some v(P), which is known exactly; and a reconstruction of second moment at least v needs

    R >= 1/2 log2 1 / (1 - rho^2),   rho = (s^2 + v - D) / (2 s sqrt(v)),

the rate of a Gaussian one, whatever its distribution is. It exceeds R(D) wherever v(P) > s^2 - D. Proofs:
docs/derivations/gaussian_second_moment.md. The other side of the bracket: `theory.gaussian.upper_bounds`.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammainc, log_ndtr, ndtr, ndtri
from jax.typing import ArrayLike

from theory.gaussian.upper_bounds import rate_at_second_moment
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats

DIVERGENCES = ("kl_source_reconstruction", "squared_hellinger", "total_variation")

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_SQUARES, _WEIGHTS = _NODES**2, _WEIGHTS / _WEIGHTS.sum()
_UNIT_NODES, _UNIT_WEIGHTS = (0.5 * (a + b) for a, b in zip(np.polynomial.legendre.leggauss(24), (1.0, 0.0)))
_LOG_RANGE = 30.0
_FAR = 3.0  # from here on Gauss-Hermite quadrature of functions with poles at +-ib is exact to rounding
_MEAN_LOG_SQUARE = -np.euler_gamma - np.log(2.0)  # E ln Y^2


def _mills(b: jax.Array) -> jax.Array:
    """(1 - Phi(b)) / phi(b), 0 <= b <= `_FAR`: b E[1 / (Y^2 + b^2)] of a standard Gaussian Y."""
    return jnp.exp(log_ndtr(-b) + 0.5 * b**2) * np.sqrt(2.0 * np.pi)


def _harmonic_excess(b: jax.Array) -> jax.Array:
    """1 / E[1 / (Y^2 + b^2)] - b^2, between 0 and 1."""
    far = b > _FAR
    large, small = jnp.where(far, b, _FAR), jnp.where(far, 1.0, b)
    ratios = jnp.multiply.outer(large**-2, _SQUARES)
    u = (ratios / (1.0 + ratios)) @ _WEIGHTS
    return jnp.where(far, large**2 * u / (1.0 - u), small / _mills(small) - small**2)


def _mean_log(b: jax.Array) -> jax.Array:
    """E ln(1 + Y^2 / b^2): the derivative of E ln(Y^2 + b^2) by b is twice Mills' ratio."""
    far = b > _FAR
    large, small = jnp.where(far, b, _FAR), jnp.where(far, 1.0, b)
    integral = small * (_mills(jnp.multiply.outer(small, _UNIT_NODES)) @ _UNIT_WEIGHTS)
    near = _MEAN_LOG_SQUARE + 2.0 * integral - 2.0 * jnp.log(small)
    return jnp.where(far, jnp.log1p(jnp.multiply.outer(large**-2, _SQUARES)) @ _WEIGHTS, near)


def _proved(b: jax.Array, perception: jax.Array, divergence: str) -> jax.Array:
    """A lower bound on E Y^2 for every b > 0; perception in nats, or between 0 and 1."""
    if divergence == "kl_source_reconstruction":
        return b**2 * jnp.expm1(_mean_log(b) - perception)
    return (1.0 - perception) ** 2 * _harmonic_excess(b) - b**2 * perception * (2.0 - perception)


def _best_width(perception: jax.Array, divergence: str) -> jax.Array:
    """The b of the largest bound, which has one maximum, by a golden-section search for its logarithm."""
    ratio = 0.6180339887498949

    def shrink(_, bracket):
        low, high = bracket
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        smaller = _proved(jnp.exp(left), perception, divergence) >= _proved(jnp.exp(right), perception, divergence)
        return jnp.where(smaller, low, left), jnp.where(smaller, right, high)

    ends = jnp.full_like(perception, -_LOG_RANGE), jnp.full_like(perception, _LOG_RANGE)
    low, high = lax.fori_loop(0, 90, shrink, ends)
    # Near P = 0 the maximum, at b^4 = 1 / P, is too flat to be found by values.
    small = perception < 1e-11
    return jnp.where(small, jnp.where(small, perception, 1.0) ** -0.25, jnp.exp(0.5 * (low + high)))


def _normalized(perception: jax.Array, divergence: str) -> jax.Array:
    """v(P) for a source of variance 1; perception as in `_proved`, > 0 and finite, below 1 unless it is KL."""
    if divergence == "total_variation":
        # E min(Y^2, a^2) - a^2 P at the best a. The first part is a chi-square probability of three degrees of freedom.
        a = lax.stop_gradient(-ndtri(0.5 * perception))
        return gammainc(1.5, 0.5 * a**2) + a**2 * (2.0 * ndtr(-a) - perception)
    # The best width does not move the bound to first order: the gradient is that at a fixed width.
    b = _best_width(lax.stop_gradient(perception), divergence)
    return jnp.maximum(_proved(lax.stop_gradient(b), perception, divergence), 0.0)


def least_second_moment(perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str) -> jax.Array:
    """Least E Y^2 of all distributions at divergence P from N(0, s^2), Gaussian or not.

    With s = 1, Mills' ratio M(b) = (1 - Phi(b)) / phi(b), and U standard Gaussian:

      kl_source_reconstruction:  max over b of e^(E ln(U^2 + b^2) - P) - b^2 (P in nats in this formula);
      squared_hellinger:         max over b of (1 - P)^2 b / M(b) - b^2, for 1 - integral sqrt(p q) <= P;
      total_variation:           1 - P - 2 a phi(a) with P = 2 (1 - Phi(a)), for half the L1 norm.

    Attained by densities proportional to phi(y) / (y^2 + b^2) and its square; by the Gaussian cut at a, what lay beyond
    moved to 0.

    Args:
      perception: P >= 0, bits for KL; any shape. From P = 1 on Hellinger and total variation leave 0.
      variance: s^2 > 0; broadcasts.
      divergence: "kl_source_reconstruction", "squared_hellinger" or "total_variation".

    Returns:
      v(P), at most s^2; accurate to 1e-13 s^2. Its derivative by P is -inf at P = 0. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if P < 0, the variance is not positive, or the divergence is unknown (outside of a trace).

    Reference: docs/derivations/gaussian_second_moment.md.
    """
    _check_rest(perception, variance, divergence)
    return _least_second_moment(*broadcast(perception, variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _least_second_moment(perception: jax.Array, variance: jax.Array, divergence: str) -> jax.Array:
    valid = (perception >= 0) & (variance > 0)
    kl = divergence == "kl_source_reconstruction"
    inside = valid & (perception > 0) & (perception < (jnp.inf if kl else 1.0))
    p = jnp.where(inside, perception, 0.5)
    share = _normalized(bits_to_nats(p) if kl else p, divergence)
    # 1 - sqrt(P) is 1 at 0, with slope -inf.
    start = valid & (perception == 0)
    edge = jnp.where(start, 1.0 - jnp.sqrt(jnp.where(start, perception, 0.25)), 0.0)
    return jnp.where(valid, variance * jnp.where(inside, share, edge), jnp.nan)


def gaussian_rate_lower_bound(
    distortion: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str
) -> jax.Array:
    """LOWER bound on R(D,P) of a Gaussian source under divergences where no closed form is known.

    With v = `least_second_moment`: 1/2 log2 of s^2 v / (s^2 v - ((s^2 + v - D)/2)^2) where v >= [s^2 - D]_+ (0 for
    D >= s^2 + v), else R(D) = [1/2 log2(s^2/D)]_+. It is R(D, 0) at P = 0 and, to first order in sqrt(P), the rate of
    jointly Gaussian reconstructions.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      perception: P >= 0, bits for KL; broadcasts.
      variance: s^2 > 0; broadcasts.
      divergence: "kl_source_reconstruction", "squared_hellinger" or "total_variation".

    Returns:
      Rate in bits per sample, which no code is below, with whatever common randomness; inf at D = 0. NaN inside a trace
      for arguments outside the domain.

    Raises:
      ValueError: if D < 0, P < 0, the variance is not positive, or the divergence is unknown (outside of a trace).

    Reference: docs/derivations/gaussian_second_moment.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_rest(perception, variance, divergence)
    return _rate(*broadcast(distortion, perception, variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _rate(distortion: jax.Array, perception: jax.Array, variance: jax.Array, divergence: str) -> jax.Array:
    return rate_at_second_moment(
        distortion, perception, variance, partial(_least_second_moment, divergence=divergence))


def _check_rest(perception: ArrayLike, variance: ArrayLike, divergence: str) -> None:
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("perception", perception, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
