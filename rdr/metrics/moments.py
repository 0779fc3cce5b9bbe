"""Means and covariances of feature vectors, gathered batch by batch in float64 and merged without cancellation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Moments(NamedTuple):
    """First two moments of a set of vectors.

    Attributes:
      count: number of vectors.
      mean: [dimension].
      scatter: [dimension, dimension]: sum of the outer products of deviations from the mean.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """[dimension, dimension], unbiased (divided by count - 1)."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 samples, got {self.count}")
        return self.scatter / (self.count - 1)


def feature_array(features: ArrayLike, name: str = "features") -> np.ndarray:
    """Checks a set of feature vectors.

    Args:
      features: [samples, dimension].
      name: the argument's name, for messages.

    Returns:
      The set in float64.

    Raises:
      ValueError: if it is not a non-empty matrix of finite numbers.
    """
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be numbers of shape [samples, dimension], got {array.dtype} {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def feature_pair(features: ArrayLike, reference: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Checks two sets of feature vectors of one dimension.

    Args:
      features: [samples, dimension].
      reference: [other samples, dimension].

    Returns:
      Both in float64.

    Raises:
      ValueError: if one is not a set of vectors, or the dimensions differ.
    """
    features, reference = feature_array(features), feature_array(reference, "reference")
    if features.shape[1] != reference.shape[1]:
        raise ValueError(f"reference must have vectors of length {features.shape[1]}, got {reference.shape[1]}")
    return features, reference


def moments(features: ArrayLike) -> Moments:
    """Computes the moments of one batch.

    Args:
      features: [samples, dimension].

    Returns:
      Its moments.

    Raises:
      ValueError: if it is not a set of finite vectors.
    """
    features = feature_array(features)
    mean = features.mean(0)
    centered = features - mean
    return Moments(len(features), mean, centered.T @ centered)


def merge(parts: list[Moments]) -> Moments:
    """Merges the moments of disjoint sets into those of their union.

    Args:
      parts: at least one.

    Returns:
      The union's moments, as if computed at once (Chan, Golub and LeVeque 1983).
    """
    count = sum(part.count for part in parts)
    mean = np.sum([part.count / count * part.mean for part in parts], axis=0)
    scatter = np.sum([part.scatter for part in parts], axis=0)
    for part in parts:
        away = part.mean - mean
        scatter = scatter + part.count * np.outer(away, away)
    return Moments(count, mean, scatter)
