"""The rate-distortion-perception function of a finite alphabet, between two certified bounds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical import solver as classical
from theory.discrete.common import padding
from theory.discrete.common.gradients import with_gradient, without_gradient
from theory.discrete.perception import divergences, feasibility, power_divergence, search, solver
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import PowerDivergence
from theory.discrete.perception.problem import Options, Problem, known_limits_of, pad
from theory.discrete.perception.solver import RateDistortionPerception
from theory.numerics.checks import check_choice, check_domain, is_concrete
from theory.numerics.units import bits_to_nats, nats_to_bits

_LARGE_SLOPES = (1e2, 3e2, 1e3, 1e4, 1e6)  # nats per unit of normalized distortion


def rate_distortion_perception(
    pmf: ArrayLike,
    distortion_matrix: ArrayLike,
    *,
    distortion: ArrayLike | None = None,
    perception: ArrayLike | None = None,
    divergence: str | Divergence | PowerDivergence,
    slope: ArrayLike | None = None,
    perception_slope: ArrayLike | None = None,
    points: ArrayLike | None = None,
    transport_cost: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 500,
) -> RateDistortionPerception:
    """Rate-distortion-perception function of a memoryless source on a finite alphabet, from both sides.

    R(D, P) = min I(X; Y) over channels with E[d(X, Y)] <= D and delta(p_X, p_Y) <= P, with unlimited common
    randomness. The rate is that of the returned channel, which meets both constraints. The lower bound is
    evaluated from the dual point alone: for any nu, s >= 0 and with phi(y) = ln sum_x p(x) exp(nu(x) - s d(x, y)),

        R(D, P) >= sum_x p(x) nu(x) - s D - max over pmfs q with delta(p, q) <= P of sum_y q(y) phi(y),

    since I(X; Y) >= E[nu(X) - s d(X, Y) - phi(Y)] for every channel; the inner maximum is bounded by its own
    dual, t P + t conjugate(phi / t). In the Lagrangian form one or both slopes are given instead.

    Given distortion and perception, `rate` is differentiable once with respect to `pmf` (along the simplex),
    `distortion_matrix`, `distortion`, `perception` and the order of a power divergence, by the envelope theorem; the
    other fields are constants.

    Args:
      pmf: probabilities of the source, [n]; zeros are allowed. It is normalized, as one of 32-bit numbers needs.
      distortion_matrix: d(x, y) >= 0, [n, n]; +inf forbids a pair.
      distortion: largest allowed mean distortion D; scalar. Give this or `slope`.
      perception: largest allowed divergence P; scalar; 0 is perfect realism, inf drops the constraint. In bits
        for "kl", "reverse_kl", "js" and power divergences. Give this or `perception_slope`.
      divergence: "tv" (half the L1 norm), "kl" (KL(p_Y || p_X), bits), "reverse_kl" (KL(p_X || p_Y), bits), "js"
        (Jensen-Shannon, weights 1/2, bits), "chi2" (sum (p_X - p_Y)^2 / p_Y), "hellinger2" (1 - sum sqrt(p_X p_Y)),
        "w1", "w2sq" (optimal transport at cost |x - y|, |x - y|^2), `alpha_divergence(order)` or "alpha=0.5" (the power
        divergences, bits; the order may be traced), or a `Divergence` of your own.
      slope: bits per unit of distortion, >= 0; scalar.
      perception_slope: bits per unit of perception, >= 0; scalar.
      points: positions of the letters for "w1" and "w2sq", [n]; default 0, 1, ..., n - 1.
      transport_cost: replaces the cost of "w1" or "w2sq", [n, n], zero on the diagonal.
      tolerance: certified gap to reach, bits.
      max_iterations: bound on Newton steps.

    Returns:
      A `RateDistortionPerception`. Inside a trace, arguments that would be refused give NaN.

    Raises:
      ValueError: if an argument has the wrong shape or values, or no channel meets both constraints.

    Reference: [blau2019rethinking] Y. Blau, T. Michaeli, "Rethinking lossy compression: the
      rate-distortion-perception tradeoff", ICML 2019, arXiv:1901.07821. Wasserstein perception is W2 squared here.
    """
    pmf, distortion_matrix = check_square_source(pmf, distortion_matrix)
    if (slope is None) == (distortion is None):
        raise ValueError("slope and distortion: give exactly one of them")
    if perception is not None and perception_slope is None:
        name, level = "perception", perception
    elif perception_slope is not None and perception is None:
        name, level = "perception_slope", perception_slope
    else:
        raise ValueError("perception_slope and perception: give exactly one of them")
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    if distortion is not None:
        classical.check_distortion(pmf, distortion_matrix, distortion)
    elif slope is not None:
        check_domain("slope", slope, minimum=0.0, finite=True)
    divergence, transport, on_line = checked_divergence(pmf.shape[0], divergence, points, transport_cost)
    check_domain(name, level, minimum=0.0)
    options = Options(divergence, on_line, slope is not None, perception_slope is not None, max_iterations)
    asked, limit = (jnp.asarray(x, jnp.float64) for x in (distortion if slope is None else slope, level))
    problem = Problem(pmf, distortion_matrix, asked, limit, transport, jnp.asarray(tolerance, jnp.float64))
    padded, regime = pad(problem, options), regime_of(level, options)
    if all(is_concrete(leaf) for leaf in jax.tree.leaves(problem)):
        result = _without_charges(search.solve(padded, options, regime), options)
        if np.isnan(result.rate) and slope is None and perception_slope is None:
            refuse_if_impossible(padded, options, result)
    else:
        result = _traced(padded, options, regime)
    return unpad(result, pmf.shape[0])


def check_square_source(pmf: ArrayLike, distortion_matrix: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Refuses what is no source, or no distortion between its own letters.

    Args:
      pmf: shape [n].
      distortion_matrix: shape [n, n].

    Returns:
      Both as float64 arrays.

    Raises:
      ValueError: naming the argument, what it got and what it needs.
    """
    pmf, distortion_matrix = classical.check_source(pmf, distortion_matrix)
    n = pmf.shape[0]
    if distortion_matrix.shape != (n, n):
        raise ValueError(f"distortion_matrix must have shape [{n}, {n}], got {distortion_matrix.shape}")
    return pmf, distortion_matrix


