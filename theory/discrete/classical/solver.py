"""The rate-distortion function of a finite alphabet, between two certified bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical import blahut_arimoto, interior_point
from theory.discrete.classical.solution import RateDistortion
from theory.discrete.common import channels, padding
from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.common.gradients import with_gradient, without_gradient
from theory.discrete.common.programs import Programs
from theory.numerics.checks import check_choice, check_domain, check_pmf, is_concrete
from theory.numerics.units import bits_to_nats, nats_to_bits

_programs = Programs()
METHODS = ("interior_point", "blahut_arimoto", "constrained_blahut_arimoto")


def rate_distortion(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    slope: ArrayLike | None = None,
    distortion: ArrayLike | None = None,
    method: str = "interior_point",
    tolerance: float = 1e-9,
    max_iterations: int | None = None,
) -> RateDistortion:
    """Rate-distortion function of a memoryless source on a finite alphabet, from both sides.

    R(D) = min I(X; Y) over channels W(y|x) with E[d(X, Y)] <= D. Given a distortion, this point is computed;
    given a slope s, the point of the curve where -dR/dD = s (any of them, where the curve is straight).
    The rate is the mutual information of the returned channel. The lower bound is evaluated from the dual
    point alone: R(D) >= sum p nu - s D - max_y ln sum_x p(x) exp(nu(x) - s d(x, y)) for every nu and s.

    At a given distortion, `rate` is differentiable with respect to `pmf` (along the simplex),
    `distortion_matrix` and `distortion`, once, by the envelope theorem; the other fields are constants.
    Solutions at a given slope refuse to be differentiated.

    Args:
      pmf: probabilities of the source, [n]; zeros are allowed. It is normalized, as one of 32-bit numbers needs.
      distortion_matrix: d(x, y) >= 0, [n, m]; +inf forbids a pair.
      slope: bits per unit of distortion, >= 0; scalar. Give this or `distortion`. At slope 0 the answer is
        the constant channel of smallest distortion; at inf the smallest reachable distortion.
      distortion: the largest allowed mean distortion D; scalar. inf is allowed and gives rate 0.
      method: "interior_point" (about 20 Newton steps), "blahut_arimoto" (a slope) or
        "constrained_blahut_arimoto" (a distortion); the latter two need thousands of updates.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps (default 100) or updates (default 10,000).

    Returns:
      A `RateDistortion`. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: if `pmf` is no pmf, `distortion_matrix` has another shape or negative or NaN entries or no
        finite entry in a row that occurs, not exactly one of `slope` and `distortion` is given, the method
        does not take it, or `distortion` is below the smallest reachable one.

    Reference: [csiszar1974computation, blahut1972computation] R. Blahut, IEEE T-IT 18(4), 1972, and I. Csiszar, IEEE
      T-IT 20(1), 1974 (the dual). Rates there are in nats and slopes negative: s here is -s/ln 2 there.
    """
    check_choice("method", method, METHODS)
    pmf, distortion_matrix = check_source(pmf, distortion_matrix)
    if (slope is None) == (distortion is None):
        raise ValueError("slope and distortion: give exactly one of them")
    if max_iterations is None:
        max_iterations = 100 if method == "interior_point" else 10_000
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    padded = padding.pad_source(pmf, distortion_matrix)
    if slope is not None:
        if method == "constrained_blahut_arimoto":
            raise ValueError("method 'constrained_blahut_arimoto' needs a distortion, got a slope")
        check_domain("slope", slope, minimum=0.0)
        slope = jnp.asarray(slope, jnp.float64)
        with _programs:
            result = _at_slope(*padded, slope, tolerance, method, max_iterations)
        return padding.unpad(result, ("multiplier", "pmf"), ("output_pmf",), *distortion_matrix.shape)
    if method == "blahut_arimoto":
        raise ValueError("method 'blahut_arimoto' needs a slope, got a distortion")
    assert distortion is not None  # exactly one of the two is given, and no slope
    check_distortion(pmf, distortion_matrix, distortion)
    target = jnp.asarray(distortion, jnp.float64)
    with _programs:
        result = _at_distortion(*padded, target, tolerance, method, max_iterations)
    return padding.unpad(result, ("multiplier", "pmf"), ("output_pmf",), *distortion_matrix.shape)


def check_source(pmf: ArrayLike, distortion_matrix: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Refuses what is no source or no distortion measure on it.

    Args:
      pmf: shape [n].
      distortion_matrix: shape [n, m].

    Returns:
      Both as float64 arrays.

    Raises:
      ValueError: naming the argument, what it got and what it needs.
    """
    check_pmf("pmf", pmf)
    check_domain("distortion_matrix", distortion_matrix, minimum=0.0)
    pmf, matrix = jnp.asarray(pmf, jnp.float64), jnp.asarray(distortion_matrix, jnp.float64)
    if pmf.ndim != 1:
        raise ValueError(f"pmf must have shape [n], got {pmf.shape}; use jax.vmap for several sources")
    if matrix.ndim != 2 or matrix.shape[0] != pmf.shape[0] or matrix.shape[1] == 0:
        raise ValueError(
            f"distortion_matrix must have shape [{pmf.shape[0]}, m] with m >= 1, got {matrix.shape}"
        )
    if is_concrete(pmf) and is_concrete(matrix):
        hopeless = (np.asarray(pmf) > 0) & np.isinf(np.asarray(matrix)).all(-1)
        if hopeless.any():
            raise ValueError(
                "distortion_matrix must have a finite entry in every row that occurs, "
                f"got none in row {hopeless.argmax()}"
            )
    return pmf, matrix


