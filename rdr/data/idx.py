"""IDX files, the format of MNIST and its successors: arrays of numbers, plain or compressed by gzip.

A file is two zero bytes, a byte for the type of number, a byte for the number of axes, the length of each axis as a
big-endian 32-bit integer, and the numbers themselves, big-endian, the last axis running fastest.
"""

from __future__ import annotations

import gzip
import math
import pathlib
import zlib
from typing import IO, cast

import numpy as np

MAX_BYTES = 1 << 31  # of the numbers in a file
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_AXES = 8
_SPLITS = {"train": ("train",), "test": ("t10k", "test")}
_GZIP = b"\x1f\x8b"


def read_idx(path: str | pathlib.Path, *, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Reads an IDX file.

    Args:
      path: the file; compression is seen from its first bytes, not from its name.
      max_bytes: what the numbers may take; larger files are refused before memory is claimed.

    Returns:
      The array, in the machine's byte order.

    Raises:
      ValueError: if there is no such file, or it is no IDX file, damaged or too large; the sentence names it.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if not packed:
                return _read(path, raw, max_bytes)
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(path, cast(IO[bytes], stream), max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None


def _read(path: pathlib.Path, stream: IO[bytes], max_bytes: int) -> np.ndarray:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= _MAX_AXES:
        raise ValueError(f"{path} is no IDX file: it begins with {start.hex(' ') or 'nothing'}, not with 00 00, a type "
                         f"of number and a number of axes up to {_MAX_AXES}")
    axes = stream.read(4 * start[3])
    if len(axes) < 4 * start[3]:
        raise ValueError(f"{path} is damaged: it ends within its header")
    shape = tuple(int(n) for n in np.frombuffer(axes, ">u4"))
    dtype = np.dtype(_TYPES[start[2]])
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise ValueError(f"{path} says that it holds {shape} numbers of {dtype.itemsize} bytes: {size} bytes, at most "
                         f"{max_bytes} are read")
    data = stream.read(size + 1)
    if len(data) != size:
        raise ValueError(f"{path} is damaged: it holds {'more than ' if len(data) > size else ''}"
                         f"{min(len(data), size)} bytes of numbers, its header says {size}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def find_images(folder: str | pathlib.Path, split: str = "train") -> pathlib.Path:
    """Finds a file of images as MNIST and its successors name them.

    Args:
      folder: where to look.
      split: "train" or "test".

    Returns:
      The file, such as `train-images-idx3-ubyte.gz`.

    Raises:
      ValueError: if there is no such folder, split or file.
    """
    if not str(folder):  # Path("") would be the current folder
        raise ValueError("there is no folder ''")
    folder = pathlib.Path(folder)
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {', '.join(_SPLITS)}, got {split!r}")
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(folder)!r}")
    names = [f"{start}-images{dot}idx3-ubyte" for start in _SPLITS[split] for dot in "-."]
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise ValueError(f"{folder} holds no file {names[0]} or {names[0]}.gz, as data sets of MNIST's kind have")


def read_images(folder: str | pathlib.Path, split: str = "train") -> np.ndarray:
    """Reads the images of a data set of MNIST's kind.

    Args:
      folder: where its files are.
      split: "train" or "test".

    Returns:
      uint8 [images, height, width].

    Raises:
      ValueError: if they cannot be found or read, or are no 8-bit gray images.
    """
    path = find_images(folder, split)
    images = read_idx(path)
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape:
        raise ValueError(f"{path} must hold uint8 [images, height, width], got {images.dtype} of shape {images.shape}")
    return images
