"""A primal-dual interior-point method for the rate-distortion-perception function.

The problem: min over q with delta(p, q) <= P of max over nu, s >= 0 of

    sum_x p(x) nu(x) - s D - sum_y q(y) h(y),    h(y) = ln sum_x p(x) exp(nu(x) - s d(x, y)),

linear in q, concave in (nu, s); the inner maximum is the information rate of the best channel with output q.
Newton's method on the conditions: the posteriors S(x|y) average to p, E[d] + w = D, delta + w' = P, and the
block's (h is a subgradient of t delta at q, up to multipliers), all products of pairs driven to zero.
The block of the divergence is eliminated first: what is left is a system in nu, s and t.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from theory.discrete.classical.interior_point import largest_step
from theory.discrete.common.channels import NormalizedProblem, finite_part
from theory.discrete.perception.blocks import Block, PairState

_CURVATURE_ERROR = 4e-15  # relative; what sums of posteriors lose to rounding


class Point(NamedTuple):
    """Primal and dual variables.

    Attributes:
      log_multiplier: nu, [n].
      slope: s, nats per unit of normalized distortion; scalar.
      slack: w = D - E[d]; scalar.
      perception_multiplier: t, nats per unit of normalized perception; scalar.
      perception_slack: w' = P - delta; scalar.
      block: the divergence's variables.
    """

    log_multiplier: jax.Array
    slope: jax.Array
    slack: jax.Array
    perception_multiplier: jax.Array
    perception_slack: jax.Array
    block: PairState


class _State(NamedTuple):
    point: Point
    best: Point
    merit: jax.Array
    iterations: jax.Array
    stalled: jax.Array


def posteriors(problem: NormalizedProblem, log_multiplier: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Posteriors S(x|y) proportional to p(x) exp(nu(x) - s d(x, y)) and their log-normalizers h(y).

    Args:
      problem: the normalized problem.
      log_multiplier: nu, [n].
      slope: s, nats per unit of normalized distortion.

    Returns:
      S [n, m], columns sum to one; h [m].
    """
    pmf, distortion = problem.pmf, problem.distortion
    log_pmf = jnp.where(pmf > 0, jnp.log(jnp.where(pmf > 0, pmf, 1.0)), -jnp.inf)
    logits = (log_pmf + log_multiplier)[:, None] - slope * finite_part(distortion)
    logits = jnp.where(jnp.isinf(distortion) | (pmf == 0)[:, None], -jnp.inf, logits)
    top = logits.max(0)
    top = jnp.where(jnp.isinf(top), 0.0, top)
    weights = jnp.exp(logits - top[None])
    total = weights.sum(0)
    reachable = total > 0
    h = jnp.where(reachable, top + jnp.log(jnp.where(reachable, total, 1.0)), -1e3)
    return weights / jnp.where(reachable, total, 1.0)[None], h


class Method(NamedTuple):
    """What stays the same from step to step.

    Attributes:
      problem: the normalized problem, square.
      block: the divergence.
      distortion: finite part of the problem's distortion, [n, n].
      target: the distortion D, normalized; scalar.
      perception_budget: the perception P, normalized; scalar.
      fixed_slope: whether s is given, and D not used.
      fixed_multiplier: whether t is given, and P not used.
      scalar_weight: products of the two constraints on the central path, relative to the block's.
      pair_count: number of products, weighed.
      frozen: 1 for unknowns (nu, s, t) that do not move, [n + 2].
      tolerance: sum of complementarity products and residuals to stop at, nats.
      gauge: whether the block leaves the mean of nu undetermined.
    """

    problem: NormalizedProblem
    block: Block
    distortion: jax.Array
    target: jax.Array
    perception_budget: jax.Array
    fixed_slope: bool
    fixed_multiplier: bool
    scalar_weight: jax.Array
    pair_count: jax.Array
    frozen: jax.Array
    tolerance: jax.Array
    gauge: bool

    @property
    def moves(self) -> tuple[float, float]:
        """1.0 where the slope, and the perception multiplier, are unknowns."""
        return float(not self.fixed_slope), float(not self.fixed_multiplier)


