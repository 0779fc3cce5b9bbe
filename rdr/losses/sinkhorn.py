"""Entropic optimal transport between sets of samples, and the Sinkhorn divergence."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from rdr.arguments import sample_pair, working_arrays
from rdr.distances import squared_distances

_ESTIMATE_EVERY = 6  # iterations between estimates of the rate
_MAX_FACTOR = 1.95  # of over-relaxation


class SinkhornOutput(NamedTuple):
    """Solution of an entropic transport problem.

    Attributes:
      cost: scalar, the dual value at the last potentials, squared units of the samples; off by at most about
        `marginal_error` times their range from the optimum.
      potential: [samples], dual potential of the samples.
      reference_potential: [other samples], dual potential of the reference.
      marginal_error: scalar, sum of absolute differences between the plan's marginal and the samples' weights.
      iterations: scalar int32, how many iterations were run.
    """

    cost: jax.Array
    potential: jax.Array
    reference_potential: jax.Array
    marginal_error: jax.Array
    iterations: jax.Array


def entropic_transport(
    samples: ArrayLike,
    reference: ArrayLike,
    *,
    epsilon: float,
    weights: ArrayLike | None = None,
    reference_weights: ArrayLike | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 2000,
    exact: bool = True,
) -> SinkhornOutput:
    """Solves entropic optimal transport with squared Euclidean cost.

        OT_e(a, b) = min over couplings P of sum P_ij |x_i - y_j|^2 + e KL(P || a b^T),

    by alternating log-domain updates of the dual potentials, while e falls from the largest cost to its value, and from
    there on over-relaxed: each update goes 1 to 1.95 times as far as it says, by the factor that is best for the rate
    at which the marginal error was seen to fall. That takes a third to a fifth of the iterations.
    The gradient of `cost` with respect to samples, reference, weights and e is that of the optimum (envelope
    theorem), not of the iteration; second derivatives are not those of the optimum.

    Args:
      samples: [samples, dimension], or [samples] for numbers.
      reference: [other samples, dimension], or [other samples].
      epsilon: e > 0, squared units of the samples.
      weights: positive probabilities of the samples, [samples]; default equal.
      reference_weights: positive probabilities of the reference, [other samples]; default equal.
      tolerance: the marginal error at which to stop.
      max_iterations: when to stop in any case.
      exact: whether costs are squares of differences; else they are taken from norms and products, faster in many
        dimensions, with an error that is a rounding error of |x|^2.

    Returns:
      The solution; see `marginal_error` for whether it converged.

    Raises:
      ValueError: if shapes do not fit, `epsilon` is not positive, or weights are not positive or do not sum to 1.

    Reference:
      Cuturi (cuturi2013sinkhorn), Sinkhorn distances, NeurIPS 2013, arXiv 1306.0895; Peyré, Cuturi
      (peyre2019computational), Computational optimal transport, 2019, arXiv 1803.00567, section 4. The entropy is
      relative to the product of the weights, in nats, as in Feydy et al. 2019. Over-relaxation: Thibault, Chizat,
      Dossal, Papadakis (thibault2017overrelaxed), Overrelaxed Sinkhorn-Knopp algorithm for regularized optimal
      transport, 2017, arXiv 1711.01851; its best factor: Lehmann, von Renesse, Sambale, Uschmajew
      (lehmann2020overrelaxation), A note on overrelaxation in the Sinkhorn algorithm, 2020, arXiv 2012.12562.
    """
    x, y = sample_pair(samples, reference)
    log_a = _log_weights("weights", weights, x)
    log_b = _log_weights("reference_weights", reference_weights, y)
    if not isinstance(epsilon, jax.core.Tracer) and not epsilon > 0:
        raise ValueError(f"epsilon must be > 0, got {epsilon}")
    temperature = jnp.asarray(epsilon, x.dtype)

    fixed, costs = jax.lax.stop_gradient, partial(squared_distances, exact=exact)
    final = fixed(temperature)
    iterations, f, g, error = _solve(fixed(costs(x, y)), fixed(log_a), fixed(log_b), final, tolerance,
                                     max_iterations)
    # One more update of each side, each taking only its own side's derivatives, and epsilon's once.
    f_out = _soft_minimum(costs(x, fixed(y)), g, fixed(log_b), temperature)
    g_out = _soft_minimum(costs(y, fixed(x)), f, fixed(log_a), final)
    value = jnp.sum(jnp.exp(log_a) * f_out) + jnp.sum(jnp.exp(log_b) * g_out)
    return SinkhornOutput(value, fixed(f_out), fixed(g_out), error, iterations)


def _soft_minimum(cost: jax.Array, potential: jax.Array, log_weights: jax.Array, temperature: jax.Array) -> jax.Array:
    exponent = log_weights[None, :] + (potential[None, :] - cost) / temperature
    return -temperature * logsumexp(exponent, axis=1)


def _solve(
    cost: jax.Array, log_a: jax.Array, log_b: jax.Array, final: jax.Array, tolerance: float, max_iterations: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Iterations, both potentials and the marginal error of the problem with these costs."""
    start, dtype = jnp.maximum(jnp.max(cost), final), cost.dtype

    def unfinished(state):
        iteration, _, _, error, *_ = state
        return (iteration < max_iterations) & ~(error <= tolerance) & ~jnp.isnan(error)

    def step(state):
        iteration, f, g, _, omega, since, before = state
        # Halving the temperature: far fewer iterations than at the final one from the start.
        temperature = jnp.maximum(start * 0.5 ** iteration.astype(dtype), final)
        annealed = temperature <= final
        new_g = _soft_minimum(cost.T, f, log_a, temperature)
        columns = jnp.sum(jnp.exp(log_b) * jnp.abs(jnp.expm1((g - new_g) / temperature)))
        g += omega * (new_g - g)
        new_f = _soft_minimum(cost, g, log_b, temperature)
        rows = jnp.sum(jnp.exp(log_a) * jnp.abs(jnp.expm1((f - new_f) / temperature)))
        f += omega * (new_f - f)
        # Without over-relaxation the columns of the next plan are right, and the rows' error is that of the plan.
        error = jnp.where(annealed, jnp.where(omega > 1, jnp.maximum(rows, columns), rows), jnp.inf)
        since = jnp.where(annealed, since + 1, 0)
        due = since == _ESTIMATE_EVERY
        omega = jnp.where(due, _best_factor(omega, (rows / before) ** (1 / (_ESTIMATE_EVERY - 1))), omega)
        before = jnp.where(since == 1, rows, before)
        return iteration + 1, f, g, error, omega, jnp.where(due, 0, since), before

    initial = (
        jnp.zeros((), jnp.int32), jnp.zeros(log_a.shape, dtype), jnp.zeros(log_b.shape, dtype),
        jnp.full((), jnp.inf, dtype), jnp.ones((), dtype), jnp.zeros((), jnp.int32), jnp.full((), jnp.inf, dtype),
    )  # fmt: skip
    return jax.lax.while_loop(unfinished, step, initial)[:4]


