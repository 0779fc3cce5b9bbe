"""Learned one-dimensional density: its cumulative is the sigmoid of a monotone network."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.entropy_models.location_scale import log_logistic_interval
from rdr.randomness import uniform
from rdr.units import nats_to_bits


def cdf_logits(matrices: Sequence[jax.Array], biases: Sequence[jax.Array], factors: Sequence[jax.Array],
               x: jax.Array) -> jax.Array:
    """Logits of the cumulative distribution function, by a network that increases in x.

    Layer k maps h <- softplus(M_k) h + b_k, and all but the last h <- h + tanh(h) tanh(a_k).

    Args:
      matrices: M_k [channels, out_k, in_k]; in_0 = 1 and the last out is 1.
      biases: b_k [channels, out_k].
      factors: a_k [channels, out_k], one fewer.
      x: [..., channels].

    Returns:
      Logits [..., channels].

    Reference: Ballé et al. (balle2018variational), appendix 6.1.
    """
    # One product of small matrices with a long one for each channel: the elements lie side by side in memory.
    h = jnp.moveaxis(x, -1, 0).reshape(x.shape[-1], 1, -1)
    for k, (matrix, bias) in enumerate(zip(matrices, biases)):
        h = jnp.einsum("coi,cin->con", nn.softplus(matrix), h, precision=jax.lax.Precision.HIGHEST)
        h = h + bias[..., None]
        if k < len(factors):
            h = h + jnp.tanh(h) * jnp.tanh(factors[k])[..., None]
    return jnp.moveaxis(h.reshape(x.shape[-1], *x.shape[:-1]), 0, -1)


def cdf_interval_bits(upper_logits: ArrayLike, lower_logits: ArrayLike) -> jax.Array:
    """Takes the information in an interval from the logits of the cumulative at its ends.

    Args:
      upper_logits: at the upper end; any shape.
      lower_logits: at the lower end, at most `upper_logits`; same shape.

    Returns:
      -log2 of the probability, in bits; same shape.
    """
    upper, lower = jnp.asarray(upper_logits), jnp.asarray(lower_logits)
    width = jnp.maximum(upper - lower, jnp.finfo(upper.dtype).tiny)
    return -nats_to_bits(log_logistic_interval(upper, lower, width))


class DeepFactorized(nn.Module):
    """Independent learned densities, one for each channel.

    Attributes:
      channels: how many densities.
      features: widths of the hidden layers.
      init_scale: half-width that the density covers at the beginning, about.
    """

    channels: int
    features: tuple[int, ...] = (3, 3, 3)
    init_scale: float = 10.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits of the cumulative distribution function.

        Args:
          x: [..., channels], float32.

        Returns:
          Logits [..., channels].
        """
        widths = (1, *self.features, 1)
        scale = self.init_scale ** (1.0 / (len(widths) - 1))
        matrices, biases, factors = [], [], []
        for k, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:])):
            start = float(np.log(np.expm1(1.0 / scale / fan_out)))
            matrices.append(self.param(f"matrix_{k}", nn.initializers.constant(start),
                                       (self.channels, fan_out, fan_in), jnp.float32))
            biases.append(self.param(f"bias_{k}", lambda key, shape, dtype: uniform(
                key, shape, -0.5, 0.5).astype(dtype), (self.channels, fan_out), jnp.float32))
            if k < len(self.features):
                factors.append(self.param(f"factor_{k}", nn.initializers.zeros, (self.channels, fan_out), jnp.float32))
        return cdf_logits(matrices, biases, factors, x)
