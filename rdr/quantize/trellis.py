"""Trellis-coded quantization: a path through a trellis says from which quarter of the integers each sample may take.

In state s a sample may be an integer k with k = s mod 2; which of the two residues modulo 4 it has decides
the next state. The trellises are those of Ungerboeck's rate-1/2 systematic codes, whose paths lie far apart.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

# Parity-check polynomials h0, h1 of the one-dimensional (amplitude modulation) codes, in octal as published.
_POLYNOMIALS = {
    8: (0o13, 0o4), 16: (0o23, 0o4), 32: (0o45, 0o10), 64: (0o103, 0o24), 128: (0o235, 0o126), 256: (0o515, 0o362),
}  # fmt: skip
_CHUNK = 2**26  # branches remembered in one go


class Trellis(NamedTuple):
    """A trellis with two branches out of and into every state.

    Attributes:
      next_state: int32 [states, 2]; column j is the branch on which (k - s mod 2) / 2 is j mod 2.
      previous: int32 [states, 2], the states from which a state is reached.
      residue: int32 [states, 2], k mod 4 on those branches.
    """

    next_state: np.ndarray
    previous: np.ndarray
    residue: np.ndarray


def trellis(states: int) -> Trellis:
    """Makes a trellis.

    Args:
      states: 8, 16, 32, 64, 128 or 256.

    Returns:
      The trellis.

    Raises:
      ValueError: for another number of states.

    Reference: Ungerboeck (ungerboeck1982channel), table I; Marcellin and Fischer (marcellin1990trellis).
    """
    if states not in _POLYNOMIALS:
        raise ValueError(f"states must be one of {', '.join(map(str, _POLYNOMIALS))}, got {states}")
    h0, h1 = _POLYNOMIALS[states]
    s = np.arange(states)
    branches = np.arange(2)
    following = (s >> 1)[:, None] ^ np.where(s & 1, h0 >> 1, 0)[:, None] ^ np.where(branches, h1 >> 1, 0)[None]
    following = following & (states - 1)
    residues = (s & 1)[:, None] + 2 * branches[None]
    previous, residue = np.zeros((states, 2), np.int32), np.zeros((states, 2), np.int32)
    count = np.zeros(states, int)
    for state in s:
        for j in branches:
            to = following[state, j]
            previous[to, count[to]], residue[to, count[to]] = state, residues[state, j]
            count[to] += 1
    return Trellis(following.astype(np.int32), previous, residue)


def quantize_path(costs: ArrayLike, trellis: Trellis) -> jax.Array:
    """Finds the path of least total cost through a trellis, from state 0 (Viterbi's algorithm).

    Args:
      costs: [batch, steps, 4], floating, the cost of the best integer of each residue modulo 4 at each step.
      trellis: from `trellis`.

    Returns:
      The residue at each step, int32 [batch, steps].

    Raises:
      ValueError: if the last axis does not have 4 entries.

    Reference: Viterbi (viterbi1967error); Forney (forney1973viterbi).
    """
    costs = jnp.asarray(costs)
    if costs.ndim != 3 or costs.shape[-1] != 4:
        raise ValueError(f"costs must have shape [batch, steps, 4], got {costs.shape}")
    batch, states = costs.shape[0], len(trellis.previous)
    previous, residue = jnp.asarray(trellis.previous), jnp.asarray(trellis.residue)
    first = jnp.where(jnp.arange(states) == 0, jnp.zeros((), costs.dtype), jnp.full((), jnp.inf, costs.dtype))

    def forward(total, cost):
        # The two ways into each state; batch is the last axis, so that states are moved as whole rows.
        ways = [total[previous[:, j]] + cost[residue[:, j]] for j in range(2)]
        second = ways[1] < ways[0]
        best = jnp.where(second, ways[1], ways[0])
        # Only differences matter; without this float32 would run out of digits on long blocks.
        return best - best.min(0, keepdims=True), second

    start = jnp.broadcast_to(first[:, None], (states, batch))
    total, choices = jax.lax.scan(forward, start, jnp.transpose(costs, (1, 2, 0)))
    last = jnp.argmin(total, 0).astype(jnp.int32)

    def backward(state, choice):
        branch = jnp.take_along_axis(choice, state[None], 0)[0].astype(jnp.int32)
        return previous[state, branch], residue[state, branch]

    _, residues = jax.lax.scan(backward, last, choices, reverse=True)
    return jnp.transpose(residues)


def nearest_path(x: ArrayLike, trellis: Trellis) -> jax.Array:
    """Quantizes sequences to the integers of the nearest path from state 0.

    Args:
      x: [batch, steps], floating, in units of the integers; computed with in float32, or float64 if it is.
      trellis: from `trellis`.

    Returns:
      int32 [batch, steps].

    Raises:
      ValueError: if `x` has another rank.
    """
    x = jnp.asarray(x)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    if x.ndim != 2:
        raise ValueError(f"x must have shape [batch, steps], got {x.shape}")
    batch, steps = x.shape
    rows = max(1, _CHUNK // (max(steps, 1) * len(trellis.previous)))
    if batch <= rows:
        return _nearest_path(x, trellis)
    blocks = -(-batch // rows)
    padded = jnp.pad(x, ((0, blocks * rows - batch), (0, 0))).reshape(blocks, rows, steps)
    return jax.lax.map(lambda part: _nearest_path(part, trellis), padded).reshape(-1, steps)[:batch]


@jax.jit
def _nearest_path(x: jax.Array, trellis: Trellis) -> jax.Array:
    residues = jnp.arange(4, dtype=x.dtype)[None, None]
    rounds = jnp.round((x[..., None] - residues) / 4)
    result = quantize_path(jnp.square(x[..., None] - residues - 4 * rounds), trellis)
    return result + 4 * jnp.take_along_axis(rounds, result[..., None], -1)[..., 0].astype(jnp.int32)


def walk(integers: np.ndarray, trellis: Trellis) -> np.ndarray:
    """Follows the states that a path of integers goes through, from state 0.

    Args:
      integers: [batch, steps].
      trellis: the trellis.

    Returns:
      int32 [batch, steps], the state in which each integer was taken.
    """
    states = np.zeros(integers.shape, np.int32)
    for step in range(1, integers.shape[1]):
        states[:, step] = trellis.next_state[states[:, step - 1], (integers[:, step - 1] >> 1) & 1]
    return states
