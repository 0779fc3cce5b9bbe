"""Divergences bound to a source, and lower bounds on R(D, P) from dual points.

Every convex divergence enters the certificate through its conjugate alone (the critic), and the solver through a
block of its Newton step. Everything here is traced, in nats and in units of `Perception.scale`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from theory.discrete import channels
from theory.discrete.channels import Problem
from theory.discrete.perception import blocks as perception_blocks
from theory.discrete.perception import divergences
from theory.discrete.perception.divergences import SEPARABLE, TRANSPORT, Divergence
from theory.numerics.units import nats_to_bits


class Options(NamedTuple):
    """What is fixed at compile time.

    Attributes:
      divergence: a name or a `Divergence`.
      on_line: whether the transport cost is convex in the distance of points on the line.
      fixed_slope: whether the slope is given, else the distortion.
      fixed_price: whether the perception slope is given, else the perception.
      max_iterations: bound on Newton steps.
    """

    divergence: str | Divergence
    on_line: bool
    fixed_slope: bool
    fixed_price: bool
    max_iterations: int


class Perception(NamedTuple):
    """A divergence bound to its source, in nats or in units of `scale`.

    Attributes:
      block: its part of a Newton step.
      value: (q, block state) -> delta(p, q) / scale, or an upper bound on it that a coupling attains.
      conjugate: critic -> max over pmfs q of <q, critic> - delta(p, q) / scale, or an upper bound on it.
      source_derivative: (q, block state, h, price) -> price * d delta / d p(x), up to a constant, [n].
      price_at_zero: h -> the finite -dR/dP at P = 0, in nats per unit here, or inf; scalar.
      scale: units of perception per unit here (bits per nat for information); scalar.
      gauge: whether the block leaves the mean of nu undetermined.
    """

    block: perception_blocks.Block
    value: Callable[..., jax.Array]
    conjugate: Callable[..., jax.Array]
    source_derivative: Callable[..., jax.Array]
    price_at_zero: Callable[..., jax.Array]
    scale: jax.Array
    gauge: bool


def bind(p: jax.Array, options: Options, cost: tuple[jax.Array, ...]) -> Perception:
    """Collects what the solver needs of a divergence on the alphabet of `p`."""
    name = options.divergence
    one = jnp.ones(())
    if name == "tv":
        return Perception(
            perception_blocks.total_variation_block(p),
            lambda q, state: divergences.total_variation(p, q),
            lambda critic: divergences.total_variation_conjugate(p, critic),
            lambda q, state, h, price: -(h + state.dual[0]),
            lambda h: h.max() - jnp.where(p > 0, h, jnp.inf).min(),
            one,
            False,
        )
    if name in TRANSPORT:
        costs, points = cost
        scale = jnp.where(jnp.isfinite(costs), costs, 0.0).mean()
        scale = jnp.where(scale > 0, scale, 1.0)
        power = 1 if name == "w1" else 2

        def value(q, state):
            if options.on_line:
                return divergences.line_transport(points, p, q, power) / scale
            return _coupling_cost(state.primal, p, q, costs / scale)

        return Perception(
            perception_blocks.transport_block(p, costs / scale),
            value,
            lambda critic: divergences.transport_conjugate(p, critic, costs / scale),
            lambda q, state, h, price: -state.potential,
            lambda h: _steepest(p, h, costs / scale),
            scale,
            True,
        )
    if isinstance(name, Divergence):
        return Perception(
            perception_blocks.smooth_block(p, name),
            lambda q, state: name.value(p, q),
            lambda critic: name.conjugate(p, critic),
            lambda q, state, h, price: price * jax.grad(name.value)(p, q),
            lambda h: jnp.asarray(jnp.nan),
            one,
            False,
        )
    terms = SEPARABLE[name].terms
    return Perception(
        perception_blocks.separable_block(p, SEPARABLE[name]),
        lambda q, state: divergences.separable_value(name, p, q),
        lambda critic: divergences.separable_conjugate(name, p, critic),
        lambda q, state, h, price: price * jax.grad(lambda x: terms(x, q).sum())(p),
        lambda h: jnp.asarray(jnp.inf),
        nats_to_bits(one) if SEPARABLE[name].information else one,
        False,
    )


def _coupling_cost(plan, p, q, cost):
    """The cost of a coupling of p and q next to a plan whose marginals are nearly those."""
    return channels.mean_distortion(jnp.ones_like(p), channels.match_marginals(plan, p, q), cost)


def _steepest(p, h, cost):
    """The largest gain of response per cost of moving mass away from the source's pmf."""
    moves = (p > 0)[:, None] & (cost > 0)
    gain = jnp.where(moves, h[None] - h[:, None], 0.0) / jnp.where(moves, cost, 1.0)
    return jnp.maximum(gain.max(), 0.0)


def lower_bound(
    problem: Problem,
    perception: Perception,
    log_multiplier: jax.Array,
    slope: jax.Array,
    price: jax.Array,
    target: jax.Array,
    allowance: jax.Array,
) -> jax.Array:
    """What the dual point (nu, s, t) proves about R(D, P), in nats.

    R(D, P) >= sum p nu - s D - t P - t conjugate(h / t), and with t = 0 the classical bound; the larger one.

    Args:
      problem: the normalized problem.
      perception: the divergence.
      log_multiplier: nu, [n].
      slope: s >= 0.
      price: t >= 0.
      target: D, normalized.
      allowance: P / scale.

    Returns:
      The lower bound, nats, scalar.
    """
    h = channels.log_responses(problem.pmf, log_multiplier, problem.distortion, slope)
    # A letter that no source letter may be mapped to has response -inf; any finite stand-in below is a bound.
    h = jnp.where(jnp.isinf(h), -1e3, h)
    mean = jnp.sum(jnp.where(problem.pmf > 0, problem.pmf * log_multiplier, 0.0)) - slope * target
    safe = jnp.where(price > 0, price, 1.0)
    with_critic = mean - safe * (allowance + perception.conjugate(h / safe))
    usable = (price > 0) & jnp.isfinite(allowance) & ~jnp.isnan(with_critic)
    return jnp.maximum(jnp.maximum(jnp.where(usable, with_critic, 0.0), mean - h.max()), 0.0)


def perfect_lower_bound(
    problem: Problem, log_multiplier: jax.Array, slope: jax.Array, target: jax.Array
) -> jax.Array:
    """What (nu, s) proves about R(D, 0): sum_x p (nu - h) - s D, in nats; scalar."""
    h = channels.log_responses(problem.pmf, log_multiplier, problem.distortion, slope)
    margin = jnp.where(problem.pmf > 0, problem.pmf * (log_multiplier - jnp.where(jnp.isinf(h), 0.0, h)), 0.0)
    return jnp.maximum(margin.sum() - slope * target, 0.0)
