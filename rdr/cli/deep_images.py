"""Images of more than 8 bits or of other values than sRGB: as a codec takes them, as files, and as 8 bits of sRGB."""

import pathlib
from typing import NamedTuple

import numpy as np

from rdr.codecs.overfitted.signals import MAX_DEPTH, MAX_UNIT, SRGB, Signal, signal_of
from rdr.data import light, linear_images
from rdr.data.color_spaces import PRIMARIES, ColorSpace, linear_from_srgb, linear_space, space_to_srgb
from rdr.data.image_io import ImageData, check_image_path, read_image, read_image_data, read_image_header
from rdr.data.png_writer import png_bytes

USUAL_UNIT = 100.0  # cd/m^2 that a linear value of 1 stands for, where a file does not say it
TONE_MAPPED = ("High dynamic range is tone-mapped for this page: what is brighter than half of white is bent towards "
               "white.")


class Coded(NamedTuple):
    """An image as a codec takes it.

    Attributes:
      pixels: uint8 or uint16 [height, width, channels].
      signal: what the values are.
      note: what was done to them, a sentence or nothing.
    """

    pixels: np.ndarray
    signal: Signal
    note: str = ""


def coded(data: ImageData, *, depth: int = 0) -> Coded:
    """Brings an image that was read to whole numbers, and says what they are.

    Linear light becomes PQ of 16 bits: a value of 1 is what the file says in cd/m^2, or 100, or less where the
    brightest would be beyond PQ's 10,000. From 1 cd/m^2 on the error of that is below .015 %.

    Args:
      data: from `read_image_data`.
      depth: bits of a channel that shall be decoded; 0 for the image's own.

    Returns:
      The image.

    Raises:
      ValueError: if a message cannot say what the values are.
    """
    if data.pixels.dtype == np.float32:
        return _linear_as_pq(data, depth)
    signal = SRGB if data.profile is not None or data.space is None or data.space.is_srgb else (
        signal_of(data.space.code_points, 8) if data.space.code_points is not None else None)
    if signal is None and data.space is not None:
        raise ValueError(f"they are of {data.space.name}, and beside sRGB, Display P3 and BT.2020 by code points "
                         "only ICC profiles are kept: let them be converted (--color=convert)")
    assert signal is not None
    return Coded(data.pixels, signal._replace(depth=depth or min(max(data.depth, 8), MAX_DEPTH)))


def _linear_as_pq(data: ImageData, depth: int) -> Coded:
    space = data.space
    signal = None if space is None or space.code_points is None else signal_of((space.code_points[0], 16), MAX_DEPTH)
    if space is None or signal is None:
        raise ValueError("their primaries are none of BT.709, BT.2020 and Display P3: convert it to one of them")
    said = USUAL_UNIT if space.white_luminance is None else space.white_luminance
    peak = float(data.pixels.max())
    unit = float(np.float32(min(said, light.PQ_PEAK / peak if peak > 0 else said)))
    if unit > MAX_UNIT:
        raise ValueError(f"1 stands for {said:g} cd/m^2, as the file says, and messages say up to {MAX_UNIT:g}")
    note = f"linear light is coded as PQ of {depth or MAX_DEPTH} bits, with 1 as {unit:.6g} cd/m^2"
    if unit < said * (1 - 1e-6):
        note += f", since {said:g} would put the brightest value beyond PQ's 10,000"
    values = light.pq_from_luminance(data.pixels.astype(np.float64) * unit)
    pixels = np.floor(65535 * values + 0.5).astype(np.uint16)
    if peak > 0 and not pixels.any():
        raise ValueError(f"its brightest value is {peak * unit:.3g} cd/m^2, as the file says, which PQ codes as black")
    return Coded(pixels, signal._replace(unit=unit, depth=depth or MAX_DEPTH), note)


def _as_light(image: np.ndarray, signal: Signal) -> tuple[np.ndarray, float | None]:
    """Linear values, 1 as in the image that was coded, and what 1 is in cd/m^2."""
    values = image / np.float64(np.iinfo(image.dtype).max)
    if signal.transfer == "pq":
        unit = signal.unit or USUAL_UNIT
        return light.luminance_from_pq(values) / unit, unit
    if signal.transfer == "hlg":
        return light.luminance_from_hlg(values) / USUAL_UNIT, USUAL_UNIT
    if signal.transfer == "linear":
        return values, signal.unit or None
    return linear_from_srgb(values), None


