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
