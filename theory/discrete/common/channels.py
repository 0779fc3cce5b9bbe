"""Test channels on finite alphabets, and the lower bound that a dual point proves about them.

Everything here is in nats; the public functions of `theory.discrete` convert to bits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# A distortion this close to the smallest reachable one, relative to the row minima, is taken as equal to it.
ROUNDING = 8 * jnp.finfo(jnp.float64).eps


class NormalizedProblem(NamedTuple):
    """A source and a distortion, brought to the scale that the solvers work on.

    Subtracting its smallest entry from every row of the distortion changes E[d] by a constant, whatever
    the channel, and keeps exp(-slope d) away from underflow.

    Attributes:
      pmf: the source, [n], sums to one.
      distortion: (d - offset) / scale, [n, m]; every row with positive probability has a zero.
      offset: the subtracted row minima, [n].
      mean_offset: their mean, the smallest distortion that any channel reaches; scalar.
      scale: a typical distortion, > 0; scalar.
    """

    pmf: jax.Array
    distortion: jax.Array
    offset: jax.Array
    mean_offset: jax.Array
    scale: jax.Array


def normalize(pmf: jax.Array, distortion_matrix: jax.Array) -> NormalizedProblem:
    """Subtracts row minima and divides by a typical distortion.

    Args:
      pmf: the source, [n].
      distortion_matrix: d(x, y), [n, m], may hold +inf.

    Returns:
      The `NormalizedProblem`; its entries are NaN if a letter of positive probability has no finite distortion.
    """
    pmf = pmf / pmf.sum()
    distortion_matrix = _let_absent_letters_go_anywhere(pmf, distortion_matrix)
    offset = distortion_matrix.min(-1)
    offset = jnp.where(jnp.isinf(offset), jnp.nan, offset)
    excess = distortion_matrix - offset[:, None]
    largest_finite = jnp.where(jnp.isinf(excess), 0.0, excess).max(-1)
    scale = pmf @ largest_finite
    scale = jnp.where(scale > 0, scale, 1.0)
    mean_offset = pmf @ offset
    return NormalizedProblem(pmf, excess / scale, offset, mean_offset, scale)


def keep_only_minima(problem: NormalizedProblem, lossless: jax.Array) -> NormalizedProblem:
    """Forbids, where `lossless`, all pairs but those at the minimum of their row, for letters that occur.

    Args:
      problem: the normalized problem.
      lossless: scalar bool.

    Returns:
      The problem, +inf the distortion of what is forbidden.
    """
    forbidden = lossless & (problem.distortion > 0) & (problem.pmf > 0)[:, None]
    allowed = jnp.where(forbidden, jnp.inf, problem.distortion)
    return problem._replace(distortion=_let_absent_letters_go_anywhere(problem.pmf, allowed))


def keep_only_couplings(problem: NormalizedProblem) -> tuple[NormalizedProblem, jax.Array]:
    """Forbids pairs that no channel uses whose output is distributed as the source.

    Where every letter may be kept, mass that leaves a letter must come back to it: x may go to y only if allowed pairs
    lead from y to x again. A solver that may use other pairs reaches their probability 0 only in the limit.

    Args:
      problem: the normalized problem, square.

    Returns:
      The problem, and for each letter the number of those that it leads to where a pair was forbidden, else 0, [n]:
      that number falls along such pairs alone. Problems in which a letter that occurs may not be kept stay as they are.
    """
    occurs = problem.pmf > 0
    allowed = jnp.isfinite(problem.distortion) & occurs[:, None] & occurs[None]
    leads = allowed
    for _ in range((problem.pmf.shape[0] - 1).bit_length()):
        leads |= leads.astype(jnp.float64) @ leads.astype(jnp.float64) > 0
    forbidden = allowed & ~leads.T & jnp.all(jnp.diag(allowed) | ~occurs)
    distortion = jnp.where(forbidden, jnp.inf, problem.distortion)
    return problem._replace(distortion=distortion), jnp.where(jnp.any(forbidden), leads.sum(1), 0)


def _let_absent_letters_go_anywhere(pmf: jax.Array, distortion: jax.Array) -> jax.Array:
    """The distortion with rows of zeros for letters that never occur and may go to no output that is used.

    Such a letter would have the output's weights sum to 0. What letters that occur may go to stays as it is.
    """
    used = jnp.any(jnp.isfinite(distortion) & (pmf > 0)[:, None], 0)
    stranded = (pmf == 0) & ~jnp.any(jnp.isfinite(distortion) & used[None], -1)
    return jnp.where(stranded[:, None], 0.0, distortion)


def normalized_target(problem: NormalizedProblem, distortion: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The distortion asked for, on the scale of the problem.

    Args:
      problem: the normalized problem.
      distortion: D, scalar.

    Returns:
      The target (1 in place of 0: no finite slope meets 0, so the caller forbids the pairs above it instead),
      whether it was 0 up to the rounding of the row minima, and whether any channel reaches it.
    """
    target = (distortion - problem.mean_offset) / problem.scale
    rounding = ROUNDING * problem.mean_offset / problem.scale
    lossless = target <= rounding
    return jnp.where(lossless, 1.0, target), lossless, target >= -rounding


