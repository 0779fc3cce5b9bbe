"""The rate-distortion function of a density under squared error, from both sides, over every reproduction."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.continuous.densities import Density, QuadratureRule
from theory.continuous.support import (
    Atoms,
    inflate,
    insert,
    log_partition,
    merge_and_remove,
    newton,
    normalize,
    objective,
)
from theory.continuous.supremum import Supremum, certified_supremum
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import squared_distances
from theory.numerics.units import bits_to_nats, nats_to_bits

_INFLATIONS = 6  # dual improvements per certificate
_INSERTIONS = 4  # atoms inserted per round


class ContinuousRateDistortion(NamedTuple):
    """A point of the rate-distortion function of a density, or a curve of them (a leading axis on every field).

    Fields:
      rate: [] bits, mutual information of a channel into `atoms` whose distortion is `distortion`.
      rate_lower: [] bits; no channel into the line (plane) of that distortion has a smaller rate.
      distortion: [] expected squared error, summed over components.
      slope: [] bits per unit of distortion, minus the derivative of the curve there.
      intercept_lower: [] bits; R(D) >= intercept_lower - slope D for every D.
      atoms: [m, d] support of the output distribution; empty slots hold stale positions.
      weights: [m] probabilities; 0 for an empty slot.
      atoms_used: [] number of slots in use.
      supremum_margin: [] bits, how much of the gap is distance between the largest c found and the bound proved.
      quadrature_error: [] bits, by which the bounds were widened: what doubling the quadrature changed.
      iterations: [] Newton steps.
      converged: [] whether rate - rate_lower <= tolerance.
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    slope: jax.Array
    intercept_lower: jax.Array
    atoms: jax.Array
    weights: jax.Array
    atoms_used: jax.Array
    supremum_margin: jax.Array
    quadrature_error: jax.Array
    iterations: jax.Array
    converged: jax.Array


class _Sizes(NamedTuple):
    """Static sizes: cells per axis of the certificate, sub-cells per axis, rounds,
    Newton steps per round, and the slope (nats) that the first atoms are laid out for."""

    cells: tuple[int, ...]
    final_cells: tuple[int, ...]
    subdivisions: int
    final_subdivisions: int
    rounds: int
    steps: int
    largest_slope: float


def _box(rule: QuadratureRule, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Corners of a box that contains the core's nodes."""
    # Rounding must not push a node out of the box, and a one-point source needs a width.
    pad = 1e-9 / jnp.sqrt(slope)
    inside = rule.core[:, None]
    low = jnp.min(jnp.where(inside, rule.nodes, jnp.inf), axis=0) - pad
    return low, jnp.max(jnp.where(inside, rule.nodes, -jnp.inf), axis=0) + pad


def _lower(rule: QuadratureRule, atoms: Atoms, slope: jax.Array, *, cells, subdivisions) -> tuple[jax.Array, Supremum]:
    """The dual bound (nats) on I + slope D that positive weights on atoms prove, and the supremum it rests on."""
    mass = jnp.where(rule.core, rule.weights, 0.0)
    total = mass.sum()
    pmf = mass / total
    log_z, _ = log_partition(rule.nodes, atoms, slope)
    ratio = jnp.where(pmf > 0.0, jnp.log(jnp.where(pmf > 0.0, pmf, 1.0)) - log_z, -jnp.inf)
    low, high = _box(rule, slope)
    supremum = certified_supremum(
        rule.nodes, ratio, slope, low=low, high=high, cells=cells, subdivisions=subdivisions
    )
    # I(X;Y) >= P(core) I(X;Y | core) and E d >= P(core) E[d | core]: the core's bound times its mass is a bound.
    lower = total * (-jnp.sum(pmf * log_z) - jnp.log(supremum.upper))
    return jnp.where(jnp.isfinite(lower), lower, -jnp.inf), supremum


def _improve_dual(rule: QuadratureRule, atoms: Atoms, slope: jax.Array, **sizes) -> tuple[Atoms, jax.Array, Supremum]:
    """The best of a few inflations of the weights; its bound, and the supremum for the weights given."""
    bound, first = _lower(rule, atoms, slope, **sizes)

    def body(_: int, state):
        dual, values, places, best, best_bound = state
        dual = inflate(dual, slope, values, places)
        bound, supremum = _lower(rule, dual, slope, **sizes)
        better = bound > best_bound
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), dual, best)
        return dual, supremum.cell_value, supremum.cell_location, best, jnp.maximum(bound, best_bound)

    start = (atoms, first.cell_value, first.cell_location, atoms, bound)
    *_, best, bound = jax.lax.fori_loop(0, _INFLATIONS, body, start)
    return best, bound, first


