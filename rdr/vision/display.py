"""Displays: from coded images to absolute luminance and color, and from sizes and distances to pixels per degree."""

from __future__ import annotations

import functools
import json
import math
from importlib import resources
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import check_unit_range, checks_values, working_arrays
from rdr.vision.colorspace import PRIMARIES, from_rgb
from rdr.vision.transfer import TRANSFERS, eotf, hlg_system_gamma

DARKEST = 0.005  # cd/m^2: of "pq" and "linear"
_METERS_PER_INCH = 0.0254


class Display(NamedTuple):
    """A display, the room that it stands in and the distance that it is seen from.

    `make_display` makes one of sizes and distances, `get_display` finds well-known ones.

    Attributes:
      name: in protocols and messages.
      peak: luminance of white, cd/m^2.
      contrast: peak over the luminance of black in a dark room.
      ambient: light that falls onto the screen, lux.
      reflectivity: part of that light that a matte screen reflects.
      transfer: "srgb", "gamma", "hlg" (relative to the peak), "pq" (absolute, up to 10,000 cd/m^2; brighter values are
        shown at the peak) or "linear" (images hold cd/m^2).
      gamma: of "gamma".
      primaries: "bt709", "p3" or "bt2020".
      exposure: what linear light is multiplied by, before it is clipped.
      resolution: of the screen, width and height in pixels.
      pixels_per_degree: pixels per degree of visual angle in the middle of the screen.
    """

    name: str
    peak: float
    contrast: float
    ambient: float
    reflectivity: float
    transfer: str
    gamma: float
    primaries: str
    exposure: float
    resolution: tuple[int, int]
    pixels_per_degree: float

    @property
    def black(self) -> float:
        """Luminance of black in a dark room, cd/m^2: peak / contrast."""
        return self.peak / self.contrast

    @property
    def reflected(self) -> float:
        """Luminance that the screen adds by reflecting the room's light, cd/m^2: ambient * reflectivity / pi."""
        return self.ambient * self.reflectivity / math.pi


def make_display(
    name: str = "custom", *, peak: float, resolution: tuple[int, int], contrast: float | None = None,
    black: float | None = None, ambient: float = 0.0, reflectivity: float = 0.005, transfer: str = "srgb",
    gamma: float = 2.2, primaries: str = "bt709", exposure: float = 1.0, diagonal: float | None = None,
    distance: float | None = None, distance_in_heights: float | None = None, horizontal_view: float | None = None,
    vertical_view: float | None = None, diagonal_view: float | None = None, pixels_per_degree: float | None = None,
) -> Display:
    """Makes a display of what a ruler and a luminance meter tell.

    Exactly one of these says how fine its pixels are seen: `diagonal` with `distance`, `distance_in_heights`, one of
    the fields of view, or `pixels_per_degree`.

    Args:
      name: of the display.
      peak: luminance of white, cd/m^2.
      resolution: width and height of the screen in pixels.
      contrast: peak over black; by default that of `black`, or 500.
      black: luminance of black in a dark room, cd/m^2, instead of `contrast`.
      ambient: light that falls onto the screen, lux.
      reflectivity: part of it that the screen reflects.
      transfer: see `Display`.
      gamma: of the transfer function "gamma".
      primaries: see `Display`.
      exposure: see `Display`.
      diagonal: of the screen, inches.
      distance: from eye to screen, m.
      distance_in_heights: from eye to screen, in heights of the screen.
      horizontal_view: angle that the screen's width fills, degrees, of a flat screen in front of the eye.
      vertical_view: angle of its height.
      diagonal_view: angle of its diagonal.
      pixels_per_degree: in the middle of the screen.

    Returns:
      The display.

    Raises:
      ValueError: if a value is out of range, or the fineness is said by none or more than one of the above.
    """
    if contrast is not None and black is not None:
        raise ValueError(f"give contrast or black, not both, got {contrast} and {black}")
    if black is not None:
        if not black > 0:
            raise ValueError(f"black must be positive, got {black}")
        contrast = peak / black
    views = (horizontal_view, vertical_view, diagonal_view)
    ways = [pixels_per_degree is not None, diagonal is not None or distance is not None,
            distance_in_heights is not None, *(view is not None for view in views)]
    if sum(ways) != 1:
        raise ValueError("how fine a display's pixels are seen takes one of diagonal with distance, "
                         "distance_in_heights, horizontal_view, vertical_view, diagonal_view or pixels_per_degree, "
                         f"got {sum(ways)} of them")
    _check_resolution(resolution)
    if pixels_per_degree is None:
        pixels_per_degree = pixels_per_degree_at(
            _distance_in_pixels(resolution, diagonal, distance, distance_in_heights, views))
    contrast = 500.0 if contrast is None else contrast
    made = Display(name, float(peak), float(contrast), float(ambient), float(reflectivity), transfer, float(gamma),
                   primaries, float(exposure), (int(resolution[0]), int(resolution[1])), float(pixels_per_degree))
    check_display(made)
    return made


