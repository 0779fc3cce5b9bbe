"""Patches that are in one array already: a NumPy file instead of a folder."""

import pathlib
from typing import Any

import numpy as np


class ArraySource:
    """Random access to the patches of an array, as loaders want it.

    Args:
      images: uint8 [patches, height, width, 3].
    """

    def __init__(self, images: np.ndarray):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {"image": self.images[index]}


def open_array(path: str | pathlib.Path, *, name: str) -> np.ndarray:
    """Opens a file of one array; it is read when it is used.

    Args:
      path: a `.npy` file.
      name: what messages call it.

    Returns:
      The array, mapped from the file.

    Raises:
      ValueError: if there is no such file, or it holds something else; the sentence names it.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"{name}: there is no file {str(path)!r}")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy lets through whatever the parser of a header raises
        raise ValueError(f"{name}: {path} is no whole NumPy file: {' '.join(str(error).split())}") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: {path} must hold one array, not an archive")
    return array


def read_array(path: str | pathlib.Path) -> ArraySource:
    """Opens a file of patches; they are read from it when they are asked for.

    Args:
      path: a `.npy` file of uint8 [patches, height, width, 3].

    Returns:
      The source.

    Raises:
      ValueError: if there is no such file, or it holds something else; the sentence names it.
    """
    images = open_array(path, name="images")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape:
        raise ValueError(f"images: {path} must hold uint8 [patches, height, width, 3], got {images.dtype} of shape "
                         f"{images.shape}")
    return ArraySource(images)


def stack_images(source: Any) -> np.ndarray:
    """Reads a whole data set into one array.

    Args:
      source: random access to {"image": uint8 [height, width, 3]}, all of one size.

    Returns:
      uint8 [patches, height, width, 3].

    Raises:
      ValueError: if there are none, or their sizes differ.
    """
    if isinstance(source, ArraySource):
        return np.asarray(source.images)
    images = [np.asarray(source[place]["image"]) for place in range(len(source))]
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1:
        raise ValueError(f"images: the data set must hold images of one size, got {shapes[:3] or 'none'}")
    return np.stack(images)