def check_distortion(pmf: jax.Array, distortion_matrix: jax.Array, distortion: ArrayLike) -> None:
    """Refuses a distortion that no channel reaches; inside a trace, where values are unknown, it lets all pass.

    Args:
      pmf: probabilities of the source, [n].
      distortion_matrix: d(x, y), [n, m].
      distortion: the largest allowed mean distortion, any shape.

    Raises:
      ValueError: if it is negative, or below the smallest mean that any channel reaches.
    """
    check_domain("distortion", distortion, minimum=0.0)
    if is_concrete(pmf) and is_concrete(distortion_matrix) and is_concrete(distortion):
        weights, matrix = np.asarray(pmf), np.asarray(distortion_matrix)
        smallest = weights[weights > 0] @ matrix[weights > 0].min(-1) / weights.sum()
        if np.any(np.asarray(distortion) < smallest * (1 - channels.ROUNDING)):
            raise ValueError(
                f"distortion must be at least {smallest:g}, the smallest mean that any channel reaches, "
                f"got {distortion}"
            )


def undifferentiable_at_slope(pmf, distortion_matrix, slope, tolerance, method, max_iterations):
    """Solves at a slope, and refuses to be differentiated.

    Args:
      pmf, distortion_matrix: probabilities of the source, [n]; d(x, y), [n, m].
      slope: bits per unit of distortion; scalar.
      tolerance, method, max_iterations: as in `rate_distortion`.

    Returns:
      The `RateDistortion`.
    """
    arguments = without_gradient((pmf, distortion_matrix, slope))
    return _solve_at_slope(*arguments, tolerance=tolerance, method=method, max_iterations=max_iterations)


def differentiable_at_distortion(pmf, distortion_matrix, distortion, tolerance, method, max_iterations):
    """Solves as `solve_at_distortion` does, and gives the rate its gradient.

    Args:
      pmf, distortion_matrix: probabilities of the source, [n]; d(x, y), [n, m].
      distortion: the largest allowed mean distortion; scalar.
      tolerance, method, max_iterations: as in `rate_distortion`.

    Returns:
      The `RateDistortion`, its other fields constants.
    """
    arguments = lax.stop_gradient((pmf, distortion_matrix, distortion))
    result = solve_at_distortion(*arguments, tolerance, method, max_iterations)
    joint = (arguments[0] / arguments[0].sum())[:, None] * result.channel
    # At the smallest reachable distortion that moves with the pmf, so does the rate: infinitely fast.
    smallest = arguments[1].min(-1)
    moving = jnp.isinf(result.slope) & (smallest > 0) & jnp.isfinite(smallest)
    by_source = result.multiplier + jnp.where(moving, jnp.inf, 0.0)
    rate = with_gradient(
        result.rate,
        (pmf, by_source),
        (distortion_matrix, jnp.where(joint > 0, result.slope * joint, 0.0)),
        (distortion, -result.slope),
    )
    return result._replace(rate=rate)


