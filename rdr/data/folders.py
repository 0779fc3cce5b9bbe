"""Folders of images: their files, and patches of these."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".jxl", ".jp2", ".j2k", ".bmp", ".gif", ".tif", ".tiff", ".ppm",
            ".pgm", ".pbm", ".pnm", ".exr", ".hdr")


class Skipped(NamedTuple):
    """A file that was left out.

    Attributes:
      name: of the file, inside its folder.
      reason: why.
    """

    name: str
    reason: str


def list_images(folder: str | pathlib.Path, *, flag: str = "images", recursive: bool = True,
                suffixes: Sequence[str] = SUFFIXES) -> list[pathlib.Path]:
    """Finds the images in a folder.

    Args:
      folder: where to look; hidden files and folders are passed over.
      flag: how the folder is called in messages.
      recursive: whether to look into the folders below it, too.
      suffixes: of files that are taken, in small letters.

    Returns:
      Paths, sorted by name.

    Raises:
      ValueError: if there is no such folder, or no image in it.
    """
    if not str(folder) or not pathlib.Path(folder).is_dir():  # Path("") would be the current folder
        raise ValueError(f"--{flag}: there is no folder {str(folder)!r}")
    folder = pathlib.Path(folder)
    paths = [path for path in (folder.rglob("*") if recursive else folder.iterdir()) if path.is_file()
             and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    images = sorted(path for path in paths if path.suffix.lower() in suffixes)
    if not images:
        others = f"{len(paths)} files of other kinds" if paths else "nothing"
        raise ValueError(f"--{flag}: {folder} holds {others}, but no image ({' '.join(suffixes)})")
    return images


def images_by_name(folder: str | pathlib.Path, *, flag: str = "images") -> dict[str, pathlib.Path]:
    """Lists the images of a folder, not of those below it, by name without suffix.

    Args:
      folder: the folder.
      flag: how it is called in messages.

    Returns:
      name -> file, in order of names.

    Raises:
      ValueError: if there is no such folder, no image in it, or two images of one name.
    """
    return by_name(list_images(folder, flag=flag, recursive=False), flag=flag)


def by_name(paths: Iterable[pathlib.Path], *, flag: str) -> dict[str, pathlib.Path]:
    """Orders files by name without suffix.

    Args:
      paths: files of one folder.
      flag: how that is called in messages.

    Returns:
      name -> file, in the order of `paths`.

    Raises:
      ValueError: if two have one name.
    """
    files: dict[str, pathlib.Path] = {}
    for path in paths:
        if path.stem in files:
            raise ValueError(f"--{flag}: {files[path.stem].name} and {path.name} in {path.parent} have one name")
        files[path.stem] = path
    return files


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
