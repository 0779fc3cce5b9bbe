"""A primal-dual interior-point method for rates with side information.

The problem: over u_t(x) = W(t|x) >= 0,

    min sum_t f_t(u_t),    f_t(u) = sum_xy p(x, y) u(x) ln(u(x) / v(y)),    v(y) = sum_x p(x|y) u(x),

which is I(X; T | Y) for T - X - Y, subject to sum_t u_t = 1, E[c] <= D, and, with realism, q = sum_xt p u k (the
output's distribution) and delta(target, q) <= P. It is convex and falls apart into one small block for each symbol t;
what couples them is a system in nu(x), s, the critic h of the output's letters and t, the multiplier of P:

    g + s c + k h - nu = z >= 0,   u z -> 0,    g(t, x) = sum_y p(y|x) ln(u_t(x) / v_t(y)).

Mehrotra's predictor-corrector steps follow the path u z = mu.

Reference: [mehrotra1992implementation] S. Mehrotra, SIAM J. Optim. 2(4), 1992; derived in
`docs/derivations/side_information.md`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_solve

from theory.discrete.classical.interior_point import largest_step
from theory.discrete.common.channels import finite_part
from theory.discrete.perception.blocks import Block, PairState
from theory.discrete.side_information.problem import Limits


class Point(NamedTuple):
    """Primal and dual variables.

    Attributes:
      channel: u, [m, n], positive where a pair is allowed.
      reduced_costs: z, [m, n], nats.
      multiplier: nu, nats, [n].
      slope: s, nats per unit of normalized cost; scalar.
      slack: w = D - E[c]; scalar.
      critic: h, nats, [j].
      perception_multiplier: t, nats per unit of normalized perception; scalar.
      perception_slack: P - delta; scalar.
      block: the divergence's variables.
    """

    channel: jax.Array
    reduced_costs: jax.Array
    multiplier: jax.Array
    slope: jax.Array
    slack: jax.Array
    critic: jax.Array
    perception_multiplier: jax.Array
    perception_slack: jax.Array
    block: PairState


class Method(NamedTuple):
    """What stays the same from step to step.

    Attributes:
      limits: the problem, normalized.
      live: allowed pairs, [m, n].
      cost: finite part of c, [m, n].
      outputs: k, [m, n, j].
      block: the divergence.
      target: D, with a margin; scalar.
      budget: P, with a margin; scalar.
      constrained: whether there is a budget.
      scalar_weight: products of the constraints on the central path, relative to the pairs'.
      pair_count: number of products, weighed.
      frozen: 1 for unknowns (nu, s, h, t) that do not move, [n + j + 2].
      tolerance: sum of products and residuals to stop at, nats; scalar.
    """

    limits: Limits
    live: jax.Array
    cost: jax.Array
    outputs: jax.Array
    block: Block
    target: jax.Array
    budget: jax.Array
    constrained: bool
    scalar_weight: jax.Array
    pair_count: jax.Array
    frozen: jax.Array
    tolerance: jax.Array


class _State(NamedTuple):
    point: Point
    best: Point
    merit: jax.Array
    iterations: jax.Array
    stalled: jax.Array


class _Measures(NamedTuple):
    """What a step needs to know of where it starts."""

    by_side: jax.Array  # v, [m, k]
    tension: jax.Array  # g + s c + k h - nu, [m, n]
    rows: jax.Array  # 1 - sum_t u, [n]
    achieved: jax.Array  # E[c]
    missing: jax.Array  # q - sum p u k, [j]
    divergence: jax.Array
    total: jax.Array  # of all products
    merit: jax.Array


class _System(NamedTuple):
    """The eliminated system: per symbol W = dp/d tension, and the matrix in (-nu, s, h, t) with its factor."""

    response: jax.Array  # [m, n, n]
    columns: jax.Array  # [m, n, n + 1 + j]
    matrix: jax.Array
    scaling: jax.Array
    factor: jax.Array


def log_ratios(limits: Limits, channel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes g(t, x) = sum_y p(y|x) ln(u_t(x) / v_t(y)), the gradient of the rate, and v.

    Args:
      limits: the problem.
      channel: u, [m, n].

    Returns:
      g, nats, [m, n], 0 where u is 0; v, [m, k].
    """
    by_side = channel @ limits.source.given_side
    positive = channel > 0
    logs = jnp.log(jnp.where(by_side > 0, by_side, 1.0)) @ limits.source.given_letter.T
    return jnp.where(positive, jnp.log(jnp.where(positive, channel, 1.0)) - logs, 0.0), by_side


