"""Certified rates with side information: what the interior-point method finds, measured and proved.

Nothing of what the solver says is believed: rate, distortion and divergence are those of the channel, the lower bound
is computed from the channel's likelihood ratios, the slope and the critic alone.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.common import channels
from theory.discrete.common.gradients import with_gradient
from theory.discrete.common.programs import Programs
from theory.discrete.perception.blocks import fixed_output_block
from theory.discrete.perception.candidates import same_pmf
from theory.discrete.perception.duals import Perception
from theory.discrete.side_information import interior_point
from theory.discrete.side_information.problem import Limits, Options, Problem, bind, limits_of
from theory.numerics.units import bits_to_nats, nats_to_bits

# Constraints are solved for with this relative margin, so that the channel meets them in spite of rounding. By
# convexity slope * D <= 2 R(D / 2), so it costs at most 2 H(X) times itself.
_MARGIN = 5e-11
_EPS = jnp.finfo(jnp.float64).eps
programs = Programs()


class SideInformationRate(NamedTuple):
    """A point of a rate function with side information and its certificate.

    For a channel W(t|x) with T - X - Y the rate is I(X; T | Y). With W_y(t) = sum_x p(x|y) W(t|x), s = `slope`, h =
    `critic` and k(j|x, t) the distribution of the output letter,

        nu(x) = min over t of sum_y p(y|x) log2(B(t|x) / B_y(t)) + s c(x, t) + sum_j k(j|x, t) h(j),

    over the pairs that may be used, with B = `witness`, makes `rate_lower` = sum_x p(x) nu(x) - s D -
    (largest sum_j q(j) h(j) that realism allows), or 0 if that is less: it can be checked from `witness`, `slope`,
    `perception_slope` and `critic`.

    Attributes:
      rate: I(X; T | Y) of `channel`, bits; scalar. NaN if no channel was found that meets the constraints.
      rate_lower: no channel that meets them has a smaller rate, bits, rounded outwards; inf if it is proved that
        there is none; scalar.
      distortion: E[c(X, T)] of `channel`; at most what was asked for; scalar.
      perception: divergence of the output from its target; scalar; NaN where no realism was asked for.
      slope: -dR/dD, bits per unit of distortion; scalar (inf at the smallest reachable distortion).
      perception_slope: -dR/dP, bits per unit of perception; scalar; 0 without realism, inf at P = 0.
      channel: W(t|x), [n, m].
      multiplier: nu(x), bits, [n].
      critic: h(j), bits, [j]; empty without realism.
      iterations: Newton steps made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
      witness: B(t|x) >= 0, whose likelihood ratios prove the lower bound, [n, m]: `channel` unless the solver had to be
        helped; then it need not be normalized.
      tilted_information: j(x, y), bits, [n, k]: the derivative of the rate by the pmf, moved so that its mean is the
        rate; with side information at both ends the conditional d-tilted information nu(x, y) - s D. NaN where realism
        binds: what the spread of costs means for blocks is not known there.
      dispersion: V = Var[log2(W(T|X) / W_Y(T)) + s d(X, T(Y))], bits squared; scalar; NaN where realism binds. Blocks
        of n letters need about R + sqrt(V / n) Q^-1(eps) if their distortion may exceed D with probability eps: proved
        for remote sources and, where V = Var j, for side information at both ends. With the decoder alone informed
        known codes need at least that, and no converse is known (docs/derivations/side_information.md).
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    perception: jax.Array
    slope: jax.Array
    perception_slope: jax.Array
    channel: jax.Array
    multiplier: jax.Array
    critic: jax.Array
    iterations: jax.Array
    converged: jax.Array
    witness: jax.Array
    tilted_information: jax.Array
    dispersion: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits: how far from the optimum the channel is at most."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether a channel was found and verified, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.rate)


class Proof(NamedTuple):
    """What a dual point proves.

    Attributes:
      value: a lower bound on the rate, nats; inf where there is no channel; scalar.
      log_multiplier: its nu, nats, [n].
    """

    value: jax.Array
    log_multiplier: jax.Array


def rate_of(limits: Limits, channel: jax.Array) -> jax.Array:
    """Computes I(X; T | Y) of a channel.

    Args:
      limits: the problem.
      channel: u, [m, n]; for each letter it sums to one.

    Returns:
      The rate in nats; scalar.
    """
    g, _ = interior_point.log_ratios(limits, channel)
    return jnp.maximum(jnp.sum(limits.source.letters[None] * channel * g), 0.0)


