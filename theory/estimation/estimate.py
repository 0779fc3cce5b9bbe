"""Bounds that were computed from samples: values, standard errors, and the side on which they stand."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jax.typing import ArrayLike

from theory.numerics.checks import check_choice, check_domain

# The side of R(D) that an estimate is on.
KINDS = ("upper", "lower", "asymptotic")
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
        standard errors) or "asymptotic" (right as samples grow without limit, and no bound before).
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
    def rate_interval(self) -> tuple[jax.Array, jax.Array]:
        """Ends of the two-sided 95 % interval of `rate`, bits; the lower end is at least 0."""
        return self.interval("rate")

    @property
    def distortion_interval(self) -> tuple[jax.Array, jax.Array]:
        """Ends of the two-sided 95 % interval of `distortion`; the lower end is at least 0."""
        return self.interval("distortion")

    @property
    def perception_interval(self) -> tuple[jax.Array, jax.Array]:
        """Ends of the two-sided 95 % interval of `perception`, NaN where there is none."""
        return self.interval("perception")

    def interval(self, quantity: str = "rate", *, level: float = 0.95) -> tuple[jax.Array, jax.Array]:
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
        check_choice("quantity", quantity, QUANTITIES)
        check_domain("level", level, minimum=0.0, maximum=1.0, open_minimum=True)
        if level == 1.0:
            raise ValueError("level must be below 1, got 1")
        value = jnp.asarray(getattr(self, quantity), jnp.float64)
        reach = ndtri(0.5 * (1.0 + level)) * jnp.asarray(getattr(self, f"{quantity}_se"), jnp.float64)
        low = value - reach
        return (low if quantity == "perception" else jnp.maximum(low, 0.0)), value + reach
