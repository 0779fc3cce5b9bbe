"""Maps of errors of images: squared error, Wasserstein distortion and LPIPS, pixel by pixel.

The mean of a map is the metric's value, so that a map says which pixels that value comes from.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_pair
from rdr.codecs.overfitted.objectives import FeatureMaps, feature_maps
from rdr.features import alexnet
from rdr.losses import lpips
from rdr.losses.wasserstein_distortion import pooling, prepare
from rdr.vision.display import Display


def squared_error_map(images: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Computes the squared error of each pixel, averaged over its channels.

    Args:
      images: [batch, height, width, channels], in [0, 1].
      reference: the same shape.

    Returns:
      float64 [batch, height, width].

    Raises:
      ValueError: if the shapes differ.
    """
    images, reference = (np.asarray(x, np.float64) for x in image_pair(images, reference, unit_range=True))
    return np.square(images - reference).mean(-1)


def wasserstein_distortion_map(images: ArrayLike, reference: ArrayLike, sigma: float, *,
                               features: str | FeatureMaps = "alexnet", scales: int = 1,
                               display: str | Display | None = None) -> np.ndarray:
    """Computes what each pixel adds to Wasserstein distortion with windows of one width.

    D = mean_n D(n) with D(n) = sum_i w_i sum_c u_i(n, c) [(m_i - m_i')^2 + (v_i - v_i')^2](c); see
    `rdr.losses.wasserstein_distortion`. Feature maps that are smaller than the image are repeated.

    Args:
      images: [batch, height, width, channels], sRGB in [0, 1].
      reference: the same shape.
      sigma: standard deviation of the windows, in pixels.
      features: see `rdr.codecs.overfitted.objectives.feature_maps`.
      scales: number of resolutions of the features.
      display: of the features "vdp".

    Returns:
      float64 [batch, height, width].

    Raises:
      ValueError: if the shapes differ, sigma is negative, there are no such features, or "vdp" has no display.
      FileNotFoundError: if a network's weights are not installed.

    Reference: qiu2024wasserstein.
    """
    images, reference = image_pair(images, reference, unit_range=True)
    batch, height, width, _ = images.shape
    params, call = feature_maps(features, scales, display)
    total = np.zeros((batch, height, width))
    for name, theirs in call(params, reference).items():
        ours = call(params, images)[name]
        one, other = (prepare({name: maps}, sigma, image_shape=(height, width)).groups[0] for maps in (ours, theirs))
        levels = zip(one.means, other.means, one.deviations, other.deviations, one.weights)
        size = (theirs.shape[1], theirs.shape[2])
        local = np.zeros((batch, *size))
        for level, (mean, mean_, deviation, deviation_, weights) in enumerate(levels):
            if weights is None or mean is None or mean_ is None:
                continue
            squares = np.square(np.asarray(mean - mean_ + (one.center - other.center), np.float64))
            if deviation is not None and deviation_ is not None:
                squares += np.square(np.asarray(deviation, np.float64) - np.asarray(deviation_, np.float64))
            windows, is_last = squares.mean(-1), mean.shape[1:3] == (1, 1)
            share = float(np.asarray(weights, np.float64).sum())
            local += share * (windows if is_last else _to_pixels(windows, level, size))
        total += _repeat(local, (height, width))
    return total


def _to_pixels(windows: np.ndarray, level: int, size: tuple[int, int]) -> np.ndarray:
    """Interpolates between the windows of a level: [batch, rows, columns] to [batch, *size]."""
    def along(n: int) -> np.ndarray:
        matrix = np.eye(n)
        for step in range(level):
            build = pooling.interpolation_matrix if step < level - 1 else pooling.dense_interpolation_matrix
            matrix = matrix @ build(matrix.shape[1])
        return matrix

    rows, columns = map(along, size)
    return pooling.apply_along_both_axes(rows, windows, columns)


def _repeat(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Brings maps to a larger size by repeating the nearest value."""
    rows, columns = ((np.arange(n) + 0.5) * have // n for n, have in zip(size, values.shape[1:]))
    return values[:, rows.astype(int)][:, :, columns.astype(int)]


def lpips_map(images: ArrayLike, reference: ArrayLike, params: lpips.LPIPSParams | None = None) -> np.ndarray:
    """Computes LPIPS v0.1 on AlexNet at each pixel, each layer's map repeated to the image's size.

    Args:
      images: [batch, height, width, 3], sRGB in [0, 1].
      reference: the same shape.
      params: `lpips.load_params()`, or None to read them.

    Returns:
      float64 [batch, height, width]; its mean is LPIPS, nearly: layers' borders count differently.

    Raises:
      ValueError: if the shapes differ or the images are too small for the network.
      FileNotFoundError: if the weights are not installed.

    Reference: zhang2018unreasonable.
    """
    images, reference = image_pair(images, reference, channels=3, unit_range=True)
    params = lpips.load_params() if params is None else params
    maps: list[Any] = [tuple(alexnet.features(params.network, x, taps=alexnet.RECTIFIED).values())
                       for x in (images, reference)]
    total = np.zeros(images.shape[:3])
    for ours, theirs, head in zip(*maps, params.heads, strict=True):
        # One position a batch entry: `unit_distance` averages over positions.
        flat = [x.reshape(-1, 1, 1, x.shape[-1]) for x in (ours, theirs)]
        local: jax.Array = lpips.unit_distance((flat[0],), (flat[1],), (jnp.asarray(head),))
        total += _repeat(np.asarray(local, np.float64).reshape(ours.shape[:3]), (images.shape[1], images.shape[2]))
    return total
