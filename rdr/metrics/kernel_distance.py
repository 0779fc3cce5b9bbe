"""Kernel distance between sets of feature vectors: unbiased, with a standard error.

Named after the network that the features come from ("KD-AlexNet"); with Inception it is KID.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdr.metrics.folds import jackknife_error, make_folds
from rdr.metrics.moments import feature_pair


class KernelDistance(NamedTuple):
    """A squared maximum mean discrepancy.

    Attributes:
      value: unbiased; negative values happen where the distributions are nearly equal.
      standard_error: from a jackknife over folds.
    """

    value: float
    standard_error: float


def kernel_distance(
    features: ArrayLike,
    reference: ArrayLike,
    *,
    seed: int,
    groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    num_folds: int = 20,
    degree: int = 3,
    block: int = 2048,
) -> KernelDistance:
    """Estimates the squared maximum mean discrepancy with a polynomial kernel, k(x, y) = (x.y / dimension + 1)^degree.

        E k(X, X') - 2 E k(X, Y) + E k(Y, Y')

    over all pairs of independent samples: pairs of a sample with itself are left out, and with `groups` all pairs
    within a group, reference and candidate of one image included, because these would bias it. All samples are used at
    once; the usual averages over subsets of 1,000 samples estimate the same number with more noise.

    Args:
      features: [samples, dimension].
      reference: [other samples, dimension].
      seed: of the division into folds, which only the standard error depends on.
      groups: [samples] labels of samples that are not independent: the image that a patch comes from.
      reference_groups: the same for `reference`; equal labels on both sides mean the same image. Both or none.
      num_folds: folds of the jackknife; at most the number of independent samples of each side.
      degree: of the kernel.
      block: rows that are compared at once, which bounds memory.

    Returns:
      The estimate and its standard error.

    Raises:
      ValueError: if a set is too small or not finite, dimensions differ, or an option is out of range.

    Reference:
      Bińkowski, Sutherland, Arbel, Gretton (binkowski2018demystifying), Demystifying MMD GANs, ICLR 2018, arXiv
      1801.01401.
    """
    features, reference = feature_pair(features, reference)
    if degree < 1:
        raise ValueError(f"degree must be >= 1, got {degree}")
    if (groups is None) != (reference_groups is None):
        raise ValueError("groups and reference_groups must be given both or not at all")
    # Without groups every sample is its own, and no sample of one side is one of the other.
    labels = (np.arange(len(features)), -1 - np.arange(len(reference)))
    if groups is not None:
        names = np.unique(np.concatenate([np.asarray(groups), np.asarray(reference_groups)]))
        labels = tuple(np.searchsorted(names, np.asarray(side)) for side in (groups, reference_groups))
    folds = [
        make_folds(len(values), num_folds, seed=seed, groups=label)
        for values, label in zip((features, reference), labels)
    ]
    if groups is not None and set(labels[0].tolist()) == set(labels[1].tolist()):
        # Equal images on both sides share their folds, so that leaving one out leaves out its pair.
        by_name = dict(zip(labels[0].tolist(), folds[0].tolist()))
        folds[1] = np.array([by_name[name] for name in labels[1].tolist()])
    sides = list(zip((features, reference), labels, folds))
    terms = [_fold_sums(sides[i], sides[j], num_folds, degree, block) for i, j in ((0, 0), (0, 1), (1, 1))]

    def estimate(keep: np.ndarray) -> float:
        means = []
        for sums, counts in terms:
            pairs = counts[np.ix_(keep, keep)].sum()
            if pairs == 0:
                raise ValueError("features must hold at least two independent samples on each side")
            means.append(sums[np.ix_(keep, keep)].sum() / pairs)
        return means[0] - 2.0 * means[1] + means[2]

    everything = np.arange(num_folds)
    left_out = np.array([estimate(np.delete(everything, fold)) for fold in everything])
    return KernelDistance(float(estimate(everything)), jackknife_error(left_out))


def _fold_sums(left, right, num_folds: int, degree: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the kernel over independent pairs, and their number, for each pair of folds."""
    (x, x_labels, x_folds), (y, y_labels, y_folds) = left, right
    sums, counts = (np.zeros((num_folds, num_folds)) for _ in range(2))
    members, columns = np.eye(num_folds)[x_folds], np.eye(num_folds)[y_folds]
    for start in range(0, len(x), block):
        rows = slice(start, start + block)
        independent = x_labels[rows, None] != y_labels[None, :]
        kernel = (x[rows] @ y.T / x.shape[1] + 1.0) ** degree
        sums += members[rows].T @ np.where(independent, kernel, 0.0) @ columns
        counts += members[rows].T @ independent.astype(np.float64) @ columns
    return sums, counts
