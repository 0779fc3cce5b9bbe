"""Color spaces, and raw intensities in them as a feature map.

Images are sRGB in [0, 1]. All functions act on the last axis, of length 3, accept values outside of [0, 1],
and have finite gradients everywhere, black included.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import image_batch, working_arrays
from rdr.vision.transfer import linear_from_srgb, srgb_from_linear  # noqa: F401 -- public here, too

# Rec. 709 primaries and D65 white, rounded as in ITU-R BT.709 (and in scikit-image).
_XYZ_FROM_RGB = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_D65_WHITE = np.array([0.95047, 1.0, 1.08883])  # CIE 1931, 2 degrees
# ITU-R BT.601 (itu2011bt601) luma weights; full-range differences, as in JPEG.
_YCBCR_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [-0.299 / 1.772, -0.587 / 1.772, 0.5], [0.5, -0.587 / 1.402, -0.114 / 1.402]]
)
_LMS_FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB_FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_CIE_EPSILON = (6.0 / 29.0) ** 3
_OKLAB_LINEAR_BELOW = 1e-6


def ycbcr_from_srgb(rgb: ArrayLike) -> jax.Array:
    """Computes luma and color differences.

    Args:
      rgb: [..., 3], sRGB in [0, 1].

    Returns:
      [..., 3]: luma Y' in [0, 1], Cb and Cr in [-1/2, 1/2] (0 for grays).

    Reference:
      ITU-R BT.601 (itu2011bt601) weights and full range, as in JPEG (JFIF); without JFIF's offset of 128 levels.
    """
    return _matrix(_YCBCR_FROM_RGB, _three(rgb))


def xyz_from_srgb(rgb: ArrayLike) -> jax.Array:
    """Computes CIE 1931 tristimulus values.

    Args:
      rgb: [..., 3], sRGB in [0, 1].

    Returns:
      [..., 3]: X, Y, Z, with Y = 1 for white.

    Reference:
      ITU-R BT.709 (itu2015bt709) primaries, rounded to six digits as in scikit-image.
    """
    return _matrix(_XYZ_FROM_RGB, linear_from_srgb(_three(rgb)))


def lab_from_srgb(rgb: ArrayLike) -> jax.Array:
    """Computes CIELAB coordinates for the D65 white of the 2 degree observer.

    L = 116 f(Y/Yn) - 16, a = 500 (f(X/Xn) - f(Y/Yn)), b = 200 (f(Y/Yn) - f(Z/Zn)), f the cube root with its
    linear continuation below (6/29)^3.

    Args:
      rgb: [..., 3], sRGB in [0, 1].

    Returns:
      [..., 3]: L in [0, 100], a and b. By the rounded white point and matrix, as in scikit-image, grays have
      |a|, |b| below 0.01 instead of 0.

    Reference:
      CIE 15:2004 (cie2004).
    """
    t = xyz_from_srgb(rgb)
    t = t / jnp.asarray(_D65_WHITE, t.dtype).reshape((1,) * (t.ndim - 1) + (3,))
    bright = t > _CIE_EPSILON
    root = jnp.cbrt(jnp.where(bright, t, 1.0))
    # The tangent at epsilon; CIE's 7.787 t + 16/116 is the same line with rounded slope.
    f = jnp.where(bright, root, t * (29.0 / 6.0) ** 2 / 3.0 + 4.0 / 29.0)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return jnp.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def oklab_from_srgb(rgb: ArrayLike) -> jax.Array:
    """Computes Oklab coordinates.

    Cone responses are linear in linear light; their cube roots are mixed to lightness and two opponent axes.
    Responses below 1e-6 of white use a straight line through the origin instead of the cube root, whose slope
    at black would be infinite; no color of 8 bits but black lies there.

    Args:
      rgb: [..., 3], sRGB in [0, 1].

    Returns:
      [..., 3]: L in [0, 1], a and b (0 for grays, to about 1e-7).

    Reference:
      Ottosson (ottosson2020oklab), A perceptual color space for image processing (2020), with the matrices of
      2021-01-25.
    """
    lms = _matrix(_LMS_FROM_RGB, linear_from_srgb(_three(rgb)))
    large = jnp.abs(lms) > _OKLAB_LINEAR_BELOW
    roots = jnp.where(
        large, jnp.cbrt(jnp.where(large, lms, 1.0)), lms * _OKLAB_LINEAR_BELOW ** (-2.0 / 3.0)
    )
    return _matrix(_OKLAB_FROM_ROOTS, roots)


SPACES = {
    "srgb": lambda rgb: working_arrays(images=rgb)[0],
    "linear": linear_from_srgb,
    "ycbcr": ycbcr_from_srgb,
    "lab": lab_from_srgb,
    "oklab": oklab_from_srgb,
}


def convert(images: ArrayLike, space: str) -> jax.Array:
    """Expresses sRGB colors in another space.

    Args:
      images: [..., 3], sRGB in [0, 1].
      space: "srgb", "linear", "ycbcr", "lab" or "oklab".

    Returns:
      [..., 3], float32 or float64.

    Raises:
      ValueError: if there is no such space, or the last axis is not 3.
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(map(repr, SPACES))}, got {space!r}")
    return SPACES[space](_three(images))


def features(params: Any, images: ArrayLike, *, space: str = "srgb") -> dict[str, jax.Array]:
    """Returns raw intensities in a color space as a feature map.

    Args:
      params: not used (None); there so that all feature maps are called alike.
      images: [batch, height, width, 3], sRGB in [0, 1].
      space: "srgb", "linear", "ycbcr", "lab" or "oklab".

    Returns:
      {space: [batch, height, width, 3]}, in the natural units of the space (CIELAB's L reaches 100).

    Raises:
      ValueError: if there is no such space, or `images` is not a batch of color images.
    """
    del params
    return {space: convert(image_batch(images, channels=3, unit_range=True), space)}


def _three(rgb: ArrayLike) -> jax.Array:
    (rgb,) = working_arrays(images=rgb)
    if rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"images must have 3 channels on their last axis, got shape {rgb.shape}")
    return rgb


def _matrix(matrix: np.ndarray, colors: jax.Array) -> jax.Array:
    # Written out, so that no backend's reduced-precision matrix unit is used.
    parts = [colors[..., k] for k in range(3)]
    rows = [sum(float(w) * part for w, part in zip(row, parts)) for row in matrix]
    return jnp.stack(rows, axis=-1)
