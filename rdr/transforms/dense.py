"""Learned map of vectors: a line, and a network that bends it."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rdr.randomness import truncated_normal_kernel

_EXACT = jax.lax.Precision.HIGHEST


class ResidualDense(nn.Module):
    """y = x A + b + network(x, extras).

    The network starts at 0, so that the map starts as the line; A starts as orthonormal columns or rows.

    Attributes:
      features: length of the result.
      hidden: widths of the hidden layers; none for a linear map.
      line: whether there is A; without it the network starts at random, not at 0.
    """

    features: int
    hidden: tuple[int, ...] = (32, 32)
    line: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, *extras: jax.Array) -> jax.Array:
        """Applies the map.

        Args:
          x: [..., n], float32.
          extras: further inputs of the network, [..., any].

        Returns:
          [..., features].
        """
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        out = jnp.broadcast_to(bias, (*x.shape[:-1], self.features))
        if self.line:
            line = self.param("line", nn.initializers.orthogonal(), (x.shape[-1], self.features), jnp.float32)
            out = out + jnp.matmul(x, line, precision=_EXACT)
        if not self.hidden:
            return out
        h = jnp.concatenate((x, *extras), axis=-1)
        for width in self.hidden:
            h = jnp.tanh(nn.Dense(width, dtype=jnp.float32, param_dtype=jnp.float32,
                                  kernel_init=truncated_normal_kernel)(h))
        last = nn.initializers.zeros if self.line else truncated_normal_kernel
        return out + nn.Dense(self.features, dtype=jnp.float32, param_dtype=jnp.float32, kernel_init=last,
                              use_bias=False)(h)