def _measure(method: Method, point: Point) -> _Measures:
    p = method.limits.source.letters
    u, z = point.channel, point.reduced_costs
    g, by_side = log_ratios(method.limits, u)
    tension = g + point.slope * method.cost + method.outputs @ point.critic - point.multiplier[None]
    tension = jnp.where(method.live, tension, 0.0)
    rows = jnp.where(p > 0, 1.0 - u.sum(0), 0.0)
    achieved = jnp.sum(p[None] * u * method.cost)
    q, delta = method.block.output_pmf(point.block), method.block.value(point.block)
    missing = q - jnp.einsum("x,tx,txj->j", p, u, method.outputs)
    moves = float(method.constrained)
    weights = method.block.weights
    products = jnp.where(weights > 0, point.block.primal * point.block.dual, 0.0)
    total = (jnp.sum(p[None] * u * z) + point.slope * point.slack + products.sum()
             + moves * point.perception_multiplier * point.perception_slack)
    stationarity = jnp.where(method.live, tension - z, 0.0)
    residual = (
        jnp.sum(p * jnp.abs(rows)) + jnp.abs(missing).sum() + jnp.sum(p * jnp.abs(stationarity).max(0))
        + point.slope * jnp.abs(achieved + point.slack - method.target)
        + method.block.residual(point.block, point.critic, point.perception_multiplier)
    )
    missed = jnp.maximum(achieved / method.target - 1.0, 0.0)
    if method.constrained:
        residual += point.perception_multiplier * jnp.abs(delta + point.perception_slack - method.budget)
        missed = jnp.maximum(missed, delta / method.budget - 1.0)
    return _Measures(by_side, tension, rows, achieved, missing, delta, total, total + 20.0 * (residual + missed))


def _factor(method: Method, point: Point, here: _Measures) -> _System:
    """Eliminates the channel, symbol by symbol, and the block, and factors what is left."""
    source, n, j = method.limits.source, method.cost.shape[1], method.outputs.shape[2]
    p, root = source.letters, jnp.sqrt(jnp.where(source.letters > 0, source.letters, 1.0))
    scaled = jnp.where(method.live, jnp.sqrt(point.channel) / root[None], 0.0)
    weight = 1.0 / jnp.where(here.by_side > 0, here.by_side * jnp.where(source.side > 0, source.side, 1.0)[None], 1.0)
    # Identity less a matrix of norm one, plus z: positive definite.
    pulled = scaled[:, :, None] * source.joint[None] * jnp.sqrt(weight)[:, None]
    own = jnp.where(method.live, 1.0 + point.reduced_costs, 1.0) + 1e-15
    matrix = own[:, :, None] * jnp.eye(n)[None] - pulled @ pulled.swapaxes(1, 2)
    factor = jnp.linalg.cholesky(matrix)
    half = jax.scipy.linalg.solve_triangular(factor, jnp.broadcast_to(jnp.eye(n), matrix.shape), lower=True)
    inverse = half.swapaxes(1, 2) @ half
    outer = jnp.where(method.live, jnp.sqrt(point.channel * p[None]), 0.0)
    response = outer[:, :, None] * inverse * outer[:, None]
    columns = jnp.concatenate(
        [jnp.broadcast_to(jnp.eye(n), response.shape), method.cost[:, :, None], method.outputs], 2)
    coupled = jnp.einsum("txa,txz,tzb->ab", columns, response, columns)
    block = method.block.eliminate(
        point.block, point.critic, point.perception_multiplier, jnp.zeros_like(point.block.primal))
    t = point.perception_multiplier
    slack = point.perception_slack / t if method.constrained else jnp.ones(())
    whole = jnp.zeros((n + j + 2, n + j + 2)).at[:-1, :-1].set(coupled)
    whole = whole.at[n, n].add(point.slack / point.slope)
    whole = whole.at[n + 1:-1, n + 1:-1].add(block.compliance)
    whole = whole.at[-1, n + 1:-1].set(-block.omega).at[n + 1:-1, -1].set(-block.omega)
    whole = whole.at[-1, -1].set(block.theta + slack)
    whole = jnp.where((method.frozen[:, None] + method.frozen[None]) > 0, jnp.diag(method.frozen), whole)
    diagonal = jnp.diag(whole)
    scaling = 1.0 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    even = whole * scaling[:, None] * scaling[None]
    # Adding a constant to nu and to h changes nothing: the ridge decides.
    lower = jnp.linalg.cholesky(even + 1e-13 * jnp.eye(n + j + 2))
    lower = lax.cond(jnp.all(jnp.isfinite(lower)), lambda: lower,
                     lambda: jnp.linalg.cholesky(even + 1e-10 * jnp.eye(n + j + 2)))
    return _System(response, columns, whole, scaling, lower)


