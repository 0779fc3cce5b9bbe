"""Parts of the Newton step that belong to a divergence: eliminations for the realism-constrained problem.

Per divergence, the output pmf q and the constraint delta(p, q) <= P come with primal-dual pairs
(x, z >= 0, x z -> 0). Given the step of the log-responses h(y) and of the multiplier t of perception, a block
eliminates its own variables from the linearized optimality conditions:

    dq = C dh - omega dt + rho,        d delta = omega' dh - theta dt + chi,

with C positive semidefinite [n, n]. Letters of probability zero drop out.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from theory.discrete.perception.divergences import Divergence, Separable


class PairState(NamedTuple):
    """Variables of a block.

    Attributes:
      primal: non-negative variables, any shape.
      dual: their multipliers, same shape.
      potential: free multipliers [n] (transport only, else zeros).
    """

    primal: jax.Array
    dual: jax.Array
    potential: jax.Array


class Elimination(NamedTuple):
    """The coefficients of the module's two equations: C, omega, rho, theta, chi."""

    compliance: jax.Array
    omega: jax.Array
    rho: jax.Array
    theta: jax.Array
    chi: jax.Array


class Block(NamedTuple):
    """One divergence, as the interior-point method sees it.

    Attributes:
      start: () -> PairState.
      output_pmf: state -> q [n].
      value: state -> delta, scalar, as the linearized constraint uses it.
      eliminate: (state, h [n], t, targets) -> Elimination; targets are the wanted products x z.
      back_substitute: (state, h, t, targets, dh, dt) -> PairState of steps.
      weights: relative products of the pairs on the central path, 0 where there is no pair; shape of the pairs.
      residual: (state, h, t) -> the largest violation of the block's conditions, nats, where it enters the lower bound
        at first order; else 0; scalar.
      linear: whether delta is linear in the primal variables, so that primal and dual may step by themselves.
    """

    start: Callable[[], PairState]
    output_pmf: Callable[[PairState], jax.Array]
    value: Callable[[PairState], jax.Array]
    eliminate: Callable[..., Elimination]
    back_substitute: Callable[..., PairState]
    weights: jax.Array
    residual: Callable[..., jax.Array]
    linear: bool


def _none(state, h, t):
    return jnp.zeros(())


def separable_block(p: jax.Array, divergence: Separable, usable: jax.Array | None = None) -> Block:
    """Builds the block of delta = sum_y f(p, q).

    Pairs are (q, z), optimality is h = t f'(q) - z, and C is diagonal.

    Args:
      p: the source, [n].
      divergence: f and its derivatives.
      usable: output letters that take part, [n] booleans; all when None.

    Returns:
      The block; its pairs have shape [n].
    """
    usable = jnp.full(p.shape, True) if usable is None else usable
    live = jnp.where(divergence.forbids_new_letters, p > 0, usable)
    n = p.shape[0]
    letters = usable.sum()

    def parts(state, h, t, targets):
        q, z = jnp.where(live, state.primal, 1.0), jnp.where(live, state.dual, 1.0)
        slope = jnp.where(live, divergence.slope(p, q), 0.0)
        curvature = divergence.curvature(p, q)
        compliance = jnp.where(live, 1.0 / (t * curvature + z / q), 0.0)
        rho = compliance * (jnp.where(live, h, 0.0) - t * slope + targets / q)
        return q, z, slope, compliance, rho

    def eliminate(state, h, t, targets):
        _, _, slope, compliance, rho = parts(state, h, t, targets)
        omega = compliance * slope
        return Elimination(jnp.diag(compliance), omega, rho, omega @ slope, slope @ rho)

    def back_substitute(state, h, t, targets, dh, dt):
        q, z, slope, compliance, rho = parts(state, h, t, targets)
        dq = compliance * (jnp.where(live, dh, 0.0) - slope * dt) + rho
        dz = jnp.where(live, (targets - q * z - z * dq) / q, 0.0)
        return PairState(dq, dz, jnp.zeros(n))

    first = jnp.where(p > 0, p, jnp.where(live, 1e-2 / letters, 0.0))
    first = first / first.sum()

    def start():
        return PairState(first, jnp.where(live, 0.1, 1.0), jnp.zeros(n))

    def value(state):
        return jnp.where(live, divergence.terms(p, jnp.where(live, state.primal, 1.0)), 0.0).sum()

    # Relative to the first q: equal products would ask for enormous multipliers of rare letters.
    return Block(start, lambda state: state.primal, value, eliminate, back_substitute, letters * first, _none, False)


