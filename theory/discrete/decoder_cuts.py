"""Best decoders by supporting planes, for divergences that Newton's method is lost on: powers of order -5 or 20.

The set of output distributions q with delta(p, q) <= P is convex and holds p. A linear program over decoders whose
output meets a few half-spaces proposes a decoder and, by its multipliers, a dual point; where the segment from p
to the proposed output leaves the set, the tangent plane of delta is one more half-space. Proposals
come down from outside, the points where segments leave the set rise from inside.

Reference: [veinott1967supporting] A. F. Veinott, "The supporting hyperplane method for unimodal programming",
  Operations Research 15(1), 1967.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy.optimize import linprog

from theory.discrete.decoder_bounds import BestDecoder, Task, mixable, mixed, proved, report, scaled_task
from theory.discrete.perception import divergences
from theory.discrete.perception.duals import best_multiplier, separable_of
from theory.discrete.perception.problem import Options

_PRECISE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class Proposal(NamedTuple):
    """A decoder and a dual point.

    Attributes:
      joint: p(z, y), of the right divergence up to rounding, [k, n].
      critic: h(y) >= the price of the output letters, units of the cost, [n].
      multiplier: t >= 0, units of the cost per unit of divergence.
    """

    joint: np.ndarray
    critic: np.ndarray
    multiplier: float


def _leaving(p: np.ndarray, q: np.ndarray, budget: float, value: Callable[[np.ndarray], float]) -> float:
    """The largest share of q on the segment from p that is within the budget, by halving."""
    low, high = 0.0, 1.0
    if value(q) <= budget:
        return 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if value((1.0 - middle) * p + middle * q) <= budget:
            low = middle
        else:
            high = middle
    return low


def _moved(p: np.ndarray, letter: int) -> np.ndarray:
    """p with a millionth of the mass on one letter."""
    return (1.0 - 1e-6) * p + 1e-6 * np.eye(p.size)[letter]


def propose(
    cost: np.ndarray, rows: np.ndarray, pmf: np.ndarray, allowed: np.ndarray, budget: float,
    value: Callable[[np.ndarray], float], slope: Callable[[np.ndarray], np.ndarray], *, starts: list[np.ndarray],
    tolerance: float, max_cuts: int = 200,
) -> Proposal | None:
    """Finds a decoder and a dual point by supporting planes.

    Args:
      cost: c(z, y) >= 0, of order 1, [k, n].
      rows: pmf of the message, [k].
      pmf: p, which has divergence 0, [n].
      allowed: output letters that may be used, [n] booleans.
      budget: P > 0.
      value: q -> delta(p, q), convex.
      slope: q -> its gradient, [n], finite where delta is.
      starts: output distributions from which the first planes are made.
      tolerance: difference of cost to stop at.
      max_cuts: bound on planes.

    Returns:
      The best proposal; None if the linear program has no answer.
    """
    # Letters so rare that a millionth of the output on one exceeds the budget are left out, and get a critic to match.
    rare = np.array([0 < x < 1e-9 and not value(_moved(pmf, y)) <= budget for y, x in enumerate(pmf)])
    allowed = allowed & ~rare
    live = (rows > 0)[:, None] & allowed[None]
    first, second = np.nonzero(live)
    size, n = first.size, pmf.size
    equal = np.zeros((rows.size, size))
    equal[first, np.arange(size)] = 1.0
    by_letter = np.zeros((n, size))
    by_letter[second, np.arange(size)] = 1.0
    planes, limits, best, low = [], [], None, -np.inf
    independent = rows[:, None] * pmf[None]

    def plane(q):
        gradient = slope(q)
        if np.all(np.isfinite(gradient[allowed])):
            gradient = np.where(allowed, gradient, 0.0)
            scale = np.abs(gradient).max()
            if scale > 0:  # delta(q') >= delta(q) + gradient (q' - q)
                planes.append(gradient / scale)
                limits.append((budget - value(q) + gradient @ q) / scale)

    for q in starts:
        share = _leaving(pmf, q, budget, value)
        plane((1.0 - share) * pmf + share * q)
    high = np.inf
    for _ in range(max_cuts):
        matrix = np.array(planes) @ by_letter if planes else None
        answer = linprog(cost[first, second], A_ub=matrix, b_ub=np.array(limits) if planes else None,
                         A_eq=equal, b_eq=rows, method="highs", options=_PRECISE)
        if answer.status != 0:
            break
        joint = np.zeros(cost.shape)
        joint[first, second] = np.maximum(answer.x, 0.0)
        # What the rarest letters are worth in q = p costs nothing, and a program of this precision leaves it out.
        joint = np.maximum(joint, rows[:, None] * np.where(allowed & (pmf < 1e-9), pmf, 0.0)[None])
        joint = joint * (rows / np.maximum(joint.sum(1), 1e-300))[:, None]
        q = joint.sum(0)
        share = _leaving(pmf, q, budget, value)
        inside = (1.0 - share) * independent + share * joint
        prices = -answer.ineqlin.marginals if planes else np.zeros(0)
        reached = float((inside * cost).sum())
        if reached < high or answer.fun > low:
            critic = prices @ np.array(planes) if planes else np.zeros(n)
            least = np.where(allowed[None], cost + critic[None], np.inf).min(1)
            critic = np.where(rare, np.maximum((least[:, None] - cost)[rows > 0].max(0), 0.0), critic)
            better = inside if reached < high or best is None else best.joint
            best = Proposal(better, critic, float(prices.sum()))
        high, low = min(high, reached), max(low, float(answer.fun))
        if high - low <= tolerance or share == 1.0:
            break
        plane((1.0 - share) * pmf + share * q)
    return best


def by_planes(task: Task, options: Options, old: BestDecoder) -> BestDecoder:
    """Puts the better decoder and the better proof of a result and of what supporting planes find together.

    Args:
      task: at one perception P > 0, nothing in it traced.
      options: names a divergence that is a sum over letters.
      old: the result.

    Returns:
      The result.
    """
    value, slope = _divergence(task, options)
    scaled = jax.tree.map(np.asarray, _measures(task, options))
    cost, rows, p, usable, budget = scaled
    starts = [np.asarray(x) for x in (old.output_pmf, p) if np.all(np.isfinite(x))]
    tolerance = 0.3 * float(task.tolerance)
    found = propose(cost, rows, p, usable, float(budget), value, slope, starts=starts, tolerance=tolerance)
    if found is None:
        return old
    total = found.joint.sum(1, keepdims=True)
    decoder = np.where(total > 0, found.joint / np.where(total > 0, total, 1.0), p[None])
    return _better(task, options, old, decoder, found.critic, found.multiplier)


@partial(jax.jit, static_argnames="options")
def _measures(task: Task, options: Options):
    scaled = scaled_task(task, options)
    return scaled.cost, scaled.rows, scaled.problem.pmf, scaled.allowed | ~scaled.forbidden, scaled.budget


def _divergence(task: Task, options: Options):
    """delta from the source and its gradient, as functions of the output's distribution."""
    p = task.pmf / task.pmf.sum()
    return (lambda q: float(_value(p, q, task.transport, options)),
            lambda q: np.asarray(_slope(p, q, task.transport, options)))


