"""Divergences bound to a source, and lower bounds on R(D, P) from dual points.

Every convex divergence enters the certificate through its conjugate alone (the critic), and the solver through a
block of its Newton step. Everything here is traced, in nats and in units of `Perception.scale`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.common import channels, marginals
from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.perception import blocks as perception_blocks
from theory.discrete.perception import divergences, power_divergence
from theory.discrete.perception.divergences import SEPARABLE, TRANSPORT, Divergence, Separable
from theory.discrete.perception.problem import Options, usable_outputs
from theory.numerics.units import nats_to_bits


class Perception(NamedTuple):
    """A divergence bound to its source, in nats or in units of `scale`.

    Attributes:
      block: its part of a Newton step.
      value: (q, plan) -> delta(p, q) / scale, or its upper bound by a plan whose marginals are nearly p and q.
      conjugate: critic -> max over pmfs q of <q, critic> - delta(p, q) / scale, or an upper bound on it.
      source_derivative: (q, block state, h, t) -> t * d delta / d p(x), up to a constant, [n].
      multiplier_at_zero: h -> the finite -dR/dP at P = 0, in nats per unit here, or inf; scalar.
      scale: units of perception per unit here (bits per nat for information); scalar.
      gauge: whether the block leaves the mean of nu undetermined.
    """

    block: perception_blocks.Block
    value: Callable[..., jax.Array]
    conjugate: Callable[..., jax.Array]
    source_derivative: Callable[..., jax.Array]
    multiplier_at_zero: Callable[..., jax.Array]
    scale: jax.Array
    gauge: bool


def bind_divergence(problem: NormalizedProblem, options: Options, transport: tuple[jax.Array, ...]) -> Perception:
    """Collects what the solver needs of a divergence on the alphabet of a source.

    Args:
      problem: the normalized problem.
      options: names the divergence.
      transport: what it needs besides, `Problem.transport`, or empty.

    Returns:
      The divergence bound to the source.

    Raises:
      ValueError: if there is no divergence of the name.
    """
    name, p, one = options.divergence, problem.pmf, jnp.ones(())
    if name in TRANSPORT:
        return _bind_transport(p, options, *transport)
    if name == "tv":
        return Perception(
            perception_blocks.total_variation_block(p, usable_outputs(problem)),
            lambda q, plan: divergences.total_variation(p, q),
            lambda critic: divergences.total_variation_conjugate(p, critic),
            lambda q, state, h, multiplier: -(h + state.dual[0]),
            lambda h: h.max() - jnp.where(p > 0, h, jnp.inf).min(),
            one,
            False,
        )
    if isinstance(name, Divergence):
        return Perception(
            perception_blocks.smooth_block(p, name),
            lambda q, plan: name.value(p, q),
            lambda critic: name.conjugate(p, critic),
            lambda q, state, h, multiplier: multiplier * jax.grad(name.value)(p, q),
            lambda h: jnp.asarray(jnp.nan),
            one,
            False,
        )
    divergence = separable_of(options, transport)
    if divergence is None:
        raise ValueError(f"divergence must be one of {', '.join(map(repr, divergences.NAMES))}, got {name!r}")
    terms = divergence.terms
    return Perception(
        perception_blocks.separable_block(p, divergence, usable_outputs(problem)),
        lambda q, plan: divergences.separable_value(divergence, p, q),
        lambda critic: divergences.separable_conjugate(divergence, p, critic),
        lambda q, state, h, multiplier: multiplier * jax.grad(lambda x: terms(x, q).sum())(p),
        lambda h: jnp.asarray(jnp.inf),
        nats_to_bits(one) if divergence.information else one,
        False,
    )


def separable_of(options: Options, parameters: tuple[jax.Array, ...]) -> Separable | None:
    """Finds the divergence that is a sum over letters.

    Args:
      options: names the divergence.
      parameters: what it needs besides, `Problem.transport`; the order of a power divergence.

    Returns:
      The divergence, or None if it is no such sum.
    """
    if options.divergence == power_divergence.NAME:
        return power_divergence.separable(parameters[0])
    return SEPARABLE.get(options.divergence) if isinstance(options.divergence, str) else None


def _bind_transport(p: jax.Array, options: Options, costs: jax.Array, points: jax.Array) -> Perception:
    letters = jnp.isfinite(costs).any(0).sum()
    scale = jnp.where(jnp.isfinite(costs), costs, 0.0).sum() / letters**2
    scale = jnp.where(scale > 0, scale, 1.0)
    power = 1 if options.divergence == "w1" else 2

    def value(q, plan):
        if options.on_line:
            return divergences.line_transport(points, p, q, power) / scale
        return _coupling_cost(plan, p, q, costs / scale)

    return Perception(
        perception_blocks.transport_block(p, costs / scale),
        value,
        lambda critic: divergences.transport_conjugate(p, critic, costs / scale),
        lambda q, state, h, multiplier: -state.potential,
        lambda h: _steepest(p, h, costs / scale),
        scale,
        True,
    )


def _coupling_cost(plan, p, q, cost):
    """The cost of a coupling of p and q next to a plan whose marginals are nearly those."""
    return channels.mean_distortion(jnp.ones_like(p), marginals.match_marginals(plan, p, q), cost)


def _steepest(p, h, cost):
    """The largest gain of response per cost of moving mass away from the source's pmf."""
    moves = (p > 0)[:, None] & (cost > 0)
    gain = jnp.where(moves, h[None] - h[:, None], 0.0) / jnp.where(moves, cost, 1.0)
    return jnp.maximum(gain.max(), 0.0)


