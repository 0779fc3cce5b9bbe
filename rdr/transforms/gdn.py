"""Generalized divisive normalization, and its approximate inverse."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rdr.gradients import lower_bound

_PEDESTAL = 2.0**-36
_BETA_MIN = 1e-6


def gdn(x: jax.Array, beta: jax.Array, gamma: jax.Array, *, inverse: bool = False) -> jax.Array:
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2), or times that root for the inverse.

    Args:
      x: [..., channels].
      beta: [channels], positive.
      gamma: [channels out, channels in], not negative.
      inverse: whether to multiply.

    Returns:
      Same shape as `x`.

    Reference: Ballé, Laparra and Simoncelli (balle2016density; balle2017endtoend, section 2).
    """
    # Not a convolution of size 1: a product of matrices is faster, forwards and backwards.
    flat = jnp.square(x).reshape(-1, x.shape[-1])
    power = (flat @ gamma.T.astype(x.dtype) + beta.astype(x.dtype)[None, :]).reshape(x.shape)
    return x * (jnp.sqrt(power) if inverse else jax.lax.rsqrt(power))


class GDN(nn.Module):
    """GDN with parameters kept as square roots, so that small ones move slowly and none becomes negative.

    Attributes:
      inverse: whether it is the inverse.
    """

    inverse: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Applies it; see `gdn`.

        Args:
          x: [batch, height, width, channels].

        Returns:
          Same shape and dtype.
        """
        channels = x.shape[-1]
        root_beta = self.param("root_beta", lambda _, shape, dtype: jnp.sqrt(jnp.ones(shape, dtype) + _PEDESTAL),
                               (channels,), jnp.float32)
        root_gamma = self.param("root_gamma", lambda _, shape, dtype: jnp.sqrt(
            0.1 * jnp.eye(*shape, dtype=dtype) + _PEDESTAL), (channels, channels), jnp.float32)
        beta = jnp.square(lower_bound(root_beta, (_BETA_MIN + _PEDESTAL) ** 0.5)) - _PEDESTAL
        gamma = jnp.square(lower_bound(root_gamma, _PEDESTAL**0.5)) - _PEDESTAL
        return gdn(x, beta, gamma, inverse=self.inverse)
