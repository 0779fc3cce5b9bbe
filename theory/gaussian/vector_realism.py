"""Gaussian vectors whose reconstruction has exactly the distribution of the source: closed form in the water level.

Conventions, weights and the treatment of gradients are those of `theory.gaussian.vector`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian.vector import Components, broadcast_arguments, infinite_at_zero
from theory.numerics.units import bits_to_nats, nats_to_bits

# A code of more nats than this per component has a distortion below 1e-300 variances, which is 0 here.
_MAX_NATS = 345.0


def perfect_realism_rate_distortion(
    distortion: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Rate-distortion function of a Gaussian vector whose reconstruction has the source's distribution (exact).

    With unlimited common randomness (or for marginals only), R(D, 0) = sum_i -1/2 log2(1 - rho_i^2) with
    rho_i = 1 - D_i/(2 lam_i), D_i = 2 lam_i + theta - sqrt(theta^2 + 4 lam_i^2) and sum_i D_i = D; 0 for
    D >= 2 sum lam. No component of positive variance is ever left uncoded. Written here as
    R_i = 1/2 log2((1 + sqrt(1 + 4 u_i^2))/2), D_i = 4 lam_i/(1 + 2 u_i + sqrt(1 + 4 u_i^2)), with
    u_i = lam_i/theta, which loses no digits. dR/dD = -1/(2 theta ln 2), continuous.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Rate in bits per vector; shape [...]. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: [qian2024gaussian] Qian, Salehkalaibar, Chen, Khisti, Yu, et al. 2024, arXiv 2406.18008; derived in
      docs/derivations/gaussian_vector_perception.md.
    """
    return _perfect_rate(*broadcast_arguments(distortion, eigenvalues, weights))


def perfect_realism_distortion_rate(
    rate: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Distortion-rate function at perfect realism, the inverse of `perfect_realism_rate_distortion`.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Squared error summed over components; shape [...]. NaN inside a trace outside the domain.

    Raises:
      ValueError: if R < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: as `perfect_realism_rate_distortion`.
    """
    return _perfect_distortion(*broadcast_arguments(rate, eigenvalues, weights, name="rate"))


def perfect_realism_water_filling(
    distortion: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> Components:
    """What the optimal code at perfect realism does to each component; every variance is kept.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...]. D >= 2 sum lam gives
        theta = inf and rate 0.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      `Components`.

    Raises:
      ValueError: as `perfect_realism_rate_distortion`.
    """
    return _perfect_filling(*broadcast_arguments(distortion, eigenvalues, weights))


def _root(u: jax.Array) -> jax.Array:
    """sqrt(1 + 4 u^2) without overflow."""
    return jnp.hypot(1.0, 2.0 * u)


def _distortions(u: jax.Array, eigenvalues: jax.Array) -> jax.Array:
    """D_i = 2 lam_i (1 - rho_i) at u_i = lam_i / theta."""
    return 4.0 * eigenvalues / (1.0 + 2.0 * u + _root(u))


def _nats(u: jax.Array) -> jax.Array:
    """R_i = 1/2 ln((1 + sqrt(1 + 4 u_i^2))/2), in nats."""
    return 0.5 * jnp.log1p(u * (2.0 * u / (1.0 + _root(u))))


@jax.jit
def _perfect_rate(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    rate = perfect_rate(distortion, eigenvalues, weights) + infinite_at_zero(distortion, eigenvalues, weights)
    return jnp.where(distortion >= 0, nats_to_bits(rate), jnp.nan)


def perfect_rate(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    """Computes R(D, 0) for broadcast arguments.

    Args:
      distortion: squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n].

    Returns:
      Rate in nats, shape [...]; 0 at D = 0, where `infinite_at_zero` is to be added.
    """
    total = 2.0 * jnp.sum(weights * eigenvalues, -1)
    coded = (distortion > 0) & (distortion < total)
    inverse_level = _inverse_level(distortion, eigenvalues, weights)
    u = eigenvalues * inverse_level[..., None]
    primal = jnp.sum(weights * _nats(u), -1)
    spent = jnp.sum(weights * _distortions(u, eigenvalues), -1)
    dual = primal + 0.5 * inverse_level * (spent - jnp.where(coded, distortion, 1.0))
    return jnp.where(coded, dual + lax.stop_gradient(primal - dual), 0.0)


def _inverse_level(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    """1/theta with sum w_i D_i(theta) = D, where 0 < D < 2 sum w lam; elsewhere 1.

    D is convex and decreasing in 1/theta, so that Newton's iteration climbs to the solution from any
    point below it. One more step, the only one that is differentiated, carries the exact derivative.
    """
    total = 2.0 * jnp.sum(weights * eigenvalues, -1)
    coded = (distortion > 0) & (distortion < total)
    d = jnp.where(coded, distortion, 0.5 * total)

    def step(inverse: jax.Array, d: jax.Array, lam: jax.Array, w: jax.Array) -> jax.Array:
        u = lam * inverse[..., None]
        root = _root(u)
        slope = -jnp.sum(w * 4.0 * lam**2 / (root * (1.0 + root)), -1)
        excess = jnp.sum(w * _distortions(u, lam), -1) - d
        return inverse - excess / jnp.where(coded, lax.stop_gradient(slope), -1.0)

    frozen = [lax.stop_gradient(value) for value in (d, eigenvalues, weights)]
    tangent = 0.5 * (total - d) / jnp.where(coded, jnp.sum(weights * eigenvalues**2, -1), 1.0)
    # Component j alone spends at least w_j/(1/theta + 1/(2 lam_j)).
    positive = (eigenvalues > 0) & coded[..., None]
    alone = weights / jnp.where(coded, d, 1.0)[..., None] - 0.5 / jnp.where(positive, eigenvalues, 1.0)
    start = jnp.maximum(tangent, jnp.max(jnp.where(positive, alone, 0.0), -1))
    start = lax.stop_gradient(jnp.where(coded, start, 1.0))

    def climb(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        inverse, _, count = state
        following = jnp.where(coded, step(inverse, *frozen), 1.0)
        return following, following > inverse * (1.0 + 1e-15), count + 1

    def climbing(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return jnp.any(state[1]) & (state[2] < 200)

    solution, _, _ = lax.while_loop(climbing, climb, (start, coded, jnp.zeros((), jnp.int32)))
    return jnp.where(coded, step(solution, d, eigenvalues, weights), 1.0)


@jax.jit
def _perfect_filling(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> Components:
    inverse, nats, distortions = perfect_filling(distortion, eigenvalues, weights)
    return Components(1.0 / inverse, nats_to_bits(nats), distortions, eigenvalues)


def perfect_filling(
    distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Computes what the optimal code at perfect realism gives each component, for broadcast arguments.

    Args:
      distortion: squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n].

    Returns:
      1/theta, [...]; nats and squared error of each component before weighting, [..., n] each.
    """
    idle = distortion >= 2.0 * jnp.sum(weights * eigenvalues, -1)
    exact = (distortion == 0) & ~idle
    inverse = _inverse_level(distortion, eigenvalues, weights)
    inverse = jnp.where(exact, jnp.inf, jnp.where(idle, 0.0, inverse))
    inverse = jnp.where(distortion >= 0, inverse, jnp.nan)
    # 0 * inf: a component without variance costs nothing however little distortion is allowed.
    u = jnp.where(eigenvalues > 0, eigenvalues, 0.0) * jnp.where(exact, 1.0, inverse)[..., None]
    infinite = exact[..., None] & (eigenvalues > 0)
    nats = jnp.where(infinite, jnp.inf, _nats(u))
    return inverse, nats, jnp.where(infinite, 0.0, _distortions(u, eigenvalues))


