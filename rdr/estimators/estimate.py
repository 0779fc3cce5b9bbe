"""Bounds from samples: values, standard errors, and the side on which they stand."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

KINDS = ("upper", "lower", "asymptotic", "measured")
QUANTITIES = ("rate", "distortion", "perception")


class Estimate(NamedTuple):
    """A point of a bound, or a curve of them, that was computed from samples of the source.

    Attributes:
      rate: bits per sample vector; shape [...].
      distortion: squared error summed over the vector's components (or the distortion asked for); shape [...].
      perception: in the units of its measure, NaN where none was asked for; shape [...].
      rate_se: standard error of `rate`; 0 where it is known; shape [...].
      distortion_se: standard error of `distortion`; shape [...].
      perception_se: standard error of `perception`; shape [...].
      kind: "upper" (a channel reaches it, in expectation over the samples), "lower" (no channel needs less, up to the
        standard errors), "asymptotic" (right as samples grow without limit, and no bound before) or "measured" (rate
        and distortion as "upper", and a perception whose estimate is biased).
      held_out: number of samples that the values were measured on and that nothing was fitted to; 0 if all were used
        for fitting.
      estimator: name of what computed it.
      assumptions: under which it holds, in words; empty if independent samples suffice.
    """

    rate: ArrayLike
    distortion: ArrayLike
    perception: ArrayLike
    rate_se: ArrayLike
    distortion_se: ArrayLike
    perception_se: ArrayLike
    kind: str
    held_out: int
    estimator: str = ""
    assumptions: str = ""

    @property
    def rate_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the two-sided 95 % interval of `rate`, bits; the lower end is at least 0."""
        return self.interval("rate")

    @property
    def distortion_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the two-sided 95 % interval of `distortion`; the lower end is at least 0."""
        return self.interval("distortion")

    @property
    def perception_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the two-sided 95 % interval of `perception`, NaN where there is none."""
        return self.interval("perception")

    def interval(self, quantity: str = "rate", *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Two-sided normal interval of a quantity: value -+ z se, z the normal quantile of (1 + level) / 2.

        Rates and distortions are not negative, and neither is the lower end of their intervals.

        Args:
          quantity: "rate", "distortion" or "perception".
          level: of confidence, in (0, 1).

        Returns:
          Lower and upper ends, of the shape of the quantity.

        Raises:
          ValueError: if the quantity is unknown or the level is not in (0, 1).
        """
        if quantity not in QUANTITIES:
            raise ValueError(f"quantity must be one of {', '.join(map(repr, QUANTITIES))}, got {quantity!r}")
        if not 0 < level < 1:
            raise ValueError(f"level must be in (0, 1), got {level}")
        value = np.asarray(getattr(self, quantity), np.float64)
        reach = NormalDist().inv_cdf(0.5 * (1.0 + level)) * np.asarray(getattr(self, f"{quantity}_se"), np.float64)
        low = value - reach
        return (low if quantity == "perception" else np.maximum(low, 0.0)), value + reach


def mean_estimate(
    rates: ArrayLike, distortions: ArrayLike, *, shape: tuple[int, ...], estimator: str, assumptions: str = ""
) -> Estimate:
    """Averages what a channel needs and loses for each held-out sample: an upper bound in expectation.

    A channel Q and any distribution q of reproductions have I(X; Y) <= E KL(Q(.|X) || q). Both means are unbiased, so
    their expectations are a pair (D, R) that the channel reaches, and R(D) is at most that R.

    Args:
      rates: KL(Q(.|x) || q) of each sample, bits, [curve, held out].
      distortions: E d(x, Y) of each sample, [curve, held out].
      shape: of the curve, as the caller asked for it.
      estimator: name.
      assumptions: in words.

    Returns:
      The estimate, kind "upper", with the standard errors of the means.

    Raises:
      ValueError: if there are fewer than two held-out samples, or a value is not finite.
    """
    values, errors = [], []
    for name, array in (("rates", rates), ("distortions", distortions)):
        array = np.asarray(array, np.float64)
        if array.shape[-1] < 2:
            raise ValueError(f"{name} must be those of at least 2 held-out samples, got {array.shape[-1]}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} values that are not")
        values.append(np.maximum(array.mean(-1), 0.0).reshape(shape))
        errors.append((array.std(-1, ddof=1) / np.sqrt(array.shape[-1])).reshape(shape))
    nothing = np.full(shape, np.nan)
    return Estimate(values[0], values[1], nothing, errors[0], errors[1], nothing, "upper", np.shape(rates)[-1],
                    estimator, assumptions)
