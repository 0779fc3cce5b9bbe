"""Pairs of reference images and candidates in two folders."""

import hashlib
import pathlib
from typing import Any, NamedTuple

import numpy as np

from rdr.data.color_spaces import convert_primaries
from rdr.data.folders import by_name, images_by_name
from rdr.data.image_io import read_image, read_image_data, read_image_header, tell_notes
from rdr.data.linear_images import linear_format

# Formats whose files are messages of a codec, so that their length is a rate.
LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2", ".j2k", ".jxl")
_ROUNDING = 1e-6  # of the largest value: what conversion between primaries leaves of 0


class Light(NamedTuple):
    """How files of linear light are brought to the light of a display.

    Attributes:
      primaries: of the display, "bt709", "bt2020" or "p3".
      unit: cd/m^2 that a value of 1 stands for, where a file does not say it.
      negative: what happens to negative values, "refuse" or "clip".
    """

    primaries: str = "bt709"
    unit: float = 100.0
    negative: str = "refuse"


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
      light: how both are read, if they are files of linear light; None for coded values.
    """

    name: str
    reference: pathlib.Path
    candidate: pathlib.Path
    height: int
    width: int
    bits: int | None
    color: str = "convert"
    light: Light | None = None

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """Reads both images.

        Returns:
          Reference and candidate, float32 [height, width, 3]: in [0, 1], or cd/m^2 of linear light.

        Raises:
          ValueError: if one cannot be read.
        """
        if self.light is not None:
            return read_light(self.reference, self.light), read_light(self.candidate, self.light)
        reference, candidate = (as_float(read_image(file, channels=3, color=self.color))
                                for file in (self.reference, self.candidate))
        return reference, candidate


def read_light(file: pathlib.Path, light: Light) -> np.ndarray:
    """Reads a file of linear light.

    Args:
      file: OpenEXR or Radiance.
      light: what it is read for.

    Returns:
      float32 [height, width, 3], cd/m^2 in each of the display's primaries; gray as three equal channels.

    Raises:
      ValueError: if it cannot be read, or has colors outside of the display's primaries that are not to be clipped.
    """
    negative: Any = light.negative  # one of two
    data = read_image_data(file, hdr="keep", negative=negative)
    tell_notes(file, data)
    space = data.space
    if data.pixels.dtype != np.float32 or space is None:
        raise ValueError(f"{file} holds no linear light")
    pixels = np.repeat(data.pixels, 3 // data.pixels.shape[2], 2)
    pixels = convert_primaries(pixels, space.primaries, light.primaries)
    outside = int((pixels < -_ROUNDING * pixels.max(initial=0.0)).any(-1).sum())
    if outside and light.negative == "refuse":
        raise ValueError(f"{file} has {outside} pixels of colors that the display's primaries ({light.primaries}) do "
                         "not have: take another display, or clip them (negative=clip)")
    unit = light.unit if space.white_luminance is None else space.white_luminance
    return (np.maximum(pixels, 0.0) * unit).astype(np.float32)


def as_float(images: np.ndarray) -> np.ndarray:
    """Brings whole values to [0, 1].

    Args:
      images: uint8 or uint16, any shape.

    Returns:
      float32, the same shape.
    """
    return images.astype(np.float32) / np.float32(np.iinfo(images.dtype).max)


def pair_folders(reference: str, candidate: str, bitstreams: str = "", *, color: str = "convert",
                 failures: dict[str, str] | None = None, light: Light | None = None) -> list[Pair]:
    """Pairs the images of two folders by name, and finds the length of each candidate's message.

    Args:
      reference: folder of originals.
      candidate: folder of decoded images; if all are in a lossy format (JPEG, WebP, AVIF, JPEG 2000), these files are
        the messages.
      bitstreams: folder of messages by the same names, any suffix; empty for none.
      color: what happens to values that are not sRGB, see `rdr.data.image_io.read_image_data`.
      failures: gets name -> what is wrong with a pair that cannot be compared, as long as another can; None refuses
        the first of those.
      light: how files of linear light are read; None refuses them.

    Returns:
      The pairs, in order of names.

    Raises:
      ValueError: if a folder or file is missing, empty or unreadable, two images of a pair differ in size, or one of
        them is linear light and the other is not.
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
            linear = light is not None and _both_linear(file, candidates[name])
            size = _common_size(file, candidates[name], color, "keep" if linear else "refuse")
        except ValueError as error:
            if failures is None or (len(pairs) == 0 and len(failures) == len(references) - 1):
                raise
            failures[name] = str(error)
            continue
        bits = 8 * messages[name].stat().st_size if messages else None
        pairs.append(Pair(name, file, candidates[name], *size, bits, color, light if linear else None))
    return pairs


def _both_linear(reference: pathlib.Path, candidate: pathlib.Path) -> bool:
    linear, other = (linear_format(path) is not None for path in (reference, candidate))
    if linear != other:
        raise ValueError(f"images of a pair must be of one kind, but {reference} holds "
                         f"{'linear light' if linear else 'coded values'} and {candidate} "
                         f"{'coded values' if linear else 'linear light'}")
    return linear


def _common_size(reference: pathlib.Path, candidate: pathlib.Path, color: str, hdr: str) -> tuple[int, int]:
    """Height and width of both images of a pair."""
    headers = [read_image_header(path, color=color, hdr=hdr) for path in (reference, candidate)]
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
