"""Discrete Gaussian prior along a trellis as integer tables.

In a state of parity q a sample may be an integer k = q + 2 j (`rdr.quantize.trellis`). Given a dither u in [0, 4) its
probability is proportional to exp(-beta step^2 (k - u)^2), normalized over these k alone, so that what is coded
depends on the past through q only. First the bit j mod 2 is coded, which decides the next state and the residue
r = k mod 4, then k given r. The dither lies on a grid of steps of 4 / levels.
"""

from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, Tables, make_tables, tables_from_tree
from rdr.entropy_models.lattice import reach


class TrellisPrior(NamedTuple):
    """The distribution as integer tables.

    Attributes:
      chances: int32 [2, levels], 2^16 P(j is odd) in a state of parity q for each value of the dither.
      integers: `Tables` [levels], of z + h where k = r + 4 z and (r - u) / 4 = h + g / levels; one for each g.

    Several priors lie one behind the other: [2, priors * levels] and [priors * levels].
    """

    chances: np.ndarray
    integers: Tables


def trellis_prior(*, beta: float | np.ndarray, step: float, levels: int) -> TrellisPrior:
    """Makes the tables.

    Args:
      beta: weight of exp(-beta step^2 (k - u)^2), > 0; or the weights of several priors [priors].
      step: distance of neighboring integers, > 0.
      levels: number of values of the dither, a multiple of 4; 4 without dither.

    Returns:
      The prior.

    Raises:
      ValueError: if a number is not positive, `levels` is no such multiple, or the step is too small for tables.
    """
    weight = np.atleast_1d(np.asarray(beta, np.float64))
    if not ((weight > 0).all() and (weight < np.inf).all() and 0 < step < np.inf):
        raise ValueError(f"beta and step must be positive and finite, got {beta} and {step}")
    if levels < 4 or levels % 4:
        raise ValueError(f"levels must be a multiple of 4, got {levels}")
    spacing = 4.0 * step
    far = reach(float((0.5 / weight.min()) ** 0.5 / spacing))
    z = np.arange(-far, far + 1)
    exponent = -weight[:, None, None] * (spacing * (z + np.arange(levels)[:, None] / levels)) ** 2
    top = exponent.max(-1, keepdims=True)
    weights = np.exp(exponent - top)
    sums = np.log(weights.sum(-1)) + top[..., 0]
    d = np.arange(levels)
    parity = np.arange(2)[:, None]
    even, odd = (sums[:, ((parity + 2 * j) * (levels // 4) - d) % levels] for j in (0, 1))
    chance = 1.0 / (1.0 + np.exp(np.clip(even - odd, -40.0, 40.0)))
    scale = 2**BIT_PROBABILITY_PRECISION
    chances = np.clip(np.rint(chance * scale), 1, scale - 1).astype(np.int32)
    pmfs = weights / weights.sum(-1, keepdims=True)
    return TrellisPrior(chances.transpose(1, 0, 2).reshape(2, -1), make_tables(pmfs.reshape(-1, z.size), -far))


def prior_tree(prior: TrellisPrior) -> dict[str, Any]:
    """The prior as a tree of arrays, to be stored with parameters.

    Args:
      prior: the prior.

    Returns:
      Nested dictionaries.
    """
    return {"chances": prior.chances, "integers": prior.integers._asdict()}


def prior_from_tree(tree: dict[str, Any]) -> TrellisPrior:
    """The inverse of `prior_tree`.

    Args:
      tree: the tree.

    Returns:
      The prior.
    """
    return TrellisPrior(np.asarray(tree["chances"]), tables_from_tree(tree["integers"]))