def total_variation_block(p: jax.Array, usable: jax.Array | None = None) -> Block:
    """Builds the block of TV = sum (u + v) / 2 with q = p + u - v.

    Pairs are q, u, v with their multipliers; C is diagonal.

    Args:
      p: the source, [n].
      usable: output letters that take part, [n] booleans; all when None.

    Returns:
      The block; its pairs have shape [3, n].
    """
    n = p.shape[0]
    usable = jnp.full(p.shape, True) if usable is None else usable
    letters = usable.sum()
    pairs = jnp.broadcast_to(usable, (3, n))

    def parts(state, h, t, targets):
        (q, u, v), (z, zu, zv) = state.primal, state.dual
        a, b = jnp.where(usable, u / zu, 0.0), jnp.where(usable, v / zv, 0.0)
        pull = targets[0] / q - z
        up = h + z - 0.5 * t + targets[1] / u
        down = -h - z - 0.5 * t + targets[2] / v
        stiff = z / q
        damping = 1.0 / (1.0 + (a + b) * stiff)
        rho = damping * ((a + b) * pull + a * up - b * down + jnp.where(usable, p + u - v - q, 0.0))
        return a, b, pull, up, down, stiff, damping, rho

    def eliminate(state, h, t, targets):
        a, b, pull, up, down, stiff, damping, rho = parts(state, h, t, targets)
        theta = jnp.sum(0.25 * damping * (a + b + 4.0 * a * b * stiff))
        chi = 0.5 * jnp.sum((a - b) * (pull - stiff * rho) + a * up + b * down)
        return Elimination(jnp.diag((a + b) * damping), 0.5 * (a - b) * damping, rho, theta, chi)

    def back_substitute(state, h, t, targets, dh, dt):
        a, b, pull, up, down, stiff, damping, rho = parts(state, h, t, targets)
        dq = damping * ((a + b) * dh - 0.5 * (a - b) * dt) + rho
        push = dh + pull - stiff * dq
        steps = jnp.stack([dq, a * (push - 0.5 * dt + up), b * (-push - 0.5 * dt + down)])
        dual_steps = (targets - state.primal * state.dual - state.dual * steps) / state.primal
        return PairState(steps, jnp.where(pairs, dual_steps, 0.0), jnp.zeros(n))

    def start():
        q = 0.9 * p + 0.1 / letters
        excess = q - p
        u = jnp.maximum(excess, 0.0) + 0.1 / letters
        primal = jnp.stack([q, u, u - excess])
        return PairState(jnp.where(pairs, primal, 1.0), jnp.ones((3, n)), jnp.zeros(n))

    def output_pmf(state):
        return jnp.where(usable, state.primal[0], 0.0)

    def value(state):
        return 0.5 * jnp.where(pairs[1:], state.primal[1:], 0.0).sum()

    def residual(state, h, t):
        z, zu, zv = state.dual
        q, u, v = state.primal
        split = jnp.abs(jnp.where(usable, p + u - v - q, 0.0)).sum()
        violation = jnp.maximum(jnp.abs(h + z - 0.5 * t + zu), jnp.abs(h + z + 0.5 * t - zv))
        return split + jnp.where(usable, violation, 0.0).max()

    return Block(
        start, output_pmf, value, eliminate, back_substitute, pairs.astype(jnp.float64), residual, True
    )


