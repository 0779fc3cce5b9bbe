"""Mean opinion scores: plain, without the observers that BT.500 rejects, and with observers' bias and inconsistency.

Ratings are u_ij of observer i and image j. The model of P.910 (2022), annex E, is u_ij = psi_j + b_i + v_i x_ij with
normal x_ij: quality, the observer's bias and inconsistency. It is fitted by alternating projections: residuals give
v_i, means weighted by 1 / v_i^2 give psi_j, means of what is left give b_i.
"""

import pathlib
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from rdr.evaluation.studies.answer_layouts import Item, item_of
from rdr.evaluation.studies.answers import natural_order
from rdr.evaluation.tables import read_rows

_COLUMNS = ("observer", "source", "condition", "level", "score")
_FLOOR = 1e-8  # added to the variance of an observer who agrees with the means exactly
_CHANGE, _ITERATIONS = 1e-10, 5000


class Ratings(NamedTuple):
    """Ratings of images.

    Attributes:
      observers: names.
      keys: source and item of each image.
      scores: [observers, images], NaN where there is none; of several ratings their mean.
    """

    observers: tuple[str, ...]
    keys: tuple[tuple[str, Item], ...]
    scores: np.ndarray


class Opinions(NamedTuple):
    """Qualities of images, in units of the ratings.

    Attributes:
      quality: [images].
      error: [images] standard errors; NaN where one rating or less is left.
      bias: [observers] mean of what ratings are above the quality.
      inconsistency: [observers] standard deviation about it.
      rejected: [observers] who was left out.
    """

    quality: np.ndarray
    error: np.ndarray
    bias: np.ndarray
    inconsistency: np.ndarray
    rejected: np.ndarray


def read_ratings(path: str | pathlib.Path) -> Ratings:
    """Reads a table of ratings.

    Args:
      path: a CSV file with the columns observer, source, condition, level and score, compressed by gzip or not.

    Returns:
      The ratings.

    Raises:
      ValueError: if a column is missing, or a cell is not what it must be.
      OSError: if the file cannot be read.
    """
    _, names, rows = read_rows(path)
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ValueError(f"{path} must have the columns {', '.join(_COLUMNS)}, it lacks {', '.join(missing)}")
    result: dict[tuple[str, tuple[str, Item]], list[float]] = {}
    for number, row in enumerate(rows, 1):
        cells = dict(zip(names, row))
        try:
            score = float(cells["score"])
            key = cells["source"], item_of(cells["condition"], cells["level"])
        except ValueError as error:
            raise ValueError(f"{path}: row {number}: {error}") from None
        if not np.isfinite(score) or not cells["observer"]:
            raise ValueError(f"{path}: row {number} must have an observer and a finite score")
        result.setdefault((cells["observer"], key), []).append(score)
    observers = sorted({observer for observer, _ in result}, key=natural_order)
    keys = sorted({key for _, key in result}, key=lambda key: tuple(map(natural_order, (key[0], *key[1]))))
    scores = np.array([[np.mean(result.get((observer, key), np.nan)) for key in keys] for observer in observers])
    return Ratings(tuple(observers), tuple(keys), scores)


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or not np.isfinite(scores).any(0).all() or not np.isfinite(scores).any(1).all():
        raise ValueError(f"scores must be [observers, images] with a rating of each of both, got shape {scores.shape}")
    return scores


def mean_opinions(scores: np.ndarray, *, rejected: np.ndarray | None = None) -> Opinions:
    """Computes mean opinion scores.

    Args:
      scores: [observers, images], NaN where there is none.
      rejected: [observers] whom to leave out; default: nobody.

    Returns:
      Means, NaN where no rating is left, their standard errors from the spread of the ratings of each image, and the
      observers' deviations.

    Raises:
      ValueError: if an observer or an image has no rating, or everybody is rejected.
    """
    scores = _checked(scores)
    rejected = np.zeros(len(scores), bool) if rejected is None else np.asarray(rejected, bool)
    own = scores[~rejected]
    number = np.isfinite(own).sum(0)
    if not len(own):
        raise ValueError("rejected must leave an observer")
    quality = np.nansum(own, 0) / np.where(number > 0, number, np.nan)
    spread = np.nansum((own - quality) ** 2, 0) / np.where(number > 1, number - 1, np.nan)
    residual, left = scores - quality, number > 0
    error = np.sqrt(spread / np.maximum(number, 1))
    return Opinions(quality, error, np.nanmean(residual[:, left], 1), np.nanstd(residual[:, left], 1), rejected)