def best_constant_channel(problem: NormalizedProblem) -> tuple[jax.Array, jax.Array]:
    """Finds the channel to the single best letter; rate zero needs no more.

    Args:
      problem: the normalized problem.

    Returns:
      The channel, [n, m], and its mean distortion, normalized; scalar.
    """
    occurs = problem.pmf > 0
    means = jnp.where(occurs[:, None], problem.distortion, 0.0)
    means = jnp.sum(problem.pmf[:, None] * means, 0)
    best = jnp.argmin(means)
    return jnp.zeros_like(problem.distortion).at[:, best].set(1.0), means[best]


def finite_part(distortion: jax.Array) -> jax.Array:
    """Replaces infinite distortions by zero, for products with a kernel that vanishes there.

    Args:
      distortion: any shape.

    Returns:
      The same shape, finite where the distortion is no NaN.
    """
    return jnp.where(jnp.isinf(distortion), 0.0, distortion)


def kernel(distortion: jax.Array, slope: jax.Array) -> jax.Array:
    """Computes exp(-slope d), with 0 where d is infinite even if the slope is 0.

    Args:
      distortion: d, [n, m].
      slope: nats per unit of distortion, >= 0; scalar.

    Returns:
      The kernel, [n, m].
    """
    return jnp.where(jnp.isinf(distortion), 0.0, jnp.exp(-slope * finite_part(distortion)))


def tilted_channel(log_weights: jax.Array, distortion: jax.Array, slope: jax.Array) -> jax.Array:
    """The channel W(y|x) proportional to exp(log_weights(y) - slope d(x, y)).

    Args:
      log_weights: logarithms of output weights, [m]; -inf leaves a letter out.
      distortion: [n, m]; +inf forbids a pair.
      slope: nats per unit of distortion, >= 0; scalar.

    Returns:
      The channel, [n, m], rows sum to one.
    """
    logits = jnp.where(jnp.isinf(distortion), -jnp.inf, log_weights[None] - slope * finite_part(distortion))
    largest = logits.max(-1, keepdims=True)
    weights = jnp.exp(logits - jnp.where(jnp.isinf(largest), 0.0, largest))
    total = weights.sum(-1, keepdims=True)
    # A letter that never occurs may have nowhere to go; its row does not matter, as long as it is a pmf on letters
    # that have weight.
    elsewhere = jax.nn.softmax(log_weights)[None]
    return jnp.where(total > 0, weights / jnp.where(total > 0, total, 1.0), elsewhere)