def transport_block(p: jax.Array, cost: jax.Array) -> Block:
    """Builds the block of W_c = <plan, cost>, where plan has row sums p and column sums q.

    Pairs are the plan and its reduced costs. Optimality: h(y) = t c(x, y) + f(x) - z(x, y). C is the Laplacian of a
    weighted graph on the letters, formed entry by entry without cancellation: its diagonal is minus the sum of the rest
    of the row.

    Args:
      p: the source, [n].
      cost: c(x, y) >= 0, [n, n], in units of `Perception.scale`; +inf leaves a pair out.

    Returns:
      The block; its pairs have shape [n, n].
    """
    n = p.shape[0]
    live = (p > 0)[:, None] & jnp.isfinite(cost)
    letters = jnp.isfinite(cost).any(0).sum()
    c = jnp.where(live, cost, 0.0)

    def parts(state, h, t, targets):
        weight = jnp.where(live, state.primal / state.dual, 0.0)
        total = weight.sum(-1)
        total = jnp.where(total > 0, total, 1.0)
        bias = h[None] - t * c - state.potential[:, None] + targets / jnp.where(live, state.primal, 1.0)
        mean_cost = (weight * c).sum(-1) / total
        mean_bias = (weight * bias).sum(-1) / total
        missing = jnp.where(p > 0, p - state.primal.sum(-1), 0.0)
        return weight, total, bias, c - mean_cost[:, None], mean_cost, mean_bias, missing

    def eliminate(state, h, t, targets):
        weight, total, bias, centered, mean_cost, mean_bias, missing = parts(state, h, t, targets)
        scaled = weight / jnp.sqrt(total)[:, None]
        coupling = scaled.T @ scaled
        coupling = coupling - jnp.diag(jnp.diag(coupling))
        compliance = jnp.diag(coupling.sum(-1)) - coupling
        leaning = weight * (bias - mean_bias[:, None])
        omega = (weight * centered).sum(0)
        rho = leaning.sum(0) + (weight * (missing / total)[:, None]).sum(0)
        theta = (weight * centered**2).sum()
        chi = (leaning * centered).sum() + mean_cost @ missing
        return Elimination(compliance, omega, rho, theta, chi)

    def back_substitute(state, h, t, targets, dh, dt):
        weight, total, bias, _, mean_cost, mean_bias, missing = parts(state, h, t, targets)
        df = (weight @ dh - missing) / total - mean_cost * dt + mean_bias
        dplan = weight * (dh[None] - c * dt - df[:, None] + bias)
        safe = jnp.where(live, state.primal, 1.0)
        dual_steps = jnp.where(live, (targets - state.primal * state.dual - state.dual * dplan) / safe, 0.0)
        return PairState(dplan, dual_steps, jnp.where(p > 0, df, 0.0))

    def start():
        plan = p[:, None] * (0.5 * jnp.eye(n) + 0.5 / letters)
        plan = jnp.where(live, plan, 0.0)
        plan = plan * jnp.where(p > 0, p / jnp.where(p > 0, plan.sum(-1), 1.0), 0.0)[:, None]
        return PairState(plan, jnp.ones((n, n)), jnp.zeros(n))

    def value(state):
        return (state.primal * c).sum()

    def output_pmf(state):
        return state.primal.sum(0)

    def residual(state, h, t):
        violation = h[None] - t * c - state.potential[:, None] + state.dual
        return jnp.abs(jnp.where(live, violation, 0.0)).max()

    weights = jnp.where(live, letters * p[:, None], 0.0)
    return Block(start, output_pmf, value, eliminate, back_substitute, weights, residual, True)


def smooth_block(p: jax.Array, divergence: Divergence) -> Block:
    """Builds the block of any smooth convex delta(p, q), by its automatic gradient and Hessian.

    Pairs are (q, z), C is dense.

    Args:
      p: the source, [n].
      divergence: the caller's divergence.

    Returns:
      The block; its pairs have shape [n].
    """
    n = p.shape[0]
    gradient = jax.grad(divergence.value, argnums=1)
    hessian = jax.hessian(divergence.value, argnums=1)

    def parts(state, h, t, targets):
        q, z = state.primal, state.dual
        slope = gradient(p, q)
        scaling = jnp.sqrt(q / z)
        inner = jnp.eye(n) + t * scaling[:, None] * hessian(p, q) * scaling[None]
        factor = jnp.linalg.cholesky(0.5 * (inner + inner.T))
        half = jax.scipy.linalg.solve_triangular(factor, jnp.diag(scaling), lower=True)
        compliance = half.T @ half
        return slope, compliance, compliance @ (h - t * slope + targets / q)

    def eliminate(state, h, t, targets):
        slope, compliance, rho = parts(state, h, t, targets)
        omega = compliance @ slope
        return Elimination(compliance, omega, rho, omega @ slope, slope @ rho)

    def back_substitute(state, h, t, targets, dh, dt):
        slope, compliance, rho = parts(state, h, t, targets)
        dq = compliance @ (dh - slope * dt) + rho
        dz = (targets - state.primal * state.dual - state.dual * dq) / state.primal
        return PairState(dq, dz, jnp.zeros(n))

    def start():
        return PairState(0.9 * p + 0.1 / n, jnp.full(n, 0.1), jnp.zeros(n))

    def value(state):
        return divergence.value(p, state.primal)

    return Block(
        start, lambda state: state.primal, value, eliminate, back_substitute, jnp.ones(n), _none, False
    )


def fixed_output_block(q: jax.Array) -> Block:
    """Builds the block of a given output pmf (at perfect realism, that of the source): nothing to eliminate.

    Args:
      q: the output pmf, [n].

    Returns:
      The block, without pairs.
    """
    n = q.shape[0]
    nothing = Elimination(jnp.zeros((n, n)), jnp.zeros(n), jnp.zeros(n), jnp.zeros(()), jnp.zeros(()))
    empty = PairState(jnp.ones(0), jnp.ones(0), jnp.zeros(n))
    still = PairState(jnp.zeros(0), jnp.zeros(0), jnp.zeros(n))
    return Block(
        lambda: empty,
        lambda _: q,
        lambda _: jnp.zeros(()),
        lambda *_: nothing,
        lambda *_: still,
        jnp.zeros(0),
        _none,
        False,
    )
