"""Curves of the estimators that need no training, by name: where a source has given rates, roughly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.estimation.csiszar_dual import dual
from theory.estimation.estimate import Estimate
from theory.estimation.gaussian_channel import gaussian
from theory.estimation.projections import principal_projections, projection_bound, projection_lines
from theory.estimation.samples import check_both
from theory.gaussian import vector
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.units import nats_to_bits

ESTIMATORS = ("gaussian", "dual", "projections")
MAX_DIMENSION = 3  # of `dual`, whose branch and bound is for few dimensions
_MAX_FITTED = 5000  # samples that a dual function is fitted to
_LEAST_RATE = 0.25  # bits: lower bounds look from there on, if not from lower rates
_MORE = 2  # lines of a lower bound beyond one for each rate


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


def curve(
    name: str, training: ArrayLike, held_out: ArrayLike, *, rate: ArrayLike, size: int = 2, count: int = 8,
    atoms: int = 64, iterations: int = 100, finer: int = 1,
) -> Estimate:
    """Bounds R(D) at several places by an estimator, at the slopes that a Gaussian of the same covariance has there.

    Args:
      name: "gaussian" (upper), "dual" (lower, up to 3 dimensions) or "projections" (lower: distortion at the rates).
      training: [n, d], in random order; of the lower bounds the first 5000 are used.
      held_out: [m, d], independent of `training`.
      rate: where to look, bits > 0; [k]. Lower bounds draw k + 2 lines, at rates from the least one, at most 1/4 bit,
        to log2 of the atoms, if that is less than the largest: there is nothing to be seen beyond.
      size: components of a projection, at most 3; the last one has those that are left.
      count: most projections, on principal components.
      atoms: of the fits of lower bounds.
      iterations: of those fits.
      finer: points of a lower bound for each rate: on lines that are known they cost nothing, and between two points
        the one of less rate holds.

    Returns:
      `Estimate` of shape [finer k]; of "gaussian" [k + 1], where the last point is that of rate 0.

    Raises:
      ValueError: if there is no such estimator, samples cannot be used, or there are too many dimensions for the dual.
    """
    check_choice("name", name, ESTIMATORS)
    check_domain("rate", rate, minimum=0.0, open_minimum=True, finite=True)
    check_domain("finer", finer, minimum=1, finite=True)
    training, held_out = check_both(training, held_out)
    rate = jnp.atleast_1d(jnp.asarray(rate, jnp.float64))
    if name == "gaussian":
        everything = 2.0 * jnp.sum(jnp.var(training, axis=0))  # more than the trace of the covariance: nothing is sent
        return gaussian(training, held_out, distortion=jnp.append(gaussian_slopes(training, rate)[1], everything))
    most = jnp.minimum(rate.max(), max(jnp.log2(atoms), rate.min()))
    rate, shown = (jnp.geomspace(jnp.minimum(rate.min(), _LEAST_RATE), most, number)
                   for number in (rate.size + _MORE, int(finer) * rate.size))
    fitted = training[:_MAX_FITTED]
    if name == "dual":
        if training.shape[1] > MAX_DIMENSION:
            raise ValueError(f"dual is for samples of at most {MAX_DIMENSION} dimensions, got {training.shape[1]}: use "
                             "projections")
        slopes, places = gaussian_slopes(fitted, rate)[0], gaussian_slopes(fitted, shown)[1]
        return dual(fitted, held_out, slopes=slopes, distortion=places, atoms=atoms, iterations=iterations)
    check_domain("size", size, minimum=1, maximum=MAX_DIMENSION)
    axes = principal_projections(fitted)
    size = min(int(size), len(axes))
    lines = []
    for first in range(0, min(count * size, len(axes)), size):
        each = jnp.concatenate(axes[first : first + size])
        slopes, _ = gaussian_slopes(fitted @ each.T, rate)
        lines += projection_lines(fitted, held_out, [each], slopes=slopes, atoms=atoms, iterations=iterations)
    return projection_bound(lines, rate=shown)