def pixels_per_degree_at(distance_in_pixels: float) -> float:
    """Computes how many pixels a degree of visual angle covers in the middle of a screen.

    The inverse of the angle of one pixel, 2 atan(1 / (2 d)).

    Args:
      distance_in_pixels: d, from eye to screen, in units of the distance between pixels.

    Returns:
      Pixels per degree.

    Raises:
      ValueError: if the distance is not positive.
    """
    if not 0 < distance_in_pixels < np.inf:
        raise ValueError(f"distance_in_pixels must be positive and finite, got {distance_in_pixels}")
    return 1.0 / (2.0 * math.degrees(math.atan(0.5 / distance_in_pixels)))


def _distance_in_pixels(resolution, diagonal, distance, distance_in_heights, views):
    width, height = resolution
    across = (width, height, math.hypot(width, height))
    if distance_in_heights is not None:
        return distance_in_heights * height
    for pixels, view in zip(across, views):
        if view is not None:
            if not 0 < view < 180:
                raise ValueError(f"fields of view must be between 0 and 180 degrees, got {view}")
            return pixels / (2.0 * math.tan(math.radians(view) / 2.0))
    if diagonal is None or distance is None or not (diagonal > 0 and distance > 0):
        raise ValueError(
            f"diagonal (inches) and distance (m) must both be given and positive, got {diagonal} and {distance}")
    return distance * across[2] / (diagonal * _METERS_PER_INCH)


def _check_resolution(resolution):
    if np.shape(resolution) != (2,) or not all(1 <= side < np.inf and side == int(side) for side in resolution):
        raise ValueError(f"resolution must be a width and a height in pixels, got {resolution}")


def check_display(display: Display) -> None:
    """Refuses displays with values out of range.

    Args:
      display: the display.

    Raises:
      ValueError: if a value is out of range; the message says which.
    """
    if not isinstance(display, Display):
        raise ValueError(f"display must be an rdr.vision.Display (get_display finds one by name), got {display!r}")
    for field in ("peak", "exposure", "pixels_per_degree"):
        if not 0 < getattr(display, field) < np.inf:
            raise ValueError(f"display.{field} must be positive and finite, got {getattr(display, field)}")
    if display.transfer in ("pq", "linear") and display.peak <= DARKEST:
        raise ValueError(f"display.peak must be above {DARKEST} cd/m^2 for {display.transfer}, got {display.peak}")
    if not 1 < display.contrast < np.inf:
        raise ValueError(f"display.contrast must be above 1 and finite, got {display.contrast}")
    if not 0 <= display.ambient < np.inf:
        raise ValueError(f"display.ambient must be at least 0 lux and finite, got {display.ambient}")
    if not 0 <= display.reflectivity <= 1:
        raise ValueError(f"display.reflectivity must be in [0, 1], got {display.reflectivity}")
    if not 1 <= display.gamma < np.inf:
        raise ValueError(f"display.gamma must be at least 1 and finite, got {display.gamma}")
    for field, known in (("transfer", TRANSFERS), ("primaries", PRIMARIES)):
        if getattr(display, field) not in known:
            raise ValueError(
                f"display.{field} must be one of {', '.join(map(repr, known))}, got {getattr(display, field)!r}")
    _check_resolution(display.resolution)


@functools.cache
def _known() -> dict[str, dict]:
    return json.loads(resources.files("rdr.vision").joinpath("data/displays.json").read_text(encoding="utf-8"))


def display_names() -> tuple[str, ...]:
    """Lists the displays that `get_display` knows.

    Returns:
      The names; those of ColorVideoVDP 0.5.7.
    """
    return tuple(_known())


def get_display(display: str | Display) -> Display:
    """Finds a well-known display.

    Args:
      display: one of `display_names()`, or a display, which is checked and returned as it is.

    Returns:
      The display.

    Raises:
      ValueError: if there is no such display; the message lists those that there are.

    Reference: mantiuk2024colorvideovdp, whose package has the same displays by the same names.
    """
    if isinstance(display, Display):
        check_display(display)
        return display
    if not isinstance(display, str) or display not in _known():
        raise ValueError(f"display must be one of {', '.join(_known())}, got {display!r}")
    return make_display(display, **_known()[display])


