"""A density on the line as a finite alphabet of bins, whose channels are channels of the density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.continuous.panels import Panels


class Bins(NamedTuple):
    """Consecutive intervals of the line, each a group of whole panels.

    Attributes:
      first: [n + 1], the panel that each bin begins with, and their number.
      pmf: [n] probabilities p_i.
      means: [n] c_i, increasing.
      variances: [n] v_i.
      panel_pmf: [m] probabilities of the panels.
      panel_means: [m].
      panel_variances: [m].
    """

    first: np.ndarray
    pmf: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    panel_pmf: np.ndarray
    panel_means: np.ndarray
    panel_variances: np.ndarray

    @property
    def owner(self) -> np.ndarray:
        """The bin of each panel, [m]."""
        return np.repeat(np.arange(len(self.pmf)), np.diff(self.first))

    @property
    def mean_variance(self) -> float:
        """sum p_i v_i: the least squared error of a reproduction per bin."""
        return float(self.pmf @ self.variances)


def bins_of(panels: Panels, number: int) -> Bins:
    """Groups panels into bins of about equal shares of the integral of the cube root of the density.

    Args:
      panels: of the density, a few per bin.
      number: of bins, n; there may be fewer where a panel has more than a share.

    Returns:
      The bins.
    """
    mass = panels.weights.sum(1)
    widths = np.diff(panels.edges)
    share = np.cumsum(np.cbrt(mass / widths) * widths)
    inside = np.searchsorted(share, share[-1] * np.arange(1, number) / number) + 1
    # A panel without mass has no mean: only one with mass may begin a bin, and the first is never left alone.
    occupied = np.flatnonzero(mass > 0)
    place = np.minimum(np.searchsorted(occupied, inside), len(occupied) - 1)
    first = np.unique(np.concatenate([[0], occupied[place], [len(mass)]]))
    first = first[(first == 0) | (first > occupied[0])]
    return measured(panels, first)


def measured(panels: Panels, first: np.ndarray) -> Bins:
    """Integrates masses, means and variances of bins.

    Args:
      panels: of the density.
      first: the panel that each bin begins with, and their number, [n + 1]; every bin has mass.

    Returns:
      The bins.
    """
    mass = panels.weights.sum(1)
    safe = np.where(mass > 0, mass, 1.0)
    centers = 0.5 * (panels.edges[:-1] + panels.edges[1:])
    offsets = panels.nodes - centers[:, None]
    shift = (panels.weights * offsets).sum(1) / safe
    spread = (panels.weights * (offsets - shift[:, None]) ** 2).sum(1) / safe
    means = centers + shift
    pmf = np.add.reduceat(mass, first[:-1])
    bin_means = np.add.reduceat(mass * means, first[:-1]) / pmf
    deviations = means - np.repeat(bin_means, np.diff(first))
    variances = np.add.reduceat(mass * (spread + deviations**2), first[:-1]) / pmf
    return Bins(first, pmf, bin_means, variances, mass, means, spread)


def sample_distortion(bins: Bins, cost: str) -> np.ndarray:
    """Computes E d(X, Y) of independent draws of the density within bins i and j.

    For |x - y| it is |c_i - c_j| exactly, as bins do not overlap, and within a bin it is bounded from above: panels of
    the bin are such intervals, too, and two draws from one panel differ by at most sqrt(2 variance) on average.

    Args:
      bins: n of them.
      cost: "squared" or "absolute".

    Returns:
      [n, n].
    """
    c, v = bins.means, bins.variances
    if cost == "squared":
        return (c[:, None] - c) ** 2 + v[:, None] + v
    within = [
        p @ np.abs(x[:, None] - x) @ p + p**2 @ np.sqrt(2.0 * w) for p, x, w in _panels_within(bins)
    ]
    return np.abs(c[:, None] - c) + np.diag(within)


def center_distortion(bins: Bins, cost: str) -> np.ndarray:
    """Computes E d(X, c_j) of a draw of the density within bin i and the mean of bin j, from above where i = j.

    Args:
      bins: n of them.
      cost: "squared" or "absolute".

    Returns:
      [n, n].
    """
    c, v = bins.means, bins.variances
    if cost == "squared":
        return (c[:, None] - c) ** 2 + v[:, None]
    within = [p @ np.sqrt(w + (x - mean) ** 2) for mean, (p, x, w) in zip(c, _panels_within(bins))]
    return np.abs(c[:, None] - c) + np.diag(within)


def _panels_within(bins: Bins):
    """Conditional masses, means and variances of the panels of each bin."""
    for low, high, total in zip(bins.first[:-1], bins.first[1:], bins.pmf):
        yield bins.panel_pmf[low:high] / total, bins.panel_means[low:high], bins.panel_variances[low:high]


def sample_transport(bins: Bins) -> np.ndarray:
    """Computes the squared cost of a coupling of the density within bin i with the density within bin j, i != j.

    Panels are coupled in increasing order, what lies in a pair of panels independently, and within a bin everything
    stays. The optimal coupling costs at most this.

    Args:
      bins: n of them.

    Returns:
      [n, n], zero on the diagonal.
    """
    n, most = len(bins.pmf), int(np.diff(bins.first).max())
    levels, means, variances = np.ones((n, most)), np.zeros((n, most)), np.zeros((n, most))
    for i, (p, x, w) in enumerate(_panels_within(bins)):
        k = len(p)
        levels[i, : k - 1] = np.minimum(np.cumsum(p)[:-1], 1.0)
        means[i, :k], variances[i, :k] = x, w
    costs, rows = np.zeros((n, n)), np.arange(n)[:, None]
    for i in range(n):
        cuts = np.sort(np.concatenate([np.broadcast_to(levels[i], levels.shape), levels], axis=1), axis=1)
        mass = np.diff(cuts, axis=1, prepend=0.0)
        middle = cuts - 0.5 * mass
        a = np.searchsorted(levels[i], middle)
        b = (middle[:, :, None] > levels[:, None, :]).sum(-1)
        # Beyond the last panel there is no mass.
        a, b = np.minimum(a, most - 1), np.minimum(b, most - 1)
        apart = (means[i][a] - means[rows, b]) ** 2 + variances[i][a] + variances[rows, b]
        costs[i] = (mass * apart).sum(1)
    np.fill_diagonal(costs, 0.0)
    return costs


def interpolation(bins: Bins, edges: np.ndarray) -> np.ndarray:
    """Builds the matrix of cubic interpolation of values at the means of bins, constant beyond the first and last.

    Args:
      bins: n >= 4 of them.
      edges: [m], where to interpolate.

    Returns:
      [m, n]; rows sum to 1.
    """
    c = bins.means
    left = np.clip(np.searchsorted(c, edges) - 2, 0, len(c) - 4)
    x = np.clip(edges, c[0], c[-1])
    rows, matrix = np.arange(len(edges)), np.zeros((len(edges), len(c)))
    for k in range(4):
        others = [j for j in range(4) if j != k]
        factors = [(x - c[left + j]) / (c[left + k] - c[left + j]) for j in others]
        matrix[rows, left + k] = np.prod(factors, axis=0)
    return matrix
