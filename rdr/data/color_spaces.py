"""Conversion of colors to sRGB: ICC profiles, and color spaces given by primaries and a transfer function."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

_D65 = (0.3127, 0.3290)
# ITU-T H.273 code points -> x and y of white, red, green and blue. 2 is "not said".
PRIMARIES = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    2: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}  # fmt: skip
# H.273 code points -> exponent that makes values linear; None for sRGB's curve, which also stands for the camera curves
# of video (1, 6, 14, 15), as browsers have it, and for "not said" (2).
TRANSFERS = {1: None, 2: None, 6: None, 13: None, 14: None, 15: None, 4: 2.2, 5: 2.8, 8: 1.0}
NAMED_PRIMARIES = {"bt709": 1, "bt2020": 9, "p3": 12}  # code points of H.273
HDR_CODE_POINTS = {"pq": 16, "hlg": 18}  # transfer functions of high dynamic range, H.273
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class ColorSpace(NamedTuple):
    """A color space of three primaries.

    Attributes:
      name: for messages.
      primaries: x and y of white, red, green and blue.
      exponent: of the power that makes values linear; None for sRGB's curve.
      hdr: whether its transfer function is that of high dynamic range, so that nothing here converts it.
      code_points: of its primaries and its transfer function, ITU-T H.273: 1 is BT.709, 9 BT.2020 and 12 Display P3; 8
        is linear, 13 sRGB, 16 PQ and 18 HLG; None where there are none.
      white_luminance: cd/m^2 that a linear value of 1 stands for, where the file says it; else None.
    """

    name: str
    primaries: tuple[float, ...]
    exponent: float | None
    hdr: bool = False
    code_points: tuple[int, int] | None = None
    white_luminance: float | None = None

    @property
    def is_srgb(self) -> bool:
        """Whether values mean what they mean in sRGB."""
        near = np.abs(np.subtract(self.primaries, PRIMARIES[1])).max() < 2e-3
        return bool(near) and self.exponent is None and not self.hdr


def linear_space(primaries: tuple[float, ...], white_luminance: float | None = None) -> ColorSpace:
    """Describes linear light, as floating-point files hold it.

    Args:
      primaries: x and y of white, red, green and blue.
      white_luminance: cd/m^2 that a value of 1 stands for, or None.

    Returns:
      The space; it has code points if its primaries are those of BT.709, BT.2020 or Display P3.
    """
    known = [code for code in (1, 9, 12) if np.abs(np.subtract(primaries, PRIMARIES[code])).max() < 2e-3]
    return ColorSpace("linear light", primaries, 1.0, True, (known[0], 8) if known else None, white_luminance)


def space_to_srgb(pixels: np.ndarray, space: ColorSpace) -> np.ndarray:
    """Converts values of a color space to sRGB, with Bradford's adaptation to its white.

    Args:
      pixels: uint8 or uint16 [height, width, 1 or 3]; of gray ones only the curve is converted.
      space: of the values.

    Returns:
      The same shape and dtype; colors outside of sRGB are cut at its borders.

    Raises:
      ValueError: if the primaries are none.
    """
    largest = np.iinfo(pixels.dtype).max
    values = pixels / np.float64(largest)
    linear = linear_from_srgb(values) if space.exponent is None else values**space.exponent
    if pixels.shape[2] == 3:
        linear = linear @ bt709_from(space.primaries).T
    linear = np.clip(linear, 0, 1)
    return np.round(srgb_from_linear(linear) * largest).astype(pixels.dtype)


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    """Applies sRGB's curve; float64 on the host, for numbers in files (with gradients: `rdr.vision`).

    Args:
      linear: any shape, at least 0.

    Returns:
      The same shape.

    Reference:
      IEC 61966-2-1:1999 (iec1999srgb).
    """
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear_from_srgb(values: np.ndarray) -> np.ndarray:
    """Undoes `srgb_from_linear`.

    Args:
      values: any shape.

    Returns:
      The same shape.

    Reference:
      IEC 61966-2-1:1999 (iec1999srgb).
    """
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def bt709_from(primaries: tuple[float, ...]) -> np.ndarray:
    """Computes the matrix that brings linear values to the primaries of BT.709, with Bradford's adaptation.

    Args:
      primaries: x and y of their white, red, green and blue.

    Returns:
      float64 [3, 3]; white stays white.

    Raises:
      ValueError: if the primaries are none.
    """
    return np.linalg.inv(_to_xyz(PRIMARIES[1])) @ _to_xyz(primaries)


def convert_primaries(light: np.ndarray, primaries: tuple[float, ...], name: str) -> np.ndarray:
    """Expresses linear values by other primaries, with Bradford's adaptation to their white.

    Args:
      light: [height, width, 3].
      primaries: x and y of the white, red, green and blue that they are of.
      name: of the primaries wanted, of `NAMED_PRIMARIES`.

    Returns:
      float64 of the same shape; colors outside of the primaries have negative values. As it is, where they are the
      same.

    Raises:
      ValueError: if the primaries are none.
    """
    wanted = PRIMARIES[NAMED_PRIMARIES[name]]
    if np.abs(np.subtract(primaries, wanted)).max() < 2e-3:
        return np.asarray(light, np.float64)
    return light @ (np.linalg.inv(bt709_from(wanted)) @ bt709_from(primaries)).T


def _to_xyz(primaries: tuple[float, ...]) -> np.ndarray:
    """The matrix from linear values to XYZ relative to D65."""
    xy = np.reshape(primaries, (4, 2))
    if not (xy[:, 1] > 0).all():
        raise ValueError("its primaries are none")
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    try:
        matrix = xyz[:, 1:] * np.linalg.solve(xyz[:, 1:], xyz[:, 0])
    except np.linalg.LinAlgError:
        raise ValueError("its primaries are none") from None
    d65 = np.array([_D65[0] / _D65[1], 1, (1 - sum(_D65)) / _D65[1]])
    gains = (_BRADFORD @ d65) / (_BRADFORD @ xyz[:, 0])
    return np.linalg.solve(_BRADFORD, gains[:, None] * _BRADFORD) @ matrix


class Profile:
    """An ICC profile.

    Args:
      icc: the profile's bytes.

    Raises:
      ValueError: if they are none.
    """

    def __init__(self, icc: bytes):
        try:
            self._profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            self.name = ImageCms.getProfileDescription(self._profile).strip() or "without a name"
            self.color = {"RGB": "rgb", "GRAY": "gray", "CMYK": "cmyk", "LAB": "lab"}.get(
                self._profile.profile.xcolor_space.strip().upper())
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            raise ValueError(f"its color profile is damaged ({error})") from None

    def is_srgb(self) -> bool:
        """Tells whether values mean what they mean in sRGB, to a unit of eight bits.

        Returns:
          Whether no color of a dense set changes by more.
        """
        if self.color == "gray":
            probe = np.arange(256, dtype=np.uint8)[None, :, None]
        elif self.color == "rgb":
            ticks = np.linspace(0, 255, 18).astype(np.uint8)
            probe = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), -1).reshape(18, -1, 3)
        else:
            return False
        return int(np.abs(self.to_srgb(probe).astype(int) - probe).max()) <= 1

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Converts values to sRGB, relative to white and with black points aligned.

        Args:
          pixels: uint8 [height, width, channels] of the profile's color model.

        Returns:
          uint8 [height, width, 3]; [height, width, 1] of gray.

        Raises:
          ValueError: if the profile is of another color model, or damaged.
        """
        modes = {"gray": "L", "rgb": "RGB", "cmyk": "CMYK", "lab": "LAB"}
        mode = None if self.color is None else modes.get(self.color)
        if mode is None or pixels.shape[2] != {"L": 1, "CMYK": 4}.get(mode, 3):
            raise ValueError(f"its color profile ({self.name}) is of another color model")
        array = pixels[:, :, 0] if mode == "L" else pixels
        image = Image.frombytes(mode, array.shape[1::-1], np.ascontiguousarray(array).tobytes())
        return _converted(image, self._profile, gray=mode == "L")


def lab_to_srgb(image: Image.Image) -> np.ndarray:
    """Converts CIELAB (white D50) to sRGB.

    Args:
      image: of mode "LAB".

    Returns:
      uint8 [height, width, 3].
    """
    return _converted(image, ImageCms.createProfile("LAB"), gray=False)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile, *, gray: bool) -> np.ndarray:
    # Without "optimization", which would sample curves so coarsely that dark linear values are several units off.
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE
    try:
        result = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=flags)
    except (ImageCms.PyCMSError, ValueError) as error:
        raise ValueError(f"its color profile cannot be used ({error})") from None
    array = np.asarray(result)
    return array[:, :, 1:2] if gray else array
