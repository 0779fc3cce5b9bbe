"""Discrete Gaussian priors on lattices as integer tables, from which points are coded bit by bit.

A point of a lattice (`rdr.quantize.lattices`) has, given a dither u, a probability proportional to
exp(-beta |point - u|^2). With r = m + a c the residue of a coordinate, its part is
w(z) = exp(-beta s^2 (r + b z - u)^2), and with E and O the sums of w over even and odd z

    P(coset m, c) ~ prod_i (E_i + O_i) [1 + (-1)^target prod_i (E_i - O_i) / (E_i + O_i)] / 2,

the bracket only with a parity rule. `rdr.entropy_models.lattice_coder` codes m and c, then the parities of z, then z.
The sums depend on r - u modulo b only, of which there are finitely many values: the dither lies on a grid.
"""

from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream.tables import Tables, make_tables, tables_from_tree
from rdr.quantize.lattices import Lattice

FRACTION = 24  # fractional bits of logarithms
UNIT = 30  # fractional bits of ratios and weights
_EXPONENTS = 12  # the exponential's table has 2^12 entries
_MAX_LOG = 1024.0  # logarithms are kept within +-1024 bits
_MAX_REACH = 2**14


class LatticePrior(NamedTuple):
    """A discrete Gaussian prior on a lattice as integer tables.

    With classes the number of different scales among the axes (2 for A2, else 1), levels L, and g in 0..L-1 the
    position of a residue less the dither modulo b, in steps of b / L:

    Attributes:
      log_sums: int64 [classes, L], 2^24 log2(E + O).
      ratios: int64 [classes, L], 2^30 (E - O) / (E + O).
      log_ratios: int64 [classes, L], 2^24 log2 |E - O| / (E + O).
      powers: int64 [4096], 2^30 2^(i/4096 - 1).
      integers: `Tables` [classes L 2], of (z - q) / 2 given the parity q of z, at index (class L + g) 2 + q.
    """

    log_sums: np.ndarray
    ratios: np.ndarray
    log_ratios: np.ndarray
    powers: np.ndarray
    integers: Tables


def reach(deviation: float) -> int:
    """How many integers on each side of 0 to tabulate for a discrete Gaussian.

    Args:
      deviation: standard deviation in integers.

    Returns:
      An even number.

    Raises:
      ValueError: if that would be too many.
    """
    integers = 2 * int(np.ceil(4.0 + 4.0 * deviation))
    if not integers <= _MAX_REACH:
        raise ValueError(f"the step is too small for integer tables: {deviation:g} steps to a standard deviation")
    return integers


