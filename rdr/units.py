"""Bits and nats: the one place in `rdr` where log(2) appears."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

_LN2 = 0.6931471805599453


def nats_to_bits(nats: ArrayLike) -> jax.Array:
    """Converts an information quantity from nats to bits: bits = nats / ln 2.

    Args:
      nats: information, in nats; any shape and floating dtype, which is kept.

    Returns:
      The same information in bits; same shape.
    """
    return jnp.asarray(nats) / _LN2


def bits_to_nats(bits: ArrayLike) -> jax.Array:
    """Converts an information quantity from bits to nats: nats = bits ln 2.

    Args:
      bits: information, in bits; any shape and floating dtype, which is kept.

    Returns:
      The same information in nats; same shape.
    """
    return jnp.asarray(bits) * _LN2
