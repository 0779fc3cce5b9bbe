"""Parameters of castleCSF, fitted by its authors to 18 studies: a file of numbers with source and license."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any, NamedTuple


class Band(NamedTuple):
    """A band-pass of spatial frequencies, which depends on luminance and area.

    Attributes:
      sensitivity: how the peak's height depends on luminance: 2 numbers (p, c): c L^p; 3 (c, l, p): c (1 + l/L)^-p;
        5 (c, l, p, m, q): c (1 + l/L)^-p (1 - (1 + m/L)^-q).
      frequency: of the peak, cycles per degree, in the same way; 1 number: the same at all luminances.
      bandwidth: log2 of the width of the parabola, in decades squared.
      truncation: below the peak's frequency the parabola falls by no more than this share of the peak.
      area: beyond which sensitivity stops growing at low frequencies, square degrees.
      area_frequency: at which that area is half as large, cycles per degree.
    """

    sensitivity: tuple[float, ...]
    frequency: tuple[float, ...]
    bandwidth: float
    truncation: float
    area: float
    area_frequency: float


class Falloff(NamedTuple):
    """Decades of sensitivity lost per degree of eccentricity: constant, and per cycle per degree.

    Attributes:
      temporal: on the side of the temple, and above and below.
      nasal: on the side of the nose.
    """

    temporal: tuple[float, float]
    nasal: tuple[float, float]


class Achromatic(NamedTuple):
    """The mechanism of light and dark: a sustained and a transient band, added.

    Attributes:
      sustained: band of steady patterns.
      transient: band of moving ones.
      sustained_decay: s of exp(-w^e / s), w in Hz.
      sustained_exponent: e there.
      transient_decay: s of exp(-|w^e - w0^e|^2 / s).
      transient_exponent: e there.
      transient_peak: (a, b) of w0 = a + b log10 L, in Hz.
      falloff: with eccentricity.
    """

    sustained: Band
    transient: Band
    sustained_decay: float
    sustained_exponent: float
    transient_decay: float
    transient_exponent: float
    transient_peak: tuple[float, float]
    falloff: Falloff


class Chromatic(NamedTuple):
    """A mechanism of color: one band.

    Attributes:
      band: of spatial frequencies.
      decay: s of exp(-w^e / s), w in Hz.
      exponent: e there.
      falloff: with eccentricity.
    """

    band: Band
    decay: float
    exponent: float
    falloff: Falloff


class CastleParameters(NamedTuple):
    """All that castleCSF fits: a pytree of numbers, so that it can be fitted again.

    Attributes:
      achromatic: mechanism L + M (+ a share of S).
      red_green: mechanism L - M.
      yellow_violet: mechanism S - (L + M).
      opponency: (m, a, r, s): the mechanisms see L + M + a S, L - m M + r S and s S - L - M.
      disc_area: area at which the discs' sensitivity is that of a grating, square degrees.
      disc_exponent: a disc's sensitivity grows with the radius to the power of its inverse.
    """

    achromatic: Achromatic
    red_green: Chromatic
    yellow_violet: Chromatic
    opponency: tuple[float, float, float, float]
    disc_area: float
    disc_exponent: float


@functools.cache
def castle_parameters() -> CastleParameters:
    """Reads the parameters that the authors of castleCSF published.

    Returns:
      The fit to all studies, version 0.2.4 of their code (the same as the paper's).

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf); MIT license, beside the file.
    """
    text = importlib.resources.files("rdr.vision").joinpath("data/castle_csf.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    achromatic = found["achromatic"]
    return CastleParameters(
        Achromatic(**(achromatic | {
            "sustained": _band(achromatic["sustained"]),
            "transient": _band(achromatic["transient"]),
            "transient_peak": tuple(achromatic["transient_peak"]),
            "falloff": _falloff(achromatic["falloff"]),
        })),
        _chromatic(found["red_green"]), _chromatic(found["yellow_violet"]), tuple(found["opponency"]),
        found["disc_area"], found["disc_exponent"],
    )  # fmt: skip


def _band(found: dict[str, Any]) -> Band:
    return Band(**(found | {name: tuple(found[name]) for name in ("sensitivity", "frequency")}))


def _falloff(found: dict[str, Any]) -> Falloff:
    return Falloff(*(tuple(found[name]) for name in Falloff._fields))


def _chromatic(found: dict[str, Any]) -> Chromatic:
    return Chromatic(**(found | {"band": _band(found["band"]), "falloff": _falloff(found["falloff"])}))
