"""The scalar Gaussian source under squared error: R(D), R(D,P), common randomness, conditional realism.

Conventions. X ~ N(0, variance). Rates, and perception measured by a Kullback-Leibler divergence, are in
bits; distortion is E(X-Y)^2; perception measured by "w2sq" is the *squared* Wasserstein distance W2^2.
All functions are elementwise: arguments broadcast. They are differentiable, also at the boundaries
between regions; where the true derivative is infinite (at perfect realism, or at zero rate) so is theirs,
by `jax.grad` (forward mode multiplies that infinity with tangents of 0, which gives NaN).

Two forms recur. With s^2 the variance and t <= s the standard deviation of the reconstruction, a jointly
Gaussian pair at distortion D has 1 - rho^2 = (D - (s-t)^2) ((s+t)^2 - D) / (2 s t)^2; and at rate R its
least distortion is s^2 e^{-2R} + [t - s a]_+^2 with a = sqrt(1 - e^{-2R}).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

# Divergences of output and source whose R(D, P) is known exactly: W2 squared, and KL(output, source) in bits.
DIVERGENCES = ("w2sq", "kl")


def _half_log_ratio(variance: jax.Array, distortion: jax.Array) -> jax.Array:
    """[½ log2(variance / distortion)]_+, with gradient zero where it is clipped and -inf at distortion 0."""
    positive = variance > distortion
    logs = [jnp.log(jnp.where(positive, value, 1.0)) for value in (variance, distortion)]
    return nats_to_bits(0.5 * (logs[0] - logs[1]))


@jax.custom_jvp
def _log_shrinkage_kl(nats: jax.Array) -> jax.Array:
    """The root u <= 0 of (e^{2u} - 1)/2 - u = nats: KL(N(0, s^2 e^{2u}) || N(0, s^2)) equals nats."""
    # The left side is convex and decreasing: after one Newton step all iterates lie left of the root and
    # increase towards it. From -sqrt(nats), exact to first order, 12 steps reach float64's accuracy.
    def newton(_, u):
        slope = jnp.expm1(2.0 * u)
        step = (0.5 * slope - u - nats) / jnp.where(slope < 0.0, slope, -1.0)
        return jnp.where(slope < 0.0, u - step, u)

    finite = jnp.isfinite(nats)
    start = jnp.where(finite, -jnp.sqrt(jnp.where(finite, nats, 1.0)), -1.0)
    root = jax.lax.fori_loop(0, 12, newton, start)
    return jnp.where(finite, root, jnp.where(nats > 0.0, -jnp.inf, jnp.nan))


@_log_shrinkage_kl.defjvp
def _(primals, tangents):
    root = _log_shrinkage_kl(*primals)
    return root, tangents[0] / jnp.expm1(2.0 * root)


def shrinkage(perception: jax.Array, variance: jax.Array, divergence: str) -> jax.Array:
    """Computes how far below the source's the reconstruction's standard deviation may lie.

    Args:
      perception: squared distance W2^2 for "w2sq", bits for "kl"; >= 0, any shape.
      variance: of the source, > 0; same shape.
      divergence: "w2sq" or "kl".

    Returns:
      s - t >= 0, at most s, in units of the standard deviation s; same shape.
    """
    deviation = jnp.sqrt(variance)
    if divergence == "w2sq":
        return jnp.minimum(jnp.sqrt(perception), deviation)
    return -deviation * jnp.expm1(_log_shrinkage_kl(bits_to_nats(perception)))


def rate_distortion(distortion: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Rate-distortion function of a Gaussian source: R(D) = [½ log2(variance / D)]_+.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      variance: of the source, > 0; broadcasts with `distortion`.

    Returns:
      Rate in bits per sample; inf at D = 0. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [shannon1959coding] Shannon, "Coding theorems for a discrete source with a fidelity criterion", 1959.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _rate_distortion(distortion, variance)


@jax.jit
def _rate_distortion(distortion, variance):
    distortion, variance = broadcast(distortion, variance)
    valid = (distortion >= 0.0) & (variance > 0.0)
    return nan_unless(valid, _half_log_ratio(variance, distortion))


def distortion_rate(rate: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Distortion-rate function of a Gaussian source: D(R) = variance 2^{-2R}.

    Args:
      rate: R >= 0, bits per sample; any shape.
      variance: of the source, > 0; broadcasts with `rate`.

    Returns:
      Mean squared error. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [shannon1959coding] Shannon 1959.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _distortion_rate(rate, variance)


@jax.jit
def _distortion_rate(rate, variance):
    rate, variance = broadcast(rate, variance)
    valid = (rate >= 0.0) & (variance > 0.0)
    return nan_unless(valid, variance * jnp.exp(-2.0 * bits_to_nats(rate)))


def _check_divergence_arguments(perception, variance, divergence):
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("perception", perception, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)


def rate_distortion_perception(
    distortion: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str = "w2sq"
) -> jax.Array:
    """Rate-distortion-perception function of a Gaussian source, with unlimited common randomness.

    R(D,P) = min I(X;Y) over E(X-Y)^2 <= D and delta(p_X, p_Y) <= P. The optimal pair is jointly Gaussian.
    With s^2 the variance and t <= s the least standard deviation that P allows,

      R = -½ log2(1 - rho^2),  rho = (s^2 + t^2 - D) / (2 s t),  where t^2 >= [s^2 - D]_+ and rho > 0,

    R = 0 where D >= s^2 + t^2, and R = ½ log2(s^2 / D) elsewhere (the realism constraint is inactive).

    Args:
      distortion: D >= 0, mean squared error; any shape.
      perception: P >= 0: W2^2 for "w2sq", bits for "kl"; broadcasts.
      variance: of the source, > 0; broadcasts.
      divergence: "w2sq" for W2^2(p_X, p_Y), t = s - sqrt(P); "kl" for KL(p_Y || p_X) in bits, with t the
        lower root of KL(N(0,t^2) || N(0,s^2)) = P.

    Returns:
      Rate in bits per sample; inf at D = 0. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain, or the divergence is unknown.

    Reference: [zhang2021universal, blau2019rethinking] Zhang, Qian, Chen, Khisti, "Universal
      rate-distortion-perception representations for lossy compression", NeurIPS 2021 (arXiv 2106.10311), who write
      W2^2 as we do; the problem is Blau & Michaeli's (ICML 2019, arXiv 1901.07821).
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_divergence_arguments(perception, variance, divergence)
    return _rate_distortion_perception(distortion, perception, variance, divergence)


