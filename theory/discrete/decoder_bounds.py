"""Decoders of a given encoder, measured, and what a dual point proves of all of them."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.perception.duals import Perception, bind_divergence, separable_of
from theory.discrete.perception.problem import Options


class BestDecoder(NamedTuple):
    """The best decoder of an encoder under a constraint on realism, and its certificate.

    With h = `critic`, t = -`perception_slope` > 0 and c(z, y) = E[d(X, y) | z], `distortion_lower` is
    sum_z p(z) min_y (c(z, y) + h(y)) - t P - t conjugate(h / t), up to the units of P; at perfect realism -sum p h
    replaces the last two terms. It is rounded outwards.

    Attributes:
      distortion: E[d(X, Y)] of `decoder`; scalar. NaN if none was found that meets the perception.
      distortion_lower: no decoder of that perception has less; scalar.
      perception: delta(p_X, p_Y) of `decoder`; scalar.
      perception_slope: dD/dP <= 0, units of the distortion per unit of perception; scalar. At perfect realism one s
        with D(P) >= D(0) + s P for all P: -inf where there is none, NaN for a divergence of your own.
      decoder: Q(y|z), [k, n].
      output_pmf: distribution of Y, [n].
      critic: h(y), units of the distortion, [n].
      iterations: Newton steps made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
    """

    distortion: jax.Array
    distortion_lower: jax.Array
    perception: jax.Array
    perception_slope: jax.Array
    decoder: jax.Array
    output_pmf: jax.Array
    critic: jax.Array
    iterations: jax.Array
    converged: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`distortion - distortion_lower`: how far from the optimum the decoder is at most."""
        return self.distortion - self.distortion_lower


class Task(NamedTuple):
    """What is asked, in the units of the caller.

    Attributes:
      pmf: the source, [n].
      encoder: W(z|x), [n, k].
      distortion_matrix: d, [n, n].
      perception: P; scalar, or [...] before the task is split.
      transport: as in `theory.discrete.perception.problem.Problem`.
      tolerance: certified gap to reach, normalized; scalar.
    """

    pmf: jax.Array
    encoder: jax.Array
    distortion_matrix: jax.Array
    perception: jax.Array
    transport: tuple[jax.Array, ...]
    tolerance: jax.Array


class Scaled(NamedTuple):
    """The task as the program sees it.

    Attributes:
      cost: E[d(X, y) | z] less its row minima, of order 1, [k, n].
      rows: pmf of the message, [k].
      offset: mean of the row minima, units of the distortion; scalar.
      scale: units of the distortion per unit of cost; scalar.
      problem: holds the source.
      perception: the divergence, bound to it.
      budget: P in its units; scalar.
      allowed: letters that occur in the source, [n] booleans; others may be used unless
      forbidden: says that the divergence does not let them; scalar bool.
    """

    cost: jax.Array
    rows: jax.Array
    offset: jax.Array
    scale: jax.Array
    problem: NormalizedProblem
    perception: Perception
    budget: jax.Array
    allowed: jax.Array
    forbidden: jax.Array


def scaled_task(task: Task, options: Options) -> Scaled:
    """Brings a task to scale.

    Args:
      task: at one perception.
      options: names the divergence.

    Returns:
      The `Scaled` task.
    """
    p = task.pmf / task.pmf.sum()
    encoder = task.encoder / task.encoder.sum(1, keepdims=True)
    rows = p @ encoder
    joint = p[:, None] * encoder
    cost = (joint.T @ task.distortion_matrix) / jnp.where(rows > 0, rows, 1.0)[:, None]
    offset = jnp.where(rows > 0, cost.min(1), 0.0)
    excess = jnp.where((rows > 0)[:, None], cost - offset[:, None], 0.0)
    scale = rows @ (excess @ p)
    scale = jnp.where(scale > 0, scale, 1.0)
    # Every output letter may be used, as far as the distortion is concerned.
    zeros = jnp.zeros_like(p)
    problem = NormalizedProblem(p, jnp.zeros((p.size, p.size)), zeros, jnp.zeros(()), jnp.ones(()))
    perception = bind_divergence(problem, options, task.transport)
    separable = separable_of(options, task.transport)
    forbids = jnp.asarray(False if separable is None else separable.forbids_new_letters)
    return Scaled(excess / scale, rows, rows @ offset, scale, problem, perception, task.perception / perception.scale,
                   p > 0, forbids)


