"""Remote Gaussian sources: the encoder sees X = S + N, and the source S matters.

With S ~ N(0, s^2) and independent noise N ~ N(0, n^2), the estimate E[S|X] = (s^2 / (s^2 + n^2)) X has variance
e^2 = s^4 / (s^2 + n^2) and leaves mmse = s^2 n^2 / (s^2 + n^2). Every Y that depends on S through X alone has
E(S - Y)^2 = mmse + E(E[S|X] - Y)^2, so the estimate is the source of an ordinary problem at D - mmse.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian import vector
from theory.gaussian.scalar import DIVERGENCES, shrinkage
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast, infinite_at_zero
from theory.numerics.units import nats_to_bits


def _check_variances(source_variance: ArrayLike, noise_variance: ArrayLike) -> None:
    check_domain("source_variance", source_variance, minimum=0.0, open_minimum=True, finite=True)
    check_domain("noise_variance", noise_variance, minimum=0.0, finite=True)


def remote_rate_distortion(
    distortion: ArrayLike, source_variance: ArrayLike = 1.0, noise_variance: ArrayLike = 0.0
) -> jax.Array:
    """Rate-distortion function of a Gaussian source that the encoder sees through Gaussian noise (exact).

    R(D) = [1/2 log2(e^2 / (D - mmse))]_+ with e^2 = s^4 / (s^2 + n^2) and mmse = s^2 n^2 / (s^2 + n^2); inf for
    D <= mmse, which no rate undercuts.

    Args:
      distortion: D >= 0, mean squared error to the source; any shape.
      source_variance: s^2 > 0; broadcast.
      noise_variance: n^2 >= 0 of the observation's noise; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [dobrushin1962information, wolf1970transmission, berger1971rate] Dobrushin and Tsybakov 1962; Wolf and
      Ziv 1970; Berger 1971, section 4.5.4.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_variances(source_variance, noise_variance)
    # A distribution of any variance is allowed: the one with unlimited perception.
    return _remote_rate(*broadcast(distortion, jnp.inf, source_variance, noise_variance), "w2sq")


