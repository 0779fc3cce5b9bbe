"""Fréchet distance between sets of feature vectors, and what it tends to with more samples.

The distance is that of Gaussians with the sets' means and covariances. It is named after the network that the features
come from ("FD-AlexNet"); only with the Inception network of Heusel et al. may it be called FID.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdr.metrics.folds import jackknife_error, make_folds
from rdr.metrics.moments import Moments, feature_pair, merge, moments


class FrechetDistance(NamedTuple):
    """A Fréchet distance, as it is and extrapolated to infinitely many samples.

    Attributes:
      value: the distance of all samples: the usual figure, too large by about its bias, which falls with 1/N.
      extrapolated: the intercept at 1/N = 0.
      standard_error: of both, from a jackknife over folds of `value`.
      sizes: numbers of samples (the harmonic mean of both sets') at which the fit was made, [points].
      values: distances at these sizes, [points].
    """

    value: float
    extrapolated: float
    standard_error: float
    sizes: np.ndarray
    values: np.ndarray


def gaussian_frechet(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike
) -> float:
    """Computes the squared 2-Wasserstein distance of two Gaussians.

        |m - m'|^2 + tr C + tr C' - 2 tr (C^{1/2} C' C^{1/2})^{1/2}

    The last trace is the sum of the singular values of L^T L', where C = L L^T in any way: by Cholesky's decomposition,
    or, where a covariance is singular (fewer samples than dimensions), by its eigenvectors. Unlike the root of the
    product C C' it is real and non-negative whatever the rounding, and no multiple of the identity needs to be added.

    Args:
      mean: [dimension].
      covariance: [dimension, dimension], symmetric, positive semidefinite up to the rounding of its type.
      other_mean: [dimension].
      other_covariance: [dimension, dimension].

    Returns:
      The distance, at least 0, squared units of the features.

    Raises:
      ValueError: if shapes do not fit, numbers are not finite, or a covariance has a negative eigenvalue beyond
        rounding.

    Reference:
      Dowson, Landau (dowson1982frechet), The Fréchet distance between multivariate normal distributions, Journal of
      Multivariate Analysis 12 (1982).
    """
    mean, other_mean = np.asarray(mean, np.float64), np.asarray(other_mean, np.float64)
    roots = []
    for name, matrix in (("covariance", covariance), ("other_covariance", other_covariance)):
        matrix = np.asarray(matrix)
        if matrix.shape != (mean.size, mean.size) or mean.shape != other_mean.shape:
            raise ValueError(f"{name} must have shape ({mean.size}, {mean.size}), got {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} must be finite")
        roots.append(_root(name, matrix))
    traces = [np.sum(root**2) for root in roots]
    # C^{1/2} C'^{1/2} up to rotations from both sides, which leave singular values alone.
    overlap = np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum()
    distance = np.sum((mean - other_mean) ** 2) + traces[0] + traces[1] - 2.0 * overlap
    return float(max(distance, 0.0))


def _root(name: str, matrix: np.ndarray) -> np.ndarray:
    """L with L L^T = the matrix, [dimension, rank or dimension]."""
    eps = np.finfo(matrix.dtype).eps if matrix.dtype.kind == "f" else np.finfo(np.float64).eps
    single = eps > np.finfo(np.float64).eps  # sums of single precision are off by more than their last digit
    matrix = 0.5 * (matrix.astype(np.float64) + matrix.T.astype(np.float64))
    with contextlib.suppress(np.linalg.LinAlgError):
        root = np.linalg.cholesky(matrix)
        if np.diag(root).min() ** 2 > 1e3 * eps * len(matrix) * np.diag(matrix).max():  # far from singular
            return root
    values, vectors = np.linalg.eigh(matrix)
    rounding = eps * len(matrix) * max(values[-1], 0.0)
    if values[0] < -(10 if single else 1e3) * rounding:
        raise ValueError(f"{name} must be positive semidefinite, got an eigenvalue {values[0]:.3g}")
    return vectors[:, values > rounding] * np.sqrt(values[values > rounding])


def frechet_distance(features: ArrayLike, reference: ArrayLike) -> float:
    """Computes the Fréchet distance of two sets, without correction for their size.

    Args:
      features: [samples, dimension], at least 2 samples.
      reference: [other samples, dimension].

    Returns:
      The distance of Gaussians with the sets' means and (unbiased) covariances.

    Raises:
      ValueError: if a set is too small, not finite, or of another dimension.

    Reference:
      Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter (heusel2017gans), GANs trained by a two time-scale update rule
      converge to a local Nash equilibrium, NeurIPS 2017, arXiv 1706.08500.
    """
    features, reference = feature_pair(features, reference)
    return _between(moments(features), moments(reference))


def extrapolated_frechet_distance(
    features: ArrayLike,
    reference: ArrayLike,
    *,
    seed: int,
    groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    num_folds: int = 16,
) -> FrechetDistance:
    """Extrapolates the Fréchet distance in 1/N to infinitely many samples, with a standard error.

    Both sets are divided at random into folds. The distance is computed for all folds together, for each half and for
    each quarter of them; a line in 1/N is fitted to these, weighted by the samples behind each point, and its value at
    1/N = 0 is what is left when the bias of finite sets is gone. As the parts of a division are disjoint, the intercept
    varies hardly more than the distance of all samples does, whose standard error, from leaving out one fold of both
    sets at a time, is the one given. (Repeating the fit without a fold overstates it by half: quarters lose too much.)

    The line describes the bias well once every quarter has several times as many samples as dimensions. Where the two
    distributions are equal, the estimate scatters around 0 and may be negative.

    Args:
      features: [samples, dimension].
      reference: [other samples, dimension].
      seed: of the division into folds.
      groups: [samples] labels of samples that are not independent: the image that a patch comes from. They stay
        in one fold.
      reference_groups: the same for `reference`. If reference and candidate images are pairs, give both the same
        labels: the same division is then used for both, so that the standard error knows of the pairing.
      num_folds: a multiple of 4, at least 8 and at most the number of independent samples.

    Returns:
      The distance, its extrapolation and error.

    Raises:
      ValueError: if a set has too few independent samples, or options are out of range.

    Reference:
      Chong, Forsyth (chong2020unbiased), Effectively unbiased FID and Inception score and where to find them, CVPR
      2020, arXiv 1911.07023, whose subsets overlap and vary the number of generated images only.
    """
    features, reference = feature_pair(features, reference)
    if num_folds < 8 or num_folds % 4:
        raise ValueError(f"num_folds must be a multiple of 4 and at least 8, got {num_folds}")
    sides = []
    for values, labels in ((features, groups), (reference, reference_groups)):
        folds = make_folds(len(values), num_folds, seed=seed, groups=labels)
        sides.append([moments(values[folds == fold]) for fold in range(num_folds)])
    blocks = [
        range(start, start + num_folds // parts)
        for parts in (1, 2, 4)
        for start in range(0, num_folds, num_folds // parts)
    ]
    for side in sides:
        if min(sum(side[f].count for f in block) for block in blocks) < 2:
            raise ValueError(f"features must have at least 8 samples on each side, got {len(features)} and "
                             f"{len(reference)}")
    full = [_of_folds(sides, block) for block in blocks]
    jackknife = [_of_folds(sides, [f for f in range(num_folds) if f != left_out])[1] for left_out in range(num_folds)]
    sizes, values = (np.array(column) for column in zip(*full))
    return FrechetDistance(float(values[0]), _intercept(full), jackknife_error(jackknife), sizes, values)


def _between(left: Moments, right: Moments) -> float:
    return gaussian_frechet(left.mean, left.covariance, right.mean, right.covariance)


def _of_folds(sides: list[list[Moments]], folds) -> tuple[float, float]:
    """Harmonic mean of the two sizes, and the distance, of the union of some folds."""
    left, right = (merge([parts[fold] for fold in folds]) for parts in sides)
    return 2.0 / (1.0 / left.count + 1.0 / right.count), _between(left, right)


def _intercept(points: list[tuple[float, float]]) -> float:
    """Value at 1/N = 0 of the line in 1/N of weighted least squares."""
    sizes, values = (np.array(column) for column in zip(*points))
    weights = sizes / sizes.sum()
    x = 1.0 / sizes
    x_mean, y_mean = weights @ x, weights @ values
    slope = (weights * (x - x_mean)) @ values / ((weights * (x - x_mean)) @ x)
    return float(y_mean - slope * x_mean)
