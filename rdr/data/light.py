"""Light of coded values, and what a page of 8 bits shows of high dynamic range; float64 on the host.

`rdr.vision` has the same functions for gradients. These here decide about numbers in files, so that they are
computed in double precision, whatever JAX's settings are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from rdr.data.color_spaces import PRIMARIES, bt709_from, srgb_from_linear

PQ_PEAK = 10_000.0  # cd/m^2
REFERENCE_WHITE = 203.0  # cd/m^2, of diffuse white in PQ and HLG
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2  # of the display that HLG is shown on
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)
_BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
_KNEE = 0.5  # of white: where tone mapping begins to bend


def pq_from_luminance(luminance: ArrayLike) -> np.ndarray:
    """Encodes luminance in PQ.

    ((c1 + c2 Y^m1) / (1 + c3 Y^m1))^m2 with Y = L / 10,000.

    Args:
      luminance: any shape, from 0 to 10,000 cd/m^2; larger ones are cut.

    Returns:
      float64 in [0, 1], the same shape.

    Reference:
      SMPTE ST 2084; ITU-R BT.2100 (itu2018bt2100), table 4.
    """
    power = np.minimum(np.asarray(luminance, np.float64) / PQ_PEAK, 1.0) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def luminance_from_pq(values: ArrayLike) -> np.ndarray:
    """Decodes PQ.

    10,000 (max(V^(1/m2) - c1, 0) / (c2 - c3 V^(1/m2)))^(1/m1).

    Args:
      values: any shape, in [0, 1].

    Returns:
      float64, cd/m^2, the same shape.

    Reference:
      SMPTE ST 2084; ITU-R BT.2100 (itu2018bt2100), table 4.
    """
    power = np.asarray(values, np.float64) ** (1 / _M2)
    return PQ_PEAK * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def luminance_from_hlg(values: ArrayLike) -> np.ndarray:
    """Decodes HLG for a display of 1,000 cd/m^2.

    Light of the scene is E = V^2 / 3 for V <= 1/2, else (exp((V - c) / a) + b) / 12; the display shows 1,000 Y^0.2 E,
    with the luminance Y of E.

    Args:
      values: [..., 1 or 3], in [0, 1]; of three, with the primaries of BT.2020.

    Returns:
      float64, cd/m^2, the same shape.

    Reference:
      ITU-R BT.2100 (itu2018bt2100), table 5.
    """
    values = np.asarray(values, np.float64)
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - _C) / _A) + _B) / 12)
    luminance = (scene @ _BT2020_LUMINANCE)[..., None] if values.shape[-1] == 3 else scene
    return HLG_PEAK * luminance ** (HLG_GAMMA - 1) * scene


def tone_map(light: np.ndarray, primaries: int, white: float) -> np.ndarray:
    """Makes 8 bits of sRGB of high dynamic range, for a look at it.

    Luminances up to half of white's are kept; above, y white becomes (1/2 + t / (2 (1 + t))) white with t = 2 y - 1,
    so that white is shown at 3/4 and no luminance is cut. The three channels of a pixel are scaled alike, and cut where
    one then is outside of BT.709.

    Args:
      light: [height, width, 1 or 3], linear, at least 0.
      primaries: code point of ITU-T H.273.
      white: the light that white has, positive.

    Returns:
      uint8 of the same shape.
    """
    light = np.asarray(light, np.float64) / white
    if light.shape[2] == 3:
        light = np.maximum(light @ bt709_from(PRIMARIES[primaries]).T, 0)
        luminance = (light @ np.array([0.2126, 0.7152, 0.0722]))[:, :, None]
    else:
        luminance = light
    above = np.maximum(luminance - _KNEE, 0) / _KNEE
    bent = np.where(above > 0, _KNEE + (1 - _KNEE) * above / (1 + above), luminance)
    shown = np.clip(light * bent / np.maximum(luminance, 1e-30), 0, 1)
    return np.floor(255 * srgb_from_linear(shown) + 0.5).astype(np.uint8)
