"""Candidates for the optimum: a channel and a dual point, before anything is verified.

Everything here is traced, in nats, normalized distortion and units of `Perception.scale`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.classical import solver as classical
from theory.discrete.common import channels, marginals
from theory.discrete.perception import blocks as perception_blocks
from theory.discrete.perception import interior_point
from theory.discrete.perception.divergences import TRANSPORT
from theory.discrete.perception.duals import Perception, bind_divergence
from theory.discrete.perception.problem import Limits, Options, Problem, limits_of
from theory.numerics.units import bits_to_nats

# Constraints are solved for with this relative margin, so that the channel meets them in spite of rounding.
# By convexity slope * D <= 2 R(D / 2) <= 2 H(X), so the margin costs at most 2 H(X) times itself.
_MARGIN = 2e-11
# Nats between letters that lead to each other and those beyond, exp(-64) of which no sum of doubles sees.
_OUT_OF_SIGHT = 64.0
# Solutions at given slopes on the way to a distortion: residual in nats, Newton steps, slopes that are looked at (of
# normalized distortion), and the ratio of two between which it is found.
_ROUGH, _FEW_STEPS, _SLOPES, _CLOSE = 1e-6, 60, (1e-3, 1e13), 1.02


class Candidate(NamedTuple):
    """A channel and a dual point that may belong together or not.

    Attributes:
      channel: W(y|x), [n, n].
      plan: a coupling of source and output for transport divergences at a general cost, [n, n]; else [0, 0].
      realistic: whether the output is meant to be distributed as the source; scalar bool.
      log_multiplier: nu, [n].
      slope: s; scalar.
      perception_multiplier: t; scalar.
      by_source: derivative of what the divergence adds to the Lagrangian by the source's pmf, up to a constant, [n].
      iterations: Newton steps made; scalar integer.
    """

    channel: jax.Array
    plan: jax.Array
    realistic: jax.Array
    log_multiplier: jax.Array
    slope: jax.Array
    perception_multiplier: jax.Array
    by_source: jax.Array
    iterations: jax.Array


def needs_plan(options: Options) -> bool:
    """Says whether the divergence is measured by a coupling that a candidate brings along.

    Args:
      options: names the divergence.

    Returns:
      True for transport at a general cost, not on the line.
    """
    return options.divergence in TRANSPORT and not options.on_line


def _channel_of(limits: Limits, point: interior_point.Point, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The channel q(y) S(x|y) / p(x) of a point, and the responses h."""
    _, h = interior_point.posteriors(limits.problem, point.log_multiplier, point.slope)
    log_weights = jnp.where(q > 0, jnp.log(jnp.where(q > 0, q, 1.0)) - h, -jnp.inf)
    return channels.tilted_channel(log_weights, limits.problem.distortion, point.slope), h


def constrained(
    problem: Problem, options: Options, slope: jax.Array | None = None, multiplier: jax.Array | None = None
) -> Candidate:
    """Solves with a positive budget of perception, or at its given multiplier.

    Args:
      problem: the problem.
      options: its options.
      slope: first guess of s, if it is not given; normalized, nats. NaN or None: the solver's own.
      multiplier: first guess of t, if it is not given; normalized, nats. NaN or None: the solver's own.

    Returns:
      The interior-point method's answer.
    """
    limits = limits_of(problem, options)
    perception = bind_divergence(limits.problem, options, problem.transport)
    if options.fixed_multiplier:
        budget = jnp.zeros(())
        multiplier = bits_to_nats(problem.perception_or_slope) * perception.scale
    else:
        budget = problem.perception_or_slope / perception.scale
        # Near perfect realism a smooth divergence is quadratic: q - p goes like sqrt(P), t like 1 / sqrt(P).
        usual = jnp.ones(()) if perception.block.linear else jnp.maximum(1.0, 0.3 / jnp.sqrt(budget))
        multiplier = usual if multiplier is None else jnp.where(jnp.isnan(multiplier), usual, multiplier)
    if slope is None or options.fixed_slope:
        slope = limits.slope
    slope = jnp.where(jnp.isnan(slope), limits.slope, slope)
    point, iterations = interior_point.solve(
        limits.problem,
        perception.block,
        slope=slope,
        perception_multiplier=multiplier,
        target=limits.target * (1.0 - _MARGIN),
        perception_budget=budget * (1.0 - _MARGIN),
        fixed_slope=options.fixed_slope,
        fixed_multiplier=options.fixed_multiplier,
        tolerance=0.1 * bits_to_nats(problem.tolerance),
        max_iterations=options.max_iterations,
        gauge=perception.gauge,
    )
    q = perception.block.output_pmf(point.block)
    channel, h = _channel_of(limits, point, q)
    by_source = perception.source_derivative(
        limits.problem.pmf @ channel, point.block, h, point.perception_multiplier)
    plan = point.block.primal if needs_plan(options) else jnp.zeros((0, 0))
    return Candidate(channel, plan, jnp.asarray(False), point.log_multiplier, point.slope,
                     point.perception_multiplier, by_source, iterations)


