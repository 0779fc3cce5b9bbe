"""A bracket of the Wyner-Ziv function where there are too many strategies to take them all.

Below: an encoder that is told which of several groups the side information lies in needs less rate, and its decoder
only as many strategies as one group has letters for. Above: any set of strategies. New ones come from alternating
minimization: for the multipliers nu and s of the last set, a strategy t lowers the rate if some u(x) > 0 has

    sum_xy p(x, y) u(x) (ln(u(x) / v(y)) + s d(x, t(y)) - nu(x)) < 0,    v(y) = sum_x p(x|y) u(x);

given u the best t(y) is a minimum for each y by itself, given t and v the best u is an exponential family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.discrete.side_information import asking, strategies
from theory.discrete.side_information.problem import source_of
from theory.discrete.side_information.wyner_ziv import MOST_STRATEGIES
from theory.numerics.checks import is_concrete
from theory.numerics.units import bits_to_nats


class WynerZivBracket(NamedTuple):
    """Two proved bounds on a Wyner-Ziv function; nothing says how far apart they are.

    Attributes:
      rate: I(X; T | Y) of `channel`, bits; scalar.
      rate_lower: no code has a smaller rate, bits; scalar.
      distortion: E[d(X, T(Y))] of `channel`, at most what was asked for; scalar.
      channel: W(t|x), [n, l].
      strategies: t(y), integers, [l, k].
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    channel: jax.Array
    strategies: np.ndarray

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits."""
        return self.rate - self.rate_lower


def wyner_ziv_bracket(
    joint_pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike,
    rounds: int = 6,
    size: int = 256,
    group: int | None = None,
    partitions: int = 2,
    seed: int = 0,
) -> WynerZivBracket:
    """Bounds the rate-distortion function with side information at the decoder, whatever the number of strategies.

    Args:
      joint_pmf: p(x, y), [n, k]; zeros are allowed. Nothing may be traced.
      distortion_matrix: d(x, z) >= 0, [n, m]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar.
      rounds: how often strategies are looked for.
      size: how many are kept.
      group: letters of side information in a group that the encoder is not told, for the lower bound; default: as
        many as make at most 64 strategies. 1 is side information at both ends.
      partitions: how many random partitions into groups are tried; the best bound counts.
      seed: of the partitions and of the search for strategies.

    Returns:
      A `WynerZivBracket`.

    Raises:
      ValueError: if an argument has the wrong shape or values or is traced, a group has more than 4,096 strategies, or
        no channel reaches the distortion.

    Reference: [wyner1976rate, gray1973conditional] the function, and the bound by an encoder that knows Y;
      `docs/derivations/side_information.md` for what lies between.
    """
    if not (is_concrete(joint_pmf) and is_concrete(distortion_matrix) and is_concrete(distortion)):
        raise ValueError("joint_pmf, distortion_matrix and distortion must be known numbers, got a traced one")
    joint, matrix = asking.check_joint("joint_pmf", joint_pmf, distortion_matrix)
    k, m = joint.shape[1], matrix.shape[1]
    if group is None:
        group = max(1, min(k, int(np.log(64) / np.log(max(m, 2)))))
    if group < 1 or m**group > MOST_STRATEGIES:
        raise ValueError(f"group must be at least 1 and make at most {MOST_STRATEGIES:,} strategies, got {group}")
    rng = np.random.default_rng(seed)
    lower = jnp.zeros(())
    for _ in range(1 if group in (1, k) or group > k else max(partitions, 1)):
        order = rng.permutation(k)
        groups = [order[i:i + group] for i in range(0, k, group)]
        lower = jnp.maximum(lower, _told_groups(joint, matrix, distortion, groups))
    best = _best_of(joint, matrix, distortion, rounds, size, rng)
    # Bounds that cross by more than the solvers' rounding would say that one of them is wrong.
    consistent = lower <= best.rate + 1e-12 * (1.0 + best.rate)
    return best._replace(rate_lower=jnp.where(consistent, jnp.minimum(lower, best.rate), jnp.nan))


def _told_groups(joint: jax.Array, matrix: jax.Array, distortion: ArrayLike, groups: Sequence[np.ndarray]) -> jax.Array:
    """The certified lower bound of a code whose encoder knows the group of Y: its source is the pair (x, group)."""
    n, m = matrix.shape
    longest = max(map(len, groups))
    maps = strategies.all_strategies(longest, m)
    pairs = jnp.zeros((n, len(groups), joint.shape[1]))
    costs = []
    for number, letters in enumerate(groups):
        pairs = pairs.at[:, number, letters].set(joint[:, letters])
        part = joint[:, letters]
        given = part / jnp.maximum(part.sum(1), 1e-300)[:, None]
        costs.append(strategies.strategy_costs(given, matrix, maps[:, :len(letters)]))
    cost = jnp.stack(costs, 1).reshape(n * len(groups), -1)
    result = asking.ask(
        pairs.reshape(n * len(groups), -1), cost, distortion, tolerance=1e-9, max_iterations=200)
    return result.rate_lower


def _best_of(joint, matrix, distortion, rounds: int, size: int, rng) -> WynerZivBracket:
    """The best set of strategies that alternating minimization finds."""
    given = source_of(joint).given_letter
    table, d = np.asarray(joint / joint.sum()), np.asarray(matrix)
    maps = _responses(table, d, rng.dirichlet(np.ones(len(d)), 4 * size))[:size]
    least = _responses(table, d, np.eye(len(d)))  # what reaches the least distortion takes part
    constant = np.repeat(np.arange(d.shape[1])[:, None], table.shape[1], 1)
    maps = np.unique(np.concatenate([constant, least, maps]), axis=0)
    best = None
    for step in range(rounds + 1):
        cost = strategies.strategy_costs(given, matrix, maps)
        # Padded with strategies that may not be used, so that few programs are compiled.
        padded = jnp.pad(cost, ((0, 0), (0, -len(maps) % 64)), constant_values=jnp.inf)
        result = asking.ask(joint, padded, distortion, tolerance=1e-9, max_iterations=200)
        result = result._replace(channel=result.channel[:, :len(maps)], witness=result.witness[:, :len(maps)])
        if best is None or result.rate < best.rate:
            best = WynerZivBracket(result.rate, jnp.zeros(()), result.distortion, result.channel, maps)
        if step == rounds or result.rate == 0:
            break
        new = _improving(table, d, result, rng, 4 * size)
        known = {tuple(row) for row in maps}
        new = np.array([row for row in new if tuple(row) not in known])
        if not len(new):
            break
        maps = _join(maps, new, size, np.asarray(result.channel))
    assert best is not None  # there is at least one round
    return best


def _responses(joint: np.ndarray, d: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The best strategy for each tilt u of the source, [l, n] -> [l, k]."""
    finite = np.where(np.isinf(d), 1e30, d)
    return np.einsum("lx,xy,xz->lyz", weights, joint, finite).argmin(-1)