def regime_of(level: ArrayLike, options: Options) -> str:
    """Says which solver a perception, or its multiplier, needs.

    Args:
      level: perception, or its slope if `options.fixed_multiplier`; any shape.
      options: the options.

    Returns:
      "perfect", "free" or "constrained" if that is so for all of them, else, or inside a trace, "any".
    """
    if not is_concrete(level):
        return "any"
    values = np.asarray(level, np.float64)
    none, all_ = (np.inf, 0.0) if options.fixed_multiplier else (0.0, np.inf)
    for regime, where in (("perfect", values == none), ("free", values == all_),
                          ("constrained", (values > 0) & (values < np.inf))):
        if where.all():
            return regime
    return "any"


def unpad(result: RateDistortionPerception, n: int) -> RateDistortionPerception:
    """Takes letters that were added out of a result.

    Args:
      result: of the padded problem.
      n: letters that there were.

    Returns:
      The result, its fields of shapes [..., n, n] and [..., n].
    """
    return padding.unpad(result, ("multiplier", "pmf"), ("output_pmf", "critic"), n, n)


def refuse_if_impossible(problem: Problem, options: Options, result: RateDistortionPerception) -> None:
    """Refuses a distortion and a perception that provably no channel meets.

    Args:
      problem: the problem, nothing in it traced.
      options: its options.
      result: without a channel; its dual point may be the proof.

    Raises:
      ValueError: if there is a proof.
    """
    # No channel needs more than the entropy of the source.
    beyond = float(result.rate_lower) > entropy_bits(problem.pmf) * (1 + 1e-6) + 1e-6
    points = itertools.chain([_normalized_point(problem, options, result)], _points_of_large_slopes(problem, options))
    if beyond or feasibility.is_impossible(problem, options, dual_points=points):
        raise ValueError(
            f"distortion and perception: no channel has E[d] <= {float(problem.distortion_or_slope):g} and "
            f"divergence <= {float(problem.perception_or_slope):g}")


