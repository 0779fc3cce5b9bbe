"""Discrete Gaussian laws on lattices, coded bit by bit and coordinate by coordinate in integer arithmetic.

A point of a lattice (`rdr.quantize.lattices`) has, given a dither u, a probability proportional to
exp(-beta |point - u|^2).
With r the residue m + a c of a coordinate, its part is w(z) = exp(-beta s^2 (r + b z - u)^2), and with E and O the
sums of w over even and odd z

    P(coset m, c) ~ prod_i (E_i + O_i) [1 + (-1)^target prod_i (E_i - O_i)/(E_i + O_i)] / 2,

the bracket only with a parity rule. Coded in this order: m and the bits of c's index, each given those before; the
parities of z_1, .., z_n, each given those before (the last follows); then every z_i given its parity and residue.

Everything that selects a table is integer arithmetic: logarithms, ratios and exponentials come from integer tables,
so that encoder and decoder agree on every machine. The dither lies on a grid of 1/levels of b.
"""

from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream.steps import StepDecoder, StepEncoder
from rdr.entropy_models.tables import Tables, make_tables
from rdr.quantize.lattices import Lattice

_FRACTION = 16  # fractional bits of logarithms
_RATIO = 30  # fractional bits of ratios and weights
_EXPONENTS = 12  # the exponential's table has 2^12 entries
_DECISION = 12  # probabilities of bits are multiples of 2^-12
_REACH = 96  # integers z with |z| <= this are tabulated; others are escapes


class LatticePrior(NamedTuple):
    """A discrete Gaussian law on a lattice as integer tables.

    With levels L and g in 0..L-1 the position of a coordinate between two multiples of b, in steps of b / L:

    Attributes:
      log_sums: int64 [n, L], 2^16 log2(E + O) at each position, per axis.
      ratios: int64 [n, L], 2^30 (E - O)/(E + O).
      powers: int64 [4096], 2^30 2^(i/4096 - 1).
      parities: `Tables` [n L], of the parity of a coordinate alone, not used by the coder (kept for inspection).
      integers: `Tables` [n L 2], of (z - q)/2 given the parity q of z.
      decisions: `Tables` [4097], of a bit whose probability of being 1 is i / 4096.
    """

    log_sums: np.ndarray
    ratios: np.ndarray
    powers: np.ndarray
    integers: Tables
    decisions: Tables


