"""Bits and nats, variances and decibels: the one place in `theory` where log(2) appears."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

_LN2 = 0.6931471805599453


def nats_to_bits(nats: ArrayLike) -> jax.Array:
    """Converts an information quantity from nats to bits: bits = nats / ln 2.

    Args:
      nats: information, in nats; any shape.

    Returns:
      The same information in bits; same shape.
    """
    return jnp.asarray(nats) / _LN2


def bits_to_nats(bits: ArrayLike) -> jax.Array:
    """Converts an information quantity from bits to nats: nats = bits * ln 2.

    Args:
      bits: information, in bits; any shape.

    Returns:
      The same information in nats; same shape.
    """
    return jnp.asarray(bits) * _LN2


def power_to_db(power: ArrayLike) -> jax.Array:
    """Converts a power (a variance, a mean squared error) to decibels: 10 log10(power).

    Args:
      power: non-negative power; any shape.

    Returns:
      Decibels relative to 1; -inf where the power is zero.
    """
    return 10.0 * jnp.log10(jnp.asarray(power))


def db_to_power(decibels: ArrayLike) -> jax.Array:
    """Converts decibels to a power: 10 ** (decibels / 10).

    Args:
      decibels: decibels relative to 1; any shape.

    Returns:
      The power; same shape.
    """
    return 10.0 ** (jnp.asarray(decibels) / 10.0)
