"""A primal-dual interior-point method for the best decoder of a given message, under realism.

min over J >= 0 and q of sum J(z, y) c(z, y) with row sums J 1 = r, column sums J' 1 = q and delta(p, q) <= P. With
multipliers a, h and t of the three, a point is optimal if c - a + h = Z >= 0, J Z = 0, and h is a subgradient of
t delta at q. The blocks of `theory.discrete.perception.blocks` bring that last condition, and the steps of q and delta
that follow from those of h and t. Eliminating J, Z and a leaves a system in (h, t).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from theory.discrete.classical.interior_point import largest_step
from theory.discrete.perception.blocks import Block, PairState


class Point(NamedTuple):
    """Primal and dual variables.

    Attributes:
      joint: J, [k, n].
      reduced: Z, its reduced costs, [k, n].
      row_price: a, [k].
      critic: h, [n].
      multiplier: t; scalar.
      slack: P - delta; scalar.
      block: the divergence's variables.
    """

    joint: jax.Array
    reduced: jax.Array
    row_price: jax.Array
    critic: jax.Array
    multiplier: jax.Array
    slack: jax.Array
    block: PairState


class Method(NamedTuple):
    """What stays the same from step to step.

    Attributes:
      cost: c with 0 for pairs that are not live, [k, n].
      live: pairs that may be used, [k, n] booleans.
      rows: r, [k].
      block: the divergence.
      budget: P; scalar.
      bounded: whether there is a constraint on the divergence (else q is given).
      gauge: whether the block leaves the mean of h undetermined.
      weights: relative products of the pairs on the central path, [k, n].
      count: all weights together; scalar.
    """

    cost: jax.Array
    live: jax.Array
    rows: jax.Array
    block: Block
    budget: jax.Array
    bounded: bool
    gauge: bool
    weights: jax.Array
    count: jax.Array


class _State(NamedTuple):
    point: Point
    best: Point
    merit: jax.Array
    iterations: jax.Array
    stalled: jax.Array


def _factored(method: Method, point: Point) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The matrix of (h, t), its scaling, and the Cholesky factor of the scaled one."""
    block = method.block.eliminate(point.block, point.critic, point.multiplier, jnp.zeros_like(point.block.primal))
    n = point.critic.shape[0]
    weight = jnp.where(method.live, point.joint / point.reduced, 0.0)
    total = weight.sum(1)
    scaled = weight / jnp.sqrt(jnp.where(total > 0, total, 1.0))[:, None]
    # A Laplacian, formed without cancellation: its diagonal is what the rest of its row lacks.
    coupling = scaled.T @ scaled
    coupling = coupling - jnp.diag(jnp.diag(coupling))
    laplacian = jnp.diag(coupling.sum(1)) - coupling + block.compliance
    if method.gauge:
        laplacian = laplacian + jnp.mean(jnp.diag(laplacian)) / n
    corner = block.theta + point.slack / point.multiplier if method.bounded else jnp.ones(())
    side = -block.omega[:, None]
    matrix = jnp.block([[laplacian, side], [side.T, corner.reshape(1, 1)]])
    diagonal = jnp.diag(matrix)
    matrix = matrix + jnp.diag(jnp.where(diagonal > 0, 0.0, 1.0))
    scaling = 1.0 / jnp.sqrt(jnp.diag(matrix))
    unit = matrix * scaling[:, None] * scaling[None]
    factor = jnp.linalg.cholesky(unit + 1e-14 * jnp.eye(n + 1))
    factor = lax.cond(jnp.all(jnp.isfinite(factor)), lambda: factor,
                      lambda: jnp.linalg.cholesky(unit + 1e-11 * jnp.eye(n + 1)))
    return matrix, scaling, factor


def _direction(method: Method, point: Point, system, targets, block_targets, slack_target) -> Point:
    """The Newton step towards given products."""
    joint, reduced, a, h, t, slack, state = point
    weight = jnp.where(method.live, joint / reduced, 0.0)
    total = weight.sum(1)
    safe_total = jnp.where(total > 0, total, 1.0)
    residual = jnp.where(method.live, method.cost - a[:, None] + h[None] - reduced, 0.0)
    shift = jnp.where(method.live, targets / reduced - joint, 0.0) - weight * residual
    e = method.block.eliminate(state, h, t, block_targets)
    missing = method.rows - joint.sum(1) - shift.sum(1)
    right = (joint + shift).sum(0) - method.block.output_pmf(state) - e.rho + weight.T @ (missing / safe_total)
    last = method.block.value(state) + e.chi + slack_target / t - method.budget if method.bounded else jnp.zeros(())
    right = jnp.append(right, last)
    matrix, scaling, factor = system
    x = scaling * cho_solve((factor, True), scaling * right)
    x = x + scaling * cho_solve((factor, True), scaling * (right - matrix @ x))
    dh, dt = x[:-1], x[-1] if method.bounded else jnp.zeros(())
    da = (missing + weight @ dh) / safe_total
    change = jnp.where(method.live, residual - da[:, None] + dh[None], 0.0)
    dslack = (slack_target - t * slack - slack * dt) / t if method.bounded else jnp.zeros(())
    djoint = shift + weight * (da[:, None] - dh[None])
    dblock = method.block.back_substitute(state, h, t, block_targets, dh, dt)
    return Point(djoint, change, da, dh, dt, dslack, dblock)


