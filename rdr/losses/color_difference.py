"""Color differences: CIEDE2000, and Euclidean distance in CIELAB or Oklab."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_pair, working_arrays
from rdr.features.color import convert
from rdr.gradients import safe_sqrt

FORMULAS = ("ciede2000", "lab", "oklab")


def ciede2000(
    lab: ArrayLike, reference_lab: ArrayLike, *, k_l: float = 1.0, k_c: float = 1.0, k_h: float = 1.0
) -> jax.Array:
    """Computes the CIEDE2000 difference of colors.

        dE^2 = (dL'/(k_L S_L))^2 + (dC'/(k_C S_C))^2 + (dH'/(k_H S_H))^2 + R_T dC'/(k_C S_C) dH'/(k_H S_H)

    with lightness, chroma and hue terms, their weights S and the rotation R_T as defined by the CIE. The
    formula jumps where hues lie 180 degrees apart, and dE has a kink at equal colors; the gradient there is
    given as 0.

    Args:
      lab: [..., 3], CIELAB.
      reference_lab: the same shape.
      k_l: parametric factor of lightness (2 for textiles).
      k_c: parametric factor of chroma.
      k_h: parametric factor of hue.

    Returns:
      [...], in units of about one just noticeable difference.

    Raises:
      ValueError: if the shapes differ or do not end in 3.

    Reference:
      Sharma, Wu, Dalal (sharma2005ciede2000), The CIEDE2000 color-difference formula: implementation notes,
      supplementary test data, and mathematical observations, Color Research and Application 30 (2005).
    """
    lab, reference = working_arrays(lab=lab, reference_lab=reference_lab)
    if lab.shape != reference.shape or lab.ndim < 1 or lab.shape[-1] != 3:
        raise ValueError(f"lab and reference_lab must have one shape [..., 3], got {lab.shape}, {reference.shape}")
    (l1, a1, b1), (l2, a2, b2) = (jnp.moveaxis(x, -1, 0) for x in (lab, reference))
    chroma = 0.5 * (_length(a1, b1) + _length(a2, b2))
    stretch = 1.5 - 0.5 * _chroma_saturation(chroma)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = _length(a1, b1), _length(a2, b2)
    h1, h2 = _angle(b1, a1), _angle(b2, a2)
    colored = (c1 > 0) & (c2 > 0)

    pi = jnp.pi
    turn = h2 - h1
    turn = jnp.where(turn > pi, turn - 2 * pi, jnp.where(turn < -pi, turn + 2 * pi, turn))
    turn = jnp.where(colored, turn, 0.0)
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2.0 * safe_sqrt(c1 * c2) * jnp.sin(0.5 * turn)

    mean_l, mean_c = 0.5 * (l1 + l2), 0.5 * (c1 + c2)
    total = h1 + h2
    far = jnp.abs(h1 - h2) > pi
    mean_h = jnp.where(far, jnp.where(total < 2 * pi, total + 2 * pi, total - 2 * pi), total) * 0.5
    mean_h = jnp.where(colored, mean_h, total)

    def cosine(multiple, degrees):
        return jnp.cos(multiple * mean_h + degrees * pi / 180.0)

    t = 1.0 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.20 * cosine(4, -63)
    s_l = 1.0 + 0.015 * (mean_l - 50.0) ** 2 / jnp.sqrt(20.0 + (mean_l - 50.0) ** 2)
    s_c = 1.0 + 0.045 * mean_c
    s_h = 1.0 + 0.015 * mean_c * t
    theta = 30.0 * pi / 180.0 * jnp.exp(-(((mean_h * 180.0 / pi - 275.0) / 25.0) ** 2))
    rotation = -2.0 * _chroma_saturation(mean_c) * jnp.sin(2.0 * theta)
    term_l, term_c, term_h = d_l / (k_l * s_l), d_c / (k_c * s_c), d_h / (k_h * s_h)
    return safe_sqrt(term_l**2 + term_c**2 + term_h**2 + rotation * term_c * term_h)


def color_difference(images: ArrayLike, reference: ArrayLike, *, formula: str = "ciede2000") -> jax.Array:
    """Computes the mean color difference of images, pixel by pixel.

    Args:
      images: [batch, height, width, 3], sRGB in [0, 1].
      reference: the same shape.
      formula: "ciede2000", or the Euclidean distance in "lab" (CIE76) or "oklab".

    Returns:
      [batch]: the mean over the pixels, in units of the formula (about 1, 1 and 0.02 for a just noticeable
      difference); float32, or float64 if an argument is. The gradient at equal colors is given as 0.

    Raises:
      ValueError: if the shapes differ, or there is no such formula.
    """
    images, reference = image_pair(images, reference, channels=3, unit_range=True)
    if formula not in FORMULAS:
        raise ValueError(f"formula must be one of {', '.join(map(repr, FORMULAS))}, got {formula!r}")
    space = "oklab" if formula == "oklab" else "lab"
    x, y = convert(images, space), convert(reference, space)
    if formula == "ciede2000":
        difference = ciede2000(x, y)
    else:
        difference = safe_sqrt(jnp.sum(jnp.square(x - y), axis=-1))
    return jnp.mean(difference, axis=(1, 2))


def _length(a: jax.Array, b: jax.Array) -> jax.Array:
    return safe_sqrt(a * a + b * b)


def _angle(b: jax.Array, a: jax.Array) -> jax.Array:
    """Hue in [0, 2 pi), 0 with gradient 0 for grays."""
    gray = (a == 0) & (b == 0)
    angle = jnp.arctan2(jnp.where(gray, 0.0, b), jnp.where(gray, 1.0, a))
    return jnp.where(angle < 0, angle + 2.0 * jnp.pi, angle)


def _chroma_saturation(chroma: jax.Array) -> jax.Array:
    """sqrt(C^7 / (C^7 + 25^7)), written as (C/25)^3.5 / sqrt(1 + (C/25)^7)."""
    c = chroma / 25.0
    return c**3 * safe_sqrt(c) / jnp.sqrt(1.0 + c**7)
