"""The rate-distortion function of a density under squared error, from both sides, over every reproduction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.continuous.densities import Density, QuadratureRule
from theory.continuous.perfect_realism import PerfectRealism
from theory.continuous.slope_solver import ContinuousRateDistortion, Sizes, solve_slope
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits


class Quality(NamedTuple):
    """How much work a bracket is worth.

    Attributes:
      tolerance: gap in bits at which a slope counts as solved.
      max_atoms: number of slots; None: 320 on the line and 400 on the plane.
      rounds: largest number of rounds of Newton, merging and insertion.
      steps: Newton steps per round.
      spacing: of the first atoms, in units of 0.7 / sqrt(slope in nats).
      tail_mass: mass at either end of the line that the lower bound does without; 0 leaves it to the density.
    """

    tolerance: float
    max_atoms: int | None
    rounds: int
    steps: int
    spacing: float
    tail_mass: float


# c ripples by about 2 exp(-(pi / h)^2) between atoms a distance h / sqrt(slope) apart: coarse ones may be farther.
QUALITIES = {
    "fine": Quality(1e-8, None, 24, 20, 1.0, 0.0),
    "coarse": Quality(1e-3, 96, 6, 10, 1.5, 1e-6),
}
_SEARCH_STEPS = 12  # slopes tried for a distortion


def _first_atoms(nodes: np.ndarray, unit: float, max_atoms: int) -> jax.Array:
    """Places for as many atoms as fit one every 0.7 `unit` (at most `max_atoms`), any first few of them spread out."""
    extent = nodes.max(axis=0) - nodes.min(axis=0)
    spacing = 0.7 * unit
    if nodes.shape[1] == 1:
        number = min(max(math.ceil(extent[0] / spacing), 8), max_atoms)
        return jnp.asarray(np.zeros((number, 1)))  # the solver lays them out for each slope
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


class _Prepared(NamedTuple):
    """A density made ready for slopes up to a largest one: rules, places of first atoms, static sizes."""

    rule: QuadratureRule
    fine: QuadratureRule
    start: jax.Array
    sizes: Sizes

    def solve(self, slope: float, tolerance: float) -> ContinuousRateDistortion:
        """The point of a slope in bits; one compilation for all slopes and tolerances."""
        nats = jnp.asarray(bits_to_nats(slope), jnp.float64)
        return solve_slope(self.rule, self.fine, self.start, nats, bits_to_nats(tolerance), self.sizes)


def _prepare(density: Density, largest: float, quality: Quality) -> _Prepared:
    line = density.dimension == 1
    unit = 1.0 / math.sqrt(float(bits_to_nats(largest)))
    rule, fine = density.rule(unit), density.rule(0.5 * unit)
    core = np.asarray(rule.nodes)[np.asarray(rule.core)]
    mass = np.asarray(rule.weights)[np.asarray(rule.core)]
    if quality.tail_mass > 0 and line:
        core, mass, fine = _trimmed(core, mass, fine, quality.tail_mass)
    rule = QuadratureRule(jnp.asarray(core), jnp.asarray(mass / mass.sum()), jnp.asarray(np.ones(len(core), bool)))
    start = _first_atoms(core, quality.spacing * unit, quality.max_atoms or (320 if line else 400))
    extent = (core.max(axis=0) - core.min(axis=0)) / unit

    def cells(width: float) -> tuple[int, ...]:
        return tuple(int(max(1, math.ceil(e / width))) for e in extent)

    sizes = Sizes(
        cells=cells(0.2 if line else 0.4),
        final_cells=cells(0.15 if line else 0.2),
        subdivisions=64 if line else 8,
        final_subdivisions=128 if line else 12,
        rounds=quality.rounds,
        steps=quality.steps,
        largest_slope=float(bits_to_nats(largest)),
    )
    return _Prepared(rule, fine, start, sizes)


def _trimmed(core: np.ndarray, mass: np.ndarray, fine: QuadratureRule, tail_mass: float):
    """A smaller core on the line, without a mass of `tail_mass` at either end; the lower bound allows for it."""
    below = np.cumsum(mass) / mass.sum()
    inside = (below > tail_mass) & (below < 1.0 - tail_mass)
    low, high = core[inside].min(), core[inside].max()
    nodes = np.asarray(fine.nodes)[:, 0]
    retained = np.asarray(fine.core) & (nodes >= low) & (nodes <= high)
    return core[inside], mass[inside], fine._replace(core=jnp.asarray(retained))


def rate_distortion_curve(
    density: Density,
    slopes: ArrayLike,
    *,
    quality: str = "fine",
    tolerance: float | None = None,
    max_atoms: int | None = None,
    rounds: int | None = None,
    steps: int | None = None,
    progress: Callable[[str], None] | None = None,
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
      quality: "fine", or "coarse": a bracket of about 1e-3 bit in seconds, as certified as the other.
      tolerance: gap in bits at which a slope counts as solved; that of the quality (1e-8, 1e-3) when None.
      max_atoms: number of slots; when None that of the quality: "fine" 320 on the line and 400 on the plane. An
        unbounded density at a high rate needs more (converged tells).
      rounds: largest number of rounds of Newton, merging and insertion; that of the quality (24, 6) when None.
      steps: Newton steps per round; that of the quality (20, 10) when None.
      progress: called with a line of text after each slope, for instance `print`.

    Returns:
      A `ContinuousRateDistortion` with a leading axis [k]. Both bounds hold at the returned distortion. They are
      proved for the quadrature rule; `quadrature_error` says what doubling it changed and is already allowed for.

    Raises:
      ValueError: if a slope is not positive and finite, or `slopes` is not one-dimensional.

    Reference:
      [csiszar1974extremum, rose1994mapping] K. Rose, A mapping approach to rate-distortion computation and analysis,
      IEEE Trans. Inform. Theory 40(6), 1994; I. Csiszar, On an extremum problem of information theory, Studia Sci.
      Math. Hungar. 9, 1974 (the dual). Rates and slopes there are in nats.
    """
    check_domain("slopes", slopes, minimum=0.0, open_minimum=True, finite=True)
    slopes = np.asarray(slopes, np.float64)
    if slopes.ndim != 1 or slopes.size == 0:
        raise ValueError(f"slopes must have shape [k] with k >= 1, got shape {slopes.shape}")
    chosen = _quality(quality, tolerance, max_atoms, rounds, steps)
    prepared = _prepare(density, float(slopes.max()), chosen)
    points = []
    for slope in slopes:
        points.append(prepared.solve(slope, chosen.tolerance))
        _tell(progress, points, len(slopes))
    return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *points)