@partial(jax.jit, static_argnames="divergence")
def _rate_distortion_perception(distortion, perception, variance, divergence):
    distortion, perception, variance = broadcast(distortion, perception, variance)
    valid = (distortion >= 0.0) & (perception >= 0.0) & (variance > 0.0)
    plain = _half_log_ratio(variance, distortion)
    # The region is found first and with values only, so that the formula is differentiated only inside it.
    s = jnp.sqrt(variance)
    t = s - jax.lax.stop_gradient(shrinkage(perception, variance, divergence))
    active = (t * t >= variance - distortion) & (distortion < variance + t * t) & (t > 0.0)
    active &= (distortion > 0.0) & valid
    zero = distortion >= variance + t * t
    gap = shrinkage(jnp.where(active, perception, 0.25), jnp.where(active, variance, 1.0), divergence)
    s, d = jnp.where(active, s, 1.0), jnp.where(active, distortion, 1.0)
    t = s - gap
    # 1 - rho and 1 + rho, each without cancellation.
    less, more = (d - gap * gap) / (2.0 * s * t), ((s + t) ** 2 - d) / (2.0 * s * t)
    constrained = nats_to_bits(-0.5 * (jnp.log(less) + jnp.log(more)))
    return nan_unless(valid, jnp.where(active, constrained, jnp.where(zero, 0.0, plain)))