def mean_distortion(pmf: jax.Array, channel: jax.Array, distortion: jax.Array) -> jax.Array:
    """Computes E[d(X, Y)], with pairs of probability zero left out even where d is infinite.

    Args:
      pmf: the source, [n].
      channel: W(y|x), [n, m].
      distortion: d, [n, m].

    Returns:
      The mean, scalar, in units of the distortion.
    """
    joint = pmf[:, None] * channel
    return jnp.sum(jnp.where(joint > 0, joint * jnp.where(joint > 0, distortion, 0.0), 0.0))


def mutual_information(pmf: jax.Array, channel: jax.Array) -> jax.Array:
    """I(X; Y) = E[ln W(Y|X) / W(Y)], in nats.

    Args:
      pmf: the source, [n].
      channel: W(y|x), [n, m].

    Returns:
      The mutual information, scalar, in nats.
    """
    joint = pmf[:, None] * channel
    # Log-ratio of W(y|x) and its own mean: an output letter that only one input uses gives exactly p ln 1/p.
    ratio = jnp.where(joint > 0, channel, 1.0) / jnp.where(joint > 0, (pmf @ channel)[None], 1.0)
    return jnp.maximum(jnp.sum(jnp.where(joint > 0, joint * jnp.log(ratio), 0.0)), 0.0)


def log_responses(
    pmf: jax.Array, log_multiplier: jax.Array, distortion: jax.Array, slope: jax.Array
) -> jax.Array:
    """Computes h(y) = ln sum_x p(x) exp(log_multiplier(x) - slope d(x, y)).

    Args:
      pmf: the source, [n].
      log_multiplier: nu, nats, [n].
      distortion: d, [n, m]; +inf forbids a pair.
      slope: nats per unit of distortion, >= 0; scalar.

    Returns:
      h, [m], in nats; -inf for a letter that no letter of the source may be mapped to.
    """
    log_pmf = jnp.where(pmf > 0, jnp.log(jnp.where(pmf > 0, pmf, 1.0)), -jnp.inf)
    logits = (log_pmf + log_multiplier)[:, None] - slope * finite_part(distortion)
    logits = jnp.where(jnp.isinf(distortion) | (pmf == 0)[:, None], -jnp.inf, logits)
    return jax.nn.logsumexp(logits, axis=0)