def axis_classes(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """The different scales of a lattice's axes.

    Args:
      lattice: the lattice.

    Returns:
      The scales [classes], and the class of each axis, int64 [n].
    """
    scales, classes = np.unique(lattice.scale, return_inverse=True)
    return scales, classes.astype(np.int64)


def lattice_prior(lattice: Lattice, *, beta: float, step: float, levels: int) -> LatticePrior:
    """Makes the tables.

    Args:
      lattice: from `rdr.quantize.lattice`.
      beta: weight of exp(-beta |point - u|^2), > 0, for points of the lattice times `step`.
      step: size of the lattice, > 0.
      levels: L, a multiple of the lattice's b; b itself without dither.

    Returns:
      The prior.

    Raises:
      ValueError: if a number is not positive, `levels` is no such multiple, or the step is too small for tables.
    """
    if not (0 < beta < np.inf and 0 < step < np.inf):
        raise ValueError(f"beta and step must be positive and finite, got {beta} and {step}")
    if levels < lattice.outer or levels % lattice.outer:
        raise ValueError(f"levels must be a multiple of {lattice.outer} for {lattice.name}, got {levels}")
    spacing = step * lattice.outer * axis_classes(lattice)[0]  # [classes], of z
    far = reach(float((0.5 / beta) ** 0.5 / spacing.min()))
    z = np.arange(-far, far)
    exponent = -beta * (spacing[:, None, None] * (z + np.arange(levels)[:, None] / levels)) ** 2
    top = exponent.max(-1, keepdims=True)
    weights = np.exp(exponent - top)
    even, odd = weights[..., 0::2], weights[..., 1::2]  # z = -far is even
    sums = even.sum(-1), odd.sum(-1)
    ratios = (sums[0] - sums[1]) / (sums[0] + sums[1])
    log_sums = np.log2(sums[0] + sums[1]) + top[..., 0] / np.log(2.0)
    log_ratios = np.log2(np.maximum(np.abs(ratios), 2.0**-_MAX_LOG))
    # Weights of one parity only may all be zero in float64: such a table is never needed, and left to the escape.
    pmfs = np.stack([w / np.maximum(s, 1e-300)[..., None] for w, s in zip((even, odd), sums)], 2)
    return LatticePrior(
        log_sums=_fixed(np.clip(log_sums, -_MAX_LOG, _MAX_LOG), FRACTION),
        ratios=_fixed(ratios, UNIT),
        log_ratios=_fixed(log_ratios, FRACTION),
        powers=_fixed(2.0 ** (np.arange(2**_EXPONENTS) / 2**_EXPONENTS - 1.0), UNIT),
        integers=make_tables(pmfs.reshape(-1, far), -far // 2),
    )


def _fixed(values: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(values * 2.0**bits).astype(np.int64)


def prior_tree(prior: LatticePrior) -> dict[str, Any]:
    """The prior as a tree of arrays, to be stored with parameters.

    Args:
      prior: the prior.

    Returns:
      Nested dictionaries.
    """
    return {**prior._asdict(), "integers": prior.integers._asdict()}


def prior_from_tree(tree: dict[str, Any]) -> LatticePrior:
    """The inverse of `prior_tree`.

    Args:
      tree: the tree.

    Returns:
      The prior.
    """
    parts = {name: np.asarray(value) for name, value in tree.items() if name != "integers"}
    return LatticePrior(integers=tables_from_tree(tree["integers"]), **parts)


def fixed_point_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of numbers with 30 fractional bits, rounded down.

    Args:
      a: int64, at most 2^31 in size.
      b: the same.

    Returns:
      int64.
    """
    return (a * b) >> UNIT


def fixed_point_exp2(log: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """2^log for logarithms <= 0 with 24 fractional bits, in integer arithmetic.

    Args:
      log: int64.
      powers: of `LatticePrior`.

    Returns:
      int64 with 30 fractional bits, right to 2^-25 of itself and 2^-30; 2^0 may come out as 2^30 - 1 or 2^30.
    """
    whole, rest = log >> FRACTION, log & (2**FRACTION - 1)
    low = FRACTION - _EXPONENTS
    value = powers[rest >> low]
    # To first order in what the table's 12 digits left over: ln 2 with 16 fractional bits.
    value = value + ((((value * (rest & (2**low - 1))) >> low) * 45426) >> (16 + _EXPONENTS))
    return np.where(whole >= 0, value << 1, value >> np.minimum(np.maximum(-whole - 1, 0), 62))


def coset_weights(lattice: Lattice, prior: LatticePrior, dither: np.ndarray) -> np.ndarray:
    """Integer weights of all cosets, in proportion to their probabilities.

    Args:
      lattice: the lattice.
      prior: its prior.
      dither: int64 [blocks, n], in steps of b / levels.

    Returns:
      int64 [blocks, glues words], 1 or more.
    """
    return _scaled_weights(lattice, prior, dither)[1]


def log_mass(lattice: Lattice, prior: LatticePrior, dither: np.ndarray) -> np.ndarray:
    """How near to the dither the lattice comes: sum of exp(-beta |point - u|^2) over all points, as a logarithm.

    Args:
      lattice: the lattice.
      prior: its prior.
      dither: int64 [blocks, n], in steps of b / levels.

    Returns:
      int64 [blocks], 2^24 log2 of the sum, in integer arithmetic, the logarithm piecewise linear between powers of two:
      at most .09 too low, and rising with the sum.
    """
    top, weights = _scaled_weights(lattice, prior, dither)
    mantissa, exponent = np.frexp(weights.sum(-1).astype(np.float64))  # exact: sums are below 2^46
    # A weight of 2^UNIT is half a coset without parity rule; log2 of 2 mantissa 2^(exponent - 1) is about what follows.
    whole = exponent.astype(np.int64) - (UNIT if lattice.parities is not None else UNIT - 1) - 2
    return top + (whole << FRACTION) + (mantissa * 2.0 ** (FRACTION + 1)).astype(np.int64)


def _scaled_weights(lattice: Lattice, prior: LatticePrior, dither: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the cosets' weights were divided by, as a logarithm [blocks], up to a constant, and the weights."""
    classes = axis_classes(lattice)[1][None]
    code = lattice.code.T.astype(np.float64)
    logs, signs, log_products = [], [], []
    for m in range(lattice.glues):
        located = [locate(lattice, prior, m + lattice.inner * c, dither) for c in (0, 1)]

        def chosen(pair):
            # Whole numbers with sums below 2^53: exact in float64, whose matrix product is fast.
            return (pair[0].sum(-1)[:, None] + (pair[1] - pair[0]).astype(np.float64) @ code).astype(np.int64)

        logs.append(chosen([prior.log_sums[classes, position] for position, _ in located]))
        if lattice.parities is None:
            continue
        log_products.append(chosen([prior.log_ratios[classes, position] for position, _ in located]))
        # The parity of z is that of z + shift, less the shift.
        negative = chosen([(prior.ratios[classes, position] < 0) ^ (shift & 1) for position, shift in located])
        signs.append(1 - 2 * ((negative + lattice.parities[m]) & 1))
    log = np.concatenate(logs, -1)
    top = log.max(-1, keepdims=True)
    weights = fixed_point_exp2(log - top, prior.powers) >> 1
    if lattice.parities is not None:
        product = fixed_point_exp2(np.concatenate(log_products, -1), prior.powers)
        weights = fixed_point_multiply(weights, 2**UNIT + np.concatenate(signs, -1) * product)
    return top[..., 0], np.maximum(weights, 0) + 1


def locate(lattice: Lattice, prior: LatticePrior, residue: np.ndarray | int, dither: np.ndarray
          ) -> tuple[np.ndarray, np.ndarray]:
    """Where the points residue + b z - dither lie: g and h with (residue - dither) / b = h + g / levels.

    Args:
      lattice: the lattice.
      prior: its prior.
      residue: integers that broadcast with `dither`.
      dither: int64, in steps of b / levels.

    Returns:
      The position g, 0 <= g < levels, and the shift h: what a table is of is z + h.
    """
    levels = prior.log_sums.shape[1]
    distance = residue * (levels // lattice.outer) - dither
    return distance % levels, distance // levels
