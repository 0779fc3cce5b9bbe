"""Pairs of reference images and candidates in two folders."""

import hashlib
import pathlib
from typing import NamedTuple

import numpy as np

from rdr.data.folders import by_name, images_by_name
from rdr.data.image_io import read_image, read_image_header

# Formats whose files are messages of a codec, so that their length is a rate.
LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2", ".j2k", ".jxl")


class Pair(NamedTuple):
    """A reference image and a candidate.

    Attributes:
      name: their common name, without suffix.
      reference: file.
      candidate: file.
      height: of both, pixels.
      width: of both, pixels.
      bits: length of the candidate's message, or None if there is none.
      color: what happens to values that are not sRGB, see `rdr.data.image_io.read_image_data`.
    """

    name: str
    reference: pathlib.Path
    candidate: pathlib.Path
    height: int
    width: int
    bits: int | None
    color: str = "convert"

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """Reads both images.

        Returns:
          Reference and candidate, float32 [height, width, 3] in [0, 1].

        Raises:
          ValueError: if one cannot be read.
        """
        reference, candidate = (as_float(read_image(file, channels=3, color=self.color))
                                for file in (self.reference, self.candidate))
        return reference, candidate


def as_float(images: np.ndarray) -> np.ndarray:
    """Brings whole values to [0, 1].

    Args:
      images: uint8 or uint16, any shape.

    Returns:
      float32, the same shape.
    """
    return images.astype(np.float32) / np.float32(np.iinfo(images.dtype).max)


def pair_folders(reference: str, candidate: str, bitstreams: str = "", *, color: str = "convert",
                 failures: dict[str, str] | None = None) -> list[Pair]:
    """Pairs the images of two folders by name, and finds the length of each candidate's message.

    Args:
      reference: folder of originals.
      candidate: folder of decoded images; if all are in a lossy format (JPEG, WebP, AVIF, JPEG 2000), these files are
        the messages.
      bitstreams: folder of messages by the same names, any suffix; empty for none.
      color: what happens to values that are not sRGB, see `rdr.data.image_io.read_image_data`.
      failures: gets name -> what is wrong with a pair that cannot be compared, as long as another can; None refuses
        the first of those.

    Returns:
      The pairs, in order of names.

    Raises:
      ValueError: if a folder or file is missing, empty or unreadable, or two images of a pair differ in size.
    """
    references, candidates = images_by_name(reference, flag="reference"), images_by_name(candidate, flag="candidate")
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
        try:
            size = _common_size(file, candidates[name], color)
        except ValueError as error:
            if failures is None or (len(pairs) == 0 and len(failures) == len(references) - 1):
                raise
            failures[name] = str(error)
            continue
        bits = 8 * messages[name].stat().st_size if messages else None
        pairs.append(Pair(name, file, candidates[name], *size, bits, color))
    return pairs


def _common_size(reference: pathlib.Path, candidate: pathlib.Path, color: str) -> tuple[int, int]:
    """Height and width of both images of a pair."""
    headers = [read_image_header(path, color=color) for path in (reference, candidate)]
    size, other = ((header.height, header.width) for header in headers)
    if size != other:
        raise ValueError(
            f"images of a pair must have one size, but {reference} has {size[1]} x {size[0]} pixels (width x height) "
            f"and {candidate} has {other[1]} x {other[0]}"
        )
    return size


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
    files = by_name(sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")),
                    flag="bitstreams")
    missing = [name for name in names if name not in files]
    if missing:
        raise ValueError(f"--bitstreams: there is no file for {_some(missing)} in {folder}")
    return files
