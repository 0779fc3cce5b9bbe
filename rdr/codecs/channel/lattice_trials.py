"""The trials of a rejection-sampled lattice: shared dithers, and the first that leads into the ball.

In whole numbers of the lattice, u_j is uniform over a cube that is a period of the lattice and M_j is the lattice point
nearest to w + u_j, so e_j = M_j - u_j - w is uniform over a cell of the lattice, whatever w is. The first trial with
|e_j| <= packing radius has an error that is uniform over the ball.
"""

import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from rdr.quantize.lattices import LATTICES, Lattice, closest_point
from rdr.randomness import shared_words

_MINIMUM = {"Z": 1.0, "A2": 2.0 / 3**0.5, "D4": 2**0.5, "E8": 2.0, "BW16": 8**0.5, "Leech": 4.0}
_MAX_WHOLE = 2.0**30  # whole numbers
_NUMBERS = 2**21  # of dithers that are looked at in one go
_SMALL = 2**10  # blocks
_SLACK = 1e-4  # relative, of squared distances in float32; float64 decides


def packing_radius(lattice: Lattice) -> float:
    """Half of the least distance between points of a lattice with cells of volume 1.

    Args:
      lattice: from `rdr.quantize.lattice`.

    Returns:
      The radius.

    Reference: Conway and Sloane [conway1999sphere], table 1.2.
    """
    return 0.5 * _MINIMUM[lattice.name] ** 0.5


def acceptance(lattice: Lattice) -> float:
    """Probability that a trial leads into the ball: the packing density.

    Args:
      lattice: the lattice.

    Returns:
      pi^(n/2) rho^n / Gamma(n/2 + 1).
    """
    n = lattice.dimension
    return math.exp(0.5 * n * math.log(math.pi) + n * math.log(packing_radius(lattice)) - math.lgamma(0.5 * n + 1.0))


def max_trials(lattice: Lattice) -> int:
    """The largest index of a trial that a message can hold: fewer fail with a probability of at most 2^-64.

    Args:
      lattice: the lattice.

    Returns:
      152 for E8, 2,994 for BW16.
    """
    return 1 if lattice.dimension == 1 else math.ceil(-64.0 * math.log(2.0) / math.log1p(-acceptance(lattice)))


def _words(key: jax.Array, block: jax.Array, trial: jax.Array, count: int) -> jax.Array:
    return shared_words(jax.random.fold_in(jax.random.fold_in(key, block), trial), (count,))


@functools.partial(jax.jit, static_argnames="count")
def _many_words(key, blocks, trials, count):
    return jax.vmap(lambda b, t: _words(key, b, t, count))(blocks, trials)


