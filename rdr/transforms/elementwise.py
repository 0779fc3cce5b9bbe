"""Learned function of single numbers, close to a line at the beginning."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rdr.randomness import truncated_normal_kernel


class ElementwiseNetwork(nn.Module):
    """y = slope x + network(x, extras), applied to every number by itself.

    Attributes:
      hidden: widths of the hidden layers.
      slope: of the line at the beginning; it is learned as its logarithm, so it stays positive.
    """

    hidden: tuple[int, ...] = (24, 24)
    slope: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *extras: jax.Array) -> jax.Array:
        """Applies the function.

        Args:
          x: any shape, float32.
          extras: further inputs of the network, of the same shape as `x`.

        Returns:
          Same shape as `x`.
        """
        log_slope = self.param("log_slope", nn.initializers.constant(jnp.log(self.slope)), (), jnp.float32)
        h = jnp.stack((x, *extras), axis=-1)
        for width in self.hidden:
            h = jnp.tanh(nn.Dense(width, dtype=jnp.float32, param_dtype=jnp.float32,
                                  kernel_init=truncated_normal_kernel)(h))
        correction = nn.Dense(1, dtype=jnp.float32, param_dtype=jnp.float32, kernel_init=nn.initializers.zeros)(h)
        return jnp.exp(log_slope) * x + correction[..., 0]
