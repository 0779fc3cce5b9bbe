"""Paths through a trellis to bytes and back: the branches step by step, then what is left of the integers.

Blocks are coded side by side. At each step a bit says which branch every block takes; its chance depends on the
state's parity and the dither. When all branches are known, so is every integer modulo 4, and the rest is one step.

Where each integer has a prior of its own, out of several, `dither` stands for the dither plus `levels` times the
prior's number.
"""

import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.coder import escape_bits
from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, table_bits
from rdr.entropy_models.trellis import TrellisPrior
from rdr.quantize.trellis import Trellis, walk


def _positions(residue: np.ndarray, dither: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    distance = residue * (levels // 4) - dither % levels
    return distance % levels + dither // levels * levels, distance // levels


def _parts(integers: np.ndarray, dither: np.ndarray, trellis: Trellis, prior: TrellisPrior, levels: int | None):
    """Branch bits, their chances, the rest of the integers, and its tables."""
    integers, dither = np.asarray(integers, np.int64), np.asarray(dither, np.int64)
    states = walk(integers, trellis)
    if ((states ^ integers) & 1).any():
        raise ValueError("integers must follow a path of the trellis from state 0")
    position, shift = _positions(integers & 3, dither, levels or prior.chances.shape[1])
    return (integers >> 1) & 1, prior.chances[states & 1, dither], (integers >> 2) + shift, position


def encode_path(integers: np.ndarray, dither: np.ndarray, trellis: Trellis, prior: TrellisPrior, *,
                levels: int | None = None) -> tuple[bytes, bytes]:
    """Codes integers along paths.

    Args:
      integers: int [blocks, steps], on paths from state 0.
      dither: int [blocks, steps], in steps of 4 / levels, 0 <= dither < levels; zeros without dither.
      trellis: the trellis.
      prior: prior of the integers, or several.
      levels: values of the dither; default all of `prior`, which is one.

    Returns:
      Two byte strings: bits and integers, and escape codes.

    Raises:
      ValueError: if the integers do not follow a path.
    """
    bits, chances, rest, tables = _parts(integers, dither, trellis, prior, levels)
    encoder = StepEncoder()
    for step in range(bits.shape[1]):
        encoder.add_bits(bits[:, step], chances[:, step])
    encoder.add(rest, prior.integers, tables)
    return encoder.finish()


def path_bits(integers: np.ndarray, dither: np.ndarray, trellis: Trellis, prior: TrellisPrior, *,
              levels: int | None = None) -> np.ndarray:
    """Ideal code length of integers along paths with the chances and tables that they are coded with.

    Args:
      integers: int [blocks, steps].
      dither: int [blocks, steps].
      trellis: the trellis.
      prior: prior of the integers, or several.
      levels: values of the dither; default all of `prior`, which is one.

    Returns:
      float64 bits [blocks, steps].

    Raises:
      ValueError: if the integers do not follow a path.
    """
    bits, chances, rest, tables = _parts(integers, dither, trellis, prior, levels)
    branch = BIT_PROBABILITY_PRECISION - np.log2(np.where(bits == 1, chances, 2**BIT_PROBABILITY_PRECISION - chances))
    return branch + table_bits(rest, prior.integers, tables) + escape_bits(rest, prior.integers, tables)


def decode_path(coded: bytes, escapes: bytes, dither: np.ndarray, trellis: Trellis, prior: TrellisPrior, *,
                levels: int | None = None) -> np.ndarray:
    """Decodes what `encode_path` wrote.

    Args:
      coded: the first byte string.
      escapes: the second one.
      dither: int [blocks, steps], the same.
      trellis: the same trellis.
      prior: the same prior.
      levels: the same.

    Returns:
      int32 [blocks, steps].

    Raises:
      ValueError: if the bytes are damaged.
    """
    dither = np.asarray(dither, np.int64)
    decoder = StepDecoder(coded, escapes)
    residue = np.zeros(dither.shape, np.int64)
    state = np.zeros(len(dither), np.int64)
    for step in range(dither.shape[1]):
        bit = decoder.read_bits(prior.chances[state & 1, dither[:, step]])
        residue[:, step] = (state & 1) + 2 * bit
        state = trellis.next_state[state, bit]
    position, shift = _positions(residue, dither, levels or prior.chances.shape[1])
    rest = decoder.read(prior.integers, position).astype(np.int64)
    decoder.finish()
    integers = residue + 4 * (rest - shift)
    if integers.size and (integers.min() < -(2**31) or integers.max() >= 2**31):
        raise ValueError("damaged message: an integer leaves the range of int32")
    return integers.astype(np.int32)