def is_linear_name(target: str) -> bool:
    """Tells names of files of linear light.

    Args:
      target: the file's name.

    Returns:
      Whether it ends in .exr or .hdr.
    """
    return pathlib.Path(target).suffix.lower() in linear_images.SUFFIXES


def check_target(target: str) -> None:
    """Refuses names that no decoded image can be written to.

    Args:
      target: the file's name.

    Raises:
      ValueError: if there is no such folder, or the suffix is of no format that can be written.
    """
    if not is_linear_name(target):
        check_image_path(target)
    elif not pathlib.Path(target).parent.is_dir():
        raise ValueError(f"there is no folder {str(pathlib.Path(target).parent)!r} to write "
                         f"{pathlib.Path(target).name} to")


def file_bytes(image: np.ndarray, suffix: str, signal: Signal, profile: bytes | None = None) -> bytes:
    """Writes an image that has more than 8 bits or other values than sRGB, or any as linear light.

    Args:
      image: uint8 or uint16 [height, width, 1 or 3].
      suffix: .png, whose header says what the values are, or .exr or .hdr, which hold linear light.
      signal: what the values are.
      profile: ICC profile of them, or None.

    Returns:
      The file.

    Raises:
      ValueError: if no such file can hold them.
    """
    if suffix in linear_images.SUFFIXES:
        if profile is not None or signal.transfer == "hlg":
            raise ValueError(f"{suffix} holds linear light, and the image has "
                             + ("a color profile" if profile is not None else "HLG, which depends on a display")
                             + ": write .png")
        linear, white = _as_light(image, signal)
        return linear_images.linear_bytes(suffix, linear.astype(np.float32),
                                          linear_space(PRIMARIES[signal.code_points[0]], white))
    if suffix != ".png":
        raise ValueError(f"{suffix} cannot hold {signal.depth} bits a channel of {describe(signal)}: write .png or "
                         ".exr")
    plain = (signal.transfer, signal.primaries) == (SRGB.transfer, SRGB.primaries)
    return png_bytes(image, depth=signal.depth, code_points=None if plain else signal.code_points, profile=profile)


def describe(signal: Signal) -> str:
    """Names values for a person.

    Args:
      signal: what they are.

    Returns:
      "PQ", say.
    """
    return {"pq": "PQ", "hlg": "HLG", "linear": "linear light", "srgb": "sRGB"}[signal.transfer]


def shown(image: np.ndarray, signal: Signal) -> np.ndarray:
    """Makes 8 bits of sRGB, for pages and for metrics of them; high dynamic range is tone-mapped.

    Args:
      image: uint8 or uint16 [height, width, 1 or 3].
      signal: what the values are.

    Returns:
      uint8 of the same shape.
    """
    if signal.hdr:
        linear, unit = _as_light(image, signal)
        # White is a value of 1 in what was linear light, and 203 cd/m^2 in video.
        white = 1.0 if signal.unit or signal.transfer == "linear" else light.REFERENCE_WHITE / (unit or 1.0)
        return light.tone_map(linear, signal.code_points[0], white)
    if signal.primaries != "bt709":
        image = space_to_srgb(image, ColorSpace("", PRIMARIES[signal.code_points[0]], None))
    return image if image.dtype == np.uint8 else ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def read_shown(path: pathlib.Path) -> tuple[np.ndarray, bool]:
    """Reads an image file as a page shows it.

    Args:
      path: the file.

    Returns:
      uint8 [height, width, 1 or 3], sRGB, and whether it was tone-mapped.

    Raises:
      ValueError: if it cannot be read.
    """
    space = read_image_header(path, hdr="keep").space
    if space is None or not space.hdr:
        return read_image(path, depth="eight"), False
    try:
        image = coded(read_image_data(path, hdr="keep"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be shown: {error}") from None
    return shown(image.pixels, image.signal), True
