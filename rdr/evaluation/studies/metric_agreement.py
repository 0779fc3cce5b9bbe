"""Agreement of metrics with the scales of a study, and the uncertainty of both."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from rdr.evaluation.studies.answer_layouts import Item
from rdr.evaluation.studies.condition_values import RATE, Values, look_up
from rdr.evaluation.studies.scaling import MIN_OBSERVERS, Scales
from rdr.metrics.logistic_fit import LogisticFit, logistic_fit
from rdr.metrics.rank_correlation import kendall, spearman

STATISTICS = ("pearson", "spearman", "kendall", "significant_pairs")
AGREEMENT_COLUMNS = ("study", "metric", *(f"{name}{end}" for name in STATISTICS for end in ("", "_low", "_high")),
                     "images", "pairs")  # fmt: skip
_MIN_SOURCES = 5  # that a bootstrap over sources needs


class Points(NamedTuple):
    """Scales of several fits in one list, without the sources themselves.

    Attributes:
      keys: [points] source and item.
      source: [points] numbers of the sources.
      quality: [points] scales in JND, larger for better: less distorted, or preferred.
      samples: [resamples, points] the same of resampled observers.
      observers: the least number of observers of a fit.
    """

    keys: list[tuple[str, Item]]
    source: np.ndarray
    quality: np.ndarray
    samples: np.ndarray
    observers: int


def gather_points(fits: Sequence[Scales], *, question: str, resamples: int, seed: int) -> Points:
    """Puts scales into one list.

    Args:
      fits: of one study, with bootstrap samples of the same observers.
      question: "distortion" or "preference".
      resamples: how many samples to draw from the Hessian's normal distribution of fits without a bootstrap.
      seed: of these draws.

    Returns:
      The points.
    """
    sign, rng = (-1.0 if question == "distortion" else 1.0), np.random.default_rng(seed)
    # Observers that are too few to be drawn again leave the normal distribution of their answers.
    drawn = all(fit.observers >= MIN_OBSERVERS and len(fit.samples) for fit in fits)
    keys, source, quality, samples = [], [], [], []
    sources = list(dict.fromkeys(fit.source for fit in fits))
    for fit in fits:
        retained = [i for i in range(len(fit.items)) if i != fit.reference]
        own = fit.samples if drawn else rng.multivariate_normal(fit.scale, fit.covariance, resamples, method="svd")
        keys += [(fit.source, fit.items[i]) for i in retained]
        source += [sources.index(fit.source)] * len(retained)
        quality.append(sign * fit.scale[retained])
        samples.append(sign * own[:, retained])
    return Points(keys, np.array(source), np.concatenate(quality), np.concatenate(samples, 1),
                  min(fit.observers for fit in fits))


def significant_pairs(points: Points) -> np.ndarray:
    """Finds pairs of one source whose scales differ, at 5 %.

    Args:
      points: of a study.

    Returns:
      [pairs, 2] indices, the better one first.
    """
    first, second = np.triu_indices(points.quality.size, 1)
    same = points.source[first] == points.source[second]
    first, second = first[same], second[same]
    error = np.std(points.samples[:, first] - points.samples[:, second], axis=0, ddof=1)
    quantile = stats.t.ppf(0.975, max(points.observers - 1, 1)) if points.observers >= MIN_OBSERVERS else 1.96
    difference = points.quality[first] - points.quality[second]
    result = np.abs(difference) > quantile * error
    better = np.where(difference > 0, first, second)
    return np.stack([better, first + second - better], 1)[result]


def agreement_with_scales(points: Points, values: Values, *, seed: int) -> list[dict[str, Any]]:
    """Compares metrics with scales.

    The interval holds what is uncertain of both: each resample draws observers (a sample of the scales), sources with
    all their images (images, of fewer than five sources), and, of metrics with standard errors, normal errors.

    Args:
      points: scales.
      values: metrics.
      seed: of the resamples.

    Returns:
      One row a metric: Pearson's correlation after a monotone logistic fit to all images, Spearman's and Kendall's,
      and the share of significantly different pairs of a source that the metric orders alike (ties half), with 95 %
      intervals; the numbers of images and of such pairs. Positive where metric and people agree; NaN where one is not
      defined.

    Raises:
      ValueError: if a metric has values of fewer than two images of the study.
    """
    pairs = significant_pairs(points)
    rows = []
    for name in values.numbers:
        if name == RATE:
            continue
        sign = 1.0 if values.higher_is_better[name] else -1.0
        result = sign * look_up(values, name, points.keys)
        there = np.flatnonzero(~np.isnan(result))
        if there.size < 2:
            raise ValueError(f"metric {name} has values of {there.size} images of the study, needed are two: do "
                             "sources, conditions and levels have the names that they have in the answers?")
        error = np.zeros(result.size)
        if name in values.errors:
            error = np.nan_to_num(look_up(values._replace(numbers=values.errors), name, points.keys))
        known = pairs[np.isin(pairs, there).all(1)]
        rows.append({"metric": name, "images": int(there.size), "pairs": len(known),
                     **_with_intervals(points, result, error, there, known, seed)})
    return rows


def _statistics(metric: np.ndarray, quality: np.ndarray, metric_gap: np.ndarray, quality_gap: np.ndarray,
                fit: LogisticFit | None) -> list[float]:
    """Values in the order of `STATISTICS`; gaps are of the pairs, quality's positive where the order is kept."""
    result = [_fitted_correlation(metric, quality, fit)]
    for function in (spearman, kendall):
        try:
            result.append(float(function(metric, quality)))
        except ValueError:
            result.append(float("nan"))
    agreed = np.sign(metric_gap) * np.sign(quality_gap)
    return [*result, float(np.mean(0.5 + 0.5 * agreed)) if agreed.size else float("nan")]