def prove(
    problem: Problem, limits: Limits, perception: Perception | None, regime: str, channel, slope, critic, multiplier
) -> Proof:
    """Evaluates what the likelihood ratios of a positive channel, s, h and t prove.

    Args:
      problem: the problem.
      limits: of the problem.
      perception: the divergence, bound; None without realism.
      regime: of the options.
      channel: [m, n], positive where a pair may be used.
      slope: s, nats per unit of normalized cost; scalar.
      critic: h, nats, [j].
      multiplier: t, nats per unit of normalized perception; scalar.

    Returns:
      The proof, rounded outwards.
    """
    p, live, finite = limits.source.letters, limits.live.T, channels.finite_part(limits.costs.distortion).T
    g, by_side = interior_point.log_ratios(limits, channel)
    pull = problem.outputs.swapaxes(0, 1) @ critic
    terms = jnp.where(live, g + slope * finite + pull, jnp.inf)
    # A pair of probability 0 proves nothing.
    terms = jnp.where(live & (channel <= 0), -jnp.inf, terms)
    nu = jnp.where(p > 0, terms.min(0), 0.0)
    logs = jnp.abs(jnp.log(jnp.where(channel > 0, channel, 1.0))).max()
    logs += jnp.abs(jnp.log(jnp.where(by_side > 0, by_side, 1.0))).max()
    needed = jnp.where(limits.lossless, 0.0, limits.target)
    sizes = jnp.sum(p * jnp.abs(nu)) + slope * (needed + limits.costs.mean_offset / limits.costs.scale) + logs
    value = jnp.sum(p * nu) - slope * needed
    realism = jnp.zeros(())
    if perception is not None:
        target = problem.target
        mean = jnp.sum(target * critic)
        sizes += jnp.abs(critic).max()
        realism = mean
        if regime == "constrained":
            t, budget = multiplier, problem.perception / perception.scale
            conjugate = perception.conjugate((critic - mean) / t)
            realism += t * (budget + conjugate)
            sizes += t * (budget + jnp.abs(conjugate))
    # Without the rate the same numbers bound the distortion: sum p min_t (s c + k h) - realism <= s E[c].
    least = jnp.where(p > 0, jnp.where(live, slope * finite + pull, jnp.inf).min(0), 0.0)
    spare = jnp.sum(p * least) - realism - slope * needed
    value = value - realism - 8.0 * _EPS * sizes
    return Proof(jnp.where(spare > 1e-9 * (slope + sizes), jnp.inf, value), nu)


def meet_outputs(problem: Problem, limits: Limits, channel: jax.Array) -> jax.Array:
    """Gives a nearly realistic channel exactly the target as output: Newton's method on u (1 + a(x) + k b), thrice.

    Args:
      problem: the problem, with realism.
      limits: of the problem.
      channel: [m, n].

    Returns:
      The channel, [m, n].
    """
    p, outputs = limits.source.letters, problem.outputs.swapaxes(0, 1)
    n, j = p.shape[0], problem.target.shape[0]
    columns = jnp.concatenate([jnp.broadcast_to(jnp.eye(n), (*channel.shape, n)), outputs], 2)
    wanted = jnp.concatenate([p, problem.target])

    def improve(_, channel):
        joint = p[None] * channel
        got = jnp.einsum("tx,txa->a", joint, columns)
        matrix = jnp.einsum("txa,tx,txb->ab", columns, joint, columns)
        scaling = 1.0 / jnp.sqrt(jnp.where(jnp.diag(matrix) > 0, jnp.diag(matrix), 1.0))
        even = matrix * scaling[:, None] * scaling[None] + 1e-13 * jnp.eye(n + j)
        step = scaling * jnp.linalg.solve(even, scaling * (wanted - got))
        return channel * jnp.maximum(1.0 + columns @ step, 0.0)

    channel = lax.fori_loop(0, 3, improve, channel)
    return channel / jnp.maximum(channel.sum(0), 1e-300)[None]


def _nearest(limits: Limits, channel: jax.Array) -> jax.Array:
    """Mixes in the channel of least cost where rounding left one that misses the distortion."""
    cost = jnp.where(limits.live.T, limits.costs.distortion.T, jnp.inf)
    least = jax.nn.one_hot(jnp.argmin(cost, 0), cost.shape[0], axis=0)
    achieved = jnp.sum(limits.source.letters[None] * channel * channels.finite_part(limits.costs.distortion).T)
    excess = jnp.maximum(achieved - limits.target, 0.0) / jnp.maximum(achieved, 1e-300)
    share = jnp.where(excess > 0, jnp.minimum(excess * (1 + 1e-6) + 1e-15, 1.0), 0.0)
    return (1.0 - share) * channel + share * least


