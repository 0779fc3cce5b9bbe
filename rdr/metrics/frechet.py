"""Fréchet distance between sets of feature vectors, and what it tends to with more samples.

The distance is that of Gaussians with the sets' means and covariances. It is named after the network that the features
come from ("FD-AlexNet"); only with the Inception network of Heusel et al. may it be called FID.
"""

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
      standard_error: of `extrapolated`, from a jackknife over folds; of `value` it is about the same.
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

    The last trace is the sum of the singular values of C^{1/2} C'^{1/2}. Unlike the root of the product C C' it is
    real and non-negative whatever the rounding, and singular covariances (fewer samples than dimensions) need no
    multiple of the identity added.

    Args:
      mean: [dimension].
      covariance: [dimension, dimension], symmetric, positive semidefinite.
      other_mean: [dimension].
      other_covariance: [dimension, dimension].

    Returns:
      The distance, at least 0, squared units of the features.

    Raises:
      ValueError: if shapes do not fit, numbers are not finite, or a covariance has a negative eigenvalue beyond
        rounding.

    Reference:
      Dowson, Landau, The Fréchet distance between multivariate normal distributions, Journal of Multivariate Analysis
      12 (1982).
    """
    mean, other_mean = np.asarray(mean, np.float64), np.asarray(other_mean, np.float64)
    roots, traces = [], []
    for name, matrix in (("covariance", covariance), ("other_covariance", other_covariance)):
        matrix = np.asarray(matrix, np.float64)
        if matrix.shape != (mean.size, mean.size) or mean.shape != other_mean.shape:
            raise ValueError(f"{name} must have shape ({mean.size}, {mean.size}), got {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} must be finite")
        values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
        rounding = np.finfo(np.float64).eps * mean.size * max(values[-1], 0.0)
        if values[0] < -1e3 * rounding:
            raise ValueError(f"{name} must be positive semidefinite, got an eigenvalue {values[0]:.3g}")
        values = np.where(values > rounding, values, 0.0)
        roots.append(np.sqrt(values)[:, None] * vectors.T)
        traces.append(values.sum())
    # C^{1/2} C'^{1/2} up to rotations from both sides, which leave singular values alone.
    overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    distance = np.sum((mean - other_mean) ** 2) + traces[0] + traces[1] - 2.0 * overlap
    return float(max(distance, 0.0))


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
      Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, GANs trained by a two time-scale update rule converge to a
      local Nash equilibrium, NeurIPS 2017, arXiv 1706.08500.
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
    1/N = 0 is what is left when the bias of finite sets is gone. As the parts of a division are disjoint, they vary
    together hardly more than the distance of all samples does. The standard error comes from leaving out one fold at a
    time of both sets and repeating the whole fit.

    The line describes the bias well once every quarter has several times as many samples as dimensions. Where the two
    laws are equal, the estimate scatters around 0 and may be negative.

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
      Chong, Forsyth, Effectively unbiased FID and Inception score and where to find them, CVPR 2020, arXiv 1911.07023,
      whose subsets overlap and vary the number of generated images only.
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
        # A quarter that loses a fold must keep two samples, or there is no covariance.
        if min(sum(side[f].count for f in block) - max(side[f].count for f in block) for block in blocks) < 2:
            raise ValueError(f"features must have at least {4 * num_folds} samples on each side for num_folds = "
                             f"{num_folds}, got {len(features)} and {len(reference)}")
    full = [_of_folds(sides, block) for block in blocks]
    jackknife = []
    for left_out in range(num_folds):
        points = [
            _of_folds(sides, [fold for fold in block if fold != left_out]) if left_out in block else point
            for block, point in zip(blocks, full)
        ]
        jackknife.append(_intercept(points))
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
