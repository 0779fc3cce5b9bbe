"""Selection of the candidate that a block coder sends: rules that see candidates in order and stop by themselves.

With r_k the density ratio dQ/dP at candidate k, t_k its arrival time and u_k uniform:

    greedy      the first k with r_k > L_k + u_k S_k, where L_1 = 0, S_k = S(L_k), L_{k+1} = L_k + S_k  (exact)
    gprs        the first k with t_k <= t(r_k)                                                          (exact)
    poisson     the k with the least t_k / r_k; it stops when t_k / r_max is more than that             (exact)
    ordered     the same for N candidates and the order statistics of N exponentials                (approximate)
    importance  the k with the least e_k / r_k, e_k exponential: drawn in proportion to r_k         (approximate)

A* coding with one bound for the whole space is "poisson" under another name: with g_k = -ln t_k, which are Gumbel
values in falling order, it takes the k with the largest g_k + ln r_k, and stops when g_k + ln r_max is less than that.

An exact rule that has looked at its most candidates leaves a rest that is sampled from directly. For greedy and gprs
it is Q in proportion to (1 - L / r)_+, L being how far they have come. For poisson, t being the last arrival, the
candidates to come with t_k / r_k < s are Poisson with the mean s S(t / s); their least s is drawn from that, and if
it is less than the least so far, the candidate is Q given r >= t / s.

Reference: harsha2010communication, flamich2023adaptive, flamich2023gprs, li2018strong, flamich2022fast,
  theis2022algorithms, havasi2019minimal.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.channel import survival
from rdr.codecs.channel.proposals import GROUP, candidates
from rdr.codecs.channel.survival import MAX_CANDIDATES

EXACT = ("greedy", "gprs", "poisson")
RULES = (*EXACT, "ordered", "importance")
_NUMBERS = 2**21  # of shared words that are made in one go
_STRETCHES = ((4, 1), (16, 12), (128, 16), (MAX_CANDIDATES // GROUP, 128))  # below so many groups, so many in one go
_FEW = 64  # blocks
_REST = 1 << 31  # names the words of samples without an index


class Target(NamedTuple):
    """What blocks are sampled from, in noise scales.

    Attributes:
      ratio: a of the candidates, which are N(0, a^2 + 1) in every coordinate.
      tables: `Survival` of that source, or None for rules that need none.
    """

    ratio: float
    tables: survival.Survival | None


class _State(NamedTuple):
    """What a block carries from one stretch of candidates to the next, [blocks] each."""

    time: np.ndarray
    level: np.ndarray
    lost: np.ndarray  # what rounding took off the level
    score: np.ndarray
    best: np.ndarray


class Selection(NamedTuple):
    """What was selected.

    Attributes:
      index: int64 [blocks], counted from 0; -1 where none of the candidates was.
      plain: float64 [rows, n], samples of the blocks with index -1, in noise scales.
    """

    index: np.ndarray
    plain: np.ndarray


def _greedy(log_ratio, uniforms, state, curve, top, places):
    def step(carry, candidate):
        level, lost = carry
        log_r, u = candidate
        w = jnp.log(jnp.maximum(top - jnp.log(level), 1e-30))
        chance = jnp.exp(jnp.minimum(survival.look_up(curve, w, *places) + top, 0.0))
        hit = jnp.exp(jnp.minimum(log_r, 80.0)) > level + u * chance
        addend = chance - lost  # compensated: late chances are far below the level's last digit
        total = level + addend
        return (total, (total - level) - addend), hit

    (level, lost), hits = jax.lax.scan(step, (state.level, state.lost), (log_ratio, uniforms))
    return hits, state._replace(level=level, lost=lost)


@functools.partial(jax.jit, static_argnames=("rule", "groups", "most"))
def _look(key, blocks, first_group, z, state, curve, places, ratio, *, rule, groups, most):
    """One stretch of candidates: whether blocks are done, their index, and their state."""
    n = z.shape[1]

    def one(block, z, state, curve):
        result = candidates(key, block, first_group, groups, n)
        number = first_group.astype(jnp.int32) * GROUP + jnp.arange(groups * GROUP)
        spread = ratio**2 + 1.0
        center = z * (spread / ratio**2)
        away = (0.5 * ratio**2 / spread) * ((jnp.sqrt(spread) * result.normals - center[None]) ** 2).sum(-1)
        top = 0.5 * n * jnp.log(spread) + 0.5 * (z**2).sum() / ratio**2
        log_ratio = top - away
        if rule == "importance":
            waits, offset = result.waits, 0.0
        elif rule == "ordered":
            waits = jnp.where(number < most, result.waits / jnp.maximum(most - number, 1), 0.0) * most
            offset = state.time
        else:
            waits, offset = result.waits, state.time
        times = waits if rule == "importance" else offset + jnp.cumsum(waits)
        if rule in ("greedy", "gprs"):
            if rule == "gprs":
                hits = jnp.log(times) <= survival.look_up(curve, jnp.log(jnp.maximum(away, 1e-30)), *places)
            else:
                hits, state = _greedy(log_ratio, result.uniforms, state, curve, top, places)
            hits &= number < most
            first = jnp.argmax(hits)
            return hits.any(), number[first], state._replace(time=times[-1])
        scores = jnp.where(number < most, jnp.log(times) - log_ratio, jnp.inf)
        least = jnp.argmin(scores)
        better = scores[least] < state.score
        state = state._replace(time=times[-1], score=jnp.where(better, scores[least], state.score),
                               best=jnp.where(better, number[least], state.best))
        over = (rule == "poisson") & (jnp.log(times[-1]) - top >= state.score)
        return over, state.best, state

    return jax.vmap(one)(blocks, z, state, curve)


def select(key: jax.Array, z: np.ndarray, target: Target, *, rule: str, most: int) -> Selection:
    """Looks for every block's candidate.

    Args:
      key: the message's shared key.
      z: float64 [blocks, n], in noise scales: Q = N(z, I).
      target: candidates and tables.
      rule: one of `RULES`.
      most: how many candidates are looked at, at most; the approximate rules look at all of them.

    Returns:
      The selection.
    """
    norm = np.linalg.norm(z, axis=1)
    near = np.ones(len(z), bool) if target.tables is None else norm <= target.tables.norms[1]
    index, state, waiting = _search(key, z, norm, np.flatnonzero(near), target, rule, most)
    if rule not in EXACT:
        index[waiting] = state.best[waiting]
        return Selection(index, np.zeros((0, z.shape[1])))
    words = jax.random.fold_in(key, _REST)
    level = np.zeros(len(z))
    level[waiting] = _levels(words, state, waiting, norm, target, rule, z.shape[1])
    if rule == "poisson":
        earlier = np.log(state.time[waiting]) - state.score[waiting] > np.log(level[waiting])
        index[waiting] = np.where(earlier, state.best[waiting], -1)
    rows = np.flatnonzero(index < 0)
    return Selection(index, sample_rest(words, z[rows], level[rows], target, sharp=rule == "poisson"))


def _search(key: jax.Array, z: np.ndarray, norm: np.ndarray, waiting: np.ndarray, target: Target, rule: str, most: int
            ) -> tuple[np.ndarray, _State, np.ndarray]:
    """Looks at candidates: indices, -1 for blocks that are not done; states; and blocks that had too few candidates."""
    blocks, n = z.shape
    index = np.full(blocks, -1, np.int64)
    tables, places = None, (np.float32(0.0), np.float32(1.0))
    if rule in ("greedy", "gprs"):
        tables = _tables(target, rule)
        places = tuple(np.float32(p) for p in tables.places)
    time, level, lost = (np.zeros(blocks, np.float32) for _ in range(3))
    state = _State(time, level, lost, np.full(blocks, np.inf, np.float32), np.zeros(blocks, np.int32))
    first = 0
    while waiting.size and first * GROUP < most:
        # Never beyond the last: what a rule leaves over depends on where it stopped.
        groups = min(next(count for below, count in _STRETCHES if first < below), most // GROUP - first)
        undone = []
        size = max(1, _NUMBERS // (groups * GROUP * (n + 2)))
        for start in range(0, waiting.size, size):
            b = waiting[start : start + size]
            padded = np.pad(b, (0, size - b.size), mode="edge")
            curve = (np.zeros((size, 4), np.float32) if tables is None else survival.curves(
                tables.log_time if rule == "gprs" else tables.log_survival, tables, norm[padded]))
            result = _look(key, padded.astype(np.uint32), np.uint32(first), z[padded].astype(np.float32),
                          _State(*(part[padded] for part in state)), curve, places, np.float32(target.ratio),
                          rule=rule, groups=groups, most=most)
            done, number = (np.asarray(value)[: b.size] for value in result[:2])
            for part, value in zip(state, result[2]):
                part[b] = np.asarray(value)[: b.size]
            index[b[done]] = number[done]
            undone.append(b[~done])
        waiting = np.concatenate(undone)
        first += groups
    return index, state, waiting


def _tables(target: Target, rule: str) -> survival.Survival:
    if target.tables is None:
        raise ValueError(f"target must have tables for rule {rule!r}, got none")
    return target.tables


def _levels(key: jax.Array, state: _State, rows: np.ndarray, norm: np.ndarray, target: Target, rule: str,
            dimension: int) -> np.ndarray:
    """L of the rests of blocks."""
    if rule == "greedy":
        return state.level[rows].astype(np.float64)
    tables = _tables(target, rule)
    places = np.linspace(tables.places[0], tables.places[1], tables.log_time.shape[1])
    time = np.log(state.time[rows].astype(np.float64))
    if rule == "gprs":
        known, curves = -time, -survival.curves(tables.log_time, tables, norm[rows])
    else:  # s S(t / s) = e, e exponential: with L = t / s, S(L) / L = e / t, which falls with L
        rng = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(key, 0))))
        known = np.log(rng.exponential(size=rows.size)) - time
        curves = survival.curves(tables.log_survival, tables, norm[rows]) + np.exp(places)
    w = np.array([np.interp(value, curve, places) for value, curve in zip(known, curves)])
    return np.exp(survival.log_largest_ratio(norm[rows], target.ratio, dimension) - np.exp(w))


def _log_ratio(y: np.ndarray, z: np.ndarray, ratio: float) -> np.ndarray:
    """ln dQ/dP."""
    return (0.5 * y.shape[-1] * np.log1p(ratio**2) - 0.5 * ((y - z) ** 2).sum(-1)
            + 0.5 * (y**2).sum(-1) / (ratio**2 + 1.0))


def sample_rest(key: jax.Array, z: np.ndarray, level: np.ndarray, target: Target, *, sharp: bool = False) -> np.ndarray:
    """Samples what an exact rule left over: Q in proportion to (1 - L / r)_+, or given r >= L.

    Args:
      key: of words that nothing else is made of.
      z: float64 [blocks, n].
      level: float64 [blocks], L.
      target: candidates.
      sharp: whether Q given r >= L is meant.

    Returns:
      float64 [blocks, n], samples in noise scales.
    """
    n = z.shape[1]
    result = np.zeros_like(z)
    waiting, group = np.arange(len(z)), 0
    while waiting.size:
        undone = []
        for start in range(0, waiting.size, _FEW):
            b = waiting[start : start + _FEW]
            normals, uniforms = _some(key, np.pad(b, (0, _FEW - b.size)).astype(np.uint32), np.uint32(group), n)
            y = z[b, None] + np.asarray(normals, np.float64)[: b.size]
            ratio = np.exp(np.minimum(_log_ratio(y, z[b, None], target.ratio), 700.0))
            share = 1.0 if sharp else 1.0 - np.asarray(uniforms)[: b.size]
            retained = level[b, None] <= share * ratio
            done = retained.any(1)
            result[b[done]] = y[done, np.argmax(retained, 1)[done]]
            undone.append(b[~done])
        waiting, group = np.concatenate(undone), group + 1
    return result


@functools.partial(jax.jit, static_argnames="dimension")
def _some(key, blocks, group, dimension):
    result = jax.vmap(lambda block: candidates(key, block, group, 1, dimension))(blocks)
    return result.normals, result.uniforms
