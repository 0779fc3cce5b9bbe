"""Objectives that image codecs are trained on: bits per pixel, squared error, and realism."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rdr.codecs.base import Codec
from rdr.losses import dists, lpips
from rdr.losses.wasserstein_distortion import wasserstein_distortion

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
            rate, weight = _spread_levels(level_key, x.shape[0], rate_levels, weights)
        y, bits = codec.forward(params, x, key=noise_key, rate=rate, dtype=dtype)
        bits_per_pixel = bits / (x.shape[1] * x.shape[2])
        error = jnp.mean(jnp.square(x - y), axis=(1, 2, 3))
        total = jnp.mean(bits_per_pixel + weight * SQUARED_ERROR_UNIT * error)
        return total, {"bits_per_pixel": jnp.mean(bits_per_pixel), "mse": jnp.mean(error)}

    return loss


def realism_loss(codec: Codec, rest: Any, *, rate_levels: int, weights: tuple[float, float], perceptual_weight: float,
                 texture_weight: float, texture_sigma: float = 4.0, structure_weight: float = 0.0,
                 dtype: Any = jnp.float32) -> Callable:
    """The loss of the decoder's second set of weights, with everything else at rest.

    At a realism weight beta, uniform in [0, 1] and new in every step,

        lambda 255^2 MSE + beta (w_p LPIPS + w_s DISTS + w_t lambda 255^2 WD),

    WD the Wasserstein distortion of the image itself at one sigma, which asks for the local means and deviations of
    the intensities. The rate does not change, so it is not in the loss.

    Args:
      codec: an image codec with a realism input.
      rest: its parameters but for "realism"; constants here.
      rate_levels: as the codec was made with.
      weights: lambda of the first and the last level; without levels, the first.
      perceptual_weight: w_p, of LPIPS on AlexNet; with 0 its weights are not needed.
      texture_weight: w_t.
      texture_sigma: in pixels.
      structure_weight: w_s, of DISTS; with 0 its weights are not needed.
      dtype: of the transforms.

    Returns:
      `loss({"realism": delta}, batch, key, step) -> (loss, metrics)` for uint8 batches; metrics are "mse", "lpips",
      "dists" and "texture", each at that step's beta, and "realism", beta.
    """
    perceptual = lpips.load_params("alexnet") if perceptual_weight else None
    structure = dists.load_params() if structure_weight else None

    def loss(params: Any, batch: jax.Array, key: jax.Array, step: jax.Array):
        del step
        x = batch.astype(jnp.float32) / 255.0
        level_key, beta_key = jax.random.split(key)
        rate, weight = None, jnp.full((x.shape[0],), weights[0], jnp.float32)
        if rate_levels:
            rate, weight = _spread_levels(level_key, x.shape[0], rate_levels, weights)
        beta = jax.random.uniform(beta_key, (), jnp.float32)
        y, _ = codec.forward({**rest, **params}, x, key=None, rate=rate, realism=beta, dtype=dtype)
        error = jnp.mean(jnp.square(x - y), axis=(1, 2, 3))
        texture = wasserstein_distortion(x, y, texture_sigma) if texture_weight else jnp.zeros_like(error)
        seen = lpips.lpips(perceptual, y, x) if perceptual is not None else jnp.zeros_like(error)
        alike = dists.dists(structure, y, x) if structure is not None else jnp.zeros_like(error)
        fidelity = weight * SQUARED_ERROR_UNIT
        wish = perceptual_weight * seen + structure_weight * alike + texture_weight * fidelity * texture
        return jnp.mean(fidelity * error + beta * wish), {
            "mse": jnp.mean(error), "lpips": jnp.mean(seen), "dists": jnp.mean(alike), "texture": jnp.mean(texture),
            "realism": beta}

    return loss


def _spread_levels(key: jax.Array, batch: int, levels: int, weights: tuple[float, float]):
    """Levels that are evenly spread over the batch, whose means vary less than those of independent ones; weights."""
    part = (jnp.arange(batch, dtype=jnp.float32) + jax.random.uniform(key, (), jnp.float32)) / batch
    rate = part * (levels - 1)
    return rate, weight_at(rate, levels=levels, weights=weights)