def _separable(transport, options) -> divergences.Separable:
    separable = separable_of(options, transport)
    if separable is None:
        raise ValueError(f"divergence must be a sum over letters, got {options.divergence!r}")
    return separable


@partial(jax.jit, static_argnames="options")
def _value(p, q, transport, options):
    return divergences.separable_value(_separable(transport, options), p, q)


@partial(jax.jit, static_argnames="options")
def _slope(p, q, transport, options):
    return _separable(transport, options).slope(p, q)


@partial(jax.jit, static_argnames="options")
def _better(task: Task, options: Options, old: BestDecoder, decoder, critic, multiplier) -> BestDecoder:
    scaled = scaled_task(task, options)
    p = scaled.problem.pmf
    found = mixable(scaled, decoder, jnp.zeros((0, 0)), jnp.zeros((0, 0)))
    decoder, plan = mixed(found, p[None])
    searched = best_multiplier(scaled.perception, p, critic, scaled.budget)
    values = jnp.stack([proved(scaled, critic, t) for t in (jnp.maximum(multiplier, 1e-300), searched)])
    values = jnp.where(jnp.isnan(values), -jnp.inf, values)
    t = jnp.where(values[1] > values[0], searched, multiplier)
    new = report(task, scaled, decoder, plan, False, critic, t, values.max(), old.iterations)
    return joined(old, new, scaled.scale, task.tolerance)


def joined(old: BestDecoder, new: BestDecoder, scale: ArrayLike, tolerance: ArrayLike) -> BestDecoder:
    """Puts the better decoder and the better proof of two results of one problem together.

    Args:
      old: a result.
      new: another.
      scale: of the costs, what the rounding of a bound is relative to; scalar.
      tolerance: gap asked for, in parts of the scale; scalar.

    Returns:
      The result; NaN both bounds if one result proves more than the other's decoder needs: then neither is believed.
    """
    finer = (new.distortion < old.distortion) | jnp.isnan(old.distortion)
    tighter = (new.distortion_lower > old.distortion_lower) | jnp.isnan(old.distortion_lower)
    upper, prover = (jax.tree.map(partial(jnp.where, which), new, old) for which in (finer, tighter))
    contradiction = prover.distortion_lower > upper.distortion + 1e-12 * (scale + upper.distortion)
    lower = jnp.minimum(prover.distortion_lower, upper.distortion)
    distortion, lower = (jnp.where(contradiction, jnp.nan, x) for x in (upper.distortion, lower))
    return upper._replace(
        distortion=distortion, distortion_lower=lower, perception_slope=prover.perception_slope, critic=prover.critic,
        converged=distortion - lower <= scale * tolerance)
