"""Lower bounds in many dimensions from projections to few: distortion-rate functions of projections add."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.estimation.csiszar_dual import DualLines, dual_lines, fit_dual
from theory.estimation.estimate import Estimate
from theory.estimation.intervals import mean
from theory.estimation.samples import check_both, check_samples
from theory.numerics.checks import check_domain


def check_projections(projections: Sequence[ArrayLike], dimension: int) -> list[jax.Array]:
    """Refuses what are not orthonormal projections on subspaces that are orthogonal to each other.

    Args:
      projections: matrices A_j, [k_j, d], whose rows together are orthonormal.
      dimension: d.

    Returns:
      Float64.

    Raises:
      ValueError: if a shape does not fit, or the rows are not orthonormal.
    """
    arrays = [jnp.asarray(each, jnp.float64) for each in projections]
    if not arrays:
        raise ValueError("projections must hold at least one matrix, got none")
    for array in arrays:
        if array.ndim != 2 or array.shape[1] != dimension or array.shape[0] < 1:
            raise ValueError(f"projections must have shape [k, {dimension}] with k >= 1, got shape {array.shape}")
        check_domain("projections", array, finite=True)
    rows = jnp.concatenate(arrays)
    worst = float(jnp.abs(rows @ rows.T - jnp.eye(rows.shape[0])).max())
    if worst > 1e-8:
        raise ValueError(f"projections must have orthonormal rows, all of them together, got products off by {worst:g}")
    return arrays


def principal_projections(training: ArrayLike, *, size: int = 1, count: int | None = None) -> list[jax.Array]:
    """Projections on the principal components of training samples, `size` at a time, largest variance first.

    Args:
      training: [n, d].
      size: components of each projection.
      count: number of projections; None for as many as there are whole ones with variance.

    Returns:
      Matrices [size, d] with orthonormal rows, orthogonal to each other.

    Raises:
      ValueError: if there are fewer components than asked for.
    """
    training = check_samples("training", training)
    check_domain("size", size, minimum=1, finite=True)
    _, values, rows = jnp.linalg.svd(training - training.mean(0, keepdims=True), full_matrices=False)
    whole = int(jnp.sum(values > 1e-9 * jnp.maximum(values[0], 1e-300))) // int(size)
    count = whole if count is None else int(count)
    if not 1 <= count <= whole:
        raise ValueError(f"count must be between 1 and {whole}, which the training samples have of size {size}, "
                         f"got {count}")
    return [rows[j * size : (j + 1) * size] for j in range(count)]


def projection_lines(
    training: ArrayLike, held_out: ArrayLike, projections: Sequence[ArrayLike], *, slopes: ArrayLike, atoms: int = 64,
    iterations: int = 200, tolerance: float = 2e-3,
) -> list[DualLines]:
    """Lower bounds of each projection's rate-distortion function by its dual, in expectation.

    Args:
      training: [n, d], n >= 8, in random order.
      held_out: [m, d], independent of `training`.
      projections: matrices A_j, [k_j, d]; k_j few, as branch and bound needs.
      slopes: [k] > 0, bits per unit of squared error.
      atoms: of each fit.
      iterations: of each fit.
      tolerance: of each supremum.

    Returns:
      `DualLines` of each projection.

    Raises:
      ValueError: if an argument lies outside of its domain.
    """
    training, held_out = check_both(training, held_out)
    projections = check_projections(projections, training.shape[1])
    return [
        dual_lines(fit_dual(training @ each.T, slopes=slopes, atoms=atoms, iterations=iterations), held_out @ each.T,
                   tolerance=tolerance)
        for each in projections
    ]


def projection_bound(lines: Sequence[DualLines], *, rate: ArrayLike) -> Estimate:
    """Lower bound on the distortion at a rate: D_X(R) >= sum_j D_{A_j X}(R) for orthogonal projections, without more.

    With orthonormal rows |A(x - y)| <= |x - y|, and I(AX; AY) <= I(X; Y), so R_X(D) >= R_{AX}(D). With projections that
    are orthogonal to each other the squared errors add, sum_j |A_j (x - y)|^2 <= |x - y|^2, each with at most the whole
    rate. Each projection's D(R) is bounded by (a - R) / s of its line; which line, and whether one at all, the
    training samples choose. Projections that are independent may share the rate: `independent_bound`.

    Args:
      lines: of each projection, from one set of held-out samples.
      rate: R >= 0, bits; shape [..].

    Returns:
      `Estimate` of the shape of `rate`, kind "lower": no channel of rate R has less distortion, in expectation.

    Raises:
      ValueError: if there are no lines, or a rate is negative.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    check_domain("rate", rate, minimum=0.0, finite=True)
    number = _held_out_of(lines)
    rates = jnp.asarray(rate, jnp.float64)
    flat = rates.ravel()
    total = jnp.zeros((number, flat.shape[0]))
    for one in lines:
        hoped = (one.expected[None] - flat[:, None]) / one.slope[None]
        best = jnp.argmax(hoped, axis=-1)
        gain = (one.influence[:, best] - flat[None]) / one.slope[best][None]
        total = total + jnp.where(hoped.max(-1)[None] > 0, gain, 0.0)
    found = mean(total)
    nan, zero = jnp.full(rates.shape, jnp.nan), jnp.zeros(rates.shape)
    return Estimate(rates, found.value.reshape(rates.shape), nan, zero, found.se.reshape(rates.shape), nan, "lower",
                    number, "projections")


