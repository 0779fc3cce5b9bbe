"""Networks of channels through a latent variable: encoder, prior with components or levels, deterministic decoder."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.transforms.dense import ResidualDense

_LEAST_LOG_SCALE, _MOST_LOG_SCALE = -8.0, 4.0
_FIRST_LOG_SCALE = -1.0  # of the encoder, where the prior's is 0


class Architecture(NamedTuple):
    """Sizes of the networks.

    Attributes:
      dimension: components of a sample.
      latent: components of each latent vector.
      hidden: widths of the hidden layers.
      components: Gaussians in the prior of the highest level.
      levels: 1, or 2 for a prior of the lower latent vector that depends on a higher one.
    """

    dimension: int
    latent: int
    hidden: tuple[int, ...]
    components: int
    levels: int


class Coordinates(NamedTuple):
    """Of samples for a network: principal components with variance 1.

    Attributes:
      mean: float64 [dimension].
      axes: float32 [dimension, latent], orthonormal columns.
      scales: float32 [latent], standard deviations along them, positive.
    """

    mean: np.ndarray
    axes: np.ndarray
    scales: np.ndarray


def principal_coordinates(samples: np.ndarray, latent: int) -> Coordinates:
    """Finds principal components.

    Args:
      samples: [samples, dimension].
      latent: how many, at most the dimension.

    Returns:
      The coordinates; scales are at least a thousandth of the largest, 1 if all samples are the same.

    Raises:
      ValueError: if `latent` is larger than the dimension.
    """
    if latent > samples.shape[1]:
        raise ValueError(f"latent must be at most the dimension, {samples.shape[1]}, got {latent}")
    mean = samples.mean(0, dtype=np.float64)
    centered = samples - mean
    values, vectors = np.linalg.eigh(centered.T @ centered / len(samples))
    scales = np.sqrt(np.maximum(values[::-1][:latent], 0.0))
    scales = np.maximum(scales, 1e-3 * scales[0]) if scales[0] > 0 else np.ones(latent)
    return Coordinates(mean, vectors[:, ::-1][:, :latent].astype(np.float32), scales.astype(np.float32))


def decoder_network(sizes: Architecture) -> ResidualDense:
    """Makes the network g of a latent vector.

    Args:
      sizes: of the networks.

    Returns:
      The module, whose input has `latent` components.
    """
    return ResidualDense(sizes.dimension, sizes.hidden)


def decode(params: Any, z: jax.Array, sizes: Architecture) -> jax.Array:
    """Computes g(z).

    Args:
      params: of `decoder_network`.
      z: [..., latent].
      sizes: of the networks.

    Returns:
      [..., dimension].
    """
    return decoder_network(sizes).apply({"params": params}, z)


def initial_params(key: jax.Array, sizes: Architecture, coordinates: Coordinates) -> dict[str, Any]:
    """Draws parameters; encoder and decoder start as projections on the principal components, and back.

    Args:
      key: a `jax.random.key`.
      sizes: of the networks.
      coordinates: of the samples, as many as the latent vector has components.

    Returns:
      "decoder", "encoder" (means and scales of all levels) and "prior".
    """
    keys = jax.random.split(key, 7)
    latent = sizes.latent

    def start(number: int, features: int, inputs: int, *, line: bool) -> Any:
        net = ResidualDense(features, sizes.hidden, line=line)
        return net.init(keys[number], jnp.zeros((1, inputs), jnp.float32))["params"]

    decoder = start(0, sizes.dimension, latent, line=True)
    decoder["line"] = (coordinates.axes * coordinates.scales).T
    mean = start(1, latent, sizes.dimension, line=True)
    mean["line"] = coordinates.axes / coordinates.scales
    encoder = {"mean": mean, "scale": start(2, latent, sizes.dimension, line=False)}
    spread = jnp.float32(0.0 if sizes.components == 1 else 1.0)
    prior = {"means": spread * jax.random.normal(keys[3], (sizes.components, latent), jnp.float32),
             "log_scales": jnp.zeros((sizes.components, latent), jnp.float32),
             "logits": jnp.zeros((sizes.components,), jnp.float32)}
    if sizes.levels == 2:
        encoder |= {"mean2": start(4, latent, latent, line=True), "scale2": start(5, latent, latent, line=False)}
        prior["lower"] = start(6, 2 * latent, latent, line=False)
    return {"decoder": decoder, "encoder": encoder, "prior": prior}


def log_normal(z: jax.Array, mean: jax.Array, log_scale: jax.Array) -> jax.Array:
    """Log density of independent Gaussians, nats.

    Args:
      z: [..., latent].
      mean: the same shape.
      log_scale: the same shape.

    Returns:
      [...].
    """
    return -jnp.sum(0.5 * jnp.square((z - mean) * jnp.exp(-log_scale)) + log_scale + 0.5 * math.log(2 * math.pi), -1)


def log_prior(params: Any, z: jax.Array) -> jax.Array:
    """Log density of the mixture that the highest level has as its prior, nats.

    Args:
      params: with "means", "log_scales" and "logits".
      z: [..., latent].

    Returns:
      [...].
    """
    shape = (*z.shape[:-1], *params["means"].shape)
    each = log_normal(jnp.broadcast_to(z[..., None, :], shape), jnp.broadcast_to(params["means"], shape),
                      jnp.broadcast_to(_bounded(params["log_scales"]), shape))
    return jax.nn.logsumexp(each + jnp.broadcast_to(jax.nn.log_softmax(params["logits"]), each.shape), axis=-1)


def propose(params: dict[str, Any], x: jax.Array, key: jax.Array, count: int, sizes: Architecture
            ) -> tuple[jax.Array, jax.Array]:
    """Draws latent vectors from the encoder.

    Args:
      params: "encoder" and "prior".
      x: [samples, dimension].
      key: a `jax.random.key`.
      count: K, how many for each sample.
      sizes: of the networks.

    Returns:
      z of the lowest level, [K, samples, latent], and log p - log r of all levels, [K, samples], nats.
    """
    encoder, prior, keys = params["encoder"], params["prior"], jax.random.split(key)
    mean, log_scale = _gaussian(encoder["mean"], encoder["scale"], x, sizes)
    shape = (count, *mean.shape)
    mean, log_scale = jnp.broadcast_to(mean, shape), jnp.broadcast_to(log_scale, shape)
    noise = jax.random.normal(keys[0], shape, jnp.float32)
    z = mean + jnp.exp(log_scale) * noise
    log_r = log_normal(z, mean, log_scale)
    if sizes.levels == 1:
        return z, log_prior(prior, z) - log_r
    mean2, log_scale2 = _gaussian(encoder["mean2"], encoder["scale2"], z, sizes)
    higher = mean2 + jnp.exp(log_scale2) * jax.random.normal(keys[1], shape, jnp.float32)
    log_r += log_normal(higher, mean2, log_scale2)
    lower = ResidualDense(2 * sizes.latent, sizes.hidden, line=False).apply({"params": prior["lower"]}, higher)
    lower_mean, lower_log_scale = jnp.split(lower, 2, axis=-1)
    return z, log_prior(prior, higher) + log_normal(z, lower_mean, _bounded(lower_log_scale)) - log_r


def _gaussian(mean: Any, scale: Any, x: jax.Array, sizes: Architecture) -> tuple[jax.Array, jax.Array]:
    center = ResidualDense(sizes.latent, sizes.hidden).apply({"params": mean}, x)
    log_scale = ResidualDense(sizes.latent, sizes.hidden, line=False).apply({"params": scale}, x)
    return center, _bounded(log_scale + _FIRST_LOG_SCALE)


def _bounded(log_scale: jax.Array) -> jax.Array:
    return jnp.clip(log_scale, _LEAST_LOG_SCALE, _MOST_LOG_SCALE)
