"""One slope of the rate-distortion function of a density: moving atoms above, a certified supremum below."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from theory.continuous.densities import QuadratureRule
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
from theory.numerics.elementwise import squared_distances
from theory.numerics.units import nats_to_bits

_INFLATIONS = 6  # dual improvements per certificate
_INSERTIONS = 4  # atoms inserted per round


class ContinuousRateDistortion(NamedTuple):
    """A point of the rate-distortion function of a density, or a curve of them (a leading axis on every field).

    Attributes:
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

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether a channel was found, whatever its gap: both bounds hold, for the quadrature rule."""
        return jnp.isfinite(self.rate)


class Sizes(NamedTuple):
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


def _solve(rule: QuadratureRule, fine: QuadratureRule, start: jax.Array, slope, tolerance, sizes: Sizes):
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


solve_slope = jax.jit(_solve, static_argnames="sizes")
