"""The complex steerable pyramid: oriented, analytic band-pass maps at octave-spaced scales.

Everything happens in the frequency domain on the periodic extension of the image, so opposite borders touch.
Sizes need not be even: at scale s a map has ceil(n / 2^s) samples, and filters keep their physical
frequencies, so the frame stays exactly tight.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_batch
from rdr.gradients import safe_sqrt


class SteerablePyramid(NamedTuple):
    """A complex steerable pyramid of a batch of images.

    Attributes:
      highpass: [batch, height, width, channels], what lies above the finest scale.
      bands: for each scale, finest first, complex [batch, ceil(height / 2^s), ceil(width / 2^s), channels,
        orientations]; the real parts are the real steerable pyramid. Band k responds to frequency vectors at
        the angle pi k / orientations from the horizontal frequency axis (k = 0: vertical edges).
      lowpass: [batch, ceil(height / 2^scales), ceil(width / 2^scales), channels].
    """

    highpass: jax.Array
    bands: tuple[jax.Array, ...]
    lowpass: jax.Array


def steerable_pyramid(
    images: ArrayLike, *, num_scales: int = 4, num_orientations: int = 4
) -> SteerablePyramid:
    """Computes the complex steerable pyramid of images.

    In polar frequency coordinates (r, t), with r in radians per sample of scale s, band k is the image
    filtered with

        2 B(r) G_k(t) [|t - t_k| < pi/2],   B^2(r) = L^2(r / 2) - L^2(r),
        G_k(t) = (-i)^(K-1) a_K cos(t - t_k)^(K-1),   t_k = pi k / K,

    where L is 1 below pi/4, cos(pi/2 log2(4 r / pi)) up to pi/2 and 0 above, and sum_k |G_k|^2 = 1. Maps are
    subsampled without aliasing and keep their amplitude. The frame is tight: per channel

        mean x^2 = mean highpass^2 + 1/2 sum_{s,k} mean |band_{s,k}|^2 + mean lowpass^2.

    Args:
      images: [batch, height, width, channels]; any size.
      num_scales: number of octaves.
      num_orientations: K, at least 2.

    Returns:
      The pyramid; real maps in the images' type (at least float32), complex ones in the complex type of the
      same precision.

    Raises:
      ValueError: if there are fewer than 1 scale or 2 orientations, or `images` is no batch of images.

    Reference:
      Simoncelli, Freeman (simoncelli1995steerable), The steerable pyramid, ICIP 1995; Portilla, Simoncelli
      (portilla2000parametric), A parametric texture model based on joint statistics of complex wavelet coefficients,
      IJCV 40 (2000). The band filters there are half as large (their real parts, from both half planes, agree with
      ours).
    """
    images = image_batch(images)
    if num_scales < 1:
        raise ValueError(f"num_scales must be at least 1, got {num_scales}")
    if num_orientations < 2:
        raise ValueError(f"num_orientations must be at least 2, got {num_orientations}")
    size = (images.shape[1], images.shape[2])
    spectrum = jnp.fft.fft2(images, axes=(1, 2))
    highpass = _filtered(spectrum, _high_mask(size)).real
    bands = []
    for scale in range(num_scales):
        cropped = crop_spectrum(spectrum, scaled_size(size, scale))
        radial = _mask(_band_mask(size, scale), cropped)
        angular = _angular_masks(size, scale, num_orientations)
        oriented = jnp.asarray(angular, cropped.dtype)[None, :, :, None, :] * (radial * cropped)[..., None]
        bands.append(jnp.fft.ifft2(oriented, axes=(1, 2)))
    lowpass = lowpass_image(spectrum, size, num_scales)
    return SteerablePyramid(highpass, tuple(bands), lowpass)


def reconstruct(pyramid: SteerablePyramid) -> jax.Array:
    """Puts a steerable pyramid together again, from the real parts of its bands.

    Args:
      pyramid: what `steerable_pyramid` returned.

    Returns:
      The images, [batch, height, width, channels].
    """
    size = (pyramid.highpass.shape[1], pyramid.highpass.shape[2])
    spectrum = _mask(_high_mask(size), pyramid.highpass) * jnp.fft.fft2(pyramid.highpass, axes=(1, 2))
    for scale, band in enumerate(pyramid.bands):
        real = jnp.fft.fft2(band.real, axes=(1, 2))
        # Analytic filters of both half planes add up to the real filter.
        half = jnp.asarray(_angular_masks(size, scale, band.shape[-1]), real.dtype)
        both = 0.5 * (half + _conjugate_mirror(half))
        combined = jnp.sum(jnp.conj(both)[None, :, :, None, :] * real, axis=-1)
        spectrum += pad_spectrum(_mask(_band_mask(size, scale), combined) * combined, size)
    low = jnp.fft.fft2(pyramid.lowpass, axes=(1, 2))
    spectrum += pad_spectrum(_mask(_low_mask(size, len(pyramid.bands)), low) * low, size)
    return jnp.fft.ifft2(spectrum, axes=(1, 2)).real


def features(
    params: Any,
    images: ArrayLike,
    *,
    num_scales: int = 4,
    num_orientations: int = 4,
    parts: tuple[str, ...] = ("real", "imaginary", "magnitude"),
) -> dict[str, jax.Array]:
    """Returns the complex steerable pyramid as real feature maps.

    Args:
      params: not used (None); there so that all feature maps are called alike.
      images: [batch, height, width, channels].
      num_scales: number of octaves.
      num_orientations: number of orientations, at least 2.
      parts: which of "real", "imaginary" and "magnitude" to return of the complex bands. The magnitude's
        gradient at 0 is given as 0.

    Returns:
      {"highpass": [batch, height, width, channels], "band_0": finest bands, ..., "lowpass": ...}, each band
      map with channels * orientations * len(parts) channels.

    Raises:
      ValueError: if a part is unknown, or for the reasons of `steerable_pyramid`.
    """
    del params
    choose = {
        "real": lambda band: band.real,
        "imaginary": lambda band: band.imag,
        "magnitude": magnitude,
    }
    for part in parts:
        if part not in choose:
            raise ValueError(f"parts must be among {', '.join(map(repr, choose))}, got {part!r}")
    pyramid = steerable_pyramid(images, num_scales=num_scales, num_orientations=num_orientations)
    maps = {"highpass": pyramid.highpass}
    for scale, band in enumerate(pyramid.bands):
        stacked = jnp.stack([choose[part](band) for part in parts], axis=-1)
        channels = math.prod(stacked.shape[3:])
        maps[f"band_{scale}"] = stacked.reshape(*stacked.shape[:3], channels)
    return maps | {"lowpass": pyramid.lowpass}


def magnitude(band: jax.Array) -> jax.Array:
    """Computes |z| with gradient 0, instead of NaN, at 0.

    Args:
      band: complex, any shape.

    Returns:
      Real, the same shape.
    """
    return safe_sqrt(jnp.square(band.real) + jnp.square(band.imag))


def scaled_size(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """Gives the size of the maps of a scale.

    Args:
      size: (height, width) of the image.
      scale: 0 for the finest.

    Returns:
      (ceil(height / 2^scale), ceil(width / 2^scale)).
    """
    return tuple(-(-n // 2**scale) for n in size)


def lowpass_image(spectrum: jax.Array, size: tuple[int, int], scale: int) -> jax.Array:
    """Computes the low-pass image of a scale.

    Args:
      spectrum: [batch, height, width, channels], complex: the image's Fourier transform.
      size: (height, width) of the image.
      scale: 0 for what is left beside the high-pass residual, 1 beyond the finest bands, and so on.

    Returns:
      [batch, ceil(height / 2^scale), ceil(width / 2^scale), channels], real.
    """
    return _filtered(crop_spectrum(spectrum, scaled_size(size, scale)), _low_mask(size, scale)).real


def crop_spectrum(spectrum: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Keeps the low frequencies of a spectrum, so that its inverse has fewer samples and the same amplitude.

    Args:
      spectrum: [batch, height, width, ...], complex.
      size: the new (height, width), not larger.

    Returns:
      [batch, *size, ...]. What lies beyond the new Nyquist frequency is dropped, not folded.
    """
    for axis, new in zip((1, 2), size):
        old = spectrum.shape[axis]
        if new < old:
            positive = jax.lax.slice_in_dim(spectrum, 0, (new + 1) // 2, axis=axis)
            negative = jax.lax.slice_in_dim(spectrum, old - new // 2, old, axis=axis)
            spectrum = jnp.concatenate([positive, negative], axis=axis) * (new / old)
    return spectrum


def pad_spectrum(spectrum: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Appends zero frequencies to a spectrum, so that its inverse is interpolated at the same amplitude.

    Args:
      spectrum: [batch, height, width, ...], complex.
      size: the new (height, width), not smaller.

    Returns:
      [batch, *size, ...].
    """
    for axis, new in zip((1, 2), size):
        old = spectrum.shape[axis]
        if new > old:
            positive = jax.lax.slice_in_dim(spectrum, 0, (old + 1) // 2, axis=axis)
            negative = jax.lax.slice_in_dim(spectrum, (old + 1) // 2, old, axis=axis)
            shape = (*spectrum.shape[:axis], new - old, *spectrum.shape[axis + 1 :])
            zeros = jnp.zeros(shape, spectrum.dtype)
            spectrum = jnp.concatenate([positive, zeros, negative], axis=axis) * (new / old)
    return spectrum


def _filtered(spectrum: jax.Array, mask: np.ndarray) -> jax.Array:
    return jnp.fft.ifft2(_mask(mask, spectrum) * spectrum, axes=(1, 2))


def _mask(mask: np.ndarray, like: jax.Array) -> jax.Array:
    real = jnp.float64 if like.dtype in (jnp.float64, jnp.complex128) else jnp.float32
    return jnp.asarray(mask, real)[None, :, :, None]


def _conjugate_mirror(masks: jax.Array) -> jax.Array:
    """H*(-w) of masks H [height, width, orientations] in FFT order."""
    for axis in (0, 1):
        index = -np.arange(masks.shape[axis]) % masks.shape[axis]
        masks = jnp.take(masks, index, axis=axis)
    return jnp.conj(masks)


@functools.lru_cache(maxsize=64)
def _frequencies(size: tuple[int, int], scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertical and horizontal frequency of each coefficient kept at a scale, radians per original sample."""
    axes = []
    for n, m in zip(size, scaled_size(size, scale)):
        index = np.fft.fftfreq(m, 1.0 / m).round()
        axes.append(2.0 * np.pi * index / n)
    vertical, horizontal = np.meshgrid(*axes, indexing="ij")
    return vertical, horizontal


def _radial(size: tuple[int, int], scale: int, cutoff: float) -> np.ndarray:
    """L: 1 up to half of the cut-off frequency, a quarter cosine in log frequency, 0 from the cut-off on."""
    vertical, horizontal = _frequencies(size, scale)
    octaves = np.log2(np.maximum(np.hypot(vertical, horizontal), 1e-12) * 2.0 / cutoff)
    return np.where(octaves >= 1.0, 0.0, np.cos(0.5 * np.pi * np.clip(octaves, 0.0, 1.0)))


def _low_mask(size: tuple[int, int], scale: int) -> np.ndarray:
    return _radial(size, scale, math.pi / 2**scale)


def _high_mask(size: tuple[int, int]) -> np.ndarray:
    return np.sqrt(1.0 - _low_mask(size, 0) ** 2)


def _band_mask(size: tuple[int, int], scale: int) -> np.ndarray:
    upper = _radial(size, scale, math.pi / 2**scale)
    lower = _radial(size, scale, math.pi / 2 ** (scale + 1))
    # The two transitions do not overlap: the product is the root of the difference of squares.
    return upper * np.sqrt(1.0 - lower**2)


def _angular_masks(size: tuple[int, int], scale: int, num_orientations: int) -> np.ndarray:
    """2 G_k [half plane], [height, width, orientations], complex."""
    k = num_orientations
    gain = 2.0 ** (k - 1) * math.factorial(k - 1) / math.sqrt(k * math.factorial(2 * (k - 1)))
    vertical, horizontal = _frequencies(size, scale)
    angle = np.arctan2(vertical, horizontal)[..., None] - np.pi * np.arange(k) / k
    cosine = np.maximum(np.cos(angle), 0.0)
    return 2.0 * (-1j) ** (k - 1) * gain * cosine ** (k - 1)
