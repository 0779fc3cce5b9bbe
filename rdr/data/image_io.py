"""Images in and out of files: one reader for all commands, whose policy is its arguments; right, or refused."""

import contextlib
import functools
import logging
import os
import pathlib
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from rdr import files
from rdr.data import image_decoders, linear_images
from rdr.data.color_spaces import ColorSpace, Profile, space_to_srgb
from rdr.data.image_headers import FORMATS, ImageHeader, read_header
from rdr.data.png_writer import png_bytes

# Whatever decoders raise on damaged files.
DECODER_ERRORS = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, LookupError, TypeError, AttributeError,
                  ArithmeticError, AssertionError, MemoryError, BufferError, struct.error, zlib.error,
                  Image.DecompressionBombError)
_HDR = "it has high dynamic range ({}), which is read only as the values that it holds (color=keep)"
_LINEAR = "it has high dynamic range (linear light in floating-point numbers), which is read only where it is asked for"
_READABLE = ", ".join("JPEG 2000" if name == "JPEG2000" else name for name in FORMATS if name != "MPO")


class ImageData(NamedTuple):
    """An image from a file.

    Attributes:
      pixels: [height, width, 1 or 3], upright: uint8; uint16, 0 .. 65535 whatever the depth, where the file has more
        than 8 bits a channel; or float32 of at least 0, where it holds linear light.
      profile: ICC profile that the values belong to, where they were not brought to sRGB; else None.
      notes: what was changed on the way, in sentences.
      space: color space that they belong to, where they were not brought to sRGB and the header says it without a
        profile; else None.
      depth: bits of a sample in the file that say something: 10 for 10 bits in a PNG of 16, if it says so (sBIT).
    """

    pixels: np.ndarray
    profile: bytes | None
    notes: tuple[str, ...]
    space: ColorSpace | None = None
    depth: int = 8


def read_image_data(
    path: str | pathlib.Path, *, color: Literal["convert", "keep", "refuse"] = "convert",
    alpha: Literal["refuse", "drop"] = "refuse", orientation: Literal["apply", "refuse"] = "apply",
    depth: Literal["keep", "eight", "refuse"] = "keep", hdr: Literal["keep", "refuse"] = "refuse",
    negative: Literal["clip", "refuse"] = "refuse",
) -> ImageData:
    """Reads an image file.

    PNG, JPEG (of the several images that a camera's MPO holds, the first), TIFF, PBM, PGM, PPM, WebP, AVIF, JPEG XL
    (with the extra `jxl`), JPEG 2000, BMP and GIF; OpenEXR and Radiance (with the extra `hdr`); of one image.

    Args:
      path: the file.
      color: what happens to values that are not sRGB, as a profile or the header says. "convert" brings them to sRGB
        with a note; "keep" leaves them and returns the profile; "refuse" refuses. High dynamic range is kept or
        refused, see `hdr`.
      alpha: what happens where the image is transparent. "drop" takes the colors under it.
      orientation: what happens where EXIF says that the image is turned or mirrored.
      depth: what happens beyond 8 bits a channel: "keep" gives uint16, "eight" rounds with a note.
      hdr: what happens to high dynamic range: "keep" leaves the values of PQ, HLG and linear light, unless `color`
        refuses what is not sRGB, and says in `space` what they are; "refuse" refuses linear light, and the others
        unless `color` keeps them.
      negative: what happens to negative values of linear light: "clip" sets them to 0 with a note; "refuse" refuses.

    Returns:
      The pixels, the profile of what is kept, and notes.

    Raises:
      ValueError: if it is no image, damaged, too large, of a kind that is not read, or refused by an argument; the
        sentence begins with the file's name.
    """
    path = pathlib.Path(path)
    for name, value, known in (("color", color, ("convert", "keep", "refuse")), ("alpha", alpha, ("refuse", "drop")),
                               ("orientation", orientation, ("apply", "refuse")),
                               ("depth", depth, ("keep", "eight", "refuse")), ("hdr", hdr, ("keep", "refuse")),
                               ("negative", negative, ("clip", "refuse"))):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    _check_file(path)
    try:
        header, samples = _decode(path, orientation, depth, color, hdr, negative)
        if not samples.opaque and alpha == "refuse":
            raise ValueError("it is transparent in places, which nothing here can hold")
        pixels, profile, notes = _to_srgb(samples.pixels, header, color, hdr)
        if depth == "eight" and pixels.dtype == np.uint16:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
            notes.append("16 bits a channel are rounded to 8")
    except DECODER_ERRORS as error:
        raise ValueError(f"{path} cannot be read as an image ({_sentence(error)})") from None
    if header.images > 1:
        notes.append(f"it holds {header.images} images, of which the first is read")
    if not samples.upright:
        pixels = _upright(pixels, header.orientation)
    kept = color == "keep" or (header.space is not None and header.space.hdr)
    return ImageData(pixels, profile, (*notes, *([samples.note] if samples.note else [])),
                     header.space if kept else None, _depth_of(pixels, header))