def measured(scaled: Scaled, decoder: jax.Array, plan: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Measures a decoder.

    Args:
      scaled: the task.
      decoder: Q(y|z), [k, n].
      plan: of a transport, else empty.

    Returns:
      Normalized distortion and divergence.
    """
    q = scaled.rows @ decoder
    return (scaled.rows[:, None] * decoder * scaled.cost).sum(), scaled.perception.value(q, plan)


def report(
    task: Task, scaled: Scaled, decoder: jax.Array, plan: jax.Array, realistic: bool, critic: jax.Array, t: jax.Array,
    lower: jax.Array, iterations: jax.Array,
) -> BestDecoder:
    """Measures the decoder, rounds the lower bound outwards and undoes the scaling.

    Args:
      task: in the units of the caller.
      scaled: the same, scaled.
      decoder: Q(y|z), [k, n].
      plan: of a transport, else empty.
      realistic: whether the output should be the source's distribution.
      critic: h, units of the cost, [n].
      t: multiplier of perception, units of the cost; scalar.
      lower: what h and t prove; scalar.
      iterations: steps made.

    Returns:
      The result, NaN the distortion of a decoder that misses the perception.
    """
    distortion, delta = measured(scaled, decoder, plan)
    if realistic:
        near = jnp.abs(scaled.rows @ decoder - scaled.problem.pmf).sum() <= 1e-14 * (4 + scaled.problem.pmf.size)
        delta = jnp.where(near, 0.0, jnp.nan)
    rows_met = jnp.all(decoder >= 0) & jnp.all(jnp.abs(decoder.sum(1) - 1.0) <= 1e-12)
    valid = rows_met & (delta <= scaled.budget * (1 + 4e-16)) & jnp.isfinite(distortion)
    size = jnp.abs(critic).max() + scaled.offset / scaled.scale + t * scaled.budget
    lower = lower - 16 * jnp.finfo(jnp.float64).eps * (1.0 + size)
    lower = jnp.maximum(jnp.where(jnp.isnan(lower), -jnp.inf, lower), 0.0)  # costs are >= 0
    consistent = ~valid | (lower <= distortion + 1e-12)
    upper = jnp.where(valid & consistent, distortion, jnp.nan)
    lower = jnp.where(consistent, jnp.fmin(lower, upper), jnp.nan)
    unscaled = [scaled.offset + scaled.scale * value for value in (upper, lower)]
    delta = jnp.minimum(delta * scaled.perception.scale, task.perception)
    return BestDecoder(
        distortion=unscaled[0], distortion_lower=unscaled[1], perception=jnp.where(valid, delta, jnp.nan),
        perception_slope=-t * scaled.scale / scaled.perception.scale, decoder=decoder, output_pmf=scaled.rows @ decoder,
        critic=critic * scaled.scale, iterations=iterations, converged=upper - lower <= task.tolerance)


def proved(scaled: Scaled, h: jax.Array, t: jax.Array) -> jax.Array:
    """Computes the lower bound by a critic and a multiplier.

    Args:
      scaled: the task.
      h: critic, units of the cost, [n].
      t: multiplier, > 0; scalar.

    Returns:
      The bound, normalized; scalar.
    """
    p = scaled.problem.pmf
    usable = scaled.allowed | ~scaled.forbidden
    least = jnp.where(usable[None], scaled.cost + h[None], jnp.inf).min(1)
    mean = p @ h
    conjugate = scaled.perception.conjugate((h - mean) / t)
    return scaled.rows @ least - mean - t * (scaled.budget + conjugate)


class Mixable(NamedTuple):
    """A decoder that may miss the perception a little.

    Attributes:
      decoder: Q(y|z), [k, n].
      plan: of a transport, else empty.
      trivial: the plan of perfect realism.
      share: how much of a decoder of perfect realism is mixed in; scalar.
    """

    decoder: jax.Array
    plan: jax.Array
    trivial: jax.Array
    share: jax.Array


def mixable(scaled: Scaled, decoder: jax.Array, plan: jax.Array, trivial: jax.Array) -> Mixable:
    """Finds how much of a draw from the source brings a decoder within the perception, which is convex in that.

    Args:
      scaled: the task.
      decoder: Q(y|z), [k, n].
      plan: of a transport, else empty.
      trivial: that of perfect realism.

    Returns:
      The decoder and the share.
    """
    sound = jnp.all(jnp.isfinite(decoder)) & jnp.all(jnp.isfinite(plan))
    decoder, plan = (jnp.where(sound, x, 0.0) for x in (decoder, plan))
    p = scaled.problem.pmf

    def missed(share):
        return ~(measured(scaled, *mixed(Mixable(decoder, plan, trivial, share), p[None]))[1] <= scaled.budget)

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        far = missed(middle)
        return jnp.where(far, middle, ends[0]), jnp.where(far, ends[1], middle)

    _, share = lax.fori_loop(0, 50, halve, (jnp.zeros(()), jnp.ones(())))
    # A little more, because what is reported is measured again, with rounding.
    share = jnp.where(missed(jnp.zeros(())), jnp.minimum(jnp.minimum(share * 1.001, share + 1e-9) + 1e-11, 1.0), 0.0)
    share = jnp.where(sound, share, 1.0)
    return Mixable(decoder, plan, trivial, share)


def mixed(found: Mixable, realistic: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mixes a decoder of perfect realism in.

    Args:
      found: what it is mixed into.
      realistic: that decoder, [k, n] or [1, n].

    Returns:
      The mixture, [k, n], and its plan.
    """
    decoder = (1 - found.share) * found.decoder + found.share * realistic
    return decoder, (1 - found.share) * found.plan + found.share * found.trivial