def _fitted_correlation(metric: np.ndarray, quality: np.ndarray, fit: LogisticFit | None) -> float:
    finite = np.isfinite(metric)
    if fit is None or finite.sum() < 2:
        return float("nan")
    predicted, quality = fit(metric[finite]), quality[finite]
    if np.ptp(predicted) <= 1e-9 * np.ptp(quality) or np.ptp(quality) == 0:
        return float("nan")
    correlation = float(np.corrcoef(predicted, quality)[0, 1])
    return correlation if fit.high > fit.low else -correlation


def _with_intervals(
    points: Points, metric: np.ndarray, error: np.ndarray, there: np.ndarray, pairs: np.ndarray, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    try:
        finite = there[np.isfinite(metric[there])]
        fit = logistic_fit(metric[finite], points.quality[finite])
    except ValueError:
        fit = None

    def gap(value: np.ndarray, index: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # of two infinite values
            return np.nan_to_num(value[index[:, 0]] - value[index[:, 1]], posinf=np.inf, neginf=-np.inf)

    value = _statistics(metric[there], points.quality[there], gap(metric, pairs), gap(points.quality, pairs), fit)
    groups = points.source if np.unique(points.source[there]).size >= _MIN_SOURCES else np.arange(metric.size)
    members = {group: there[groups[there] == group] for group in np.unique(groups[there])}
    of_group = {group: pairs[points.source[pairs[:, 0]] == group] for group in members}
    by_source = groups is points.source
    drawn = []
    for sample in points.samples:
        chosen = rng.choice(list(members), len(members))
        index = np.concatenate([members[group] for group in chosen])
        some = np.concatenate([of_group[group] for group in chosen]) if by_source else \
            pairs[rng.integers(len(pairs), size=len(pairs))] if len(pairs) else pairs
        noisy = metric + error * rng.standard_normal(metric.size)
        drawn.append(_statistics(noisy[index], sample[index], gap(noisy, some), gap(sample, some), fit))
    drawn = np.array(drawn)
    row = {}
    for number, name in enumerate(STATISTICS):
        defined = drawn[np.isfinite(drawn[:, number]), number]
        ends = np.quantile(defined, (0.025, 0.975)) if 2 * defined.size > len(drawn) else (float("nan"),) * 2
        row |= {name: value[number], f"{name}_low": float(ends[0]), f"{name}_high": float(ends[1])}
    return row
