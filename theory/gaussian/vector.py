"""Gaussian vectors: reverse water-filling, and its relatives at perfect realism and conditional realism.

A Gaussian vector is given by the eigenvalues of its covariance (`eigenvalues_of` finds them). Distortion
is the squared error summed over components, rate is in bits per vector. `weights` repeats an eigenvalue
(an integer multiplicity) or turns the sum into an integral over frequency (`theory.gaussian.process`).

Rates and distortions are returned with the gradient of the Lagrange dual function: it equals the primal
value, and its derivative with respect to the multiplier vanishes, so that the gradient stays right where
a component enters or leaves the active set and the water level itself has a kink.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import all_concrete, check_domain, is_concrete
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats, nats_to_bits


class Components(NamedTuple):
    """How an optimal code treats the components of a Gaussian vector.

    Attributes:
      water_level: theta = -1/(2 dR/dD) with R in nats; shape [...].
      rates: bits of each component (before weighting), shape [..., n].
      distortions: squared error of each component (before weighting), shape [..., n].
      reconstruction_variances: variance of each reconstructed component, shape [..., n].
    """

    water_level: jax.Array
    rates: jax.Array
    distortions: jax.Array
    reconstruction_variances: jax.Array


def eigenvalues_of(covariance: ArrayLike) -> jax.Array:
    """Eigenvalues of a covariance matrix, ascending, negative rounding errors clipped to 0.

    Args:
      covariance: symmetric positive semi-definite matrices, shape [..., n, n].

    Returns:
      Eigenvalues, shape [..., n]. Inside a trace a matrix that is not symmetric, not finite or has a negative
      eigenvalue gives NaN.

    Raises:
      ValueError: if it is not square, not symmetric, not finite, or has a negative eigenvalue (outside of
        a trace).
    """
    covariance = jnp.asarray(covariance, jnp.float64)
    if covariance.ndim < 2 or covariance.shape[-1] != covariance.shape[-2]:
        raise ValueError(f"covariance must have shape [..., n, n], got {covariance.shape}")
    check_domain("covariance", covariance, finite=True)
    eigenvalues = jnp.linalg.eigvalsh(covariance)
    if not covariance.size:
        return eigenvalues
    tolerance = 1e-10 * jnp.abs(covariance).max((-1, -2))
    asymmetry = jnp.abs(covariance - jnp.swapaxes(covariance, -1, -2)).max((-1, -2))
    symmetric, positive = asymmetry <= tolerance, eigenvalues.min(-1) >= -tolerance
    if is_concrete(covariance):
        if not symmetric.all():
            raise ValueError(f"covariance must be symmetric, got an asymmetry of {asymmetry.max():g}")
        if not positive.all():
            raise ValueError(f"covariance needs eigenvalues >= 0, got {eigenvalues.min():g}")
    return jnp.where((symmetric & positive)[..., None], jnp.maximum(eigenvalues, 0.0), jnp.nan)


def rate_distortion(
    distortion: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Rate-distortion function of a Gaussian vector: reverse water-filling (exact).

    R(D) = sum_i 1/2 log2(lam_i / D_i) with D_i = min(theta, lam_i) and sum_i D_i = D; 0 for D >= sum lam.
    It is continuously differentiable for D < sum lam, dR/dD = -1/(2 theta ln 2), and R(0) = inf; at the
    kink D = sum lam the derivative is that of the right side, 0.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0, variances of the components; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Rate in bits per vector; shape [...]. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: [cover2006elements, kolmogorov1956shannon] Kolmogorov 1956; Cover and Thomas, Elements of Information
      Theory, 2nd ed., Theorem 10.3.3.
    """
    return _rate_distortion(*broadcast_arguments(distortion, eigenvalues, weights))


