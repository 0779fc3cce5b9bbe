"""Distortion and perception of restored patches, held against the line that no restoration undercuts.

Everything is per pixel. D is the squared error, P the Frechet distance of patches (W2 squared between Gaussians of
their means and covariances), at most their W2 squared. For any output Y made of an observation whose conditional mean
of X is X*,

    D(Y) = D(X*) + E|X* - Y|^2 >= D(X*) + [sqrt(P(X*)) - sqrt(P(Y))]_+^2,

because E|X* - Y|^2 is at least the Frechet distance of X* and Y, whose root is a metric. No distribution is assumed
Gaussian; transport maps of patches attain it. X* is not known for photographs: in its place stands, of all outputs
that were measured, the one of least squared error. The line is where it would be if that were the conditional mean; it
is no proof.
"""

from typing import NamedTuple

import numpy as np

from rdr.metrics.folds import jackknife_error, make_folds
from rdr.metrics.frechet import gaussian_frechet
from rdr.metrics.moments import Moments, merge, moments

PATCH = 8  # side of the patches whose distributions are compared
FOLDS = 12


class Side(NamedTuple):
    """Statistics of one set of images, by fold.

    Attributes:
      errors: squared error per pixel of each fold, [folds].
      counts: patches of each fold, [folds].
      patches: moments of each fold's patches.
    """

    errors: np.ndarray
    counts: np.ndarray
    patches: list[Moments]


class Measured(NamedTuple):
    """A point and the line at its perception; per pixel, standard errors over photographs.

    Attributes:
      distortion: D.
      perception: P.
      perception_se: of P.
      line: the least distortion at P.
      gap: D less the line.
      gap_se: of the gap.
    """

    distortion: float
    perception: float
    perception_se: float
    line: float
    gap: float
    gap_se: float


def cut(images: np.ndarray) -> np.ndarray:
    """Patches of 8 x 8 pixels that touch.

    Args:
      images: [images, height, width, 1], sides multiples of 8.

    Returns:
      float64 [patches, 64].
    """
    count, height, width, _ = images.shape
    parts = np.asarray(images, np.float64).reshape(count, height // PATCH, PATCH, width // PATCH, PATCH)
    return parts.transpose(0, 1, 3, 2, 4).reshape(-1, PATCH * PATCH)


def folds_of(groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Divides images into folds, photographs whole where there are enough of them.

    Args:
      groups: number of the photograph of each image.
      seed: of the division.

    Returns:
      [images] numbers of folds.
    """
    enough = np.unique(groups).size >= FOLDS
    return make_folds(len(groups), FOLDS, seed=seed, groups=groups if enough else None)


def summarize(images: np.ndarray, originals: np.ndarray, folds: np.ndarray) -> Side:
    """Gathers what measuring needs of a set of images.

    Args:
      images: [images, height, width, 1].
      originals: the same shape.
      folds: [images].

    Returns:
      Its statistics.
    """
    errors = np.square(np.asarray(images, np.float64) - originals).mean((1, 2, 3))
    parts = [moments(cut(images[folds == fold])) for fold in range(FOLDS)]
    return Side(np.array([errors[folds == fold].mean() for fold in range(FOLDS)]),
                np.array([part.count for part in parts]), parts)


def _between(side: Side, reference: Side, chosen: list[int]) -> tuple[float, float]:
    """Squared error and Frechet distance per pixel of some folds."""
    left, right = (merge([it.patches[fold] for fold in chosen]) for it in (side, reference))
    distance = gaussian_frechet(left.mean, left.covariance, right.mean, right.covariance) / len(left.mean)
    return float(np.average(side.errors[chosen], weights=side.counts[chosen])), distance


def least_error(sides: list[Side]) -> Side:
    """The set of images of least squared error.

    Args:
      sides: of all outputs.

    Returns:
      One of them.
    """
    return min(sides, key=lambda side: float(np.average(side.errors, weights=side.counts)))


def compare(side: Side, mean: Side, originals: Side) -> Measured:
    """Measures restored images, and holds them against the line through the conditional mean.

    Args:
      side: of the restored images.
      mean: of the images of least squared error.
      originals: of the originals.

    Returns:
      The point.
    """
    def gap(chosen: list[int]) -> tuple[float, float, float]:
        distortion, perception = _between(side, originals, chosen)
        least, away = _between(mean, originals, chosen)
        line = least + max(np.sqrt(away) - np.sqrt(perception), 0.0) ** 2
        return distortion, perception, line

    everything = list(range(FOLDS))
    distortion, perception, line = gap(everything)
    left_out = [gap([fold for fold in everything if fold != out]) for out in everything]
    return Measured(distortion, perception, jackknife_error([p for _, p, _ in left_out]), line, distortion - line,
                    jackknife_error([d - least for d, _, least in left_out]))
