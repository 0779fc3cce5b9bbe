"""Active choice of the pairs to ask about next: those whose answers are expected to tell most about the scales.

After some answers the scales are about normal, N(m, C), by Laplace's approximation at the maximum of the posterior. A
pair of difference d = s_i - s_j ~ N(m_i - m_j, v), v = C_ii + C_jj - 2 C_ij, has the expected information gain

    I = h(E p(d)) - E h(p(d)),     p(d) = Phi(d / sqrt 2),     h(p) = -p log2 p - (1 - p) log2(1 - p),

the mutual information of the answer and the scales, in bits; and with w = E p'(d)^2 / (p(d) (1 - p(d))) an answer is
expected to lower the sum of the variances of the scales, their mean taken off, by

    V = w |C (e_i - e_j)|^2 / (1 + w v).

The first counts what is learned in any direction, mostly about neighbors, the second what errors of scales are made of;
it is the default. Several pairs are asked about before the next fit: the edges of the tree that spans all conditions
with the largest gains, so that no condition is forgotten and no pair asked twice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.special import log_ndtr, ndtr

from rdr.evaluation.studies.pairwise_models import fit_counts

CRITERIA = ("variance", "information")
PRIOR_PRECISION = 1.0 / 9.0  # of scales around their mean, in the model's unit: gains depend on what is thought likely
_NODES, _WEIGHTS = hermegauss(32)


def information_gain(mean: Any, variance: Any) -> np.ndarray:
    """Computes what an answer is expected to tell about scales, by quadrature with 32 nodes.

    Args:
      mean: of the differences of scales, in units of Thurstone's model, any shape.
      variance: of the differences, the same shape.

    Returns:
      Bits, the same shape, at most 1.

    Raises:
      ValueError: if a variance is negative.

    Reference: mikhailiuk2021active, equation of the expected information gain of a comparison.
    """
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if not (variance >= 0).all():
        raise ValueError(f"variance must not be negative, got {variance.min()}")
    p = ndtr((mean[..., None] + np.sqrt(variance)[..., None] * _NODES) / np.sqrt(2.0))
    weights = _WEIGHTS / _WEIGHTS.sum()
    return np.maximum(_entropy(p @ weights) - _entropy(p) @ weights, 0.0)


def _entropy(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-300, 1.0)
    q = np.clip(1.0 - p, 1e-300, 1.0)
    return -p * np.log2(p) - q * np.log2(q)


def expected_weight(mean: Any, variance: Any) -> np.ndarray:
    """Computes the expected Fisher information of an answer about the difference of two scales.

    Args:
      mean: of the differences, in units of Thurstone's model, any shape.
      variance: of the differences, the same shape, not negative.

    Returns:
      E p'(d)^2 / (p(d) (1 - p(d))), the same shape; at most 1 / pi.
    """
    mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    z = (mean[..., None] + np.sqrt(variance)[..., None] * _NODES) / np.sqrt(2.0)
    # phi(z)^2 / (2 Phi(z) Phi(-z)), in logarithms since both vanish far out.
    logs = -(z**2) - np.log(2.0 * np.pi) - np.log(2.0) - log_ndtr(z) - log_ndtr(-z)
    return np.exp(logs) @ (_WEIGHTS / _WEIGHTS.sum())


def gains(
    pairs: np.ndarray, counts: np.ndarray, *, items: int, criterion: str = "variance",
    precision: float = PRIOR_PRECISION,
) -> np.ndarray:
    """Computes what an answer to each pair is expected to be worth after the answers so far.

    Args:
      pairs: [pairs, 2] all that may be asked about.
      counts: [pairs, 3] how often the first, the second and neither was named; ties count half for each.
      items: how many conditions there are.
      criterion: "variance", or "information".
      precision: of the prior on scales around their mean.

    Returns:
      [pairs]: V in squares of the model's unit, or I in bits.

    Raises:
      ValueError: if the criterion is unknown, or as `rdr.evaluation.studies.pairwise_models.fit_counts`.

    Reference: mikhailiuk2021active for the information gain of pairs; under Laplace's posterior here.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, got {criterion!r}")
    pairs = np.asarray(pairs, np.int64)
    fit = fit_counts(pairs, counts, items=items, reference=None, precision=precision)
    covariance = fit.covariance[:items, :items]
    first, second = pairs.T
    along = covariance[:, first] - covariance[:, second]  # C (e_i - e_j), a column a pair
    variance = np.maximum(along[first, np.arange(len(pairs))] - along[second, np.arange(len(pairs))], 0.0)
    mean = fit.scale[first] - fit.scale[second]
    if criterion == "information":
        return information_gain(mean, variance)
    weight = expected_weight(mean, variance)
    return weight * np.sum(along**2, 0) / (1.0 + weight * variance)


def spanning_pairs(pairs: np.ndarray, gain: np.ndarray, *, items: int) -> np.ndarray:
    """Finds the tree over all conditions whose pairs have the largest gains together.

    Args:
      pairs: [pairs, 2] that may be asked about.
      gain: [pairs].
      items: how many conditions there are.

    Returns:
      Indices of pairs, at most items - 1, in order of falling gain; a forest where pairs do not connect all conditions.

    Reference: li2018hybrid, where the tree is of least inverse gain; the order of edges alone decides.
    """
    pairs, gain = np.asarray(pairs, np.int64), np.asarray(gain, np.float64)
    rank = np.empty(gain.size)
    rank[np.argsort(-gain, kind="stable")] = np.arange(1, gain.size + 1)  # a weight of 0 would be no edge
    tree = minimum_spanning_tree(coo_array((rank, (pairs[:, 0], pairs[:, 1])), shape=(items, items)).tocsr())
    return np.argsort(rank)[np.sort(tree.data).astype(np.int64) - 1]


def next_comparisons(
    comparisons: np.ndarray | Sequence[Sequence[int]], counts: np.ndarray, *, number: int, open_trials: Any = 0,
    criterion: str = "variance",
) -> np.ndarray:
    """Chooses what to ask about next in a study of several sources.

    Every source has scales of its own; the trees of all of them are put together in order of falling gain, and used
    again from the start if more is asked for. Trials that were handed out and not answered yet count as ties, so that
    observers at work at once are asked different things.

    Args:
      comparisons: [comparisons, 3] number of the source and of two conditions; all that may be asked.
      counts: [comparisons, 3] how often the first, the second and neither was named.
      number: how many to choose.
      open_trials: [comparisons] how many trials are handed out and not answered, or 0.
      criterion: of `gains`.

    Returns:
      [number] indices of comparisons.

    Raises:
      ValueError: if there is nothing to choose from, or shapes do not fit.
    """
    table, counts = np.asarray(comparisons, np.int64), np.array(counts, np.float64)
    if table.ndim != 2 or table.shape[1:] != (3,) or counts.shape != table.shape or not len(table):
        raise ValueError(f"comparisons and counts must both be [comparisons, 3], got {table.shape} and {counts.shape}")
    counts[:, 2] += open_trials
    chosen, values = [], []
    for source in np.unique(table[:, 0]):
        own = np.flatnonzero(table[:, 0] == source)
        conditions, place = np.unique(table[own, 1:], return_inverse=True)
        pairs = place.reshape(-1, 2)
        gain = gains(pairs, counts[own], items=conditions.size, criterion=criterion)
        edges = spanning_pairs(pairs, gain, items=conditions.size)
        chosen.append(own[edges])
        values.append(gain[edges])
    order = np.concatenate(chosen)[np.argsort(-np.concatenate(values), kind="stable")]
    return np.resize(order, number)
