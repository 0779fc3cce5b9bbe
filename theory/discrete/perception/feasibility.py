"""Proofs that no channel meets a distortion and a perception.

For f(x) + g(y) <= d(x, y), every channel with delta(p_X, p_Y) <= P has

    E[d] >= sum p f + min over pmfs q with delta(p, q) <= P of sum q g >= sum p f - t P - t conjugate(-g / t)

for every t > 0: numbers that exceed D prove that there is none. The f are the multipliers of a linear program (the
transport of the source to itself, to which "tv", "w1" and "w2sq" add the output's freedom), or the limits nu / s of
a solver's dual points at a large slope; g is then the largest that f allows.
"""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from scipy.optimize import linprog

from theory.discrete.perception.divergences import TRANSPORT, Divergence
from theory.discrete.perception.duals import Perception, best_multiplier, bind_divergence
from theory.discrete.perception.problem import Options, Problem, known_limits_of, limits_of

# A bound must exceed D by this share of a typical distortion: linear programs are solved to about 1e-9 of it.
_MARGIN = 1e-9


class LeastDistortion(NamedTuple):
    """The least distortion that is compatible with a perception, normalized.

    Attributes:
      lower: proved by f: no channel has less; scalar.
      multiplier: f, [n].
      channel: of the linear program, up to its tolerance, [n, n]; None where the program had no answer.
    """

    lower: float
    multiplier: np.ndarray
    channel: np.ndarray | None


@partial(jax.jit, static_argnames="options")
def _proved(problem: Problem, options: Options, f: jax.Array) -> jax.Array:
    """The lower bound on E[d] by f, normalized; scalar."""
    limits = limits_of(problem, options)
    perception = bind_divergence(limits.problem, options, problem.transport)
    p, d = limits.problem.pmf, limits.problem.distortion
    g = jnp.where((p > 0)[:, None], d - f[:, None], jnp.inf).min(0)
    g = jnp.where(jnp.isfinite(g), g, jnp.where(jnp.isfinite(g), g, 0.0).max() + 1e3)
    mean = jnp.sum(jnp.where(p > 0, p * f, 0.0))
    at_source = mean + jnp.sum(p * g)
    return jnp.where(problem.perception_or_slope > 0, _least(perception, p, g, mean, problem), at_source)


def _least(perception: Perception, p, g, mean, problem: Problem):
    budget = problem.perception_or_slope / perception.scale
    center = jnp.sum(p * g)
    t = best_multiplier(perception, p, -g, jnp.maximum(budget, 1e-300))
    return mean + center - t * (budget + perception.conjugate((center - g) / t))


def _program(p: np.ndarray, d: np.ndarray, cost: np.ndarray | None, budget: float, name: str | Divergence):
    """min E[d] over joints J >= 0 with rows p, and the output's freedom: arrays of a linear program.

    Variables are the allowed entries of J; for "tv" then u, v >= 0 with columns p + u - v and sum(u + v) / 2 <= P; for
    transport a plan with rows p and the columns of J, of cost at most P.
    """
    n = p.size
    rows, columns = np.nonzero(np.isfinite(d) & (p > 0)[:, None])
    pairs = rows.size
    by_row = scipy.sparse.csr_array((np.ones(pairs), (rows, np.arange(pairs))), (n, pairs))
    by_column = scipy.sparse.csr_array((np.ones(pairs), (columns, np.arange(pairs))), (n, pairs))
    value, occurs = d[rows, columns], p > 0
    if budget == 0 or name not in ("tv", "w1", "w2sq"):
        equal = scipy.sparse.vstack([by_row[occurs], by_column])
        return value, equal, np.r_[p[occurs], p], None, None, (rows, columns)
    eye = scipy.sparse.eye_array(n, format="csr")
    zero = scipy.sparse.csr_array((int(occurs.sum()), 2 * n))
    if name == "tv":
        equal = scipy.sparse.vstack([
            scipy.sparse.hstack([by_row[occurs], zero]), scipy.sparse.hstack([by_column, -eye, eye])])
        less = np.r_[np.zeros(pairs), np.full(2 * n, 0.5)]
        value, right = np.r_[value, np.zeros(2 * n)], np.r_[p[occurs], p]
        return value, equal, right, less[None], np.array([budget]), (rows, columns)
    if cost is None:
        raise ValueError(f"divergence {name!r} needs a transport cost, got none")
    plan_rows, plan_columns = np.nonzero(np.isfinite(cost) & occurs[:, None])
    size = plan_rows.size
    plan_by_row = scipy.sparse.csr_array((np.ones(size), (plan_rows, np.arange(size))), (n, size))
    plan_by_column = scipy.sparse.csr_array((np.ones(size), (plan_columns, np.arange(size))), (n, size))
    equal = scipy.sparse.block_array([
        [by_row[occurs], None], [by_column, -plan_by_column], [None, plan_by_row[occurs]]])
    less = np.r_[np.zeros(pairs), cost[plan_rows, plan_columns]]
    right = np.r_[p[occurs], np.zeros(n), p[occurs]]
    return np.r_[value, np.zeros(size)], equal, right, less[None], np.array([budget]), (rows, columns)