class Measures(NamedTuple):
    """What a step needs to know of the point that it starts at.

    Attributes:
      posterior: S(x|y), [n, n].
      response: h(y), [n].
      output: q, [n].
      mean: E[d | y], [n].
      variance: Var[d | y], [n].
      achieved: E[d]; scalar.
      divergence: delta as the block has it; scalar.
      row: source pmf that the posteriors average to, [n].
      total: sum of all products; scalar.
      merit: products and residuals together, nats; scalar.
    """

    posterior: jax.Array
    response: jax.Array
    output: jax.Array
    mean: jax.Array
    variance: jax.Array
    achieved: jax.Array
    divergence: jax.Array
    row: jax.Array
    total: jax.Array
    merit: jax.Array


class Factorization(NamedTuple):
    """A symmetric matrix and the Cholesky factor of its diagonally scaled self."""

    matrix: jax.Array
    scaling: jax.Array
    factor: jax.Array


def _measure(method: Method, point: Point) -> Measures:
    move_s, move_t = method.moves
    nu, s, w, t, perception_slack, state = point
    block, d = method.block, method.distortion
    S, h = posteriors(method.problem, nu, s)
    q = block.output_pmf(state)
    mean = (S * d).sum(0)
    variance = jnp.maximum((S * d * d).sum(0) - mean**2, 0.0)
    achieved, delta, row = q @ mean, block.value(state), S @ q
    products = jnp.where(block.weights > 0, state.primal * state.dual, 0.0)
    total = products.sum() + move_s * s * w + move_t * t * perception_slack
    residual = (
        jnp.abs(method.problem.pmf - row).sum()
        + move_s * s * jnp.abs(achieved + w - method.target)
        + move_t * t * jnp.abs(delta + perception_slack - method.perception_budget)
    )
    # What a channel misses by the share e is repaired at a cost of at most e H(X). Residuals count twentyfold:
    # near the end one more step all but removes them.
    missed = jnp.maximum(
        0.0 if method.fixed_slope else achieved / method.target - 1.0,
        0.0 if method.fixed_multiplier else delta / method.perception_budget - 1.0,
    )
    residual = residual + block.residual(state, h, t)
    merit = total + 20.0 * (residual + jnp.maximum(missed, 0.0))
    return Measures(S, h, q, mean, variance, achieved, delta, row, total, merit)


def _newton_matrix(method: Method, point: Point, here: Measures) -> Factorization:
    """The system in (nu, s, t) that is left when the block is eliminated, factored."""
    S, h, q, mean = here.posterior, here.response, here.output, here.mean
    s, t = point.slope, point.perception_multiplier
    n = q.shape[0]
    block = method.block.eliminate(point.block, h, t, jnp.zeros_like(point.block.primal))
    # d(Sq)/d nu and d(Sq)/d s at fixed q.
    bend = (S * (mean[None] - method.distortion)) @ q
    # Beside letters that lead to themselves alone the difference is rounding, which would ask for thousands of nats.
    known = 1.0 + _CURVATURE_ERROR
    curvature = jnp.diag(known * here.row) + S @ (block.compliance - jnp.diag(q)) @ S.T
    if method.gauge:
        curvature = curvature + jnp.mean(here.row)
    by_slope = (bend - S @ (block.compliance @ mean))[:, None]
    pull = (-S @ block.omega)[:, None]
    slope_slope = (q @ here.variance + mean @ block.compliance @ mean + point.slack / s).reshape(1, 1)
    slope_multiplier = (mean @ block.omega).reshape(1, 1)
    multiplier_multiplier = (block.theta + point.perception_slack / t).reshape(1, 1)
    matrix = jnp.block(
        [
            [curvature, by_slope, pull],
            [by_slope.T, slope_slope, slope_multiplier],
            [pull.T, slope_multiplier, multiplier_multiplier],
        ]
    )
    matrix = jnp.where((method.frozen[:, None] + method.frozen[None]) > 0, jnp.diag(method.frozen), matrix)
    scaling = 1.0 / jnp.sqrt(jnp.diag(matrix))
    scaled = matrix * scaling[:, None] * scaling[None]
    factor = jnp.linalg.cholesky(scaled + 1e-14 * jnp.eye(n + 2))
    # Rounding may leave a matrix that is not positive definite; the refinement below makes up for the ridge.
    factor = lax.cond(
        jnp.all(jnp.isfinite(factor)),
        lambda: factor,
        lambda: jnp.linalg.cholesky(scaled + 1e-11 * jnp.eye(n + 2)),
    )
    return Factorization(matrix, scaling, factor)


