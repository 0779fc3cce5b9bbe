"""Color spaces of light: RGB of BT.709, P3 and BT.2020, CIE 1931 XYZ, LMS of 2006 and the opponent space DKL.

All are linear maps of the last axis. Matrices of primaries, rounded as they are, and of LMS and DKL are those of
ColorVideoVDP 0.5.7, so that values agree with it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.arguments import total, working_arrays

# CIE XYZ of linear RGB, by rows; white (1, 1, 1) is D65 with Y = 1.
_XYZ_FROM_RGB = {
    "bt709": ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)),
    "p3": ((0.4866, 0.2657, 0.1982), (0.2290, 0.6917, 0.0793), (0.0, 0.0451, 1.0437)),
    "bt2020": ((0.6370, 0.1446, 0.1689), (0.2627, 0.6780, 0.0593), (0.0, 0.0281, 1.0610)),
}
PRIMARIES = tuple(_XYZ_FROM_RGB)
_LMS_FROM_XYZ = (
    (0.187596268556126, 0.585168649077728, -0.026384263306304),
    (-0.133397430663221, 0.405505777260049, 0.034502127690364),
    (0.000244379021663, -0.000542995890619, 0.019406849066323),
)
# Rows: L + M, L - M and S - (L + M), the differences weighted to vanish for D65.
_DKL_FROM_LMS = ((1.0, 1.0, 0.0), (1.0, -2.311130179947035, 0.0), (-1.0, -1.0, 50.977571328718781))
SPACES = ("rgb", "xyz", "luminance", "lms", "dkl")


def matrix_from_rgb(space: str, primaries: str = "bt709") -> np.ndarray:
    """Looks up the linear map from RGB to a space.

    Args:
      space: of `SPACES`.
      primaries: of `PRIMARIES`.

    Returns:
      float64 [3, 3], or [1, 3] for "luminance".

    Raises:
      ValueError: if there is no such space, or there are no such primaries.
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(map(repr, SPACES))}, got {space!r}")
    if primaries not in PRIMARIES:
        raise ValueError(f"primaries must be one of {', '.join(map(repr, PRIMARIES))}, got {primaries!r}")
    xyz = np.array(_XYZ_FROM_RGB[primaries])
    lms = np.array(_LMS_FROM_XYZ) @ xyz
    dkl = np.array(_DKL_FROM_LMS) @ lms
    return {"rgb": np.eye(3), "xyz": xyz, "luminance": xyz[1:2], "lms": lms, "dkl": dkl}[space]


def from_rgb(rgb: ArrayLike, space: str, *, primaries: str = "bt709") -> jax.Array:
    """Expresses linear RGB in another space.

    Args:
      rgb: [..., 3], linear light, in cd/m^2 if the result shall be.
      space: of `SPACES`: "rgb" itself, "xyz", "luminance" (Y alone), "lms", "dkl" (achromatic, red-green,
        violet-yellow).
      primaries: of `PRIMARIES`, of the light.

    Returns:
      [..., 3], or [..., 1] for "luminance"; L + M, the first axis of "dkl", is 1.051 times luminance for D65.

    Raises:
      ValueError: if there is no such space, there are no such primaries, or the last axis is not 3.

    Reference:
      ITU-R BT.709 (itu2015bt709); BT.2020 by BT.2100 (itu2018bt2100); LMS by Stockman and Sharpe (cie2006lms); DKL
      as in ColorVideoVDP (mantiuk2024colorvideovdp).
    """
    return linear_map(matrix_from_rgb(space, primaries), rgb)


def to_rgb(colors: ArrayLike, space: str, *, primaries: str = "bt709") -> jax.Array:
    """Undoes `from_rgb`.

    Args:
      colors: [..., 3].
      space: of `SPACES`, not "luminance".
      primaries: of `PRIMARIES`.

    Returns:
      [..., 3], linear light.

    Raises:
      ValueError: if there is no such space, it is "luminance", there are no such primaries, or the last axis is not 3.
    """
    if space == "luminance":
        raise ValueError("space must have three coordinates, got 'luminance'")
    return linear_map(np.linalg.inv(matrix_from_rgb(space, primaries)), colors)


def lms_from_xyz(xyz: ArrayLike) -> jax.Array:
    """Computes responses of cones.

    Args:
      xyz: [..., 3], CIE 1931.

    Returns:
      [..., 3], L, M and S by the fundamentals of 2006, scaled so that L + M is 1.051 times luminance
      for D65.

    Raises:
      ValueError: if the last axis is not 3.

    Reference:
      Stockman and Sharpe (cie2006lms); the matrix is that of ColorVideoVDP (mantiuk2024colorvideovdp).
    """
    return linear_map(np.array(_LMS_FROM_XYZ), xyz)


def dkl_from_lms(lms: ArrayLike) -> jax.Array:
    """Computes opponent responses.

    L + M, L - 2.3111 M and 50.978 S - (L + M); the last two are 0.4 and 1 % of the first for D65.

    Args:
      lms: [..., 3].

    Returns:
      [..., 3]: achromatic, red-green, violet-yellow.

    Raises:
      ValueError: if the last axis is not 3.

    Reference:
      Derrington, Krauskopf and Lennie (derrington1984chromatic); weights as in ColorVideoVDP
      (mantiuk2024colorvideovdp).
    """
    return linear_map(np.array(_DKL_FROM_LMS), lms)


def lms_from_dkl(dkl: ArrayLike) -> jax.Array:
    """Undoes `dkl_from_lms`.

    Args:
      dkl: [..., 3].

    Returns:
      [..., 3].

    Raises:
      ValueError: if the last axis is not 3.
    """
    return linear_map(np.linalg.inv(np.array(_DKL_FROM_LMS)), dkl)


def linear_map(matrix: np.ndarray, colors: ArrayLike) -> jax.Array:
    """Multiplies the last axis by a matrix.

    Args:
      matrix: [rows, 3].
      colors: [..., 3].

    Returns:
      [..., rows], float32 or float64 as `colors`.

    Raises:
      ValueError: if the last axis is not 3.
    """
    (colors,) = working_arrays(colors=colors)
    if colors.ndim < 1 or colors.shape[-1] != 3:
        raise ValueError(f"colors must have 3 channels on their last axis, got shape {colors.shape}")
    # Written out, so that no backend's reduced-precision matrix unit is used.
    return jnp.stack([total(float(w) * colors[..., k] for k, w in enumerate(row)) for row in matrix], axis=-1)