def fixed_output(
    problem: Problem, options: Options, q: jax.Array | None = None, *, continued: bool = False
) -> Candidate:
    """Solves with a given output pmf; that of the source is perfect realism.

    Args:
      problem: the problem; its perception is not looked at.
      options: its options.
      q: the output pmf, [n]; the source's when None.
      continued: whether the distortion, or a given slope, is approached through solutions at smaller slopes, each of
        which starts at the one before: for large slopes, which Newton's method does not reach from far away.

    Returns:
      The interior-point method's answer, its marginals corrected.
    """
    limits = limits_of(problem, options)
    p = limits.problem.pmf
    realistic = q is None
    depth = jnp.zeros_like(p)
    if q is None:
        q = p
        problem_of_couplings, depth = channels.keep_only_couplings(limits.problem)
        limits = limits._replace(problem=problem_of_couplings)
    slope, nu = limits.slope, None
    if continued:
        slope, nu = _up_to_slope(limits, q) if options.fixed_slope else _nearby_slope(limits, q)
    point, iterations = _newton(limits, q, slope, nu, options.fixed_slope, 0.1 * bits_to_nats(problem.tolerance),
                                options.max_iterations)
    channel, h = _channel_of(limits, point, q)
    # A rank-one correction would use forbidden pairs.
    joint = lax.cond(
        jnp.any(jnp.isinf(limits.problem.distortion) & (p > 0)[:, None] & (q > 0)[None]),
        marginals.match_marginals_on_support, marginals.match_marginals, p[:, None] * channel, p, q)
    # Rounding of a joint pmf is large beside a rare letter's row: its row is made to sum to one by itself.
    rows = joint.sum(-1, keepdims=True)
    channel = jnp.where(rows > 0, joint / jnp.where(rows > 0, rows, 1.0), q[None])
    plan = jnp.diag(p) if needs_plan(options) and realistic else jnp.zeros((0, 0))
    # What this costs in one marginal it gains in the other; the pairs that were left out then add nothing to responses.
    log_multiplier = point.log_multiplier - _OUT_OF_SIGHT * depth
    return Candidate(channel, plan, jnp.asarray(realistic), log_multiplier, point.slope,
                     jnp.zeros(()), _OUT_OF_SIGHT * depth - h, iterations)


def _newton(
    limits: Limits, q: jax.Array, slope: jax.Array, log_multiplier: jax.Array | None, fixed_slope: bool,
    tolerance: jax.Array, max_iterations: int,
) -> tuple[interior_point.Point, jax.Array]:
    """The interior-point method with a given output pmf."""
    return interior_point.solve(
        limits.problem, perception_blocks.fixed_output_block(q), slope=slope, perception_multiplier=jnp.ones(()),
        target=limits.target * (1.0 - _MARGIN), perception_budget=jnp.zeros(()), fixed_slope=fixed_slope,
        fixed_multiplier=True, tolerance=tolerance, max_iterations=max_iterations, gauge=True,
        log_multiplier=log_multiplier)  # fmt: skip


def _at_slope(limits: Limits, q: jax.Array, slope: jax.Array, log_multiplier: jax.Array) -> jax.Array:
    """The multiplier at a given slope, roughly, from that at another one.

    As the slope grows, nu / s converges (to the potentials of optimal transport): from one slope to the next, nu is
    multiplied by their ratio.
    """
    return _newton(limits, q, slope, log_multiplier, True, jnp.asarray(_ROUGH), _FEW_STEPS)[0].log_multiplier