def _solve(system: _System, right: jax.Array) -> jax.Array:
    """Solves by the factor, with one step of refinement."""
    matrix, scaling, factor = system.matrix, system.scaling, system.factor
    x = scaling * cho_solve((factor, True), scaling * right)
    return x + scaling * cho_solve((factor, True), scaling * (right - matrix @ x))


def _direction(
    method: Method, point: Point, here: _Measures, system: _System, pairs: jax.Array, targets: jax.Array,
    slack_target: jax.Array, perception_target: jax.Array,
) -> Point:
    """The Newton step towards given products: u z, the block's, s w and t w'."""
    p, n, j = method.limits.source.letters, method.cost.shape[1], method.outputs.shape[2]
    u, z, s, t = point.channel, point.reduced_costs, point.slope, point.perception_multiplier
    safe = jnp.where(method.live, u, 1.0)
    force = jnp.where(method.live, pairs / safe - here.tension, 0.0)
    e = method.block.eliminate(point.block, point.critic, t, targets)
    right = jnp.einsum("txa,txz,tz->a", system.columns, system.response, force)
    right = right - jnp.concatenate([
        p * here.rows, (method.target - here.achieved - slack_target / s)[None], here.missing + e.rho])
    last = here.divergence + perception_target / t + e.chi - method.budget if method.constrained else jnp.zeros(())
    x = _solve(system, jnp.where(method.frozen > 0, 0.0, jnp.append(right, last)))
    ds, dh, dt = x[n], x[n + 1:n + 1 + j], x[-1]
    moved = jnp.einsum("txz,tz->tx", system.response, force - system.columns @ x[:-1])
    du = moved / jnp.where(p > 0, p, 1.0)[None]
    dz = jnp.where(method.live, (pairs - u * z - z * du) / safe, 0.0)
    dblock = method.block.back_substitute(point.block, point.critic, t, targets, dh, dt)
    dw = (slack_target - s * point.slack - point.slack * ds) / s
    moves = float(method.constrained)
    dslack = moves * (perception_target - t * point.perception_slack - point.perception_slack * dt) / t
    return Point(du, dz, -x[:n], ds, dw, dh, dt, dslack, dblock)


def _longest_step(method: Method, point: Point, step: Point) -> jax.Array:
    """The longest step that keeps all that must be positive so."""
    names = ("channel", "reduced_costs", "slope", "slack", "perception_multiplier", "perception_slack")
    lengths = [largest_step(getattr(point, name), getattr(step, name)) for name in names]
    if method.block.weights.size:
        lengths += [largest_step(point.block.primal, step.block.primal),
                    largest_step(point.block.dual, step.block.dual)]
    return jnp.min(jnp.stack(lengths))


