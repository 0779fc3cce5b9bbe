"""A primal-dual interior-point method for the rate-distortion function of a finite alphabet.

The problem: max over s >= 0 of min over q >= 0 of

    L(q, s) = -sum_x p(x) ln (K q)(x) + sum_y q(y) - 1 - s D,    K = exp(-s d),

convex in the output weights q, concave in the slope s. With c = K'(p / Kq), its optimality conditions are
c <= 1, q >= 0, q (1 - c) = 0 and E[d] <= D, s >= 0, s (D - E[d]) = 0 (sum q = 1 follows). Mehrotra's
predictor-corrector steps follow the path q z = s w = mu with z = 1 - c, w = D - E[d].

Reference: [blahut1972computation, mehrotra1992implementation] S. Mehrotra, "On the implementation of a primal-dual
interior point method", SIAM J. Optim. 2(4), 1992; the optimality conditions are those of R. Blahut, IEEE T-IT 18(4),
1972. The paper's problem is linear; here each step linearizes c and E[d] anew.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from theory.discrete.common.channels import NormalizedProblem, finite_part, kernel


class Iterate(NamedTuple):
    """Where a solver of the rate-distortion problem stands.

    Attributes:
      weights: output weights q, [m], positive, 0 for letters that no channel may use (not normalized inside the
        interior-point method).
      slope: s, nats per unit of normalized distortion; scalar.
      gap: what the certificate is off by, in nats, as estimated in the iteration; scalar.
      iterations: how many steps were made.
    """

    weights: jax.Array
    slope: jax.Array
    gap: jax.Array
    iterations: jax.Array


class _State(NamedTuple):
    weights: jax.Array
    reduced_costs: jax.Array
    slope: jax.Array
    slack: jax.Array
    best: Iterate
    iterations: jax.Array
    stalled: jax.Array


def largest_step(value: jax.Array, direction: jax.Array) -> jax.Array:
    """Computes the largest step along a direction that keeps a positive array non-negative.

    Args:
      value: the array, any shape, positive.
      direction: of the step, same shape.

    Returns:
      The step's length, scalar; inf where no entry shrinks.
    """
    shrinking = direction < 0
    return jnp.min(jnp.where(shrinking, -value / jnp.where(shrinking, direction, -1.0), jnp.inf))


class Method(NamedTuple):
    """What stays the same from step to step.

    Attributes:
      problem: the normalized problem.
      live: output letters that some letter of the source may be mapped to, [m] booleans; the others keep weight 0.
      distortion: finite part of the problem's distortion, [n, m].
      target: the distortion D, normalized; scalar.
      fixed_slope: whether s is given, and D not used.
      tolerance: gap to stop at, nats; scalar.
    """

    problem: NormalizedProblem
    live: jax.Array
    distortion: jax.Array
    target: jax.Array
    fixed_slope: bool
    tolerance: jax.Array

    @property
    def pairs(self) -> jax.Array:
        """Number of complementary pairs."""
        return self.live.sum() + (0.0 if self.fixed_slope else 1.0)


class Measures(NamedTuple):
    """What a step needs to know of where it starts.

    Attributes:
      responses: c, [m].
      achieved: E[d]; scalar.
      cross: derivative of L by q and s, [m].
      curvature: minus its second derivative by s; scalar.
      scaled: factor B of the Newton matrix diag(z/q) + B'B, its columns times sqrt(q/z), [n, m].
      gap: what the certificate is off by, in nats; scalar.
    """

    responses: jax.Array
    achieved: jax.Array
    cross: jax.Array
    curvature: jax.Array
    scaled: jax.Array
    gap: jax.Array


def _measure(method: Method, state: _State) -> Measures:
    pmf, finite = method.problem.pmf, method.distortion
    q, s = state.weights, state.slope
    k = kernel(method.problem.distortion, s)
    kd = k * finite
    total = k @ q
    ratio = pmf / total
    c = ratio @ k
    mean = (kd @ q) / total
    variance = ((kd * finite) @ q) / total - mean**2
    achieved = pmf @ mean
    cross = ratio @ kd - (ratio * mean) @ k
    curvature = pmf @ jnp.maximum(variance, 0.0)
    gap = jnp.log(c.max() * q.sum())
    if not method.fixed_slope:
        gap = gap + s * jnp.abs(achieved - method.target)
    scaling = jnp.sqrt(q / state.reduced_costs)
    return Measures(c, achieved, cross, curvature, k * (jnp.sqrt(pmf) / total)[:, None] * scaling[None], gap)


def _inverse(method: Method, state: _State, here: Measures) -> Callable[[jax.Array], jax.Array]:
    """Applies the inverse of diag(z/q) + B'B, 0 for letters that are not live.

    Scaled to identity + positive semidefinite, Cholesky does not break down, except for the rounding of entries near
    1/eps, which the ridge absorbs.
    """
    scaling = jnp.sqrt(state.weights / state.reduced_costs)
    matrix = here.scaled.T @ here.scaled
    ridge = 1.0 + 1e-15 * jnp.trace(matrix)
    factor = jnp.linalg.cholesky(matrix + ridge * jnp.eye(scaling.shape[0]))
    return lambda vector: scaling * cho_solve((factor, True), scaling * vector)


def _direction(method: Method, state: _State, here: Measures, inverse, inverse_cross, pair_target, slack_target):
    """The Newton step towards given products q z and s w."""
    q, z, s, w = state.weights, state.reduced_costs, state.slope, state.slack
    by_weight = jnp.where(method.live, pair_target / jnp.where(method.live, q, 1.0), 0.0)
    residual = inverse(here.responses - 1.0 + by_weight)
    if method.fixed_slope:
        ds = dw = jnp.zeros(())
    else:
        ds = here.cross @ residual - (method.target - here.achieved - slack_target / s)
        ds = ds / (here.cross @ inverse_cross + here.curvature + w / s)
        dw = (slack_target - s * w - w * ds) / s
    dq = residual - inverse_cross * ds
    dz = jnp.where(method.live, (pair_target - q * z - z * dq) / jnp.where(method.live, q, 1.0), 0.0)
    return dq, dz, ds, dw


def _longest_step(method: Method, state: _State, step) -> jax.Array:
    dq, dz, ds, dw = step
    inner = jnp.minimum(largest_step(state.weights, dq), largest_step(state.reduced_costs, dz))
    if method.fixed_slope:
        return inner
    return jnp.minimum(inner, jnp.minimum(largest_step(state.slope, ds), largest_step(state.slack, dw)))


def _step(method: Method, state: _State) -> _State:
    """One predictor-corrector step; the best iterate seen is kept."""
    q, z, s, w = state.weights, state.reduced_costs, state.slope, state.slack
    moving = 0.0 if method.fixed_slope else 1.0
    here = _measure(method, state)
    reached = Iterate(q, s, here.gap, state.iterations)
    best = jax.tree.map(lambda new, old: jnp.where(here.gap < state.best.gap, new, old), reached, state.best)
    inverse = _inverse(method, state, here)
    inverse_cross = inverse(here.cross) * moving

    mu = (q @ z + moving * s * w) / method.pairs
    first = _direction(method, state, here, inverse, inverse_cross, jnp.zeros_like(q), jnp.zeros(()))
    dq, dz, ds, dw = first
    a = jnp.minimum(_longest_step(method, state, first), 1.0)
    predicted = ((q + a * dq) @ (z + a * dz) + moving * (s + a * ds) * (w + a * dw)) / method.pairs
    # Products far below what the tolerance needs only spoil the conditioning.
    center = jnp.clip((predicted / mu) ** 3, 1e-6, 1.0) * mu
    center = jnp.maximum(center, 0.2 * method.tolerance / method.pairs)
    dq, dz, ds, dw = second = _direction(
        method, state, here, inverse, inverse_cross, center - a**2 * dq * dz, center - a**2 * ds * dw)
    reach = _longest_step(method, state, second)
    a = jnp.minimum(1.0, 0.99 * reach)
    a = jnp.where(reach >= 1.0, jnp.maximum(a, 0.99), a)

    new = (q + a * dq, z + a * dz, s + a * ds, w + a * dw)
    stalled = ~(jnp.isfinite(a) & jnp.all(jnp.isfinite(dq)) & jnp.isfinite(ds)) | (a < 1e-12)
    return _State(*new, best, state.iterations + 1, stalled)


def solve(
    problem: NormalizedProblem,
    *,
    slope: jax.Array,
    target: jax.Array,
    fixed_slope: bool,
    tolerance: jax.Array,
    max_iterations: int,
) -> Iterate:
    """Follows the central path until the certificate's estimate is below the tolerance.

    Args:
      problem: the normalized problem.
      slope: the slope if `fixed_slope`, else a first guess of it; nats per unit, > 0; scalar.
      target: the distortion to meet, normalized; not used if `fixed_slope`.
      fixed_slope: whether the slope is given, else the distortion.
      tolerance: gap to stop at, nats.
      max_iterations: bound on the number of Newton steps.

    Returns:
      The best `Iterate` seen.
    """
    live = jnp.any((problem.pmf > 0)[:, None] & jnp.isfinite(problem.distortion), 0)
    method = Method(problem, live, finite_part(problem.distortion), target, fixed_slope, tolerance)

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.best.gap > tolerance)

    weights = jnp.where(live, 1.0 / live.sum(), 0.0)
    slack = jnp.zeros(()) if fixed_slope else target
    best = Iterate(weights, slope, jnp.asarray(jnp.inf), jnp.asarray(0))
    start = _State(weights, jnp.ones(live.shape), slope, slack, best, jnp.asarray(0), jnp.asarray(False))
    return lax.while_loop(unfinished, lambda state: _step(method, state), start).best
