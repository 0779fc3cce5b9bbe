"""Errors as an eye sees them on a display: luminance differences weighted by contrast sensitivity."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_pair, total, working_arrays
from rdr.gradients import safe_sqrt
from rdr.vision.castle_csf import mechanism_sensitivities
from rdr.vision.transfer import linear_from_srgb, luminance_from_pq

TRANSFERS = ("srgb", "pq")
MODELS = ("barten", "castle")
# Luminance of the primaries: ITU-R BT.709 (itu2015bt709) for sRGB, BT.2020 for PQ.
_LUMINANCE = {"srgb": (0.2126, 0.7152, 0.0722), "pq": (0.2627, 0.6780, 0.0593)}


class Display(NamedTuple):
    """A display and the distance that it is seen from.

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
    images: ArrayLike, reference: ArrayLike, *, display: Display | None = None, model: str = "barten"
) -> jax.Array:
    """Computes the root mean square of luminance differences, each frequency weighted by the eye's sensitivity.

    Both images are shown on the display; the difference of their luminances is divided by the reference's mean
    luminance, to which the eye adapts, and decomposed into cosines (so that the image's borders make no step);
    each is multiplied by the sensitivity at its frequency to a grating as large as the image. A difference of the
    whole image's luminance counts as half a cycle across its longer side. Color differences of equal luminance are
    not seen; masking by the image's own contrast is not modeled.

    Args:
      images: [batch, height, width, 3], in [0, 1], coded as the display takes them.
      reference: the same shape.
      display: by default `Display()`.
      model: of the sensitivity: "barten" (`contrast_sensitivity`), or "castle" (the achromatic mechanism of
        castleCSF at the fovea, `rdr.vision.castle_csf`).

    Returns:
      [batch], in units of the threshold of detection of a grating: 1 is about what is just seen; float32, or float64
      if an argument is.

    Raises:
      ValueError: if shapes differ, the display's values are out of range, or there is no such model.

    Reference:
      Barten (barten2003formula); Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf).
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(map(repr, MODELS))}, got {model!r}")
    images, reference = image_pair(images, reference, channels=3, unit_range=True)
    display = Display() if display is None else display
    shown, target = (display_luminance(x, display) for x in (images, reference))
    adapted = jnp.mean(target, axis=(1, 2), keepdims=True)
    waves = jax.scipy.fft.dctn((shown - target) / adapted, axes=(1, 2), norm="ortho")
    height, width = images.shape[1:3]
    rows, columns = (np.arange(n) / (2.0 * n) * display.pixels_per_degree for n in (height, width))
    frequency = np.hypot(rows[:, None], columns[None, :])
    frequency[0, 0] = display.pixels_per_degree / (2.0 * max(height, width))
    area = height * width / display.pixels_per_degree**2
    frequency = jnp.asarray(frequency, images.dtype)[None]
    if model == "castle":
        weights = mechanism_sensitivities(frequency, adapted, area=area).achromatic
    else:
        weights = contrast_sensitivity(frequency, adapted, area)
    return safe_sqrt(jnp.mean(jnp.square(waves * weights), axis=(1, 2)))


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