def _decode(path: pathlib.Path, orientation: str, depth: str, color: str, hdr: str, negative: str
            ) -> tuple[ImageHeader, image_decoders.Samples]:
    """Header and samples of a file; what the header says is refused before samples are read."""
    if linear_images.linear_format(path) is not None:
        header = linear_images.read_linear_header(path)
        _check_header(header, orientation=orientation, depth=depth)
        _check_linear(header, color, hdr)
        if depth == "eight":
            raise ValueError("it holds linear light in floating-point numbers, which 8 bits do not hold")
        image = linear_images.read_linear(path, header, negative=negative)
        return header, image_decoders.Samples(image.pixels, image.opaque, False, "; ".join(image.notes))
    with _quietly(), _open(path) as image:
        header = read_header(path, image)
        _check_header(header, orientation=orientation, depth=depth)
        return header, image_decoders.decode(path, image, header, deep=depth == "keep")


def _check_linear(header: ImageHeader, color: str, hdr: str) -> None:
    if hdr != "keep":
        raise ValueError(_LINEAR)
    if color == "refuse":
        raise ValueError("its colors are not sRGB, but linear light")


def _depth_of(pixels: np.ndarray, header: ImageHeader) -> int:
    """Bits that say something; those that the header says only if the samples bear it out."""
    if pixels.dtype == np.uint8:
        return 8
    if pixels.dtype != np.uint16 or header.significant == header.depth:
        return header.depth
    largest = 2**header.significant - 1
    codes = (pixels.astype(np.uint32) * largest + 32767) // 65535
    off = np.abs(image_decoders.full_range(codes, largest).astype(int) - pixels).max()
    return header.significant if off <= max(1, 2 ** (16 - header.significant) // 16) else header.depth


def read_image(path: str | pathlib.Path, *, channels: int | None = None, **policy: Any) -> np.ndarray:
    """Reads the pixels of an image file; says on standard error, once, what was changed on the way.

    Args:
      path: the file.
      channels: 3 for gray images as three equal channels; by default they have one.
      **policy: see `read_image_data`.

    Returns:
      [height, width, 1 or 3], uint8, or uint16 where the file has more than 8 bits a channel.

    Raises:
      ValueError: as `read_image_data`.
    """
    if channels not in (None, 3):
        raise ValueError(f"channels must be 3 or None, got {channels}")
    data = read_image_data(path, **policy)
    tell_notes(path, data)
    return data.pixels if channels is None else np.repeat(data.pixels, 3 // data.pixels.shape[2], 2)


def tell_notes(path: str | pathlib.Path, data: ImageData) -> None:
    """Says on standard error, once, what was changed while an image was read.

    Args:
      path: the file.
      data: what was read.
    """
    for note in data.notes:
        _say(f"note: {path}: {note}")


@functools.lru_cache(maxsize=10_000)
def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


def read_image_header(path: str | pathlib.Path, *, color: str = "convert", hdr: str = "refuse") -> ImageHeader:
    """Reads what the header of an image file says, and refuses what `read_image_data` refuses for it.

    Args:
      path: the file.
      color: as for `read_image_data`.
      hdr: as for `read_image_data`.

    Returns:
      The header; height and width are those of the upright image.

    Raises:
      ValueError: if it is no image, or of a kind that is not read; the sentence begins with the file's name.
    """
    path = pathlib.Path(path)
    _check_file(path)
    try:
        if linear_images.linear_format(path) is not None:
            header = linear_images.read_linear_header(path)
            _check_header(header, orientation="apply", depth="keep")
            _check_linear(header, color, hdr)
            return header
        with _quietly(), _open(path) as image:
            header = read_header(path, image)
            _check_header(header, orientation="apply", depth="keep")
            if header.space is not None and header.space.hdr and color != "keep" and hdr != "keep":
                raise ValueError(_HDR.format(header.space.name))
    except DECODER_ERRORS as error:
        raise ValueError(f"{path} cannot be read as an image ({_sentence(error)})") from None
    return header


def _check_file(path: pathlib.Path) -> None:
    if path.is_dir() or not path.exists():
        raise ValueError(f"there is no file {str(path)!r}")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the decoders' warnings, among them those of large images, which are refused at twice that size."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in ("PIL", "tifffile")}
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def _open(path: pathlib.Path) -> Image.Image:
    Image.init()
    formats = [name for name in FORMATS if name != "MPO" and (name != "JXL" or _has_jpeg_xl())]
    try:
        return Image.open(path, formats=formats)
    except Image.UnidentifiedImageError:
        with open(path, "rb") as stream:
            start = stream.read(12)
        if start[:2] == b"\xff\x0a" or start[4:8] == b"JXL ":
            raise ValueError("it is JPEG XL: pip install pillow-jxl-plugin" if not _has_jpeg_xl()
                             else "it is damaged JPEG XL") from None
        raise ValueError(f"it is damaged, or none of {_READABLE}") from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of the JPEG XL plug-in, which is written in Rust
            raise ValueError("it is damaged JPEG XL") from None
        raise


@functools.cache
def _has_jpeg_xl() -> bool:
    try:
        import pillow_jxl  # noqa: F401
    except ImportError:
        return False
    return True


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"no {text}" if isinstance(error, KeyError) else text


def _check_header(header: ImageHeader, *, orientation: str, depth: str) -> None:
    if header.images > 1 and header.format not in ("MPO", "JPEG"):
        raise ValueError(f"it holds {header.images} images: give one")
    if orientation == "refuse" and header.orientation != 1:
        raise ValueError(f"it is not stored upright, its EXIF orientation is {header.orientation}")
    if depth == "refuse" and header.depth > 8:
        raise ValueError(f"it has {header.depth} bits a channel: convert it to 8")


def _to_srgb(pixels: np.ndarray, header: ImageHeader, color: str, hdr: str
             ) -> tuple[np.ndarray, bytes | None, list[str]]:
    space, profile = header.space, None
    if header.icc is not None and header.color != "lab":
        profile = Profile(header.icc) if color != "keep" else None
    if pixels.shape[2] == 4:
        return _from_cmyk(pixels, profile, color)
    if color == "keep":
        return pixels, header.icc if header.color != "lab" else None, []  # CIELAB was converted when it was decoded
    if space is not None and space.hdr and hdr != "keep":
        raise ValueError(_HDR.format(space.name))
    if space is not None and space.hdr and color == "convert":
        return pixels, None, []
    if space is not None and not space.is_srgb:
        if color == "refuse":
            raise ValueError(f"its colors are not sRGB, but of {space.name}")
        return space_to_srgb(pixels, space), None, [f"colors are converted from {space.name} to sRGB"]
    if profile is None:
        return pixels, None, []
    gray = pixels.shape[2] == 1
    if gray and profile.color == "rgb":  # of gray values, as editors write them; its curve is that of equal values
        converted = profile if profile.is_srgb() else None
    else:
        converted = profile if profile.color == ("gray" if gray else "rgb") and profile.is_srgb() else None
    if converted is not None:
        return pixels, None, []
    if color == "refuse":
        raise ValueError(f"its colors are not sRGB, but of the profile {profile.name!r}")
    if pixels.dtype != np.uint8:
        raise ValueError(f"it has 16 bits a channel and the color profile {profile.name!r}: convert it to sRGB first, "
                         "or keep the values as they are with color=keep")
    spread = np.repeat(pixels, 3, 2) if gray and profile.color == "rgb" else pixels
    result = profile.to_srgb(spread)
    return result[:, :, -1:] if gray else result, None, [f"colors are converted from {profile.name} to sRGB"]


def _from_cmyk(pixels: np.ndarray, profile: Profile | None, color: str) -> tuple[np.ndarray, None, list[str]]:
    if color != "convert":
        raise ValueError("its colors are CMYK: let them be converted (color=convert)")
    if profile is not None:
        return profile.to_srgb(pixels), None, [f"colors are converted from {profile.name} to sRGB"]
    image = Image.frombytes("CMYK", pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes())
    note = "colors are converted from CMYK without a profile: each is what its ink and black leave of the white"
    return np.asarray(image.convert("RGB")), None, [note]


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def check_image_path(path: str | os.PathLike) -> pathlib.Path:
    """Refuses names that no image can be written to.

    Args:
      path: the file.

    Returns:
      The path.

    Raises:
      ValueError: if there is no such folder, or the suffix is of no format that can be written.
    """
    path = pathlib.Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"{str(path)!r} must end like an image, .png say")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} to write {path.name} to")
    return path


