"""Lattice points to bytes and back: coset, parities and integers one after the other, in integer arithmetic.

Coded in this order: the bits of the coset's index, each given those before; the parities of z_1, .., z_n, each given
those before (the last follows from the rule); then every z_i given its parity and residue. What selects a chance or
a table is integer arithmetic on the tables of `rdr.entropy_models.lattice`, so both sides agree on every machine.
"""

from collections.abc import Callable

import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.coder import escape_bits
from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, table_bits
from rdr.entropy_models.lattice import UNIT, LatticePrior, axis_classes, coset_weights, fixed_point_multiply, locate
from rdr.quantize.lattices import Lattice

_CHUNK = 2**20  # cosets looked at in one go


def _chance(one: np.ndarray, both: np.ndarray) -> np.ndarray:
    """one / both with 16 fractional bits, never 0 or 1; sums are below 2^46."""
    return np.clip(((one << BIT_PROBABILITY_PRECISION) + both // 2) // both, 1, 2**BIT_PROBABILITY_PRECISION - 1)


def coset_index(points: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Finds the coset that points lie in.

    Args:
      points: int [blocks, n], whole numbers.
      lattice: the lattice.

    Returns:
      int64 [blocks], m words + (index of c).

    Raises:
      ValueError: if a point is none of the lattice's.
    """
    points = np.asarray(points, np.int64)
    words, n = lattice.code.shape
    place_values = 1 << np.arange(n, dtype=np.int64)
    packed = lattice.code.astype(np.int64) @ place_values
    order = np.argsort(packed)
    index = np.full(len(points), -1, np.int64)
    for m in range(lattice.glues):
        rest = points - m
        bits = (rest // lattice.inner) & 1 if lattice.inner else np.zeros_like(rest)
        word = order[np.minimum(np.searchsorted(packed, bits @ place_values, sorter=order), words - 1)]
        z, left = np.divmod(rest - lattice.inner * lattice.code[word], lattice.outer)
        fits = (left == 0).all(-1)
        if lattice.parities is not None:
            fits &= (z.sum(-1) & 1) == lattice.parities[m]
        index = np.where(fits, m * words + word, index)
    if (index < 0).any():
        raise ValueError(f"points must be of the lattice {lattice.name}")
    return index


def _residues(lattice: Lattice, index: np.ndarray) -> np.ndarray:
    words = len(lattice.code)
    return (index // words)[:, None] + lattice.inner * lattice.code[index % words].astype(np.int64)


def _walk_cosets(lattice: Lattice, prior: LatticePrior, dither: np.ndarray, decide: Callable) -> np.ndarray:
    """Goes down the binary tree of cosets; `decide(chances, rows, depth)` gives one bit of every block in rows."""
    index = np.zeros(len(dither), np.int64)
    cosets = lattice.glues * len(lattice.code)
    if cosets == 1:
        return index
    size = max(1, _CHUNK // cosets)
    alike = len(dither) > 0 and (dither == dither[:1]).all()
    tree = coset_weights(lattice, prior, dither[:1]) if alike else np.zeros((0, cosets))
    for start in range(0, len(dither), size):
        rows = slice(start, min(start + size, len(dither)))
        blocks = np.arange(rows.stop - rows.start)
        if not alike:
            tree = coset_weights(lattice, prior, dither[rows])
        below = np.broadcast_to(tree, (blocks.size, cosets))
        for depth in range(cosets.bit_length() - 1):
            halves = below.reshape(blocks.size, 2, -1)
            sums = halves.sum(-1)
            bit = decide(_chance(sums[:, 1], sums.sum(-1)), rows, depth)
            index[rows] = 2 * index[rows] + bit
            below = halves[blocks, bit]
    return index


def _walk_parities(lattice: Lattice, prior: LatticePrior, position: np.ndarray, shift: np.ndarray,
                   target: np.ndarray | None, decide: Callable) -> np.ndarray:
    """Parities of z_1, .., z_n; `decide(chances, i)` gives those of z_i. With a target the last one follows."""
    blocks, n = position.shape
    one = 2**UNIT
    # E - O over E + O for even and odd z instead of z + shift.
    signed = np.where(shift & 1, -1, 1) * prior.ratios[axis_classes(lattice)[1][None], position]
    rest = np.zeros((n, blocks), np.int64)  # the same for the sum of all later coordinates; 0 if that is free
    needed = np.zeros(blocks, np.int64) if target is None else target.copy()
    if target is not None:
        product = np.full(blocks, one, np.int64)
        for i in reversed(range(n)):
            rest[i] = product
            product = fixed_point_multiply(product, signed[:, i])
    parity = np.zeros((blocks, n), np.int64)
    for i in range(n if target is None else n - 1):
        after = rest[i] if target is None else np.where(needed == 0, rest[i], -rest[i])
        even = fixed_point_multiply(one + signed[:, i], one + after) + 1
        odd = fixed_point_multiply(one - signed[:, i], one - after) + 1
        parity[:, i] = decide(_chance(odd, even + odd), i)
        if target is not None:
            needed ^= parity[:, i]
    if target is not None:
        parity[:, -1] = needed
    return parity


def _targets(lattice: Lattice, index: np.ndarray) -> np.ndarray | None:
    return None if lattice.parities is None else np.array(lattice.parities, np.int64)[index // len(lattice.code)]


def _table_ids(lattice: Lattice, prior: LatticePrior, position: np.ndarray, parity: np.ndarray) -> np.ndarray:
    return (axis_classes(lattice)[1][None] * prior.log_sums.shape[1] + position) * 2 + parity


def _known(points: np.ndarray, dither: np.ndarray, lattice: Lattice, prior: LatticePrior, bits: Callable,
           integers: Callable) -> None:
    """Hands over what is coded of known points: `bits(bits, chances, rows)` and `integers(symbols, table_ids)`."""
    points, dither = np.asarray(points, np.int64), np.asarray(dither, np.int64)
    index = coset_index(points, lattice)
    last = (lattice.glues * len(lattice.code)).bit_length() - 2

    def coset_bit(chances, rows, depth):
        bit = (index[rows] >> (last - depth)) & 1
        bits(bit, chances, rows)
        return bit

    _walk_cosets(lattice, prior, dither, coset_bit)
    residue = _residues(lattice, index)
    z = (points - residue) // lattice.outer
    position, shift = locate(lattice, prior, residue, dither)

    def parity_bit(chances, i):
        bits(z[:, i] & 1, chances, slice(None))
        return z[:, i] & 1

    _walk_parities(lattice, prior, position, shift, _targets(lattice, index), parity_bit)
    placed = z + shift
    integers(placed >> 1, _table_ids(lattice, prior, position, placed & 1))


def add_points(encoder: StepEncoder, points: np.ndarray, dither: np.ndarray, lattice: Lattice, prior: LatticePrior
               ) -> None:
    """Adds lattice points to what an encoder writes.

    Args:
      encoder: collects the steps.
      points: int [blocks, n], the whole numbers of `rdr.quantize.closest_point`.
      dither: int [blocks, n], in steps of b / levels; zeros without dither.
      lattice: the lattice.
      prior: prior of the points.

    Raises:
      ValueError: if a point is none of the lattice's.
    """
    _known(points, dither, lattice, prior, lambda bit, chances, rows: encoder.add_bits(bit, chances),
           lambda symbols, ids: encoder.add(symbols, prior.integers, ids))


def encode_points(points: np.ndarray, dither: np.ndarray, lattice: Lattice, prior: LatticePrior) -> tuple[bytes, bytes]:
    """Codes lattice points.

    Args:
      points: int [blocks, n], the whole numbers of `rdr.quantize.closest_point`.
      dither: int [blocks, n], in steps of b / levels; zeros without dither.
      lattice: the lattice.
      prior: prior of the points.

    Returns:
      Two byte strings: bits and integers, and escape codes.

    Raises:
      ValueError: if a point is none of the lattice's.
    """
    encoder = StepEncoder()
    add_points(encoder, points, dither, lattice, prior)
    return encoder.finish()


def point_bits(points: np.ndarray, dither: np.ndarray, lattice: Lattice, prior: LatticePrior) -> np.ndarray:
    """Ideal code length of lattice points with the chances and tables that they are coded with.

    Args:
      points: int [blocks, n].
      dither: int [blocks, n].
      lattice: the lattice.
      prior: prior of the points.

    Returns:
      float64 bits [blocks].

    Raises:
      ValueError: if a point is none of the lattice's.
    """
    total = np.zeros(len(points))

    def bits(bit, chances, rows):
        ones = np.where(bit == 1, chances, 2**BIT_PROBABILITY_PRECISION - chances)
        total[rows] += BIT_PROBABILITY_PRECISION - np.log2(ones)

    def integers(symbols, ids):
        result = table_bits(symbols, prior.integers, ids) + escape_bits(symbols, prior.integers, ids)
        total[:] += result.sum(-1)

    _known(points, dither, lattice, prior, bits, integers)
    return total


def read_points(decoder: StepDecoder, dither: np.ndarray, lattice: Lattice, prior: LatticePrior) -> np.ndarray:
    """Reads what `add_points` added.

    Args:
      decoder: has read all steps before.
      dither: int [blocks, n], the same.
      lattice: the lattice.
      prior: the same prior.

    Returns:
      int32 [blocks, n] points.

    Raises:
      ValueError: if the bytes are damaged.
    """
    dither = np.asarray(dither, np.int64)
    index = _walk_cosets(lattice, prior, dither, lambda chances, rows, depth: decoder.read_bits(chances))
    residue = _residues(lattice, index)
    position, shift = locate(lattice, prior, residue, dither)
    parity = _walk_parities(lattice, prior, position, shift, _targets(lattice, index),
                            lambda chances, i: decoder.read_bits(chances))
    placed = (parity + shift) & 1
    half = decoder.read(prior.integers, _table_ids(lattice, prior, position, placed)).astype(np.int64)
    points = residue + lattice.outer * (2 * half + placed - shift)
    if points.size and (points.min() < -(2**31) or points.max() >= 2**31):
        raise ValueError("damaged message: a lattice point leaves the range of int32")
    return points.astype(np.int32)


def decode_points(coded: bytes, escapes: bytes, dither: np.ndarray, lattice: Lattice, prior: LatticePrior
                  ) -> np.ndarray:
    """Decodes what `encode_points` wrote.

    Args:
      coded: the first byte string.
      escapes: the second one.
      dither: int [blocks, n], the same.
      lattice: the lattice.
      prior: the same prior.

    Returns:
      int32 [blocks, n] points.

    Raises:
      ValueError: if the bytes are damaged.
    """
    decoder = StepDecoder(coded, escapes)
    points = read_points(decoder, dither, lattice, prior)
    decoder.finish()
    return points