def lattice_prior(lattice: Lattice, beta: float, step: float, *, levels: int) -> LatticePrior:
    """Makes the tables.

    Args:
      lattice: from `rdr.quantize.lattice`.
      beta: b > 0 of exp(-beta |point - u|^2), points being those of the lattice times `step`.
      step: size of the lattice, > 0.
      levels: L, positions of a coordinate: 4 without dither.

    Returns:
      The prior.

    Raises:
      ValueError: if a number is not positive, or `levels` is no multiple of `lattice.outer`.
    """
    if not (0 < beta < np.inf and 0 < step < np.inf):
        raise ValueError(f"beta and step must be positive and finite, got {beta} and {step}")
    if levels < lattice.outer or levels % lattice.outer:
        raise ValueError(f"levels must be a multiple of {lattice.outer} for {lattice.name}, got {levels}")
    z = np.arange(-_REACH, _REACH + 1)
    units = lattice.outer * (z[None, None, :] + np.arange(levels)[None, :, None] / levels)
    exponent = -beta * (step * lattice.scale[:, None, None] * units) ** 2
    top = exponent.max(-1, keepdims=True)
    weights = np.exp(exponent - top)
    even, odd = (weights[..., z % 2 == q].sum(-1) for q in (0, 1))
    log_sums = np.log2(even + odd) + top[..., 0] / np.log(2.0)
    ratios = (even - odd) / (even + odd)
    # z = 2 k + q; a law of k for each position and parity.
    pmfs = []
    for q in (0, 1):
        kept = weights[..., z % 2 == q]
        pmfs.append(kept[..., : _REACH] / kept.sum(-1, keepdims=True))
    flat = np.stack([pmf.reshape(-1, pmf.shape[-1]) for pmf in pmfs], 1).reshape(-1, pmfs[0].shape[-1])
    first = {0: -(_REACH // 2), 1: -(_REACH // 2)}  # _REACH is even: z = -_REACH is even, z = -_REACH + 1 is odd
    integers = make_tables(flat, first[0])
    chances = np.arange(2**_DECISION + 1) / 2**_DECISION
    chances = np.clip(chances, 2.0**-20, 1.0 - 2.0**-20)
    return LatticePrior(
        log_sums=np.round(log_sums * 2**_FRACTION).astype(np.int64),
        ratios=np.round(ratios * 2**_RATIO).astype(np.int64),
        powers=np.round(2.0 ** (np.arange(2**_EXPONENTS) / 2**_EXPONENTS - 1.0 + _RATIO)).astype(np.int64),
        integers=integers,
        decisions=make_tables(np.stack([1.0 - chances, chances], 1), 0),
    )


def prior_tree(prior: LatticePrior) -> dict[str, Any]:
    """The prior as a tree of arrays, to be stored with parameters."""
    tree = prior._asdict()
    return {**tree, "integers": prior.integers._asdict(), "decisions": prior.decisions._asdict()}


def prior_from_tree(tree: dict[str, Any]) -> LatticePrior:
    """The inverse of `prior_tree`."""
    tables = {name: Tables(**{k: np.asarray(v) for k, v in tree[name].items()}) for name in ("integers", "decisions")}
    return LatticePrior(**{**{k: np.asarray(v) for k, v in tree.items()}, **tables})


class _Law(NamedTuple):
    """Where the coordinates of some blocks lie: for the residues c = 0 and 1 and each m.

    Attributes:
      position: int64 [glues, 2, blocks, n], g.
      shift: int64 [glues, 2, blocks, n], h: the coded integer is z + h.
    """

    position: np.ndarray
    shift: np.ndarray


def _place(lattice: Lattice, dither: np.ndarray, levels: int) -> _Law:
    per_unit = levels // lattice.outer
    residue = np.array([[m + lattice.inner * c for c in (0, 1)] for m in range(lattice.glues)])
    place = residue[:, :, None, None] * per_unit - dither[None, None]
    return _Law(place % levels, place // levels)


def _exp2(log: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """2^(log - 1) for logs <= 0 with 16 fractional bits, with 30 fractional bits; 0 below 2^-30."""
    whole = -((-log) >> _FRACTION) - ((-log) & (2**_FRACTION - 1) > 0)  # floor
    rest = (log - (whole << _FRACTION)) >> (_FRACTION - _EXPONENTS)
    return powers[rest] >> np.minimum(-whole, 62)


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b) >> _RATIO


def _coset_weights(lattice: Lattice, prior: LatticePrior, law: _Law) -> np.ndarray:
    """Integer weights of all cosets, int64 [blocks, glues, words]."""
    axis = np.arange(lattice.dimension)[None]
    found_logs, found_factors = [], []
    code = lattice.code.astype(np.int64)
    for m in range(lattice.glues):
        logs = [prior.log_sums[axis, law.position[m, c]] for c in (0, 1)]
        # Sums below 2^53 are exact in float64, whose matrix product is fast.
        total = logs[0].sum(-1)[:, None] + ((logs[1] - logs[0]).astype(np.float64) @ code.T.astype(np.float64))
        found_logs.append(np.rint(total).astype(np.int64))
        factor = np.full(total.shape, 2**_RATIO, np.int64)
        if lattice.parities is not None:
            # The parity of z is that of z + h, less h.
            signed = [
                np.where(law.shift[m, c] % 2 == 0, 1, -1) * prior.ratios[axis, law.position[m, c]] for c in (0, 1)
            ]
            product = np.full(total.shape, 2**_RATIO, np.int64)
            for i in range(lattice.dimension):
                product = _times(product, np.where(code[None, :, i] > 0, signed[1][:, i, None], signed[0][:, i, None]))
            factor = factor + (-product if lattice.parities[m] else product)
        found_factors.append(factor)
    logs, factors = np.stack(found_logs, 1), np.stack(found_factors, 1)
    logs = logs - logs.max((1, 2), keepdims=True)
    return np.maximum(_times(_exp2(logs, prior.powers), factors), 0) + 1


def _chance(one: np.ndarray, both: np.ndarray) -> np.ndarray:
    """one / both as an index of the table of decisions; sums are below 2^45."""
    return np.clip(((one << _DECISION) + both // 2) // both, 0, 2**_DECISION)


def _bits_of(lattice: Lattice) -> tuple[int, int]:
    return (lattice.glues - 1).bit_length(), (len(lattice.code) - 1).bit_length()


def _walk_coset(weights: np.ndarray, decide) -> np.ndarray:
    """Goes down the binary tree of cosets; `decide(chances, depth)` codes or decodes one bit of every block."""
    blocks = len(weights)
    tree = weights.reshape(blocks, -1)
    rows = np.arange(blocks)
    index = np.zeros(blocks, np.int64)
    for depth in range((tree.shape[1] - 1).bit_length()):
        sums = tree.reshape(blocks, 2, -1).sum(-1)
        bit = decide(_chance(sums[:, 1], sums.sum(-1)), depth)
        index = 2 * index + bit
        tree = tree.reshape(blocks, 2, -1)[rows, bit]
    return index


class _Parities(NamedTuple):
    """Per block and coordinate, at the coset at hand: position, shift, and products of ratios to the right."""

    position: np.ndarray
    shift: np.ndarray
    signed: np.ndarray
    suffix: np.ndarray
    target: np.ndarray


def _at_coset(lattice: Lattice, prior: LatticePrior, law: _Law, coset: np.ndarray) -> _Parities:
    words = len(lattice.code)
    m, bits = coset // words, lattice.code[coset % words]
    rows, axis = np.arange(len(coset))[:, None], np.arange(lattice.dimension)[None]
    position = law.position[m[:, None], bits, rows, axis]
    shift = law.shift[m[:, None], bits, rows, axis]
    signed = np.where(shift % 2 == 0, 1, -1) * prior.ratios[axis, position]
    suffix = np.full((len(coset), lattice.dimension + 1), 2**_RATIO, np.int64)
    for i in reversed(range(lattice.dimension)):
        suffix[:, i] = _times(suffix[:, i + 1], signed[:, i])
    target = np.array(lattice.parities if lattice.parities is not None else (0,) * lattice.glues)[m]
    return _Parities(position, shift, signed, suffix, target)


def _walk_parities(lattice: Lattice, law: _Parities, decide) -> np.ndarray:
    """Parities of z_1, .., z_n; `decide` as above, by coordinate. Without a rule every coordinate is free."""
    n = lattice.dimension
    parity = np.zeros((len(law.target), n), np.int64)
    needed = law.target.copy()
    for i in range(n):
        if lattice.parities is not None and i == n - 1:
            parity[:, i] = needed
            break
        # P(q) ~ (1 +- signed_i)/2 (1 +- suffix)/2 with the sign of what the rest must then add up to.
        rest = law.suffix[:, i + 1] if lattice.parities is not None else np.zeros(len(needed), np.int64)
        rest = np.where(needed == 0, rest, -rest)
        one = 2**_RATIO
        zero_weight = _times(one + law.signed[:, i], one + rest) + 1
        one_weight = _times(one - law.signed[:, i], one - rest) + 1
        parity[:, i] = decide(_chance(one_weight, zero_weight + one_weight), i)
        needed = needed ^ parity[:, i]
    return parity


def encode_points(
    points: np.ndarray, cosets: np.ndarray, dither: np.ndarray, lattice: Lattice, prior: LatticePrior
) -> tuple[bytes, bytes]:
    """Codes lattice points.

    Args:
      points: int [blocks, n], the whole numbers of `rdr.quantize.closest_point`.
      cosets: int [blocks, 2], theirs.
      dither: int [blocks, n], multiples of outer / levels; zeros without dither.
      lattice: the lattice.
      prior: their law.

    Returns:
      Two byte strings.
    """
    levels = prior.log_sums.shape[1]
    law = _place(lattice, np.asarray(dither, np.int64), levels)
    encoder = StepEncoder()
    index = np.asarray(cosets[:, 0], np.int64) * len(lattice.code) + cosets[:, 1]
    glue_bits, word_bits = _bits_of(lattice)
    total = glue_bits + word_bits

    def known_bit(chance, depth):
        bit = (index >> (total - 1 - depth)) & 1
        encoder.add(bit, prior.decisions, chance)
        return bit

    _walk_coset(_coset_weights(lattice, prior, law), known_bit)
    at = _at_coset(lattice, prior, law, index)
    residue = index[:, None] // len(lattice.code) + lattice.inner * lattice.code[index % len(lattice.code)]
    z = (np.asarray(points, np.int64) - residue) // lattice.outer

    def known_parity(chance, i):
        bit = z[:, i] & 1
        encoder.add(bit, prior.decisions, chance)
        return bit

    _walk_parities(lattice, at, known_parity)
    placed = z + at.shift
    encoder.add((placed - (placed & 1)) >> 1, prior.integers, _integer_ids(lattice, at, placed & 1, levels))
    return encoder.finish()


def _integer_ids(lattice: Lattice, law: _Parities, parity: np.ndarray, levels: int) -> np.ndarray:
    axis = np.arange(lattice.dimension)[None]
    return (axis * levels + law.position) * 2 + parity


def decode_points(
    coded: bytes, escapes: bytes, dither: np.ndarray, lattice: Lattice, prior: LatticePrior
) -> np.ndarray:
    """Decodes what `encode_points` wrote.

    Args:
      coded: the first byte string.
      escapes: the second one.
      dither: int [blocks, n], the same.
      lattice: the lattice.
      prior: the same law.

    Returns:
      int32 [blocks, n] points.

    Raises:
      ValueError: if the bytes are damaged.
    """
    levels = prior.log_sums.shape[1]
    law = _place(lattice, np.asarray(dither, np.int64), levels)
    decoder = StepDecoder(coded, escapes)

    def next_bit(chance, _):
        return decoder.read(prior.decisions, chance).astype(np.int64)

    index = _walk_coset(_coset_weights(lattice, prior, law), next_bit)
    at = _at_coset(lattice, prior, law, index)
    parity = _walk_parities(lattice, at, next_bit)
    placed_parity = (parity + at.shift) & 1
    half = decoder.read(prior.integers, _integer_ids(lattice, at, placed_parity, levels)).astype(np.int64)
    decoder.finish()
    z = 2 * half + placed_parity - at.shift
    residue = index[:, None] // len(lattice.code) + lattice.inner * lattice.code[index % len(lattice.code)]
    points = residue + lattice.outer * z
    if points.size and np.abs(points).max() >= 2**31:
        raise ValueError("damaged message: a lattice point leaves the range of int32")
    return points.astype(np.int32)
