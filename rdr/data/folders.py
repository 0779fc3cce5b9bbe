"""Folders of images: which files they hold, and what happens to those that cannot be used."""

import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm")


class Skipped(NamedTuple):
    """A file that was left out.

    Attributes:
      name: of the file, inside its folder.
      reason: why.
    """

    name: str
    reason: str


def list_images(folder: str | pathlib.Path) -> list[pathlib.Path]:
    """Finds the images in a folder and the folders below it.

    Args:
      folder: where to look; hidden files and folders are passed over.

    Returns:
      Paths, sorted by name.

    Raises:
      ValueError: if there is no such folder, or no image in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"images: there is no folder {folder}")
    files = [path for path in folder.rglob("*") if path.is_file()
             and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    images = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    if not images:
        held = f"{len(files)} files of other kinds" if files else "nothing"
        raise ValueError(f"images: {folder} holds {held}, but no image ({', '.join(SUFFIXES)})")
    return images


def read_image(path: str | pathlib.Path) -> np.ndarray:
    """Reads an image as 8-bit sRGB.

    Args:
      path: the file; gray and palette images become RGB, transparency is dropped; Pillow itself brings colors of 16
        bits to 8.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: if the file is no image, damaged, or gray deeper than 8 bits; the sentence names it.
    """
    try:
        with Image.open(path) as image:
            if image.mode in ("I", "F") or image.mode.startswith("I;"):
                raise ValueError(f"{path} has more than 8 bits for a value (mode {image.mode}): convert it first")
            return np.asarray(image.convert("RGB"), np.uint8)
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no image that can be read") from None
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def cut_patches(image: np.ndarray, size: int) -> list[np.ndarray]:
    """Cuts an image into patches that touch; what is left over is divided between both borders.

    Args:
      image: [height, width, channels].
      size: side of a patch.

    Returns:
      Patches [size, size, channels], row by row; none if a side is shorter.
    """
    height, width = image.shape[:2]
    top, left = (height % size) // 2, (width % size) // 2
    return [image[y : y + size, x : x + size]
            for y in range(top, height - size + 1, size) for x in range(left, width - size + 1, size)]
