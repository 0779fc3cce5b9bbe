"""Pictures in and out of the codec's command: every kind of file either comes out right or is refused in a sentence."""

import pathlib
import struct
import sys
import warnings

import numpy as np
from PIL import Image, ImageOps

from rdr import files

# What Pillow's readers raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, IndexError, KeyError, TypeError, struct.error,
           Image.DecompressionBombError)
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")


def read_picture(path: str | pathlib.Path) -> np.ndarray:
    """Reads a picture.

    Gray pictures keep one channel and their 8 or 16 bits; palettes and CMYK become RGB as Pillow converts them, which
    also reads 16-bit color as 8 bits (said on standard error). An alpha channel is dropped where the picture is
    opaque. What EXIF says is turned is turned upright.

    Args:
      path: the file.

    Returns:
      [height, width, 1 or 3], uint8, or uint16 for 16-bit gray.

    Raises:
      ValueError: if it is no picture, damaged, too large, transparent, several pictures, or of another kind.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)  # refuses more than 178,956,970 pixels, of which 3 numbers each can be decoded
        with image:
            frames = getattr(image, "n_frames", 1)
            deep = any("RGB" in str(tile[3]) and "16" in str(tile[3]) for tile in image.tile)
            image.load()
            upright = ImageOps.exif_transpose(image)
    except _DAMAGE as error:
        raise ValueError(f"{path} cannot be read as a picture ({error})") from None
    if frames > 1:
        raise ValueError(f"{path} holds {frames} pictures: give one")
    if deep:
        print(f"{path}: 16 bits a channel of color are read as 8", file=sys.stderr)
    return _numbers(upright, path)


def _numbers(image: Image.Image, path: pathlib.Path) -> np.ndarray:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    if "A" in image.getbands():
        if np.asarray(image.getchannel("A")).min() < 255:
            raise ValueError(f"{path} is transparent in places: this codec has no alpha channel")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in _SIXTEEN_BITS:
        return np.asarray(image).astype(np.uint16)[:, :, None]
    if image.mode == "I":  # how Pillow reads some 16-bit files
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"{path} holds numbers beyond 16 bits")
        return values.astype(np.uint16)[:, :, None]
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[:, :, None]
    if image.mode in ("P", "RGB", "CMYK", "YCbCr", "LAB", "HSV"):
        return np.asarray(image.convert("RGB"))
    raise ValueError(f"{path} is of mode {image.mode!r}, which this codec does not read")


def check_picture_path(path: str | pathlib.Path) -> pathlib.Path:
    """Refuses names that no picture can be written to.

    Args:
      path: the file.

    Returns:
      The path.

    Raises:
      ValueError: if there is no such folder, or the suffix is of no format that can be written.
    """
    path = pathlib.Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"{str(path)!r} must end like a picture, .png say")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} to write {path.name} to")
    return path


def write_picture(path: str | pathlib.Path, picture: np.ndarray) -> None:
    """Writes a picture, whole or not at all.

    Args:
      path: the file; its suffix says the format.
      picture: uint8 [height, width, 1 or 3].

    Raises:
      ValueError: if the suffix is of no format that can be written, or there is no such folder.
      OSError: if it cannot be written.
    """
    path = check_picture_path(path)
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    with files.open_atomic(path) as stream:
        image.save(stream, Image.registered_extensions()[path.suffix.lower()])
