"""Monotone logistic fit of opinions to a metric: what is left of a metric's errors once its scale does not count."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

_STEPS = 100
_SCALES = np.array([0.03, 0.1, 0.3, 1.0, 3.0])  # of the spread of the metric, tried first
_RANGE = 1e3  # the logistic's width may differ from the spread by this factor


class LogisticFit(NamedTuple):
    """A logistic function of a metric.

    Attributes:
      low: limit towards small values of the metric, in units of the opinions.
      high: limit towards large ones.
      center: metric at which the function is halfway.
      scale: width, > 0, in units of the metric.
    """

    low: float
    high: float
    center: float
    scale: float

    def __call__(self, metric: ArrayLike) -> np.ndarray:
        """Predicts opinions.

        Args:
          metric: any shape; may be infinite.

        Returns:
          low + (high - low) / (1 + exp(-(metric - center) / scale)), the same shape.
        """
        return self.low + (self.high - self.low) * expit((np.asarray(metric, np.float64) - self.center) / self.scale)


def logistic_fit(metric: ArrayLike, opinion: ArrayLike, *, start: LogisticFit | None = None) -> LogisticFit:
    """Fits a logistic function of four parameters by least squares; it rises or falls everywhere.

    Levenberg's and Marquardt's iteration from the best of 45 places and widths, for which the limits are linear.

    Args:
      metric: [images]; may be infinite.
      opinion: [images], finite.
      start: where to begin instead, the fit of similar values say.

    Returns:
      The fit.

    Raises:
      ValueError: if there are fewer than four pairs, or the metric has fewer than two finite values.

    Reference:
      Video Quality Experts Group (vqeg2003final), Final report from the Video Quality Experts Group on the validation
      of objective models of video quality assessment, phase II, 2003; ITU-T P.1401 (2020).
    """
    metric, opinion = np.asarray(metric, np.float64), np.asarray(opinion, np.float64)
    if metric.ndim != 1 or metric.shape != opinion.shape or metric.size < 4:
        raise ValueError(f"metric and opinion must be four or more pairs, got {metric.shape} and {opinion.shape}")
    if np.isnan(metric).any() or not np.isfinite(opinion).all():
        raise ValueError("metric must be numbers (infinite ones allowed) and opinion finite")
    finite = metric[np.isfinite(metric)]
    spread = float(finite.std()) if finite.size else 0.0
    if not spread > 0:
        raise ValueError("metric must have two finite values that differ")
    p = _best_start(metric, opinion, finite, spread) if start is None else np.array(
        [start.low, start.high, start.center, np.log(start.scale)])
    residual, jacobian = _linearized(p, metric, opinion)
    error, damping = residual @ residual, 1e-3
    for _ in range(_STEPS):
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ residual
        diagonal = np.diag(normal) + 1e-12 * np.trace(normal) + 1e-300
        tried = p - np.linalg.solve(normal + damping * np.diag(diagonal), gradient)
        tried[3] = np.clip(tried[3], np.log(spread / _RANGE), np.log(spread * _RANGE))
        new_residual, new_jacobian = _linearized(tried, metric, opinion)
        new_error = new_residual @ new_residual
        if new_error < error:
            finished = error - new_error <= 1e-12 * error
            p, residual, jacobian, error, damping = tried, new_residual, new_jacobian, new_error, damping / 5
            if finished:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    return LogisticFit(float(p[0]), float(p[1]), float(p[2]), float(np.exp(p[3])))


def _linearized(p: np.ndarray, metric: np.ndarray, opinion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of the parameters (low, high, center, log scale), and their derivatives."""
    low, high, center, scale = p[0], p[1], p[2], np.exp(p[3])
    z = (metric - center) / scale
    share = expit(z)
    slope = (high - low) * share * (1 - share)
    jacobian = np.stack([1 - share, share, -slope / scale, -slope * np.where(np.isfinite(z), z, 0.0)], 1)
    return low + (high - low) * share - opinion, jacobian


def _best_start(metric: np.ndarray, opinion: np.ndarray, finite: np.ndarray, spread: float) -> np.ndarray:
    centers = np.quantile(finite, np.linspace(0.1, 0.9, 9))
    best, result = np.inf, np.zeros(4)
    for center in centers:
        for scale in _SCALES * spread:
            share = expit((metric - center) / scale)
            varied = share - share.mean()
            power = varied @ varied
            slope = varied @ opinion / power if power > 0 else 0.0
            low = opinion.mean() - slope * share.mean()
            error = np.sum((low + slope * share - opinion) ** 2)
            if error < best:
                best, result = error, np.array([low, low + slope, center, np.log(scale)])
    return result