def _join(maps: np.ndarray, new: np.ndarray, size: int, channel: np.ndarray) -> np.ndarray:
    """The strategies in use, most used first, and new ones, at most 2 `size` of them."""
    maps = maps[np.argsort(-channel.max(0))][:size]
    joined = np.concatenate([maps, new[:size]])
    _, first = np.unique(joined, axis=0, return_index=True)
    return joined[np.sort(first)]


def _improving(joint: np.ndarray, d: np.ndarray, result, rng, starts: int) -> np.ndarray:
    """Strategies that the multipliers of a result ask for, the most promising first."""
    p, side = joint.sum(1), joint.sum(0)
    occurs = side > 0
    nu = np.asarray(bits_to_nats(result.multiplier))
    s = float(bits_to_nats(result.slope))
    if not np.isfinite(s):
        return np.zeros((0, joint.shape[1]), np.int64)
    given_side, given = joint / np.where(occurs, side, 1.0), joint / np.where(p > 0, p, 1.0)[:, None]
    finite = np.where(np.isinf(d), 1e30, d)
    u = np.concatenate([np.asarray(result.channel).T + 1e-6, rng.dirichlet(np.full(len(p), 0.5), starts)])
    u = u / (u @ p)[:, None]
    for _ in range(30):
        maps = _responses(joint, d, u)
        cost = np.einsum("xy,xly->lx", given, finite[:, maps])
        logs = np.where(occurs, np.log(np.maximum(u @ given_side, 1e-300)), 0.0) @ given.T
        exponent = nu - s * cost + logs
        u = np.exp(exponent - exponent.max(1, keepdims=True))
        u = u / (u @ p)[:, None]
    logs = np.where(occurs, np.log(np.maximum(u @ given_side, 1e-300)), 0.0) @ given.T
    value = (p * u * (np.log(np.maximum(u, 1e-300)) - logs + s * cost - nu)).sum(1)
    maps, first = np.unique(maps, axis=0, return_index=True)
    value = value[first]
    return maps[np.argsort(value)][np.sort(value) < -1e-10]