_at_slope = _programs.compiled(jax.jit(undifferentiable_at_slope, static_argnames=("method", "max_iterations")))
_at_distortion = _programs.compiled(
    jax.jit(differentiable_at_distortion, static_argnames=("method", "max_iterations")))


class Point(NamedTuple):
    """A channel and a dual point of the normalized problem, in nats.

    Attributes:
      channel: W(y|x), [n, m].
      log_multiplier: nu, [n].
      slope: s of the dual point; scalar.
      iterations: Newton steps or updates made; scalar integer.
    """

    channel: jax.Array
    log_multiplier: jax.Array
    slope: jax.Array
    iterations: jax.Array


def point_at_slope(
    problem: NormalizedProblem, slope: jax.Array, nats: jax.Array, method: str, max_iterations: int
) -> Point:
    """Solves a normalized problem at a slope.

    Args:
      problem: the problem.
      slope: nats per unit of normalized distortion, >= 0; scalar.
      nats: gap to stop at.
      method: of `METHODS`.
      max_iterations: bound on steps.

    Returns:
      The solver's answer.
    """
    options = {"slope": slope, "tolerance": nats, "max_iterations": max_iterations}
    if method == "blahut_arimoto":
        iterate = blahut_arimoto.blahut_arimoto(problem, **options)
    else:
        iterate = interior_point.solve(problem, target=jnp.zeros(()), fixed_slope=True, **options)
    log_weights = jnp.log(iterate.weights / iterate.weights.sum())
    channel = channels.tilted_channel(log_weights, problem.distortion, slope)
    constant, _ = channels.best_constant_channel(problem)
    channel = jnp.where(slope > 0, channel, constant)
    multiplier = jnp.where(slope > 0, _log_multiplier(problem, iterate, slope), 0.0)
    return Point(channel, multiplier, slope, iterate.iterations)


def point_at_distortion(
    problem: NormalizedProblem, target: jax.Array, nats: jax.Array, method: str, max_iterations: int
) -> Point:
    """Solves a normalized problem at a distortion.

    Args:
      problem: the problem.
      target: D, normalized, > 0; scalar.
      nats: gap to stop at.
      method: of `METHODS`.
      max_iterations: bound on steps.

    Returns:
      The solver's answer; its channel has E[d] <= D. Where the best constant channel has, that one, with slope 0.
    """
    constant, smallest = channels.best_constant_channel(problem)
    # A target above E[d] of the best constant channel has rate 0: the solver is given an easy one instead.
    free = target >= smallest
    easy = jnp.where(jnp.isinf(smallest), 1.0, jnp.maximum(smallest, 1e-300))
    solved = jnp.where(free, easy, target)
    options = {"target": solved, "tolerance": nats, "max_iterations": max_iterations}
    if method == "constrained_blahut_arimoto":
        iterate = blahut_arimoto.constrained_blahut_arimoto(problem, slope=1.0 / solved, **options)
    else:
        iterate = interior_point.solve(problem, slope=1.0 / solved, fixed_slope=False, **options)
    log_weights = jnp.log(iterate.weights / iterate.weights.sum())
    start = jnp.maximum(iterate.slope, 1e-12)
    meeting = channels.slope_meeting_distortion(problem, log_weights, solved, start)
    channel = jnp.where(free, constant, channels.tilted_channel(log_weights, problem.distortion, meeting))
    multiplier = jnp.where(free, 0.0, _log_multiplier(problem, iterate, iterate.slope))
    return Point(channel, multiplier, jnp.where(free, 0.0, iterate.slope), iterate.iterations)


