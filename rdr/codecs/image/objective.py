"""What image codecs are trained on: bits per pixel, squared error, and realism."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rdr.codecs.base import Codec

SQUARED_ERROR_UNIT = 255.0**2  # weights are given for values in 0 .. 255, as in the literature


def weight_at(level: jax.Array, *, levels: int, weights: tuple[float, float]) -> jax.Array:
    """The weight of squared error at a rate level, geometric between the first and the last.

    Args:
      level: any shape, in [0, levels - 1].
      levels: how many there are, at least 2.
      weights: lambda at the first and at the last level.

    Returns:
      Same shape, float32.
    """
    low, high = (jnp.log(jnp.float32(weight)) for weight in weights)
    return jnp.exp(low + (high - low) * jnp.asarray(level, jnp.float32) / (levels - 1))


def rate_distortion_loss(codec: Codec, *, rate_levels: int, weights: tuple[float, float],
                         dtype: Any = jnp.float32) -> Callable:
    """The loss R + lambda 255^2 MSE, at a random rate level for each image if the codec has several.

    Args:
      codec: an image codec.
      rate_levels: as the codec was made with.
      weights: lambda of the first and the last level; without levels, the first.
      dtype: of the transforms.

    Returns:
      `loss(params, batch, key, step) -> (loss, metrics)` for uint8 batches; metrics are "bits_per_pixel" and "mse"
      (for values in [0, 1]).
    """

    def loss(params: Any, batch: jax.Array, key: jax.Array, step: jax.Array):
        del step
        x = batch.astype(jnp.float32) / 255.0
        level_key, noise_key = jax.random.split(key)
        rate, weight = None, jnp.full((x.shape[0],), weights[0], jnp.float32)
        if rate_levels:
            # Evenly spread over the batch: the mean over levels has less variance than with independent ones.
            shift = jax.random.uniform(level_key, (), jnp.float32)
            part = (jnp.arange(x.shape[0], dtype=jnp.float32) + shift) / x.shape[0]
            rate = part * (rate_levels - 1)
            weight = weight_at(rate, levels=rate_levels, weights=weights)
        y, bits = codec.forward(params, x, key=noise_key, rate=rate, dtype=dtype)
        bits_per_pixel = bits / (x.shape[1] * x.shape[2])
        error = jnp.mean(jnp.square(x - y), axis=(1, 2, 3))
        total = jnp.mean(bits_per_pixel + weight * SQUARED_ERROR_UNIT * error)
        return total, {"bits_per_pixel": jnp.mean(bits_per_pixel), "mse": jnp.mean(error)}

    return loss
