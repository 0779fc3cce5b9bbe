"""Curves of the estimators that need no training, by name: where a source has given rates, roughly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.estimation.estimate import Estimate
from theory.estimation.gaussian_channel import gaussian
from theory.estimation.samples import check_both
from theory.gaussian import vector
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.units import nats_to_bits

ESTIMATORS = ("gaussian",)


def gaussian_slopes(training: ArrayLike, rate: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Slopes and distortions of the Gaussian of the samples' covariance at given rates: where to look for a curve.

    Args:
      training: [n, d].
      rate: R > 0, bits; [k].

    Returns:
      -dR/dD = 1 / (2 theta ln 2) in bits per unit of squared error, theta the water level, and D; [k] each.
    """
    centered = jnp.asarray(training, jnp.float64)
    centered = centered - centered.mean(0, keepdims=True)
    eigenvalues = jnp.maximum(jnp.linalg.eigvalsh(centered.T @ centered / centered.shape[0]), 0.0)
    places = jnp.asarray(vector.distortion_rate(jnp.asarray(rate, jnp.float64), eigenvalues))
    levels = jax.vmap(lambda d: vector.water_filling(d, eigenvalues).water_level)(places)
    return nats_to_bits(0.5 / levels), places


def curve(name: str, training: ArrayLike, held_out: ArrayLike, *, rate: ArrayLike) -> Estimate:
    """Bounds R(D) at several places by an estimator, at the slopes that a Gaussian of the same covariance has there.

    Args:
      name: "gaussian" (upper).
      training: [n, d], in random order.
      held_out: [m, d], independent of `training`.
      rate: where to look, bits > 0; [k].

    Returns:
      `Estimate` of shape [k].

    Raises:
      ValueError: if there is no such estimator, or samples cannot be used.
    """
    check_choice("name", name, ESTIMATORS)
    check_domain("rate", rate, minimum=0.0, open_minimum=True, finite=True)
    training, held_out = check_both(training, held_out)
    rate = jnp.atleast_1d(jnp.asarray(rate, jnp.float64))
    return gaussian(training, held_out, distortion=gaussian_slopes(training, rate)[1])
