"""Errors as an eye sees them on a display: differences of luminance and color weighted by contrast sensitivity."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_pair, total, working_arrays
from rdr.gradients import safe_sqrt
from rdr.vision.castle_csf import mechanism_contrasts, mechanism_sensitivities
from rdr.vision.colorspace import matrix_from_rgb
from rdr.vision.display import Display as Screen
from rdr.vision.display import check_values, get_display, make_display, show
from rdr.vision.transfer import linear_from_srgb, luminance_from_pq

TRANSFERS = ("srgb", "pq")
MODELS = ("barten", "castle")
# Luminance of the primaries: ITU-R BT.709 (itu2015bt709) for sRGB, BT.2020 for PQ.
_LUMINANCE = {"srgb": (0.2126, 0.7152, 0.0722), "pq": (0.2627, 0.6780, 0.0593)}


class Display(NamedTuple):
    """A display and the distance that it is seen from, in four numbers.

    Beside it there is `rdr.vision.Display`, which this package takes as well. This one stays because its fields are in
    the protocols of values of "csf" that were computed before, and the other's light is not quite the same: with "pq"
    it clips each primary where here luminance is clipped, and its black is added instead. `screen_of` goes from this
    kind to the other.

    Attributes:
      pixels_per_degree: pixels per degree of visual angle (`pixels_per_degree` computes it).
      peak_luminance: of white, cd/m^2. With "pq" brighter values are shown at it.
      black_luminance: of black, with the light that the screen reflects, cd/m^2.
      transfer: "srgb": image values are sRGB, relative to the peak; "pq": they are SMPTE ST 2084 code values of
        absolute luminances up to 10,000 cd/m^2.
    """

    pixels_per_degree: float = 60.0
    peak_luminance: float = 100.0
    black_luminance: float = 0.1
    transfer: str = "srgb"


AnyDisplay = Display | Screen | str | None


def screen_of(display: AnyDisplay) -> Screen:
    """Finds or makes a display of `rdr.vision`.

    Args:
      display: one of either kind, the name of one, or None for `Display()`.

    Returns:
      The display.

    Raises:
      ValueError: if there is no such display, or its values are out of range.
    """
    if display is not None and not isinstance(display, Display):
        return get_display(display)
    display = Display() if display is None else display
    _check(display)
    return make_display(
        "of csf", peak=display.peak_luminance, black=display.black_luminance, transfer=display.transfer,
        primaries="bt2020" if display.transfer == "pq" else "bt709", pixels_per_degree=display.pixels_per_degree,
        resolution=(1, 1))


def pixels_per_degree(*, distance: float, width: float, pixels: int) -> float:
    """Computes how many pixels a degree of visual angle covers in the middle of a screen.

    Args:
      distance: from eye to screen, in any unit.
      width: of the screen, in the same unit.
      pixels: of the screen's width.

    Returns:
      pixels / width * 2 distance tan(1/2 degree).

    Raises:
      ValueError: if an argument is not positive.
    """
    if not (distance > 0 and width > 0 and pixels > 0):
        raise ValueError(f"distance, width and pixels must be positive, got {distance}, {width} and {pixels}")
    return float(pixels / width * 2.0 * distance * np.tan(np.deg2rad(0.5)))


def display_luminance(images: ArrayLike, display: Display) -> jax.Array:
    """Computes what a display shows.

    Args:
      images: [..., 3], in [0, 1], coded as `display.transfer` says.
      display: the display.

    Returns:
      [...], cd/m^2.

    Raises:
      ValueError: if the display's values are out of range.

    Reference:
      IEC 61966-2-1 (sRGB) (iec1999srgb); SMPTE ST 2084 (PQ).
    """
    (images,) = working_arrays(images=images)
    _check(display)
    if display.transfer == "srgb":
        linear = linear_from_srgb(images)
    else:
        linear = luminance_from_pq(images)
    y = total(w * linear[..., k] for k, w in enumerate(_LUMINANCE[display.transfer]))
    if display.transfer == "srgb":
        return display.black_luminance + (display.peak_luminance - display.black_luminance) * y
    return jnp.clip(y, display.black_luminance, display.peak_luminance)


def contrast_sensitivity(frequency: ArrayLike, luminance: ArrayLike, area: float) -> jax.Array:
    """Computes the sensitivity of the eye to a grating of light and dark.

        S(u) = 5200 exp(-0.0016 u^2 (1 + 100/L)^0.08)
               / sqrt( (1 + 144/A + 0.64 u^2) (63 / L^0.83 + 1 / (1 - exp(-0.02 u^2))) )

    Args:
      frequency: u, cycles per degree, positive.
      luminance: L, cd/m^2, that the eye has adapted to; broadcasts with `frequency`.
      area: A, of the image, square degrees.

    Returns:
      The inverse of the modulation (amplitude / mean) that is just seen.

    Reference:
      Barten (barten2003formula), Formula for the contrast sensitivity of the human eye, Proc. SPIE 5294 (2003).
    """
    u, luminance = working_arrays(frequency=frequency, luminance=luminance)
    optics = 5200.0 * jnp.exp(-0.0016 * u**2 * (1.0 + 100.0 / luminance) ** 0.08)
    noise = 63.0 / luminance**0.83 - 1.0 / jnp.expm1(-0.02 * u**2)
    return optics / jnp.sqrt((1.0 + 144.0 / area + 0.64 * u**2) * noise)


def contrast_sensitivity_error(
    images: ArrayLike, reference: ArrayLike, *, display: AnyDisplay = None, model: str = "barten"
) -> jax.Array:
    """Computes the root mean square of differences, each frequency weighted by the eye's sensitivity.

    Both images are shown on the display; the difference is divided by the reference's mean, to which the eye adapts,
    and decomposed into cosines (so that the image's borders make no step); each is multiplied by the sensitivity at its
    frequency to a grating as large as the image. A difference of the whole image counts as half a cycle across its
    longer side. Masking by the image's own contrast is not modeled.

    "barten" sees luminance alone, and no difference of color. "castle" sees the contrasts of three mechanisms, light
    and dark, red and green, yellow and violet, each with its sensitivity, whose squares are added.

    Args:
      images: [batch, height, width, 3], in [0, 1], coded as the display takes them; cd/m^2 for a linear display.
      reference: the same shape.
      display: of either kind, or the name of one; by default `Display()`.
      model: of the sensitivity: "barten" (`contrast_sensitivity`), or "castle" (castleCSF at the fovea,
        `rdr.vision.castle_csf`).

    Returns:
      [batch], in units of the threshold of detection of a grating: 1 is about what is just seen; float32, or float64
      if an argument is.

    Raises:
      ValueError: if shapes differ, values cannot be shown, the display's values are out of range, or there is no such
        display or model.

    Reference:
      Barten (barten2003formula); Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf).
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(map(repr, MODELS))}, got {model!r}")
    small = display is None or isinstance(display, Display)
    screen = screen_of(display)
    images, reference = image_pair(images, reference, channels=3, unit_range=screen.transfer != "linear")
    for values, name in ((images, "images"), (reference, "reference")):
        check_values(values, screen, name=name)
    height, width = images.shape[1:3]
    rows, columns = (np.arange(n) / (2.0 * n) * screen.pixels_per_degree for n in (height, width))
    frequency = np.hypot(rows[:, None], columns[None, :])
    frequency[0, 0] = screen.pixels_per_degree / (2.0 * max(height, width))
    frequency, area = jnp.asarray(frequency, images.dtype)[None], height * width / screen.pixels_per_degree**2
    if model == "castle":
        return _in_color(images, reference, screen, frequency, area)
    light = (display_luminance(x, Display() if display is None else display) if small
             else show(x, screen, space="luminance")[..., 0] for x in (images, reference))
    shown, target = light
    adapted = jnp.mean(target, axis=(1, 2), keepdims=True)
    waves = _waves((shown - target) / adapted)
    return safe_sqrt(jnp.mean(jnp.square(waves * contrast_sensitivity(frequency, adapted, area)), axis=(1, 2)))