def _best_factor(omega: jax.Array, rate: jax.Array) -> jax.Array:
    """The best factor of over-relaxation, after the error was seen to fall by `rate` in each iteration with `omega`.

    Plain iterations fall by eta, over-relaxed ones by the rate r with (r + w - 1)^2 = r w^2 eta as long as r > w - 1,
    and w = 2 / (1 + sqrt(1 - eta)) is best (successive over-relaxation, Young 1954).
    """
    eta = jnp.square(rate + omega - 1) / jnp.maximum(rate * jnp.square(omega), jnp.finfo(rate.dtype).tiny)
    best = jnp.minimum(2 / (1 + jnp.sqrt(jnp.maximum(1 - eta, 0))), _MAX_FACTOR)
    # Faster than the best could be: it is one already. Not falling: it went too far.
    return jnp.where(rate >= 1, 1.0, jnp.where(rate > omega - 1, best, omega)).astype(omega.dtype)


def sinkhorn_divergence(
    samples: ArrayLike,
    reference: ArrayLike,
    *,
    epsilon: float,
    weights: ArrayLike | None = None,
    reference_weights: ArrayLike | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 2000,
    exact: bool = True,
) -> jax.Array:
    """Computes the Sinkhorn divergence of two sets: entropic transport without its bias.

        S_e(a, b) = OT_e(a, b) - OT_e(a, a) / 2 - OT_e(b, b) / 2,

    which is at least 0, and 0 only for equal distributions; it tends to W2 squared as e -> 0 and to the squared
    distance of the means as e -> infinity.

    Args:
      samples: [samples, dimension], or [samples] for numbers.
      reference: [other samples, dimension], or [other samples].
      epsilon: e > 0, squared units of the samples.
      weights: positive probabilities of the samples, [samples]; default equal.
      reference_weights: positive probabilities of the reference, [other samples]; default equal.
      tolerance: the marginal error at which each of the three problems is taken as solved.
      max_iterations: when to stop in any case. `entropic_transport` tells whether that happened; small e
        takes more iterations.
      exact: whether costs are squares of differences; else they are taken from norms and products, faster in many
        dimensions, with an error that is a rounding error of |x|^2.

    Returns:
      A scalar, squared units of the samples; float32, or float64 if an argument is.

    Raises:
      ValueError: if shapes do not fit, `epsilon` is not positive, or weights are not positive or do not sum to 1.

    Reference:
      Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré (feydy2019sinkhorn), Interpolating between optimal transport and
      MMD using Sinkhorn divergences, AISTATS 2019, arXiv 1810.08278. Their cost is |x - y|^2 / 2.
    """
    x, y = sample_pair(samples, reference)
    options = {"epsilon": epsilon, "tolerance": tolerance, "max_iterations": max_iterations, "exact": exact}

    def cost(u, v, u_weights, v_weights):
        return entropic_transport(u, v, weights=u_weights, reference_weights=v_weights, **options).cost

    across = cost(x, y, weights, reference_weights)
    return across - 0.5 * cost(x, x, weights, weights) - 0.5 * cost(y, y, reference_weights, reference_weights)


def _log_weights(name: str, weights: ArrayLike | None, samples: jax.Array) -> jax.Array:
    count = samples.shape[0]
    if weights is None:
        return jnp.full((count,), -jnp.log(jnp.asarray(count, samples.dtype)), samples.dtype)
    (weights,) = working_arrays(**{name: weights})
    if weights.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), got {weights.shape}")
    traced = isinstance(weights, jax.core.Tracer)
    # They sum to 1 as far as float32 tells.
    if not traced and not (bool((weights > 0).all()) and abs(float(weights.sum()) - 1.0) < 1e-4):
        raise ValueError(f"{name} must be positive and sum to 1, got a sum of {float(weights.sum()):g}")
    return jnp.log(weights.astype(samples.dtype))
