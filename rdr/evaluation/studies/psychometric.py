"""Psychometric functions of answers that are right or wrong: d', and the level at which a difference becomes visible.

An observer with sensitivity d' answers rightly with the probability

    2afc      Phi(d' / sqrt 2)
    abx       Phi(d' / sqrt 2) Phi(d' / 2) + Phi(-d' / sqrt 2) Phi(-d' / 2)
    oddity    2 int_0^inf [Phi(-z sqrt 3 + d' sqrt(2/3)) + Phi(-z sqrt 3 - d' sqrt(2/3))] phi(z) dz.

Metamers are made at several levels s, widths of pooling windows say, and d'^2 = alpha (1 - (s_c / s)^2) above the
critical level s_c, below which nothing is seen; where less is visible at higher levels, d'^2 = alpha (1 - (s / s_c)^2).
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr

TASKS = ("2afc", "abx", "oddity")
CHANCE = {"2afc": 1 / 2, "abx": 1 / 2, "oddity": 1 / 3}
_MAX_SENSITIVITY = 12.0  # d' beyond which every answer is right
_GRID = (161, 81)  # critical levels and gains of the search
_Z, _W = np.polynomial.legendre.leggauss(96)


class Threshold(NamedTuple):
    """A psychometric function of metamers.

    Attributes:
      critical: level at which differences become visible, in units of the levels.
      lower: end of its interval of 95 % over observers, 0 where the search ends there; NaN for less than two observers.
      upper: its other end, inf where the search ends there.
      gain: alpha, the square of the largest d'.
      rising: whether more is visible at higher levels.
      log_likelihood: nats.
    """

    critical: float
    lower: float
    upper: float
    gain: float
    rising: bool
    log_likelihood: float


def percent_correct(sensitivity: Any, task: str) -> np.ndarray:
    """Computes how often answers are right.

    Args:
      sensitivity: d', not negative, any shape.
      task: one of `TASKS`.

    Returns:
      Probabilities, the same shape.

    Raises:
      ValueError: if the task is unknown.

    Reference: macmillan2004detection; freeman2011metamers for abx.
    """
    d = np.asarray(sensitivity, np.float64)
    if task == "2afc":
        return ndtr(d / np.sqrt(2.0))
    if task == "abx":
        return ndtr(d / np.sqrt(2.0)) * ndtr(d / 2.0) + ndtr(-d / np.sqrt(2.0)) * ndtr(-d / 2.0)
    if task != "oddity":
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
    z = 4.5 * (_Z + 1.0)  # from 0 to 9
    weight = 4.5 * _W * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    shift = d[..., None] * np.sqrt(2.0 / 3.0)
    return 2.0 * (ndtr(shift - z * np.sqrt(3.0)) + ndtr(-shift - z * np.sqrt(3.0))) @ weight


def sensitivity_of(share: Any, task: str) -> np.ndarray:
    """Computes d' from the share of right answers.

    Args:
      share: from 0 to 1, any shape.
      task: one of `TASKS`.

    Returns:
      d', 0 at chance and below, inf for 1; the same shape.
    """
    def solve(p: float) -> float:
        if p <= CHANCE[task]:
            return 0.0
        if p >= percent_correct(_MAX_SENSITIVITY, task):
            return np.inf
        return float(optimize.brentq(lambda d: percent_correct(d, task) - p, 0.0, _MAX_SENSITIVITY, xtol=1e-12))

    share = np.asarray(share, np.float64)
    percent_correct(0.0, task)  # refuses an unknown task
    return np.array([solve(p) for p in share.ravel()]).reshape(share.shape)


def share_interval(right: np.ndarray, total: np.ndarray) -> tuple[float, float, float]:
    """Computes a share of right answers with an interval over observers.

    Wilson's interval of 95 %, of as many independent answers as have the variance that is seen between observers.

    Args:
      right: [observers] right answers.
      total: [observers] answers.

    Returns:
      The share and the ends of its interval.

    Raises:
      ValueError: if there are no answers.
    """
    right, total = np.asarray(right, np.float64), np.asarray(total, np.float64)
    answers, observers = total.sum(), np.sum(total > 0)
    if not answers > 0:
        raise ValueError("there must be answers")
    p = right.sum() / answers
    effect = 1.0
    if observers > 1 and 0 < p < 1:
        variance = observers / (observers - 1) * np.sum((right - p * total) ** 2) / answers**2
        effect = max(1.0, variance * answers / (p * (1 - p)))
    n, z = answers / effect, stats.norm.ppf(0.975)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return float(p), float(max(0.0, middle - half)), float(min(1.0, middle + half))


def fit_threshold(
    levels: Any, right: np.ndarray, total: np.ndarray, weights: np.ndarray, *, task: str, lapse: float = 0.01,
) -> Threshold:
    """Fits the critical level of metamers by maximum likelihood.

    Args:
      levels: [levels] positive, at least two.
      right: [observers, levels] right answers.
      total: [observers, levels] answers.
      weights: [resamples, observers] how often each observer was drawn, for the interval.
      task: one of `TASKS`.
      lapse: share of answers that are given without looking.

    Returns:
      The critical level; of the two directions that which is more likely.

    Raises:
      ValueError: if levels are too few or not positive, or the lapse is out of range.

    Reference: freeman2011metamers, equation of d' over scaling.
    """
    levels, right, total = (np.asarray(value, np.float64) for value in (levels, right, total))
    if levels.size < 2 or not ((levels > 0) & np.isfinite(levels)).all() or np.unique(levels).size < levels.size:
        raise ValueError(f"levels must be two or more different positive numbers, got {levels}")
    if not 0 <= lapse < 1:
        raise ValueError(f"lapse must be from 0 to 1, got {lapse}")
    fits = []
    for rising in (True, False):
        position = np.log(levels if rising else 1.0 / levels)
        grid = np.stack(np.meshgrid(
            np.linspace(position.min() - 1.5, position.max(), _GRID[0]), np.linspace(-4.0, 5.0, _GRID[1]),
            indexing="ij"), -1).reshape(-1, 2)  # fmt: skip
        logs = _log_shares(grid, position, task, lapse)
        start = grid[np.argmax(_likelihoods(logs, right.sum(0), total.sum(0)))]
        result = optimize.minimize(
            lambda theta, x=position: -_likelihoods(_log_shares(theta[None], x, task, lapse), right.sum(0),
                                                    total.sum(0))[0],
            start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000})
        fits.append((-result.fun, result.x, rising, grid, logs))
    # Where both are as likely, more is visible at higher levels.
    likelihood, (log_critical, log_gain), rising, grid, logs = fits[int(fits[1][0] > fits[0][0] + 1e-9)]
    ends = (np.nan, np.nan)
    if np.sum(total.sum(1) > 0) > 1 and len(weights):
        drawn = np.argmax(_likelihoods(logs, weights @ right, weights @ total), -1)
        low, high = np.quantile(grid[drawn, 0], (0.025, 0.975))
        # Where the likelihood is flat, the first of its points need not lie on the same side as the estimate.
        low, high = min(low, log_critical), max(high, log_critical)
        ends = (0.0 if low <= grid[0, 0] else np.exp(low), np.inf if high >= grid[-1, 0] else np.exp(high))
    critical = float(np.exp(log_critical))
    if not rising:
        critical = 1.0 / critical
        with np.errstate(divide="ignore"):
            ends = tuple(1.0 / np.array(ends)[::-1])
    return Threshold(critical, float(ends[0]), float(ends[1]), float(np.exp(log_gain)), rising, float(likelihood))


def metamer_sensitivity(levels: Any, critical: Any, gain: Any, *, rising: bool = True) -> np.ndarray:
    """Computes d' of metamers.

    Args:
      levels: positive, any shape.
      critical: below it (above, if not `rising`) d' is 0; a shape that goes with it.
      gain: alpha, the square of the largest d'.
      rising: whether more is visible at higher levels.

    Returns:
      d' = sqrt(alpha max(0, 1 - (s_c / s)^2)).
    """
    ratio = np.asarray(critical, np.float64) / levels if rising else np.asarray(levels, np.float64) / critical
    return np.sqrt(gain * np.maximum(0.0, 1.0 - ratio**2))


def _log_shares(grid: np.ndarray, position: np.ndarray, task: str, lapse: float) -> np.ndarray:
    """[grid, levels, 2] logarithms of the shares of right and wrong answers."""
    d = metamer_sensitivity(np.exp(position), np.exp(grid[:, :1]), np.exp(grid[:, 1:]))
    p = np.interp(d, *_table(task))
    p = np.clip((1.0 - lapse) * p + lapse * CHANCE[task], 1e-12, 1.0 - 1e-12)
    return np.stack([np.log(p), np.log1p(-p)], -1)


@functools.cache
def _table(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of d' and shares, since oddity is an integral."""
    d = np.linspace(0.0, _MAX_SENSITIVITY, 4001)
    return d, percent_correct(d, task)


def _likelihoods(logs: np.ndarray, right: np.ndarray, total: np.ndarray) -> np.ndarray:
    return right @ logs[..., 0].T + (total - right) @ logs[..., 1].T
