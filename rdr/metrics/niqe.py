"""Naturalness of an image without its original: distance of its local statistics to those of photographs.

In the manner of NIQE. It is fitted on a folder of your choice, so its numbers compare with those of the same fit only.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from scipy.special import gammaln as host_gammaln

from rdr.arguments import image_batch, total
from rdr.features.multiscale import half_resolution
from rdr.metrics.moments import feature_array, moments

DIMENSION = 36
_SHAPES = np.arange(0.2, 10.001, 0.001)
# E|x|^2 / E x^2 of a generalized Gaussian, which rises with its shape.
_RATIOS = np.exp(2 * host_gammaln(2 / _SHAPES) - host_gammaln(1 / _SHAPES) - host_gammaln(3 / _SHAPES))


class NaturalModel(NamedTuple):
    """Statistics of natural patches.

    Attributes:
      mean: [36].
      covariance: [36, 36].
      patch_size: side of the patches, pixels of the full resolution.
      num_patches: how many patches it was fitted on.
    """

    mean: np.ndarray
    covariance: np.ndarray
    patch_size: int
    num_patches: int


def patch_statistics(images: ArrayLike, *, patch_size: int = 96) -> tuple[jax.Array, jax.Array]:
    """Computes 36 statistics of each patch: 18 at full and 18 at half resolution.

    Luma is normalized by its local mean and standard deviation (Gaussian window of 7 pixels). The normalized values,
    and the products of neighbors in four directions, are fitted with asymmetric generalized Gaussians by matching
    moments; shapes, widths and means of the fits are the statistics.

    Args:
      images: [batch, height, width, 3], sRGB in [0, 1]; at least `patch_size` each way. What is left over at the
        right and the bottom is not used.
      patch_size: even, at least 16.

    Returns:
      [batch, patches, 36] statistics, and [batch, patches] mean local standard deviation, in [0, 1], which says how
      sharp a patch is. float32, or float64 for float64 images.

    Raises:
      ValueError: if images are too small or not in color, or the patch size is odd or too small.

    Reference:
      Mittal, Soundararajan, Bovik (mittal2013niqe), Making a "completely blind" image quality analyzer, IEEE Signal
      Processing Letters 20 (2013); Lasmar, Stitou, Berthoumieu, Multiscale skewed heavy tailed model for texture
      analysis, ICIP 2009, for the fit. Half resolution is taken with the window (1, 3, 3, 1)/8 (bicubic there).
    """
    images = image_batch(images, channels=3, unit_range=True)
    if patch_size < 16 or patch_size % 2:
        raise ValueError(f"patch_size must be even and at least 16, got {patch_size}")
    rows, columns = (n // patch_size for n in images.shape[1:3])
    if not rows * columns:
        raise ValueError(f"images must measure at least patch_size = {patch_size} each way, got {images.shape}")
    images = images[:, : rows * patch_size, : columns * patch_size]
    luma = total(w * images[..., k] for k, w in enumerate((0.299, 0.587, 0.114)))[..., None] * 255.0
    result, sharpness = [], []
    for scale in range(2):
        if scale:
            luma = half_resolution(luma)
        normalized, deviation = _normalized(luma)
        size = patch_size >> scale
        sharpness.append(jnp.mean(_split(deviation, size), axis=(2, 3)) / 255.0)
        result.append(_asymmetric_fits(normalized, size))
    return jnp.concatenate(result, axis=-1), sharpness[0]


def fit_natural_model(
    statistics: ArrayLike, sharpness: ArrayLike, *, patch_size: int = 96, threshold: float = 0.75
) -> NaturalModel:
    """Fits the statistics of natural patches, from the sharp ones among them.

    Args:
      statistics: [patches, 36], of all images of a folder.
      sharpness: [patches].
      patch_size: recorded in the model.
      threshold: patches sharper than this share of the sharpest are used.

    Returns:
      The model.

    Raises:
      ValueError: if fewer than two patches are left.
    """
    statistics, sharpness = feature_array(statistics, "statistics"), np.asarray(sharpness, np.float64)
    sharp = sharpness >= threshold * sharpness.max()
    if sharp.sum() < 2:
        raise ValueError(f"statistics must hold at least two sharp patches, got {int(sharp.sum())} of {sharp.size}")
    result = moments(statistics[sharp])
    return NaturalModel(result.mean, result.covariance, patch_size, result.count)


def natural_distance(model: NaturalModel, statistics: ArrayLike) -> float:
    """Computes the distance of one image's patches to a model.

        sqrt( (m - m')^T ((C + C')/2)^+ (m - m') ),

    with the means and covariances of the model's and of the image's patches.

    Args:
      model: the model.
      statistics: [patches, 36] of the image; with one patch its covariance counts as 0.

    Returns:
      The distance, 0 or more; lower is more natural.

    Raises:
      ValueError: if the statistics are not those of patches.
    """
    statistics = feature_array(statistics, "statistics")
    if statistics.shape[1] != model.mean.size:
        raise ValueError(f"statistics must have {model.mean.size} columns, got {statistics.shape}")
    result = moments(statistics)
    covariance = result.covariance if result.count > 1 else np.zeros_like(model.covariance)
    away = result.mean - model.mean
    return float(np.sqrt(max(away @ np.linalg.pinv(0.5 * (model.covariance + covariance)) @ away, 0.0)))


def _normalized(luma: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean-subtracted, contrast-normalized values, and local standard deviations."""
    window = np.exp(-(np.arange(-3, 4) ** 2) / (2.0 * (7 / 6) ** 2))
    window = [float(w) for w in window / window.sum()]

    def blur(x):
        height, width = x.shape[1:3]
        x = jnp.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="edge")
        x = total(w * x[:, k : k + height] for k, w in enumerate(window))
        return total(w * x[:, :, k : k + width] for k, w in enumerate(window))

    middle = jnp.mean(luma, axis=(1, 2), keepdims=True)  # keeps the squares small
    mean = blur(luma - middle)
    variance = blur(jnp.square(luma - middle)) - jnp.square(mean)
    deviation = jnp.sqrt(jnp.maximum(variance, 0.0))
    return (luma - middle - mean) / (deviation + 1.0), deviation