def _longest(method: Method, point: Point, step: Point) -> tuple[jax.Array, jax.Array]:
    primal = largest_step(
        jnp.concatenate([point.joint.ravel(), point.block.primal.ravel(), point.slack[None]]),
        jnp.concatenate([step.joint.ravel(), step.block.primal.ravel(), step.slack[None]]))
    dual = largest_step(
        jnp.concatenate([point.reduced.ravel(), point.block.dual.ravel(), point.multiplier[None]]),
        jnp.concatenate([step.reduced.ravel(), step.block.dual.ravel(), step.multiplier[None]]))
    shortest = jnp.minimum(primal, dual)
    return (primal, dual) if method.block.linear or not method.bounded else (shortest, shortest)


def _products(method: Method, point: Point) -> jax.Array:
    """The sum of all products of pairs."""
    pairs = jnp.where(method.live, point.joint * point.reduced, 0.0).sum()
    pairs += jnp.where(method.block.weights > 0, point.block.primal * point.block.dual, 0.0).sum()
    return pairs + (point.multiplier * point.slack if method.bounded else 0.0)


def _merit(method: Method, point: Point) -> jax.Array:
    """Products and violations together, in units of the cost."""
    q, joint = method.block.output_pmf(point.block), point.joint
    violation = jnp.abs(method.rows - joint.sum(1)).sum() + jnp.abs(q - joint.sum(0)).sum()
    dual = jnp.where(method.live, method.cost - point.row_price[:, None] + point.critic[None] - point.reduced, 0.0)
    violation += jnp.abs(dual).max()
    if method.bounded:
        missed = jnp.maximum(method.block.value(point.block) - method.budget, 0.0)
        violation += point.multiplier * missed + missed / method.budget
        violation += method.block.residual(point.block, point.critic, point.multiplier)
    return _products(method, point) + 20.0 * violation


def _moved(point: Point, step: Point, primal: jax.Array, dual: jax.Array) -> Point:
    sizes = Point(primal, dual, dual, dual, dual, primal, PairState(primal, dual, dual))
    return jax.tree.map(lambda x, dx, size: x + size * dx, point, step, sizes)


def _step(method: Method, state: _State) -> _State:
    """One predictor-corrector step; the best point seen is kept."""
    point, block = state.point, method.block
    merit = _merit(method, point)
    better = merit < state.merit
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, state.best)
    system = _factored(method, point)
    first = _direction(method, point, system, jnp.zeros_like(point.joint), jnp.zeros_like(point.block.primal),
                       jnp.zeros(()))
    a, b = (jnp.minimum(size, 1.0) for size in _longest(method, point, first))
    tried = _moved(point, first, a, b)
    before = _products(method, point)
    center = jnp.clip((_products(method, tried) / jnp.maximum(before, 1e-300)) ** 3, 1e-6, 1.0) * before / method.count
    second = _direction(
        method, point, system,
        center * method.weights - a * b * first.joint * first.reduced,
        center * block.weights - a * b * (block.weights > 0) * first.block.primal * first.block.dual,
        center - a * b * first.multiplier * first.slack)
    a, b = (jnp.where(x >= 1.0 / 0.99, 1.0, 0.99 * x) for x in _longest(method, point, second))
    moved = _moved(point, second, a, b)
    finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(moved)]))
    stalled = ~finite | (jnp.minimum(a, b) < 1e-10)
    return _State(moved, best, jnp.minimum(merit, state.merit), state.iterations + 1, stalled)


def solve(
    cost: jax.Array, rows: jax.Array, allowed: jax.Array, block: Block, budget: jax.Array | None, *, gauge: bool,
    tolerance: jax.Array, max_iterations: int,
) -> tuple[Point, jax.Array]:
    """Follows the central path from an independent decoder.

    Args:
      cost: c(z, y) >= 0, of order 1, [k, n]; +inf forbids a pair.
      rows: pmf of the message, [k].
      allowed: output letters that may be used, [n] booleans.
      block: the divergence, or the block of a given output pmf.
      budget: P > 0 in units of the block; None if the output pmf is given.
      gauge: whether the block leaves the mean of h undetermined.
      tolerance: sum of products and violations to stop at, in units of the cost.
      max_iterations: bound on the number of steps.

    Returns:
      The best `Point` and the number of steps.
    """
    live = (rows > 0)[:, None] & jnp.isfinite(cost) & allowed[None]
    start = block.start()
    q = jnp.maximum(block.output_pmf(start), 0.0)
    joint = jnp.where(live, rows[:, None] * jnp.maximum(q, 1e-3 / q.shape[0])[None], 0.0)
    share = joint.sum(1)
    joint = joint * jnp.where(share > 0, rows / jnp.where(share > 0, share, 1.0), 0.0)[:, None]
    joint = jnp.where(live, joint, 0.0)
    weights = joint * live.sum()
    bounded = budget is not None
    limit = budget if bounded else jnp.ones(())
    # Near perfect realism a smooth divergence is quadratic, and t goes like 1 / sqrt(P).
    multiplier = jnp.ones(()) if block.linear else jnp.maximum(1.0, 0.3 / jnp.sqrt(limit))
    count = weights.sum() + block.weights.sum() + float(bounded)
    method = Method(jnp.where(live, cost, 0.0), live, rows, block, limit, bounded, gauge, weights, count)
    point = Point(jnp.where(live, joint, 1.0), jnp.ones_like(joint), jnp.zeros_like(rows), jnp.zeros_like(q),
                  multiplier, 0.5 * limit, start)
    # Pairs that are not live stay where they are: their steps are zero.
    point = point._replace(joint=jnp.where(live, joint, 0.0))

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.merit > tolerance)

    state = _State(point, point, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(False))
    state = lax.while_loop(unfinished, lambda state: _step(method, state), state)
    return state.best, state.iterations
