"""Whole curves and surfaces in one compilation, and the rate-distortion function read the other way."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical import RateDistortion
from theory.discrete.classical import solver as classical
from theory.discrete.common import channels, padding, tilting
from theory.discrete.common.gradients import with_gradient
from theory.discrete.common.programs import Programs
from theory.discrete.perception import rdp
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.perception.problem import Options, Problem, pad
from theory.discrete.perception.solver import RateDistortionPerception
from theory.numerics.checks import check_domain

_programs = Programs()


def rate_distortion_curve(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortions: ArrayLike | None = None,
    slopes: ArrayLike | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 100,
    at_once: int = 1,
) -> RateDistortion:
    """A rate-distortion curve, each of its points certified as by `rate_distortion`.

    Args:
      pmf: probabilities of the source, [n].
      distortion_matrix: d(x, y) >= 0, [n, m].
      distortions: mean distortions D, [k]. Give these or `slopes`.
      slopes: slopes, bits per unit of distortion, [k].
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps per point.
      at_once: points solved as one batch; 1 suits a CPU (each point stops when it is done), k an accelerator.

    Returns:
      A `RateDistortion` whose fields have a leading axis [k].

    Raises:
      ValueError: as `rate_distortion`.
    """
    pmf, distortion_matrix = classical.check_source(pmf, distortion_matrix)
    if (slopes is None) == (distortions is None):
        raise ValueError("slopes and distortions: give exactly one of them")
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    if distortions is not None:
        classical.check_distortion(pmf, distortion_matrix, distortions)
    elif slopes is not None:
        check_domain("slopes", slopes, minimum=0.0)
    grid = jnp.asarray(distortions if slopes is None else slopes, jnp.float64)
    if grid.ndim != 1:
        raise ValueError(f"{'distortions' if slopes is None else 'slopes'} must have shape [k], got {grid.shape}")
    padded = padding.pad_source(pmf, distortion_matrix)
    with _programs:
        result = _curve(*padded, grid, tolerance, slopes is None, max_iterations, at_once)
    return padding.unpad(result, ("multiplier", "pmf"), ("output_pmf",), *distortion_matrix.shape)


@_programs.compiled
@partial(jax.jit, static_argnames=("by_distortion", "max_iterations", "at_once"))
def _curve(pmf, distortion_matrix, grid, tolerance, by_distortion, max_iterations, at_once):
    solve = classical.differentiable_at_distortion if by_distortion else classical.undifferentiable_at_slope

    def point(value):
        return solve(pmf, distortion_matrix, value, tolerance, "interior_point", max_iterations)

    return lax.map(point, grid, batch_size=at_once if at_once > 1 else None)


def rate_distortion_perception_surface(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortions: ArrayLike,
    perceptions: ArrayLike,
    divergence: str | Divergence | PowerDivergence,
    points: ArrayLike | None = None,
    transport_cost: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 500,
    at_once: int = 1,
) -> RateDistortionPerception:
    """R(D, P) on a grid of distortions and perceptions, each point as by `rate_distortion_perception`.

    Args:
      pmf: probabilities of the source, [n].
      distortion_matrix: d(x, y) >= 0, [n, n].
      distortions: mean distortions D, [k].
      perceptions: perceptions P, [l]; 0 and inf are allowed.
      divergence: name, power divergence or `Divergence`.
      points: positions of the letters for "w1" and "w2sq", [n].
      transport_cost: replaces the cost of "w1" or "w2sq", [n, n].
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps per point.
      at_once: points solved as one batch; 1 suits a CPU, k l an accelerator.

    Returns:
      A `RateDistortionPerception` whose fields have leading axes [k, l]. Pairs (D, P) that no channel meets
      have rate NaN.

    Raises:
      ValueError: as `rate_distortion_perception`, but for pairs that no channel meets.
    """
    pmf, distortion_matrix = rdp.check_square_source(pmf, distortion_matrix)
    classical.check_distortion(pmf, distortion_matrix, distortions)
    check_domain("perceptions", perceptions, minimum=0.0)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    divergence, transport, on_line = rdp.checked_divergence(pmf.shape[0], divergence, points, transport_cost)
    options = Options(divergence, on_line, False, False, max_iterations)
    regime = rdp.regime_of(perceptions, options)
    distortions, perceptions = jnp.asarray(distortions, jnp.float64), jnp.asarray(perceptions, jnp.float64)
    if distortions.ndim != 1 or perceptions.ndim != 1:
        raise ValueError(
            f"distortions and perceptions must have shapes [k] and [l], got {distortions.shape}, {perceptions.shape}"
        )
    # The distortion and the perception of this problem are put in point by point.
    nothing = jnp.zeros(())
    problem = Problem(pmf, distortion_matrix, nothing, nothing, transport, jnp.asarray(tolerance, jnp.float64))
    with _programs:
        result = _surface(pad(problem, options), distortions, perceptions, options, regime, at_once)
    return rdp.unpad(result, pmf.shape[0])


@_programs.compiled
@partial(jax.jit, static_argnames=("options", "regime", "at_once"))
def _surface(problem, distortions, perceptions, options, regime, at_once):
    def point(pair):
        here = problem._replace(distortion_or_slope=pair[0], perception_or_slope=pair[1])
        return rdp.differentiable(here, options, regime)

    shape = (distortions.shape[0], perceptions.shape[0])
    pairs = jnp.stack(jnp.meshgrid(distortions, perceptions, indexing="ij"), -1).reshape(-1, 2)
    flat = lax.map(point, pairs, batch_size=at_once if at_once > 1 else None)
    return jax.tree.map(lambda leaf: leaf.reshape(shape + leaf.shape[1:]), flat)


class DistortionRate(NamedTuple):
    """A point of a distortion-rate function and its certificate.

    Attributes:
      distortion: E[d(X, Y)] of `channel`; scalar.
      distortion_lower: no channel with at most the rate asked for has a smaller distortion; scalar.
      rate: I(X; Y) of `channel`, at most the rate asked for, bits; scalar.
      slope: -dR/dD, bits per unit of distortion; scalar.
      channel: W(y|x), [n, m].
      output_pmf: distribution of Y, [m].
      iterations: points of the rate-distortion function that were solved for; scalar integer.
      converged: whether slope * (distortion - distortion_lower) is at most the tolerance; scalar bool.
      multiplier: nu(x), bits, [n], as of `RateDistortion`; 0 at rate 0.
      pmf: of the source, normalized, [n].
    """

    distortion: jax.Array
    distortion_lower: jax.Array
    rate: jax.Array
    slope: jax.Array
    channel: jax.Array
    output_pmf: jax.Array
    iterations: jax.Array
    converged: jax.Array
    multiplier: jax.Array
    pmf: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`distortion - distortion_lower`: how far from the optimum the channel is at most."""
        return self.distortion - self.distortion_lower

    @property
    def certified(self) -> jax.Array:
        """Whether the channel was verified, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.distortion)

    @property
    def tilted_information(self) -> jax.Array:
        """As of `RateDistortion`, at `distortion`; bits, [n]."""
        return tilting.tilted_information(self.pmf, self.multiplier, self.rate)

    @property
    def dispersion(self) -> jax.Array:
        """Variance of `tilted_information`, bits squared; 0 at rate 0."""
        return tilting.dispersion(self.pmf, self.multiplier, self.rate)


def distortion_rate(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    rate: ArrayLike,
    tolerance: float = 1e-9,
    max_iterations: int = 100,
) -> DistortionRate:
    """Distortion-rate function D(R) = min E[d(X, Y)] over channels with I(X; Y) <= R, from both sides.

    Newton's method on the logarithm of the distortion, kept inside a bracket, each step one point of R(D).
    The dual point there is a supporting line, R(D') >= lower - s (D' - D) for every D', which read the other way
    bounds D(R) >= D + (lower - R) / s.

    `distortion` is differentiable once with respect to `pmf` (along the simplex), `distortion_matrix` and `rate`.

    Args:
      pmf: probabilities of the source, [n].
      distortion_matrix: d(x, y) >= 0, [n, m].
      rate: R, bits, >= 0; scalar.
      tolerance: certified gap to reach in bits, that is slope * (gap of the distortion).
      max_iterations: bound on Newton steps per point.

    Returns:
      A `DistortionRate`. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: as `rate_distortion`, or if `rate` is negative.
    """
    pmf, distortion_matrix = classical.check_source(pmf, distortion_matrix)
    check_domain("rate", rate, minimum=0.0)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    padded = padding.pad_source(pmf, distortion_matrix)
    with _programs:
        result = _distortion_rate(*padded, jnp.asarray(rate, jnp.float64), tolerance, max_iterations)
    return padding.unpad(result, ("multiplier", "pmf"), ("output_pmf",), *distortion_matrix.shape)


@_programs.compiled
@partial(jax.jit, static_argnames=("max_iterations",))
def _distortion_rate(pmf, distortion_matrix, rate, tolerance, max_iterations):
    arguments = (pmf, distortion_matrix, rate)
    pmf, distortion_matrix, rate = lax.stop_gradient(arguments)
    problem = channels.normalize(pmf, distortion_matrix)
    constant, largest = channels.best_constant_channel(problem)
    largest = jnp.where(jnp.isinf(largest), 2.0 * channels.finite_part(problem.distortion).max() + 1.0, largest)

    def at(excess):
        distortion = excess * problem.scale + problem.mean_offset
        return classical.solve_at_distortion(
            pmf, distortion_matrix, distortion, 0.3 * tolerance, "interior_point", max_iterations
        )

    # The certified gap at a point of rate at most R is what the rate leaves unused and the point's own gap.
    def gap(point):
        return rate - point.rate_lower

    def step(state):
        excess, low, high, best, steps = state
        point = at(excess)
        feasible = point.rate <= rate
        better = feasible & (gap(point) < gap(best))
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, best)
        low, high = jnp.where(feasible, low, excess), jnp.where(feasible, excess, high)
        # Aim a third of the tolerance below the rate, so that Newton's limit is on the feasible side.
        change = (point.rate - rate + 0.3 * tolerance) / (point.slope * problem.scale * excess)
        newton = excess * jnp.exp(jnp.clip(change, -3.0, 3.0))
        middle = jnp.where(low > 0, jnp.sqrt(low * high), 0.03 * high)
        excess = jnp.where((newton > low) & (newton < high), newton, middle)
        return excess, low, high, best, steps + 1

    def unfinished(state):
        return (gap(state[3]) > tolerance) & (state[4] < 60)

    finest, coarsest = at(jnp.zeros(())), at(largest)
    # The slope at rate 0 is that of a point nearby; the channel at rate 0 is known.
    known = coarsest._replace(
        rate=jnp.zeros(()), distortion=largest * problem.scale + problem.mean_offset, channel=constant,
        output_pmf=problem.pmf @ constant)
    finite = jnp.isfinite(channels.mean_distortion(problem.pmf, constant, problem.distortion))
    coarsest = jax.tree.map(lambda new, old: jnp.where(finite, new, old), known, coarsest)
    enough = finest.rate <= rate
    none = rate <= 0
    best = jax.tree.map(lambda fine, coarse: jnp.where(enough, fine, coarse), finest, coarsest)
    start = jnp.where(enough | none | ~(rate >= 0), 60, 0)
    state = (0.3 * largest, jnp.zeros(()), largest, best, start)
    _, _, _, best, steps = lax.while_loop(unfinished, step, state)
    # At the ends of the curve there is nothing to search for.
    exact = enough | none
    lower = jnp.where(exact, best.distortion, best.distortion - gap(best) / best.slope)
    lower = jnp.maximum(lower, problem.mean_offset)
    by_rate = 1.0 / best.slope
    joint = problem.pmf[:, None] * best.channel
    by_source = jnp.where(enough, problem.offset, best.multiplier * by_rate)
    by_source = jnp.where(none, jnp.sum(best.channel * channels.finite_part(distortion_matrix), -1), by_source)
    distortion = with_gradient(
        jnp.where(rate >= 0, best.distortion, jnp.nan),
        (arguments[0], by_source),
        (arguments[1], joint),
        (arguments[2], jnp.where(enough, 0.0, -by_rate)),
    )
    return DistortionRate(
        distortion=distortion,
        distortion_lower=jnp.where(rate >= 0, lower, jnp.nan),
        rate=best.rate,
        slope=best.slope,
        channel=best.channel,
        output_pmf=best.output_pmf,
        iterations=jnp.where(exact, 0, steps) + 2,
        converged=exact | (gap(best) <= tolerance),
        multiplier=best.multiplier,
        pmf=problem.pmf,
    )