def _points_of_large_slopes(problem: Problem, options: Options) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Dual points (nu, s) at slopes whose optimum is within H(X) / s of the least distortion, and their differences.

    Of nu = s f + c + o(1) as s grows, the difference at two slopes has no c.
    """
    if regime_of(problem.perception_or_slope, options) != "constrained":
        return
    scale, before = known_limits_of(problem, options).problem.scale, None
    for slope in _LARGE_SLOPES:
        at = problem._replace(distortion_or_slope=nats_to_bits(slope) / scale)
        point = _normalized_point(problem, options, search.solve(at, options._replace(fixed_slope=True), "constrained"))
        yield point
        if before is not None:
            yield point[0] - before[0], point[1] - before[1]
        before = point


def _normalized_point(problem: Problem, options: Options, result: RateDistortionPerception):
    """The dual point (nu, s) of a result as the solver has it: in nats, of distortions less their rows' minima."""
    normalized = known_limits_of(problem, options).problem
    shift = jnp.where(normalized.offset > 0, result.slope * normalized.offset, 0.0)
    return bits_to_nats(result.multiplier - shift), bits_to_nats(result.slope) * normalized.scale


def _without_charges(result: RateDistortionPerception, options: Options) -> RateDistortionPerception:
    """Rates are no less than 0; at a given slope or multiplier nothing bounds a rate where no channel was found."""
    lower = jnp.maximum(result.rate_lower, 0.0)
    if options.fixed_slope or options.fixed_multiplier:
        lower = jnp.where(jnp.isfinite(result.rate), lower, jnp.nan)
    return result._replace(rate_lower=lower)


def entropy_bits(pmf: ArrayLike) -> float:
    """Computes the entropy of a pmf, outside of a trace.

    Args:
      pmf: [n] probabilities.

    Returns:
      The entropy in bits.
    """
    p = np.asarray(pmf)
    return float(nats_to_bits(-np.sum(p[p > 0] * np.log(p[p > 0]))))


def checked_divergence(
    n: int, divergence: str | Divergence | PowerDivergence, points: ArrayLike | None, transport_cost: ArrayLike | None
) -> tuple[str | Divergence, tuple[jax.Array, ...], bool]:
    """Brings a divergence to the form in which it travels through the solver.

    Args:
      n: number of letters.
      divergence: a name, a power divergence or a `Divergence`.
      points: positions, [n], or None.
      transport_cost: costs, [n, n], or None.

    Returns:
      What `Options.divergence` and `Problem.transport` are, and whether a transport's cost is one of the line.

    Raises:
      ValueError: if the divergence is unknown, or `points` or `transport_cost` does not fit.
    """
    if isinstance(divergence, str):
        divergence = power_divergence.parse(divergence) or divergence
    if isinstance(divergence, PowerDivergence):
        if points is not None or transport_cost is not None:
            raise ValueError("points and transport_cost belong to 'w1' and 'w2sq', got a power divergence")
        return power_divergence.NAME, (jnp.asarray(divergence.order, jnp.float64),), False
    return divergence, *transport_costs(n, divergence, points, transport_cost)


