"""One glance: how sensitivity to each band of an image falls away from the point that the eye rests on."""

from __future__ import annotations

import functools

import numpy as np

from rdr.vision.castle_csf_parameters import castle_parameters
from rdr.vision.pyramid import band_frequencies


def as_point(fixation: tuple[float, float] | None) -> tuple[float, float] | None:
    """Checks a fixation.

    Args:
      fixation: row and column, in pixels; or None.

    Returns:
      The same as floats.

    Raises:
      ValueError: if it is not two finite numbers.
    """
    if fixation is None:
        return None
    if np.shape(fixation) != (2,) or not np.isfinite(np.asarray(fixation, np.float64)).all():
        raise ValueError(f"fixation must be a row and a column in pixels, got {fixation}")
    return float(fixation[0]), float(fixation[1])


def eccentricity(height: int, width: int, pixels_per_degree: float, fixation: tuple[float, float],
                 stride: int = 1) -> np.ndarray:
    """Computes angles between places of an image and a fixation, of pixels that all have the size of the middle's.

    Args:
      height: of the image, pixels.
      width: of the image, pixels.
      pixels_per_degree: of the display.
      fixation: row and column of the point, in pixels.
      stride: every so many pixels, from the first.

    Returns:
      float64 [ceil(height / stride), ceil(width / stride)], degrees.
    """
    rows, columns = np.arange(0, height, stride) - fixation[0], np.arange(0, width, stride) - fixation[1]
    return np.hypot(rows[:, None], columns) / pixels_per_degree


@functools.lru_cache(maxsize=16)
def band_gains(height: int, width: int, pixels_per_degree: float, fixation: tuple[float, float]
               ) -> tuple[np.ndarray, ...]:
    """Computes by what sensitivities to the bands of ColorVideoVDP are multiplied at each place of a glance.

    S(u, e) / S(u, 0) = 10^-((a + b u) e) of castleCSF at the band's frequency u and the place's eccentricity e, for
    light and dark, red and green, yellow and violet, in the temporal half of the visual field: with both eyes open,
    one of them has a place at the side there.

    Args:
      height: of the image, pixels.
      width: of the image, pixels.
      pixels_per_degree: of the display.
      fixation: row and column of the point, in pixels.

    Returns:
      Of each band, the finest first and the base band last, float32 [3, rows, columns]; 1 at the fixation.

    Raises:
      ValueError: if a side is below 2 pixels.

    Reference: ashraf2024castlecsf.
    """
    fitted = castle_parameters()
    falloffs = (fitted.achromatic.falloff, fitted.red_green.falloff, fitted.yellow_violet.falloff)
    gains = []
    for level, frequency in enumerate(band_frequencies(height, width, pixels_per_degree)):
        angles = eccentricity(height, width, pixels_per_degree, fixation, 2**level)
        slopes = [constant + slope * frequency for constant, slope in (one.temporal for one in falloffs)]
        gains.append((10.0 ** -np.multiply.outer(slopes, angles)).astype(np.float32))
    return tuple(gains)
