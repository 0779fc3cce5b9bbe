"""The rate problem with side information as it travels through the solver."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from theory.discrete.common import channels
from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.perception import divergences, duals, power_divergence
from theory.discrete.perception.blocks import fixed_output_block
from theory.discrete.perception.divergences import TRANSPORT, Divergence
from theory.discrete.perception.problem import Options as PerceptionOptions

_SMALL = 1e-300


class Options(NamedTuple):
    """What is fixed at compile time.

    Attributes:
      divergence: a name, that of power divergences included, or a `Divergence`; not used without realism.
      regime: "free" (no realism asked for), "perfect" (P = 0) or "constrained".
      classes: how many groups, one after the other, the output letters come in, of which transport leaves none.
      max_iterations: bound on Newton steps.
    """

    divergence: str | Divergence
    regime: str
    classes: int
    max_iterations: int


class Problem(NamedTuple):
    """Minimize I(X; T | Y) over W(t|x), in the units of the caller.

    Attributes:
      joint: p(x, y), [n, k].
      cost: c(x, t) >= 0, mean distortion of symbol t given x, [n, m]; +inf forbids a pair.
      outputs: distribution of the output letter given x and t, [n, m, j]; j = 0 without realism.
      target: distribution that the output is compared with, [j].
      distortion: largest mean cost; scalar.
      perception: largest divergence; scalar; not used unless `Options.regime` is "constrained".
      points: positions of the letters of one group, for transport; the order of a power divergence, [1]; else empty.
      tolerance: certified gap to reach, bits; scalar.
    """

    joint: jax.Array
    cost: jax.Array
    outputs: jax.Array
    target: jax.Array
    distortion: jax.Array
    perception: jax.Array
    points: jax.Array
    tolerance: jax.Array


class Source(NamedTuple):
    """A joint pmf, taken apart.

    Attributes:
      joint: p(x, y), [n, k], sums to one.
      letters: p(x), [n].
      side: p(y), [k].
      given_letter: p(y|x), [n, k]; 0 for letters that do not occur.
      given_side: p(x|y), [n, k]; 0 for side information that does not occur.
    """

    joint: jax.Array
    letters: jax.Array
    side: jax.Array
    given_letter: jax.Array
    given_side: jax.Array


class Limits(NamedTuple):
    """The problem in the solver's units: nats, normalized distortion, units of perception.

    Attributes:
      source: the joint pmf.
      costs: pmf and normalized cost; where only row minima are allowed, all other pairs are forbidden.
      live: pairs that a channel may use, [n, m] booleans.
      target: D, normalized, 1 in place of the smallest reachable one; scalar.
      lossless: whether D is the smallest reachable one; scalar bool.
      reachable: whether any channel reaches D; scalar bool.
    """

    source: Source
    costs: NormalizedProblem
    live: jax.Array
    target: jax.Array
    lossless: jax.Array
    reachable: jax.Array


def source_of(joint: jax.Array) -> Source:
    """Takes a joint pmf apart.

    Args:
      joint: p(x, y) up to a factor, [n, k].

    Returns:
      The `Source`.
    """
    joint = joint / joint.sum()
    letters, side = joint.sum(1), joint.sum(0)
    return Source(joint, letters, side, joint / jnp.maximum(letters, _SMALL)[:, None],
                  joint / jnp.maximum(side, _SMALL)[None])


def limits_of(problem: Problem, options: Options) -> Limits:
    """Brings a problem to the scale that the solver works on.

    Args:
      problem: in the units of the caller.
      options: its options; pairs whose output realism rules out are forbidden.

    Returns:
      The limits.
    """
    source = source_of(problem.joint)
    named = divergences.SEPARABLE.get(options.divergence) if isinstance(options.divergence, str) else None
    if options.divergence == power_divergence.NAME:
        named = power_divergence.separable(problem.points[0])
    cost = problem.cost
    if options.regime != "free":
        barred = jnp.any((problem.outputs > 0) & (problem.target == 0)[None, None], 2)
        forbids = options.regime == "perfect" or (named is not None and named.forbids_new_letters)
        cost = jnp.where(barred & forbids, jnp.inf, cost)
    costs = channels.normalize(source.letters, cost)
    target, lossless, reachable = channels.normalized_target(costs, problem.distortion)
    costs = channels.keep_only_minima(costs, lossless)
    # No channel exceeds the largest cost: beyond it the constraint is void.
    target = jnp.minimum(target, 2.0 * channels.finite_part(costs.distortion).max() + 1.0)
    live = (source.letters > 0)[:, None] & jnp.isfinite(costs.distortion)
    return Limits(source, costs, live, target, lossless, reachable)


def bind(problem: Problem, limits: Limits, options: Options) -> duals.Perception:
    """Collects what the solver needs of realism: that of the output's distribution against the target.

    Args:
      problem: the problem, with realism.
      limits: of the problem.
      options: names the divergence.

    Returns:
      The divergence, bound to the target.
    """
    target = problem.target
    reached = jnp.any(limits.live[:, :, None] & (problem.outputs > 0), (0, 1))
    letters = target.shape[0]
    within = jnp.where(jnp.broadcast_to(reached[None], (letters, letters)), 0.0, jnp.inf)
    alphabet = NormalizedProblem(target, within, jnp.zeros(letters), jnp.zeros(()), jnp.ones(()))
    named = PerceptionOptions(options.divergence, True, False, False, options.max_iterations)
    if options.divergence not in TRANSPORT:
        parameters = (problem.points[0],) if options.divergence == power_divergence.NAME else ()
        perception = duals.bind_divergence(alphabet, named, parameters)
    else:
        size = letters // options.classes
        power = 1 if options.divergence == "w1" else 2
        distance = jnp.abs(problem.points[:, None] - problem.points[None]) ** power
        cost = jnp.full((letters, letters), jnp.inf)
        for group in range(options.classes):
            own = slice(group * size, (group + 1) * size)
            cost = cost.at[own, own].set(distance)
        perception = duals.bind_divergence(alphabet, named, (cost, jnp.arange(float(letters))))

        def value(q, plan):
            groups = (x.reshape(options.classes, size) for x in (target, q))
            moved = jax.vmap(lambda p, q: divergences.line_transport(problem.points, p, q, power))(*groups)
            return moved.sum() / perception.scale

        perception = perception._replace(value=value)
    if options.regime == "perfect":
        perception = perception._replace(block=fixed_output_block(target))
    return perception
