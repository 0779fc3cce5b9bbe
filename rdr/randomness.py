"""Randomness by who knows it: shared by encoder and decoder, or private to one side.

Shared randomness must come out the same on every device and in every version, or nothing decodes. It is
therefore made of integers: the bits of an explicitly named counter-based generator, mapped to values by a
table.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from rdr.program_cache import ProgramCache

_GENERATOR = "threefry2x32"


def _draw(key: jax.Array, shape: tuple[int, ...], bits: int) -> jax.Array:
    words = jax.random.bits(key, (math.prod(shape),), jnp.uint32).reshape(shape)
    return words if bits == 32 else (words >> (32 - bits)).astype(jnp.int32)


_drawn = ProgramCache(_draw, maxsize=128, static_argnums=(1, 2))  # decoders of many images see many shapes


def uniform(key: jax.Array, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> jax.Array:
    """Draws numbers that are uniform on [low, high).

    The numbers of `jax.random.uniform`, drawn in a row: XLA compiles the generator in a tenth of the time that it takes
    for nested loops over several axes (seconds a draw on CPUs), and its loop is a vector's.

    Args:
      key: of the draw; its randomness is private unless its owner shares it.
      shape: of the result.
      low, high: ends of the interval.

    Returns:
      float32 array.
    """
    return jax.random.uniform(key, (math.prod(shape),), jnp.float32, low, high).reshape(shape)


def normal(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Draws standard normal numbers, those of `jax.random.normal`, in a row as `uniform` does.

    Args:
      key: of the draw.
      shape: of the result.
      dtype: of the result.

    Returns:
      Array of the given shape.
    """
    return jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)


def truncated_normal_kernel(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32, *,
                            gain: float = 1.0) -> jax.Array:
    """Draws a kernel to start from: normal numbers cut at two standard deviations, in a row as `uniform` draws.

    The variance is gain over the numbers that an output sees: the initializer `variance_scaling` of Flax ("fan_in",
    "truncated_normal"), number for number.

    Args:
      key: of the draw.
      shape: of the kernel, [.., inputs, outputs].
      dtype: of the kernel.
      gain: factor of the variance.

    Returns:
      Array of the given shape.
    """
    inputs = math.prod(shape[:-1])
    # The standard deviation of a standard normal number given that it lies within (-2, 2).
    scale = (gain / inputs) ** 0.5 / 0.87962566103423978
    draw = jax.random.truncated_normal(key, -2, 2, (math.prod(shape),), dtype)
    return (draw * jnp.asarray(scale, dtype)).reshape(shape)


def shared_key(seed: int) -> jax.Array:
    """Makes a key for randomness that encoder and decoder share.

    Args:
      seed: 0 <= seed < 2^32; this is what the two sides have to agree on.

    Returns:
      A typed threefry key, whatever the process's default generator is.

    Raises:
      ValueError: if the seed is outside of its range.
    """
    if not 0 <= int(seed) < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2^32), got {seed}")
    return jax.random.key(jnp.uint32(seed), impl=_GENERATOR)


def shared_words(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws 32-bit words that are uniform on 0 .. 2^32 - 1, the same on every device.

    Args:
      key: from `shared_key`.
      shape: of the result.

    Returns:
      uint32 array of the given shape.

    Raises:
      ValueError: if the key is of another generator.
    """
    return _shared(key, tuple(shape), 32)


def _shared(key: jax.Array, shape: tuple[int, ...], bits: int) -> jax.Array:
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or str(jax.random.key_impl(key)) != _GENERATOR:
        raise ValueError(f"shared_key must be a typed {_GENERATOR} key (see rdr.randomness.shared_key), got {key!r}")
    with jax.threefry_partitionable(True):  # the flag changes the bits, so it is not left to the process
        return (_draw if isinstance(key, jax.core.Tracer) else _drawn)(key, shape, bits)


def shared_integers(key: jax.Array, shape: tuple[int, ...], *, levels: int) -> jax.Array:
    """Draws integers that are uniform on 0 .. levels-1, the same on every device.

    Args:
      key: from `shared_key`.
      shape: of the result.
      levels: a power of two, 1 <= levels <= 2^16.

    Returns:
      int32 array of the given shape.

    Raises:
      ValueError: if the key is of another generator, or `levels` is no such power.
    """
    if levels < 1 or levels > 2**16 or levels & (levels - 1):
        raise ValueError(f"levels must be a power of two between 1 and 2^16, got {levels}")
    if levels == 1:
        _shared(key, (), 32)  # refuses a key of another generator
        return jnp.zeros(shape, jnp.int32)
    return _shared(key, tuple(shape), levels.bit_length() - 1)


def dither_offsets(levels: int) -> jax.Array:
    """The table of dither values: `levels` midpoints that divide [-1/2, 1/2) evenly.

    Args:
      levels: how many values, >= 1; exact in float32 for powers of two.

    Returns:
      float32 array [levels]; the value of integer i is (i + 1/2) / levels - 1/2.
    """
    return (jnp.arange(levels, dtype=jnp.float32) + 0.5) / levels - 0.5