def _step(method: Method, state: _State) -> _State:
    """One predictor-corrector step; the best point seen is kept."""
    point, p, moves = state.point, method.limits.source.letters, float(method.constrained)
    here = _measure(method, point)
    better = here.merit < state.merit
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, state.best)
    system = _factor(method, point, here)
    zero, none = jnp.zeros(()), jnp.zeros_like(point.block.primal)
    first = _direction(method, point, here, system, jnp.zeros_like(point.channel), none, zero, zero)
    a = jnp.minimum(_longest_step(method, point, first), 1.0)
    after = jax.tree.map(lambda x, dx: x + a * dx, point, first)
    weights = method.block.weights
    total = (jnp.sum(p[None] * after.channel * after.reduced_costs) + after.slope * after.slack
             + jnp.sum((weights > 0) * after.block.primal * after.block.dual)
             + moves * after.perception_multiplier * after.perception_slack)
    mu = here.total / method.pair_count
    center = jnp.clip((total / here.total) ** 3, 1e-6, 1.0) * mu
    center = jnp.maximum(center, 0.2 * method.tolerance / method.pair_count)
    second = _direction(
        method, point, here, system,
        center - a**2 * first.channel * first.reduced_costs,
        center * weights - a**2 * (weights > 0) * first.block.primal * first.block.dual,
        method.scalar_weight * center - a**2 * first.slope * first.slack,
        method.scalar_weight * center - a**2 * first.perception_multiplier * first.perception_slack,
    )  # fmt: skip
    reach = _longest_step(method, point, second)
    a = jnp.where(reach >= 1.0 / 0.99, 1.0, 0.99 * reach)
    moved = jax.tree.map(lambda x, dx: x + a * dx, point, second)
    finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(moved)]))
    stalled = ~finite | (a < 1e-10)
    return _State(moved, best, jnp.minimum(here.merit, state.merit), state.iterations + 1, stalled)


def solve(
    limits: Limits, block: Block, outputs: jax.Array, *, usable: jax.Array, target: jax.Array, budget: jax.Array,
    constrained: bool, tolerance: jax.Array, max_iterations: int,
) -> tuple[Point, jax.Array]:
    """Follows the central path from the uniform channel.

    Args:
      limits: the problem, normalized.
      block: the divergence; without pairs at perfect realism, and without letters where no realism is asked for.
      outputs: k, [n, m, j].
      usable: output letters that take part, [j] booleans.
      target: D to meet, normalized, > 0; scalar.
      budget: P to meet, normalized, > 0 if `constrained`; scalar.
      constrained: whether there is a budget of perception.
      tolerance: sum of products and residuals to stop at, nats.
      max_iterations: bound on the number of Newton steps.

    Returns:
      The best `Point` and the number of steps.
    """
    p = limits.source.letters
    live = limits.live.T
    letters = jnp.any(live, 1).sum()
    moves = float(constrained)
    scalar_weight = jnp.maximum(1.0, 0.02 * (block.weights.sum() + letters))
    pair_count = letters + block.weights.sum() + scalar_weight * (1.0 + moves)
    j = outputs.shape[2]
    fixed = jnp.where(p > 0, 0.0, 1.0), jnp.zeros(1), jnp.where(usable, 0.0, 1.0), jnp.array([1.0 - moves])
    frozen = jnp.concatenate(fixed)
    method = Method(
        limits, live, jnp.where(live, finite_part(limits.costs.distortion).T, 0.0),
        jnp.where(live[:, :, None], outputs.swapaxes(0, 1), 0.0), block, target, budget, constrained, scalar_weight,
        pair_count, frozen, tolerance,
    )  # fmt: skip

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.merit > tolerance)

    channel = jnp.where(live, 1.0 / jnp.maximum(live.sum(0), 1)[None], 0.0)
    one = jnp.ones(())
    near = jnp.maximum(1.0, 0.3 / jnp.sqrt(budget)) if constrained and not block.linear else one
    point = Point(
        channel, jnp.where(live, 1.0, 0.0), jnp.zeros(p.shape[0]), 2.0 * one, 0.5 * target, jnp.zeros(j),
        near, 0.5 * budget if constrained else one, block.start())
    state = _State(point, point, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(False))
    state = lax.while_loop(unfinished, lambda state: _step(method, state), state)
    return state.best, state.iterations