def _achieved(rule: QuadratureRule, atoms: Atoms, slope: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """F over the whole density, and the distortion and mutual information (nats) of the channel it defines."""
    log_z, posterior = log_partition(rule.nodes, atoms, slope)
    upper = -jnp.sum(rule.weights * log_z)
    distortion = jnp.sum(rule.weights[:, None] * posterior * squared_distances(rule.nodes, atoms.positions))
    marginal = rule.weights @ posterior
    active = jnp.isfinite(atoms.log_weights) & (marginal > 0.0)
    # I = KL(joint || p x q) - KL(marginal || q): the second term is how far q still is from its own marginal.
    log_marginal = jnp.log(jnp.where(active, marginal, 1.0))
    correction = jnp.sum(jnp.where(active, marginal * (log_marginal - atoms.log_weights), 0.0))
    return upper, distortion, jnp.maximum(upper - slope * distortion - correction, 0.0)


def _solve(rule: QuadratureRule, fine: QuadratureRule, start: jax.Array, slope, tolerance, sizes: _Sizes):
    """One slope, in nats; `rule` is the core alone, `fine` the density, `start` [m, d] places for first atoms."""
    m, dimension = start.shape
    # Atoms much closer than 1/sqrt(slope) are indistinguishable and Newton's equations singular: a smaller slope
    # than the one that `start` was laid out for begins with fewer atoms.
    number = jnp.clip(jnp.ceil(1.4**dimension * m * (slope / sizes.largest_slope) ** (dimension / 2)), min(m, 4), m)
    if dimension == 1:
        low, high = _box(rule, slope)
        start = (low + (high - low) * (jnp.arange(m) + 0.51) / number)[:, None]
    seen = rule.weights @ jnp.exp(-slope * squared_distances(rule.nodes, start))
    log_weights = jnp.where(jnp.arange(m) < number, jnp.log(seen + 1e-13 * seen.max()), -jnp.inf)
    atoms = normalize(Atoms(start, log_weights))

    def unfinished(state):
        return (state[0] < sizes.rounds) & (state[4] > 0.5 * tolerance)

    def body(state):
        count, atoms, best, best_dual, best_gap, steps = state
        atoms, taken = newton(
            rule.nodes, rule.weights, atoms, slope, steps=sizes.steps, tolerance=0.01 * tolerance
        )
        atoms = normalize(merge_and_remove(rule.nodes, atoms, slope))
        dual, lower, supremum = _improve_dual(
            rule, atoms, slope, cells=sizes.cells, subdivisions=sizes.subdivisions
        )
        gap = objective(rule.nodes, rule.weights, atoms, slope) - lower
        better = gap < best_gap
        best, best_dual = jax.tree.map(lambda new, old: jnp.where(better, new, old), (atoms, dual), (best, best_dual))
        atoms = insert(
            rule.nodes, rule.weights, atoms, slope, supremum.cell_value, supremum.cell_location,
            number=_INSERTIONS, tolerance=0.1 * tolerance,
        )  # fmt: skip
        return count + 1, atoms, best, best_dual, jnp.minimum(gap, best_gap), steps + taken

    state = (0, atoms, atoms, atoms, jnp.asarray(jnp.inf), 0)
    _, _, atoms, dual, _, steps = jax.lax.while_loop(unfinished, body, state)

    # In the far tail the two rules differ by where they end, so the weights are inflated once more for the finer one.
    dual, *_ = _improve_dual(fine, dual, slope, cells=sizes.cells, subdivisions=sizes.subdivisions)
    # The same two sums over the core by both rules say what the quadrature is worth.
    total = jnp.sum(jnp.where(fine.core, fine.weights, 0.0))
    conditioned = jnp.where(fine.core, fine.weights, 0.0) / total
    error = sum(
        jnp.abs(jnp.sum(rule.weights * log_partition(rule.nodes, a, slope)[0])
                - jnp.sum(conditioned * log_partition(fine.nodes, a, slope)[0]))
        for a in (atoms, dual)
    )  # fmt: skip
    lower, supremum = _lower(
        fine, dual, slope, cells=sizes.final_cells, subdivisions=sizes.final_subdivisions
    )
    _, distortion, information = _achieved(fine, atoms, slope)
    rate = information + error
    intercept = jnp.maximum(lower - error, 0.0)
    rate_lower = jnp.maximum(intercept - slope * distortion, 0.0)
    return ContinuousRateDistortion(
        rate=nats_to_bits(rate),
        rate_lower=nats_to_bits(rate_lower),
        distortion=distortion,
        slope=nats_to_bits(slope),
        intercept_lower=nats_to_bits(intercept),
        atoms=atoms.positions,
        weights=jnp.exp(atoms.log_weights),
        atoms_used=jnp.sum(jnp.isfinite(atoms.log_weights)),
        supremum_margin=nats_to_bits(jnp.log(supremum.upper / supremum.lower)),
        quadrature_error=nats_to_bits(error),
        iterations=steps,
        converged=rate - rate_lower <= tolerance,
    )


@partial(jax.jit, static_argnames="sizes")
def _solve_curve(rule, fine, start, slopes, tolerance, sizes: _Sizes):
    return jax.lax.map(lambda slope: _solve(rule, fine, start, slope, tolerance, sizes), slopes)


def _first_atoms(nodes: np.ndarray, unit: float, max_atoms: int) -> jax.Array:
    """Places for as many atoms as fit one every 0.7 `unit` (at most `max_atoms`), any first few of them spread out."""
    extent = nodes.max(axis=0) - nodes.min(axis=0)
    spacing = 0.7 * unit
    if nodes.shape[1] == 1:
        number = min(max(math.ceil(extent[0] / spacing), 8), max_atoms)
        return jnp.zeros((number, 1))  # the solver lays them out for each slope
    while True:
        # Occupied cells of a lattice, each represented by the mean of the nodes in it.
        keys = np.floor((nodes - nodes.min(axis=0)) / spacing).astype(np.int64)
        _, cell = np.unique(keys, axis=0, return_inverse=True)
        cell = cell.reshape(-1)
        if cell.max() < max_atoms:
            break
        spacing *= 1.05
    size = np.bincount(cell)
    places = np.stack([np.bincount(cell, nodes[:, k]) / size for k in range(2)], axis=1)
    order, distance = [0], np.sum((places - places[0]) ** 2, axis=1)
    for _ in range(len(places) - 1):
        order.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.sum((places - places[order[-1]]) ** 2, axis=1))
    return jnp.asarray(places[order])


