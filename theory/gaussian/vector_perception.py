"""Gaussian vectors: the rate-distortion-perception function for any P, by its Lagrange dual.

The problem is convex and separates over components once two multipliers are fixed, beta for distortion
and mu for perception. Each component's best reply is known (a closed form for KL, the one root of a
convex function for W2 squared), which leaves a smooth concave function of (beta, mu), maximized here by
Newton's method. Any (beta, mu) proves a lower bound and any feasible reply an upper one; both are returned.
The derivation stands in docs/derivations/gaussian_vector_perception.md.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian.vector import broadcast_arguments, infinite_at_zero, reverse_water_filling, water_filling_rate
from theory.gaussian.vector_dual import (
    BestResponse,
    Multipliers,
    Problem,
    distortions,
    dual,
    feasible_rate,
    kkt_residual,
    log_excess,
    maximize,
    perceptions,
    refine,
    total_perception,
)
from theory.gaussian.vector_realism import perfect_filling, perfect_rate
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats, nats_to_bits

DIVERGENCES = ("w2sq", "kl")

# Below this share of its natural scale a perception is as good as zero: R(D,P) = R(D,0) - c sqrt(P) + O(P).
_TINY_PERCEPTION = 1e-24
# The least ratio of deviations under KL, e^-30.
_MIN_SHARE = 9.357622968840175e-14


class VectorRateDistortionPerception(NamedTuple):
    """The rate-distortion-perception function of a Gaussian vector, with its certificate.

    Only `rate` carries derivatives.

    Attributes:
      rate: bits per vector, the value of the dual function, a lower bound up to rounding; shape [...].
      rate_upper: bits per vector that a feasible jointly Gaussian reconstruction needs; shape [...].
      kkt_residual: largest of the relative violation of either constraint, its complementary slackness in
        nats, and the stationarity error of a component; shape [...].
      slope_distortion: -dR/dD, bits per unit of squared error; shape [...].
      slope_perception: -dR/dP, bits per unit of W2 squared, or bits per bit; shape [...].
      component_rates: bits of each component before weighting; shape [..., n].
      component_distortions: squared error of each component before weighting; shape [..., n].
      component_perceptions: W2 squared or KL (bits) of each component before weighting; shape [..., n]. Where
        KL is loose enough for plain water-filling, a component that need not be coded spends 30 nats of it,
        on a share e^-60 of its variance.
      reconstruction_variances: variance of each reconstructed component; shape [..., n].
    """

    rate: jax.Array
    rate_upper: jax.Array
    kkt_residual: jax.Array
    slope_distortion: jax.Array
    slope_perception: jax.Array
    component_rates: jax.Array
    component_distortions: jax.Array
    component_perceptions: jax.Array
    reconstruction_variances: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate_upper - rate`, bits: how far from the optimum the reconstruction is at most."""
        return self.rate_upper - self.rate

    @property
    def certified(self) -> jax.Array:
        """Whether the reconstruction was verified, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.rate_upper)


def rate_distortion_perception(
    distortion: ArrayLike,
    perception: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    divergence: str = "w2sq",
    weights: ArrayLike | None = None,
) -> VectorRateDistortionPerception:
    """Rate-distortion-perception function of a Gaussian vector, with unlimited common randomness.

    R(D,P) = min sum_i -1/2 log2(1 - rho_i^2) over correlations rho_i and reconstruction variances v_i with
      sum_i lam_i + v_i - 2 rho_i sqrt(lam_i v_i) <= D   and
      w2sq: sum_i (sqrt(lam_i) - sqrt(v_i))^2 <= P,   kl: sum_i KL(N(0,v_i) || N(0,lam_i)) <= P.
    A jointly Gaussian reconstruction is optimal for both, in the eigenbasis of the covariance. P = inf (or
    more than `water_filling_perception`) is reverse water-filling, P = 0 is perfect realism.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      perception: P >= 0, W2 squared summed over components, or KL(reconstruction || source) in bits per
        vector; shape [...], broadcast.
      eigenvalues: lam_i >= 0, variances of the components; shape [..., n].
      divergence: "w2sq" or "kl".
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      `VectorRateDistortionPerception`. `rate` is NaN inside a trace for arguments outside the domain; at
      P = 0 its derivative with respect to P is -inf.

    Raises:
      ValueError: if D < 0, P < 0, an eigenvalue or weight is negative, or the divergence is unknown
        (outside of a trace).

    Reference: [qian2024gaussian, serra2024computation] Qian, Salehkalaibar, Chen, Khisti, Yu, et al. 2024, arXiv
      2406.18008, and Serra, Stavrou, Kountouris 2024, arXiv 2311.09190 (who take KL(source || reconstruction) too,
      not offered here).
    """
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("perception", perception, minimum=0.0)
    check_domain("distortion", distortion, minimum=0.0)
    distortion, perception = broadcast(distortion, perception)
    distortion, eigenvalues, weights = broadcast_arguments(distortion, eigenvalues, weights)
    perception = jnp.broadcast_to(perception, distortion.shape)
    return _solve(distortion, perception, eigenvalues, weights, divergence)


def divergence_of_variances(
    variances: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    divergence: str = "w2sq",
    weights: ArrayLike | None = None,
) -> jax.Array:
    """How far N(0, diag v) is from N(0, diag lam).

    w2sq: sum (sqrt(lam_i) - sqrt(v_i))^2;  kl: sum KL(N(0,v_i) || N(0,lam_i)), infinite where only one of
    the two variances is 0.

    Args:
      variances: v_i >= 0 of the reconstruction, shape [..., n].
      eigenvalues: lam_i >= 0 of the source, shape [..., n], broadcast.
      divergence: "w2sq" or "kl".
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      W2 squared, or KL in bits; shape [...]. NaN inside a trace for a negative variance or weight.

    Raises:
      ValueError: if a variance or weight is negative, or the divergence unknown (outside of a trace).
    """
    check_choice("divergence", divergence, DIVERGENCES)
    check_domain("variances", variances, minimum=0.0, finite=True)
    check_domain("eigenvalues", eigenvalues, minimum=0.0, finite=True)
    weights = 1.0 if weights is None else weights
    check_domain("weights", weights, minimum=0.0, finite=True)
    v, lam, w = broadcast(variances, eigenvalues, weights)
    valid = jnp.all((v >= 0) & (lam >= 0) & (w >= 0), -1)
    v, lam = jnp.where(v >= 0, v, 1.0), jnp.where(lam >= 0, lam, 1.0)
    if divergence == "w2sq":
        return jnp.where(valid, jnp.sum(w * (jnp.sqrt(lam) - jnp.sqrt(v)) ** 2, -1), jnp.nan)
    both = (v > 0) & (lam > 0)
    ratio = jnp.where(both, v, 1.0) / jnp.where(both, lam, 1.0)
    terms = 0.5 * log_excess(ratio - 1.0, jnp.log(ratio))
    terms = jnp.where(both, terms, jnp.where(v == lam, 0.0, jnp.inf))
    return jnp.where(valid, nats_to_bits(jnp.sum(jnp.where(w > 0, w * terms, 0.0), -1)), jnp.nan)


def water_filling_perception(
    distortion: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    divergence: str = "w2sq",
    weights: ArrayLike | None = None,
) -> jax.Array:
    """How far the reconstruction of reverse water-filling is from the source in distribution.

    Under a looser constraint on perception than this, the rate-distortion-perception function equals R(D).
      w2sq: sum (sqrt(lam_i) - sqrt(lam_i - D_i))^2;
      kl:   sum KL(N(0, lam_i - D_i) || N(0, lam_i)), infinite as soon as a component is not coded at all.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      divergence: "w2sq" or "kl".
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      W2 squared summed over components, or KL in bits per vector; shape [...].

    Raises:
      ValueError: as `theory.gaussian.vector.rate_distortion`, or for an unknown divergence.
    """
    check_choice("divergence", divergence, DIVERGENCES)
    distortion, eigenvalues, weights = broadcast_arguments(distortion, eigenvalues, weights)
    perception = total_perception(_plain_reply(distortion, eigenvalues, weights), eigenvalues, weights, divergence)
    return nats_to_bits(perception) if divergence == "kl" else perception


def _plain_reply(distortion: jax.Array, lam: jax.Array, w: jax.Array) -> BestResponse:
    """Reverse water-filling as a reply: x = rho = sqrt(1 - D_i/lam_i)."""
    _, nats, each = reverse_water_filling(distortion, lam, w)
    less = jnp.where(lam > 0, each, 0.0) / jnp.where(lam > 0, lam, 1.0)
    x = jnp.sqrt(1.0 - less)
    less = less / (1.0 + x)
    return BestResponse(x, less, jnp.where(lam > 0, less, 1.0), nats)


def _perfect_reply(distortion: jax.Array, lam: jax.Array, w: jax.Array) -> tuple[BestResponse, jax.Array]:
    """The reply at perfect realism, x = 1, and the inverse of the water level."""
    inverse, nats, each = perfect_filling(distortion, lam, w)
    one_minus_rho = jnp.where(lam > 0, each / jnp.where(lam > 0, 2.0 * lam, 1.0), 1.0)
    return BestResponse(jnp.ones_like(lam), jnp.zeros_like(lam), one_minus_rho, nats), inverse


def _idle_reply(problem: Problem, divergence: str) -> BestResponse:
    """The reply of rate 0 (rho = 0) whose variances are as small as P allows."""
    _, perception, lam, w = problem
    if divergence == "w2sq":
        total = jnp.sum(w * lam, -1)
        share = jnp.where(total > 0, perception, 1.0) / jnp.where(total > 0, total, 1.0)
        one_minus_x = jnp.broadcast_to(jnp.minimum(jnp.sqrt(share), 1.0)[..., None], lam.shape)
        x = 1.0 - one_minus_x
    else:
        # min sum w lam y subject to sum w (y - 1 - ln y)/2 <= P has y = 1/(1 + nu lam): bisect ln(nu lam_max).
        largest = jnp.max(jnp.where(w > 0, lam, 0.0), -1, keepdims=True)
        relative = lam / jnp.where(largest > 0, largest, 1.0)

        def spent(log_nu: jax.Array) -> jax.Array:
            z = relative * jnp.exp(log_nu)[..., None]
            return 0.5 * jnp.sum(w * (jnp.log1p(z) - z / (1.0 + z)), -1)

        def bisect(_: jax.Array, ends: tuple) -> tuple:
            middle = 0.5 * (ends[0] + ends[1])
            high = spent(middle) > perception
            return jnp.where(high, ends[0], middle), jnp.where(high, middle, ends[1])

        ends = (jnp.full(perception.shape, -80.0), jnp.full(perception.shape, 600.0))
        z = relative * jnp.exp(lax.fori_loop(0, 64, bisect, ends)[0])[..., None]
        y = jnp.where(jnp.isinf(perception)[..., None] & (relative > 0), 0.0, 1.0 / (1.0 + z))
        x = jnp.sqrt(y)
        one_minus_x = (1.0 - y) / (1.0 + x)
    return BestResponse(x, one_minus_x, jnp.ones_like(lam), jnp.zeros_like(lam))


@partial(jax.jit, static_argnames="divergence")
def _solve(
    distortion: jax.Array, perception: jax.Array, lam: jax.Array, w: jax.Array, divergence: str
) -> VectorRateDistortionPerception:
    """All regions, each on its own ground, put together at the end."""
    given = Problem(distortion, bits_to_nats(perception) if divergence == "kl" else perception, lam, w)
    fixed = lax.stop_gradient(given)
    valid = (distortion >= 0) & (perception >= 0)
    scale = jnp.sum(fixed.weights * (lam > 0), -1) if divergence == "kl" else jnp.sum(w * fixed.eigenvalues, -1)

    idle_reply = _idle_reply(fixed, divergence)
    plain_reply = _plain_reply(fixed.distortion, fixed.eigenvalues, fixed.weights)
    if divergence == "kl":
        # KL is infinite where a component is not coded at all; a share e^-60 of its variance makes it 30 nats
        # and changes the rate by less than rounding does.
        smallest = jnp.where(jnp.isinf(fixed.perception)[..., None], 0.0, _MIN_SHARE)
        plain_reply = plain_reply._replace(x=jnp.maximum(plain_reply.x, smallest))
    perfect_reply, inverse = _perfect_reply(fixed.distortion, fixed.eigenvalues, fixed.weights)
    idle = valid & (fixed.distortion >= jnp.sum(w * distortions(idle_reply, fixed.eigenvalues), -1))
    plain_perception = total_perception(plain_reply, fixed.eigenvalues, fixed.weights, divergence)
    plain = valid & ~idle & (fixed.perception >= plain_perception)
    perfect = valid & ~idle & ~plain & (fixed.perception <= _TINY_PERCEPTION * scale)
    inner = valid & ~idle & ~plain & ~perfect

    # At perfect realism R falls like -gain sqrt(P): the first-order gain of shrinking the variances.
    curvature = 1.0 / jnp.where(lam > 0, fixed.eigenvalues, 1.0) if divergence == "w2sq" else 1.0
    gain = jnp.sum(fixed.weights * distortions(perfect_reply, fixed.eigenvalues) ** 2 * curvature, -1)
    gain = 0.5 * jnp.where(perfect | inner, inverse, 0.0) * jnp.sqrt(gain)
    slope = 0.5 * gain / jnp.sqrt(jnp.where(perfect | inner, fixed.perception, 1.0))

    # Outside of its region the solver gets a problem that it solves at once.
    n, one, half = float(lam.shape[-1]), jnp.ones_like(lam), jnp.full_like(slope, 0.5)
    easy = Problem(jnp.full_like(slope, n), jnp.full_like(slope, 0.1 * n), one, one)
    problem = _select(inner, given, easy)
    start = _select(inner, Multipliers(0.5 * inverse, slope), Multipliers(half, half))
    multipliers = refine(*maximize(start, lax.stop_gradient(problem), divergence), problem, divergence)
    inner_nats, _, inner_reply = dual(multipliers, problem, divergence)

    root = jnp.sqrt(jnp.where(perfect, given.perception, 1.0))
    nats = jnp.where(inner, inner_nats, 0.0)
    nats = jnp.where(perfect, perfect_rate(distortion, lam, w) - gain * root, nats)
    nats = jnp.where(plain, water_filling_rate(distortion, lam, w), nats)
    nats = nats + infinite_at_zero(distortion, lam, w)

    reply = _select(plain, plain_reply, _select(perfect, perfect_reply, lax.stop_gradient(inner_reply)))
    reply = _select(idle, idle_reply, reply)
    upper = jnp.where(inner, feasible_rate(reply, fixed, divergence), lax.stop_gradient(nats))
    upper = jnp.where(perfect, jnp.sum(fixed.weights * reply.nats, -1), upper)

    level = reverse_water_filling(fixed.distortion, fixed.eigenvalues, fixed.weights)[0]
    none = jnp.zeros_like(level)
    result = _select(plain, Multipliers(0.5 / level, none), lax.stop_gradient(multipliers))
    result = _select(idle, Multipliers(none, none), _select(perfect, Multipliers(0.5 * inverse, slope), result))
    # Next to P = 0 the reply is that of P = 0: mu is only good for the rate, and is not held against it.
    residual = kkt_residual(
        reply, result._replace(perception=jnp.where(perfect, jnp.inf, result.perception)), fixed, divergence)
    component_perceptions = perceptions(reply, fixed.eigenvalues, divergence)
    if divergence == "kl":
        component_perceptions = nats_to_bits(component_perceptions)
    result = VectorRateDistortionPerception(
        rate=nats_to_bits(nats),
        rate_upper=nats_to_bits(upper),
        kkt_residual=residual,
        slope_distortion=nats_to_bits(result.distortion),
        slope_perception=result.perception if divergence == "kl" else nats_to_bits(result.perception),
        component_rates=nats_to_bits(reply.nats),
        component_distortions=distortions(reply, fixed.eigenvalues),
        component_perceptions=component_perceptions,
        reconstruction_variances=fixed.eigenvalues * reply.x**2,
    )
    return _select(valid, result, VectorRateDistortionPerception(*(jnp.full_like(x, jnp.nan) for x in result)))


def _select(condition: jax.Array, chosen: Any, other: Any) -> Any:
    """`where` for tuples whose arrays have shape [...] or [..., n]."""

    def pick(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(condition if a.ndim == condition.ndim else condition[..., None], a, b)

    return jax.tree.map(pick, chosen, other)
