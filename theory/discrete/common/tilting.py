"""d-tilted information and dispersion of a solution, from its multiplier.

With the optimal output q and slope s, j(x) = -log2 sum_y q(y) 2^(s (D - d(x, y))) = nu(x) - s D: nu up to a constant.
"""

import jax
import jax.numpy as jnp


def tilted_information(pmf: jax.Array, multiplier: jax.Array, rate: jax.Array) -> jax.Array:
    """Computes the d-tilted information of a solution: its multiplier, moved so that its mean is the rate.

    Args:
      pmf: of the source, [..., n].
      multiplier: nu(x), [..., n]; what letters of probability 0 have does not matter to the mean.
      rate: [...], in units of the multiplier.

    Returns:
      [..., n], in the same units.
    """
    mean = jnp.sum(jnp.where(pmf > 0, pmf * multiplier, 0.0), axis=-1)
    return multiplier + (rate - mean)[..., None]


def dispersion(pmf: jax.Array, multiplier: jax.Array, rate: jax.Array) -> jax.Array:
    """Computes the variance of the d-tilted information of a solution.

    Args:
      pmf: of the source, [..., n].
      multiplier: nu(x), [..., n].
      rate: [...]; NaN, of no solution, gives NaN.

    Returns:
      [...], squared units of the multiplier.
    """
    centered = tilted_information(pmf, multiplier, rate) - rate[..., None]
    return jnp.sum(jnp.where(pmf > 0, pmf * centered**2, 0.0), axis=-1)


def noisy_dispersion(
    weight: jax.Array, log_ratio: jax.Array, distortion: jax.Array, mean_distortion: jax.Array, slope: jax.Array
) -> jax.Array:
    """Computes Var[log ratio + s d] of a code whose distortion, or ratio, varies with what the encoder does not see.

    Args:
      weight: probabilities of the combinations that occur, any shape; they sum to 1.
      log_ratio: log-likelihood ratio of message and output, bits; broadcasts to the shape.
      distortion: d; broadcasts to the shape.
      mean_distortion: E[d] given all that the encoder knows; broadcasts to the shape.
      slope: s, bits per unit of distortion; scalar. At inf, only what varies about its mean counts, infinitely.

    Returns:
      Bits squared; scalar.
    """
    certain = jnp.isinf(slope)
    occurs = weight > 0
    strays = jnp.where(occurs, distortion - mean_distortion, 0.0)
    scale = jnp.where(occurs, jnp.abs(distortion), 0.0).max()
    values = jnp.where(occurs, log_ratio + jnp.where(certain, 0.0, slope) * jnp.where(occurs, distortion, 0.0), 0.0)
    spread = jnp.sum(weight * (values - jnp.sum(weight * values)) ** 2)
    varies = jnp.sum(weight * strays**2) > (1e-12 * scale) ** 2
    return jnp.where(certain & varies, jnp.inf, spread)