def distortion_rate(
    rate: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Distortion-rate function of a Gaussian vector, the inverse of `rate_distortion` (exact).

    Args:
      rate: R >= 0, bits per vector; shape [...].
      eigenvalues: lam_i >= 0, variances of the components; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Squared error summed over components; shape [...]. NaN inside a trace outside the domain.

    Raises:
      ValueError: if R < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: as `rate_distortion`.
    """
    return _distortion_rate(*broadcast_arguments(rate, eigenvalues, weights, name="rate"))


def water_filling(
    distortion: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> Components:
    """What reverse water-filling does to each component: D_i = min(theta, lam_i), variance lam_i - D_i.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...]. D >= sum lam gives
        theta = max lam and rate 0.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      `Components`.

    Raises:
      ValueError: as `rate_distortion`.
    """
    return _water_filling(*broadcast_arguments(distortion, eigenvalues, weights))


def conditional_rate_distortion_perception(
    distortion: ArrayLike,
    perception: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> jax.Array:
    """Rate when realism is judged given the message, without common randomness (W2 squared; exact).

    Perception is E_K W2^2(p_{X|K}, p_{Y|K}): an observer who knows the message shall not tell source and
    reconstruction apart. R is `rate_distortion` at the distortion G that the message itself must reach,
      G = ((sqrt(P) + sqrt(2D - P))/2)^2 for P < D,   G = D for P >= D,
    so that P = 0 costs 3 dB, G = D/2.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      perception: P >= 0, W2 squared summed over components; shape [...], broadcast.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Rate in bits per vector; the broadcast shape. NaN inside a trace outside the domain. The derivative
      with respect to P is -inf at P = 0.

    Raises:
      ValueError: if D < 0, P < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: [salehkalaibar2024conditional] Salehkalaibar, Chen, Khisti, Yu 2024, arXiv 2401.12207; derived in
      docs/derivations/conditional_perception.md.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("distortion", distortion, minimum=0.0)
    distortion, perception = broadcast(distortion, perception)
    bound = perception < distortion

    def sent(d: jax.Array, p: jax.Array) -> jax.Array:
        return (0.5 * (jnp.sqrt(p) + jnp.sqrt(2.0 * d - p))) ** 2

    # A perception outside of the domain stays what it is, so that the root makes it NaN.
    message = jnp.where(bound, sent(jnp.where(bound, distortion, 1.0), jnp.where(bound, perception, 0.5)), distortion)
    message, lam, w = broadcast_arguments(lax.stop_gradient(message), eigenvalues, weights)
    # Where nothing is sent the rate does not move: there the infinite slope of G at P = 0 must not meet its zero.
    still = message >= jnp.sum(w * lam, -1)
    active = bound & ~still
    moving = jnp.where(active, sent(jnp.where(active, distortion, 1.0), jnp.where(active, perception, 0.5)), distortion)
    moving = jnp.where(still | jnp.isnan(message), message, moving)
    return jnp.where(perception >= 0, _rate_distortion(moving, lam, w), jnp.nan)


