"""Dividing samples into folds, and the jackknife error that comes of leaving one fold out at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def jackknife_error(left_out: ArrayLike) -> float:
    """Computes the standard error of a statistic from its values with one fold left out at a time.

        sqrt( (F - 1)/F sum_f (T_f - mean T)^2 )

    Args:
      left_out: [folds] values T_f.

    Returns:
      The standard error; honest if folds are independent, of nearly equal size, and the statistic is smooth.

    Reference:
      Efron, Stein (efron1981jackknife), The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    left_out = np.asarray(left_out, np.float64)
    return float(np.sqrt((left_out.size - 1) / left_out.size * np.sum((left_out - left_out.mean()) ** 2)))


def make_folds(count: int, num_folds: int, *, seed: int, groups: ArrayLike | None = None) -> np.ndarray:
    """Divides samples at random into folds of nearly equal size, all samples of a group into one fold.

    Args:
      count: number of samples.
      num_folds: number of folds, at least 2 and at most the number of groups.
      seed: of the random order.
      groups: [samples] labels of samples that are not independent (patches of one image); default: none.

    Returns:
      [samples] fold numbers, from 0.

    Raises:
      ValueError: if there are fewer groups than folds, or `groups` has another length.
    """
    labels = np.arange(count) if groups is None else np.asarray(groups)
    if labels.shape != (count,):
        raise ValueError(f"groups must have shape ({count},), got {labels.shape}")
    names, index = np.unique(labels, return_inverse=True)
    if not 2 <= num_folds <= names.size:
        raise ValueError(
            f"num_folds must be from 2 to the number of independent samples, {names.size}, got {num_folds}"
        )
    order = np.random.default_rng(seed).permutation(names.size)
    fold_of_group = np.empty(names.size, np.int64)
    fold_of_group[order] = np.arange(names.size) % num_folds
    return fold_of_group[index]
