"""Simulated observers with planted scales: how long a study must be, and whether an analysis finds what is there."""

from typing import NamedTuple

import numpy as np

from rdr.evaluation.studies.active_design import PRIOR_PRECISION, gains, spanning_pairs
from rdr.evaluation.studies.pairwise_models import fit_counts, unit

DESIGNS = ("random", "balanced", "active", "information")
_CRITERIA = {"active": "variance", "information": "information"}


class Population(NamedTuple):
    """Observers.

    Attributes:
      lapses: share of trials that everybody answers without looking.
      guessers: share of observers who answer all trials so.
      spread: standard deviation of the logarithm of observers' sensitivities.
      not_sure: difference in JND, noise included, below which one is not sure; 0 for never.
    """

    lapses: float = 0.0
    guessers: float = 0.0
    spread: float = 0.0
    not_sure: float = 0.0


_CAREFUL = Population()


def draw_observers(population: Population, number: int, rng: np.random.Generator) -> np.ndarray:
    """Draws sensitivities of observers.

    Args:
      population: whom to draw from.
      number: how many.
      rng: draws.

    Returns:
      [number] factors of all differences; 0 for those who guess.
    """
    sensitivity = np.exp(population.spread * rng.standard_normal(number))
    return np.where(rng.random(number) < population.guessers, 0.0, sensitivity)


def answer(
    difference: np.ndarray, sensitivity: np.ndarray | float, population: Population, rng: np.random.Generator
) -> np.ndarray:
    """Draws answers: 0 for the first of two, 1 for the second, 2 for not sure.

    The first is named where k d + n > 0, with d the difference in JND, k the sensitivity and n normal noise of the
    standard deviation 1 / Phi^-1(3/4), so that at d = 1 and k = 1 the share is 75 %.

    Args:
      difference: scale of the first less that of the second, JND, any shape.
      sensitivity: of the observer of each answer, a shape that goes with it.
      population: lapses, and when one is not sure.
      rng: draws.

    Returns:
      Whole numbers, the shape of `difference`.
    """
    difference = np.asarray(difference, np.float64)
    seen = difference * sensitivity
    seen = np.where(rng.random(seen.shape) < population.lapses, 0.0, seen)
    seen = seen + rng.standard_normal(seen.shape) * np.sqrt(2.0) / unit("thurstone")
    return np.where(np.abs(seen) < population.not_sure, 2, np.where(seen > 0, 0, 1))


def simulate_counts(
    scale: np.ndarray, pairs: np.ndarray, *, observers: int, repeats: int, population: Population = _CAREFUL,
    seed: int,
) -> np.ndarray:
    """Simulates a study in which every observer answers every pair.

    Args:
      scale: [items], JND.
      pairs: [pairs, 2].
      observers: how many.
      repeats: how often each answers each pair.
      population: of observers.
      seed: of all draws.

    Returns:
      [observers, pairs, 3] how often the first, the second and neither was named.
    """
    rng, pairs = np.random.default_rng(seed), np.asarray(pairs)
    sensitivity = draw_observers(population, observers, rng)[:, None, None]
    difference = np.broadcast_to((scale[pairs[:, 0]] - scale[pairs[:, 1]])[None, :, None],
                                 (observers, len(pairs), repeats))
    given = answer(difference, sensitivity, population, rng)
    return np.stack([np.sum(given == outcome, -1) for outcome in range(3)], -1).astype(np.float64)


def simulate_design(
    scale: np.ndarray, pairs: np.ndarray, *, design: str, trials: int, population: Population = _CAREFUL,
    trials_of_one: int = 50, seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulates a study whose pairs a design chooses, and measures the error of its scales along the way.

    Pairs are chosen by batches of one less than there are items; the active design fits the scales before each.

    Args:
      scale: [items], JND.
      pairs: [pairs, 2] that may be asked about.
      design: "random", "balanced" (all pairs equally often), "active" (by variances), or "information".
      trials: how many answers are given, at least.
      population: of observers.
      trials_of_one: how many answers come of one observer.
      seed: of all draws.

    Returns:
      The numbers of trials after each batch, and the root mean squared errors of the scales then, in JND; scales and
      truth less their means, with the prior of the design in every fit.

    Raises:
      ValueError: if the design is unknown.
    """
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {', '.join(DESIGNS)}, got {design!r}")
    rng, pairs, scale = np.random.default_rng(seed), np.asarray(pairs), np.asarray(scale, np.float64)
    items, counts, waiting = scale.size, np.zeros((len(pairs), 3)), np.zeros(0, np.int64)
    sensitivity = draw_observers(population, -(-(trials + items) // trials_of_one), rng)
    numbers, errors, done = [], [], 0
    while done < trials:
        if design in _CRITERIA:
            batch = spanning_pairs(pairs, gains(pairs, counts, items=items, criterion=_CRITERIA[design]), items=items)
        elif design == "random":
            batch = rng.integers(len(pairs), size=items - 1)
        else:
            while waiting.size < items - 1:
                waiting = np.concatenate([waiting, rng.permutation(len(pairs))])
            batch, waiting = waiting[: items - 1], waiting[items - 1:]
        who = sensitivity[(done + np.arange(batch.size)) // trials_of_one]
        given = answer(scale[pairs[batch, 0]] - scale[pairs[batch, 1]], who, population, rng)
        np.add.at(counts, (batch, given), 1.0)
        done += batch.size
        fit = fit_counts(pairs, counts, items=items, reference=None, precision=PRIOR_PRECISION)
        difference = fit.scale / unit("thurstone") - scale
        numbers.append(done)
        errors.append(np.sqrt(np.mean((difference - difference.mean()) ** 2)))
    return np.array(numbers), np.array(errors)
