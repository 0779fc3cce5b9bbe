"""Samples of a source as vectors: data sets of MNIST's kind, digits, patches of photographs, NumPy arrays.

Every source comes in two parts that are drawn alike and share no draw: vectors to fit to, and vectors held out to
measure on. Patches are cut at places that are equally likely among all places of all photographs: the source is "a
patch of these photographs", and its draws are independent, so that standard errors are what they say.
"""

from __future__ import annotations

import math
import pathlib
from typing import NamedTuple

import numpy as np

from rdr.data import idx
from rdr.data.arrays import open_array
from rdr.data.folders import list_images
from rdr.data.image_io import read_image, read_image_header

SOURCES = ("array", "digits", "fashion_mnist", "mnist", "photographs")
CHANNELS = ("luma", "rgb")
MAX_ELEMENTS = 1 << 29  # numbers in all vectors: 2 GiB as float32
MIN_SAMPLES = 10
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
_PATCHES = (2, 64)
_LEAST_SPREAD, _LARGEST = 1e-12, 1e15
_HELD_OUT = 5  # one of so many is held out where a source comes in one part


class Samples(NamedTuple):
    """Independent samples of a source.

    Attributes:
      vectors: to fit to, float32 [n, dimension].
      held_out: to measure on, float32 [k, dimension].
      shape: of one vector before it was flattened, such as (28, 28, 1).
      name: of the source.
      description: what a vector is, and in which units, in words.
    """

    vectors: np.ndarray
    held_out: np.ndarray
    shape: tuple[int, ...]
    name: str
    description: str

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return self.vectors.shape[1]


def load_samples(source: str, folder: str | pathlib.Path = "", *, patch: int = 8, channels: str = "luma",
                 count: int = 0, seed: int = 0) -> Samples:
    """Loads the samples of a source by its name.

    Args:
      source: "fashion_mnist" or "mnist" (the four files of such a data set), "digits" (1797 images of 8 x 8, from
        scikit-learn), "photographs" (patches of images), or "array" (a .npy file).
      folder: where the files are; for "array" the file; not for "digits".
      patch: side of a patch of photographs.
      channels: "luma" or "rgb", of photographs.
      count: how many vectors to keep for fitting; 0 for all (of photographs, 20,000).
      seed: of the division into two parts, of what is kept, and of the places of patches.

    Returns:
      The samples.

    Raises:
      ValueError: if there is no such source, a file is missing, unreadable or damaged, or there are too few samples.
      ModuleNotFoundError: if digits are asked for and scikit-learn is not installed.
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    if source == "photographs":
        return photograph_patches(folder, patch=patch, channels=channels, count=count or 20_000, seed=seed)
    if source == "digits":
        found = digits(seed=seed)
    elif source == "array":
        found = array_samples(folder, seed=seed)
    elif source in ("fashion_mnist", "mnist"):
        found = idx_samples(folder, name=source)
    else:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    if not count or count >= len(found.vectors):
        return found
    rows = np.sort(np.random.default_rng([seed, 1]).permutation(len(found.vectors))[:count])
    return _checked(found._replace(vectors=found.vectors[rows]))


def idx_samples(folder: str | pathlib.Path, *, name: str = "mnist") -> Samples:
    """Reads a data set of MNIST's kind: its training images to fit to, its test images held out.

    Zeros around the images would change neither rates nor summed errors, so that curves of padded images are the same.

    Args:
      folder: where `train-images-idx3-ubyte` and `t10k-images-idx3-ubyte` are, plain or with .gz.
      name: of the source.

    Returns:
      The samples, pixels in [0, 1].

    Raises:
      ValueError: if a file is missing or damaged, or the images of both have different sizes.
    """
    parts = [idx.read_images(folder, split) for split in ("train", "test")]
    height, width = parts[0].shape[1:]
    if parts[1].shape[1:] != parts[0].shape[1:]:
        raise ValueError(f"{folder} holds training images of {height} x {width} pixels and test images of "
                         f"{parts[1].shape[1]} x {parts[1].shape[2]}")
    vectors, held_out = (part.reshape(len(part), -1).astype(np.float32) / np.float32(255) for part in parts)
    return _checked(Samples(vectors, held_out, (height, width, 1), name,
                            f"gray images of {height} x {width} pixels in [0, 1]"))


def digits(*, seed: int = 0) -> Samples:
    """Takes the 1797 handwritten digits that come with scikit-learn.

    Args:
      seed: of the division into two parts.

    Returns:
      The samples, 8 x 8 pixels in [0, 1].

    Raises:
      ModuleNotFoundError: if scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    vectors = np.asarray(load_digits().data, np.float32) / np.float32(16)
    return _split(vectors, (8, 8, 1), "digits", "gray images of 8 x 8 pixels in [0, 1]", seed)


def array_samples(path: str | pathlib.Path, *, seed: int = 0) -> Samples:
    """Reads vectors from a NumPy file; a fifth of them is held out.

    Args:
      path: a .npy file of real numbers [samples, ...]; what follows the first axis is one vector. Values are taken as
        they are.
      seed: of the division into two parts.

    Returns:
      The samples.

    Raises:
      ValueError: if there is no such file, or it holds something else, numbers that are not finite, or too few samples.
    """
    path = pathlib.Path(path)
    array = open_array(path, name="samples")
    if array.dtype.kind not in "buif" or array.ndim < 1 or 0 in array.shape:
        raise ValueError(f"samples: {path} must hold real numbers [samples, ...], got {array.dtype} of shape "
                         f"{array.shape}")
    if array.size > MAX_ELEMENTS:
        raise ValueError(f"samples: {path} holds {array.size} numbers, at most {MAX_ELEMENTS} are read")
    shape = array.shape[1:] or (1,)
    with np.errstate(over="ignore"):
        vectors = np.asarray(array).reshape(len(array), -1).astype(np.float32)
    if not np.isfinite(vectors).all():
        wrong = int((~np.isfinite(vectors)).any(axis=1).sum())
        raise ValueError(f"samples: {path} must hold finite numbers within the range of float32, {wrong} of its "
                         f"{len(vectors)} samples do not")
    if array.dtype.itemsize > 4 and _is_coarse(np.asarray(array).reshape(vectors.shape), vectors):
        raise ValueError(f"samples: {path} must hold numbers whose differences survive in float32, got a mean that is "
                         "large beside the standard deviation: subtract it")
    return _split(vectors, shape, path.stem, f"vectors of {vectors.shape[1]} components as in the file", seed)