def finite_responses(
    problem: NormalizedProblem, log_multiplier: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`log_responses` with a finite stand-in for letters that no channel uses, and the size of what was summed.

    Whatever stands for the response of a letter that no letter of the source may be mapped to, a bound stays one.

    Args:
      problem: the normalized problem.
      log_multiplier: nu, [n].
      slope: nats per unit of normalized distortion, >= 0.

    Returns:
      h, [m], and the largest |nu| + s d that matters to it, scalar.
    """
    occurs = (problem.pmf > 0)[:, None]
    h = log_responses(problem.pmf, log_multiplier, problem.distortion, slope)
    used = jnp.isfinite(h)
    h = jnp.where(used, h, jnp.where(used, h, 0.0).min() - 1e3)
    cost = slope * finite_part(problem.distortion)
    matters = occurs & used[None] & jnp.isfinite(problem.distortion) & (log_multiplier[:, None] - cost >= h[None] - 1.0)
    return h, jnp.where(matters, jnp.abs(log_multiplier)[:, None] + cost, 0.0).max()


def rounding_error(
    problem: NormalizedProblem, log_multiplier: jax.Array, slope: jax.Array, target: jax.Array, size: jax.Array
) -> jax.Array:
    """An estimate, on the large side, of the rounding error of a dual bound.

    Args:
      problem: the normalized problem.
      log_multiplier: nu, [n].
      slope: nats per unit of normalized distortion, >= 0.
      target: the distortion D of the bound, normalized.
      size: of the responses, see `finite_responses`.

    Returns:
      The estimate in nats, scalar.
    """
    nu = jnp.where(problem.pmf > 0, problem.pmf * jnp.abs(log_multiplier), 0.0).sum()
    # The target is a difference, divided by the scale.
    distortion = slope * (target + problem.mean_offset / problem.scale)
    return 4.0 * jnp.finfo(jnp.float64).eps * (nu + distortion + size)


def rate_lower_bound(
    problem: NormalizedProblem, log_multiplier: jax.Array, slope: jax.Array, target: jax.Array
) -> jax.Array:
    """What (log_multiplier, slope) proves: R(D) >= sum p nu - slope D - max_y h(y), and R >= 0.

    For any channel with E[d] <= D, any nu and any slope >= 0, Jensen's inequality gives
    I(X; Y) >= E[nu(X) - slope d(X, Y) - h(Y)] with h of `log_responses`. Nothing but the dual point enters.

    Args:
      problem: the normalized problem.
      log_multiplier: nu, [n].
      slope: nats per unit of normalized distortion, >= 0.
      target: the distortion D of the bound, normalized.

    Returns:
      A lower bound on R(D) in nats, rounded outwards; scalar.
    """
    response, size = finite_responses(problem, log_multiplier, slope)
    mean = jnp.sum(jnp.where(problem.pmf > 0, problem.pmf * log_multiplier, 0.0))
    error = rounding_error(problem, log_multiplier, slope, target, size)
    return jnp.maximum(mean - slope * target - response.max() - error, 0.0)


def slope_meeting_distortion(
    problem: NormalizedProblem,
    log_weights: jax.Array,
    target: jax.Array,
    start: jax.Array,
    *,
    max_iterations: int = 100,
) -> jax.Array:
    """The slope at which the tilted channel has a given mean distortion, from the feasible side.

    Newton's method on the decreasing function slope -> E[d], kept inside a bracket by bisection. The
    returned slope has been evaluated: its channel has E[d] <= target in floating point.

    Args:
      problem: the normalized problem.
      log_weights: output weights of the tilted channel, [m].
      target: the distortion to meet, normalized, > 0.
      start: first guess of the slope, > 0.
      max_iterations: bound on the number of evaluations of the channel.

    Returns:
      The slope, in nats per unit of normalized distortion; scalar.
    """
    distortion = finite_part(problem.distortion)

    def evaluate(slope):
        channel = tilted_channel(log_weights, problem.distortion, slope)
        mean = mean_distortion(problem.pmf, channel, problem.distortion)
        row_mean = jnp.sum(channel * distortion, -1)
        variance = problem.pmf @ jnp.sum(channel * (distortion - row_mean[:, None]) ** 2, -1)
        return mean, variance

    def step(state):
        slope, low, high, _, iteration = state
        mean, variance = evaluate(slope)
        feasible = mean <= target
        low = jnp.where(feasible, low, slope)
        high = jnp.where(feasible, slope, high)
        # Aim a hair below the target, so that rounding does not leave the last guess on the wrong side.
        newton = slope + (mean - target * (1 - 1e-14)) / jnp.maximum(variance, 1e-300)
        middle = jnp.where(jnp.isinf(high), 4.0 * slope, 0.5 * (low + high))
        inside = (newton > low) & (newton < high) & (newton < 8.0 * slope)
        close = feasible & (mean >= target * (1 - 4e-14))
        nothing_between = ~jnp.isinf(high) & ((middle <= low) | (middle >= high))
        return jnp.where(inside, newton, middle), low, high, close | nothing_between, iteration + 1

    def unfinished(state):
        return ~state[3] & (state[4] < max_iterations)

    at_zero, _ = evaluate(jnp.zeros(()))
    start = jnp.asarray(start, jnp.float64)
    state = (start, jnp.zeros(()), jnp.asarray(jnp.inf), jnp.asarray(False), 0)
    _, _, high, _, _ = lax.while_loop(unfinished, step, state)
    return jnp.where(at_zero <= target, 0.0, high)
