"""Certified points of the rate-distortion-perception function: candidates, measured and compared.

Nothing of what a solver says about its candidates is believed: marginals, distortion, divergence and rate are those of
the channel, the lower bound is that of the dual point. Everything here is traced; the public function is in
`theory.discrete.perception.rdp`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.common import channels, tilting
from theory.discrete.perception import candidates as making
from theory.discrete.perception.candidates import Candidate
from theory.discrete.perception.duals import (
    Perception,
    best_multiplier,
    bind_divergence,
    lower_bound,
    perfect_lower_bound,
)
from theory.discrete.perception.problem import Limits, Options, Problem, limits_of
from theory.numerics.units import bits_to_nats, nats_to_bits


class RateDistortionPerception(NamedTuple):
    """A point of a rate-distortion-perception function and its certificate.

    With s = `slope`, t = `perception_slope`, nu = `multiplier`, phi = `critic` and the distortion D and
    perception P asked for, `rate_lower` is sum_x p nu - s D - t P - t conjugate(phi / t), where
    phi(y) = log2 sum_x p(x) 2^(nu(x) - s d(x, y)): it can be checked without trusting the solver. It is rounded
    outwards. Terms with a multiplier of 0 are 0, also at D = inf, P = inf and for forbidden pairs; at perfect realism
    the last two terms are replaced by -sum_x p phi.

    Attributes:
      rate: I(X; Y) of `channel`, bits; scalar. NaN if no channel was found that meets both constraints.
      rate_lower: no channel with at most this distortion and perception has a smaller rate, bits; scalar.
      distortion: E[d(X, Y)] of `channel`; at most the distortion asked for; scalar.
      perception: delta(p_X, p_Y) of `channel`; at most the perception asked for; scalar; bits for "kl",
        "reverse_kl" and "js". With `transport_cost`, the cost of an explicit coupling, an upper bound.
      slope: -dR/dD, bits per unit of distortion; scalar.
      perception_slope: -dR/dP, bits per unit of perception; scalar. At perfect realism the one-sided slope: finite
        for "tv", "w1" and "w2sq", else inf; NaN for a divergence of your own.
      channel: W(y|x), [n, n].
      output_pmf: distribution of Y, [n].
      multiplier: nu(x), bits, [n].
      critic: phi(y), bits, [n].
      iterations: Newton steps made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
      pmf: of the source, normalized, [n].
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    slope: jax.Array
    perception_slope: jax.Array
    channel: jax.Array
    output_pmf: jax.Array
    multiplier: jax.Array
    critic: jax.Array
    iterations: jax.Array
    converged: jax.Array
    pmf: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits: how far from the optimum the channel is at most."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether a channel was found, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.rate)

    @property
    def tilted_information(self) -> jax.Array:
        """As of `theory.discrete.RateDistortion`, bits, [n], where perception is free (its slope 0), else NaN.

        What the spread of costs means for blocks under a perception constraint is not known.
        """
        idle = (self.perception_slope == 0)[..., None]
        return jnp.where(idle, tilting.tilted_information(self.pmf, self.multiplier, self.rate), jnp.nan)

    @property
    def dispersion(self) -> jax.Array:
        """Variance of `tilted_information`, bits squared, where perception is free (its slope 0), else NaN."""
        idle = self.perception_slope == 0
        return jnp.where(idle, tilting.dispersion(self.pmf, self.multiplier, self.rate), jnp.nan)


class _Primal(NamedTuple):
    """What was measured of a candidate's channel, normalized."""

    rate: jax.Array
    distortion: jax.Array
    perception: jax.Array
    valid: jax.Array


class _Dual(NamedTuple):
    """What a candidate's dual point proves, and that point."""

    value: jax.Array
    log_multiplier: jax.Array
    slope: jax.Array
    perception_multiplier: jax.Array
    by_source: jax.Array


class _Asked(NamedTuple):
    """The limits that channels must meet, inf where none is asked for, and multipliers that are given, else 0."""

    distortion: jax.Array
    perception: jax.Array
    slope: jax.Array
    multiplier: jax.Array


