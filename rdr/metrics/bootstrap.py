"""Bootstrap intervals: what a statistic would be on other images of the same kind."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

METHODS = ("bca", "percentile")


class Interval(NamedTuple):
    """A statistic and how far it can be trusted.

    Attributes:
      value: the statistic of all images.
      low: lower end of the interval.
      high: upper end.
      standard_error: standard deviation over the resamples.
      samples: the statistic of each resample in which it was defined, [resamples].
    """

    value: float
    low: float
    high: float
    standard_error: float
    samples: np.ndarray


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    count: int,
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 1000,
    method: str = "bca",
) -> Interval:
    """Computes a confidence interval of any function of a set of images by drawing images with replacement.

    Args:
      statistic: function of an index array [count] (with repetitions) to a number: the mean of a metric over these
        images, the BD-rate of the curves averaged over these images, a rank correlation. It may raise `ValueError` or
        return NaN on a resample, which is then left out.
      count: number of images, at least 2.
      seed: of the resampling.
      confidence: coverage that is aimed at, between 0 and 1.
      resamples: how many.
      method: "bca" (corrected for bias and for skewness, from leaving one image out at a time) or "percentile".

    Returns:
      The statistic of all images, and the interval.

    Raises:
      ValueError: if an option is out of range, or the statistic is not a finite number on all images or on half of the
        resamples.

    Reference:
      Efron (efron1987better), Better bootstrap confidence intervals, JASA 82 (1987).
    """
    if count < 2:
        raise ValueError(f"count must be at least 2 images, got {count}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    if resamples < 2:
        raise ValueError(f"resamples must be at least 2, got {resamples}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    everything = np.arange(count)
    value = float(statistic(everything))
    if not np.isfinite(value):
        raise ValueError(f"statistic must be a finite number on all images, got {value}")
    rng = np.random.default_rng(seed)
    drawn = np.array([_defined(statistic, rng.integers(0, count, count)) for _ in range(resamples)])
    samples = drawn[np.isfinite(drawn)]
    if samples.size < 2 or 2 * samples.size < resamples:
        raise ValueError(f"statistic must be defined on most resamples, got a number on {samples.size} of {resamples}")
    levels = np.array([0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    if method == "bca":
        levels = _corrected(levels, statistic, value, samples, everything)
    low, high = np.quantile(samples, levels)
    return Interval(value, float(low), float(high), float(samples.std(ddof=1)), samples)


def _defined(statistic: Callable[[np.ndarray], float], index: np.ndarray) -> float:
    try:
        return float(statistic(index))
    except ValueError:
        return float("nan")


def _corrected(levels, statistic, value, samples, everything) -> np.ndarray:
    """Shifts the quantiles for the bias and the acceleration of the statistic."""
    below = np.mean(samples < value) + 0.5 * np.mean(samples == value)
    bias = ndtri(np.clip(below, 0.5 / samples.size, 1 - 0.5 / samples.size))
    left_out = np.array([_defined(statistic, np.delete(everything, i)) for i in everything])
    left_out = left_out[np.isfinite(left_out)]
    away = left_out.mean() - left_out if left_out.size else np.zeros(1)
    spread = float(np.sum(away**2))
    acceleration = float(np.sum(away**3)) / (6.0 * spread**1.5) if spread > 0 else 0.0
    z = bias + ndtri(levels)
    return ndtr(bias + z / (1.0 - acceleration * z))