def trial_words(key: jax.Array, blocks: np.ndarray, trials: np.ndarray, count: int) -> np.ndarray:
    """The shared 32-bit words of given trials of given blocks; no others are computed.

    Args:
      key: the message's shared key.
      blocks: int [k], numbers of blocks.
      trials: int [k], numbers of trials; 0 is for what all trials of a block have in common.
      count: words of a trial.

    Returns:
      uint32 [k, count].
    """
    blocks, trials = np.asarray(blocks, np.uint32), np.asarray(trials, np.uint32)
    result = np.empty((blocks.size, count), np.uint32)
    for part, padding in _pieces(blocks.size, max(_SMALL, _NUMBERS // 4 // count)):
        padded = (np.pad(values[part], (0, padding)) for values in (blocks, trials))
        result[part] = np.asarray(_many_words(key, *padded, count))[: part.stop - part.start]
    return result


def _pieces(count: int, large: int) -> Iterator[tuple[slice, int]]:
    """Slices of 0 .. count - 1 that are of two sizes once padded, so that two programs are compiled and no more."""
    start = 0
    while start < count:
        size = large if count - start >= large else _SMALL
        stop = min(start + size, count)
        yield slice(start, stop), size - (stop - start)
        start = stop


def dithers(words: np.ndarray, lattice: Lattice, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """What words stand for: dithers, and the nearest of those that tables are made for.

    Args:
      words: uint32 [..., n].
      lattice: the lattice.
      levels: of the tables (`rdr.entropy_models.lattice`), a power of two.

    Returns:
      float64 dithers in whole numbers: midpoints of 2^32 parts of a period; and int64 multiples of outer / levels.
    """
    step = lattice.outer / levels
    half_step = np.float64(0.5 * step)
    u = (words.astype(np.float64) + 0.5) * (lattice.period / 2.0**32) - half_step
    per_period = levels * lattice.period // lattice.outer
    return u, (words >> np.uint32(32 - (per_period.bit_length() - 1))).astype(np.int64)


@functools.partial(jax.jit, static_argnames=("name", "levels", "count"))
def _look(key, blocks, first, w, name, levels, count):
    """The first trial of `count` that seems to lead into the ball: whether there is one, which, its point and words."""
    lattice = LATTICES[name]
    n = lattice.dimension
    words = jax.vmap(lambda b, f: jax.vmap(lambda t: _words(key, b, t, n))(f + jnp.arange(count, dtype=jnp.uint32))
                     )(blocks, first)
    u = words.astype(jnp.float32) * jnp.float32(lattice.period / 2.0**32) - jnp.float32(0.5 * lattice.outer / levels)
    target = w[:, None] + u
    scale = jnp.asarray(lattice.scale, jnp.float32)[None, None]
    points, _ = closest_point(target * scale, lattice)
    inside = (((points - target) * scale) ** 2).sum(-1) <= packing_radius(lattice) ** 2 * (1.0 + _SLACK)
    index = jnp.argmax(inside, -1)
    rows = jnp.arange(w.shape[0])
    return inside.any(-1), index, points[rows, index], words[rows, index]


def first_accepted(key: jax.Array, w: np.ndarray, lattice: Lattice, *, levels: int
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Searches every block's first trial that leads into the ball.

    Trials are sifted in float32, and float64 decides on those that are inside or nearly so. That is exact: a point
    within the packing radius is the nearest point, so a search that erred can only have erred outside of the ball.

    Args:
      key: the message's shared key.
      w: float64 [blocks, n], in whole numbers of the lattice.
      lattice: the lattice.
      levels: as in `dithers`.

    Returns:
      Trials int64 [blocks], from 1; points int64 [blocks, n], in whole numbers; words uint32 [blocks, n].

    Raises:
      ValueError: if w is too large for the lattice's points to be int32.
    """
    blocks, n = w.shape
    if blocks and np.abs(w).max() >= _MAX_WHOLE:
        raise ValueError("x must be within about 2^30 noise scales of 0, got a number that is larger")
    whole = np.floor(w / lattice.period) * lattice.period
    rest = w - whole
    count = max(1, min(32, round(1.0 / acceptance(lattice))))
    large = max(_SMALL, _NUMBERS // (count * n))
    trials, points = np.zeros(blocks, np.int64), np.zeros((blocks, n), np.int64)
    words = np.zeros((blocks, n), np.uint32)
    limit = max_trials(lattice)
    first = np.ones(blocks, np.int64)
    waiting = np.arange(blocks)
    while waiting.size:
        undone = []
        for part, padding in _pieces(waiting.size, large):
            b = waiting[part]
            padded = (np.pad(values, ((0, padding), *((0, 0),) * (values.ndim - 1))) for values in (
                b.astype(np.uint32), first[b].astype(np.uint32), rest[b].astype(np.float32)))
            result, index, point, word = (np.asarray(value)[: b.size] for value in _look(
                key, *padded, lattice.name, levels, count))
            error = (point - dithers(word, lattice, levels)[0] - rest[b]) * lattice.scale
            done = result & ((error**2).sum(-1) <= packing_radius(lattice) ** 2)
            trials[b[done]] = first[b[done]] + index[done]
            points[b[done]], words[b[done]] = point[done], word[done]
            first[b] += np.where(result, index + 1, count)
            undone.append(b[~done])
        waiting = np.concatenate(undone)
        if max(trials.max(initial=0), first[waiting].max(initial=0)) > limit:
            raise RuntimeError(f"no trial of {limit} was accepted, which happens once in 2^64 blocks")
    return trials, points + whole.astype(np.int64), words
