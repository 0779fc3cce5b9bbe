"""Texture statistics of the complex steerable pyramid, after Portilla and Simoncelli."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_batch, image_pair, total
from rdr.features import steerable_pyramid
from rdr.gradients import safe_sqrt

# Added to variances that divide: (1/1000 of the range of intensities) squared.
_FLOOR = 1e-6


class TextureStatistics(NamedTuple):
    """Statistics of a texture, averaged over all positions; each channel by itself unless said.

    Every field is dimensionless or in units of intensity. Tuples have one entry per scale, finest first.

    Attributes:
      pixels: [batch, channels, 4]: mean, standard deviation, skewness and kurtosis of the intensities.
      channels: [batch, channels, channels]: correlations of the channels.
      highpass: [batch, channels]: standard deviation of the high-pass residual.
      lowpass: for scales 0..S, [batch, channels, 3]: standard deviation, skewness, kurtosis of the low-pass.
      lowpass_autocorrelations: for scales 0..S, [batch, n, n, channels].
      magnitudes: [batch, channels, orientations]: mean magnitude of each band.
      magnitude_autocorrelations: [batch, n, n, channels, orientations].
      magnitude_correlations: [batch, channels, orientations, orientations]: within a scale.
      parent_magnitude_correlations: the same with the next coarser scale; one entry fewer.
      parent_phase_correlations: [batch, channels, orientations, 2 orientations]: of the real parts with the
        real and imaginary parts of the phase-doubled coarser scale; one entry fewer.
    """

    pixels: jax.Array
    channels: jax.Array
    highpass: jax.Array
    lowpass: tuple[jax.Array, ...]
    lowpass_autocorrelations: tuple[jax.Array, ...]
    magnitudes: tuple[jax.Array, ...]
    magnitude_autocorrelations: tuple[jax.Array, ...]
    magnitude_correlations: tuple[jax.Array, ...]
    parent_magnitude_correlations: tuple[jax.Array, ...]
    parent_phase_correlations: tuple[jax.Array, ...]


def texture_statistics(
    images: ArrayLike, *, num_scales: int = 4, num_orientations: int = 4, neighborhood: int = 7
) -> TextureStatistics:
    """Computes statistics that describe a texture, whatever its phase.

    Moments of intensities and of low-pass images; autocorrelations of low-pass images and of the magnitudes
    of oriented bands; correlations of magnitudes across orientations and scales; correlations of bands with
    the phase-doubled bands of the next coarser scale, which tell edges from lines. All are averages over the
    periodic extension of the image, so a cyclic shift changes nothing. Correlations divide by
    (variance + 1e-6), so that flat images have finite statistics and gradients.

    Args:
      images: [batch, height, width, channels], in [0, 1]; any size.
      num_scales: number of octaves.
      num_orientations: number of orientations, at least 2.
      neighborhood: odd width of the autocorrelations; less where a map is smaller.

    Returns:
      The statistics; float32, or float64 for float64 images.

    Raises:
      ValueError: if a number is out of its range, or `images` is no batch of images.

    Reference:
      Portilla, Simoncelli (portilla2000parametric), A parametric texture model based on joint statistics of complex
      wavelet coefficients, IJCV 40 (2000). Differences: the low-pass images are filtered, not reconstructed from bands;
      minimum and maximum are left out, as they have no useful gradient; covariances are normalized to correlations;
      channels are added as plain correlations of intensities.
    """
    images = image_batch(images)
    if neighborhood < 1 or neighborhood % 2 == 0:
        raise ValueError(f"neighborhood must be odd and positive, got {neighborhood}")
    size = (images.shape[1], images.shape[2])
    pyramid = steerable_pyramid.steerable_pyramid(
        images, num_scales=num_scales, num_orientations=num_orientations
    )
    spectrum = jnp.fft.fft2(images, axes=(1, 2))
    lowpasses = [steerable_pyramid.lowpass_image(spectrum, size, s) for s in range(num_scales + 1)]
    magnitudes = [steerable_pyramid.magnitude(band) for band in pyramid.bands]
    centered = [m - jnp.mean(m, axis=(1, 2), keepdims=True) for m in magnitudes]
    parents, phases = [], []
    for scale in range(num_scales - 1):
        coarse = _enlarged(pyramid.bands[scale + 1], (pyramid.bands[scale].shape[1], pyramid.bands[scale].shape[2]))
        parent = steerable_pyramid.magnitude(coarse)
        # z^2 / |z|: the phase doubled, the magnitude kept; 0 at 0.
        scaled = coarse / jnp.where(parent > 0, parent, 1.0)
        real, imaginary = scaled.real, scaled.imag
        doubled = jnp.concatenate(
            [parent * (real**2 - imaginary**2), parent * 2.0 * real * imaginary], axis=-1
        )
        parent -= jnp.mean(parent, axis=(1, 2), keepdims=True)
        parents.append(_correlations(centered[scale], parent))
        phases.append(_correlations(pyramid.bands[scale].real, doubled))
    colors = (images - jnp.mean(images, axis=(1, 2), keepdims=True))[:, :, :, None, :]
    return TextureStatistics(
        pixels=jnp.concatenate([jnp.mean(images, axis=(1, 2))[..., None], _moments(images)], axis=-1),
        channels=_correlations(colors, colors)[:, 0],
        highpass=_deviation(jnp.mean(jnp.square(pyramid.highpass), axis=(1, 2))),
        lowpass=tuple(map(_moments, lowpasses)),
        lowpass_autocorrelations=tuple(_autocorrelation(x, neighborhood) for x in lowpasses),
        magnitudes=tuple(jnp.mean(m, axis=(1, 2)) for m in magnitudes),
        magnitude_autocorrelations=tuple(_autocorrelation(m, neighborhood) for m in magnitudes),
        magnitude_correlations=tuple(_correlations(c, c) for c in centered),
        parent_magnitude_correlations=tuple(parents),
        parent_phase_correlations=tuple(phases),
    )


def texture_distance(
    images: ArrayLike,
    reference: ArrayLike,
    *,
    num_scales: int = 4,
    num_orientations: int = 4,
    neighborhood: int = 7,
) -> jax.Array:
    """Computes how far two textures are apart in their statistics.

    The mean over the groups of statistics (each array of `TextureStatistics`) of the mean squared difference.
    Realism of a stationary texture without fidelity: cyclic shifts of an image are at distance 0.

    Args:
      images: [batch, height, width, channels], in [0, 1].
      reference: the same shape.
      num_scales: number of octaves.
      num_orientations: number of orientations, at least 2.
      neighborhood: odd width of the autocorrelations.

    Returns:
      [batch], dimensionless; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes differ, or a number is out of its range.
    """
    images, reference = image_pair(images, reference)
    options = {
        "num_scales": num_scales, "num_orientations": num_orientations, "neighborhood": neighborhood,
    }  # fmt: skip
    groups = zip(*(jax.tree.leaves(texture_statistics(x, **options)) for x in (images, reference)))
    means = [jnp.mean(jnp.square(x - y), axis=tuple(range(1, x.ndim))) for x, y in groups]
    return total(means) / len(means)


def _deviation(variance: jax.Array) -> jax.Array:
    """A standard deviation whose gradient stays finite: sqrt(v + f) - sqrt(f)."""
    return jnp.sqrt(variance + _FLOOR) - math.sqrt(_FLOOR)


def _moments(x: jax.Array) -> jax.Array:
    """Standard deviation, skewness and kurtosis over the positions, [batch, channels, 3]."""
    x = x - jnp.mean(x, axis=(1, 2), keepdims=True)
    variance, third, fourth = (jnp.mean(x**k, axis=(1, 2)) for k in (2, 3, 4))
    scale = variance + _FLOOR
    return jnp.stack([_deviation(variance), third / scale**1.5, fourth / scale**2], axis=-1)


def _autocorrelation(x: jax.Array, neighborhood: int) -> jax.Array:
    """Cyclic autocorrelation at the smallest shifts, [batch, n, n, ...]."""
    x = x - jnp.mean(x, axis=(1, 2), keepdims=True)
    spectrum = jnp.fft.fft2(x, axes=(1, 2))
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    covariance = jnp.fft.ifft2(power, axes=(1, 2)).real / (x.shape[1] * x.shape[2])
    variance = covariance[:, :1, :1]
    for axis in (1, 2):
        reach = min(neighborhood, x.shape[axis] - 1 + x.shape[axis] % 2) // 2
        covariance = jnp.take(covariance, np.arange(-reach, reach + 1) % x.shape[axis], axis=axis)
    return covariance / (variance + _FLOOR)


def _correlations(x: jax.Array, y: jax.Array) -> jax.Array:
    """Correlations of the last axes at equal positions, [batch, channels, of x, of y]."""
    count = x.shape[1] * x.shape[2]
    covariance = jnp.einsum("nhwci,nhwcj->ncij", x, y, precision=jax.lax.Precision.HIGHEST) / count
    x_scale, y_scale = (safe_sqrt(jnp.mean(jnp.square(z), axis=(1, 2)) + _FLOOR) for z in (x, y))
    return covariance / (x_scale[:, :, :, None] * y_scale[:, :, None, :])


def _enlarged(band: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Interpolates complex maps to the size of the next finer scale."""
    spectrum = steerable_pyramid.pad_spectrum(jnp.fft.fft2(band, axes=(1, 2)), size)
    return jnp.fft.ifft2(spectrum, axes=(1, 2))