@jax.jit
def _perfect_distortion(rate: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    nats = bits_to_nats(rate)
    positive = eigenvalues > 0
    w = jnp.where(positive, weights, 0.0)
    dimension = jnp.sum(w, -1)
    coded = (nats > 0) & (nats < _MAX_NATS * dimension)
    log_lam = jnp.log(jnp.where(positive, eigenvalues, 1.0))
    target = jnp.where(coded, nats, 1.0)

    def step(log_inverse: jax.Array, target: jax.Array, log_lam: jax.Array, w: jax.Array) -> jax.Array:
        u = jnp.exp(log_lam + log_inverse[..., None])
        root = _root(u)
        slope = jnp.sum(w * 2.0 * u / (1.0 + root) * (u / root), -1)
        excess = jnp.sum(w * _nats(u), -1) - target
        return log_inverse - excess / jnp.where(coded, lax.stop_gradient(slope), 1.0)

    # R is convex in ln(1/theta). Jensen's inequality gives a point beyond the solution, from which
    # Newton's iteration descends to it.
    share = jnp.where(coded, target / jnp.where(dimension > 0, dimension, 1.0), 1.0)
    mean_log = jnp.sum(w * log_lam, -1) / jnp.where(dimension > 0, dimension, 1.0)
    start = lax.stop_gradient(share + 0.5 * jnp.log(jnp.expm1(2.0 * share)) - mean_log)
    frozen = [lax.stop_gradient(value) for value in (target, log_lam, w)]

    def descend(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        point, _, count = state
        following = jnp.where(coded, step(point, *frozen), 0.0)
        return following, following < point - 1e-15 * jnp.abs(point), count + 1

    def descending(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return jnp.any(state[1]) & (state[2] < 200)

    point, _, _ = lax.while_loop(descending, descend, (start, coded, jnp.zeros((), jnp.int32)))
    inverse = jnp.exp(jnp.where(coded, step(point, target, log_lam, w), 0.0))
    u = eigenvalues * inverse[..., None]
    primal = jnp.sum(weights * _distortions(u, eigenvalues), -1)
    dual = primal + 2.0 / inverse * (jnp.sum(weights * _nats(u), -1) - target)
    total = 2.0 * jnp.sum(weights * eigenvalues, -1)
    # At R = 0 the slope is -inf, as that of -sqrt(R), whose value there is 0.
    at_zero = total - jnp.sqrt(jnp.where(nats == 0, nats, 1.0)) + jnp.where(nats == 0, 0.0, 1.0)
    value = jnp.where(coded, dual + lax.stop_gradient(primal - dual), jnp.where(nats == 0, at_zero, 0.0))
    return jnp.where(nats >= 0, value, jnp.nan)