def rate_distortion_curve(
    density: Density,
    slopes: ArrayLike,
    *,
    tolerance: float = 1e-8,
    max_atoms: int | None = None,
    rounds: int = 24,
    steps: int = 20,
) -> ContinuousRateDistortion:
    """R(D) of a density under squared error at several slopes, in one compilation.

    For each slope s the minimum of I(X;Y) + s E|X - Y|^2 over all channels into the line (plane) is bracketed. Above:
    by a channel into finitely many atoms, whose positions and weights are moved by Newton's method, merged, removed and
    inserted. Below: with Z(x) = sum_j w_j 2^(-s|x-y_j|^2) and c(y) = E[2^(-s|X-y|^2) / Z(X)],

        R(D) >= -E log2 Z(X) - log2 sup_y c(y) - s D   for every D,

    the supremum being bounded over the continuous space (`theory.continuous.supremum`). Unbounded sources are cut
    to a core of mass 1 - delta for the lower bound alone, R_X(D) >= (1 - delta) R_core(D / (1 - delta)), while the
    upper bound integrates over the tails.

    Args:
      density: a density on the line or plane.
      slopes: [k] > 0, bits per unit of distortion.
      tolerance: gap in bits at which a slope counts as solved.
      max_atoms: number of slots; 320 on the line and 400 on the plane when None. An unbounded density at a high
        rate needs more (converged tells).
      rounds: largest number of rounds of Newton, merging and insertion.
      steps: Newton steps per round.

    Returns:
      A `ContinuousRateDistortion` with a leading axis [k]. Both bounds hold at the returned distortion. They are
      proved for the quadrature rule; `quadrature_error` says what doubling it changed and is already allowed for.

    Raises:
      ValueError: if a slope is not positive and finite, or `slopes` is not one-dimensional.

    Reference:
      K. Rose, A mapping approach to rate-distortion computation and analysis, IEEE Trans. Inform. Theory 40(6), 1994;
      I. Csiszar, On an extremum problem of information theory, Studia Sci. Math. Hungar. 9, 1974 (the dual). Rates
      and slopes there are in nats.
    """
    check_domain("slopes", slopes, minimum=0.0, open_minimum=True, finite=True)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    slopes = np.asarray(slopes, np.float64)
    if slopes.ndim != 1 or slopes.size == 0:
        raise ValueError(f"slopes must have shape [k] with k >= 1, got shape {slopes.shape}")
    line = density.dimension == 1
    nats = np.asarray(bits_to_nats(slopes))
    unit = 1.0 / math.sqrt(nats.max())
    rule, fine = density.rule(unit), density.rule(0.5 * unit)
    core = np.asarray(rule.nodes)[np.asarray(rule.core)]
    mass = np.asarray(rule.weights)[np.asarray(rule.core)]
    rule = QuadratureRule(jnp.asarray(core), jnp.asarray(mass / mass.sum()), jnp.ones(len(core), bool))
    start = _first_atoms(core, unit, max_atoms or (320 if line else 400))
    extent = (core.max(axis=0) - core.min(axis=0)) / unit

    def cells(width: float) -> tuple[int, ...]:
        return tuple(int(max(1, math.ceil(e / width))) for e in extent)

    sizes = _Sizes(
        cells=cells(0.2 if line else 0.4),
        final_cells=cells(0.15 if line else 0.2),
        subdivisions=64 if line else 8,
        final_subdivisions=128 if line else 12,
        rounds=rounds,
        steps=steps,
        largest_slope=float(nats.max()),
    )
    tolerance_nats = float(bits_to_nats(tolerance))
    return _solve_curve(rule, fine, start, jnp.asarray(nats), tolerance_nats, sizes)