def _solve_linear(system: Factorization, right: jax.Array) -> jax.Array:
    """Solves by the factor, with one step of refinement."""
    matrix, scaling, factor = system
    x = scaling * cho_solve((factor, True), scaling * right)
    return x + scaling * cho_solve((factor, True), scaling * (right - matrix @ x))


def _direction(
    method: Method, point: Point, here: Measures, system: Factorization,
    targets: jax.Array, slack_target: jax.Array, perception_target: jax.Array,
) -> Point:
    """The Newton step towards given products: the block's, s w and t w'."""
    move_s, move_t = method.moves
    _, s, w, t, perception_slack, state = point
    S, h, mean = here.posterior, here.response, here.mean
    n = mean.shape[0]
    e = method.block.eliminate(state, h, t, targets)
    right = jnp.concatenate(
        [
            method.problem.pmf - here.row - S @ e.rho,
            jnp.array([here.achieved - method.target + slack_target / s + mean @ e.rho]),
            jnp.array([here.divergence - method.perception_budget + perception_target / t + e.chi]),
        ]
    )
    x = _solve_linear(system, jnp.where(method.frozen > 0, 0.0, right))
    dnu, ds, dt = x[:n], x[n], x[n + 1]
    dh = S.T @ dnu - mean * ds
    dblock = method.block.back_substitute(state, h, t, targets, dh, dt)
    dw = move_s * (slack_target - s * w - w * ds) / s
    dperception = move_t * (perception_target - t * perception_slack - perception_slack * dt) / t
    return Point(dnu, ds, dw, dt, dperception, dblock)


def _longest_steps(block: Block, point: Point, step: Point) -> tuple[jax.Array, jax.Array]:
    """The longest steps of primal (plan, slacks) and dual (multipliers) that keep all of them positive."""
    primal = largest_step(
        jnp.append(point.block.primal.ravel(), jnp.stack([point.slack, point.perception_slack])),
        jnp.append(step.block.primal.ravel(), jnp.stack([step.slack, step.perception_slack])),
    )
    dual = largest_step(
        jnp.append(point.block.dual.ravel(), jnp.stack([point.slope, point.perception_multiplier])),
        jnp.append(step.block.dual.ravel(), jnp.stack([step.slope, step.perception_multiplier])),
    )
    shortest = jnp.minimum(primal, dual)
    return (primal, dual) if block.linear else (shortest, shortest)


def _corrected_direction(
    method: Method, point: Point, here: Measures, system: Factorization, first: Point
) -> Point:
    """Mehrotra's step: to the center that the affine step `first` suggests, less its second-order error."""
    move_s, move_t = method.moves
    block, state = method.block, point.block
    a, b = (jnp.minimum(size, 1.0) for size in _longest_steps(block, point, first))
    s, t, w, perception_slack = point.slope, point.perception_multiplier, point.slack, point.perception_slack
    pairs = (state.primal + a * first.block.primal) * (state.dual + b * first.block.dual)
    after = (
        jnp.sum((block.weights > 0) * pairs)
        + move_s * (s + b * first.slope) * (w + a * first.slack)
        + move_t * (t + b * first.perception_multiplier) * (perception_slack + a * first.perception_slack)
    )
    mu = here.total / jnp.maximum(method.pair_count, 1.0)
    # Products far below what the tolerance needs only spoil the conditioning.
    center = jnp.clip((after / jnp.maximum(here.total, 1e-300)) ** 3, 1e-6, 1.0) * mu
    center = jnp.maximum(center, 0.2 * method.tolerance / jnp.maximum(method.pair_count, 1.0))
    return _direction(
        method, point, here, system,
        center * block.weights - a * b * (block.weights > 0) * first.block.primal * first.block.dual,
        method.scalar_weight * center - a * b * first.slope * first.slack,
        method.scalar_weight * center - a * b * first.perception_multiplier * first.perception_slack,
    )  # fmt: skip