def broadcast_arguments(
    budget: ArrayLike, eigenvalues: ArrayLike, weights: ArrayLike | None, *, name: str = "distortion"
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks a distortion (or rate), eigenvalues and weights, and broadcasts them.

    Inside a trace a negative or NaN eigenvalue or weight turns its distortion into NaN, and with it all results.

    Args:
      budget: distortion or rate, >= 0; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], 1 when None.
      name: what messages call the budget.

    Returns:
      The three in float64, of shapes [...], [..., n] and [..., n].

    Raises:
      ValueError: if an argument is negative, an eigenvalue or weight is infinite, or shapes do not fit.
    """
    check_domain(name, budget, minimum=0.0)
    check_domain("eigenvalues", eigenvalues, minimum=0.0, finite=True)
    eigenvalues = jnp.asarray(eigenvalues, jnp.float64)
    if eigenvalues.ndim == 0 or eigenvalues.shape[-1] == 0:
        raise ValueError(f"eigenvalues must have shape [..., n] with n >= 1, got {eigenvalues.shape}")
    if weights is None:
        weights = np.ones(eigenvalues.shape)
    check_domain("weights", weights, minimum=0.0, finite=True)
    budget, weights = jnp.asarray(budget, jnp.float64), jnp.asarray(weights, jnp.float64)
    n = eigenvalues.shape[-1]
    if weights.ndim == 0 or weights.shape[-1] != n:
        raise ValueError(f"weights must have shape [..., {n}] like eigenvalues, got {weights.shape}")
    batch = jnp.broadcast_shapes(budget.shape, eigenvalues.shape[:-1], weights.shape[:-1])
    if all_concrete(budget, eigenvalues, weights):  # checked above; NumPy needs no program for each shape
        budget, eigenvalues, weights = (
            jnp.asarray(np.broadcast_to(np.asarray(array), shape))
            for array, shape in ((budget, batch), (eigenvalues, (*batch, n)), (weights, (*batch, n))))
        return budget, eigenvalues, weights
    return _nan_outside(
        jnp.broadcast_to(budget, batch), jnp.broadcast_to(eigenvalues, (*batch, n)),
        jnp.broadcast_to(weights, (*batch, n)))


@jax.jit
def _nan_outside(budget: jax.Array, eigenvalues: jax.Array, weights: jax.Array):
    admissible = (eigenvalues >= 0) & (eigenvalues < jnp.inf) & (weights >= 0) & (weights < jnp.inf)
    return (
        jnp.where(jnp.all(admissible, -1), budget, jnp.nan),
        jnp.where(admissible, eigenvalues, 1.0),
        jnp.where(admissible, weights, 1.0),
    )


@jax.jit
def _rate_distortion(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    rate = water_filling_rate(distortion, eigenvalues, weights)
    rate = rate + infinite_at_zero(distortion, eigenvalues, weights)
    return jnp.where(distortion >= 0, nats_to_bits(rate), jnp.nan)


def water_filling_rate(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    """Computes R(D) for broadcast arguments.

    Args:
      distortion: squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n].

    Returns:
      Rate in nats, shape [...]; 0 at D = 0, where `infinite_at_zero` is to be added.
    """
    total = jnp.sum(weights * eigenvalues, -1)
    coded = (distortion > 0) & (distortion < total)
    level = _water_level(jnp.where(coded, distortion, 0.5 * total), eigenvalues, weights)
    level = jnp.where(coded, level, 1.0)[..., None]
    active = eigenvalues > level
    log_ratio = jnp.log(jnp.where(active, eigenvalues, 1.0) / jnp.where(active, level, 1.0))
    primal = jnp.sum(weights * 0.5 * jnp.where(active, log_ratio, 0.0), -1)
    # The dual function at beta = 1/(2 theta): min over D_i of the Lagrangian, component by component.
    least = jnp.where(active, 0.5 * log_ratio + 0.5, 0.5 * eigenvalues / level)
    dual = jnp.sum(weights * least, -1) - 0.5 * jnp.where(coded, distortion, 1.0) / level[..., 0]
    return jnp.where(coded, dual + lax.stop_gradient(primal - dual), 0.0)


def infinite_at_zero(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    """Computes -1/2 sum_{lam > 0} ln D where D = 0 and some lam > 0 (R = inf, slope -inf), else 0.

    Args:
      distortion: squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n].

    Returns:
      inf or 0, in nats; shape [...].
    """
    dimension = jnp.sum(jnp.where(eigenvalues > 0, weights, 0.0), -1)
    infinite = (distortion == 0) & (dimension > 0)
    return jnp.where(infinite, -0.5 * dimension * jnp.log(jnp.where(infinite, distortion, 1.0)), 0.0)


def _water_level(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    """theta with sum w_i min(theta, lam_i) = D.

    The left side is concave and piecewise linear, the least of its pieces: theta is the largest of their
    solutions, one for each number k of components below the water.
    """
    order = jnp.argsort(eigenvalues, -1)
    lam, w = jnp.take_along_axis(eigenvalues, order, -1), jnp.take_along_axis(weights, order, -1)
    below = jnp.cumsum(w * lam, -1) - w * lam
    above = jnp.cumsum(w[..., ::-1], -1)[..., ::-1]
    pieces = (distortion[..., None] - below) / jnp.where(above > 0, above, 1.0)
    return jnp.max(jnp.where(above > 0, pieces, -jnp.inf), -1)


@jax.jit
def _water_filling(distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> Components:
    level, nats, distortions = reverse_water_filling(distortion, eigenvalues, weights)
    return Components(level, nats_to_bits(nats), distortions, eigenvalues - distortions)


def reverse_water_filling(
    distortion: jax.Array, eigenvalues: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Computes what reverse water-filling gives each component, for broadcast arguments.

    Args:
      distortion: squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n].

    Returns:
      Water level, [...]; nats and squared error of each component before weighting, [..., n] each.
    """
    level = _water_level(distortion, eigenvalues, weights)
    level = jnp.minimum(level, jnp.max(jnp.where(weights > 0, eigenvalues, 0.0), -1))
    level = jnp.where(distortion >= 0, level, jnp.nan)
    distortions = jnp.minimum(level[..., None], eigenvalues)
    positive = eigenvalues > 0
    ratio = jnp.where(positive, eigenvalues, 1.0) / jnp.where(positive, distortions, 1.0)
    return level, 0.5 * jnp.log(ratio), distortions


@jax.jit
def _distortion_rate(rate: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    nats = bits_to_nats(rate)
    order = jnp.argsort(-eigenvalues, -1)
    lam, w = jnp.take_along_axis(eigenvalues, order, -1), jnp.take_along_axis(weights, order, -1)
    positive = lam > 0
    finite = (nats >= 0) & (nats < jnp.inf) & jnp.any(positive & (w > 0), -1)
    # 2R = sum w_i [ln lam_i - ln theta]_+ is the largest of its pieces, and so is its solution.
    log_lam = jnp.log(jnp.where(positive, lam, 1.0))
    counted = jnp.where(positive, w, 0.0)
    count = jnp.cumsum(counted, -1)
    usable = count > 0
    spent = jnp.where(finite, 2.0 * nats, 0.0)[..., None]
    pieces = (jnp.cumsum(counted * log_lam, -1) - spent) / jnp.where(usable, count, 1.0)
    log_level = jnp.max(jnp.where(usable & positive, pieces, -jnp.inf), -1)
    log_level = jnp.where(finite, log_level, 0.0)
    level = jnp.exp(log_level)[..., None]
    active = positive & (log_lam > log_level[..., None])
    primal = jnp.sum(w * jnp.where(active, level, lam), -1)
    least = jnp.where(active, level * (1.0 + log_lam - log_level[..., None]), lam)
    dual = jnp.sum(w * least, -1) - level[..., 0] * spent[..., 0]
    distortion = jnp.where(finite, dual + lax.stop_gradient(primal - dual), 0.0)
    return jnp.where(nats >= 0, distortion, jnp.nan)