def write_image(path: str | os.PathLike, image: np.ndarray, profile: bytes | None = None, *,
                depth: int | None = None, code_points: tuple[int, int] | None = None) -> None:
    """Writes an image, whole or not at all.

    Args:
      path: the file; its suffix says the format.
      image: uint8 [height, width, 1 or 3]; for PNG uint16, too.
      profile: ICC profile of its values, for formats that have one; None for sRGB.
      depth: bits of a sample that say something, for PNG; None for all of them.
      code_points: of primaries and transfer function, ITU-T H.273, for PNG; None for sRGB, or what the profile says.

    Raises:
      ValueError: if the suffix is of no format that can be written, or that holds such an image, or there is no such
        folder.
      OSError: if it cannot be written.
    """
    path = check_image_path(path)
    if image.dtype == np.uint16 or depth is not None or code_points is not None:
        if path.suffix.lower() != ".png":
            raise ValueError(f"{path.suffix} is not written with 16 bits a channel or colors by code points: write "
                             ".png")
        files.write_bytes(path, png_bytes(image, depth=depth, code_points=code_points, profile=profile))
        return
    encoded = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    with files.open_atomic(path) as stream:
        encoded.save(stream, Image.registered_extensions()[path.suffix.lower()],
                     **({} if profile is None else {"icc_profile": profile}))