def _up_to_slope(limits: Limits, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The given slope, and a multiplier to start with that was doubled with the slope, solution by solution."""
    def step(state: tuple[jax.Array, jax.Array]):
        slope, nu = state
        after = jnp.minimum(2.0 * slope, limits.slope)
        return after, _at_slope(limits, q, slope, nu) * after / slope

    first = jnp.minimum(2.0, limits.slope)
    return lax.while_loop(lambda state: state[0] < limits.slope, step, (first, jnp.zeros_like(q)))


class _Nearby(NamedTuple):
    """A slope, the multiplier that was found there, and slopes with too much and with little enough distortion."""

    slope: jax.Array
    log_multiplier: jax.Array
    low: jax.Array
    high: jax.Array


def _nearby_slope(limits: Limits, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A slope within 2 % of the one whose distortion is the target, and its multiplier."""
    p, distortion = limits.problem.pmf, interior_point.finite_part(limits.problem.distortion)

    def step(state: _Nearby) -> _Nearby:
        nu = _at_slope(limits, q, state.slope, state.log_multiplier)
        posterior, _ = interior_point.posteriors(limits.problem, nu, state.slope)
        meets = q @ (posterior * distortion).sum(0) <= limits.target
        low = jnp.where(meets, state.low, state.slope)
        high = jnp.where(meets, state.slope, state.high)
        slope = jnp.where(jnp.isinf(high), 2.0 * low, jnp.where(low > 0, jnp.sqrt(low * high), 0.25 * high))
        return _Nearby(slope, nu * slope / state.slope, low, high)

    def apart(state: _Nearby):
        return (state.high > _CLOSE * state.low) & (state.slope > _SLOPES[0]) & (state.slope < _SLOPES[1])

    zero = jnp.zeros(())
    last = lax.while_loop(apart, step, _Nearby(limits.slope, jnp.zeros_like(p), zero, jnp.asarray(jnp.inf)))
    return last.slope, last.log_multiplier


def unconstrained(problem: Problem, options: Options) -> Candidate:
    """The classical optimum, that of P = inf.

    Args:
      problem: the problem; its perception is not looked at.
      options: its options.

    Returns:
      The answer of `theory.discrete.classical`; its multiplier of perception is 0.
    """
    limits = limits_of(problem, options)
    p = limits.problem.pmf
    nats = 0.5 * bits_to_nats(problem.tolerance)
    solve = classical.point_at_slope if options.fixed_slope else classical.point_at_distortion
    at = limits.slope if options.fixed_slope else limits.target
    point = solve(limits.problem, at, nats, "interior_point", options.max_iterations)
    plan = p[:, None] * point.channel if needs_plan(options) else jnp.zeros((0, 0))
    return Candidate(point.channel, plan, jnp.asarray(False), point.log_multiplier, point.slope, jnp.zeros(()),
                     jnp.zeros_like(p), point.iterations)


def mix(candidate: Candidate, share: jax.Array, pmf: jax.Array) -> Candidate:
    """Mixes the identity into a channel, and the trivial coupling into its plan.

    Args:
      candidate: what is mixed into.
      share: weight of the identity, between 0 and 1; scalar.
      pmf: the source, [n].

    Returns:
      The candidate with the mixed channel and plan; its other fields are as they were.
    """
    plan = candidate.plan
    if plan.size:
        plan = (1 - share) * plan + share * jnp.diag(pmf)
    identity = jnp.eye(pmf.shape[0])
    return candidate._replace(channel=(1 - share) * candidate.channel + share * identity, plan=plan)


def independent(pmf: jax.Array, like: Candidate) -> Candidate:
    """Makes the channel that draws from the source's pmf whatever it sees: rate 0, perfect realism.

    Args:
      pmf: the source, [n].
      like: a candidate of the shapes wanted; its dual point is taken over.

    Returns:
      The candidate, `realistic`; its dual point does not belong to it.
    """
    plan = jnp.diag(pmf) if like.plan.size else like.plan
    return like._replace(channel=jnp.broadcast_to(pmf, like.channel.shape), plan=plan, realistic=jnp.asarray(True))


def measured_divergence(perception: Perception, pmf: jax.Array, candidate: Candidate) -> jax.Array:
    """Measures the divergence of a candidate's output from the source.

    Args:
      perception: the divergence, bound to the source.
      pmf: the source, [n].
      candidate: its channel, and its plan if one is needed.

    Returns:
      delta(p, q) in units of the scale; scalar. Of a `realistic` candidate 0, or NaN if its output is not the source's.
    """
    q = pmf @ candidate.channel
    value = perception.value(q, candidate.plan)
    return jnp.where(candidate.realistic, jnp.where(same_pmf(pmf, q), 0.0, jnp.nan), value)


def same_pmf(p: jax.Array, q: jax.Array) -> jax.Array:
    """Says whether two pmfs agree up to the rounding of the sums that they come from.

    Args:
      p: [n].
      q: [n].

    Returns:
      Scalar bool.
    """
    return jnp.abs(p - q).sum() <= 4 * jnp.finfo(jnp.float64).eps * (4 + p.shape[0])