def distortion_rate_perception(
    rate: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0, *, divergence: str = "w2sq"
) -> jax.Array:
    """Distortion-rate-perception function of a Gaussian source, with unlimited common randomness.

    D(R,P) = s^2 e^{-2R} + [t - s sqrt(1 - e^{-2R})]_+^2 with R in nats, s^2 the variance and t <= s the least
    standard deviation that P allows: the inverse of `rate_distortion_perception` in its first argument.

    Args:
      rate: R >= 0, bits per sample; any shape.
      perception: P >= 0: W2^2 for "w2sq", bits for "kl"; broadcasts.
      variance: of the source, > 0; broadcasts.
      divergence: "w2sq" or "kl", as in `rate_distortion_perception`.

    Returns:
      Mean squared error. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain, or the divergence is unknown.

    Reference: [zhang2021universal] Zhang, Qian, Chen, Khisti, NeurIPS 2021 (arXiv 2106.10311).
    """
    check_domain("rate", rate, minimum=0.0)
    _check_divergence_arguments(perception, variance, divergence)
    return _distortion_rate_perception(rate, perception, variance, divergence)


@partial(jax.jit, static_argnames="divergence")
def _distortion_rate_perception(rate, perception, variance, divergence):
    rate, perception, variance = broadcast(rate, perception, variance)
    valid = (rate >= 0.0) & (perception >= 0.0) & (variance > 0.0)
    nats = bits_to_nats(rate)
    error = jnp.exp(-2.0 * nats)

    def excess(nats, perception, variance):
        # t - s a = s (1 - a) - (s - t), and 1 - a = e^{-2R} / (1 + a) without cancellation.
        a = jnp.sqrt(-jnp.expm1(-2.0 * nats))
        return jnp.sqrt(variance) * jnp.exp(-2.0 * nats) / (1.0 + a) - shrinkage(
            perception, variance, divergence)

    active = jax.lax.stop_gradient(excess(nats, perception, variance)) > 0.0
    inside = [jnp.where(active, value, 0.25) for value in (nats, perception, variance)]
    return nan_unless(valid, variance * error + jnp.where(active, excess(*inside) ** 2, 0.0))


