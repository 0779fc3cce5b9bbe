"""Trellis-coded quantisation: a path through a trellis says from which quarter of the integers each sample may take.

In state s a sample may be an integer k with k = s mod 2; which of the two residues modulo 4 it has decides
the next state. The trellises are those of Ungerboeck's rate-1/2 systematic codes, whose paths lie far apart.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

# Parity-check polynomials h0, h1 of the one-dimensional (amplitude modulation) codes, in octal as published.
_POLYNOMIALS = {
    8: (0o13, 0o4), 16: (0o23, 0o4), 32: (0o45, 0o10), 64: (0o103, 0o24), 128: (0o235, 0o126), 256: (0o515, 0o362),
}  # fmt: skip


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

    Reference: Ungerboeck, "Channel coding with multilevel/phase signals", IEEE T-IT 28(1), 1982, table I; Marcellin and
      Fischer, "Trellis coded quantization", IEEE T-COM 38(1), 1990.
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


def quantize_path(costs: ArrayLike, trellis: Trellis, *, start: int | None = 0) -> tuple[jax.Array, jax.Array]:
    """Finds the path of least total cost through a trellis (Viterbi's algorithm).

    Args:
      costs: [batch, steps, 4], the cost of the best integer of each residue modulo 4 at each step.
      trellis: from `trellis`.
      start: the first state, or None to choose the best one.

    Returns:
      The residue at each step, int32 [batch, steps], and the first state, int32 [batch].

    Reference: Viterbi, IEEE T-IT 13(2), 1967; Forney, Proc. IEEE 61(3), 1973.
    """
    costs = jnp.asarray(costs)
    batch, states = costs.shape[0], len(trellis.previous)
    previous, residue = jnp.asarray(trellis.previous), jnp.asarray(trellis.residue)
    first = jnp.zeros((batch, states), costs.dtype)
    if start is not None:
        first = jnp.where(jnp.arange(states)[None] == start, first, jnp.inf)

    def forward(total, cost):
        # The two ways into each state.
        ways = [total[:, previous[:, j]] + cost[:, residue[:, j]] for j in range(2)]
        second = ways[1] < ways[0]
        best = jnp.where(second, ways[1], ways[0])
        # Only differences matter; without this float32 would run out of digits on long blocks.
        return best - best.min(-1, keepdims=True), second

    total, choices = jax.lax.scan(forward, first, jnp.moveaxis(costs, 1, 0))
    last = jnp.argmin(total, -1)

    def backward(state, choice):
        branch = jnp.take_along_axis(choice, state[:, None], 1)[:, 0].astype(jnp.int32)
        return previous[state, branch], residue[state, branch]

    begin, residues = jax.lax.scan(backward, last, choices, reverse=True)
    return jnp.moveaxis(residues, 0, 1).astype(jnp.int32), begin.astype(jnp.int32)


def walk(integers: np.ndarray, trellis: Trellis, start: np.ndarray) -> np.ndarray:
    """Follows the states that a path of integers goes through.

    Args:
      integers: [batch, steps] coded integers.
      trellis: the trellis.
      start: [batch] first states.

    Returns:
      int32 [batch, steps], the state in which each integer was taken.
    """
    state, states = np.asarray(start), []
    for step in range(integers.shape[1]):
        states.append(state)
        state = trellis.next_state[state, (integers[:, step] >> 1) & 1]
    return np.stack(states, 1) if states else np.zeros(integers.shape, np.int32)
