"""Learned mixtures of Gaussian, Laplace or logistic densities, and integer tables of densities of several channels."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.tables import Tables, make_tables
from rdr.entropy_models.location_scale import mixture_bits


class MixtureDensity(nn.Module):
    """Independent learned mixtures, one for each channel.

    Attributes:
      channels: how many densities.
      components: of each mixture.
      family: "gaussian", "laplace" or "logistic".
      init_scale: spread of the distribution at the beginning, about.
    """

    channels: int
    components: int = 3
    family: str = "logistic"
    init_scale: float = 4.0

    @nn.compact
    def __call__(self, upper: jax.Array, width: float = 1.0) -> jax.Array:
        """Information in intervals.

        Args:
          upper: right ends, [..., channels], float32.
          width: of the intervals.

        Returns:
          Bits [..., channels].
        """
        shape = (self.channels, self.components)

        def spread(key, shape, dtype):
            line = jnp.linspace(-1.0, 1.0, shape[-1], dtype=dtype) if shape[-1] > 1 else jnp.zeros((1,), dtype)
            return jnp.broadcast_to(self.init_scale * line, shape)

        logits = self.param("logits", nn.initializers.zeros, shape, jnp.float32)
        location = self.param("location", spread, shape, jnp.float32)
        log_scale = self.param("log_scale", nn.initializers.constant(float(np.log(self.init_scale / 2.0))), shape,
                               jnp.float32)
        logits, location, log_scale = (
            jnp.broadcast_to(part, (*upper.shape, self.components)) for part in (logits, location, log_scale))
        return mixture_bits(upper, logits, location, jnp.exp(log_scale), family=self.family, width=width)


def density_tables(bits: Callable[[jax.Array], jax.Array], channels: int, *, reach: int = 512) -> Tables:
    """Integer tables of densities, from the information that they find in unit intervals.

    Args:
      bits: right ends of unit intervals [k, channels] -> bits [k, channels], for instance of `FourierDensity`.
      channels: how many densities.
      reach: integers of at most this size are tabulated; others are escapes.

    Returns:
      Tables, one for each channel.
    """
    upper = jnp.arange(-reach, reach + 1, dtype=jnp.float32) + 0.5
    result = jax.jit(bits)(jnp.broadcast_to(upper[:, None], (upper.size, channels)))
    pmfs = np.exp2(-np.asarray(result, np.float64)).T
    return make_tables(pmfs / np.maximum(pmfs.sum(1, keepdims=True), 1.0), -reach)
