"""Observers whose answers are not like what one looks at images for: failed catch trials, unlikely answers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rdr.evaluation.studies.answers import Answers
from rdr.evaluation.studies.comparisons import Comparisons
from rdr.evaluation.studies.pairwise_models import log_probabilities
from rdr.evaluation.studies.scaling import Scales

MIN_CATCH = 0.7  # share of catch trials that must be answered rightly
_OUTSIDE = 1.5  # quartile distances below the lower quartile
_BELOW = -2.0  # standard deviations of the model
_MIN_OBSERVERS = 5


class Observer(NamedTuple):
    """What is known of an observer.

    Attributes:
      name: of the observer.
      answers: to all trials, skipped ones too.
      catch_trials: those with a known answer that were answered, not skipped, except pairs of equal images.
      catch_right: how many of them were right.
      likelihood: standardized log-likelihood of the answers to test trials under the scales: what it is above its
        expectation, in standard deviations; NaN without answers.
      left: share of the left side among answers left and right.
      reasons: why the observer is named; empty for most.
    """

    name: str
    answers: int
    catch_trials: int
    catch_right: int
    likelihood: float
    left: float
    reasons: tuple[str, ...]


def screen_observers(
    answers: Answers, fits: Sequence[tuple[Comparisons, Scales]], *, min_catch: float = MIN_CATCH
) -> list[Observer]:
    """Names observers who fail catch trials, or whose answers are unlikely.

    With p the model's probability of a pair (ties half), an answer has the log-likelihood log p or log(1 - p), whose
    expectation is p log p + (1 - p) log(1 - p) and whose variance is p (1 - p) (log p - log(1 - p))^2; those of an
    observer are added up. Named is who lies 1.5 quartile distances below the lower quartile of all observers, and two
    standard deviations below the expectation.

    Args:
      answers: of a study.
      fits: its comparisons, with all observers of the answers, and their scales.
      min_catch: share of catch trials to answer rightly, from 0 to 1.

    Returns:
      One element an observer, in the order of `answers.observers`.

    Raises:
      ValueError: if a share is out of range, or a fit is of other observers.
    """
    if not 0.0 <= min_catch <= 1.0:
        raise ValueError(f"min_catch must be from 0 to 1, got {min_catch}")
    count = len(answers.observers)
    if any(comparisons.observers != answers.observers for comparisons, _ in fits):
        raise ValueError("comparisons must be of the observers of the answers")

    def per_observer(trials: np.ndarray) -> np.ndarray:
        return np.bincount(answers.observer[trials], minlength=count)

    catch = (answers.kind == "catch") & ~np.isin(answers.correct, ("", "notsure")) & (answers.response != "skip")
    trials, right = per_observer(catch), per_observer(catch & (answers.response == answers.correct))
    left, decided = (per_observer(np.isin(answers.response, sides)) for sides in (("left",), ("left", "right")))
    likelihood = standardized_likelihood(fits, count)
    known = likelihood[np.isfinite(likelihood)]
    limit = -np.inf
    if known.size >= _MIN_OBSERVERS:
        low, high = np.quantile(known, (0.25, 0.75))
        limit = min(_BELOW, low - _OUTSIDE * (high - low))
    result = []
    for i, name in enumerate(answers.observers):
        reasons = []
        if trials[i] and right[i] < min_catch * trials[i]:
            reasons.append(f"{right[i]} of {trials[i]} catch trials right")
        if likelihood[i] < limit:
            reasons.append(f"answers {-likelihood[i]:.1f} standard deviations less likely than expected")
        result.append(Observer(name, int(np.sum(answers.observer == i)), int(trials[i]), int(right[i]),
                               float(likelihood[i]), float(left[i] / decided[i]) if decided[i] else float("nan"),
                               tuple(reasons)))
    return result


def standardized_likelihood(fits: Sequence[tuple[Comparisons, Scales]], observers: int) -> np.ndarray:
    """Computes how likely the answers of each observer are.

    Args:
      fits: comparisons and their scales.
      observers: how many there are.

    Returns:
      [observers]: the log-likelihood less its expectation, over its standard deviation; NaN without answers.
    """
    excess, variance = np.zeros(observers), np.zeros(observers)
    for comparisons, scales in fits:
        difference = (scales.scale[comparisons.pairs[:, 0]] - scales.scale[comparisons.pairs[:, 1]]) * scales.jnd
        logs = log_probabilities(difference, scales.log_tie, scales.model)
        if scales.model == "davidson":
            weights = np.exp(logs)
        else:
            weights = np.concatenate([np.exp(logs[:, :2]), np.zeros((len(logs), 1))], 1)
        mean = np.sum(weights * logs, 1)
        number = comparisons.counts.sum(2)
        excess += np.einsum("opk,pk->o", comparisons.counts, logs) - number @ mean
        variance += number @ (np.sum(weights * logs**2, 1) - mean**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0, excess / np.sqrt(variance), np.nan)
