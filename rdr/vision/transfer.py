"""Transfer functions between coded values and light: sRGB, powers, PQ, HLG and linear, and their inverses.

All act on floating-point arrays, compute in float32 (float64 if given it), and have finite gradients everywhere; where
the slope of a function is infinite, at black, its gradient is 0.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import total, working_arrays
from rdr.gradients import safe_sqrt

TRANSFERS = ("srgb", "gamma", "pq", "hlg", "linear")
PQ_PEAK = 10_000.0  # cd/m^2
# SMPTE ST 2084; ITU-R BT.2100, table 4.
_M1, _M2 = 2610.0 / 16384.0, 2523.0 / 32.0
_C1, _C2, _C3 = 3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0
# ITU-R BT.2100, table 5.
_A = 0.17883277
_B, _C = 1.0 - 4.0 * _A, 0.5 - _A * math.log(4.0 * _A)
HLG_LUMINANCE = (0.2627, 0.6780, 0.0593)  # of the primaries of BT.2020


def linear_from_srgb(rgb: ArrayLike) -> jax.Array:
    """Undoes the sRGB transfer function.

    c / 12.92 for c <= 0.04045, else ((c + 0.055) / 1.055)^2.4.

    Args:
      rgb: any shape, sRGB; 1 is the display's maximum.

    Returns:
      Linear light, the same shape.

    Reference:
      IEC 61966-2-1:1999 (iec1999srgb).
    """
    (rgb,) = working_arrays(rgb=rgb)
    bright = rgb > 0.04045
    return jnp.where(bright, ((jnp.where(bright, rgb, 1.0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)


def srgb_from_linear(linear: ArrayLike) -> jax.Array:
    """Applies the sRGB transfer function.

    Args:
      linear: any shape, linear light; 1 is the display's maximum.

    Returns:
      sRGB, the same shape.

    Reference:
      IEC 61966-2-1:1999 (iec1999srgb).
    """
    (linear,) = working_arrays(linear=linear)
    bright = linear > 0.0031308
    return jnp.where(
        bright, 1.055 * jnp.where(bright, linear, 1.0) ** (1.0 / 2.4) - 0.055, 12.92 * linear
    )


def linear_from_gamma(values: ArrayLike, gamma: float = 2.2) -> jax.Array:
    """Raises coded values to a power.

    Args:
      values: any shape; negative ones count as 0.
      gamma: the power, at least 1.

    Returns:
      max(values, 0)^gamma, linear light, the same shape.

    Raises:
      ValueError: if gamma is below 1.
    """
    _check_gamma(gamma)
    (values,) = working_arrays(values=values)
    return _power(values, gamma)


def gamma_from_linear(linear: ArrayLike, gamma: float = 2.2) -> jax.Array:
    """Undoes `linear_from_gamma`.

    Args:
      linear: any shape; negative values count as 0.
      gamma: the power, at least 1.

    Returns:
      max(linear, 0)^(1 / gamma), the same shape.

    Raises:
      ValueError: if gamma is below 1.
    """
    _check_gamma(gamma)
    (linear,) = working_arrays(linear=linear)
    return _power(linear, 1.0 / gamma)


def luminance_from_pq(values: ArrayLike) -> jax.Array:
    """Decodes PQ.

    10,000 (max(V^(1/m2) - c1, 0) / (c2 - c3 V^(1/m2)))^(1/m1).

    Args:
      values: any shape, in [0, 1]; 10-bit code values are divided by 1023.

    Returns:
      cd/m^2, at most 10,000 for values up to 1; the same shape.

    Reference:
      SMPTE ST 2084; ITU-R BT.2100 (itu2018bt2100), table 4.
    """
    (values,) = working_arrays(values=values)
    bright = values > _C1**_M2
    power = jnp.where(bright, values, 1.0) ** (1.0 / _M2)
    light = _power((power - _C1) / (_C2 - _C3 * power), 1.0 / _M1)
    return jnp.where(bright, PQ_PEAK * light, 0.0)


def pq_from_luminance(luminance: ArrayLike) -> jax.Array:
    """Encodes in PQ.

    ((c1 + c2 Y^m1) / (1 + c3 Y^m1))^m2 with Y = L / 10,000.

    Args:
      luminance: any shape, cd/m^2; clipped to [0, 10,000].

    Returns:
      In [0, 1] (7e-7 for 0), the same shape.

    Reference:
      SMPTE ST 2084; ITU-R BT.2100 (itu2018bt2100), table 4.
    """
    (luminance,) = working_arrays(luminance=luminance)
    power = _power(jnp.minimum(luminance / PQ_PEAK, 1.0), _M1)
    return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2


def scene_from_hlg(values: ArrayLike) -> jax.Array:
    """Decodes HLG to light of the scene, each channel by itself.

    V^2 / 3 for V <= 1/2, else (exp((V - c) / a) + b) / 12.

    Args:
      values: any shape, in [0, 1].

    Returns:
      Light of the scene in [0, 1], the same shape.

    Reference:
      ITU-R BT.2100 (itu2018bt2100), table 5: the inverse OETF.
    """
    (values,) = working_arrays(values=values)
    bright = values > 0.5
    return jnp.where(bright, (jnp.exp((jnp.where(bright, values, 1.0) - _C) / _A) + _B) / 12.0,
                     jnp.square(jnp.maximum(values, 0.0)) / 3.0)


def hlg_from_scene(scene: ArrayLike) -> jax.Array:
    """Encodes light of the scene in HLG, each channel by itself.

    Args:
      scene: any shape, in [0, 1]; negative values count as 0.

    Returns:
      In [0, 1], the same shape.

    Reference:
      ITU-R BT.2100 (itu2018bt2100), table 5: the OETF.
    """
    (scene,) = working_arrays(scene=scene)
    bright = scene > 1.0 / 12.0
    return jnp.where(bright, _A * jnp.log(12.0 * jnp.where(bright, scene, 1.0) - _B) + _C, safe_sqrt(3.0 * scene))


def hlg_system_gamma(peak: float, ambient: float = 5.0) -> float:
    """Computes the power of luminance by which an HLG display departs from the scene.

    1.2 up to 1000 cd/m^2; above, 1.2 + 0.42 log10(peak / 1000) - 0.07623 log10(ambient / 5).

    Args:
      peak: of the display, cd/m^2.
      ambient: light in the room, lux; at 0 the last term is left out.

    Returns:
      The power.

    Raises:
      ValueError: if the peak is not positive or the ambient light negative.

    Reference:
      ITU-R BT.2100 (itu2018bt2100), note 5f, and BBC White Paper 369 for the term of ambient light; ColorVideoVDP
      (mantiuk2024colorvideovdp) has the same, above 1000 cd/m^2 only.
    """
    if not (peak > 0 and ambient >= 0):
        raise ValueError(f"peak must be positive and ambient not negative, got {peak} and {ambient}")
    if peak <= 1000.0:
        return 1.2
    return 1.2 + 0.42 * math.log10(peak / 1000.0) - (0.07623 * math.log10(ambient / 5.0) if ambient else 0.0)


def display_from_hlg(rgb: ArrayLike, system_gamma: float = 1.2) -> jax.Array:
    """Decodes HLG to light of the display.

    Light of the scene times its luminance to the power of system_gamma - 1.

    Args:
      rgb: [..., 3], in [0, 1].
      system_gamma: see `hlg_system_gamma`.

    Returns:
      [..., 3], linear light relative to the display's peak.

    Reference:
      ITU-R BT.2100 (itu2018bt2100), table 5: inverse OETF and OOTF.
    """
    scene = scene_from_hlg(rgb)
    return scene * _power(_hlg_luminance(scene), system_gamma - 1.0)


def hlg_from_display(linear: ArrayLike, system_gamma: float = 1.2) -> jax.Array:
    """Undoes `display_from_hlg`.

    Args:
      linear: [..., 3], linear light relative to the display's peak.
      system_gamma: see `hlg_system_gamma`.

    Returns:
      [..., 3], in [0, 1].

    Reference:
      ITU-R BT.2100 (itu2018bt2100), table 5: inverse OOTF and OETF.
    """
    (linear,) = working_arrays(linear=linear)
    return hlg_from_scene(linear * _power(_hlg_luminance(linear), (1.0 - system_gamma) / system_gamma))


def eotf(values: ArrayLike, transfer: str, *, gamma: float = 2.2, system_gamma: float = 1.2) -> jax.Array:
    """Decodes values to light.

    Args:
      values: [..., 3] for "hlg", else any shape.
      transfer: of `TRANSFERS`.
      gamma: of "gamma".
      system_gamma: of "hlg".

    Returns:
      The same shape: cd/m^2 for "pq", relative to the peak for "srgb", "gamma" and "hlg", and `values` as they are for
      "linear".

    Raises:
      ValueError: if there is no such transfer function.
    """
    _check_transfer(transfer)
    if transfer == "gamma":
        return linear_from_gamma(values, gamma)
    if transfer == "hlg":
        return display_from_hlg(values, system_gamma)
    simple = {"srgb": linear_from_srgb, "pq": luminance_from_pq, "linear": _as_it_is}
    return simple[transfer](values)


def inverse_eotf(light: ArrayLike, transfer: str, *, gamma: float = 2.2, system_gamma: float = 1.2) -> jax.Array:
    """Encodes light.

    Args:
      light: what `eotf` returns.
      transfer: of `TRANSFERS`.
      gamma: of "gamma".
      system_gamma: of "hlg".

    Returns:
      The same shape, coded values.

    Raises:
      ValueError: if there is no such transfer function.
    """
    _check_transfer(transfer)
    if transfer == "gamma":
        return gamma_from_linear(light, gamma)
    if transfer == "hlg":
        return hlg_from_display(light, system_gamma)
    simple = {"srgb": srgb_from_linear, "pq": pq_from_luminance, "linear": _as_it_is}
    return simple[transfer](light)


def _as_it_is(values: ArrayLike) -> jax.Array:
    return working_arrays(values=values)[0]


def _power(x: jax.Array, power: float) -> jax.Array:
    # max(x, 0)^power with gradient 0 at 0.
    positive = x > 0
    return jnp.where(positive, jnp.where(positive, x, 1.0) ** power, 0.0)


def _hlg_luminance(rgb: jax.Array) -> jax.Array:
    if rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"hlg needs 3 channels on the last axis, got shape {rgb.shape}")
    return total(w * rgb[..., k : k + 1] for k, w in enumerate(HLG_LUMINANCE))


def _check_transfer(transfer: str) -> None:
    if transfer not in TRANSFERS:
        raise ValueError(f"transfer must be one of {', '.join(map(repr, TRANSFERS))}, got {transfer!r}")


def _check_gamma(gamma: float) -> None:
    if not 1.0 <= gamma < np.inf:
        raise ValueError(f"gamma must be at least 1 and finite, got {gamma}")