def _split(maps: jax.Array, size: int) -> jax.Array:
    """[batch, height, width, 1] to [batch, patches, size, size]."""
    batch, height, width, _ = maps.shape
    maps = maps.reshape(batch, height // size, size, width // size, size)
    return maps.transpose(0, 1, 3, 2, 4).reshape(batch, -1, size, size)


def _asymmetric_fits(normalized: jax.Array, size: int) -> jax.Array:
    values = _split(normalized, size)
    shape, _, left, right = asymmetric_fit(values)
    result = [shape, 0.5 * (left + right)]
    for row, column in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # The neighbor within the whole image, cyclic at its border.
        product = normalized * jnp.roll(normalized, (-row, -column), axis=(1, 2))
        shape, mean, left, right = asymmetric_fit(_split(product, size))
        result += [shape, mean, left, right]
    return jnp.stack(result, axis=-1)


def asymmetric_fit(values: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Fits an asymmetric generalized Gaussian by its moments.

    The density falls as exp(-(|x| / b)^shape) on both sides, with b of its own on each.

    Args:
      values: [..., rows, columns]; one fit per leading index.

    Returns:
      Shape, from 0.2 to 10; mean; left and right root mean square. A patch of zeros has shape 10 and 0 elsewhere.
    """
    values = jnp.asarray(values)
    axes = (-2, -1)

    def root_mean_square(side):
        count = jnp.maximum(jnp.sum(side, axes), 1)
        return jnp.sqrt(jnp.sum(jnp.where(side, values**2, 0.0), axes) / count.astype(values.dtype))

    left, right = root_mean_square(values < 0), root_mean_square(values > 0)
    power = jnp.mean(values**2, axes)
    there = power > 0
    asymmetry = left / jnp.where(right > 0, right, 1.0)
    ratio = jnp.square(jnp.mean(jnp.abs(values), axes)) / jnp.where(there, power, 1.0)
    ratio = ratio * (asymmetry**3 + 1) * (asymmetry + 1) / jnp.square(asymmetry**2 + 1)
    table, shapes = (jnp.asarray(x, values.dtype) for x in (_RATIOS, _SHAPES))
    shape = jnp.where(there, jnp.interp(ratio, table, shapes), shapes[-1])
    width = jnp.exp(0.5 * (gammaln(1 / shape) - gammaln(3 / shape)))
    mean = (right - left) * width * jnp.exp(gammaln(2 / shape) - gammaln(1 / shape))
    return shape, mean, left, right


compiled_patch_statistics = functools.partial(jax.jit, static_argnames=("patch_size",))(patch_statistics)