def certify(
    problem: Problem, options: Options, candidates: Candidate, regime: str, *, search: bool = False
) -> tuple[RateDistortionPerception, jax.Array]:
    """Measures candidates, and keeps the best channel that meets the constraints and the best dual point.

    Args:
      problem: the problem.
      options: its options.
      candidates: k candidates, each field with a leading axis [k].
      regime: "perfect" (P = 0), "free" (P = inf or its multiplier 0) or "constrained".
      search: whether multipliers of perception are searched for where the candidate's own prove less.

    Returns:
      The result, and dR/dp along the simplex up to a constant, bits, [n]. At a given slope or multiplier `rate_lower`
      may be negative: what they charge for the channel is subtracted, and two results are compared with it added.
    """
    limits = limits_of(problem, options)
    perception = bind_divergence(limits.problem, options, problem.transport)
    asked = _asked(problem, options, limits, perception, regime)
    p = limits.problem.pmf
    repaired = jax.vmap(lambda candidate: _repair(candidate, limits, perception, asked))(candidates)
    first = jax.tree.map(lambda leaf: leaf[0], candidates)
    zero_rate = jax.tree.map(lambda leaf: leaf[None], making.independent(p, first))
    primals = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), candidates, repaired, zero_rate)
    measured = jax.vmap(lambda candidate: _measure(candidate, limits, perception, asked))(primals)
    penalized = measured.rate + _penalty(measured, asked)
    which = jnp.argmin(jnp.where(measured.valid, penalized, jnp.inf))
    best = jax.tree.map(lambda leaf: leaf[which], measured)
    channel = primals.channel[which]

    nothing = first._replace(
        log_multiplier=jnp.zeros_like(p), slope=asked.slope, perception_multiplier=asked.multiplier,
        by_source=jnp.zeros_like(p))
    points = jax.tree.map(lambda leaves, leaf: jnp.concatenate([leaves, leaf[None]]), candidates, nothing)
    proved = jax.vmap(lambda point: _prove(point, limits, perception, asked, regime, search))(points)
    which = jnp.argmax(jnp.where(jnp.isnan(proved.value), -jnp.inf, proved.value))
    dual = jax.tree.map(lambda leaf: leaf[which], proved)
    lower = dual.value - _penalty(best, asked)
    if not (options.fixed_slope or options.fixed_multiplier):
        lower = jnp.maximum(lower, 0.0)
    return _report(problem, options, limits, perception, regime, best, channel, dual, lower, candidates.iterations)


def _asked(problem, options, limits, perception, regime) -> _Asked:
    nothing, unlimited = jnp.zeros(()), jnp.asarray(jnp.inf)
    slope = limits.slope if options.fixed_slope else nothing
    multiplier = nothing
    if regime == "perfect":
        budget = nothing
    elif regime == "free":
        budget = unlimited
    elif options.fixed_multiplier:
        budget, multiplier = unlimited, bits_to_nats(problem.perception_or_slope) * perception.scale
    else:
        budget = problem.perception_or_slope / perception.scale
    return _Asked(unlimited if options.fixed_slope else limits.target, budget, slope, multiplier)


def _penalty(measured: _Primal, asked: _Asked) -> jax.Array:
    """What given multipliers charge for distortion and perception; 0 for what is not valid."""
    distortion = jnp.where(asked.slope > 0, asked.slope * measured.distortion, 0.0)
    perception = jnp.where(asked.multiplier > 0, asked.multiplier * measured.perception, 0.0)
    return jnp.where(measured.valid, distortion + perception, 0.0)


def _excess(value, limit):
    """By which share a value must shrink to meet its limit."""
    return jnp.where(value > limit, 1.0 - limit / jnp.where(value > 0, value, 1.0), 0.0)


def _repair(candidate: Candidate, limits: Limits, perception: Perception, asked: _Asked) -> Candidate:
    """Mixes in the identity, which has neither distortion nor divergence if every letter is its own best
    reproduction, where a constraint is missed by more than the margin."""
    p, distortion = limits.problem.pmf, limits.problem.distortion
    achieved = channels.mean_distortion(p, candidate.channel, distortion)
    delta = making.measured_divergence(perception, p, candidate)
    missed = jnp.maximum(_excess(achieved, asked.distortion), _excess(delta, asked.perception))
    # Of marginals that are not those claimed nothing can be kept.
    missed = jnp.where(jnp.isnan(delta) | jnp.isnan(achieved), 1.0, missed)
    own_best = jnp.all(jnp.where(p > 0, jnp.diag(distortion), 0.0) == 0)
    # A little more, because the cost of a coupling is only nearly linear in it; that costs 1e-3 missed H(X).
    share = jnp.where(own_best & (missed > 0), jnp.minimum(missed * (1 + 1e-3) + 1e-13, 1.0), 0.0)
    return making.mix(candidate, share, p)