def strong_realism_distortion(
    rate: ArrayLike, common_randomness: ArrayLike, perception: ArrayLike = 0.0, variance: ArrayLike = 1.0
) -> jax.Array:
    """Least distortion of a Gaussian source under realism of whole blocks, with limited common randomness.

    Encoder and decoder share C bits per sample, independent of the source; the decoder may use private
    randomness; the distribution of the reconstructed block must satisfy W2^2(p_{X^n}, p_{Y^n}) / n <= P. With rates in
    nats, a = sqrt(1 - e^{-2R}) and b = sqrt(1 - e^{-2(R+C)}),

      D(R, C, P) = s^2 e^{-2R} + [s sqrt(1 + a^2 - 2 a b) - sqrt(P)]_+^2.

    C = inf gives `distortion_rate_perception`; C = 0 gives s^2 e^{-2R} + [s e^{-R} - sqrt(P)]_+^2, whose
    inverse is `conditional_rate_distortion_perception`.

    Args:
      rate: R >= 0, bits per sample; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcasts.
      perception: P >= 0, W2^2 per sample of the block; broadcasts.
      variance: of the source, > 0; broadcasts.

    Returns:
      Mean squared error. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [saldi2015output, qu2025limited] P = 0: Saldi, Linder, Yüksel, "Output constrained lossy source coding
      with limited common randomness", IEEE T-IT 2015 (arXiv 1411.5767); P > 0: the setting of Qu, Chen, Yu, Xu 2025
      (arXiv 2504.17236). The form above follows from the triangle inequality of W2 applied to E[X^n | message, seed],
      whose second moment is at most n s^2 a^2, with at most e^{n(R+C)} values.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    _check_divergence_arguments(perception, variance, "w2sq")
    return _strong_realism_distortion(rate, common_randomness, perception, variance)


@jax.jit
def _strong_realism_distortion(rate, common_randomness, perception, variance):
    rate, shared, perception, variance = broadcast(rate, common_randomness, perception, variance)
    valid = (rate >= 0.0) & (shared >= 0.0) & (perception >= 0.0) & (variance > 0.0)
    nats, shared = bits_to_nats(rate), bits_to_nats(shared)
    # At R = C = 0 the square roots below have no derivative, although D has: there b = a along R.
    degenerate = (nats == 0.0) & (shared == 0.0)

    def root(nats, shared):
        a = jnp.sqrt(-jnp.expm1(-2.0 * nats))
        b = jnp.sqrt(-jnp.expm1(-2.0 * (nats + shared)))
        # 1 + a^2 - 2ab = (b - a)^2 + (1 - b^2), both without cancellation.
        difference = jnp.exp(-2.0 * nats) * -jnp.expm1(-2.0 * shared) / (a + b)
        return jnp.sqrt(difference**2 + jnp.exp(-2.0 * (nats + shared)))

    def excess(nats, shared, perception, variance):
        regular = root(jnp.where(degenerate, 1.0, nats), jnp.where(degenerate, 1.0, shared))
        return jnp.sqrt(variance) * jnp.where(degenerate, jnp.exp(-nats), regular) - jnp.sqrt(perception)

    arguments = (nats, shared, perception, variance)
    active = jax.lax.stop_gradient(excess(*arguments)) > 0.0
    inside = [jnp.where(active, value, 0.25) for value in arguments]
    return nan_unless(
        valid, variance * jnp.exp(-2.0 * nats) + jnp.where(active, excess(*inside) ** 2, 0.0))


def conditional_rate_distortion_perception(
    distortion: ArrayLike, perception: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """Least rate of a Gaussian source without common randomness, or under realism given the message.

    The constraint is E_K W2^2(p_{X^n|K}, p_{Y^n|K}) / n <= P with K the message. The same function bounds
    every codec that shares no randomness, under realism of blocks (`strong_realism_distortion` at C = 0):

      R = [log2(2 s / (sqrt(P) + sqrt(2D - P)))]_+ for P < D,   [½ log2(s^2 / D)]_+ for P >= D.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      perception: P >= 0, W2^2 per sample; broadcasts.
      variance: of the source, > 0; broadcasts.

    Returns:
      Rate in bits per sample; inf at D = 0. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [salehkalaibar2024conditional] Salehkalaibar, Chen, Khisti, Yu 2024 (arXiv 2401.12207), who state the
      conditional constraint; solving D = g + [sqrt(g) - sqrt(P)]_+^2 for g = s^2 2^{-2R} gives the form above.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_divergence_arguments(perception, variance, "w2sq")
    return _conditional_rate_distortion_perception(distortion, perception, variance)


@jax.jit
def _conditional_rate_distortion_perception(distortion, perception, variance):
    distortion, perception, variance = broadcast(distortion, perception, variance)
    valid = (distortion >= 0.0) & (perception >= 0.0) & (variance > 0.0)
    plain = _half_log_ratio(variance, distortion)
    inside = (perception < distortion) & jnp.isfinite(distortion)
    d, p = jnp.where(inside, distortion, 1.0), jnp.where(inside, perception, 0.25)
    beyond = jnp.sqrt(p) + jnp.sqrt(2.0 * d - p) >= 2.0 * jnp.sqrt(variance)
    zero = jnp.isinf(distortion) | (inside & beyond)
    inside &= ~zero
    d, p = jnp.where(inside, d, 1.0), jnp.where(inside, p, 0.25)
    constrained = _half_log_ratio(variance, (0.5 * jnp.sqrt(p) + 0.5 * jnp.sqrt(2.0 * d - p)) ** 2)
    return nan_unless(valid, jnp.where(inside, constrained, jnp.where(zero, 0.0, plain)))