def _step(method: Method, state: _State) -> _State:
    """One predictor-corrector step; the best point seen is kept."""
    point = state.point
    here = _measure(method, point)
    better = here.merit < state.merit
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, state.best)

    system = _newton_matrix(method, point, here)
    zero = jnp.zeros(())
    first = _direction(method, point, here, system, jnp.zeros_like(point.block.primal), zero, zero)
    second = _corrected_direction(method, point, here, system, first)
    a, b = (jnp.where(x >= 1.0 / 0.99, 1.0, 0.99 * x) for x in _longest_steps(method.block, point, second))
    b = jnp.minimum(b, 4.0 / jnp.maximum(jnp.abs(second.log_multiplier).max(), 1e-300))
    if not method.block.linear:
        a = b = jnp.minimum(a, b)
    sizes = Point(b, b, a, b, a, PairState(a, b, b))
    moved = jax.tree.map(lambda x, dx, size: x + size * dx, point, second, sizes)
    finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(moved)]))
    stalled = ~finite | (jnp.minimum(a, b) < 1e-10)
    return _State(moved, best, jnp.minimum(here.merit, state.merit), state.iterations + 1, stalled)


def solve(
    problem: NormalizedProblem,
    block: Block,
    *,
    slope: jax.Array,
    perception_multiplier: jax.Array,
    target: jax.Array,
    perception_budget: jax.Array,
    fixed_slope: bool,
    fixed_multiplier: bool,
    tolerance: jax.Array,
    max_iterations: int,
    gauge: bool,
    log_multiplier: jax.Array | None = None,
) -> tuple[Point, jax.Array]:
    """Follows the central path from the block's starting point.

    Args:
      problem: the normalized problem, square.
      block: the divergence.
      slope: s if it is fixed, else a first guess.
      perception_multiplier: t if it is fixed, else a first guess.
      target: the distortion D, normalized; not used if the slope is fixed.
      perception_budget: the perception P; not used if its multiplier is fixed.
      fixed_slope: whether s is given.
      fixed_multiplier: whether t is given.
      tolerance: sum of complementarity products and residuals to stop at, nats.
      max_iterations: bound on the number of Newton steps.
      gauge: whether the block leaves the mean of nu undetermined.
      log_multiplier: first guess of nu, [n]; zeros when None.

    Returns:
      The best `Point` and the number of steps.
    """
    p = problem.pmf
    move_s, move_t = float(not fixed_slope), float(not fixed_multiplier)
    # The two constraints of the problem weigh as much as a fiftieth of all pairs together: with weight one
    # their slacks would vanish long before the rest is ready.
    scalar_weight = jnp.maximum(1.0, 0.02 * block.weights.sum())
    pair_count = block.weights.sum() + scalar_weight * (move_s + move_t)
    frozen = jnp.concatenate([jnp.where(p > 0, 0.0, 1.0), jnp.array([1 - move_s, 1 - move_t])])
    method = Method(
        problem, block, finite_part(problem.distortion), target, perception_budget, fixed_slope, fixed_multiplier,
        scalar_weight, pair_count, frozen, tolerance, gauge,
    )  # fmt: skip

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.merit > tolerance)

    slack = jnp.where(fixed_slope, 0.0, 0.5 * target)
    perception_slack = jnp.where(fixed_multiplier, 0.0, 0.5 * perception_budget)
    slope, perception_multiplier = (jnp.asarray(x, jnp.float64) for x in (slope, perception_multiplier))
    nu = jnp.zeros(p.shape[0]) if log_multiplier is None else log_multiplier
    point = Point(nu, slope, slack, perception_multiplier, perception_slack, block.start())
    state = _State(point, point, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(False))
    state = lax.while_loop(unfinished, lambda state: _step(method, state), state)
    return state.best, state.iterations
