"""castleCSF: the eye's sensitivity to patterns by frequency, luminance, color, area and eccentricity."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import total
from rdr.vision.castle_csf_parameters import Band, CastleParameters, Chromatic, Falloff, castle_parameters

# LMS of 1 cd/m^2 of daylight (D65), L + M = 1: the authors' default background.
D65_LMS = (0.6991, 0.3009, 0.0198)
_DISC_FREQUENCIES = np.geomspace(0.125, 16.0, 64)


class Mechanisms(NamedTuple):
    """Sensitivities of the three mechanisms to their own contrasts.

    Attributes:
      achromatic: to light and dark.
      red_green: to differences of long and medium wavelengths.
      yellow_violet: to differences of short ones and the others.
    """

    achromatic: jax.Array
    red_green: jax.Array
    yellow_violet: jax.Array


def mechanism_sensitivities(
    spatial_frequency: ArrayLike, luminance: ArrayLike, *, area: ArrayLike = 1.0, temporal_frequency: ArrayLike = 0.0,
    eccentricity: ArrayLike = 0.0, visual_field: ArrayLike = 180.0, parameters: CastleParameters | None = None,
) -> Mechanisms:
    """Computes how sensitive each of the three mechanisms is.

    Each band has S = c(L) P(u; L) u sqrt(Z / (1 + Z / A)), Z = Z0 / (1 + (u / u0)^2), P a parabola of log u that is
    truncated below its peak; times responses exp(-w^e / s) of time; times 10^-((a + b u) eccentricity).

    Args:
      spatial_frequency: u, cycles per degree, 0 or more; the fit covers 1/16 to 64. All arguments broadcast.
      luminance: L, cd/m^2, that the eye has adapted to, positive; the fit covers 0.001 to 10,000.
      area: A of the pattern, square degrees, positive; pi s^2 of a Gabor patch with a Gaussian of deviation s.
      temporal_frequency: w, Hz, 0 or more. At 0 the gradient is given as 0 (the model's own is infinite).
      eccentricity: degrees, 0 or more; the fit covers up to 120.
      visual_field: angle of the place in the visual field of the right eye, degrees: 0 at the temple's side, 90 above,
        180 at the nose's, 270 below.
      parameters: by default those that the authors published.

    Returns:
      The sensitivities, of the broadcast shape, dtype float32, or float64 if an array is.

    Raises:
      ValueError: if a concrete value is out of range or not finite (traced ones give NaN).

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf). Below 0.0113 cd/m^2 the transient peak's frequency
      is negative there and its power complex; the modulus is what their code computes and what is kept here.
    """
    u, level, area, w, e, field = _checked(
        spatial_frequency=spatial_frequency, luminance=luminance, area=area, temporal_frequency=temporal_frequency,
        eccentricity=eccentricity, visual_field=visual_field,
    )  # fmt: skip
    fitted = castle_parameters() if parameters is None else parameters
    one = fitted.achromatic
    sustained = _band(u, level, area, one.sustained) * jnp.exp(-_power(w, one.sustained_exponent) / one.sustained_decay)
    transient = _band(u, level, area, one.transient) * _transient_response(w, level, fitted)
    found = Mechanisms(
        (sustained + transient) * _falloff(u, e, field, one.falloff),
        *(_chromatic(u, level, area, w, c) * _falloff(u, e, field, c.falloff)
          for c in (fitted.red_green, fitted.yellow_violet)),
    )  # fmt: skip
    valid = (u >= 0) & (level > 0) & (area > 0) & (w >= 0) & (e >= 0) & jnp.isfinite(u + level + w + e + field)
    return Mechanisms(*(jnp.where(valid, s, jnp.nan) for s in found))


def sensitivity(
    spatial_frequency: ArrayLike, luminance: ArrayLike | None = None, *, background: ArrayLike | None = None,
    direction: ArrayLike | None = None, area: ArrayLike = 1.0, temporal_frequency: ArrayLike = 0.0,
    eccentricity: ArrayLike = 0.0, visual_field: ArrayLike = 180.0, parameters: CastleParameters | None = None,
) -> jax.Array:
    """Computes the eye's sensitivity to a grating or Gabor patch.

    The inverse of the cone contrast sqrt(mean over cones of (dL/L)^2) that is just seen. Along a direction d the
    mechanisms' contrasts C_i are relative to the background's L + M, and k d is just seen where
    k = (sum of (C_i S_i)^2)^-1/2.

    Args:
      spatial_frequency: cycles per degree, 0 or more. All arguments broadcast. At 0, where the sensitivity is 0, the
        gradient is given as 0.
      luminance: cd/m^2 of a background of daylight (D65); or give `background`.
      background: [..., 3], responses L, M, S (CIE 2006) of the background, positive, L + M in cd/m^2.
      direction: [..., 3], increments of L, M and S along which the pattern is modulated, of any length but 0; by
        default the background's own, light and dark. `dkl_directions` has others.
      area: square degrees, positive.
      temporal_frequency: Hz, 0 or more.
      eccentricity: degrees, 0 or more.
      visual_field: degrees, see `mechanism_sensitivities`.
      parameters: by default those that the authors published.

    Returns:
      Sensitivity, of the broadcast shape: of light and dark, the inverse of Michelson's contrast; float32, or float64
      if an array is.

    Raises:
      ValueError: if a value is out of range, or not one of `luminance` and `background` is given.

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf).
    """
    background, direction = _colors(luminance, background, direction)
    found = mechanism_sensitivities(
        spatial_frequency, background[..., 0] + background[..., 1], area=area, temporal_frequency=temporal_frequency,
        eccentricity=eccentricity, visual_field=visual_field, parameters=parameters,
    )  # fmt: skip
    return _cone_sensitivity(found, background, direction, parameters)


def disc_sensitivity(
    radius: ArrayLike, luminance: ArrayLike | None = None, *, background: ArrayLike | None = None,
    direction: ArrayLike | None = None, temporal_frequency: ArrayLike = 0.0, eccentricity: ArrayLike = 0.0,
    visual_field: ArrayLike = 180.0, parameters: CastleParameters | None = None,
) -> jax.Array:
    """Computes the eye's sensitivity to a uniform disc.

    The largest sensitivity to gratings from 1/8 to 16 cycles per degree (64 of them) of one area, times
    radius^(1/b): what is seen is the edge.

    Args:
      radius: degrees, positive. All arguments broadcast.
      luminance: as in `sensitivity`.
      background: as in `sensitivity`.
      direction: as in `sensitivity`.
      temporal_frequency: Hz.
      eccentricity: degrees.
      visual_field: degrees.
      parameters: by default those that the authors published.

    Returns:
      Of the broadcast shape, as in `sensitivity`.

    Raises:
      ValueError: if a value is out of range.

    Reference:
      Ashraf, Mantiuk, Chapiro (ashraf2023discs); the area and b are those of castleCSF (ashraf2024castlecsf).
    """
    fitted = castle_parameters() if parameters is None else parameters
    background, direction = _colors(luminance, background, direction)
    (radius, *others) = _checked(
        radius=radius, temporal_frequency=temporal_frequency, eccentricity=eccentricity, visual_field=visual_field)
    w, e, field = (x[..., None] for x in others)
    found = sensitivity(
        jnp.asarray(_DISC_FREQUENCIES, radius.dtype), background=background[..., None, :],
        direction=direction[..., None, :], area=fitted.disc_area, temporal_frequency=w, eccentricity=e,
        visual_field=field, parameters=fitted,
    )  # fmt: skip
    largest, radius = _of_one_rank(jnp.max(found, axis=-1), radius)
    return largest * jnp.where(radius > 0, radius, jnp.nan) ** (1.0 / fitted.disc_exponent)


def mechanism_contrasts(
    increments: ArrayLike, background: ArrayLike, *, parameters: CastleParameters | None = None
) -> Mechanisms:
    """Computes the contrasts that the three mechanisms see.

    With l, d, b what is added to the background's L, M, S, and L + M + a S of the background as the unit: l + d + a b,
    l - m d + r b and s b - l - d. A pattern is just seen where the contrasts' amplitudes C_i have
    sum of (C_i S_i)^2 = 1, S_i of `mechanism_sensitivities`.

    Args:
      increments: [..., 3], of L, M and S.
      background: [..., 3], positive; broadcasts with `increments`, in the same units.
      parameters: by default those that the authors published.

    Returns:
      The contrasts, [...], dtype float32, or float64 if an array is.

    Raises:
      ValueError: if the background is not positive, or a last axis is not 3.

    Reference:
      Ashraf, Mantiuk, Chapiro, Wuerger (ashraf2024castlecsf).
    """
    (background,) = _checked(background=background)
    increments, background = _floats(increments=increments, background=background)
    for name, value in (("increments", increments), ("background", background)):
        if value.ndim < 1 or value.shape[-1] != 3:
            raise ValueError(f"{name} must have shape [.., 3], L, M and S, got {value.shape}")
    m, a, r, s = (castle_parameters() if parameters is None else parameters).opponency
    (l, d, b) = (increments[..., k] for k in range(3))
    mean = background[..., 0] + background[..., 1] + a * background[..., 2]
    return Mechanisms((l + d + a * b) / mean, (l - m * d + r * b) / mean, (s * b - l - d) / mean)


def dkl_directions(background: ArrayLike) -> jax.Array:
    """Computes the cardinal directions of color around a background.

    Light and dark (L + M alone of the three sums changes), red and green (L - (L0/M0) M alone) and yellow and violet
    ((L0 + M0)/S0 S - L - M alone): the Derrington-Krauskopf-Lennie axes, each as increments of the cones.

    Args:
      background: [..., 3], L, M and S, positive.

    Returns:
      [..., 3 directions, 3 cones]; each of length such that L + M, L - (L0/M0) M, or the third sum changes by 1.

    Raises:
      ValueError: if a concrete value is not positive, or the last axis is not 3.

    Reference:
      Derrington, Krauskopf, Lennie (derrington1984chromatic), J. Physiol. 357.
    """
    (background,) = _checked(background=background)
    if background.ndim < 1 or background.shape[-1] != 3:
        raise ValueError(f"background must have shape [.., 3], L, M and S, got {background.shape}")
    l, m, s = (background[..., k] for k in range(3))
    sum_of_two, zero = l + m, jnp.zeros_like(l)
    light = jnp.stack([l, m, s], -1) / sum_of_two[..., None]
    red = jnp.stack([m, -m, zero], -1) / sum_of_two[..., None]
    violet = jnp.stack([zero, zero, s], -1) / sum_of_two[..., None]
    return jnp.stack([light, red, violet], -2)


def _colors(luminance, background, direction):
    if (luminance is None) == (background is None):
        raise ValueError("one of luminance and background must be given, got "
                         + ("both" if background is not None else "none"))
    if background is None:
        (level,) = _checked(luminance=luminance)
        background = jnp.stack([level * share for share in D65_LMS], -1)
    else:
        (background,) = _checked(background=background)
        if background.ndim < 1 or background.shape[-1] != 3:
            raise ValueError(f"background must have shape [.., 3], L, M and S, got {background.shape}")
    if direction is None:
        return background, background
    background, direction = _floats(background=background, direction=direction)
    if direction.ndim < 1 or direction.shape[-1] != 3:
        raise ValueError(f"direction must have shape [.., 3], L, M and S, got {direction.shape}")
    if not isinstance(direction, jax.core.Tracer):
        values = np.asarray(direction)
        if not np.isfinite(values).all() or (values.size and not np.any(values, axis=-1).all()):
            raise ValueError("direction must be finite and not 0 in all three cones")
    return background, direction


def _cone_sensitivity(found, background, direction, parameters):
    contrasts = mechanism_contrasts(direction, background, parameters=parameters)
    pairs = (_of_one_rank(c, x) for c, x in zip(contrasts, found))
    squared = total(jnp.square(c * x) for c, x in pairs)
    nothing = squared == 0  # at frequency 0, and where squares underflow
    seen = jnp.where(nothing, 0.0, jnp.sqrt(jnp.where(nothing, 1.0, squared)))
    seen, length = _of_one_rank(seen, jnp.sqrt(jnp.sum(jnp.square(direction / background), -1)))
    return seen * math.sqrt(3.0) / length


def _band(u, level, area, band: Band):
    peak, width = _at_luminance(band.frequency, level), 2.0**band.bandwidth
    positive = u > 0
    decades = (jnp.log(jnp.where(positive, u, 1.0)) - jnp.log(peak)) / math.log(10.0)
    parabola = jnp.exp(-math.log(10.0) * jnp.square(decades) / width)
    parabola = jnp.where(u < peak, jnp.maximum(parabola, 1.0 - band.truncation), parabola)
    parabola = jnp.where(positive, parabola, 1.0 - band.truncation)
    critical = band.area / (1.0 + jnp.square(u / band.area_frequency))
    return _at_luminance(band.sensitivity, level) * parabola * jnp.sqrt(critical / (1.0 + critical / area)) * u


def _at_luminance(numbers, level):
    if len(numbers) == 1:
        return numbers[0] * jnp.ones_like(level)
    if len(numbers) == 2:
        return numbers[1] * level ** numbers[0]
    value = numbers[0] * jnp.exp(-numbers[2] * jnp.log1p(numbers[1] / level))
    if len(numbers) == 3:
        return value
    return -value * jnp.expm1(-numbers[4] * jnp.log1p(numbers[3] / level))


def _transient_response(w, level, fitted: CastleParameters):
    one = fitted.achromatic
    peak = one.transient_peak[0] + one.transient_peak[1] * jnp.log(level) / math.log(10.0)
    size, root = _power(jnp.abs(peak), one.transient_exponent), _power(w, one.transient_exponent)
    # |w^e - p^e|^2, where a negative p has p^e = |p|^e exp(i pi e).
    turn = jnp.where(peak < 0, jnp.cos(jnp.pi * one.transient_exponent), 1.0)
    distance = jnp.square(root) - 2.0 * turn * root * size + jnp.square(size)
    return jnp.exp(-distance / one.transient_decay)


def _chromatic(u, level, area, w, mechanism: Chromatic):
    return _band(u, level, area, mechanism.band) * jnp.exp(-_power(w, mechanism.exponent) / mechanism.decay)


def _falloff(u, eccentricity, field, falloff: Falloff):
    share = jnp.minimum(1.0, jnp.abs(field - 180.0) / 90.0)
    constant, slope = (share * t + (1.0 - share) * n for t, n in zip(falloff.temporal, falloff.nasal))
    return jnp.exp(-math.log(10.0) * (constant + slope * u) * eccentricity)


def _power(x, exponent):
    """x^exponent of x >= 0, with gradient 0 at 0."""
    positive = x > 0
    return jnp.where(positive, jnp.where(positive, x, 1.0) ** exponent, 0.0)


_NON_NEGATIVE = ("spatial_frequency", "temporal_frequency", "eccentricity")
_POSITIVE = ("luminance", "area", "radius", "background")
_UNITS = {"spatial_frequency": "cycles per degree", "temporal_frequency": "Hz", "eccentricity": "degrees",
          "luminance": "cd/m^2", "area": "square degrees", "radius": "degrees", "visual_field": "degrees",
          "background": "cd/m^2"}


def _checked(**arguments: ArrayLike) -> list[jax.Array]:
    """Brings arguments to one type, and refuses concrete values out of range."""
    for name, value in arguments.items():
        if isinstance(value, jax.core.Tracer):
            continue
        numbers = np.asarray(value)
        if not np.issubdtype(numbers.dtype, np.number) or np.iscomplexobj(numbers):
            raise ValueError(f"{name} must hold real numbers, got {numbers.dtype}")
        low = numbers <= 0 if name in _POSITIVE else (numbers < 0) & (name in _NON_NEGATIVE)
        wrong = numbers[low | ~np.isfinite(numbers)]
        if wrong.size:
            sign = "positive and " if name in _POSITIVE else "non-negative and " if name in _NON_NEGATIVE else ""
            raise ValueError(f"{name} must be {sign}finite, in {_UNITS[name]}, got {wrong.flat[0]:g}")
    return _floats(**arguments)


def _floats(**arguments: ArrayLike) -> list[jax.Array]:
    strong = [jnp.asarray(x).dtype for x in arguments.values() if not isinstance(x, int | float)]
    dtype = jnp.result_type(jnp.float32, *strong)
    return _of_one_rank(*(jnp.asarray(x, dtype) for x in arguments.values()))


def _of_one_rank(*arrays: jax.Array) -> list[jax.Array]:
    rank = max(x.ndim for x in arrays)
    return [x.reshape((1,) * (rank - x.ndim) + x.shape) if x.ndim else x for x in arrays]