def _measure(candidate: Candidate, limits: Limits, perception: Perception, asked: _Asked) -> _Primal:
    p, channel = limits.problem.pmf, candidate.channel
    achieved = channels.mean_distortion(p, channel, limits.problem.distortion)
    delta = making.measured_divergence(perception, p, candidate)
    rows = jnp.all((channel >= 0) & (channel <= 1 + 1e-12)) & jnp.all(jnp.abs(channel.sum(-1) - 1.0) <= 1e-12)
    met = (achieved <= asked.distortion) & (delta <= asked.perception * (1 + 4e-16)) & jnp.isfinite(achieved)
    # Where realism is asked for, or its multiplier given, the divergence must be finite; without, it need not be.
    met &= jnp.isfinite(delta) | (jnp.isinf(asked.perception) & (asked.multiplier == 0))
    rate = channels.mutual_information(p, channel)
    return _Primal(rate, achieved, delta, rows & met & jnp.isfinite(rate) & limits.reachable)


def _prove(candidate, limits: Limits, perception: Perception, asked: _Asked, regime: str, search: bool) -> _Dual:
    problem, nu, s, t = limits.problem, candidate.log_multiplier, candidate.slope, candidate.perception_multiplier
    h, _ = channels.finite_responses(problem, nu, s)
    if regime == "perfect":
        value, t = perfect_lower_bound(problem, nu, s, limits.needed), perception.multiplier_at_zero(h)
        # With nothing left to gain by the critic the multiplier is immaterial.
        t = jnp.where(jnp.all((nu == 0) & (s == 0)), 0.0, t)
    elif regime == "free":
        bound = lower_bound(problem, perception, nu, s, jnp.zeros(()), limits.needed, jnp.zeros(()))
        value, t = bound
    else:
        budget = jnp.where(jnp.isinf(asked.perception), 0.0, asked.perception)
        value, t = lower_bound(problem, perception, nu, s, t, limits.needed, budget)
        if search:
            better = best_multiplier(perception, problem.pmf, h, budget)
            other = lower_bound(problem, perception, nu, s, better, limits.needed, budget)
            t = jnp.where(other.value > value, other.multiplier, t)
            value = jnp.fmax(other.value, value)
    return _Dual(value, nu, s, t, candidate.by_source)


def _report(
    problem, options, limits, perception, regime, best, channel, dual, lower, iterations
) -> tuple[RateDistortionPerception, jax.Array]:
    """Undoes the scaling."""
    normalized, p, s = limits.problem, limits.problem.pmf, dual.slope
    # Where only pairs at their row's minimum are left, multipliers of 0 prove something, at an infinite slope.
    nothing_proved = jnp.all(dual.log_multiplier == 0) & (s == 0) & (dual.value <= 0)
    slope = nats_to_bits(jnp.where(limits.lossless & ~nothing_proved, jnp.inf, s) / normalized.scale)
    # nu of the distortion before its row minima were subtracted.
    shift = jnp.where((normalized.offset > 0) & jnp.isfinite(slope), slope * normalized.offset, 0.0)
    multiplier = nats_to_bits(dual.log_multiplier) + shift
    critic = nats_to_bits(channels.log_responses(p, dual.log_multiplier, normalized.distortion, s))
    rate, lower = nats_to_bits(best.rate), nats_to_bits(lower)
    # Undoing the scaling must not round a channel that meets a limit to one that exceeds it.
    distortion = best.distortion * normalized.scale + normalized.mean_offset
    if not options.fixed_slope:
        asked = problem.distortion_or_slope
        distortion = jnp.where((distortion > asked) & ~limits.lossless, asked, distortion)
    delta = best.perception * perception.scale
    if regime == "constrained" and not options.fixed_multiplier:
        delta = jnp.minimum(delta, problem.perception_or_slope)
    allowed = limits.reachable & (problem.perception_or_slope >= 0)
    # Two bounds that cross by more than rounding would say that one of them is wrong.
    consistent = lower <= rate + 1e-12 * (1.0 + rate)
    valid = allowed & best.valid & consistent
    rate = jnp.where(valid, rate, jnp.nan)
    lower = jnp.where(allowed & (consistent | ~best.valid), jnp.where(valid, jnp.minimum(lower, rate), lower), jnp.nan)
    result = RateDistortionPerception(
        rate=rate,
        rate_lower=lower,
        distortion=jnp.where(valid, distortion, jnp.nan),
        perception=jnp.where(valid, delta, jnp.nan),
        slope=slope,
        perception_slope=nats_to_bits(dual.perception_multiplier) / perception.scale,
        channel=channel,
        output_pmf=p @ channel,
        multiplier=multiplier,
        critic=critic,
        iterations=iterations.sum(),
        converged=rate - lower <= problem.tolerance,
        pmf=p,
    )
    # The smallest reachable distortion moves with the pmf.
    moving = limits.lossless & (normalized.offset > 0)
    by_source = multiplier + nats_to_bits(dual.by_source) + jnp.where(moving, jnp.inf, 0.0)
    return result, jnp.where(nothing_proved, 0.0, by_source)