def transport_costs(
    n: int, divergence: str | Divergence, points: ArrayLike | None, transport_cost: ArrayLike | None
) -> tuple[tuple[jax.Array, ...], bool]:
    """Checks what a divergence needs besides the pmf.

    Args:
      n: number of letters.
      divergence: a name or a `Divergence`.
      points: positions, [n], or None.
      transport_cost: costs, [n, n], or None.

    Returns:
      A tuple (cost [n, n], positions [n]) for transport divergences, else empty; and whether the cost is one
      of the line, for which the optimal coupling is known.

    Raises:
      ValueError: if `points` or `transport_cost` does not fit, or the divergence is unknown.
    """
    if not isinstance(divergence, Divergence):
        check_choice("divergence", divergence, divergences.NAMES)
    if divergence not in divergences.TRANSPORT:
        if points is not None or transport_cost is not None:
            raise ValueError(
                f"points and transport_cost belong to 'w1' and 'w2sq', got divergence {divergence!r}"
            )
        return (), False
    if transport_cost is not None:
        if points is not None:
            raise ValueError("points and transport_cost: give at most one of them")
        check_domain("transport_cost", transport_cost, minimum=0.0)
        cost = jnp.asarray(transport_cost, jnp.float64)
        if cost.shape != (n, n):
            raise ValueError(f"transport_cost must have shape [{n}, {n}], got {cost.shape}")
        if is_concrete(cost) and np.diagonal(np.asarray(cost)).any():
            raise ValueError("transport_cost must be zero on the diagonal")
        return (cost, jnp.asarray(np.arange(float(n)))), False
    positions = jnp.asarray(np.arange(float(n)) if points is None else points, jnp.float64)
    check_domain("points", positions, finite=True)
    if positions.shape != (n,):
        raise ValueError(f"points must have shape [{n}], got {positions.shape}")
    known = np.asarray(positions) if is_concrete(positions) else positions
    distance = abs(known[:, None] - known[None])
    return (jnp.asarray(distance if divergence == "w1" else distance**2), positions), True


def differentiable(problem: Problem, options: Options, regime: str) -> RateDistortionPerception:
    """Solves inside a trace.

    Args:
      problem: the problem.
      options: its options.
      regime: of `regime_of`.

    Returns:
      The result; its rate has a gradient if both distortion and perception are given.
    """
    pmf, matrix, distortion, perception = problem[:4]
    if options.fixed_slope or options.fixed_multiplier:
        pmf, matrix, distortion, perception = without_gradient((pmf, matrix, distortion, perception))
    constants = lax.stop_gradient(problem._replace(
        pmf=pmf, distortion_matrix=matrix, distortion_or_slope=distortion, perception_or_slope=perception))
    solve = {
        "perfect": solver.solve_perfect, "free": solver.solve_free, "constrained": solver.solve_constrained_traced,
        "any": solver.solve_traced,
    }[regime]
    result, by_source = solve(constants, options)
    result = _without_charges(result, options)
    if options.fixed_slope or options.fixed_multiplier:
        return result
    joint = (constants.pmf / constants.pmf.sum())[:, None] * result.channel
    rate = with_gradient(
        result.rate,
        (problem.pmf, by_source),
        (problem.distortion_matrix, jnp.where(joint > 0, result.slope * joint, 0.0)),
        (problem.distortion_or_slope, -result.slope),
        (problem.perception_or_slope, -result.perception_slope),
        *_order_and_slope(problem, options, constants.pmf / constants.pmf.sum(), result),
    )
    return result._replace(rate=rate)


def _order_and_slope(problem: Problem, options: Options, pmf: jax.Array, result: RateDistortionPerception):
    """The order of a power divergence, and dR by it: the multiplier of perception times that of the divergence."""
    if options.divergence != power_divergence.NAME:
        return ()
    def value(order):
        return divergences.separable_value(power_divergence.separable(order), pmf, result.output_pmf)

    by_order = nats_to_bits(jax.grad(value)(lax.stop_gradient(problem.transport[0])))
    active = (result.perception_slope > 0) & jnp.isfinite(result.perception_slope)
    return ((problem.transport[0], jnp.where(active, result.perception_slope * by_order, 0.0)),)


_traced = jax.jit(differentiable, static_argnames=("options", "regime"))
