"""Squared distances between all pairs of two sets of vectors."""

import jax
import jax.numpy as jnp


def squared_distances(x: jax.Array, y: jax.Array, *, exact: bool = True) -> jax.Array:
    """Computes all squared Euclidean distances.

    Args:
      x: [..., d].
      y: [K, d].
      exact: whether differences are squared, so that equal points are exactly 0 apart, in K d numbers of memory for
        each vector; else |x|^2 + |y|^2 - 2 <x, y> is taken, whose error is a rounding error of |x|^2.

    Returns:
      [..., K], at least 0.
    """
    if exact:
        return jnp.sum(jnp.square(x[..., None, :] - jnp.broadcast_to(y, (*x.shape[:-1], *y.shape))), -1)
    product = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)
    norms = jnp.broadcast_to(jnp.sum(jnp.square(y), -1), product.shape)
    return jnp.maximum(jnp.sum(jnp.square(x), -1)[..., None] + norms - 2.0 * product, 0.0)
