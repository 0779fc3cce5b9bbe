"""Entropic optimal transport between sets of samples, and the Sinkhorn divergence."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from rdr.arguments import sample_pair, working_arrays
from rdr.losses.mmd import squared_distances


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
) -> SinkhornOutput:
    """Solves entropic optimal transport with squared Euclidean cost.

        OT_e(a, b) = min over couplings P of sum P_ij |x_i - y_j|^2 + e KL(P || a b^T),

    by alternating log-domain updates of the dual potentials, while e falls from the largest cost to its value.
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

    Returns:
      The solution; see `marginal_error` for whether it converged.

    Raises:
      ValueError: if shapes do not fit, `epsilon` is not positive, or weights are not positive or do not sum to 1.

    Reference:
      Cuturi, Sinkhorn distances, NeurIPS 2013, arXiv 1306.0895; Peyré, Cuturi, Computational optimal
      transport, 2019, arXiv 1803.00567, section 4. The entropy is relative to the product of the weights, in
      nats, as in Feydy et al. 2019.
    """
    x, y = sample_pair(samples, reference)
    log_a = _log_weights("weights", weights, x)
    log_b = _log_weights("reference_weights", reference_weights, y)
    if not isinstance(epsilon, jax.core.Tracer) and not epsilon > 0:
        raise ValueError(f"epsilon must be > 0, got {epsilon}")
    epsilon = jnp.asarray(epsilon, x.dtype)

    def soft_minimum(cost, potential, log_weights, temperature):
        exponent = log_weights[None, :] + (potential[None, :] - cost) / temperature
        return -temperature * logsumexp(exponent, axis=1)

    fixed = jax.lax.stop_gradient
    cost, log_a0, log_b0, final = fixed(squared_distances(x, y)), fixed(log_a), fixed(log_b), fixed(epsilon)
    start = jnp.maximum(jnp.max(cost), final)

    def unfinished(state):
        iteration, _, _, error = state
        return (iteration < max_iterations) & ~(error <= tolerance) & ~jnp.isnan(error)

    def step(state):
        iteration, f, g, _ = state
        # Halving the temperature: far fewer iterations than at the final one from the start.
        temperature = jnp.maximum(start * 0.5 ** iteration.astype(x.dtype), final)
        g = soft_minimum(cost.T, f, log_a0, temperature)
        new = soft_minimum(cost, g, log_b0, temperature)
        error = jnp.sum(jnp.exp(log_a0) * jnp.abs(jnp.expm1((f - new) / temperature)))
        error = jnp.where(temperature > final, jnp.inf, error)
        return iteration + 1, new, g, error

    initial = (
        jnp.zeros((), jnp.int32),
        jnp.zeros(x.shape[:1], x.dtype),
        jnp.zeros(y.shape[:1], x.dtype),
        jnp.full((), jnp.inf, x.dtype),
    )
    iterations, f, g, error = jax.lax.while_loop(unfinished, step, initial)
    # One more update of each side, each taking only its own side's derivatives, and epsilon's once.
    f_out = soft_minimum(squared_distances(x, fixed(y)), g, log_b0, epsilon)
    g_out = soft_minimum(squared_distances(y, fixed(x)), f, log_a0, final)
    value = jnp.sum(jnp.exp(log_a) * f_out) + jnp.sum(jnp.exp(log_b) * g_out)
    return SinkhornOutput(value, fixed(f_out), fixed(g_out), error, iterations)


def sinkhorn_divergence(
    samples: ArrayLike,
    reference: ArrayLike,
    *,
    epsilon: float,
    weights: ArrayLike | None = None,
    reference_weights: ArrayLike | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 2000,
) -> jax.Array:
    """Computes the Sinkhorn divergence of two sets: entropic transport without its bias.

        S_e(a, b) = OT_e(a, b) - OT_e(a, a) / 2 - OT_e(b, b) / 2,

    which is at least 0, and 0 only for equal laws; it tends to W2 squared as e -> 0 and to the squared
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

    Returns:
      A scalar, squared units of the samples; float32, or float64 if an argument is.

    Raises:
      ValueError: if shapes do not fit, `epsilon` is not positive, or weights are not positive or do not sum to 1.

    Reference:
      Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré, Interpolating between optimal transport and MMD using
      Sinkhorn divergences, AISTATS 2019, arXiv 1810.08278. Their cost is |x - y|^2 / 2.
    """
    x, y = sample_pair(samples, reference)
    options = {"epsilon": epsilon, "tolerance": tolerance, "max_iterations": max_iterations}

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
