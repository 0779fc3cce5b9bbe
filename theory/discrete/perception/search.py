"""The search for a certified point when values are known: one attempt, and others where it is not good enough.

The first attempt is Newton's method for the budget asked for. Below the resolution of the arithmetic, at the edge of
what is feasible and where a constraint is nearly slack it may fail; then the optimum at P = 0, which meets every
budget, the classical one, tilted outputs near the source's pmf, and other starting points are tried. Each attempt is
measured by itself (`solver.certify`), and the best channel and the best dual point of all are kept.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from theory.discrete.common import channels, marginals
from theory.discrete.common.programs import Programs
from theory.discrete.perception import candidates as making
from theory.discrete.perception import divergences, feasibility, solver
from theory.discrete.perception.candidates import Candidate
from theory.discrete.perception.duals import best_multiplier, bind_divergence, separable_of
from theory.discrete.perception.problem import Options, Problem, limits_of
from theory.discrete.perception.solver import RateDistortionPerception

_TILTS = 4
_LOOSER = (10.0, 100.0)  # tolerances of further attempts, relative
_programs = Programs()


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _perfect(problem: Problem, options: Options) -> Candidate:
    return making.fixed_output(problem, options)


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _perfect_continued(problem: Problem, options: Options) -> Candidate:
    return making.fixed_output(problem, options, continued=True)


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _at_output(problem: Problem, options: Options, q: jax.Array) -> Candidate:
    return making.fixed_output(problem, options, q)


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _classical(problem: Problem, options: Options) -> Candidate:
    return making.unconstrained(problem, options)


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _attempt(problem: Problem, options: Options, slope: jax.Array, multiplier: jax.Array):
    """Newton's method from given starting values (NaN: its own), certified; the candidate, too."""
    candidate = making.constrained(problem, options, slope, multiplier)
    result, _ = solver.certify(problem, options, solver.stack(candidate), "constrained")
    return result, candidate


@_programs.compiled
@partial(jax.jit, static_argnames=("options", "regime"))
def _certified(problem: Problem, options: Options, candidate: Candidate, regime: str) -> RateDistortionPerception:
    search = regime == "constrained" and not options.fixed_multiplier
    return solver.certify(problem, options, solver.stack(candidate), regime, search=search)[0]


class _Tilt(NamedTuple):
    """The multiplier of perception that suits a dual point, and the output pmf that it asks for."""

    multiplier: jax.Array
    output: jax.Array


@_programs.compiled
@partial(jax.jit, static_argnames="options")
def _tilted(problem: Problem, options: Options, candidate: Candidate) -> _Tilt:
    limits = limits_of(problem, options)
    perception = bind_divergence(limits.problem, options, problem.transport)
    p, budget = limits.problem.pmf, problem.perception_or_slope / perception.scale
    h, _ = channels.finite_responses(limits.problem, candidate.log_multiplier, candidate.slope)
    t = best_multiplier(perception, p, h, budget)
    separable = separable_of(options, problem.transport)
    if separable is None:
        return _Tilt(t, p)
    change = divergences.separable_maximizer(separable, p, (h - jnp.sum(p * h)) / t)

    def toward(share):
        return perception.value(p + share * change, candidate.plan)

    # The divergence is quadratic near p, and convex everywhere: the first share is better, the second always enough.
    ratio = (1 - 1e-9) * budget / jnp.maximum(toward(1.0), 1e-300)
    near = jnp.minimum(jnp.sqrt(ratio), 1.0)
    share = jnp.where(toward(near) <= budget, near, jnp.minimum(ratio, 1.0))
    return _Tilt(t, jnp.maximum(p + share * change, 0.0))


def _charged(result: RateDistortionPerception, options: Options) -> float:
    """What a given slope charges for the distortion of a result's channel, bits: the bound of its rate lacks it."""
    if not options.fixed_slope or not np.isfinite(result.rate):
        return 0.0
    return float(result.slope * result.distortion)


def _merge(
    a: RateDistortionPerception, b: RateDistortionPerception, options: Options, tolerance: float
) -> RateDistortionPerception:
    """The better channel and the better dual point of two results; at a given slope by rate plus slope times D."""
    of_a, of_b = _charged(a, options), _charged(b, options)
    upper, charged = (a, of_a) if not np.isfinite(b.rate) or a.rate + of_a <= b.rate + of_b else (b, of_b)
    lower, before = (a, of_a) if np.isnan(b.rate_lower) or a.rate_lower + of_a >= b.rate_lower + of_b else (b, of_b)
    proved = lower.rate_lower
    if lower is not upper and options.fixed_slope:  # of the other channel's distortion, rounded outwards
        proved = proved + before - charged - 8 * np.finfo(float).eps * (before + charged)
    consistent = not np.isfinite(upper.rate) or proved <= upper.rate + 1e-12 * (1.0 + upper.rate + charged)
    bound = jnp.minimum(proved, upper.rate) if np.isfinite(upper.rate) else proved
    bound = bound if consistent else jnp.asarray(jnp.nan)
    return upper._replace(
        rate_lower=bound, slope=lower.slope, perception_slope=lower.perception_slope, multiplier=lower.multiplier,
        critic=lower.critic, iterations=a.iterations + b.iterations, converged=upper.rate - bound <= tolerance)


