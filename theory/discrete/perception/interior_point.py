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

from theory.discrete.channels import Problem, finite_part
from theory.discrete.classical.interior_point import largest_step
from theory.discrete.perception.blocks import Block, PairState


class Point(NamedTuple):
    """Primal and dual variables.

    Attributes:
      log_multiplier: nu, [n].
      slope: s, nats per unit of normalized distortion; scalar.
      slack: w = D - E[d]; scalar.
      price: t, nats per unit of normalized perception; scalar.
      room: w' = P - delta; scalar.
      block: the divergence's variables.
    """

    log_multiplier: jax.Array
    slope: jax.Array
    slack: jax.Array
    price: jax.Array
    room: jax.Array
    block: PairState


class _State(NamedTuple):
    point: Point
    best: Point
    merit: jax.Array
    iterations: jax.Array
    stalled: jax.Array


def posteriors(problem: Problem, log_multiplier: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
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


def solve(
    problem: Problem,
    block: Block,
    *,
    slope: jax.Array,
    price: jax.Array,
    target: jax.Array,
    allowance: jax.Array,
    fixed_slope: bool,
    fixed_price: bool,
    tolerance: jax.Array,
    max_iterations: int,
    gauge: bool,
) -> tuple[Point, jax.Array]:
    """Follows the central path from the block's starting point.

    Args:
      problem: the normalized problem, square.
      block: the divergence.
      slope: s if it is fixed, else a first guess.
      price: t if it is fixed, else a first guess.
      target: the distortion D, normalized; not used if the slope is fixed.
      allowance: the perception P; not used if the price is fixed.
      fixed_slope: whether s is given.
      fixed_price: whether t is given.
      tolerance: sum of complementarity products and residuals to stop at, nats.
      max_iterations: bound on the number of Newton steps.
      gauge: whether the block leaves the mean of nu undetermined.

    Returns:
      The best `Point` and the number of steps.
    """
    p = problem.pmf
    n = p.shape[0]
    d = finite_part(problem.distortion)
    move_s, move_t = float(not fixed_slope), float(not fixed_price)
    # The two constraints of the problem weigh as much as a fiftieth of all pairs together: with weight one
    # their slacks would vanish long before the rest is ready.
    scalar_weight = jnp.maximum(1.0, 0.02 * block.weights.sum())
    pair_count = block.weights.sum() + scalar_weight * (move_s + move_t)
    frozen = jnp.concatenate([jnp.where(p > 0, 0.0, 1.0), jnp.array([1 - move_s, 1 - move_t])])

    def step(state: _State) -> _State:
        point = state.point
        nu, s, w, t, room, block_state = point
        S, h = posteriors(problem, nu, s)
        q = block.output_pmf(block_state)
        mean = (S * d).sum(0)
        variance = jnp.maximum((S * d * d).sum(0) - mean**2, 0.0)
        achieved = q @ mean
        delta = block.value(block_state)
        row = S @ q

        products = jnp.where(block.weights > 0, block_state.primal * block_state.dual, 0.0)
        total = products.sum() + move_s * s * w + move_t * t * room
        mu = total / jnp.maximum(pair_count, 1.0)
        residual = (
            jnp.abs(p - row).sum()
            + move_s * s * jnp.abs(achieved + w - target)
            + move_t * t * jnp.abs(delta + room - allowance)
        )
        # What a channel misses by the share e is repaired at a cost of at most e H(X). Residuals count twentyfold:
        # near the end one more step all but removes them.
        missed = jnp.maximum(
            0.0 if fixed_slope else achieved / target - 1.0, 0.0 if fixed_price else delta / allowance - 1.0
        )
        residual = residual + block.residual(block_state, h, t)
        merit = total + 20.0 * (residual + jnp.maximum(missed, 0.0))
        better = merit < state.merit
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, state.best)

        # d(Sq)/d nu and d(Sq)/d s at fixed q.
        bend = (S * (mean[None] - d)) @ q

        def system(elimination):
            spread = elimination.compliance - jnp.diag(q)
            curvature = jnp.diag(row) + S @ spread @ S.T
            if gauge:
                curvature = curvature + jnp.mean(row)
            stiffness = S @ (elimination.compliance @ mean)
            pull = -S @ elimination.omega
            matrix = jnp.block(
                [
                    [curvature, (bend - stiffness)[:, None], pull[:, None]],
                    [
                        (bend - stiffness)[None],
                        (q @ variance + mean @ elimination.compliance @ mean + w / s).reshape(1, 1),
                        (mean @ elimination.omega).reshape(1, 1),
                    ],
                    [
                        pull[None],
                        (mean @ elimination.omega).reshape(1, 1),
                        (elimination.theta + room / t).reshape(1, 1),
                    ],
                ]
            )
            return jnp.where((frozen[:, None] + frozen[None]) > 0, jnp.diag(frozen), matrix)

        pairs_zero = jnp.zeros_like(block_state.primal)
        matrix = system(block.eliminate(block_state, h, t, pairs_zero))
        scaling = 1.0 / jnp.sqrt(jnp.diag(matrix))
        scaled = matrix * scaling[:, None] * scaling[None]
        factor = jnp.linalg.cholesky(scaled + 1e-14 * jnp.eye(n + 2))
        # Rounding may leave a matrix that is not positive definite; the refinement below makes up for the ridge.
        factor = lax.cond(
            jnp.all(jnp.isfinite(factor)),
            lambda: factor,
            lambda: jnp.linalg.cholesky(scaled + 1e-11 * jnp.eye(n + 2)),
        )

        def solve_linear(right):
            x = scaling * cho_solve((factor, True), scaling * right)
            return x + scaling * cho_solve((factor, True), scaling * (right - matrix @ x))

        def direction(targets, slack_target, room_target):
            e = block.eliminate(block_state, h, t, targets)
            right = jnp.concatenate(
                [
                    p - row - S @ e.rho,
                    jnp.array([achieved - target + slack_target / s + mean @ e.rho]),
                    jnp.array([delta - allowance + room_target / t + e.chi]),
                ]
            )
            x = solve_linear(jnp.where(frozen > 0, 0.0, right))
            dnu, ds, dt = x[:n], x[n], x[n + 1]
            dh = S.T @ dnu - mean * ds
            dblock = block.back_substitute(block_state, h, t, targets, dh, dt)
            dw = move_s * (slack_target - s * w - w * ds) / s
            droom = move_t * (room_target - t * room - room * dt) / t
            return Point(dnu, ds, dw, dt, droom, dblock)

        def reach(step):
            """The longest steps of primal (plan, slacks) and dual (multipliers, prices) that stay positive."""
            primal = largest_step(
                jnp.append(block_state.primal.ravel(), jnp.stack([w, room])),
                jnp.append(step.block.primal.ravel(), jnp.stack([step.slack, step.room])),
            )
            dual = largest_step(
                jnp.append(block_state.dual.ravel(), jnp.stack([s, t])),
                jnp.append(step.block.dual.ravel(), jnp.stack([step.slope, step.price])),
            )
            shortest = jnp.minimum(primal, dual)
            return (primal, dual) if block.linear else (shortest, shortest)

        first = direction(pairs_zero, jnp.zeros(()), jnp.zeros(()))
        a, b = (jnp.minimum(step_size, 1.0) for step_size in reach(first))
        after = (
            jnp.sum(
                (block.weights > 0)
                * (block_state.primal + a * first.block.primal)
                * (block_state.dual + b * first.block.dual)
            )
            + move_s * (s + b * first.slope) * (w + a * first.slack)
            + move_t * (t + b * first.price) * (room + a * first.room)
        )
        # Products far below what the tolerance needs only spoil the conditioning.
        center = jnp.clip((after / jnp.maximum(total, 1e-300)) ** 3, 1e-6, 1.0) * mu
        center = jnp.maximum(center, 0.2 * tolerance / jnp.maximum(pair_count, 1.0))
        second = direction(
            center * block.weights - a * b * (block.weights > 0) * first.block.primal * first.block.dual,
            scalar_weight * center - a * b * first.slope * first.slack,
            scalar_weight * center - a * b * first.price * first.room,
        )
        a, b = (jnp.where(x >= 1.0 / 0.99, 1.0, 0.99 * x) for x in reach(second))
        b = jnp.minimum(b, 4.0 / jnp.maximum(jnp.abs(second.log_multiplier).max(), 1e-300))
        if not block.linear:
            a = b = jnp.minimum(a, b)
        sizes = Point(b, b, a, b, a, PairState(a, b, b))
        moved = jax.tree.map(lambda x, dx, size: x + size * dx, point, second, sizes)
        finite = jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(moved)]))
        stalled = ~finite | (jnp.minimum(a, b) < 1e-10)
        return _State(moved, best, jnp.minimum(merit, state.merit), state.iterations + 1, stalled)

    def unfinished(state: _State):
        return (state.iterations < max_iterations) & ~state.stalled & (state.merit > tolerance)

    slack = jnp.where(fixed_slope, 0.0, 0.5 * target)
    room = jnp.where(fixed_price, 0.0, 0.5 * allowance)
    point = Point(
        jnp.zeros(n),
        jnp.asarray(slope, jnp.float64),
        slack,
        jnp.asarray(price, jnp.float64),
        room,
        block.start(),
    )
    state = _State(point, point, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.asarray(False))
    state = lax.while_loop(unfinished, step, state)
    return state.best, state.iterations