def remote_rate_distortion_perception(
    distortion: ArrayLike,
    perception: ArrayLike,
    source_variance: ArrayLike = 1.0,
    noise_variance: ArrayLike = 0.0,
    *,
    divergence: str = "w2sq",
) -> jax.Array:
    """Rate-distortion-perception function of a Gaussian source seen through noise, unlimited common randomness (exact).

    min I(X; Y) over E(S - Y)^2 <= D and delta(p_S, p_Y) <= P: the output shall look like the source. With t <= s the
    least standard deviation that P allows, d = D - mmse and e the deviation of the estimate,

      R = -1/2 log2(1 - rho^2),  rho = (e^2 + t^2 - d) / (2 e t),  where t^2 >= [e^2 - d]_+ and 0 < rho < 1;

    R = 0 where rho <= 0, R = inf where rho >= 1, and 1/2 log2(e^2 / d) where the output's deviation exceeds t anyway.
    At perfect realism (t = s) no rate gives less than mmse + (s - e)^2: what is denoised must be made as large as the
    source again.

    Args:
      distortion: D >= 0, mean squared error to the source; any shape.
      perception: P >= 0: W2 squared for "w2sq", KL(p_Y || p_S) in bits for "kl"; broadcast.
      source_variance: s^2 > 0; broadcast.
      noise_variance: n^2 >= 0 of the observation's noise; broadcast.
      divergence: "w2sq" or "kl".

    Returns:
      Rate in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain, or the divergence is unknown.

    Reference: [dobrushin1962information, zhang2021universal] the two problems that are combined;
      `docs/derivations/remote_sources.md` proves it.
    """
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    _check_variances(source_variance, noise_variance)
    return _remote_rate(*broadcast(distortion, perception, source_variance, noise_variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _remote_rate(d: jax.Array, p: jax.Array, source: jax.Array, noise: jax.Array, divergence: str) -> jax.Array:
    valid = (d >= 0) & (p >= 0) & (source > 0) & (noise >= 0)
    source, noise = (jnp.where(valid, x, 1.0) for x in (source, noise))
    explained = source / (source + noise)
    estimate, excess = source * explained, d - noise * explained
    # The region is found first and with values only, so that each formula is differentiated inside its own.
    e, least, left = (lax.stop_gradient(x) for x in (
        jnp.sqrt(estimate), jnp.sqrt(source) - shrinkage(p, source, divergence), excess))
    binds = (least > 0) & (least**2 > e**2 - left)
    idle = left >= e**2 + jnp.where(binds, least**2, 0.0)
    impossible = jnp.where(binds, left <= (e - least) ** 2, left <= 0) & ~idle
    plain, coded = valid & ~binds & ~idle & ~impossible, valid & binds & ~idle & ~impossible
    free = 0.5 * (jnp.log(jnp.where(plain, estimate, 1.0)) - jnp.log(jnp.where(plain, excess, 1.0)))
    t = jnp.sqrt(jnp.where(coded, source, 1.0)) - shrinkage(
        jnp.where(coded, p, 0.25), jnp.where(coded, source, 1.0), divergence)
    e, left = jnp.sqrt(jnp.where(coded, estimate, 1.0)), jnp.where(coded, excess, 1.0)
    # 1 - rho and 1 + rho, each without cancellation.
    less, more = (left - (e - t) ** 2) / (2.0 * e * t), ((e + t) ** 2 - left) / (2.0 * e * t)
    bound = -0.5 * (jnp.log(jnp.where(coded, less, 1.0)) + jnp.log(jnp.where(coded, more, 1.0)))
    nats = jnp.where(coded, bound, jnp.where(plain, free, 0.0))
    # inf with slope -inf at the least distortion itself.
    edge = impossible & (excess == jnp.where(binds, (e - least) ** 2, 0.0))
    infinite = jnp.where(impossible, jnp.inf, 0.0) + infinite_at_zero(jnp.where(edge, excess, 1.0))
    return jnp.where(valid, nats_to_bits(nats) + infinite, jnp.nan)


class NoisySourceCodecs(NamedTuple):
    """Three codecs of a noisy Gaussian vector at one rate: squared errors to the source, summed over components.

    Attributes:
      as_is: made for the observation, its output taken for the source; shape [...].
      denoised_after: the same, and the decoder estimates the source from that output; shape [...].
      denoised_before: the optimum: the estimate of the source is coded; shape [...].
    """

    as_is: jax.Array
    denoised_after: jax.Array
    denoised_before: jax.Array


def noisy_source_codecs(
    rate: ArrayLike, source_variances: ArrayLike, noise_variances: ArrayLike
) -> NoisySourceCodecs:
    """What denoising gains: codecs of X = S + N that ignore the noise, remove it last, or first (all exact).

    Components are independent. The codec for X spreads the rate by reverse water-filling over the variances
    v_i = s_i^2 + n_i^2 of X and leaves the share f_i = min(1, theta / v_i) of each. Then, with g_i = s_i^2 / v_i,

      as is:            sum s_i^2 - 2 (1 - f_i) s_i^2 + (1 - f_i) v_i,
      denoised after:   sum s_i^2 (1 - g_i) + g_i s_i^2 f_i,
      denoised before:  sum s_i^2 (1 - g_i) + D_est(R), D_est that of the variances g_i s_i^2.

    The difference of the first two is sum (1 - f_i) n_i^4 / v_i. For one component the last two are equal: where the
    noise is removed matters only for how rate is spread.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      source_variances: s_i^2 >= 0; shape [..., n].
      noise_variances: n_i^2 >= 0; broadcast against them.

    Returns:
      `NoisySourceCodecs`. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [wolf1970transmission, dobrushin1962information] Wolf and Ziv 1970; Dobrushin and Tsybakov 1962.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("source_variances", source_variances, minimum=0.0, finite=True)
    check_domain("noise_variances", noise_variances, minimum=0.0, finite=True)
    source, noise = broadcast(source_variances, noise_variances)
    shape = jnp.broadcast_shapes(jnp.shape(rate), source.shape[:-1])
    rate = jnp.broadcast_to(jnp.asarray(rate, jnp.float64), shape)
    source, noise = (jnp.broadcast_to(x, (*shape, x.shape[-1])) for x in (source, noise))
    observed = source + noise
    positive = observed > 0
    safe = jnp.where(positive, observed, 1.0)
    total = vector.distortion_rate(rate, observed)
    left = jnp.where(positive, vector.water_filling(total, observed).distortions / safe, 0.0)
    explained = jnp.where(positive, source / safe, 0.0)
    mmse = jnp.sum(jnp.where(positive, noise * explained, 0.0), -1)
    kept = 1.0 - left
    as_is = jnp.sum(source - 2.0 * kept * source + kept * observed, -1)
    after = mmse + jnp.sum(explained * source * left, -1)
    return NoisySourceCodecs(as_is, after, mmse + vector.distortion_rate(rate, explained * source))