def independent_bound(lines: Sequence[DualLines], *, distortion: ArrayLike) -> Estimate:
    """Lower bound on the rate where projections are known to be independent of each other: rates add, too.

    Independent A_j X need I(X; Y) >= sum_j I(A_j X; A_j Y), so R_X(D) >= sum_j a_j(s) - s D at every slope s. The slope
    is the one that the training samples prefer. Nothing in the samples proves independence: principal components of
    photographs are uncorrelated and not independent, and this is no bound for them.

    Args:
      lines: of each projection, from one set of held-out samples, at the same slopes.
      distortion: D > 0, squared error summed over components; shape [..].

    Returns:
      `Estimate` of the shape of `distortion`, kind "lower", that says what it assumes.

    Raises:
      ValueError: if there are no lines, slopes differ, or a distortion is not positive.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True, finite=True)
    number = _held_out_of(lines)
    slope = lines[0].slope
    if any(one.slope.shape != slope.shape or bool((one.slope != slope).any()) for one in lines):
        raise ValueError("lines must have the same slopes, got different ones")
    budget = jnp.asarray(distortion, jnp.float64)
    flat = budget.ravel()
    # Where a line is below zero the projection's rate is known better: 0.
    useful = jnp.stack([one.expected > 0 for one in lines])
    expected = jnp.stack([jnp.where(use, one.expected, 0.0) for use, one in zip(useful, lines)]).sum(0)
    best = jnp.argmax(expected[None] - flat[:, None] * slope[None], axis=-1)
    found = mean(sum(jnp.where(use[best][None], one.influence[:, best], 0.0) for use, one in zip(useful, lines)))
    nan, zero = jnp.full(budget.shape, jnp.nan), jnp.zeros(budget.shape)
    return Estimate((found.value - slope[best] * flat).reshape(budget.shape), budget, nan,
                    found.se.reshape(budget.shape), zero, nan, "lower", number, "projections",
                    "the projections of the source are independent")


def density_bound(slopes: ArrayLike, intercepts: ArrayLike, *, rate: ArrayLike) -> jax.Array:
    """Lower bound on the distortion at a rate where densities of orthogonal projections are known.

    D_X(R) >= sum_j max_k [(a_jk - R) / s_jk]_+ with certified lines R_j(D) >= a_jk - s_jk D. From a curve of
    `theory.continuous.rate_distortion_curve` they are a = rate_lower + slope distortion. Nothing is estimated.

    Args:
      slopes: s_jk > 0, [projections, lines], bits per unit of squared error.
      intercepts: a_jk, the same shape, bits.
      rate: R >= 0, bits; shape [..].

    Returns:
      Squared error summed over components, of the shape of `rate`.

    Raises:
      ValueError: if shapes differ or an argument lies outside of its domain.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    check_domain("slopes", slopes, minimum=0.0, open_minimum=True, finite=True)
    check_domain("intercepts", intercepts, finite=True)
    check_domain("rate", rate, minimum=0.0, finite=True)
    if np.ndim(slopes) != 2 or np.shape(slopes) != np.shape(intercepts):
        raise ValueError(f"slopes and intercepts must have one shape [projections, lines], got {np.shape(slopes)} and "
                         f"{np.shape(intercepts)}")
    slopes, intercepts = jnp.asarray(slopes, jnp.float64), jnp.asarray(intercepts, jnp.float64)
    rates = jnp.asarray(rate, jnp.float64)[..., None, None]
    intercepts, slopes, rates = jnp.broadcast_arrays(intercepts, slopes, rates)
    each = (intercepts - rates) / slopes
    return jnp.maximum(each, 0.0).max(-1).sum(-1)


def _held_out_of(lines) -> int:
    if not lines:
        raise ValueError("lines must hold at least one projection's, got none")
    numbers = {one.influence.shape[0] for one in lines}
    if len(numbers) > 1:
        raise ValueError(f"lines must come from one set of held-out samples, got numbers of them {sorted(numbers)}")
    return numbers.pop()