def photograph_patches(folder: str | pathlib.Path, *, patch: int = 8, channels: str = "luma", count: int = 20_000,
                       held_out: int = 0, seed: int = 0) -> Samples:
    """Cuts patches at random places of photographs.

    Args:
      folder: of images, at any depth; each is read once.
      patch: side of a patch, from 2 to 64.
      channels: "luma" (BT.601) or "rgb".
      count: patches to fit to.
      held_out: patches held out; 0 for a fifth of `count`, at least 1000.
      seed: of the places.

    Returns:
      The samples, values in [0, 1].

    Raises:
      ValueError: if there is no such folder, an image is damaged or smaller than a patch, or an argument is out of its
        range.
    """
    if not _PATCHES[0] <= patch <= _PATCHES[1]:
        raise ValueError(f"patch must be from {_PATCHES[0]} to {_PATCHES[1]}, got {patch}")
    if channels not in CHANNELS:
        raise ValueError(f"channels must be one of {', '.join(CHANNELS)}, got {channels!r}")
    depth = 1 if channels == "luma" else 3
    total = count + (held_out or max(count // _HELD_OUT, 1000))
    if count < MIN_SAMPLES or total * patch * patch * depth > MAX_ELEMENTS:
        raise ValueError(f"count must be from {MIN_SAMPLES} to what fits into {MAX_ELEMENTS} numbers, got {count}")
    paths = list_images(folder, flag="samples")
    sizes = np.array([(header.height, header.width) for header in map(read_image_header, paths)], np.int64)
    small = np.flatnonzero(sizes.min(1) < patch)
    if small.size:
        height, width = sizes[small[0]]
        raise ValueError(f"{paths[small[0]]} has {height} x {width} pixels, less than a patch of {patch} x {patch}")
    places = (sizes - patch + 1).prod(1)
    generator = np.random.default_rng([seed, 2])
    chosen = generator.choice(len(paths), size=total, p=places / places.sum())
    vectors = np.empty((total, patch * patch * depth), np.float32)
    for number, path in enumerate(paths):
        rows = np.flatnonzero(chosen == number)
        if rows.size:
            top, left = (generator.integers(0, n - patch + 1, rows.size) for n in sizes[number])
            windows = np.lib.stride_tricks.sliding_window_view(_pixels(path, channels), (patch, patch), axis=(0, 1))
            vectors[rows] = windows[top, left].transpose(0, 2, 3, 1).reshape(rows.size, -1)
    return _checked(Samples(
        vectors[:count], vectors[count:], (patch, patch, depth), f"{channels}_{patch}x{patch}",
        f"{channels} patches of {patch} x {patch} pixels in [0, 1], at random places of {len(paths)} photographs"))


def _pixels(path: pathlib.Path, channels: str) -> np.ndarray:
    """An image in [0, 1], float32 [height, width, 1 or 3]."""
    pixels = read_image(path, channels=3)
    values = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return values if channels == "rgb" else (values @ _LUMA)[..., None]


def _is_coarse(array: np.ndarray, vectors: np.ndarray) -> bool:
    """Whether rounding moved vectors by more than a thousandth of their standard deviation."""
    array = array.astype(np.float64)
    spread = float(array.var(0).sum())
    return spread > 0 and float(np.square(array - vectors).sum(1).mean()) > 1e-6 * spread


def _split(vectors: np.ndarray, shape: tuple[int, ...], name: str, description: str, seed: int) -> Samples:
    if len(vectors) < MIN_SAMPLES:
        raise ValueError(f"samples: at least {MIN_SAMPLES} are needed, got {len(vectors)}")
    order = np.random.default_rng([seed, 0]).permutation(len(vectors))
    spare = math.ceil(len(vectors) / _HELD_OUT)
    return _checked(Samples(vectors[order[spare:]], vectors[order[:spare]], tuple(shape), name, description))


def _checked(found: Samples) -> Samples:
    """Refuses samples of which nothing can be learned."""
    if len(found.vectors) < MIN_SAMPLES - 2 or len(found.held_out) < 2:
        raise ValueError(f"samples: at least {MIN_SAMPLES} are needed, got {len(found.vectors)} to fit to and "
                         f"{len(found.held_out)} held out")
    if not np.ptp(found.vectors, axis=0).any():
        raise ValueError(f"samples: all {len(found.vectors)} are equal, there is nothing to code")
    spread = math.sqrt(float(found.vectors.var(0, dtype=np.float64).sum()))
    size = max(float(np.abs(part).max()) for part in (found.vectors, found.held_out))
    if spread < _LEAST_SPREAD or size > _LARGEST:
        raise ValueError(f"samples: vectors must have a standard deviation of at least {_LEAST_SPREAD:g} and numbers "
                         f"of at most {_LARGEST:g}, so that squares are within the range of float32, got {spread:.3g} "
                         f"and {size:.3g}: scale them")
    return found