def _waves(planes):
    return jax.scipy.fft.dctn(planes, axes=(1, 2), norm="ortho")


def _in_color(images, reference, screen, frequency, area):
    # L + M is the luminance of daylight, as castleCSF has it.
    white = np.sum(matrix_from_rgb("lms", "bt709")[:2]) / np.sum(matrix_from_rgb("luminance", "bt709"))
    shown, target = (show(x, screen, space="lms") / float(white) for x in (images, reference))
    adapted = jnp.mean(target, axis=(1, 2), keepdims=True)
    contrasts = mechanism_contrasts(shown - target, adapted)
    sensitivities = mechanism_sensitivities(frequency, adapted[..., 0] + adapted[..., 1], area=area)
    squares = (jnp.square(_waves(c) * s) for c, s in zip(contrasts, sensitivities))
    return safe_sqrt(jnp.mean(total(squares), axis=(1, 2)))


def _check(display: Display) -> None:
    if display.transfer not in TRANSFERS:
        raise ValueError(f"display.transfer must be one of {', '.join(map(repr, TRANSFERS))}, got {display.transfer!r}")
    if not 0 < display.pixels_per_degree < np.inf:
        raise ValueError(f"display.pixels_per_degree must be positive and finite, got {display.pixels_per_degree}")
    if not 0 < display.black_luminance < display.peak_luminance < np.inf:
        raise ValueError(
            "display.black_luminance must be positive and below display.peak_luminance, got "
            f"{display.black_luminance} and {display.peak_luminance}"
        )