def rate_distortion(density: Density, *, slope: float, **options) -> ContinuousRateDistortion:
    """R(D) of a density under squared error at one slope; see `rate_distortion_curve`.

    Args:
      density: a density on the line or plane.
      slope: bits per unit of distortion, > 0.
      **options: `tolerance`, `max_atoms`, `rounds` and `steps` of `rate_distortion_curve`.

    Returns:
      A `ContinuousRateDistortion`.

    Raises:
      ValueError: if `slope` is not one positive, finite number.
    """
    if np.ndim(slope) != 0:
        raise ValueError(f"slope must be one number, got shape {np.shape(slope)}")
    curve = rate_distortion_curve(density, np.asarray([slope], np.float64), **options)
    return jax.tree.map(lambda field: field[0], curve)


def rate_at(curve: ContinuousRateDistortion, distortion: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Brackets R(D) at any distortion from the points of a curve.

    Every slope gives a line below the curve; every two points a chord above it (time sharing), and points of
    smaller distortion a constant.

    Args:
      curve: the result of `rate_distortion_curve`.
      distortion: [...] D > 0.

    Returns:
      The lower and the upper bound in bits, each of the shape of `distortion`; the upper bound is +inf below the
      smallest distortion of the curve.

    Raises:
      ValueError: if a distortion is negative or NaN.
    """
    check_domain("distortion", distortion, minimum=0.0)
    distortion = jnp.asarray(distortion, jnp.float64)
    flat = distortion.reshape(-1, 1)
    lines = curve.intercept_lower[None] - curve.slope[None] * flat
    lower = jnp.clip(jnp.max(lines, axis=-1), 0.0).reshape(distortion.shape)
    order = jnp.argsort(curve.distortion)
    d, r = curve.distortion[order], curve.rate[order]
    # The largest distortions may all have rate 0; the running minimum makes the rates non-increasing.
    r = jax.lax.cummin(r)
    upper = jnp.interp(flat[:, 0], d, r, left=jnp.inf).reshape(distortion.shape)
    return lower, upper
