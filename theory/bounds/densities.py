"""Certified bounds on R(D) under squared error for sources that have a density, to be joined with those looked up."""

from __future__ import annotations

import functools

from jax.typing import ArrayLike

from theory import continuous
from theory.bounds.bound import Bound, certified
from theory.bounds.sources import Source


def _density(source: Source) -> continuous.Density:
    if source.name == "gaussian":
        mean, variance = float(source.parameters["mean"]), float(source.parameters["variance"])
        return continuous.gaussian_mixture([mean], [variance**0.5], [1.0])
    if source.name == "laplace":
        return continuous.laplace(float(source.parameters["scale"]))
    if source.name == "uniform":
        return continuous.uniform(float(source.parameters["high"]) - float(source.parameters["low"]))
    if source.name == "banana":
        return continuous.banana()
    raise ValueError(f"source must have a density: 'gaussian', 'laplace', 'uniform' or 'banana', got {source.name!r}")


def squared_error(source: Source, slopes: ArrayLike, **options) -> tuple[Bound, Bound]:
    """Brackets R(D) of a source under squared error, where no closed form is known, by a certified solver.

    The lower bound is the upper envelope of the lines that each slope proves, and holds at every D; the upper bound
    joins the solved points by chords (time sharing). `bounds_of(source) + squared_error(source, slopes)` is everything
    known of the source; `interval` joins it.

    Args:
      source: of `theory.bounds.sources`, with a density: "gaussian", "laplace", "uniform" (whose place does not matter)
        or "banana" (squared error summed over its two components).
      slopes: [k] > 0, bits per unit of distortion; the bracket is tight near the distortions that they belong to.
      **options: of `theory.continuous.rate_distortion_curve`.

    Returns:
      A lower and an upper bound.

    Raises:
      ValueError: if the source has no density, or a slope is not positive and finite.

    Reference: `theory.continuous.rate_distortion_curve`.
    """
    curve = continuous.rate_distortion_curve(_density(source), slopes, **options)
    return certified(functools.partial(continuous.rate_at, curve), name="R(D) by moving atoms",
                            reference="theory.continuous.rate_distortion_curve",
                            conditions="squared error; proved for the quadrature rule, whose error is estimated")