def solve(problem: Problem, options: Options) -> SideInformationRate:
    """Solves inside a trace.

    Args:
      problem: the problem.
      options: its options.

    Returns:
      The result; its rate has first derivatives by all of `problem` but points and tolerance.
    """
    arguments = problem
    problem = lax.stop_gradient(problem)
    limits = limits_of(problem, options)
    p, free = limits.source.letters, options.regime == "free"
    constrained = options.regime == "constrained"
    perception = None if free else bind(problem, limits, options)
    block = fixed_output_block(jnp.zeros(0)) if perception is None else perception.block
    budget = problem.perception / perception.scale if constrained and perception is not None else jnp.ones(())
    reached = jnp.any(limits.live[:, :, None] & (problem.outputs > 0), (0, 1)) | (problem.target > 0)
    # What the best constant symbol reaches needs no rate; the solver is given an easier distortion instead.
    constant, smallest = channels.best_constant_channel(limits.costs)
    idle = (limits.target >= smallest) if free else jnp.asarray(False)
    target = jnp.where(idle, jnp.maximum(0.5 * jnp.where(jnp.isinf(smallest), 1.0, smallest), 1e-3), limits.target)
    point, iterations = interior_point.solve(
        limits, block, problem.outputs, usable=reached, target=target * (1.0 - _MARGIN),
        budget=budget * (1.0 - _MARGIN), constrained=constrained, tolerance=0.1 * bits_to_nats(problem.tolerance),
        max_iterations=options.max_iterations)  # fmt: skip
    channel = point.channel / jnp.maximum(point.channel.sum(0), 1e-300)[None]
    channel = jnp.where(p[None] > 0, channel, 1.0 / channel.shape[0])
    if free:
        channel = _nearest(limits, channel)
    elif not constrained:
        channel = meet_outputs(problem, limits, channel)
    proof = prove(problem, limits, perception, options.regime, channel, point.slope, point.critic,
                  point.perception_multiplier)
    channel = jnp.where(idle, constant.T, channel)
    lower = jnp.where(idle, 0.0, jnp.maximum(proof.value, 0.0))
    point = point._replace(
        channel=channel, slope=jnp.where(idle, 0.0, point.slope),
        multiplier=jnp.where(idle, 0.0, proof.log_multiplier))
    return report(arguments, problem, limits, perception, options, point, lower, iterations, channel)


def report(
    arguments: Problem, problem: Problem, limits: Limits, perception: Perception | None, options: Options,
    point: interior_point.Point, lower: jax.Array, iterations: jax.Array, witness: jax.Array,
) -> SideInformationRate:
    """Measures the channel, undoes the scaling and gives the rate its gradient.

    Args:
      arguments: what is differentiated by.
      problem: the same as constants.
      limits: of the problem.
      perception: the divergence, bound; None without realism.
      options: of the problem.
      point: channel, slope, critic and multipliers.
      lower: what is proved, nats, >= 0; scalar.
      iterations: Newton steps made; scalar integer.
      witness: channel of the proof, [m, n].

    Returns:
      The result, NaN the rate of a channel that misses a constraint.
    """
    p, costs, u = limits.source.letters, limits.costs, point.channel
    achieved = jnp.sum(p[None] * u * channels.finite_part(costs.distortion).T)
    if options.regime == "free":  # the best constant symbol by the sum that found it: another may be off by a rounding
        _, constant = channels.best_constant_channel(costs)
        achieved = jnp.where((point.slope == 0) & (constant <= limits.target), constant, achieved)
    # An idle channel may use what has infinite cost for letters that do not occur, but nothing else.
    forbidden = jnp.any((p[None] > 0) & (u > 0) & jnp.isinf(costs.distortion).T)
    delta, delta_met, scale = jnp.asarray(jnp.nan), jnp.asarray(True), jnp.ones(())
    q = jnp.einsum("x,tx,xtj->j", p, u, problem.outputs)
    if perception is not None:
        scale = perception.scale
        if options.regime == "perfect":
            delta_met = same_pmf(problem.target, q)
            delta = jnp.where(delta_met, 0.0, jnp.nan)
        else:
            delta = perception.value(q, point.block.primal) * scale
            delta_met = delta <= problem.perception * (1 + 4e-16)
            delta = jnp.minimum(delta, problem.perception)
    rows = jnp.all(u >= 0) & jnp.all(jnp.abs(u.sum(0) - 1.0) <= 1e-12)
    allowed = limits.reachable & ((problem.perception > 0) | (options.regime != "constrained"))
    met = rows & delta_met & (achieved <= limits.target) & ~forbidden & jnp.isfinite(achieved)
    rate, lower = nats_to_bits(rate_of(limits, u)), nats_to_bits(lower)
    consistent = lower <= rate + 1e-12 * (1.0 + rate)
    valid = allowed & met & consistent
    lower = jnp.where(allowed & (consistent | ~met), jnp.where(valid, jnp.minimum(lower, rate), lower), jnp.nan)
    # Without letters that realism rules out no channel comes so low.
    barred = ~limits.reachable & (problem.distortion >= 0) & (options.regime != "free")
    lower = jnp.where(barred & ((problem.perception > 0) | (options.regime == "perfect")), jnp.inf, lower)
    rate = jnp.where(valid, rate, jnp.nan)
    distortion = achieved * costs.scale + costs.mean_offset
    distortion = jnp.where((distortion > problem.distortion) & ~limits.lossless, problem.distortion, distortion)
    idle = point.slope == 0
    slope = nats_to_bits(jnp.where(limits.lossless & ~idle, jnp.inf, point.slope) / costs.scale)
    shift = jnp.where((costs.offset > 0) & jnp.isfinite(slope), slope * costs.offset, 0.0)
    by_perception = jnp.asarray(0.0)
    if options.regime != "free":
        t = nats_to_bits(point.perception_multiplier) / scale
        by_perception = t if options.regime == "constrained" else jnp.asarray(jnp.inf)
    result = SideInformationRate(
        rate=rate, rate_lower=lower,
        distortion=jnp.where(valid, distortion, jnp.nan), perception=jnp.where(valid, delta, jnp.nan),
        slope=slope, perception_slope=by_perception, channel=u.T, multiplier=nats_to_bits(point.multiplier) + shift,
        critic=nats_to_bits(point.critic), iterations=iterations, converged=rate - lower <= problem.tolerance,
        witness=witness.T, tilted_information=jnp.zeros_like(problem.joint), dispersion=jnp.zeros(()),
    )  # fmt: skip
    rate, by_joint = _with_gradient(arguments, problem, limits, perception, options, point, result, q)
    joint, by_joint = limits.source.joint, jnp.where(by_perception > 0, jnp.nan, by_joint)
    tilted = by_joint + (lax.stop_gradient(rate) - jnp.sum(joint * by_joint))
    spread = jnp.sum(joint * (tilted - jnp.sum(joint * tilted)) ** 2)
    return result._replace(rate=rate, tilted_information=tilted, dispersion=spread)