def least_distortion(problem: Problem, options: Options) -> LeastDistortion:
    """Finds the least distortion that channels within a perception reach, by linear programming.

    For divergences that are no linear program it is that at P = 0, and only `lower` knows P.

    Args:
      problem: the problem, at a given perception.
      options: its options.

    Returns:
      The bound, its proof and the program's channel.
    """
    limits = known_limits_of(problem, options)
    p, d = (np.asarray(x) for x in (limits.problem.pmf, limits.problem.distortion))
    perception = bind_divergence(limits.problem, options, problem.transport)
    cost = np.asarray(problem.transport[0] / perception.scale) if options.divergence in TRANSPORT else None
    budget = float(problem.perception_or_slope / perception.scale)
    value, equal, right, less, limit, (rows, columns) = _program(p, d, cost, budget, options.divergence)
    answer = linprog(value, A_ub=less, b_ub=limit, A_eq=equal, b_eq=right, method="highs")
    f = np.zeros(p.size)
    if answer.status != 0:
        # Forbidden pairs may leave nothing: 1 for each of them, and 0 else, has an answer.
        forbidden = np.where(np.isfinite(d), 0.0, 1.0)
        value, equal, right, less, limit, _ = _program(p, forbidden, cost, budget, options.divergence)
        answer = linprog(value, A_ub=less, b_ub=limit, A_eq=equal, b_eq=right, method="highs")
        if answer.status != 0:
            return LeastDistortion(0.0, f, None)
        # However large the distortion of forbidden pairs, these multipliers times it are admissible.
        f[p > 0] = 1e6 * answer.eqlin.marginals[: int((p > 0).sum())]
        return LeastDistortion(float(_proved(problem, options, jnp.asarray(f))), f, None)
    f[p > 0] = answer.eqlin.marginals[: int((p > 0).sum())]
    joint = np.zeros(d.shape)
    joint[rows, columns] = answer.x[: rows.size]
    totals = joint.sum(1, keepdims=True)
    channel = np.where(totals > 0, joint / np.where(totals > 0, totals, 1.0), p)
    return LeastDistortion(float(_proved(problem, options, jnp.asarray(f))), f, channel)


def is_impossible(
    problem: Problem, options: Options, *, dual_points: Iterable[tuple[jax.Array, jax.Array]] = ()
) -> bool:
    """Whether a proof is found that no channel meets the distortion and the perception.

    Args:
      problem: the problem, at a given distortion and perception, nothing in it traced.
      options: its options.
      dual_points: (nu, s) of solvers, in nats, normalized, whose limits nu / s are tried, too.

    Returns:
      True only with a proof.
    """
    limits = known_limits_of(problem, options)
    if not limits.reachable:
        return True
    needed = float(limits.needed)
    occurs, distortion = np.asarray(limits.problem.pmf) > 0, np.asarray(limits.problem.distortion)
    if np.all(np.diag(distortion)[occurs] == 0):
        return False  # the identity meets every limit
    if least_distortion(problem, options).lower > needed + _MARGIN:
        return True
    return any(
        float(_proved(problem, options, nu / jnp.maximum(s, 1e-300))) > needed + _MARGIN
        for nu, s in dual_points if s > 0)
