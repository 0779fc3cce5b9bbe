"""Errors of what was computed from samples: means, jackknife, bootstrap, bounds at finite sizes, coverage."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from scipy import stats

from theory.numerics.checks import check_domain


class Measured(NamedTuple):
    """A value with its standard error; shapes [...].

    Attributes:
      value: what was measured.
      se: its standard error.
    """

    value: jax.Array
    se: jax.Array


def mean(values: ArrayLike) -> Measured:
    """Mean of independent values over the first axis: unbiased, se^2 = sum (v_i - mean)^2 / (n (n - 1)).

    Args:
      values: [n, ...], n >= 2.

    Returns:
      Mean and standard error, [...].

    Raises:
      ValueError: if n < 2 or a value is NaN.
    """
    check_domain("values", values)
    array = jnp.asarray(values, jnp.float64)
    if array.ndim == 0 or array.shape[0] < 2:
        raise ValueError(f"values must have shape [n, ...] with n >= 2, got shape {array.shape}")
    return Measured(array.mean(0), jnp.std(array, axis=0, ddof=1) / array.shape[0] ** 0.5)


def jackknife(value: ArrayLike, without: ArrayLike) -> Measured:
    """Removes bias of order 1/n from a statistic, and measures its error, from g values that each leave out a group.

    Pseudo-values g f - (g - 1) f_j have the mean and the standard error that are returned. What is left of the bias of
    a statistic that is smooth in the moments of the samples is of order 1/n^2.

    Args:
      value: f of all samples, [...].
      without: f_j of all but group j, [g, ...]; groups of equal size (or nearly), g >= 2.

    Returns:
      The corrected value and its standard error, [...].

    Raises:
      ValueError: if there are fewer than two groups.

    Reference:
      [efron1981jackknife] Efron and Stein 1981, "The jackknife estimate of variance": the variance errs upwards.
    """
    without = jnp.asarray(without, jnp.float64)
    if without.ndim == 0 or without.shape[0] < 2:
        raise ValueError(f"without must have shape [g, ...] with g >= 2, got shape {without.shape}")
    groups = without.shape[0]
    return mean(groups * jnp.asarray(value, jnp.float64)[None] - (groups - 1) * without)


def bootstrap(
    key: jax.Array, statistic: Callable[[jax.Array], jax.Array], samples: ArrayLike, *, resamples: int = 200
) -> tuple[Measured, jax.Array]:
    """Standard error and 95 % interval of a statistic by drawing samples again, with replacement.

    The interval is the reflected one, 2 f - quantiles of f*, so that the bias which resampling shows is removed rather
    than doubled. Right as n grows for statistics that are smooth in the distribution; not for maxima.

    Args:
      key: of the resampling.
      statistic: from [n, d] to [], traceable; it is mapped over resamples.
      samples: [n, d].
      resamples: how many, at least 40.

    Returns:
      The statistic less its estimated bias with its standard error, and the ends of the interval, [2].

    Raises:
      ValueError: if there are too few resamples.

    Reference:
      [efron1987better] Efron 1987, section 1 (the percentile intervals that this one reflects).
    """
    check_domain("resamples", resamples, minimum=40, finite=True)
    samples = jnp.asarray(samples, jnp.float64)
    n = samples.shape[0]
    value = statistic(samples)
    drawn = jax.lax.map(
        lambda each: statistic(samples[jax.random.randint(each, (n,), 0, n)]), jax.random.split(key, resamples))
    ends = 2.0 * value - jnp.quantile(drawn, jnp.asarray([0.975, 0.025]))
    return Measured(2.0 * value - drawn.mean(), jnp.std(drawn, ddof=1)), ends


def bernstein_radius(values: ArrayLike, spread: ArrayLike, doubt: ArrayLike, *, variance: ArrayLike | None = None):
    """How far the mean of bounded values can be from its expectation, to one side, whatever their distribution.

    With probability 1 - doubt, E v - mean <= sqrt(2 V ln(2/doubt) / n) + 7 spread ln(2/doubt) / (3 (n - 1)), where V is
    the sample variance and v lies in an interval of length `spread`. The same holds to the other side.

    Args:
      values: [n, ...], n >= 2; used for n alone where the variance is given.
      spread: length of the interval that contains every value that could occur, known beforehand.
      doubt: probability with which it may fail, in (0, 1).
      variance: sample variance (n - 1 in the denominator), [...], if it is known already.

    Returns:
      The radius, [...].

    Reference:
      [maurer2009empirical] Maurer and Pontil 2009, theorem 4 (there for values in [0, 1]).
    """
    values = jnp.asarray(values, jnp.float64)
    n = values.shape[0]
    variance = jnp.var(values, axis=0, ddof=1) if variance is None else jnp.asarray(variance, jnp.float64)
    surprise = jnp.log(2.0 / jnp.asarray(doubt, jnp.float64))
    return jnp.sqrt(2.0 * variance * surprise / n) + 7.0 * jnp.asarray(spread) * surprise / (3.0 * (n - 1))


class Coverage(NamedTuple):
    """How often intervals contained what they should.

    Attributes:
      share: of the repetitions.
      low: lower end of the exact 95 % interval of the probability.
      high: its upper end.
    """

    share: float
    low: float
    high: float


def coverage(low: ArrayLike, high: ArrayLike, truth: ArrayLike) -> Coverage:
    """Counts how often an interval contains the truth.

    Args:
      low: lower ends in repetitions, [r].
      high: upper ends, [r].
      truth: what they should contain; broadcasts with [r].

    Returns:
      The share, with the exact binomial (Clopper-Pearson) interval of its probability.
    """
    inside = (jnp.asarray(low) <= jnp.asarray(truth)) & (jnp.asarray(truth) <= jnp.asarray(high))
    count, total = int(inside.sum()), int(inside.size)
    exact = stats.binomtest(count, total).proportion_ci(method="exact")
    return Coverage(count / total, float(exact.low), float(exact.high))
