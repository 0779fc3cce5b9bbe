"""Indices of candidates as half octaves with fitted probabilities, and plain bits.

An index k >= 0 is coded by the half octave that k + 1 lies in, {1}, {2}, {3}, {4, 5}, {6, 7}, {8, .., 11}, .., and the
bits that are left. Number 0 stands for no index at all.
"""

import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, Tables, make_tables


def half_octaves(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits indices.

    Args:
      index: int64, -1 for none, < 2^40.

    Returns:
      Half octaves, from 0 for none and 1, and what is left within them, int64.
    """
    value = np.asarray(index, np.int64) + 1
    exponent = np.frexp(np.maximum(value, 1).astype(np.float64))[1] - 1  # exact below 2^53
    below = np.maximum(exponent - 1, 0)
    head = value >> below
    octave = np.where(exponent < 1, value, 2 * exponent + (head & 1))
    return octave, value - (head << below)


def left_bits(octave: np.ndarray) -> np.ndarray:
    """How many bits say where in its half octave an index lies.

    Args:
      octave: int64.

    Returns:
      int64.
    """
    return np.maximum(octave // 2 - 1, 0)


def fit_table(index: np.ndarray, most: int) -> Tables:
    """The table of half octaves, from indices like those to be coded.

    Args:
      index: int64, samples.
      most: indices are below this.

    Returns:
      One table.
    """
    count = int(half_octaves(np.array([most - 1]))[0][0]) + 1
    seen = np.bincount(half_octaves(index)[0], minlength=count) + 0.5
    return make_tables((seen / seen.sum())[None] * (1.0 - 2.0**-24), 0)


def add_index(encoder: StepEncoder, index: np.ndarray, table: Tables) -> None:
    """Adds indices to what an encoder writes.

    Args:
      encoder: collects the steps.
      index: int64 [blocks], -1 for none.
      table: of half octaves.
    """
    octave, rest = half_octaves(index)
    encoder.add(octave, table)
    count = left_bits(octave)
    for bit in range(int(count.max(initial=0))):
        rows = count > bit
        encoder.add_bits((rest[rows] >> bit) & 1, np.full(int(rows.sum()), 2 ** (BIT_PROBABILITY_PRECISION - 1)))


def read_index(decoder: StepDecoder, blocks: int, table: Tables, most: int) -> np.ndarray:
    """Reads what `add_index` added.

    Args:
      decoder: has read all steps before.
      blocks: how many.
      table: the same.
      most: indices are below this.

    Returns:
      int64 [blocks].

    Raises:
      ValueError: if an index is not.
    """
    octave = decoder.read(table, np.zeros(blocks, np.int32)).astype(np.int64)
    count = left_bits(octave)
    if blocks and (octave.min() < 0 or count.max() > most.bit_length()):
        raise ValueError(f"damaged message: the number of a candidate is not below {most}")
    rest = np.zeros(blocks, np.int64)
    for bit in range(int(count.max(initial=0))):
        rows = count > bit
        result = decoder.read_bits(np.full(int(rows.sum()), 2 ** (BIT_PROBABILITY_PRECISION - 1)))
        rest[rows] |= result.astype(np.int64) << bit
    index = np.where(octave < 2, octave, ((2 + (octave & 1)) << count) + rest) - 1
    if blocks and index.max() >= most:
        raise ValueError(f"damaged message: the number of a candidate is not below {most}")
    return index
