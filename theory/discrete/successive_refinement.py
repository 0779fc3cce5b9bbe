"""Successive refinement on finite alphabets: the region of two rates, certified, and whether refinement is free.

A first message of R_1 bits makes Y_1 within D_1, a second one of R_2 more makes Y_2 within D_2. (R_1, R_1 + R_2)
suffices if and only if a channel has I(X; Y_1) <= R_1 and I(X; Y_1, Y_2) <= R_1 + R_2.
docs/derivations/successive_refinement.md derives the bound that certifies the answers here.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.discrete.classical.solver import check_source, rate_distortion
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits


class RefinementPoint(NamedTuple):
    """A supporting point of the region of successive refinement, and its certificate.

    Attributes:
      first_rate: I(X; Y_1) of `channel`, bits; scalar.
      total_rate: I(X; Y_1, Y_2), bits; scalar.
      first_distortion: E d_1(X, Y_1); scalar.
      second_distortion: E d_2(X, Y_2); scalar.
      lagrangian: weight first_rate + total_rate + s_1 D_1 + s_2 D_2 of the channel, bits; scalar.
      lagrangian_lower: no channel has less, bits; scalar.
      channel: W(y_1, y_2 | x), [n, m_1, m_2].
      iterations: updates made; scalar integer.
      converged: whether the two values are within the tolerance; scalar bool.
    """

    first_rate: jax.Array
    total_rate: jax.Array
    first_distortion: jax.Array
    second_distortion: jax.Array
    lagrangian: jax.Array
    lagrangian_lower: jax.Array
    channel: jax.Array
    iterations: jax.Array
    converged: jax.Array


class Refinability(NamedTuple):
    """What refining from D_1 to D_2 costs beyond two separate optimal codes.

    Attributes:
      excess_lower: weight R_1 + (R_1 + R_2) is at least weight R(D_1) + R(D_2) + this, bits, for every code; positive:
        refinement is not free. In particular R_1 + R_2 is at least R(D_2) plus this where R_1 = R(D_1).
      excess_upper: the Lagrangian of `point` beyond those of the two optima, bits; near 0: at these slopes refinement
        is free up to this.
      point: the channel found.
    """

    excess_lower: jax.Array
    excess_upper: jax.Array
    point: RefinementPoint


def refinement_point(
    pmf: ArrayLike,
    first_matrix: ArrayLike,
    second_matrix: ArrayLike,
    *,
    slopes: tuple[ArrayLike, ArrayLike],
    weight: ArrayLike = 1.0,
    tolerance: float = 1e-6,
    max_iterations: int = 20_000,
) -> RefinementPoint:
    """Minimizes weight I(X; Y_1) + I(X; Y_1, Y_2) + s_1 E d_1 + s_2 E d_2, a convex problem, from both sides.

    Alternating minimization over the channel and the output distribution Q(y_1, y_2); with b = weight/(1 + weight), q
    the first marginal of Q and Z(x, y_1) = sum_{y_2} Q(y_2|y_1) 2^{-s_2 d_2}, the minimum over channels is
    -(1 + weight) sum_x p log2 A_x(Q), A_x = sum_{y_1} q (2^{-s_1 d_1} Z)^{1 - b}. A_x is concave and homogeneous in Q:
    this value less (1 + weight) log2 max c, c = sum_x p dA_x/dQ / A_x, is a lower bound at every Q.

    Args:
      pmf: probabilities of the source, [n].
      first_matrix: d_1(x, y_1) >= 0, [n, m_1].
      second_matrix: d_2(x, y_2) >= 0, [n, m_2].
      slopes: s_1 and s_2 > 0, bits per unit of distortion; scalars.
      weight: of the first rate, >= 0; scalar.
      tolerance: gap to reach, bits.
      max_iterations: bound on updates.

    Returns:
      A `RefinementPoint`.

    Raises:
      ValueError: if an argument is outside of its domain or shapes do not fit.

    Reference: [rimoldi1994successive, equitz1991successive] Rimoldi, IEEE T-IT 1994 (the region).
    """
    for name, value in (("slopes[0]", slopes[0]), ("slopes[1]", slopes[1])):
        check_domain(name, value, minimum=0.0, open_minimum=True, finite=True)
    check_domain("weight", weight, minimum=0.0, finite=True)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    check_domain("max_iterations", max_iterations, minimum=1)
    pmf, first = check_source(pmf, first_matrix)
    _, second = check_source(pmf, second_matrix)
    return _minimize(pmf / pmf.sum(), first, second, *(jnp.asarray(s, jnp.float64) for s in (*slopes, weight)),
                     jnp.asarray(tolerance, jnp.float64), int(max_iterations))


class _State(NamedTuple):
    """q(y_1), Q(y_2|y_1), and both values in nats."""

    first: jax.Array
    second: jax.Array
    value: jax.Array
    lower: jax.Array
    count: jax.Array


def _tilted(first, second, kernels, share):
    """(2^{-s_1 d_1} Z)^{1 - b}, its sum A over q, and Z, with rows of the kernels scaled to a largest entry of 1."""
    z = kernels[1] @ second.T
    power = (kernels[0] * z) ** (1.0 - share)
    return power, power @ first, z


def _channel(first, second, kernels, share):
    power, total, z = _tilted(first, second, kernels, share)
    fine = kernels[1][:, None, :] * second[None] / jnp.where(z > 0, z, 1.0)[..., None]
    some = (total > 0)[:, None]
    coarse = jnp.where(some, power * first[None] / jnp.where(some, total[:, None], 1.0), first[None])
    fine = jnp.where(z[..., None] > 0, fine, second[None])
    return coarse[..., None] * fine


@partial(jax.jit, static_argnames="max_iterations")
def _minimize(pmf, first_matrix, second_matrix, first_slope, second_slope, weight, tolerance, max_iterations):
    share = weight / (1.0 + weight)
    costs = [bits_to_nats(s) * d for s, d in ((first_slope, first_matrix), (second_slope, second_matrix))]
    least = [cost.min(-1, keepdims=True) for cost in costs]
    kernels = [jnp.exp(-(cost - low)) for cost, low in zip(costs, least)]
    offset = jnp.sum(pmf * (least[0] + least[1])[:, 0])

    def judge(first, second):
        power, total, z = _tilted(first, second, kernels, share)
        value = -(1.0 + weight) * jnp.sum(jnp.where(pmf > 0, pmf * jnp.log(total), 0.0))
        # No word may be left for a letter that never occurs.
        scaled = jnp.where(pmf > 0, pmf / jnp.where(pmf > 0, total, 1.0), 0.0)[:, None]
        rest = jnp.where(z > 0, power / jnp.where(z > 0, z, 1.0), 0.0)
        c = share * jnp.sum(scaled * power, 0)[:, None] + (1.0 - share) * (scaled * rest).T @ kernels[1]
        return value, value - (1.0 + weight) * jnp.log(jnp.maximum(c.max(), 1.0))

    def step(state):
        channel = _channel(state.first, state.second, kernels, share)
        joint = jnp.einsum("x,xyz->yz", pmf, channel)
        first = joint.sum(-1)
        second = jnp.where((first > 0)[:, None], joint / jnp.where(first > 0, first, 1.0)[:, None], state.second)
        value, lower = judge(first / first.sum(), second)
        return _State(first / first.sum(), second, value, jnp.maximum(lower, state.lower), state.count + 1)

    def going(state):
        return (state.value - state.lower > bits_to_nats(tolerance)) & (state.count < max_iterations)

    sizes = first_matrix.shape[1], second_matrix.shape[1]
    # Symmetry of the start would be kept by every update.
    tilt = 1.0 + 0.1 * jnp.cos(1.0 + jnp.arange(sizes[0])[:, None] * 2.0 + jnp.arange(sizes[1])[None] * 3.0)
    first = jnp.full(sizes[0], 1.0 / sizes[0])
    second = tilt / tilt.sum(-1, keepdims=True)
    state = lax.while_loop(going, step, _State(first, second, *judge(first, second), jnp.zeros((), jnp.int32)))
    channel = _channel(state.first, state.second, kernels, share)
    return _report(pmf, channel, (first_matrix, second_matrix), (first_slope, second_slope, weight),
                   nats_to_bits(state.lower + offset), state.count, tolerance)


def _report(pmf, channel, matrices, prices, lower, count, tolerance):
    coarse = channel.sum(-1)

    def information(rows):
        rows = rows.reshape(len(pmf), -1)
        output = pmf @ rows
        used = (rows > 0) & (output[None] > 0)  # what is left of 1e-300 may be 0
        ratio = jnp.where(used, rows, 1.0) / jnp.where(used, output[None], 1.0)
        return nats_to_bits(jnp.sum(pmf[:, None] * rows * jnp.log(ratio)))

    def mean(rows, matrix):
        return jnp.sum(jnp.where(rows > 0, pmf[:, None] * rows * matrix, 0.0))

    rates = information(coarse), information(channel)
    errors = mean(coarse, matrices[0]), mean(channel.sum(1), matrices[1])
    value = prices[2] * rates[0] + rates[1] + prices[0] * errors[0] + prices[1] * errors[1]
    lower = jnp.minimum(lower - 1e-13 * (1.0 + jnp.abs(lower)), value)
    return RefinementPoint(*rates, *errors, value, lower, channel, count, value - lower <= tolerance + 1e-12)


def refinability(
    pmf: ArrayLike,
    first_matrix: ArrayLike,
    second_matrix: ArrayLike,
    *,
    distortions: tuple[float, float],
    weight: float = 4.0,
    tolerance: float = 1e-6,
    max_iterations: int = 20_000,
) -> Refinability:
    """Asks whether refining from D_1 to D_2 takes no more than two separate optimal codes, with a proof if it does.

    At the slopes of R at D_1 (times the weight) and at D_2 the Lagrangian of `refinement_point` is at least the sum of
    the two separate minima, with equality if and only if one channel attains both: the Markov condition of Equitz and
    Cover, X - Y_2 - Y_1. What it exceeds them by is what every code pays.

    Args:
      pmf: probabilities of the source, [n].
      first_matrix: d_1(x, y_1) >= 0, [n, m_1].
      second_matrix: d_2(x, y_2) >= 0, [n, m_2].
      distortions: D_1 and D_2, with positive rates.
      weight: of the first rate, > 0.
      tolerance: gap to reach, bits.
      max_iterations: bound on updates.

    Returns:
      A `Refinability`.

    Raises:
      ValueError: if an argument is outside of its domain, or R(D_1) or R(D_2) is 0 or has an infinite slope.

    Reference: [equitz1991successive] Equitz and Cover, Successive refinement of information, IEEE T-IT 1991.
    """
    check_domain("weight", weight, minimum=0.0, open_minimum=True, finite=True)
    single = [rate_distortion(pmf, matrix, distortion=d)
              for matrix, d in zip((first_matrix, second_matrix), distortions)]
    for number, found in enumerate(single):
        if not 0.0 < float(found.slope) < float("inf"):
            raise ValueError(f"distortions[{number}] must have a rate with a finite slope, got {distortions[number]}")
    slopes = weight * single[0].slope, single[1].slope
    point = refinement_point(pmf, first_matrix, second_matrix, slopes=slopes, weight=weight, tolerance=tolerance,
                             max_iterations=max_iterations)
    priced = slopes[0] * distortions[0] + slopes[1] * distortions[1]
    least = point.lagrangian_lower - priced - weight * single[0].rate - single[1].rate
    most = point.lagrangian - priced - weight * single[0].rate_lower - single[1].rate_lower
    return Refinability(jnp.maximum(least, 0.0), jnp.maximum(most, 0.0), point)
