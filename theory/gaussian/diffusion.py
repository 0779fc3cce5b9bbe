"""Compression with Gaussian diffusion: what sending a noisy source costs, and how near the optimum it comes.

The sender transmits a sample of Z = sqrt(1 - s2) X + sqrt(s2) U (U standard normal) by channel simulation,
and the receiver completes the sample, either by the reverse stochastic process (ancestral sampling: a draw
from the distribution of X given Z) or by the deterministic probability flow. Both reconstructions are distributed
like X. The source is a Gaussian vector given by the eigenvalues lam_i of its covariance; distortion is the squared
error summed over components, rate is in bits per vector.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.gaussian.vector import broadcast_arguments, distortion_rate
from theory.gaussian.vector_realism import perfect_realism_distortion_rate, perfect_realism_water_filling
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits


class DiffusionCompression(NamedTuple):
    """Rate and distortions of diffusion compression at one noise level.

    Attributes:
      rate: I(X;Z), bits per vector; shape [...].
      ancestral_distortion: of ancestral sampling, 2 sum mmse_i; shape [...].
      flow_distortion: of the probability flow, sum 2 lam_i (1 - rho_i); shape [...].
      ancestral_optimum: least distortion of a draw from the posterior at this rate, 2 D(R) (noise of
        unequal variance over the components attains it); shape [...].
      optimum: least distortion of any code of this rate at perfect realism, with unlimited common
        randomness, attained by a flow from noise of unequal variance; shape [...].
      unconstrained_optimum: D(R), without any demand on realism; shape [...].
    """

    rate: jax.Array
    ancestral_distortion: jax.Array
    flow_distortion: jax.Array
    ancestral_optimum: jax.Array
    optimum: jax.Array
    unconstrained_optimum: jax.Array


def diffusion_compression(
    noise_variance: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> DiffusionCompression:
    """What variance-preserving diffusion reaches on a Gaussian vector, next to the optima at its rate.

    With w_i = (1 - s2) lam_i + s2 the variance of Z_i:
      rate       I(X;Z) = sum 1/2 log2(w_i / s2);
      ancestral  2 sum mmse_i = 2 sum lam_i s2 / w_i;
      flow       Y_i = sqrt(lam_i / w_i) Z_i, so that rho_i = sqrt((1 - s2) lam_i / w_i) = sqrt(1 - s2/w_i) and
                 D = sum 2 lam_i (1 - rho_i).
    All are exact, the optima as stated in `DiffusionCompression`. The flow is optimal exactly when all
    components of positive variance have the same variance.

    Args:
      noise_variance: s2 in [0, 1]; shape [...]. 0 sends X itself (infinite rate), 1 sends nothing.
      eigenvalues: lam_i >= 0, variances of the components; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      `DiffusionCompression`. NaN inside a trace for a noise variance outside of [0, 1].

    Raises:
      ValueError: if the noise variance is outside of [0, 1], or an eigenvalue or weight is negative
        (outside of a trace).

    Reference: [theis2022lossy] Theis, Salimans, Hoffman, Mentzer, Lossy Compression with Gaussian Diffusion, 2022,
      arXiv 2206.08889 (their sigma^2 is s2; rates there are in nats or bits as said).
    """
    check_domain("noise_variance", noise_variance, minimum=0.0, maximum=1.0)
    noise, eigenvalues, weights = broadcast_arguments(noise_variance, eigenvalues, weights, name="noise_variance")
    rate, ancestral, flow = _compress(noise, eigenvalues, weights)
    # At either end the chain rule through the rate is inf * 0; the derivatives of D are written down there:
    # without noise every component of positive variance has D_i = s2 to first order, and next to pure
    # noise D(R, 0) falls like -sqrt(1 - s2).
    none, pure = noise == 0, noise == 1
    sent, _, _ = _compress(jnp.where(none, 0.5, noise), eigenvalues, weights)
    dimension = jnp.sum(jnp.where(eigenvalues > 0, weights, 0.0), -1)
    optimum = distortion_rate(sent, eigenvalues, weights=weights)
    optimum = jnp.where(none, dimension * noise, optimum)
    realistic = perfect_realism_distortion_rate(jnp.where(pure, 1.0, sent), eigenvalues, weights=weights)
    at_pure = 2.0 * jnp.sum(weights * eigenvalues, -1) - jnp.sqrt(jnp.where(pure, 1.0 - noise, 1.0))
    realistic = jnp.where(none, dimension * noise, jnp.where(pure, at_pure, realistic))
    return DiffusionCompression(rate, ancestral, flow, 2.0 * optimum, realistic, optimum)


@jax.jit
def _compress(
    noise: jax.Array, eigenvalues: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    s2 = jnp.where((noise >= 0) & (noise <= 1), noise, jnp.nan)[..., None]
    w = (1.0 - s2) * eigenvalues + s2
    # w = 0 only without noise and without variance: nothing is sent, and nothing is lost.
    w = jnp.where(w == 0, 1.0, w)
    still = (eigenvalues == 0) & (s2 == 0)
    share = jnp.where(still, 1.0, s2 / w)
    nats = 0.5 * (jnp.log(w) - jnp.log(jnp.where(still, 1.0, s2)))
    # rho = sqrt(1 - share), as a product whose derivatives exist wherever those of D do: at s2 = 1 along lam,
    # and at lam = 0, where the factor lam of D outweighs the root. 1 - rho = share/(1 + rho).
    varies = eigenvalues > 0
    rho = jnp.sqrt(1.0 - s2) * jnp.sqrt(jnp.where(varies, eigenvalues, 1.0) / w)
    flow = 2.0 * eigenvalues * share / (1.0 + jnp.where(varies, rho, 0.0))
    return (
        nats_to_bits(jnp.sum(weights * nats, -1)),
        2.0 * jnp.sum(weights * eigenvalues * share, -1),
        jnp.sum(weights * flow, -1),
    )


def optimal_noise_variances(
    rate: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Noise of the unit-normalized components with which a flow is optimal at perfect realism.

    X_i/sqrt(lam_i) is sent as sqrt(1 - g_i) X_i/sqrt(lam_i) + sqrt(g_i) U with
      g_i = 1 - rho_i^2 = 2 theta/(theta + sqrt(theta^2 + 4 lam_i^2)),
    where theta is the water level of `theory.gaussian.vector_realism` at this rate: strong components get
    little noise. Sending each component costs 1/2 log2(1/g_i) bits.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      g_i in [0, 1]; shape [..., n].

    Raises:
      ValueError: if R < 0, or an eigenvalue or weight is negative (outside of a trace).

    Reference: [theis2022lossy] Theis, Salimans, Hoffman, Mentzer 2022, arXiv 2206.08889, who find the optimal noise
      for the flow; the closed form is that of `perfect_realism_rate_distortion`.
    """
    distortion = perfect_realism_distortion_rate(rate, eigenvalues, weights=weights)
    filling = perfect_realism_water_filling(distortion, eigenvalues, weights=weights)
    return jnp.exp(-2.0 * bits_to_nats(filling.rates))