def _solve_at_slope(
    pmf: jax.Array,
    distortion_matrix: jax.Array,
    slope: jax.Array,
    tolerance: jax.Array,
    method: str,
    max_iterations: int,
) -> RateDistortion:
    """The traced part of `rate_distortion` at a slope."""
    problem = channels.normalize(pmf, distortion_matrix)
    lossless = jnp.isinf(slope)
    # At slope inf only pairs at the row minimum are left; the slope within the solver is then immaterial.
    problem = channels.keep_only_minima(problem, lossless)
    s = jnp.where(lossless, 1.0, bits_to_nats(slope) * problem.scale)
    point = point_at_slope(problem, s, 0.5 * bits_to_nats(tolerance), method, max_iterations)
    achieved = channels.mean_distortion(problem.pmf, point.channel, problem.distortion)
    lower = channels.rate_lower_bound(problem, point.log_multiplier, s, achieved)
    distortion = achieved * problem.scale + problem.mean_offset
    slope = jnp.where(slope >= 0, slope, jnp.nan)
    return _result(problem, point, lower, distortion, slope, jnp.isfinite(achieved), tolerance)


def solve_at_distortion(
    pmf: jax.Array,
    distortion_matrix: jax.Array,
    distortion: jax.Array,
    tolerance: jax.Array,
    method: str,
    max_iterations: int,
) -> RateDistortion:
    """Computes the traced part of `rate_distortion` at a distortion.

    Args:
      pmf, distortion_matrix: probabilities of the source, [n]; d(x, y), [n, m].
      distortion: the largest allowed mean distortion; scalar.
      tolerance, method, max_iterations: as in `rate_distortion`.

    Returns:
      The `RateDistortion`; its rate is NaN where no channel reaches the distortion.
    """
    problem = channels.normalize(pmf, distortion_matrix)
    target, lossless, reachable = channels.normalized_target(problem, distortion)
    problem = channels.keep_only_minima(problem, lossless)
    point = point_at_distortion(problem, target, 0.5 * bits_to_nats(tolerance), method, max_iterations)
    achieved = channels.mean_distortion(problem.pmf, point.channel, problem.distortion)
    needed = jnp.where(lossless | jnp.isinf(target), 0.0, target)
    free = point.slope == 0
    # At the distortion of the best letter a sum in another order may be off by a rounding, and nothing would be found.
    _, constant = channels.best_constant_channel(problem)
    achieved = jnp.where(free & (constant <= target), constant, achieved)
    lower = jnp.where(free, 0.0, channels.rate_lower_bound(problem, point.log_multiplier, point.slope, needed))
    slope = nats_to_bits(jnp.where(lossless & ~free, jnp.inf, point.slope) / problem.scale)
    # Undoing the scaling must not round a channel that meets the distortion to one that exceeds it.
    reported = achieved * problem.scale + problem.mean_offset
    reported = jnp.where((achieved <= target) & (reported > distortion) & ~lossless, distortion, reported)
    reported = jnp.where(reachable, reported, jnp.nan)
    return _result(problem, point, lower, reported, slope, achieved <= target, tolerance)


def _log_multiplier(problem, iterate, slope):
    total = channels.kernel(problem.distortion, slope) @ iterate.weights
    return -jnp.log(jnp.where(problem.pmf > 0, total, 1.0))


def _result(problem, point, lower, distortion, slope, met, tolerance):
    """Undoes the scaling. A channel that is none, or misses the distortion, has rate NaN."""
    valid = ~(jnp.isnan(distortion) | jnp.isnan(slope))
    rate = nats_to_bits(channels.mutual_information(problem.pmf, point.channel))
    lower = nats_to_bits(lower)
    rows = jnp.all(point.channel >= 0) & jnp.all(jnp.abs(point.channel.sum(-1) - 1.0) <= 1e-12)
    consistent = lower <= rate + 1e-12 * (1.0 + rate)
    lower = jnp.where(valid & consistent, jnp.minimum(lower, rate), jnp.nan)
    rate = jnp.where(valid & consistent & met & rows, rate, jnp.nan)
    # nu of the distortion before its row minima were subtracted.
    shift = jnp.where((problem.offset > 0) & jnp.isfinite(slope), slope * problem.offset, 0.0)
    return RateDistortion(
        rate=rate,
        rate_lower=lower,
        distortion=distortion,
        slope=slope,
        channel=point.channel,
        output_pmf=problem.pmf @ point.channel,
        multiplier=nats_to_bits(point.log_multiplier) + shift,
        iterations=point.iterations,
        converged=rate - lower <= tolerance,
        pmf=problem.pmf,
    )
