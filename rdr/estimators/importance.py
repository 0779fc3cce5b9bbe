"""Rate and distortion of a channel through a latent variable, by importance weights.

With a decoder y = g(z), a prior p and proposals z_1, .., z_K ~ r(z | x), let
w_k = p(z_k) exp(-s d(x, g(z_k))) / r(z_k | x). The channel that picks z_k with probability w_k / sum w has

    KL(Q(z | x) || p) + s E d <= -E log (1/K sum_k w_k):

the left side is at most that of the joint distribution of all proposals and the choice, against the one in which the
chosen proposal is drawn from p, of which the right side is the value. It is the negative ELBO for K = 1. E d is the
mean of sum_k w_k d_k / sum w, and a bound on the rate is what is left: an upper bound, in expectation, at any K and
without a cap.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def importance_bound(log_ratios: jax.Array, distortions: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Bounds the rate of the channel of K proposals, and computes its distortion.

    Args:
      log_ratios: log p(z_k) - log r(z_k | x), [K, samples].
      distortions: d(x, g(z_k)), [K, samples].
      slope: s, nats per unit of distortion, scalar.

    Returns:
      Nats and distortion of each sample, [samples] each, whose expectations are a pair (D, R) above R(D).

    Reference: burda2016importance for the bound on the sum; here rate and distortion apart.
    """
    log_weights = log_ratios - slope * distortions
    log_mean = jax.nn.logsumexp(log_weights, axis=0) - jnp.log(jnp.float32(log_weights.shape[0]))
    share = jax.nn.softmax(log_weights, axis=0)
    distortion = jnp.sum(share * distortions, axis=0)
    return -log_mean - slope * distortion, distortion
