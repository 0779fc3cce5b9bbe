"""The rate-distortion-perception problem as it travels through the solver."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from theory.discrete.common import channels, padding
from theory.discrete.common.channels import NormalizedProblem
from theory.discrete.perception.divergences import Divergence
from theory.numerics.checks import all_concrete
from theory.numerics.units import bits_to_nats


class Options(NamedTuple):
    """What is fixed at compile time.

    Attributes:
      divergence: a name or a `Divergence`; "alpha" for all power divergences, whose order is in the problem.
      on_line: whether the transport cost is convex in the distance of points on the line.
      fixed_slope: whether the slope is given, else the distortion.
      fixed_multiplier: whether the perception slope is given, else the perception.
      max_iterations: bound on Newton steps.
    """

    divergence: str | Divergence
    on_line: bool
    fixed_slope: bool
    fixed_multiplier: bool
    max_iterations: int


class Problem(NamedTuple):
    """What is asked, in the units of the caller.

    Attributes:
      pmf: the source, [n].
      distortion_matrix: d, [n, n].
      distortion_or_slope: D, or -dR/dD in bits if `Options.fixed_slope`; scalar.
      perception_or_slope: P, or -dR/dP in bits if `Options.fixed_multiplier`; scalar.
      transport: what the divergence needs besides: cost [n, n] and positions [n] of a transport, the order of a power
        divergence, else empty.
      tolerance: certified gap to reach, bits; scalar.
    """

    pmf: jax.Array
    distortion_matrix: jax.Array
    distortion_or_slope: jax.Array
    perception_or_slope: jax.Array
    transport: tuple[jax.Array, ...]
    tolerance: jax.Array


class Limits(NamedTuple):
    """The same in the solver's units: nats, normalized distortion, `Perception.scale`.

    Attributes:
      problem: normalized; where only row minima are allowed, all other pairs are forbidden.
      target: D, 1 in place of the smallest reachable one; scalar.
      needed: the D that a lower bound is for: 0 in place of the smallest reachable one, or at a given slope; scalar.
      lossless: whether D is the smallest reachable one; scalar bool.
      reachable: whether any channel reaches D; scalar bool.
      slope: s where it is given, else a first guess; scalar.
    """

    problem: NormalizedProblem
    target: jax.Array
    needed: jax.Array
    lossless: jax.Array
    reachable: jax.Array
    slope: jax.Array


def pad(problem: Problem, options: Options) -> Problem:
    """Pads the alphabet to one of a few sizes, unless the divergence is the caller's own function of it.

    Args:
      problem: with n letters.
      options: names the divergence.

    Returns:
      The problem with N >= n letters; those that were added are the last ones.
    """
    if isinstance(options.divergence, Divergence):
        return problem
    n = problem.pmf.shape[0]
    more = padding.padded_size(n) - n
    pmf, matrix = padding.pad_source(problem.pmf, problem.distortion_matrix)
    transport = problem.transport
    if len(transport) == 2:
        cost, points = transport
        pad = np.pad if all_concrete(cost, points) else jnp.pad
        # Points at the end of the line, where quantiles that rounding leaves over go.
        transport = (jnp.asarray(pad(cost, ((0, more), (0, more)), constant_values=np.inf)),
                     jnp.asarray(pad(points, (0, more), constant_values=points.max())))
    return problem._replace(pmf=pmf, distortion_matrix=matrix, transport=transport)


def limits_of(problem: Problem, options: Options) -> Limits:
    """Brings the source, the distortion and what is asked of it to the scale that the solvers work on.

    Args:
      problem: in the units of the caller.
      options: says whether the slope or the distortion is given.

    Returns:
      The limits, in nats and normalized distortion.
    """
    normalized = channels.normalize(problem.pmf, problem.distortion_matrix)
    asked = problem.distortion_or_slope
    if options.fixed_slope:
        slope = bits_to_nats(asked) * normalized.scale
        return Limits(normalized, jnp.ones(()), jnp.zeros(()), jnp.asarray(False), asked >= 0, slope)
    target, lossless, reachable = channels.normalized_target(normalized, asked)
    normalized = channels.keep_only_minima(normalized, lossless)
    # No channel exceeds the largest distortion: beyond it the constraint is void.
    target = jnp.minimum(target, 2.0 * channels.finite_part(normalized.distortion).max() + 1.0)
    needed = jnp.where(lossless, 0.0, target)
    return Limits(normalized, target, needed, lossless, reachable, 2.0 * jnp.ones(()))


# For where values are looked at: one program in place of one for each operation.
known_limits_of = jax.jit(limits_of, static_argnames="options")


def usable_outputs(problem: NormalizedProblem) -> jax.Array:
    """Finds the output letters that occur in the source or that some letter of it may be mapped to.

    Args:
      problem: the normalized problem.

    Returns:
      [m] booleans.
    """
    occurs = problem.pmf > 0
    return occurs | jnp.any(occurs[:, None] & jnp.isfinite(problem.distortion), 0)
