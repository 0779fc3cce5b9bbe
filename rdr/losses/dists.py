"""DISTS: deep image structure and texture similarity, on VGG-16."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_pair
from rdr.features import vgg, weights

_CHANNELS = (3, 64, 128, 256, 512, 512)
_WEIGHTS_FILE = pathlib.Path(__file__).parent / "data" / "dists_alpha_beta.npy"


class DISTSParams(NamedTuple):
    """What DISTS has learned.

    Attributes:
      network: VGG-16 (`rdr.features.weights.load_params`).
      alpha: weight of each channel's texture (mean) similarity, [1475]: 3 of the image, then 64, 128, 256, 512
        and 512 of the maps.
      beta: weight of each channel's structure (covariance) similarity, [1475].
    """

    network: weights.Params
    alpha: jax.Array
    beta: jax.Array


def load_params(path: str | pathlib.Path | None = None) -> DISTSParams:
    """Reads VGG-16 from this machine, and alpha and beta, which come with this package.

    Alpha and beta (12 kB) are those of the package dists-pytorch 0.1, under its MIT license, which is kept
    beside them; nothing needs to be installed for them.

    Args:
      path: a file of VGG-16's weights, as for `rdr.features.weights.load_params`.

    Returns:
      The parameters, float32.

    Raises:
      FileNotFoundError: if there are no VGG-16 weights; the message says what to install.
      ValueError: if the file is not the expected one.
    """
    return with_published_weights(weights.load_params("vgg16", path))


def with_published_weights(network: weights.Params) -> DISTSParams:
    """Joins the published alpha and beta to a VGG-16 that is loaded already.

    Args:
      network: parameters of VGG-16.

    Returns:
      The parameters of DISTS.
    """
    alpha, beta = np.load(_WEIGHTS_FILE, allow_pickle=False)
    return DISTSParams(network, jnp.asarray(alpha, jnp.float32), jnp.asarray(beta, jnp.float32))


def dists(params: DISTSParams, images: ArrayLike, reference: ArrayLike) -> jax.Array:
    """Computes DISTS.

    With spatial means m, variances v and covariance c of each channel of the image and of five VGG-16 maps
    (computed with L2 pooling),

        1 - sum_j [ alpha_j (2 m_x m_y + 1e-6) / (m_x^2 + m_y^2 + 1e-6)
                    + beta_j (2 c + 1e-6) / (v_x + v_y + 1e-6) ],

    alpha and beta scaled to sum to 1 together.

    Args:
      params: `load_params()`.
      images: [batch, height, width, 3], sRGB in [0, 1]. The authors first shrink images so that their
        shorter side has 256 pixels; here that is left to the caller.
      reference: the same shape.

    Returns:
      [batch], 0 for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if `params` is something else, the shapes differ, or alpha and beta have not 1475 entries.

    Reference:
      Ding, Ma, Wang, Simoncelli (ding2020dists), Image Quality Assessment: Unifying Structure and Texture Similarity,
      IEEE TPAMI 2020, arXiv 2004.07728.
    """
    if not isinstance(params, DISTSParams):
        raise ValueError(
            f"params, the first argument, must be DISTSParams as load_params() returns, got {type(params).__name__}")
    images, reference = image_pair(images, reference, channels=3, unit_range=True)
    count = sum(_CHANNELS)
    if params.alpha.shape != (count,) or params.beta.shape != (count,):
        raise ValueError(f"params must have alpha and beta of shape ({count},), got {params.alpha.shape}")
    dtype = images.dtype
    scale = 1.0 / (jnp.sum(params.alpha.astype(dtype)) + jnp.sum(params.beta.astype(dtype)))
    splits = np.cumsum(_CHANNELS)[:-1]
    alphas = jnp.split(params.alpha.astype(dtype) * scale, splits)
    betas = jnp.split(params.beta.astype(dtype) * scale, splits)
    maps, reference_maps = (
        (x, *vgg.features(params.network, x, pooling="l2").values()) for x in (images, reference)
    )
    distance = jnp.zeros(images.shape[0], dtype)
    for x, y, alpha, beta in zip(maps, reference_maps, alphas, betas, strict=True):
        texture, structure = _dissimilarities(x, y)
        distance += jnp.sum(alpha[None, :] * texture + beta[None, :] * structure, axis=1)
    return distance


def _dissimilarities(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """1 minus each similarity, [batch, channels], without the cancellation of subtracting from 1."""
    mean_x, mean_y = jnp.mean(x, axis=(1, 2)), jnp.mean(y, axis=(1, 2))
    centered_x, centered_y = x - mean_x[:, None, None, :], y - mean_y[:, None, None, :]
    power = jnp.mean(jnp.square(centered_x) + jnp.square(centered_y), axis=(1, 2))
    texture = jnp.square(mean_x - mean_y) / (mean_x**2 + mean_y**2 + 1e-6)
    structure = jnp.mean(jnp.square(centered_x - centered_y), axis=(1, 2)) / (power + 1e-6)
    return texture, structure
