"""Blahut-Arimoto and its variant at a given distortion: the classical methods, for comparison.

Both are expectation maximization for the mixture weights q of the model p(x) ~ (K q)(x): simple and
monotone, but their certificate closes like 1/iterations.
"""

import jax
import jax.numpy as jnp
from jax import lax

from theory.discrete.classical.interior_point import Iterate
from theory.discrete.common.channels import (
    NormalizedProblem,
    kernel,
    mean_distortion,
    slope_meeting_distortion,
    tilted_channel,
)


def blahut_arimoto(
    problem: NormalizedProblem, *, slope: jax.Array, tolerance: jax.Array, max_iterations: int
) -> Iterate:
    """At a given slope: q <- q c with c = K'(p / Kq), until ln max c <= tolerance.

    Args:
      problem: the normalized problem.
      slope: nats per unit of normalized distortion; scalar.
      tolerance: gap to stop at, nats.
      max_iterations: bound on the number of updates.

    Returns:
      The last `Iterate`; its gap ln max c is a proved bound on F(q) - min F.

    Reference: [blahut1972computation] R. Blahut, "Computation of channel capacity and rate-distortion functions",
      IEEE T-IT 18(4), 1972.
    """
    k = kernel(problem.distortion, slope)
    m = k.shape[1]

    def responses(q):
        return (problem.pmf / (k @ q)) @ k

    def step(state):
        q, c, _, iteration = state
        q = q * c
        q = q / q.sum()
        c = responses(q)
        return q, c, jnp.log(c.max()), iteration + 1

    def unfinished(state):
        return (state[2] > tolerance) & (state[3] < max_iterations)

    q = jnp.full(m, 1.0 / m)
    c = responses(q)
    q, _, gap, iterations = lax.while_loop(unfinished, step, (q, c, jnp.log(c.max()), jnp.asarray(0)))
    return Iterate(q, jnp.asarray(slope), gap, iterations)


def constrained_blahut_arimoto(
    problem: NormalizedProblem, *, slope: jax.Array, target: jax.Array, tolerance: jax.Array, max_iterations: int
) -> Iterate:
    """At a given distortion: before each update, Newton's method finds the slope that meets it.

    Args:
      problem: the normalized problem.
      slope: first guess of the slope, nats per unit of normalized distortion, > 0; scalar.
      target: the distortion, normalized, > 0.
      tolerance: gap to stop at, nats.
      max_iterations: bound on the number of updates of q.

    Returns:
      The last `Iterate`; its gap is that of the bounds KL(W || p q) and `channels.rate_lower_bound`.

    Reference: [cover2006elements] L. Chen, S. Wu, W. Ye, H. Wu, W. Zhang, H. Wu, B. Bai, "A constrained BA algorithm
    for rate-distortion and distortion-rate functions", arXiv:2305.02650.
    """
    m = problem.distortion.shape[1]

    def meet(q, guess):
        # A source whose constraint is slack has slope 0: start the next search from a positive guess.
        s = slope_meeting_distortion(problem, jnp.log(q), target, jnp.maximum(guess, 1e-12))
        k = kernel(problem.distortion, s)
        c = (problem.pmf / (k @ q)) @ k
        channel = tilted_channel(jnp.log(q), problem.distortion, s)
        slackness = s * (target - mean_distortion(problem.pmf, channel, problem.distortion))
        return s, channel, jnp.log(c.max()) + slackness

    def step(state):
        q, s, channel, _, iteration = state
        q = problem.pmf @ channel
        s, channel, gap = meet(q, s)
        return q, s, channel, gap, iteration + 1

    def unfinished(state):
        return (state[3] > tolerance) & (state[4] < max_iterations)

    q = jnp.full(m, 1.0 / m)
    s, channel, gap = meet(q, slope)
    state = (q, s, channel, gap, jnp.asarray(0))
    q, s, _, gap, iterations = lax.while_loop(unfinished, step, state)
    return Iterate(q, s, gap, iterations)
