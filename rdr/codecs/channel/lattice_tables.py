"""Integer tables of a rejection-sampled lattice, which both sides share: for points and for acceptance.

In units of the noise scale, the ball of a block has the radius r = sqrt(2 T), T ~ Gamma(n/2 + 1), so that a uniform
point of it is Gaussian. T is the quantile of a shared 32-bit word V, and the top bits of V name the tables that the
block is coded with: a float never does. For a Gaussian source of standard deviation a, x + r B has the variance a^2 +
v of each coordinate, v = r^2 / (n + 2), and is coded as if it were Gaussian. Where v is most of it, lattice points
are coded better with a narrower one: v counts less by the share .55 exp(-2.4 a^2 / v), a fit to costs of E8 at .1,
.25 and .5 bit per sample.
"""

from typing import Any

import numpy as np
from scipy.special import gammaincinv

from rdr.bitstream.tables import BIT_PROBABILITY_PRECISION, Tables, make_tables
from rdr.codecs.channel.lattice_trials import acceptance, dithers, max_trials, packing_radius
from rdr.entropy_models.lattice import LatticePrior, lattice_prior, log_mass, prior_from_tree, prior_tree
from rdr.quantize.lattices import Lattice, closest_point

_PLACES = 64  # chances of acceptance are tabulated at
_SAMPLES = 2**15  # for each layer, of which the chances are counted


def layers(words: np.ndarray, dimension: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Radii of balls, in noise scales, and the layers whose tables go with them.

    Args:
      words: uint32, shared.
      dimension: n.
      count: number of layers, a power of two; all are as likely.

    Returns:
      float64 radii and int64 layers, both of the shape of `words`.
    """
    radii = np.sqrt(2.0 * gammaincinv(0.5 * dimension + 1.0, (words.astype(np.float64) + 0.5) / 2.0**32))
    return radii, (words.astype(np.int64) * count) >> 32


def make_priors(lattice: Lattice, ratio: float, *, count: int, levels: int) -> list[LatticePrior]:
    """Makes the tables of lattice points for every layer.

    Args:
      lattice: the lattice.
      ratio: a, standard deviation of the source in noise scales.
      count: number of layers.
      levels: of the dither along an axis, for tables.

    Returns:
      The priors, in the order of layers.

    Raises:
      ValueError: if the noise is too small for integer tables.
    """
    n = lattice.dimension
    middles = np.sqrt(2.0 * gammaincinv(0.5 * n + 1.0, (np.arange(count) + 0.5) / count))
    ball = middles**2 / (n + 2.0)
    betas = 0.5 / (ratio**2 + ball * (1.0 - 0.55 * np.exp(-2.4 * ratio**2 / ball)))
    return [lattice_prior(lattice, beta=float(beta), step=float(r) / packing_radius(lattice), levels=levels)
            for beta, r in zip(betas, middles)]


def geometric_table(lattice: Lattice) -> Tables:
    """The table of the number of trials, which is geometric.

    Args:
      lattice: the lattice.

    Returns:
      One table.
    """
    p, trials = acceptance(lattice), np.arange(max_trials(lattice))
    return make_tables((p * (1.0 - p) ** trials)[None], 1)


def acceptance_chances(lattice: Lattice, priors: list[LatticePrior], ratio: float, *, levels: int) -> dict[str, Any]:
    """Chances that a trial leads into the ball given its dither, for layers and 64 values of `log_mass`.

    They are counted on samples of a Gaussian source, drawn with a seed of their own, and stored.

    Args:
      lattice: the lattice.
      priors: of all layers.
      ratio: standard deviation of the source in noise scales.
      levels: of the dither along an axis.

    Returns:
      `chances` int64 [layers, 64], 2^16 times the probabilities, and of each layer the `first` value of `log_mass` and
      the `step` from one entry to the next, int64 [layers].
    """
    rng = np.random.default_rng(0)
    n = lattice.dimension
    chances, firsts, steps = [], [], []
    for layer, prior in enumerate(priors):
        shares = (layer + rng.random(_SAMPLES)) / len(priors)
        radius = np.sqrt(2.0 * gammaincinv(0.5 * n + 1.0, shares))[:, None]
        u, grid = dithers(rng.integers(0, 2**32, (_SAMPLES, n), np.uint32), lattice, levels)
        target = ratio * rng.standard_normal((_SAMPLES, n)) * packing_radius(lattice) / radius + u * lattice.scale
        points = np.asarray(closest_point(target.astype(np.float32), lattice)[0]) * lattice.scale
        inside = ((points - target) ** 2).sum(-1) <= packing_radius(lattice) ** 2
        mass = log_mass(lattice, prior, grid)
        first, step = int(mass.min()), int((mass.max() - mass.min()) // _PLACES + 1)
        where = (mass - first) // step
        hits, all_of_them = (np.bincount(where, weights=w, minlength=_PLACES) for w in (inside, np.ones(_SAMPLES)))
        # A pseudo-count of one trial at the layer's mean keeps places that nothing fell into away from 0 and 1.
        estimate = (hits + inside.mean()) / (all_of_them + 1.0)
        whole = 2**BIT_PROBABILITY_PRECISION
        chances.append(np.clip(np.rint(estimate * whole), 1, whole - 1).astype(np.int64))
        firsts.append(first)
        steps.append(step)
    return {"chances": np.stack(chances), "first": np.array(firsts, np.int64), "step": np.array(steps, np.int64)}


def chance_of(lattice: Lattice, priors: list[LatticePrior], tables: dict[str, Any], layer: np.ndarray,
              grid: np.ndarray) -> np.ndarray:
    """Looks up the chance that trials lead into the ball, in integer arithmetic.

    Args:
      lattice: the lattice.
      priors: of all layers.
      tables: from `acceptance_chances`.
      layer: int64 [k].
      grid: int64 [k, n], dithers as multiples of outer / levels.

    Returns:
      int64 [k], 2^16 times the chance.
    """
    mass = np.zeros(layer.size, np.int64)
    for t in np.unique(layer):
        rows = np.flatnonzero(layer == t)
        mass[rows] = log_mass(lattice, priors[t], grid[rows])
    place = np.clip((mass - tables["first"][layer]) // tables["step"][layer], 0, _PLACES - 1)
    return tables["chances"][layer, place]


def priors_tree(priors: list[LatticePrior]) -> dict[str, Any]:
    """Priors as a tree of arrays.

    Args:
      priors: in the order of layers.

    Returns:
      Nested dictionaries.
    """
    return {f"{layer:03d}": prior_tree(prior) for layer, prior in enumerate(priors)}


def priors_of(tree: dict[str, Any]) -> list[LatticePrior]:
    """The inverse of `priors_tree`.

    Args:
      tree: the tree.

    Returns:
      The priors.
    """
    return [prior_from_tree(tree[name]) for name in sorted(tree)]
