"""Fidelity and diversity of a set of samples, by nearest neighbors: precision, recall, density and coverage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdr.metrics.moments import feature_pair


class NeighborStatistics(NamedTuple):
    """How two sets cover each other.

    Attributes:
      precision: share of the samples that lie in a neighborhood of the reference, in [0, 1].
      recall: share of the reference that lies in a neighborhood of the samples, in [0, 1].
      density: number of reference neighborhoods that a sample lies in, over k; about 1 for equal distributions, may be
        above.
      coverage: share of the reference neighborhoods that hold a sample, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbor_statistics(
    features: ArrayLike, reference: ArrayLike, *, k: int = 5, block: int = 1024
) -> NeighborStatistics:
    """Compares two sets by balls around each point that reach to its k-th neighbor in its own set.

    Args:
      features: [samples, dimension], the set that is judged.
      reference: [other samples, dimension].
      k: the neighbor that a ball reaches to, itself not counted; both sets must be larger.
      block: rows that are compared at once, which bounds memory.

    Returns:
      The four statistics.

    Raises:
      ValueError: if a set is not larger than k or not finite, or dimensions differ.

    Reference:
      Kynkäänniemi, Karras, Laine, Lehtinen, Aila (kynkaanniemi2019improved), Improved precision and recall metric for
      assessing generative models, NeurIPS 2019, arXiv 1904.06991 (k = 3 there); Naeem, Oh, Uh, Choi, Yoo
      (naeem2020reliable), Reliable fidelity and diversity metrics for generative models, ICML 2020, arXiv 2002.09797 (k
      = 5).
    """
    features, reference = feature_pair(features, reference)
    if not 1 <= k < min(len(features), len(reference)):
        sizes = f"{len(features)} and {len(reference)}"
        raise ValueError(f"k must be from 1 to less than both sets' sizes, {sizes}, got {k}")
    radii, reference_radii = (_radii(values, k, block) for values in (features, reference))
    inside = np.zeros(len(features))
    recalled, covered = np.zeros(len(reference), bool), np.zeros(len(reference), bool)
    for start in range(0, len(features), block):
        rows = slice(start, start + block)
        squared = _squared_distances(features[rows], reference)
        within = squared <= reference_radii[None, :]
        inside[rows] = within.sum(1)
        covered |= within.any(0)
        recalled |= (squared <= radii[rows, None]).any(0)
    return NeighborStatistics(
        float(np.mean(inside > 0)), float(recalled.mean()), float(inside.mean() / k), float(covered.mean())
    )


def _radii(values: np.ndarray, k: int, block: int) -> np.ndarray:
    """Squared distance of each point to its k-th neighbor."""
    result = np.empty(len(values))
    for start in range(0, len(values), block):
        squared = _squared_distances(values[start : start + block], values)
        squared[np.arange(len(squared)), start + np.arange(len(squared))] = 0.0  # itself, without rounding
        result[start : start + block] = np.partition(squared, k, axis=1)[:, k]
    return result


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    center = y.mean(0)  # distances do not change; their cancellation gets smaller
    x, y = x - center, y - center
    squared = np.sum(x**2, 1)[:, None] + np.sum(y**2, 1)[None, :] - 2.0 * (x @ y.T)
    return np.maximum(squared, 0.0)
