"""Distributions of given location and scale as integer tables: a geometric table of scales, and locations in fractions.

What selects a table is integers: the index of a scale and a location in units of 1/fractions. They are computed in
integer arithmetic from what was decoded before, or transmitted; a float never is.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.bitstream.tables import Tables, make_tables
from rdr.entropy_models.location_scale import interval_bits

SCALES_MIN, SCALES_MAX, SCALES_LEVELS = 0.11, 256.0, 64
_TAIL = {"gaussian": 7.0, "laplace": 21.0, "logistic": 21.0}  # scales; 2^-30 of the distribution lies outside


class Selection(NamedTuple):
    """Which table codes a symbol, and what is taken off the symbol first.

    Attributes:
      table_ids: int64 [...].
      shifts: int64 [...]: symbol - shift is coded.
    """

    table_ids: np.ndarray
    shifts: np.ndarray


def scales(count: int = SCALES_LEVELS, smallest: float = SCALES_MIN, largest: float = SCALES_MAX) -> np.ndarray:
    """The scales of the table: a geometric progression.

    Args:
      count: how many, at least 2.
      smallest: the first, > 0.
      largest: the last.

    Returns:
      float64 [count].

    Raises:
      ValueError: if they are not at least two in increasing order.
    """
    if count < 2 or not 0.0 < smallest < largest < np.inf:
        raise ValueError(f"a table of scales needs count >= 2 and 0 < smallest < largest, got {count}, {smallest}, "
                         f"{largest}")
    return np.exp(np.linspace(np.log(smallest), np.log(largest), count))


def nearest_index(scale: ArrayLike, table: ArrayLike) -> jax.Array:
    """Index of the table's scale that is nearest in ratio: for an encoder that transmits it, or for training.

    Args:
      scale: > 0, any shape.
      table: from `scales`.

    Returns:
      int32, same shape.
    """
    logs = jnp.log(jnp.asarray(table, jnp.float32))
    position = (jnp.log(jnp.asarray(scale, jnp.float32)) - logs[0]) / (logs[1] - logs[0])
    return jnp.clip(jnp.round(position), 0, logs.size - 1).astype(jnp.int32)


def straight_through_scale(scale: ArrayLike, table: ArrayLike) -> jax.Array:
    """The table's nearest scale, with the gradient of the identity: training sees the scales that coding will use.

    Args:
      scale: > 0, any shape.
      table: from `scales`.

    Returns:
      Same shape, float32.
    """
    scale = jnp.asarray(scale, jnp.float32)
    chosen = jnp.asarray(table, jnp.float32)[nearest_index(scale, table)]
    return scale + jax.lax.stop_gradient(chosen - scale)


def location_scale_tables(table: ArrayLike, *, family: str = "gaussian", fractions: int = 8) -> Tables:
    """Integer tables for every scale and every fraction of a location.

    Args:
      table: from `scales`.
      family: "gaussian", "laplace" or "logistic".
      fractions: F, positions of the location between two integers, a power of two.

    Returns:
      Tables, number `scale index * F + f` for the location f / F.

    Raises:
      ValueError: if `fractions` is no power of two.
    """
    if fractions < 1 or fractions & (fractions - 1):
        raise ValueError(f"fractions must be a power of two, got {fractions}")
    table = np.asarray(table, np.float64)
    reach = int(np.ceil(_TAIL[family] * table[-1])) + 1
    upper = np.arange(-reach, reach + 1, dtype=np.float32) + np.float32(0.5)
    locations = np.arange(fractions, dtype=np.float32) / fractions
    bits = jax.jit(lambda scale: interval_bits(upper, locations[:, None], scale, family=family))
    pmfs = [np.exp2(-np.asarray(bits(jnp.float32(scale)), np.float64)) for scale in table]
    return make_tables(np.concatenate(pmfs), -reach)


def select(location: np.ndarray, scale_index: np.ndarray, *, fractions: int = 8, count: int = SCALES_LEVELS
           ) -> Selection:
    """Names the tables of symbols, in integer arithmetic.

    Args:
      location: integers, in units of 1 / fractions; any shape.
      scale_index: integers; those outside of the table count as its ends. Same shape.
      fractions: as the tables were made with.
      count: number of scales.

    Returns:
      The selection.

    Raises:
      ValueError: if an array does not hold integers.
    """
    for name, value in (("location", location), ("scale_index", scale_index)):
        if np.asarray(value).dtype.kind not in "iu":
            raise ValueError(f"{name} must hold integers, got {np.asarray(value).dtype}: floats differ between devices")
    location, index = np.asarray(location, np.int64), np.clip(np.asarray(scale_index, np.int64), 0, count - 1)
    bits = fractions.bit_length() - 1
    return Selection(index * fractions + (location & (fractions - 1)), location >> bits)
