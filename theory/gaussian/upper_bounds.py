"""Scalar Gaussian source: upper bounds from jointly Gaussian reconstructions, where these are not optimal.

For perception measured by KL(source || reconstruction) or by the squared Hellinger distance, restricting
the reconstruction to be jointly Gaussian with the source gives a feasible code, hence an upper bound on the
rate-distortion-perception function. It is not tight: heavier-tailed reconstructions do strictly better
(at D = 1, P = 0.1 nats, KL(source || reconstruction): 0.0730 against 0.0760 nats). Never use these as lower
bounds: those are in `theory.gaussian.lower_bounds`. For W2 squared and KL(reconstruction || source), where Gaussian is
optimal, see `theory.gaussian`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats, nats_to_bits

DIVERGENCES = ("kl_source_reconstruction", "squared_hellinger")


@jax.custom_jvp
def _inverse_share(nats: jax.Array) -> jax.Array:
    """The root z >= 1 of (z - 1 - ln z)/2 = nats; z = (source variance)/(reconstruction variance)."""
    # With u = 2 nats the root is at most 1 + sqrt(2u) + u (Chatzigeorgiou 2013); the left side is convex and
    # increasing in z - 1, so that Newton's iteration descends from there.
    u = 2.0 * nats

    def newton(_: jax.Array, excess: jax.Array) -> jax.Array:
        positive = excess > 0
        safe = jnp.where(positive, excess, 1.0)
        # (e - ln(1+e) - u) / (e/(1+e)); the difference by its series where it would lose digits.
        series = safe**2 * (0.5 - safe * (1 / 3 - safe * (0.25 - safe * (0.2 - safe / 6))))
        gap = jnp.where(safe < 1e-3, series, safe - jnp.log1p(safe)) - u
        return jnp.where(positive, jnp.maximum(safe - gap * (1.0 + safe) / safe, 0.0), 0.0)

    finite = jnp.isfinite(u)
    start = jnp.where(finite, jnp.sqrt(2.0 * jnp.where(finite, u, 1.0)) + jnp.where(finite, u, 1.0), 1.0)
    excess = lax.fori_loop(0, 12, newton, start)
    return jnp.where(finite, 1.0 + excess, jnp.where(u > 0, jnp.inf, jnp.nan))


@_inverse_share.defjvp
def _(primals: tuple, tangents: tuple) -> tuple:
    z = _inverse_share(*primals)
    # At P = inf, z = inf, the share 1/z no longer moves.
    finite = jnp.isfinite(z)
    z_in = jnp.where(finite, z, 2.0)
    return z, tangents[0] * jnp.where(finite, 2.0 * z_in / (z_in - 1.0), 0.0)


def least_gaussian_variance(
    perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str
) -> jax.Array:
    """Variance t^2 <= s^2 at which N(0, t^2) is at divergence P from N(0, s^2).

      kl_source_reconstruction:  ln(t/s) + s^2/(2 t^2) - 1/2 = P (P in nats in this formula);
      squared_hellinger:         1 - sqrt(2 s t/(s^2 + t^2)) = P, in [0, 1] (no factor 1/2 or 2 otherwise).

    Args:
      perception: P >= 0, bits for KL; any shape. Hellinger: P >= 1 gives 0.
      variance: s^2 > 0; broadcast.
      divergence: "kl_source_reconstruction" or "squared_hellinger".

    Returns:
      t^2; the broadcast shape. Its derivative with respect to P is -inf at P = 0. NaN inside a trace for
      arguments outside the domain.

    Raises:
      ValueError: if P < 0, the variance is not positive, or the divergence is unknown (outside of a trace).
    """
    _check_rest(perception, variance, divergence)
    perception, variance = broadcast(perception, variance)
    return _least_variance(perception, variance, divergence)


@partial(jax.jit, static_argnames="divergence")
def _least_variance(perception: jax.Array, variance: jax.Array, divergence: str) -> jax.Array:
    valid = (perception >= 0) & (variance > 0)
    if divergence == "kl_source_reconstruction":
        share = 1.0 / _inverse_share(bits_to_nats(perception))
    else:
        # With x = t/s, 2x/(1 + x^2) = (1 - P)^2 = q gives x = q/(1 + sqrt(1 - q^2)); 1 - q = P (2 - P).
        inside = perception < 1.0
        p = jnp.where(inside, perception, 0.5)
        q = (1.0 - p) ** 2
        share = jnp.where(inside, (q / (1.0 + jnp.sqrt(p) * jnp.sqrt((2.0 - p) * (1.0 + q)))) ** 2, 0.0)
    return jnp.where(valid, variance * share, jnp.nan)


def gaussian_rate_upper_bound(
    distortion: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str
) -> jax.Array:
    """UPPER bound on R(D,P) of a Gaussian source from jointly Gaussian reconstructions; not tight.

    With t^2 = `least_gaussian_variance`: 1/2 log2 of s^2 t^2 / (s^2 t^2 - ((s^2 + t^2 - D)/2)^2) where
    t^2 >= [s^2 - D]_+ (0 for D >= s^2 + t^2), else [1/2 log2(s^2/D)]_+, which is exact there.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      perception: P >= 0, bits for KL; broadcast.
      variance: s^2 > 0; broadcast.
      divergence: "kl_source_reconstruction" or "squared_hellinger" (see `least_gaussian_variance`).

    Returns:
      Rate in bits per sample, an upper bound; the broadcast shape. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if D < 0, P < 0, the variance is not positive, or the divergence is unknown (outside of
        a trace).

    Reference: [serra2024computation] Serra, Stavrou, Kountouris 2024, arXiv 2311.09190, who compute the problem
      restricted to jointly Gaussian reconstructions.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_rest(perception, variance, divergence)
    return _rate(*broadcast(distortion, perception, variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _rate(d: jax.Array, p: jax.Array, s2: jax.Array, divergence: str) -> jax.Array:
    return rate_at_second_moment(d, p, s2, partial(_least_variance, divergence=divergence))


def rate_at_second_moment(
    d: jax.Array, p: jax.Array, s2: jax.Array, least: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    """Computes the least rate of jointly Gaussian pairs whose reconstruction has at least a given second moment.

    Args:
      d: distortion >= 0; any shape.
      p: perception >= 0; same shape.
      s2: variance of the source > 0; same shape.
      least: (p, s2) -> t^2 <= s2, the second moment, elementwise; NaN outside of its domain.

    Returns:
      Bits, as `gaussian_rate_upper_bound` says; NaN where t^2 is.
    """
    # The regions are told from the values of t^2 only; it is differentiated inside of its region.
    t2 = lax.stop_gradient(least(p, s2))
    valid = (d >= 0) & (t2 >= 0)
    zero = d >= s2 + t2
    active = valid & (t2 >= s2 - d) & ~zero & (d > 0)
    t2 = least(jnp.where(active, p, 0.5), jnp.where(active, s2, 1.0))
    s, t = jnp.sqrt(jnp.where(active, s2, 1.0)), jnp.sqrt(jnp.where(active, t2, 1.0))
    gap = jnp.where(active, d, 1.0) - (s - t) ** 2
    # 1 - rho = gap/(2st); 1 - rho^2 = (1 - rho)(2 - (1 - rho)).
    less = gap / (2.0 * s * t)
    constrained = -0.5 * (jnp.log(less) + jnp.log(2.0 - less))
    plain = valid & ~active & ~zero & (d < s2)
    log_ratio = jnp.log(jnp.where(plain, s2, 1.0)) - jnp.log(jnp.where(plain, d, 1.0))
    nats = jnp.where(active, constrained, jnp.where(plain, 0.5 * log_ratio, 0.0))
    return jnp.where(valid, nats_to_bits(nats), jnp.nan)


def gaussian_distortion_upper_bound(
    rate: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str
) -> jax.Array:
    """UPPER bound on D(R,P) of a Gaussian source, the inverse of `gaussian_rate_upper_bound`.

    D = s^2 e^{-2R} + [t - s sqrt(1 - e^{-2R})]_+^2 with R in nats and t^2 = `least_gaussian_variance`.

    Args:
      rate: R >= 0, bits per sample; any shape.
      perception: P >= 0, bits for KL; broadcast.
      variance: s^2 > 0; broadcast.
      divergence: "kl_source_reconstruction" or "squared_hellinger" (see `least_gaussian_variance`).

    Returns:
      Mean squared error, an upper bound; the broadcast shape. NaN inside a trace for arguments outside
      the domain.

    Raises:
      ValueError: if R < 0, P < 0, the variance is not positive, or the divergence is unknown (outside of
        a trace).

    Reference: as `gaussian_rate_upper_bound`.
    """
    check_domain("rate", rate, minimum=0.0)
    _check_rest(perception, variance, divergence)
    return _distortion(*broadcast(rate, perception, variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _distortion(r: jax.Array, p: jax.Array, s2: jax.Array, divergence: str) -> jax.Array:
    t2 = lax.stop_gradient(_least_variance(p, s2, divergence))
    valid = (r >= 0) & (t2 >= 0)
    nats = bits_to_nats(r)
    share = -jnp.expm1(-2.0 * nats)  # a^2
    active = t2 > s2 * share
    t2 = _least_variance(jnp.where(active, p, 0.5), jnp.where(active, s2, 1.0), divergence)
    # [t - s a]^2, with the roots only where the bracket is open; at R = 0 the slope is -inf, as it should.
    t = jnp.sqrt(jnp.where(active, t2, 1.0))
    sa = jnp.sqrt(jnp.where(active, s2, 1.0)) * jnp.sqrt(jnp.where(active, share, 1.0))
    return jnp.where(valid, s2 * jnp.exp(-2.0 * nats) + jnp.where(active, (t - sa) ** 2, 0.0), jnp.nan)


def _check_rest(perception: ArrayLike, variance: ArrayLike, divergence: str) -> None:
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("perception", perception, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
