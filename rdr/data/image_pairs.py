"""Folders of images: which files there are, which belong together, and what is wrong with them, in words."""

import hashlib
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".avif", ".jp2")
# Formats whose files are messages of a codec, so that their length is a rate.
LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2")
_MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr")
_ORIENTATION = 0x0112  # EXIF's tag; 1 is upright


class Pair(NamedTuple):
    """A reference image and a candidate.

    Attributes:
      name: their common name, without suffix.
      reference: file.
      candidate: file.
      height: of both, pixels.
      width: of both, pixels.
      bits: length of the candidate's message, or None if there is none.
    """

    name: str
    reference: pathlib.Path
    candidate: pathlib.Path
    height: int
    width: int
    bits: int | None


def list_images(folder: str | pathlib.Path, flag: str) -> dict[str, pathlib.Path]:
    """Lists the images of a folder by name without suffix.

    Args:
      folder: the folder; its subfolders are not searched.
      flag: how the folder is called in messages.

    Returns:
      name -> file, in order of names.

    Raises:
      ValueError: if there is no such folder, no image in it, or two images of one name.
    """
    if not str(folder) or not pathlib.Path(folder).is_dir():  # Path("") would be the current folder
        raise ValueError(f"--{flag}: there is no folder {str(folder)!r}")
    folder = pathlib.Path(folder)
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    if not files:
        raise ValueError(f"--{flag}: there are no images in {folder} (looked for {' '.join(SUFFIXES)})")
    found: dict[str, pathlib.Path] = {}
    for file in files:
        if file.stem in found:
            raise ValueError(f"--{flag}: {found[file.stem].name} and {file.name} in {folder} have one name")
        found[file.stem] = file
    return found


def image_size(file: pathlib.Path) -> tuple[int, int]:
    """Reads height and width from a file's header.

    Args:
      file: the image.

    Returns:
      Height and width in pixels.

    Raises:
      ValueError: if it is empty, not an image, of a kind that 8-bit color cannot hold, not stored upright, or of
        several pictures.
    """
    try:
        if file.stat().st_size == 0:
            raise ValueError(f"{file} is empty")
        with Image.open(file) as image:
            if image.mode not in _MODES:
                raise ValueError(f"{file} must hold 8-bit gray or color, it is of mode {image.mode!r}")
            if any(";16" in str(tile[3]) for tile in image.tile):
                # Pillow would drop eight of the bits without a word.
                raise ValueError(f"{file} must hold 8-bit gray or color, it has 16 bits per channel")
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"{file} must hold one picture, it has {image.n_frames}")
            orientation = image.getexif().get(_ORIENTATION, 1)
            if orientation not in (0, 1):
                raise ValueError(f"{file} must be stored upright, its EXIF orientation is {orientation}")
            return image.height, image.width
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as an image ({error})") from None


def load_image(file: pathlib.Path) -> np.ndarray:
    """Reads an image as sRGB.

    Args:
      file: the image.

    Returns:
      [height, width, 3], uint8; gray images have three equal channels.

    Raises:
      ValueError: if it cannot be read or is transparent somewhere.
    """
    image_size(file)
    try:
        with Image.open(file) as image:
            image.load()
            see_through = "A" in image.getbands() or "transparency" in image.info
            if see_through and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
                raise ValueError(f"{file} is transparent in places: compare opaque images")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as an image ({error})") from None


def as_float(images: np.ndarray) -> np.ndarray:
    """Brings 8-bit values to [0, 1].

    Args:
      images: uint8, any shape.

    Returns:
      float32, the same shape.
    """
    return images.astype(np.float32) / np.float32(255)


def pair_folders(reference: str, candidate: str, bitstreams: str = "") -> list[Pair]:
    """Pairs the images of two folders by name, and finds the length of each candidate's message.

    Args:
      reference: folder of originals.
      candidate: folder of decoded images; if all are in a lossy format (JPEG, WebP, AVIF, JPEG 2000), these files are
        the messages.
      bitstreams: folder of messages by the same names, any suffix; empty for none.

    Returns:
      The pairs, in order of names.

    Raises:
      ValueError: if a folder or file is missing, empty or unreadable, or two images of a pair differ in size.
    """
    references, candidates = list_images(reference, "reference"), list_images(candidate, "candidate")
    for ours, others, kind in ((references, candidates, "candidate"), (candidates, references, "reference")):
        alone, left = ([n for n in names if n not in rest] for names, rest in ((ours, others), (others, ours)))
        if alone:
            also = f" (but there is {_some(left)})" if left else ""
            raise ValueError(f"images must come in pairs of one name, but there is no {kind} for {_some(alone)}{also}")
    messages = _messages(bitstreams, references) if bitstreams else {}
    if not bitstreams and all(file.suffix.lower() in LOSSY for file in candidates.values()):
        messages = candidates
    pairs = []
    for name, file in references.items():
        size, other = image_size(file), image_size(candidates[name])
        if size != other:
            raise ValueError(
                f"images of a pair must have one size, but {file} has {size[1]} x {size[0]} pixels (width x height) "
                f"and {candidates[name]} has {other[1]} x {other[0]}"
            )
        bits = 8 * messages[name].stat().st_size if messages else None
        pairs.append(Pair(name, file, candidates[name], *size, bits))
    return pairs


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def file_digest(file: pathlib.Path) -> str:
    """Computes the SHA-256 of a file.

    Args:
      file: the file.

    Returns:
      64 hexadecimal digits.
    """
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _messages(bitstreams: str, names: dict[str, pathlib.Path]) -> dict[str, pathlib.Path]:
    folder = pathlib.Path(bitstreams)
    if not folder.is_dir():
        raise ValueError(f"--bitstreams: there is no folder {bitstreams!r}")
    found: dict[str, pathlib.Path] = {}
    for file in sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")):
        if file.stem in found:
            raise ValueError(f"--bitstreams: {found[file.stem].name} and {file.name} have one name")
        found[file.stem] = file
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"--bitstreams: there is no file for {', '.join(missing[:5])} in {folder}")
    return found
