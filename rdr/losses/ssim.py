"""Structural similarity, at one scale (SSIM) and over several (MS-SSIM)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import checks_values, image_pair

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_BLOCK = 64  # positions of the window that one matrix product computes


def ssim(
    images: ArrayLike,
    reference: ArrayLike,
    *,
    data_range: float = 1.0,
    window_size: int = 11,
    window_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> jax.Array:
    """Computes the structural similarity of images.

    With local means m, variances v and covariance c under a Gaussian window, at each position and channel,

        S = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1) * (2 c + C2) / (v_x + v_y + C2),

    C_i = (k_i * data_range)^2; the result is the mean of S over the positions at which the window fits into
    the image, and over the channels. Variances divide by the window's mass (not by n - 1).

    Args:
      images: [batch, height, width, channels], height and width at least `window_size`.
      reference: the same shape.
      data_range: the difference between the largest and the smallest admissible value.
      window_size: odd width of the window in pixels.
      window_sigma: standard deviation of the Gaussian in pixels.
      k1: constant that steadies the luminance term.
      k2: constant that steadies the contrast-structure term.

    Returns:
      [batch], in [-1, 1], 1 for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, the images are smaller than the window, or an option is not positive.

    Reference:
      Wang, Bovik, Sheikh, Simoncelli (wang2004ssim), Image quality assessment: from error visibility to structural
      similarity, IEEE Transactions on Image Processing 13 (2004). The authors average color images to gray
      and may reduce their size first; here neither is done.
    """
    images, reference = image_pair(images, reference)
    _check_spread(images, reference, data_range)
    _check_window(images.shape, window_size, 1)
    constants = _check_constants(data_range, window_sigma, k1, k2)
    luminance, contrast = _terms(_planes(images), _planes(reference), _window(window_size, window_sigma), constants)
    return jnp.mean(luminance * contrast, axis=(1, 2, 3))


def ms_ssim(
    images: ArrayLike,
    reference: ArrayLike,
    *,
    data_range: float = 1.0,
    weights: tuple[float, ...] = MS_SSIM_WEIGHTS,
    window_size: int = 11,
    window_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> jax.Array:
    """Computes the multi-scale structural similarity of images.

    Per channel the product over scales j = 1..J of (mean contrast-structure term at scale j)^{w_j}, the last
    scale with the full SSIM instead; then the mean over the channels. Between scales images are averaged over
    2x2 pixels. A negative mean counts as 0, with gradient 0, so that its fractional power is defined.

    Args:
      images: [batch, height, width, channels], height and width at least
        (window_size - 1) * 2^(J-1) + 1 (161 with the usual five scales).
      reference: the same shape.
      data_range: the difference between the largest and the smallest admissible value.
      weights: exponent of each scale, finest first; fewer scales suit smaller images. Not normalized.
      window_size: odd width of the window in pixels, at every scale.
      window_sigma: standard deviation of the Gaussian in pixels.
      k1: constant that steadies the luminance term.
      k2: constant that steadies the contrast-structure term.

    Returns:
      [batch], in [0, 1], 1 for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, the images are too small for the number of scales, or an option is not
        positive.

    Reference:
      Wang, Simoncelli, Bovik (wang2003multiscale), Multiscale structural similarity for image quality assessment,
      Asilomar 2003. As in the PyTorch package pytorch-msssim, whose values this reproduces where all scales have even
      sizes; an odd row or column is repeated here before averaging, where that package puts zeros around the image.
    """
    images, reference = image_pair(images, reference)
    _check_spread(images, reference, data_range)
    if not weights:
        raise ValueError("weights must name at least one scale, got none")
    _check_window(images.shape, window_size, len(weights))
    constants, window = _check_constants(data_range, window_sigma, k1, k2), _window(window_size, window_sigma)
    images, reference = _planes(images), _planes(reference)
    product = 1.0
    for scale, weight in enumerate(weights):
        luminance, term = _terms(images, reference, window, constants)
        if scale == len(weights) - 1:
            term = luminance * term
        mean = jnp.mean(term, axis=(2, 3))
        positive = mean > 0
        product *= jnp.where(positive, jnp.where(positive, mean, 1.0) ** weight, 0.0)
        if scale < len(weights) - 1:
            images, reference = _halve(images), _halve(reference)
    return jnp.mean(product, axis=1)


def ssim_loss(images: ArrayLike, reference: ArrayLike, **options) -> jax.Array:
    """Computes 1 - SSIM.

    Args:
      images: [batch, height, width, channels].
      reference: the same shape.
      **options: those of `ssim`.

    Returns:
      [batch], in [0, 2], 0 for equal images.
    """
    return 1.0 - ssim(images, reference, **options)


def ms_ssim_loss(images: ArrayLike, reference: ArrayLike, **options) -> jax.Array:
    """Computes 1 - MS-SSIM.

    Args:
      images: [batch, height, width, channels].
      reference: the same shape.
      **options: those of `ms_ssim`.

    Returns:
      [batch], in [0, 1], 0 for equal images.
    """
    return 1.0 - ms_ssim(images, reference, **options)


def _check_window(shape: tuple[int, ...], window_size: int, num_scales: int) -> None:
    if window_size < 1 or window_size % 2 == 0:
        raise ValueError(f"window_size must be odd and positive, got {window_size}")
    least = (window_size - 1) * 2 ** (num_scales - 1) + 1
    if min(shape[1:3]) < least:
        raise ValueError(
            f"images must measure at least {least} pixels each way for {num_scales} scales of a window of "
            f"{window_size}, got {shape}"
        )


def _check_spread(images: jax.Array, reference: jax.Array, data_range: float) -> None:
    """Refuses concrete values that are further apart than images of that range can be."""
    if isinstance(images, jax.core.Tracer) or isinstance(reference, jax.core.Tracer) or not checks_values():
        return
    for name, values in (("images", images), ("reference", reference)):
        spread = float(jnp.max(values) - jnp.min(values)) if values.size else 0.0
        if 0 < data_range < np.inf and spread > 3 * data_range:
            raise ValueError(f"{name} must be within data_range = {data_range:g} of each other, got values "
                             f"{spread:g} apart: divide by the largest, or give data_range (not with RDR_CHECKS=0)")


def _check_constants(data_range: float, sigma: float, k1: float, k2: float) -> tuple[float, float]:
    for name, value in (("data_range", data_range), ("window_sigma", sigma), ("k1", k1), ("k2", k2)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    return (k1 * data_range) ** 2, (k2 * data_range) ** 2


def _window(size: int, sigma: float) -> np.ndarray:
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets**2) / (2.0 * sigma**2))
    return window / window.sum()


def _planes(x: jax.Array) -> jax.Array:
    """[batch, channels, height, width]: what is blurred lies side by side."""
    return jnp.moveaxis(x, 3, 1)


def _terms(
    x: jax.Array, y: jax.Array, window: np.ndarray, constants: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
    """Luminance and contrast-structure terms of planes, [batch, channels, positions, positions], transposed.

    Both are written as 1 less a quotient of what differs: exactly 1 for equal images, and never above.
    """
    c1, c2 = constants
    # Moments about the images' own mean: what is subtracted below is then small. They do not depend on it.
    middle = jax.lax.stop_gradient(0.5 * (x + y).mean((2, 3), keepdims=True))
    u, v, difference = x - middle, y - middle, x - y
    blurred = _blur(jnp.stack([u, difference, u * u + v * v, difference * difference]), window)
    mean_u, mean_difference, power, squares = blurred
    mean_v = mean_u - mean_difference
    power = _not_negative(power - mean_u**2 - mean_v**2)
    # v_x + v_y - 2 c is the variance of the difference.
    spread = _not_negative(squares - mean_difference**2)
    luminance = 1.0 - mean_difference**2 / ((mean_u + middle) ** 2 + (mean_v + middle) ** 2 + c1)
    return luminance, 1.0 - spread / (power + c2)


def _not_negative(x: jax.Array) -> jax.Array:
    """Removes rounding below 0. At 0 all derivatives pass (`jnp.maximum` halves them: equal images lie there)."""
    return jnp.where(x >= 0, x, 0.0)


def _blur(x: jax.Array, window: np.ndarray) -> jax.Array:
    """Correlates planes [..., height, width] with a separable window where it fits; gives [..., columns, rows]."""
    return _blur_lines(jnp.swapaxes(_blur_lines(x, window), -1, -2), window)


def _blur_lines(x: jax.Array, window: np.ndarray) -> jax.Array:
    """Correlates lines [..., n] with a window where it fits, as products with a banded matrix.

    A matrix product is what processors do fastest, its derivative is another, and it needs no temporary arrays. Long
    lines are cut into blocks that overlap by the window, since most of a large banded matrix is zeros.
    """
    positions = x.shape[-1] - window.size + 1
    count = -(-positions // _BLOCK)
    block = -(-positions // count)
    matrix = np.zeros((block + window.size - 1, block))
    for k, weight in enumerate(window):
        matrix[np.arange(block) + k, np.arange(block)] = weight
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, count * block - positions)])
    blocks = jnp.stack([x[..., i * block : (i + 1) * block + window.size - 1] for i in range(count)], axis=-2)
    blurred = jnp.matmul(blocks, jnp.asarray(matrix, x.dtype), precision=jax.lax.Precision.HIGHEST)
    return blurred.reshape(*x.shape[:-1], count * block)[..., :positions]


def _halve(x: jax.Array) -> jax.Array:
    batch, channels, height, width = x.shape
    if height % 2 or width % 2:
        x = jnp.pad(x, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    return x.reshape(batch, channels, (height + 1) // 2, 2, (width + 1) // 2, 2).mean(axis=(3, 5))
