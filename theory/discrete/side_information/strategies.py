"""Shannon strategies: what a decoder makes of its side information, as one symbol of an alphabet.

A decoder that knows a message and y applies a map t from the side information to the reproductions; the message names
the map. So the rate-distortion function with side information at the decoder is a minimum over W(t|x) of the convex
I(X; T | Y), with the cost c(x, t) = sum_y p(y|x) d(x, t(y)).
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np


def all_strategies(side_letters: int, reproductions: int) -> np.ndarray:
    """Lists all maps from side information to reproductions.

    Args:
      side_letters: k, how many letters the side information has.
      reproductions: m, how many reproductions there are.

    Returns:
      t(y), integers, [m^k, k], in lexicographic order.
    """
    return np.array(list(itertools.product(range(reproductions), repeat=side_letters)), np.int64)


def strategy_costs(given_letter: jax.Array, distortion_matrix: jax.Array, strategies: np.ndarray) -> jax.Array:
    """Computes c(x, t) = sum_y p(y|x) d(x, t(y)).

    Args:
      given_letter: p(y|x), [n, k].
      distortion_matrix: d, [n, m]; +inf forbids a pair.
      strategies: t(y), [l, k].

    Returns:
      The costs, [n, l]; +inf where a strategy may need a forbidden pair.
    """
    chosen = distortion_matrix[:, strategies]
    occurs = (given_letter > 0)[:, None]
    return jnp.sum(jnp.where(occurs, given_letter[:, None] * jnp.where(occurs, chosen, 0.0), 0.0), -1)


def strategy_outputs(given_letter: jax.Array, strategies: np.ndarray, reproductions: int, *, joint: bool) -> jax.Array:
    """Computes the distribution of the reproduction, or of it and the side information, given x and t.

    Args:
      given_letter: p(y|x), [n, k].
      strategies: t(y), [l, k].
      reproductions: m.
      joint: whether the side information is part of the output letter: (y, reproduction), y slower.

    Returns:
      [n, l, m], or [n, l, k m].
    """
    chosen = jax.nn.one_hot(strategies, reproductions)  # [l, k, m]
    pairs = given_letter[:, None, :, None] * chosen[None]
    return pairs.reshape(*pairs.shape[:2], -1) if joint else pairs.sum(2)