class DualBound(NamedTuple):
    """What a dual point proves.

    Attributes:
      value: the bound, in nats, rounded outwards by an estimate of its own rounding errors; scalar.
      multiplier: the t that gives it: the one that was asked about, or 0; scalar.
    """

    value: jax.Array
    multiplier: jax.Array


def lower_bound(
    problem: NormalizedProblem,
    perception: Perception,
    log_multiplier: jax.Array,
    slope: jax.Array,
    perception_multiplier: jax.Array,
    target: jax.Array,
    perception_budget: jax.Array,
) -> DualBound:
    """What the dual point (nu, s, t) proves about R(D, P), in nats.

    R(D, P) >= sum p nu - s D - t P - t conjugate(h / t), and with t = 0 the classical bound; the larger one. Critics
    are taken less their mean, so that nothing is lost where t is large.

    Args:
      problem: the normalized problem.
      perception: the divergence.
      log_multiplier: nu, [n].
      slope: s >= 0.
      perception_multiplier: t >= 0.
      target: D, normalized.
      perception_budget: P / scale.

    Returns:
      The bound, which may be negative.
    """
    p, t = problem.pmf, perception_multiplier
    h, size = channels.finite_responses(problem, log_multiplier, slope)
    mean = jnp.sum(jnp.where(p > 0, p * log_multiplier, 0.0)) - slope * target
    mean_response = jnp.sum(p * h)
    safe = jnp.where(t > 0, t, 1.0)
    conjugate = perception.conjugate((h - mean_response) / safe)
    with_critic = mean - mean_response - safe * perception_budget - safe * conjugate
    error = channels.rounding_error(problem, log_multiplier, slope, target, size)
    critic_error = 4.0 * jnp.finfo(jnp.float64).eps * safe * (perception_budget + jnp.abs(conjugate))
    with_critic = with_critic - error - critic_error
    usable = (t > 0) & jnp.isfinite(perception_budget) & ~jnp.isnan(with_critic)
    classical = mean - h.max() - error
    critical = usable & (with_critic >= classical)
    return DualBound(jnp.where(critical, with_critic, classical), jnp.where(critical, t, 0.0))


def perfect_lower_bound(
    problem: NormalizedProblem, log_multiplier: jax.Array, slope: jax.Array, target: jax.Array
) -> jax.Array:
    """Computes what (nu, s) proves about R(D, 0): sum_x p (nu - h) - s D.

    Args:
      problem: the normalized problem.
      log_multiplier: nu, nats, [n].
      slope: s >= 0, nats per unit of normalized distortion; scalar.
      target: D, normalized; scalar.

    Returns:
      The bound in nats, rounded outwards, which may be negative; scalar.
    """
    h, size = channels.finite_responses(problem, log_multiplier, slope)
    margin = jnp.where(problem.pmf > 0, problem.pmf * (log_multiplier - h), 0.0)
    return margin.sum() - slope * target - channels.rounding_error(problem, log_multiplier, slope, target, size)


def best_multiplier(perception: Perception, pmf: jax.Array, h: jax.Array, perception_budget: jax.Array) -> jax.Array:
    """The t that makes the most of given responses: it maximizes -t P - t conjugate(h / t), which is concave.

    Args:
      perception: the divergence.
      pmf: the source, [n].
      h: responses, nats, [n].
      perception_budget: P / scale, > 0.

    Returns:
      t, by a golden-section search over 60 powers of e; scalar.
    """
    centered = h - jnp.sum(pmf * h)
    top = jnp.maximum(jnp.abs(jnp.where(pmf > 0, centered, 0.0)).max(), 1e-300)

    def value(log_t):
        t = jnp.exp(log_t)
        return -t * (perception_budget + perception.conjugate(centered / t))

    ratio = 0.6180339887498949

    def shrink(_, bracket):
        low, high = bracket
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        smaller = value(left) >= value(right)
        return jnp.where(smaller, low, left), jnp.where(smaller, right, high)

    low, high = lax.fori_loop(0, 75, shrink, (jnp.log(top) - 20.0, jnp.log(top) + 40.0))
    return jnp.exp(0.5 * (low + high))
