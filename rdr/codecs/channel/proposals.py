"""Shared candidates of block coders: a marked Poisson process for every block, any part of which can be looked up.

Candidates y_1, y_2, .. of a block are independent N(0, k^2) in every coordinate, and arrive at the times of a Poisson
process of rate one. They are made in groups of 128 from 32-bit words, counter-based, so that a decoder makes the one
group that it needs. Which candidate is meant is said by the message; both sides' floats may differ in their last
digits.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32
from scipy.special import ndtri

GROUP = 128
_NORMALS, _WAITS, _UNIFORMS = 0, 1, 2
_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
         0.246640727, 1.50140941)
_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
        1.00167406, 2.83297682)


class Candidates(NamedTuple):
    """A stretch of candidates.

    Attributes:
      normals: float32 [count, n], standard Gaussian.
      waits: float32 [count], exponential with mean 1: from the arrival before to this one.
      uniforms: float32 [count], in (0, 1); the encoder's own, of which the decoder needs nothing.
    """

    normals: jax.Array
    waits: jax.Array
    uniforms: jax.Array


def _words(key: jax.Array, block: jax.Array, group: jax.Array, part: int, count: int) -> jax.Array:
    """uint32 [128, count]: threefry of 0, 1, .. under a key of the block, the group and what they are for."""
    if str(jax.random.key_impl(key)) != "threefry2x32":
        raise ValueError(f"shared_key must be a typed threefry2x32 key (see rdr.randomness.shared_key), got {key!r}")
    for number in (block, group, part):
        key = jax.random.fold_in(key, number)
    # Both halves of every hash are used, which jax.random.bits does not do.
    counter = jnp.arange(GROUP * count, dtype=jnp.uint32)
    return threefry_2x32(jax.random.key_data(key), counter).reshape(GROUP, count)


def _from_tail(tail: jax.Array) -> jax.Array:
    """The x > 0 with P(N(0, 1) > x) = tail, float32; to 10^-6 down to a tail of 10^-8, to 10^-2 down to 2^-33.

    Reference: Giles [giles2011approximating], with his w taken from the tail.
    """
    w = -jnp.log(4.0 * tail * (1.0 - tail))
    near, far = w - 2.5, jnp.sqrt(w) - 3.0
    inner = functools.reduce(lambda p, c: p * near + c, _NEAR, jnp.zeros_like(w))
    outer = functools.reduce(lambda p, c: p * far + c, _FAR, jnp.zeros_like(w))
    return jnp.float32(2**0.5) * (1.0 - 2.0 * tail) * jnp.where(w < 5.0, inner, outer)


def candidates(key: jax.Array, block: jax.Array, first_group: jax.Array, groups: int, dimension: int) -> Candidates:
    """Makes candidates of one block; to be mapped over blocks under jit, where what is not used is not made.

    Args:
      key: the message's shared key.
      block: uint32, number of the block.
      first_group: uint32, number of the first group.
      groups: how many.
      dimension: n.

    Returns:
      The candidates first_group 128, .., counted from 0.

    Raises:
      ValueError: if the key is of another generator.
    """
    def made(part, count):
        numbers = first_group + jnp.arange(groups, dtype=jnp.uint32)
        return jax.vmap(lambda g: _words(key, block, g, part, count))(numbers).reshape(groups * GROUP, count)

    scale = jnp.float32(2.0**-32)
    words = made(_NORMALS, dimension)
    # 31 bits for the size, so that tails are as finely resolved as the middle, and one for the sign.
    size = _from_tail(((words >> 1).astype(jnp.float32) + 0.5) * scale)
    waits = -jnp.log((made(_WAITS, 1)[:, 0].astype(jnp.float32) + 0.5) * scale)
    uniforms = ((made(_UNIFORMS, 1)[:, 0] >> 8).astype(jnp.float32) + 0.5) * jnp.float32(2.0**-24)
    return Candidates(jnp.where(words & 1, size, -size), waits, uniforms)


@functools.partial(jax.jit, static_argnames="dimension")
def _rows(key, blocks, groups, rows, dimension):
    return jax.vmap(lambda b, g, r: _words(key, b, g, _NORMALS, dimension)[r])(blocks, groups, rows)


def chosen_normals(key: jax.Array, blocks: np.ndarray, index: np.ndarray, dimension: int) -> np.ndarray:
    """The candidates that a message names.

    Args:
      key: the message's shared key.
      blocks: int [k], numbers of blocks.
      index: int [k], numbers of candidates, counted from 0.
      dimension: n.

    Returns:
      float64 [k, n], standard Gaussian.
    """
    words = np.empty((len(blocks), dimension), np.uint32)
    piece = max(1, 2**21 // (GROUP * dimension))
    for start in range(0, len(blocks), piece):
        part = slice(start, min(start + piece, len(blocks)))
        pad = (0, piece - (part.stop - part.start))
        numbers = (np.pad(np.asarray(a, np.uint32), pad) for a in (
            blocks[part], index[part] // GROUP, index[part] % GROUP))
        words[part] = np.asarray(_rows(key, *numbers, dimension))[: part.stop - part.start]
    size = -ndtri(((words >> 1).astype(np.float64) + 0.5) / 2.0**32)
    return np.where(words & 1, size, -size)