def _with_gradient(arguments, problem, limits, perception, options, point, result, q) -> tuple[jax.Array, jax.Array]:
    """The rate with its partial derivatives, by the envelope theorem, and that by the joint pmf where D is fixed."""
    source, u, slope = limits.source, point.channel, result.slope
    by_side = u @ source.given_side
    positive = (u > 0)[:, :, None] & (by_side > 0)[:, None]
    ratio = jnp.where(positive, u[:, :, None], 1.0) / jnp.where(positive, by_side[:, None], 1.0)
    information = jnp.sum(u[:, :, None] * jnp.where(positive, jnp.log(ratio), 0.0), 0)
    spent = jnp.sum(jnp.where(u.T > 0, u.T * channels.finite_part(problem.cost), 0.0), 1)
    finite_slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
    pulled = jnp.einsum("tx,xtj,j->x", u, problem.outputs, result.critic)
    # At the smallest reachable distortion that moves with the pmf, so does the rate: infinitely fast.
    moving = jnp.where(limits.lossless & (limits.costs.mean_offset > 0) & (point.slope > 0), jnp.inf, 0.0)
    costs_of_pairs = nats_to_bits(information) + (finite_slope * spent + pulled)[:, None]
    by_joint = costs_of_pairs + moving
    joint = source.letters[:, None] * u.T
    by_target = jnp.zeros_like(problem.target)
    if options.regime == "perfect":
        by_target = -result.critic
    elif perception is not None:
        nats = perception.source_derivative(q, point.block, point.critic, point.perception_multiplier)
        by_target = nats_to_bits(nats)
    rate = with_gradient(
        result.rate, (arguments.joint, by_joint),
        (arguments.cost, jnp.where(joint > 0, slope * joint, 0.0)),
        (arguments.outputs, joint[:, :, None] * result.critic[None, None]), (arguments.target, by_target),
        (arguments.distortion, -slope), (arguments.perception, -result.perception_slope),
    )  # fmt: skip
    return rate, costs_of_pairs


def joined(upper: SideInformationRate, lower: SideInformationRate, tolerance: jax.Array) -> SideInformationRate:
    """Puts the channel of one result and the proof of another of the same problem together.

    Args:
      upper: whose channel is taken.
      lower: whose dual point is taken.
      tolerance: certified gap asked for, bits.

    Returns:
      The result.
    """
    names = ("slope", "perception_slope", "multiplier", "critic", "witness")
    proved = jnp.where(upper.rate < lower.rate_lower, upper.rate, lower.rate_lower)
    # A bound above a rate by more than its rounding would be a contradiction, and neither is believed then.
    contradiction = lower.rate_lower > upper.rate + 1e-12 * (1.0 + upper.rate)
    rate, proved = (jnp.where(contradiction, jnp.nan, x) for x in (upper.rate, proved))
    return upper._replace(rate=rate, rate_lower=proved, converged=rate - proved <= tolerance,
                          **{name: getattr(lower, name) for name in names})


compiled = programs.compiled(partial(jax.jit, static_argnames="options")(solve))
