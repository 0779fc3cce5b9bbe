"""Channels of least cost whose output is the target, by linear programs: where mending starts from."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from scipy.optimize import linprog

from theory.discrete.side_information.problem import Options, Problem, limits_of

ABSENT = 3e-16  # joint probabilities that no sum of others can see
_RARE = 1e-7  # outputs that a linear program may leave out


class Task(NamedTuple):
    """A problem in NumPy.

    Attributes:
      problem: the problem.
      options: its options.
      letters: p(x), [n].
      live: pairs (x, t) that may be used, [n, m].
      cost: 0 where they may not, [n, m].
      outputs: law of the output for each pair, [n, m, j].
      target: what outputs are to be, [j].
    """

    problem: Problem
    options: Options
    letters: np.ndarray
    live: np.ndarray
    cost: np.ndarray
    outputs: np.ndarray
    target: np.ndarray


class Transport(NamedTuple):
    """A linear program's answer.

    Attributes:
      least: cost of its channel at the target itself; scalar.
      by_letter: price of letters, [n].
      by_output: price of outputs, [j].
      channel: W(t|x), [n, m].
    """

    least: float
    by_letter: np.ndarray
    by_output: np.ndarray
    channel: np.ndarray


def task_of(problem: Problem, options: Options) -> Task:
    """Gathers what linear programs need.

    Args:
      problem: the problem, nothing in it traced.
      options: its options.

    Returns:
      The task.
    """
    limits = jax.tree.map(np.asarray, limits_of(problem, options))
    cost = np.where(limits.live, np.asarray(problem.cost), 0.0)
    return Task(problem, options, limits.source.letters, limits.live, cost, np.asarray(problem.outputs),
                 np.asarray(problem.target))


def transport(task: Task, groups: np.ndarray | None = None) -> Transport | None:
    """Finds the least cost of channels whose output is the target.

    Args:
      task: the problem.
      groups: of letters, integers [n]; channels must be the same for all letters of a group; when None, no two are one.

    Returns:
      The answer; None where the program has none. Letters rarer than `ABSENT` do not take part.
    """
    p = np.where(task.letters > ABSENT, task.letters, 0.0)
    n, m = task.cost.shape
    groups = np.arange(n) if groups is None else groups
    scale = (p[:, None] * task.cost).sum(0).max() or 1.0
    count = groups.max() + 1
    member = np.eye(count)[groups]  # [n, groups]
    mass = member.T @ p
    share = member * p[:, None] / np.where(mass > 0, mass, 1.0)[groups][:, None]
    cost = share.T @ task.cost / scale
    usable = (member.T @ ((p > 0)[:, None] & ~task.live) == 0) & (mass > 0)[:, None]
    outputs = np.einsum("xg,xtj->gtj", share, task.outputs)
    seen = task.target > ABSENT
    if task.options.regime != "free":
        usable &= outputs[:, :, ~seen].sum(-1) <= 1e-12
    rows, columns = np.nonzero(usable)
    size = rows.size
    by_row = scipy.sparse.csr_array((np.ones(size), (rows, np.arange(size))), (count, size))[mass > 0]
    equal = scipy.sparse.vstack([by_row, scipy.sparse.csr_array(outputs[rows, columns][:, seen].T)])
    answer = linprog(cost[rows, columns], A_eq=equal, b_eq=np.r_[mass[mass > 0], task.target[seen]], method="highs",
                     options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
    if answer.status != 0:
        return None
    joint = np.zeros((count, m))
    joint[rows, columns] = np.maximum(answer.x, 0.0)  # the simplex method may leave -1e-13
    by_group, by_output = np.zeros(count), np.zeros(task.target.size)
    by_group[mass > 0] = answer.eqlin.marginals[: int((mass > 0).sum())] * scale
    by_output[seen] = answer.eqlin.marginals[int((mass > 0).sum()):] * scale
    channel = joint[groups] / np.where(mass > 0, mass, 1.0)[groups][:, None]
    least = float(p @ (channel * task.cost).sum(1))
    return Transport(least, by_group[groups], by_output, filled(task, channel))


def filled(task: Task, channel: np.ndarray) -> np.ndarray:
    """Adds rows for letters that were left out, and what the rarest outputs need.

    Args:
      task: the problem.
      channel: W(t|x), some rows zero, [n, m].

    Returns:
      The channel, [n, m].
    """
    cheap = np.where(task.live, task.cost, np.inf)
    lost = ~(channel.sum(1) > 0.5)
    channel = np.where(lost[:, None], np.eye(task.cost.shape[1])[cheap.argmin(1)], channel)
    got = np.einsum("x,xt,xtj->j", task.letters, channel, task.outputs)
    rare = (task.target > 0) & (task.target <= _RARE) & (got < 0.5 * task.target)
    for letter in np.flatnonzero(rare):
        reach = np.where(task.live, task.outputs[:, :, letter], 0.0)
        symbol = (task.letters @ reach).argmax()
        total = task.letters @ reach[:, symbol]
        if total > 0:
            channel = channel.copy()
            channel[:, symbol] += np.where(reach[:, symbol] > 0, (task.target[letter] - got[letter]) / total, 0.0)
    return channel / channel.sum(1, keepdims=True)


def groups_of(task: Task) -> np.ndarray:
    """Groups letters that some side information leaves in doubt: channels that only know the group have rate 0.

    Args:
      task: the problem.

    Returns:
      Integers, [n].
    """
    joint = np.asarray(task.problem.joint)
    together = (joint > ABSENT) @ (joint > ABSENT).T
    return scipy.sparse.csgraph.connected_components(scipy.sparse.csr_array(together), directed=False)[1]