def _alone(candidate: Candidate) -> Candidate:
    return jax.tree.map(lambda leaf: leaf[None], candidate)


def stack(*candidates: Candidate) -> Candidate:
    """Stacks candidates for `certify`.

    Args:
      *candidates: k of them, of the same shapes.

    Returns:
      One candidate, each field with a leading axis [k].
    """
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *candidates)


def solve_perfect(problem: Problem, options: Options) -> tuple[RateDistortionPerception, jax.Array]:
    """Solves at P = 0.

    Args:
      problem: what is asked.
      options: its options.

    Returns:
      As `certify`.
    """
    return certify(problem, options, _alone(making.fixed_output(problem, options)), "perfect")


def solve_free(problem: Problem, options: Options) -> tuple[RateDistortionPerception, jax.Array]:
    """Solves at P = inf, or at a multiplier 0 of perception.

    Args:
      problem: what is asked.
      options: its options.

    Returns:
      As `certify`.
    """
    return certify(problem, options, _alone(making.unconstrained(problem, options)), "free")


def solve_constrained_traced(problem: Problem, options: Options) -> tuple[RateDistortionPerception, jax.Array]:
    """Solves at a positive, finite budget of perception, or at a positive, finite multiplier of it.

    Where the first attempt is not good enough, the optima at P = 0 and at P = inf are candidates, too: below the
    resolution of the arithmetic, and where the constraint is slack or nearly, they are the answer.

    Args:
      problem: what is asked.
      options: its options.

    Returns:
      As `certify`.
    """
    first = making.constrained(problem, options)
    result, by_source = certify(problem, options, _alone(first), "constrained")
    if options.fixed_multiplier:
        return result, by_source

    def more():
        others = making.fixed_output(problem, options), making.unconstrained(problem, options)
        return certify(problem, options, stack(first, *others), "constrained", search=True)

    return lax.cond(result.converged, lambda: (result, by_source), more)


def solve_traced(problem: Problem, options: Options) -> tuple[RateDistortionPerception, jax.Array]:
    """Solves at any perception, by what is known when the program runs; each solver is in the program once.

    Args:
      problem: what is asked.
      options: its options.

    Returns:
      As `certify`.
    """
    level = problem.perception_or_slope
    if options.fixed_multiplier:
        which = jnp.where(level <= 0, 0, jnp.where(jnp.isinf(level), 2, 1))
        solvers = [solve_free, solve_constrained_traced, solve_perfect]
        return lax.switch(which, [partial(solve, problem, options) for solve in solvers])

    def attempt():
        candidate = making.constrained(problem, options)
        return candidate, certify(problem, options, _alone(candidate), "constrained")

    def skip():
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(attempt))

    between = (level > 0) & (level < jnp.inf)
    first, done = lax.cond(between, attempt, skip)

    def others():
        perfect, classical = making.fixed_output(problem, options), making.unconstrained(problem, options)
        return lax.switch(jnp.where(between, 1, jnp.where(level > 0, 2, 0)), [
            lambda: certify(problem, options, _alone(perfect), "perfect"),
            lambda: certify(problem, options, stack(first, perfect, classical), "constrained", search=True),
            lambda: certify(problem, options, _alone(classical), "free"),
        ])

    return lax.cond(between & done[0].converged, lambda: done, others)
