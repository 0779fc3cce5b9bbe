"""Agreement of a metric with opinions: rank correlations, forced choices, and correlation after a logistic fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from rdr.metrics.logistic_fit import LogisticFit, logistic_fit

_ROWS = 1024  # of pairs that are compared at once


def _pair(metric: ArrayLike, opinion: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    metric, opinion = np.asarray(metric, np.float64), np.asarray(opinion, np.float64)
    if metric.ndim != 1 or metric.shape != opinion.shape or metric.size < 2:
        raise ValueError(f"metric and opinion must be two or more pairs, got {metric.shape} and {opinion.shape}")
    if not (np.isfinite(metric) | np.isinf(metric)).all() or not np.isfinite(opinion).all():
        raise ValueError("metric must be numbers (infinite ones allowed) and opinion finite")
    return metric, opinion


def spearman(metric: ArrayLike, opinion: ArrayLike) -> float:
    """Computes Spearman's correlation: Pearson's of the ranks, ties at their mean rank.

    Args:
      metric: [images].
      opinion: [images].

    Returns:
      From -1 to 1; NaN if one of them is constant.

    Raises:
      ValueError: if there are fewer than two pairs or a value is not a number.
    """
    metric, opinion = (stats.rankdata(x) for x in _pair(metric, opinion))
    if np.ptp(metric) == 0 or np.ptp(opinion) == 0:
        return float("nan")
    return float(np.corrcoef(metric, opinion)[0, 1])


def kendall(metric: ArrayLike, opinion: ArrayLike) -> float:
    """Computes Kendall's tau-b: concordant less discordant pairs, over what ties leave of all pairs.

    Args:
      metric: [images].
      opinion: [images].

    Returns:
      From -1 to 1; NaN if one of them is constant.

    Raises:
      ValueError: as `spearman`.
    """
    metric, opinion = _pair(metric, opinion)
    return float(stats.kendalltau(metric, opinion).statistic)


def forced_choice_accuracy(metric: ArrayLike, opinion: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Computes how often the metric prefers the same image of a pair as people do.

    Over all pairs with different opinions, of one group (distortions of one original) if groups are given; a pair that
    the metric cannot tell apart counts as half.

    Args:
      metric: [images], higher is better.
      opinion: [images], higher is better.
      groups: [images] labels.

    Returns:
      From 0 to 1, 1/2 by chance; NaN if there are no pairs.

    Raises:
      ValueError: as `spearman`, or if `groups` has another length.
    """
    metric, opinion = _pair(metric, opinion)
    members = [np.arange(metric.size)]
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != metric.shape:
            raise ValueError(f"groups must have shape {metric.shape}, got {groups.shape}")
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(np.unique(groups, return_inverse=True)[1][order])) + 1)
    agreed, pairs = 0.0, 0
    for group in members:
        for start in range(0, group.size, _ROWS):
            rows = group[start : start + _ROWS]
            better = opinion[rows, None] > opinion[None, group]
            agreed += np.sum((metric[rows, None] > metric[None, group])[better])
            agreed += 0.5 * np.sum((metric[rows, None] == metric[None, group])[better])
            pairs += int(better.sum())
    return float(agreed / pairs) if pairs else float("nan")


def fitted_agreement(
    metric: ArrayLike, opinion: ArrayLike, *, start: LogisticFit | None = None
) -> tuple[float, float, LogisticFit]:
    """Computes Pearson's correlation and the root mean squared error after a monotone logistic fit.

    Args:
      metric: [images], higher is better.
      opinion: [images], higher is better.
      start: where the fit begins; see `logistic_fit`.

    Returns:
      The correlation of fit and opinion, from -1 to 1, negative where the fit falls (the metric is turned round); the
      root of the mean squared error in units of the opinions; and the fit. The correlation is NaN where the fit or
      the opinion is constant.

    Raises:
      ValueError: if there are fewer than four pairs, a value is not a number, or the metric is constant.
    """
    metric, opinion = _pair(metric, opinion)
    fit = logistic_fit(metric, opinion, start=start)
    predicted = fit(metric)
    error = float(np.sqrt(np.mean((predicted - opinion) ** 2)))
    spread = float(np.ptp(opinion))
    if spread == 0 or np.ptp(predicted) <= 1e-9 * spread:
        return float("nan"), error, fit
    correlation = float(np.corrcoef(predicted, opinion)[0, 1])
    return (correlation if fit.high > fit.low else -correlation), error, fit
