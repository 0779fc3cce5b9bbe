"""The exact squared Wasserstein distance between two sets of numbers: sort both, compare in order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import working_arrays


def sorted_w2_squared(samples: ArrayLike, reference: ArrayLike) -> jax.Array:
    """Squared W2 distance between two empirical distributions of equally many numbers.

      W2^2 = (1/n) sum_i (x_(i) - y_(i))^2,  x_(1) <= x_(2) <= ...

    With `reference` the conditional means of n equally likely slices of a distribution (`normal_slice_means` for
    N(0,1)), it is W2^2 to that distribution itself, less the constant spread inside the slices.

    Args:
      samples: [n, ...]; trailing dimensions are compared one by one, each by its own order.
      reference: [n, ...], of the same shape.

    Returns:
      [...] squared distances, float32, or float64 if an argument is; differentiable in both arguments (the optimal
      coupling is locally constant).

    Raises:
      ValueError: if the shapes differ, n = 0, or the numbers are not floating point.

    Reference: Villani (villani2003topics), "Topics in optimal transportation", 2003, section 2.2 (the monotone
      coupling).
    """
    samples, reference = working_arrays(samples=samples, reference=reference)
    if samples.shape != reference.shape or samples.ndim == 0 or samples.shape[0] == 0:
        raise ValueError("samples and reference must have one shape [n, ...] with n >= 1, got "
                         f"{samples.shape} and {reference.shape}")
    return jnp.mean(jnp.square(jnp.sort(samples, axis=0) - jnp.sort(reference, axis=0)), axis=0)


def normal_slice_means(count: int, dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """Means of N(0,1) given each of `count` equally likely slices, in increasing order.

      mean_i = count * (pdf(z_{i-1}) - pdf(z_i)),  z_i = the quantile of i / count.

    Args:
      count: how many slices, >= 1.
      dtype: of the result.

    Returns:
      [count] means.

    Raises:
      ValueError: if `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    # The distribution is symmetric about 0; averaging both halves makes the means so as well.
    levels = jnp.arange(count + 1, dtype=dtype) / count
    quantiles = jax.scipy.special.ndtri(levels)
    density = jnp.where(jnp.isinf(quantiles), 0.0, jnp.exp(-0.5 * jnp.square(quantiles)) / jnp.sqrt(2.0 * jnp.pi))
    means = count * (density[:-1] - density[1:])
    return (0.5 * (means - means[::-1])).astype(dtype)