def _quality(name: str, tolerance, max_atoms, rounds, steps) -> Quality:
    check_choice("quality", name, QUALITIES)
    given = {"tolerance": tolerance, "max_atoms": max_atoms, "rounds": rounds, "steps": steps}
    chosen = QUALITIES[name]._replace(**{key: value for key, value in given.items() if value is not None})
    check_domain("tolerance", chosen.tolerance, minimum=0.0, open_minimum=True)
    return chosen


def _tell(progress, points, total) -> None:
    if progress is not None:
        last = points[-1]
        progress(f"{len(points)} of {total}: slope {float(last.slope):g}, distortion {float(last.distortion):g}, "
                 f"{float(last.rate_lower):.6f} to {float(last.rate):.6f} bits, {int(last.iterations)} steps"
                 + ("" if last.converged else ", not converged"))


def rate_distortion(
    density: Density,
    *,
    slope: float | None = None,
    distortion: float | None = None,
    quality: str = "fine",
    tolerance: float | None = None,
    max_atoms: int | None = None,
    rounds: int | None = None,
    steps: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> ContinuousRateDistortion:
    """R(D) of a density under squared error at one slope or one distortion; as by `rate_distortion_curve`.

    A distortion is met by searching for its slope; the channel's is at most the one asked for, and `rate_lower`, the
    largest that the slopes on the way prove, holds at the one asked for.

    Args:
      density: a density on the line or plane.
      slope: bits per unit of distortion, > 0. Give this or `distortion`.
      distortion: largest mean squared error D, summed over components, > 0.
      quality: of `rate_distortion_curve`, as are the following.
      tolerance: gap in bits.
      max_atoms: number of slots.
      rounds: of Newton, merging and insertion.
      steps: Newton steps per round.
      progress: called with a line of text after each slope.

    Returns:
      A `ContinuousRateDistortion`.

    Raises:
      ValueError: if not exactly one of `slope` and `distortion` is given, or it is not one positive, finite number.
    """
    if slope is not None and distortion is None:
        name, value = "slope", slope
    elif distortion is not None and slope is None:
        name, value = "distortion", distortion
    else:
        raise ValueError("slope and distortion: give exactly one of them")
    if np.ndim(value) != 0:
        raise ValueError(f"{name} must be one number, got shape {np.shape(value)}")
    check_domain(name, value, minimum=0.0, open_minimum=True, finite=True)
    if distortion is None:
        curve = rate_distortion_curve(
            density, np.asarray([slope], np.float64), quality=quality, tolerance=tolerance, max_atoms=max_atoms,
            rounds=rounds, steps=steps, progress=progress)
        return jax.tree.map(lambda field: jnp.asarray(np.asarray(field)[0]), curve)
    return _at_distortion(
        density, float(distortion), _quality(quality, tolerance, max_atoms, rounds, steps), progress)


def _at_distortion(density: Density, distortion: float, chosen: Quality, progress) -> ContinuousRateDistortion:
    """Newton's method on log D as a function of log slope, kept in a bracket; sizes are those of a steep slope."""
    # A Gaussian of the smallest possible spread has slope d / (2 D ln 2); no density's is much steeper.
    guess = float(nats_to_bits(0.5 * density.dimension / distortion))
    prepared = _prepare(density, 1.5 * guess, chosen)
    low, high, slope, points = 0.0, np.inf, guess, []
    for _ in range(_SEARCH_STEPS):
        point = prepared.solve(slope, chosen.tolerance)
        points.append(point)
        _tell(progress, points, _SEARCH_STEPS)
        reached = float(point.distortion)
        below = reached <= distortion
        low, high = (low, min(high, slope)) if below else (max(low, slope), high)
        if below and float(point.slope) * (distortion - reached) <= 0.25 * chosen.tolerance:
            break
        # Locally D is about a constant over the slope; aim a little below the distortion asked for.
        aim = slope * reached / (distortion - 0.1 * chosen.tolerance / slope) if reached > 0 else 0.5 * slope
        inside = low < aim < high
        slope = aim if inside else 0.5 * (low + high) if np.isfinite(high) else 2.0 * slope
        if float(points[-1].rate) == 0.0 and below:
            break
    meeting = [point for point in points if float(point.distortion) <= distortion]
    best = min(meeting, key=lambda point: float(point.rate)) if meeting else points[-1]
    lower = max(0.0, max(float(point.intercept_lower) - float(point.slope) * distortion for point in points))
    met = bool(meeting)
    rate = best.rate if met else jnp.asarray(jnp.nan)
    return best._replace(
        rate=rate, rate_lower=jnp.asarray(lower), iterations=sum(point.iterations for point in points),
        converged=jnp.asarray(met and float(rate) - lower <= chosen.tolerance))


def rate_at(
    curve: ContinuousRateDistortion | PerfectRealism, distortion: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Brackets R(D), or R(D, 0), at any distortion from the points of a curve.

    Every slope gives a line below the curve; every two points a chord above it (time sharing), and points of
    smaller distortion a constant.

    Args:
      curve: the result of `rate_distortion_curve`, or of `perfect_realism_curve`, for whose finest rule the bracket
        then holds; or one point of them.
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
    intercept, slope, d, r = (
        jnp.atleast_1d(field) for field in (curve.intercept_lower, curve.slope, curve.distortion, curve.rate))
    lines = intercept[None] - slope[None] * flat
    lower = jnp.clip(jnp.max(lines, axis=-1), 0.0).reshape(distortion.shape)
    order = jnp.argsort(d)
    # The largest distortions may all have rate 0; the running minimum makes the rates non-increasing.
    upper = jnp.interp(flat[:, 0], d[order], jax.lax.cummin(r[order]), left=jnp.inf).reshape(distortion.shape)
    return lower, upper