def show(images: ArrayLike, display: str | Display, *, space: str = "rgb", bits: int | None = None) -> jax.Array:
    """Computes the light that a display shows.

    With black level b = peak / contrast, reflected light r and linear light x in [0, 1], (peak - b) x + b + r;
    "pq" shows its luminances clipped to [0.005, peak], plus b + r; "linear" clips to [max(0.005, b), peak], plus r.

    Args:
      images: [..., 3] or [..., 1], which is shown in gray. Floating-point values are code values in [0, 1], which
        values outside are clipped to; or cd/m^2 if `display.transfer` is "linear". Integers of 8 and 16 bits are
        divided by their largest value.
      display: a display, or the name of one.
      space: "rgb" (cd/m^2 in each of the display's primaries), "luminance", "xyz", "lms" or "dkl".
      bits: bits that integers use, where these are fewer than their type has: 10 in arrays of 16.

    Returns:
      [..., 3], or [..., 1] for "luminance"; float32, or float64 if the images are.

    Raises:
      ValueError: if the display, space or bits are unknown, or images hold values that are not finite, negative
        luminances, or values far outside of [0, 1]. Inside of a trace values are not looked at; those that are not
        finite give NaN.

    Reference: mantiuk2024colorvideovdp and its package, whose numbers these are.
    """
    display = get_display(display)
    values = code_values(images, display, bits)
    check_values(values, display)
    if values.ndim < 1 or values.shape[-1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels on the last axis, got shape {values.shape}")
    if values.shape[-1] == 1:
        values = jnp.repeat(values, 3, axis=-1)
    return from_rgb(_light(values, display), space, primaries=display.primaries)


def code_values(images: ArrayLike, display: Display, bits: int | None = None) -> jax.Array:
    """Brings images to floating-point code values, or luminances.

    Args:
      images: see `show`.
      display: the display.
      bits: see `show`.

    Returns:
      The shape of `images`, float32 or float64.

    Raises:
      ValueError: if the type of the values cannot be shown.
    """
    images = jnp.asarray(images) if not isinstance(images, np.ndarray) else images
    if not jnp.issubdtype(images.dtype, jnp.integer):
        if bits is not None:
            raise ValueError(f"bits are of integers, got {bits} and {images.dtype}")
        return working_arrays(images=images)[0]
    if display.transfer == "linear":
        raise ValueError(f"images on display {display.name!r} must be floating-point cd/m^2, got {images.dtype}")
    if images.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"images of integers must be uint8 or uint16, got {images.dtype}")
    most = 8 if images.dtype == np.uint8 else 16
    bits = most if bits is None else bits
    if bits not in range(1, most + 1):
        raise ValueError(f"bits must be from 1 to {most} for {images.dtype}, got {bits}")
    largest = 2**bits - 1
    concrete = not isinstance(images, jax.core.Tracer) and checks_values() and images.size
    if bits < most and concrete and images.max() > largest:
        raise ValueError(f"images of {bits} bits must not exceed {largest}, got {images.max()}")
    return jnp.asarray(images, jnp.float32) / jnp.float32(largest)


def check_values(values: jax.Array, display: Display, *, name: str = "images") -> None:
    """Refuses concrete values that a display cannot show.

    Args:
      values: what `code_values` returns; traced ones pass.
      display: the display.
      name: the argument's name, for messages.

    Raises:
      ValueError: if a value is not finite, a luminance is negative, or a code value far outside of [0, 1].
    """
    if isinstance(values, jax.core.Tracer) or not checks_values() or values.size == 0:
        return
    with jax.ensure_compile_time_eval():  # a constant that is met inside of a trace
        if not bool(jnp.all(jnp.isfinite(values))):
            raise ValueError(f"{name} must be finite, got NaN or infinite values")
        if display.transfer != "linear":
            check_unit_range(values, name=name)
        elif float(jnp.min(values)) < 0:
            raise ValueError(f"{name} must hold luminances in cd/m^2, at least 0, got {float(jnp.min(values)):g}")


def clip(x: jax.Array, low: float, high: float) -> jax.Array:
    """Clips values, with the whole gradient at both ends.

    Args:
      x: any shape.
      low: least value.
      high: greatest value.

    Returns:
      The same shape; the gradient is 1 where low <= x <= high (`jnp.clip` has 1/2 at the ends, which black and white
      pixels are), else 0; NaN stays.
    """
    return jnp.where(x < low, low, jnp.where(x > high, high, x))


def _light(values: jax.Array, display: Display) -> jax.Array:
    # [..., 3] code values, or cd/m^2 -> cd/m^2 of each primary.
    peak, black, reflected = display.peak, display.black, display.reflected
    if display.transfer == "linear":
        return clip(values * display.exposure, max(DARKEST, black), peak) + reflected
    values = clip(values, 0.0, 1.0)
    if display.transfer == "pq":
        return clip(eotf(values, "pq") * display.exposure, DARKEST, peak) + (black + reflected)
    relative = eotf(values, display.transfer, gamma=display.gamma,
                    system_gamma=hlg_system_gamma(peak, display.ambient))
    if display.exposure != 1.0:
        relative = clip(relative * display.exposure, 0.0, 1.0)
    return (peak - black) * relative + (black + reflected)
