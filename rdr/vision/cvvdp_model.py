"""The stages of ColorVideoVDP: temporal channels, contrast, sensitivity, masking and pooling.

Planes are [.., channels, height, width]; the channels are sustained achromatic, red-green and violet-yellow and, of
videos, transient achromatic. Constants and the table of sensitivities are those of the package, version 0.5.7.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.gradients import absolute, recomputed
from rdr.vision.pyramid import band_frequencies, correlate, double, gaussian_pyramid

_SMALL = 1e-5  # of `power`
_DARKEST = 0.01  # cd/m^2 that contrast is relative to, at least
_LARGEST_CONTRAST = 1000.0
_GAIN = (1.0, 1.45, 1.0, 1.0)
_LINEAR_BELOW = 0.1  # inner quality
_INTEGRATION = 0.25  # s: length of the temporal filters
_TRANSIENT_PEAK = 5.0  # Hz


@functools.cache
def _data() -> dict[str, Any]:
    text = resources.files("rdr.vision").joinpath("data/cvvdp.json").read_text(encoding="utf-8")
    data = json.loads(text)
    parameters = {name: np.array(value) if isinstance(value, list) else value
                  for name, value in data["parameters"].items()}
    return {**data, "parameters": parameters, "table": np.array(list(data["log10_sensitivity"].values()))}


def power(x: jax.Array, exponent: Any) -> jax.Array:
    """Raises to a power with a finite slope at 0.

    (x + e)^p - e^p with e = 1e-5.

    Args:
      x: any shape, not negative.
      exponent: p, a number or an array that broadcasts with `x`.

    Returns:
      The shape of `x`.
    """
    exponent = np.asarray(exponent, x.dtype)
    raised = (x + _SMALL) ** (float(exponent) if exponent.ndim == 0 else exponent)
    return raised - np.asarray(_SMALL, x.dtype) ** exponent


def norm(x: jax.Array, exponent: float, axis: int | tuple[int, ...], *, average: bool = False) -> jax.Array:
    """Pools by a p-norm whose powers are those of `power`.

    Args:
      x: any shape, not negative.
      exponent: p.
      axis: that are pooled.
      average: over them, instead of the sum.

    Returns:
      `x` without these axes.
    """
    pool = jnp.mean if average else jnp.sum
    return power(pool(power(x, exponent), axis=axis), 1.0 / exponent)


def temporal_matrices(frames: int, frames_per_second: float) -> np.ndarray:
    """Computes the temporal channels' filters as matrices over frames.

    The sustained responses are exp(-w^b / s), the transient one exp(-(w^b - 5^b)^2 / s), at w Hz; a filter sees a
    quarter of a second of frames up to the present one, and the first frame before the video's beginning.

    Args:
      frames: of the video.
      frames_per_second: of it.

    Returns:
      float64 [4, frames, frames]: three sustained channels and the transient one.

    Reference: mantiuk2024colorvideovdp, section 4.2.
    """
    p = _data()["parameters"]
    length = math.ceil(_INTEGRATION * frames_per_second / 2.0) * 2 + 1
    hertz = np.linspace(0.0, frames_per_second / 2.0, length // 2 + 1)
    powers = hertz[None] ** p["beta_tf"][:, None]
    powers[3] = (powers[3] - _TRANSIENT_PEAK ** p["beta_tf"][3]) ** 2
    responses = np.exp(-powers / p["sigma_tf"][:, None])
    filters = np.fft.fftshift(np.fft.irfft(responses, n=length, axis=1), axes=1)
    seen = np.maximum(np.arange(frames)[:, None] - np.arange(length), 0)  # [frame, lag] -> frame that is seen
    return np.einsum("cl,flg->cfg", filters, np.eye(frames)[seen])


def temporal_channels(frames: jax.Array, frames_per_second: float) -> jax.Array:
    """Filters the frames of a video over time.

    Args:
      frames: [frames, 3, height, width], DKL.
      frames_per_second: of the video.

    Returns:
      [frames, 4, height, width].
    """
    filters = jnp.asarray(temporal_matrices(frames.shape[0], frames_per_second), frames.dtype)
    channels = jnp.concatenate([frames, frames[:, :1]], axis=1)
    return jnp.einsum("cfg,gchw->fchw", filters, channels, precision="highest")


class Band(NamedTuple):
    """A band of both images.

    Attributes:
      test: [.., channels, rows, columns], contrast of the distorted image.
      reference: of the reference.
      sensitivity: of the eye, the same shape, or [.., channels, 1, 1] for the base band.
      is_base: whether it is the base band.
    """

    test: jax.Array
    reference: jax.Array
    sensitivity: jax.Array
    is_base: bool


def contrast_bands(test: jax.Array, reference: jax.Array, pixels_per_degree: float) -> list[Band]:
    """Decomposes two images into bands of contrast, and looks up how sensitive the eye is to each.

    A band is the difference of a resolution and the interpolated next one, over the latter's achromatic channel in the
    same image; the base band is relative to its own mean. Sensitivity is that at the reference's adapting luminance.

    Args:
      test: [.., channels, height, width], DKL in cd/m^2.
      reference: the same shape.
      pixels_per_degree: of the display.

    Returns:
      The bands, the finest first.

    Raises:
      ValueError: if a side is below 2 pixels.

    Reference: mantiuk2024colorvideovdp, sections 4.3 and 4.4.
    """
    frequencies, (tests, references) = _pyramids((test, reference), pixels_per_degree)
    return [_band(k, frequencies, *levels) for k, levels in enumerate(zip(tests, _next(tests), references,
                                                                          _next(references)))]


def _pyramids(images, pixels_per_degree):
    height, width = images[0].shape[-2:]
    frequencies = band_frequencies(height, width, pixels_per_degree)
    return frequencies, [gaussian_pyramid(image, len(frequencies)) for image in images]


def _next(levels):
    # The base band has none below it.
    return [*levels[1:], None]


def _contrast(k, bands, level, lower):
    """Contrast of one image in the k-th of some bands, and the luminance that the eye has adapted to there."""
    if lower is None:
        detail, light = level, jnp.maximum(level[..., :1, :, :], _DARKEST)
        adapted = jnp.mean(light, axis=(-1, -2), keepdims=True)
    else:
        coarse = double(lower, *level.shape[-2:])
        detail, adapted = level - coarse, jnp.maximum(coarse[..., :1, :, :], _DARKEST)
    contrast = jnp.minimum(detail / adapted, _LARGEST_CONTRAST)
    return 2.0 * contrast if 0 < k < bands - 1 else contrast, adapted


def _band(k, frequencies, test, lower_test, reference, lower_reference):
    contrast, adapted = _contrast(k, len(frequencies), reference, lower_reference)
    sensitivity = _sensitivity(jnp.log10(adapted), float(frequencies[k]), reference.shape[-3])
    return Band(_contrast(k, len(frequencies), test, lower_test)[0], contrast, sensitivity, lower_reference is None)


def threshold_bands(image: jax.Array, pixels_per_degree: float) -> list[jax.Array]:
    """Decomposes an image into bands of contrast in units of the contrast that is just seen.

    Contrast, as in `contrast_bands`, times the sensitivity at the image's own adapting luminance, times the weights
    with which differences in the channel and the band count in the end; not masked. Where neither image masks the
    other, the difference of two images' bands is what ColorVideoVDP sees of them.

    Args:
      image: [.., channels, height, width], DKL in cd/m^2.
      pixels_per_degree: of the display.

    Returns:
      The bands, the finest first, [.., channels, rows, columns] each.

    Raises:
      ValueError: if a side is below 2 pixels.

    Reference: mantiuk2024colorvideovdp, sections 4.3 to 4.6.
    """
    frequencies, (levels,) = _pyramids((image,), pixels_per_degree)
    channels, bands = image.shape[-3], []
    weights = _band_weights(channels, len(frequencies))
    for k, (level, lower) in enumerate(zip(levels, _next(levels))):
        contrast, adapted = _contrast(k, len(frequencies), level, lower)
        gain = weights[:, k] * (1.0 if lower is None else np.array(_GAIN)[:channels])
        sensitivity = _sensitivity(jnp.log10(adapted), float(frequencies[k]), channels)
        bands.append(contrast * sensitivity * _per_channel(gain, contrast))
    return bands


def _sensitivity(log_luminance: jax.Array, frequency: float, channels: int) -> jax.Array:
    # [.., 1, rows, columns] -> [.., channels, rows, columns]. Lines are extended along frequency, not luminance.
    data = _data()
    low, high = data["log10_frequency"]
    table = data["table"][:channels]  # [channel, luminance, frequency]
    at = (math.log10(frequency) - low) / (high - low) * (table.shape[2] - 1)
    column = min(max(math.ceil(at) - 1, 0), table.shape[2] - 2)
    curves = table[..., column] + (at - column) * (table[..., column + 1] - table[..., column])
    curves = curves + data["parameters"]["sensitivity_correction"] / 20.0
    low, high = data["log10_luminance"]
    last = curves.shape[1] - 1
    place = jnp.clip((log_luminance[..., 0, :, :] - low) * (last / (high - low)), 0.0, last)
    left = jnp.minimum(jax.lax.stop_gradient(place).astype(jnp.int32), last - 1)
    part = place - left.astype(place.dtype)

    def curve(values):
        values = jnp.asarray(values, place.dtype)
        return values[left] + part * jnp.diff(values)[left]

    return 10.0 ** jnp.stack([curve(values) for values in curves], axis=-3)


def visible_difference(band: Band) -> jax.Array:
    """Computes the difference of two images in a band in units of visibility, masked by what both have in common.

    |t - r|^p / (1 + m), t and r contrast times sensitivity, m a sum over channels of the blurred smaller one of |t| and
    |r| to powers, saturating at 10^2.56; for the base band |t - r|.

    Args:
      band: the band.

    Returns:
      [.., channels, rows, columns].

    Reference: mantiuk2024colorvideovdp, section 4.5 (mutual masking).
    """
    if band.is_base:
        return absolute(band.test - band.reference) * band.sensitivity
    p = _data()["parameters"]
    channels = band.test.shape[-3]
    gain = band.sensitivity * _per_channel(np.array(_GAIN)[:channels], band.test)
    test, reference = band.test * gain, band.reference * gain
    common = jnp.minimum(absolute(test), absolute(reference))
    sigma = p["pu_dilate"]
    if min(common.shape[-2:]) > 2 * sigma:
        taps = np.exp(-0.5 * (np.arange(-2 * sigma, 2 * sigma + 1) / sigma) ** 2)
        common = correlate(common, taps / taps.sum())
    common = power(common * 10.0 ** p["mask_c"], _per_channel(p["mask_q"][:channels], common))
    weights = 2.0 ** p["xcm_weights"].reshape(4, 4)[:channels, :channels]
    mask = sum(common[..., k : k + 1, :, :] * _per_channel(weights[k], common) for k in range(channels))
    masked = power(absolute(test - reference), p["mask_p"]) / (1.0 + mask)
    most = 10.0 ** p["d_max"]
    return most * masked / (most + masked)


def _per_channel(values: np.ndarray, like: jax.Array) -> np.ndarray:
    return np.asarray(values, like.dtype).reshape((1,) * (like.ndim - 3) + (-1, 1, 1))


def pool_bands(test: jax.Array, reference: jax.Array, pixels_per_degree: float,
               gains: Sequence[np.ndarray] | None = None) -> jax.Array:
    """Computes the differences of two images in all bands, each pooled over pixels.

    Args:
      test: [.., channels, height, width], DKL in cd/m^2.
      reference: the same shape.
      pixels_per_degree: of the display.
      gains: of each band [channels, rows, columns], what the eye's sensitivity is multiplied by; default 1.

    Returns:
      [.., channels, bands].
    """
    exponent = _data()["parameters"]["beta"]
    frequencies, (tests, references) = _pyramids((test, reference), pixels_per_degree)

    def pooled(k, *levels):
        band = _band(k, frequencies, *levels)
        seen = visible_difference(band if gains is None else _with_gain(band, gains[k]))
        return norm(seen, exponent, (-2, -1), average=True)

    return jnp.stack([recomputed(functools.partial(pooled, k), *levels) for k, levels in enumerate(
        zip(tests, _next(tests), references, _next(references)))], axis=-1)


def _with_gain(band: Band, gain: np.ndarray) -> Band:
    factor = np.asarray(gain, band.sensitivity.dtype).reshape((1,) * (band.sensitivity.ndim - 3) + gain.shape)
    return band._replace(sensitivity=band.sensitivity * factor)


def _band_weights(channels: int, bands: int) -> np.ndarray:
    p = _data()["parameters"]
    weights = np.repeat(np.array([1.0, p["ch_chrom_w"], p["ch_chrom_w"], p["ch_trans_w"]])[:, None], bands, axis=1)
    weights[:, -1] *= p["baseband_weight"]
    return weights[:channels]


def inner_quality(pooled: jax.Array, *, is_video: bool) -> jax.Array:
    """Pools differences over bands, channels and frames.

    Args:
      pooled: [.., channels, bands] of images, [frames, channels, bands] of a video.
      is_video: whether the first axis is time.

    Returns:
      [..], or [] of a video: 0 for equal images.

    Reference: mantiuk2024colorvideovdp, section 4.6.
    """
    p = _data()["parameters"]
    weights = np.asarray(_band_weights(*pooled.shape[-2:]), pooled.dtype)
    weighted = pooled * weights.reshape((1,) * (pooled.ndim - 2) + weights.shape)
    total = norm(norm(weighted, p["beta_sch"], -1), p["beta_tch"], -1)
    return norm(total, p["beta_t"], 0, average=True) if is_video else total * p["image_int"]


def lost_jod(quality: jax.Array) -> jax.Array:
    """Converts inner quality to what is lost of 10 JOD.

    a Q^e, and the chord to 0 below Q = 0.1.

    Args:
      quality: Q, any shape, not negative.

    Returns:
      10 - JOD, the same shape.
    """
    p = _data()["parameters"]
    a, e = p["jod_a"], p["jod_exp"]
    curved = quality > _LINEAR_BELOW
    return jnp.where(curved, a * jnp.where(curved, quality, 1.0) ** e, a * _LINEAR_BELOW ** (e - 1.0) * quality)


def difference_map(test: jax.Array, reference: jax.Array, pixels_per_degree: float, *, is_video: bool,
                   gains: Sequence[np.ndarray] | None = None) -> jax.Array:
    """Computes where differences are seen: those of all bands and channels, put together at the pixels.

    Args:
      test: [.., channels, height, width], DKL in cd/m^2.
      reference: the same shape.
      pixels_per_degree: of the display.
      is_video: whether these are frames.
      gains: see `pool_bands`.

    Returns:
      [.., height, width], in JOD: what a whole image with this difference everywhere would lose.
    """
    p = _data()["parameters"]
    bands = contrast_bands(test, reference, pixels_per_degree)
    if gains is not None:
        bands = [_with_gain(band, gain) for band, gain in zip(bands, gains, strict=True)]
    weights = _band_weights(test.shape[-3], len(bands)) * (1.0 if is_video else p["image_int"])
    found = jnp.zeros(())
    for k in reversed(range(len(bands))):
        difference = visible_difference(bands[k])
        layer = norm(difference * _per_channel(weights[:, k], difference), p["beta_tch"], -3)
        layer = layer / 2.0 if 0 < k < len(bands) - 1 else layer
        found = double(found, *layer.shape[-2:]) + layer if found.ndim else layer
    return lost_jod(found)
