"""What `rdr.cli.codec` does with a trained codec: `--checkpoint=FILE`, or `--checkpoint=shipped`."""

import functools
import pathlib
from typing import Any

import numpy as np

from rdr.bitstream import container
from rdr.codecs.image import NAMES, files, pretrained
from rdr.codecs.image.gain_units import RATE_STEPS
from rdr.data.image_io import read_image
from rdr.files import write_bytes

SHIPPED = "shipped"


@functools.lru_cache(maxsize=2)
def load(checkpoint: str) -> files.LoadedCodec:
    """Reads a checkpoint.

    Args:
      checkpoint: a file of `rdr.cli.train`, or "shipped", or empty for that.

    Returns:
      The codec.

    Raises:
      ValueError: if there is none, or it is damaged.
    """
    return pretrained.load_pretrained() if checkpoint in ("", SHIPPED) else files.load_codec(checkpoint)


def is_amortized_message(message: bytes) -> bool:
    """Says whether a message is by an amortized codec; whether it is intact is for the decoder to say.

    Args:
      message: the bytes.

    Returns:
      Whether it is.

    Raises:
      ValueError: if it is no message.
    """
    return container.peek(message) in NAMES


def encode_picture(picture: np.ndarray, checkpoint: str, *, level: float, size: int | None) -> bytes:
    """Encodes a picture at a rate level, or with as high a level as a number of bytes allows.

    Args:
      picture: uint8 [height, width, 1 or 3]; gray ones are coded as three equal channels.
      checkpoint: of `load`.
      level: from 0, the lowest rate, to 1; ignored with a size, and by a codec of one rate.
      size: bytes that the message may have, or None.

    Returns:
      The message.

    Raises:
      ValueError: if the picture has more than 8 bits, the level is out of range, or the size is too small.
    """
    if picture.dtype != np.uint8:
        raise ValueError("trained codecs take pictures of 8 bits")
    if not 0.0 <= level <= 1.0:
        raise ValueError(f"--level must be in [0, 1], got {level}")
    picture = np.broadcast_to(picture, (*picture.shape[:2], 3))
    loaded = load(checkpoint)
    levels = loaded.options.get("rate_levels", 0)
    if not levels:
        message = files.encode_image(loaded, picture)
        if size is not None and len(message) > size:
            raise ValueError(f"this codec has one rate: {len(message)} bytes, more than {size}")
        return message
    top = (levels - 1) * RATE_STEPS

    @functools.cache
    def at(step: int) -> bytes:
        return files.encode_image(loaded, picture, rate=step / RATE_STEPS)

    if size is None:
        return at(round(level * top))
    if len(at(0)) > size:
        raise ValueError(f"the lowest rate takes {len(at(0))} bytes, more than {size}")
    low, high = 0, top  # lengths rise with the level
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(at(middle)) <= size else (low, middle - 1)
    return at(low)


def decode_picture(message: bytes, checkpoint: str, *, realism: float) -> np.ndarray:
    """Decodes a picture.

    Args:
      message: from `encode_picture`.
      checkpoint: the one that it was written with.
      realism: the decoder's weight, from 0 to 1; 0 for a codec without one.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: if the message is damaged, or written with another checkpoint, or the weight is refused.
    """
    loaded = load(checkpoint)
    return files.decode_image(loaded, message, realism=realism if realism or loaded.options.get("realism") else None)


def describe(message: bytes) -> dict[str, Any]:
    """What a message says of itself.

    Args:
      message: from `encode_picture`.

    Returns:
      Values by name.

    Raises:
      ValueError: if it is no message, or damaged.
    """
    parts = container.unpack(message)
    if len(parts.shape) != 4 or 0 in parts.shape or not parts.payloads:
        raise ValueError("damaged message: its parts are not those of a trained codec")
    _, height, width, _ = parts.shape
    found = {"codec": parts.codec, "height": height, "width": width, "bytes": len(message),
             "bits_per_pixel": 8 * len(message) / (height * width), "parameters": parts.fingerprint.hex()}
    if len(parts.payloads[0]) == 2:
        found["rate level"] = int.from_bytes(parts.payloads[0], "little") / RATE_STEPS
    return found


def encode(files_by_name: dict[str, pathlib.Path], targets: dict[str, pathlib.Path], checkpoint: str, *, level: float,
           bpp: float, size: int) -> dict[str, bytes]:
    """Encodes pictures to files.

    Args:
      files_by_name: the pictures.
      targets: files to write, by the same names.
      checkpoint: of `load`.
      level: of `encode_picture`.
      bpp: bits per pixel that a message may have; 0 for no limit.
      size: bytes that it may have; 0 for no limit.

    Returns:
      The messages.

    Raises:
      ValueError: if something cannot be read or is refused; the sentence names the picture.
      OSError: if something cannot be written.
    """
    messages = {}
    for name, file in files_by_name.items():
        picture = read_image(file, depth="eight")
        most = size or (int(bpp * picture.shape[0] * picture.shape[1] / 8) if bpp else None)
        try:
            messages[name] = encode_picture(picture, checkpoint, level=level, size=most)
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None
        write_bytes(targets[name], messages[name])
    return messages
