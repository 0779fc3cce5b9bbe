"""PU21: absolute luminance as numbers that metrics of SDR images can take."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import working_arrays

MINIMUM, MAXIMUM = 0.005, 10_000.0  # cd/m^2 that the encoding covers
# p1 to p7 of each variant: the numbers of the published formula, as its authors revised them on 2020-02-06.
PARAMETERS = {
    "banding": (1.070275272, 0.4088273932, 0.153224308, 0.2520326168, 1.063512885, 1.14115047, 521.4527484),
    "banding_glare": (
        0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142),
    "peaks": (1.043882782, 0.6459495343, 0.3194584211, 0.374025247, 1.114783422, 1.095360363, 384.9217577),
    "peaks_glare": (816.885024, 1479.463946, 0.001253215609, 0.9329636822, 0.06746643971, 1.573435413, 419.6006374),
}  # fmt: skip
VARIANTS = tuple(PARAMETERS)


def pu21_encode(luminance: ArrayLike, *, variant: str = "banding_glare") -> jax.Array:
    """Encodes luminance so that equal steps are about equally visible.

        V = p7 (((p1 + p2 Y^p4) / (1 + p3 Y^p4))^p5 - p6)

    Args:
      luminance: Y, of any shape, cd/m^2: luminance, or linear RGB scaled to it. Values outside of 0.005 to 10,000 count
        as the nearest end (with gradient 0).
      variant: "banding_glare" (what its authors recommend), "banding", "peaks" or "peaks_glare": which thresholds
        were integrated, and whether light scattered in the eye was counted.

    Returns:
      V, of the same shape: from about 0; 100 cd/m^2 is about 256, 10,000 is 595.39 (banding_glare); float32, or
      float64 if the argument is.

    Raises:
      ValueError: if there is no such variant, or a concrete value is negative or not finite.

    Reference:
      Mantiuk and Azimi (mantiuk2021pu21), PU21: A novel perceptually uniform encoding, PCS 2021.
    """
    p = _parameters(variant)
    (y,) = working_arrays(luminance=luminance)
    if not isinstance(y, jax.core.Tracer) and y.size:
        values = np.asarray(y)
        wrong = values[~(np.isfinite(values) & (values >= 0))]
        if wrong.size:
            raise ValueError(f"luminance must be non-negative and finite, in cd/m^2, got {wrong.flat[0]:g}")
    power = jnp.clip(y, MINIMUM, MAXIMUM) ** p[3]
    return p[6] * (((p[0] + p[1] * power) / (1.0 + p[2] * power)) ** p[4] - p[5])


def pu21_decode(code: ArrayLike, *, variant: str = "banding_glare") -> jax.Array:
    """Undoes `pu21_encode`.

    Args:
      code: V, of any shape.
      variant: as encoded.

    Returns:
      Y in cd/m^2, in [0.005, 10,000]; values of V that no luminance has count as the nearest that one has.

    Raises:
      ValueError: if there is no such variant.

    Reference:
      Mantiuk and Azimi (mantiuk2021pu21); the limits of V are ours, theirs go on.
    """
    p = _parameters(variant)
    (v,) = working_arrays(code=code)
    low, high = (_encoded(p, y) for y in (MINIMUM, MAXIMUM))
    root = (jnp.clip(v, low, high) / p[6] + p[5]) ** (1.0 / p[4])
    return jnp.clip((root - p[0]) / (p[1] - p[2] * root), 0.0) ** (1.0 / p[3])


def on_pu21(
    metric: Callable[..., jax.Array], *, variant: str = "banding_glare", white: float = 256.0
) -> Callable[..., jax.Array]:
    """Makes a metric of SDR images one of absolute luminance.

    Args:
      metric: function of images and reference in [0, 1] (and of keyword arguments), differentiable or not.
      variant: of the encoding.
      white: V that becomes 1. With 256, about 100 cd/m^2, what a metric says of an SDR image on such a display is about
        what it says of its pixels; brighter values exceed 1.

    Returns:
      The function of images and reference in cd/m^2, linear, of one shape.

    Raises:
      ValueError: if there is no such variant, or white is not positive.

    Reference:
      Mantiuk and Azimi (mantiuk2021pu21).
    """
    _parameters(variant)
    if not 0 < white < np.inf:
        raise ValueError(f"white must be positive and finite, got {white}")

    def on_luminance(images: ArrayLike, reference: ArrayLike, **options) -> jax.Array:
        return metric(*(pu21_encode(x, variant=variant) / white for x in (images, reference)), **options)

    return on_luminance


def _encoded(p: tuple[float, ...], y: float) -> float:
    return p[6] * (((p[0] + p[1] * y ** p[3]) / (1.0 + p[2] * y ** p[3])) ** p[4] - p[5])


def _parameters(variant: str) -> tuple[float, ...]:
    if variant not in PARAMETERS:
        raise ValueError(f"variant must be one of {', '.join(map(repr, PARAMETERS))}, got {variant!r}")
    return PARAMETERS[variant]