def reject_observers(scores: np.ndarray) -> np.ndarray:
    """Finds observers whom BT.500 rejects.

    Of each image with a kurtosis from 2 to 4, ratings two standard deviations away from the mean count, else sqrt 20
    of them: P of an observer above, Q below. Rejected is who has (P + Q) / J > .05 of J images, and
    |P - Q| / (P + Q) < .3: who is often far off, and on both sides. If that were all, nobody is.

    Args:
      scores: [observers, images], NaN where there is none.

    Returns:
      [observers] of booleans. The standard deviation is that of the ratings themselves (divided by their number).

    Raises:
      ValueError: if an observer or an image has no rating.

    Reference: itu2019bt500, annex 1, 2.3.1.
    """
    scores = _checked(scores)
    mean, deviation = np.nanmean(scores, 0), np.nanstd(scores, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = np.nanmean((scores - mean) ** 4, 0) / deviation**4
    reach = np.where((kurtosis >= 2) & (kurtosis <= 4), 2.0, np.sqrt(20.0)) * deviation
    above, below = np.sum(scores >= mean + reach, 1), np.sum(scores <= mean - reach, 1)
    outside = above + below
    rejected = (outside > 0.05 * scores.shape[1]) & (np.abs(above - below) < 0.3 * outside)
    return np.zeros_like(rejected) if rejected.all() else rejected


def recover_opinions(scores: np.ndarray) -> Opinions:
    """Estimates qualities together with each observer's bias and inconsistency.

    Args:
      scores: [observers, images], NaN where there is none.

    Returns:
      Qualities with standard errors 1 / sqrt(sum_i 1 / v_i^2), biases whose mean over observers is zero, and
      inconsistencies v_i. Errors take v_i as known and come out a few percent small. An observer whose ratings lie
      close to the weighted means pulls the means along, since the likelihood has no bound as a v_i goes to 0: an
      inconsistency near 0 says so.

    Raises:
      ValueError: if an observer or an image has no rating, or there are fewer than two observers.

    Reference: li2020simple, the alternating projections of P.910 (2022), annex E.
    """
    scores = _checked(scores)
    if len(scores) < 2:
        raise ValueError(f"scores must be of two observers or more, got {len(scores)}")
    there = np.isfinite(scores)
    quality = np.nanmean(scores, 0)
    bias, inconsistency = np.nanmean(scores - quality, 1), np.zeros(len(scores))
    for _ in range(_ITERATIONS):
        inconsistency = np.nanstd(scores - quality - bias[:, None], 1)
        weight = there / (inconsistency**2 + _FLOOR)[:, None]
        before, quality = quality, np.nansum(weight * np.where(there, scores - bias[:, None], 0.0), 0) / weight.sum(0)
        bias = np.nanmean(scores - quality, 1)
        if np.linalg.norm(quality - before) < _CHANGE:
            break
    quality, bias = quality + bias.mean(), bias - bias.mean()
    error = 1.0 / np.sqrt(np.sum(there / (inconsistency**2 + _FLOOR)[:, None], 0))
    return Opinions(quality, error, bias, inconsistency, np.zeros(len(scores), bool))


def opinion_rows(ratings: Ratings) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Lists qualities in three ways, with intervals of 95 %.

    Args:
      ratings: of `read_ratings`.

    Returns:
      Rows with source, condition, level, ratings, and mos, bt500 and p910, each with _low and _high; and the names of
      the observers whom BT.500 rejects.

    Raises:
      ValueError: as `recover_opinions`.
    """
    rejected = reject_observers(ratings.scores)
    ways = {"mos": mean_opinions(ratings.scores), "bt500": mean_opinions(ratings.scores, rejected=rejected),
            "p910": recover_opinions(ratings.scores)}
    number = np.isfinite(ratings.scores).sum(0)
    rows = []
    for j, (source, item) in enumerate(ratings.keys):
        row: dict[str, Any] = {"source": source, "condition": item.condition, "level": item.level}
        for name, way in ways.items():
            left = np.isfinite(ratings.scores[~way.rejected, j]).sum()
            quantile = stats.norm.ppf(0.975) if name == "p910" else stats.t.ppf(0.975, max(left - 1, 1))
            half = float(quantile * way.error[j])
            row |= {name: float(way.quality[j]), f"{name}_low": float(way.quality[j] - half),
                    f"{name}_high": float(way.quality[j] + half)}
        rows.append(row | {"ratings": int(number[j])})
    return rows, tuple(name for name, out in zip(ratings.observers, rejected) if out)
