"""How well a metric orders images as people do: rank correlations and forced choices."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


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
    same = np.ones((metric.size, metric.size), bool)
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != metric.shape:
            raise ValueError(f"groups must have shape {metric.shape}, got {groups.shape}")
        same = groups[:, None] == groups[None, :]
    better = (opinion[:, None] > opinion[None, :]) & same
    if not better.any():
        return float("nan")
    agreed = (metric[:, None] > metric[None, :]) + 0.5 * (metric[:, None] == metric[None, :])
    return float(agreed[better].mean())