def solve(problem: Problem, options: Options, regime: str) -> RateDistortionPerception:
    """Solves for known values.

    Args:
      problem: the problem, padded, nothing in it traced.
      options: its options.
      regime: "perfect", "free" or "constrained".

    Returns:
      The result; its rate is NaN where no channel was found that meets both constraints.
    """
    with _programs:
        if regime != "constrained":
            make = _perfect if regime == "perfect" else _classical
            candidate = make(*_shared(problem, options))
            result = _certified(problem, options, candidate, regime)
            if regime == "perfect" and not result.converged:
                candidate = _perfect_continued(*_shared(problem, options))
                again = _certified(problem, options, candidate, regime)
                result = _merge(result, again, options, float(problem.tolerance))
            if regime == "perfect" and not result.converged and not options.fixed_slope:
                result = _join_linear_program(problem, options, candidate, result, regime)
            return result
        unknown = jnp.asarray(jnp.nan)
        result, candidate = _attempt(problem, options, unknown, unknown)
        if result.converged or options.fixed_multiplier:
            return result
        result = _search(problem, options, result, candidate)
        if np.isnan(result.rate) and not options.fixed_slope:
            result = _join_linear_program(problem, options, candidate, result, regime)
        return result


def _join_linear_program(
    problem: Problem, options: Options, candidate: Candidate, result: RateDistortionPerception, regime: str
) -> RateDistortionPerception:
    """Adds the channel of least distortion, which may be the only one there is, where Newton's method ends on its way
    to the boundary."""
    if isinstance(options.divergence, divergences.Divergence):
        return result
    least = feasibility.least_distortion(problem, options)
    if least.channel is None:
        return result
    realistic = regime == "perfect" or options.divergence not in ("tv", *divergences.TRANSPORT)
    pmf = problem.pmf / problem.pmf.sum()
    channel = jnp.asarray(least.channel)
    if realistic:
        joint = marginals.match_marginals_on_support(pmf[:, None] * channel, pmf, pmf)
        rows = joint.sum(-1, keepdims=True)
        channel = jnp.where(rows > 0, joint / jnp.where(rows > 0, rows, 1.0), pmf[None])
    candidate = candidate._replace(channel=channel, realistic=jnp.asarray(realistic))
    return _merge(result, _certified(problem, options, candidate, regime), options, float(problem.tolerance))


def _shared(problem: Problem, options: Options) -> tuple[Problem, Options]:
    """What does not know the divergence is one program for all of them, but for those that need a plan."""
    if making.needs_plan(options):
        return problem, options
    return (problem._replace(transport=(), perception_or_slope=jnp.zeros(())),
            options._replace(divergence="tv", on_line=False, fixed_multiplier=False))


def _search(
    problem: Problem, options: Options, result: RateDistortionPerception, first: Candidate
) -> RateDistortionPerception:
    tolerance, unknown = float(problem.tolerance), jnp.asarray(jnp.nan)
    plain = _shared(problem, options)

    def join(result, candidate):
        return _merge(result, _certified(problem, options, candidate, "constrained"), options, tolerance)

    perfect, classical = _perfect(*plain), _classical(*plain)
    for candidate in (perfect, classical, first):
        result = join(result, candidate)
        if result.converged:
            return result
    # Near its end Newton's method may lose by rounding what it had: where it stops earlier, its point can be better.
    for looser in _LOOSER:
        again, _ = _attempt(problem._replace(tolerance=looser * problem.tolerance), options, unknown, unknown)
        result = _merge(result, again, options, tolerance)
        if result.converged:
            return result
    nearest = _perfect_continued(*plain)
    result = join(result, nearest)
    if result.converged:
        return result
    tilt = _tilted(problem, options, nearest)
    if separable_of(options, problem.transport) is not None:
        for _ in range(_TILTS):
            nearest = _at_output(*plain, tilt.output)
            result = join(result, nearest)
            if result.converged:
                return result
            tilt = _tilted(problem, options, nearest)
    for start in ((nearest.slope, tilt.multiplier), (classical.slope, 0.1 * tilt.multiplier)):
        again, candidate = _attempt(problem, options, *start)
        result = join(_merge(result, again, options, tolerance), candidate)
        if result.converged:
            return result
    return result

