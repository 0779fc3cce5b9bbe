"""Standard error of a mean less the maximum of many means, where the maximum is reached nearly everywhere."""

from __future__ import annotations

import math

import numpy as np

from theory.estimation.kernel_supremum import KernelSupremum, lattice, lattice_values

_EXCESS = 0.12  # s |h|^2 of the lattice on which the maximum's competitors are looked for
_COMPETITORS = 128
_GROUPS = 20
_ROWS = 8192


def maximum_influence(points: np.ndarray, nu: np.ndarray, slope: float, found: KernelSupremum) -> np.ndarray:
    """What each sample has to say about mean nu - max_y mean exp(nu - s |x - y|^2), centered.

    With one clear maximizer that is nu - exp(nu - s |x - y|^2) at it. Where many y are within sampling error of the
    maximum, their maximum varies less than the mean at one of them. The result is scaled to the standard error of a
    jackknife that leaves out one of 20 groups and takes the maximum again, over the places within sqrt(ln m) standard
    errors of the largest.

    Args:
      points: x_i, [m, d].
      nu: [m], nats.
      slope: s, nats per unit of squared distance.
      found: the maximum of the mean of exp(nu_i - s |x_i - y|^2).

    Returns:
      [m], of mean 0; its standard error is that of the difference.

    Reference:
      `theory.estimation.intervals.jackknife`; docs/derivations/bounds_from_samples.md.
    """
    m = len(points)
    places = _competitors(points, nu, slope, found)

    groups = min(_GROUPS, m)
    index = np.arange(m) % groups
    influence, sums = np.empty(m), np.zeros((groups, 1 + len(places)))
    for start in range(0, m, _ROWS):
        rows = slice(start, start + _ROWS)
        distances = ((points[rows, None] - places[None]) ** 2).sum(-1)
        terms = np.concatenate([nu[rows, None], np.exp(nu[rows, None] - slope * distances)], 1)
        influence[rows] = terms[:, 0] - terms[:, 1]
        np.add.at(sums, index[rows], terms)
    influence -= influence.mean()
    left = m - np.bincount(index, minlength=groups)
    means = (sums.sum(0) - sums) / left[:, None]
    without = means[:, 0] - means[:, 1:].max(1)
    error = (groups - 1) / math.sqrt(groups) * without.std(ddof=1)
    own = influence.std(ddof=1) / math.sqrt(m)
    return influence * (error / own) if own > 1e-15 else influence


def _competitors(points, nu, slope, found):
    """Places whose mean is within sampling error of the largest, that one first."""
    m = len(points)
    axes, _ = lattice(points.min(0), points.max(0), slope, excess=_EXCESS if points.shape[1] < 3 else 2 * _EXCESS)
    first = lattice_values(axes, points, nu - math.log(m), slope).ravel()
    second = lattice_values(axes, points, 2.0 * nu - math.log(m), 2.0 * slope).ravel()
    error = np.sqrt(np.maximum(second - first**2, 0.0) / m)
    ahead = first + math.sqrt(math.log(m)) * error - found.lower
    index = np.argsort(-first)
    index = index[ahead[index] >= 0][: _COMPETITORS - 1]
    places = np.stack([axis[which] for axis, which in
                       zip(axes, np.unravel_index(index, [len(axis) for axis in axes]))], -1)
    return np.concatenate([found.location[None], places])
