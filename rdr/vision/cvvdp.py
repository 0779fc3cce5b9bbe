"""ColorVideoVDP: how much worse an image or a short video looks than its reference, in just-objectionable differences.

Written from the paper and held to the numbers of the package, version 0.5.7, its borders, interpolations and rounding
included. One thing is otherwise: gray images are shown in gray, where the package puts luminance into all three
opponent channels. Everything is computed in float32 (in float64 if an image is): bfloat16 images are converted first.
Derivatives are for reverse mode, and forward over reverse.

Reference: mantiuk2024colorvideovdp.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.vision import cvvdp_model as model
from rdr.vision.display import Display, check_values, code_values, get_display, show
from rdr.vision.foveation import as_point, band_gains
from rdr.vision.pyramid import band_frequencies


class Quality(NamedTuple):
    """The quality of images, or of a video.

    Attributes:
      jod: [batch], or [] of a video; 10 for equal images, a unit less where three out of four observers object.
      inner: the same shape; 0 for equal images, about the square of small differences; 10 - jod is a power of it.
      bands: [batch, 3, bands], or [frames, 4, bands] of a video: differences of achromatic, red-green, violet-yellow
        and (of a video) transient channels, pooled over pixels, before they are weighted.
      frequencies: float64 [bands], cycles per degree; the last is the base band.
    """

    jod: jax.Array
    inner: jax.Array
    bands: jax.Array
    frequencies: np.ndarray


def cvvdp(images: ArrayLike, reference: ArrayLike, *, display: str | Display,
          fixation: tuple[float, float] | None = None) -> Quality:
    """Computes the quality of images seen on a display.

    With a fixation, of one glance: sensitivities of all bands fall with the distance from the point as castleCSF says
    (`rdr.vision.foveation`), which the package has no part in.

    Args:
      images: [batch, height, width, 3 or 1], as `rdr.vision.show` takes them, at least 2 pixels each way.
      reference: the same shape.
      display: a display, or the name of one.
      fixation: row and column of the point that the eye rests on, in pixels, perhaps outside; None: the eye goes
        everywhere.

    Returns:
      The quality.

    Raises:
      ValueError: if there is no such display, shapes differ, the fixation is no point, or values cannot be shown (not
        finite, or negative luminances).

    Reference: mantiuk2024colorvideovdp; ashraf2024castlecsf for a fixation.
    """
    display, images, reference = _pair(images, reference, display)
    bands = _image_bands(images, reference, display._replace(name=""), as_point(fixation))
    return _quality(bands, images.shape[1:3], display, is_video=False)


def cvvdp_video(
    frames: ArrayLike, reference: ArrayLike, *, display: str | Display, frames_per_second: float
) -> Quality:
    """Computes the quality of a short video seen on a display.

    All frames are held in memory at once; differences are computed frame by frame. One frame is an image.

    Args:
      frames: [frames, height, width, 3 or 1], as `rdr.vision.show` takes them, at least 2 pixels each way.
      reference: the same shape.
      display: a display, or the name of one.
      frames_per_second: of both.

    Returns:
      The quality.

    Raises:
      ValueError: if there is no such display, shapes differ, values cannot be shown, or the frame rate is not positive.

    Reference: mantiuk2024colorvideovdp.
    """
    _check_rate(frames_per_second)
    display, frames, reference = _pair(frames, reference, display, name="frames")
    if frames.shape[0] == 1:
        quality = cvvdp(frames, reference, display=display)
        return quality._replace(jod=quality.jod[0], inner=quality.inner[0])
    bands = _video_bands(frames, reference, display._replace(name=""), float(frames_per_second))
    return _quality(bands, frames.shape[1:3], display, is_video=True)


def cvvdp_map(images: ArrayLike, reference: ArrayLike, *, display: str | Display,
              fixation: tuple[float, float] | None = None) -> jax.Array:
    """Computes where differences of images are seen.

    Args:
      images: see `cvvdp`.
      reference: the same shape.
      display: a display, or the name of one.
      fixation: see `cvvdp`.

    Returns:
      [batch, height, width], JOD: what an image with this difference everywhere would lose of 10 JOD.

    Raises:
      ValueError: as `cvvdp`.

    Reference: mantiuk2024colorvideovdp; ten times the package's "raw" map.
    """
    display, images, reference = _pair(images, reference, display)
    return _image_map(images, reference, display._replace(name=""), as_point(fixation))


def cvvdp_video_map(
    frames: ArrayLike, reference: ArrayLike, *, display: str | Display, frames_per_second: float
) -> jax.Array:
    """Computes where and when differences of videos are seen.

    Args:
      frames: see `cvvdp_video`.
      reference: the same shape.
      display: a display, or the name of one.
      frames_per_second: of both.

    Returns:
      [frames, height, width], JOD.

    Raises:
      ValueError: as `cvvdp_video`.

    Reference: mantiuk2024colorvideovdp; ten times the package's "raw" map.
    """
    _check_rate(frames_per_second)
    display, frames, reference = _pair(frames, reference, display, name="frames")
    if frames.shape[0] == 1:
        return cvvdp_map(frames, reference, display=display)
    return _video_map(frames, reference, display._replace(name=""), float(frames_per_second))


def _check_rate(frames_per_second):
    if not 0 < frames_per_second < np.inf:
        raise ValueError(f"frames_per_second must be positive and finite, got {frames_per_second}")


def _pair(images, reference, display, *, name="images"):
    display = get_display(display)
    shapes = np.shape(images), np.shape(reference)
    if shapes[0] != shapes[1]:
        raise ValueError(f"reference must have the shape of {name}, {shapes[0]}, got {shapes[1]}")
    if len(shapes[0]) != 4 or 0 in shapes[0] or shapes[0][-1] not in (1, 3):
        first = "frames" if name == "frames" else "batch"
        raise ValueError(f"{name} must have shape [{first}, height, width, 3 or 1], got {shapes[0]}")
    band_frequencies(shapes[0][1], shapes[0][2], display.pixels_per_degree)  # refuses what is too small
    values = [code_values(x, display) for x in (images, reference)]
    for x, what in zip(values, (name, "reference")):
        check_values(x, display, name=what)
    dtype = jnp.result_type(*values)
    return display, *(x.astype(dtype) for x in values)


def _opponent(images: jax.Array, display: Display) -> jax.Array:
    return jnp.moveaxis(show(images, display, space="dkl"), -1, -3)


def _gains(images, display, fixation):
    return None if fixation is None else band_gains(*images.shape[1:3], display.pixels_per_degree, fixation)


@functools.partial(jax.jit, static_argnames=("display", "fixation"))
def _image_bands(images, reference, display, fixation):
    return model.pool_bands(_opponent(images, display), _opponent(reference, display), display.pixels_per_degree,
                            _gains(images, display, fixation))


@functools.partial(jax.jit, static_argnames=("display", "fixation"))
def _image_map(images, reference, display, fixation):
    return model.difference_map(_opponent(images, display), _opponent(reference, display), display.pixels_per_degree,
                                is_video=False, gains=_gains(images, display, fixation))


def _over_frames(function, frames, reference, display, rate):
    channels = tuple(model.temporal_channels(_opponent(x, display), rate) for x in (frames, reference))
    # Derivatives compute a frame again instead of keeping what it took.
    return jax.lax.map(jax.checkpoint(lambda pair: function(*pair, display.pixels_per_degree)), channels)


@functools.partial(jax.jit, static_argnames=("display", "rate"))
def _video_bands(frames, reference, display, rate):
    return _over_frames(model.pool_bands, frames, reference, display, rate)


@functools.partial(jax.jit, static_argnames=("display", "rate"))
def _video_map(frames, reference, display, rate):
    return _over_frames(functools.partial(model.difference_map, is_video=True), frames, reference, display, rate)


@functools.partial(jax.jit, static_argnames=("is_video",))
def _pooled(bands, is_video):
    inner = model.inner_quality(bands, is_video=is_video)
    return 10.0 - model.lost_jod(inner), inner


def _quality(bands, size, display, *, is_video):
    jod, inner = _pooled(bands, is_video)
    return Quality(jod, inner, bands, band_frequencies(size[0], size[1], display.pixels_per_degree))
