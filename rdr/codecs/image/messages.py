"""Messages of amortized codecs: one image, one checkpoint, and the rate level that a number of bytes allows."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rdr.bitstream import container
from rdr.codecs.image import NAMES, files, pretrained
from rdr.codecs.image.gain_units import RATE_STEPS
from rdr.metrics.psnr import image_psnr

PRETRAINED = "pretrained"
_FREE_PIXELS, _PIXELS_PER_BYTE = 2**18, 2**11


def load(checkpoint: str | files.LoadedCodec) -> files.LoadedCodec:
    """Reads a checkpoint.

    Args:
      checkpoint: a file that `rdr train` wrote, or "pretrained", or empty for that; or a codec, which is returned.

    Returns:
      The codec.

    Raises:
      ValueError: if there is none, or it is damaged.
    """
    return checkpoint if isinstance(checkpoint, files.LoadedCodec) else _read(checkpoint)


@functools.lru_cache(maxsize=2)
def _read(checkpoint: str) -> files.LoadedCodec:
    return pretrained.load_pretrained() if checkpoint in ("", PRETRAINED) else files.load_codec(checkpoint)


def is_amortized_message(message: bytes) -> bool:
    """Tells messages of amortized codecs.

    Args:
      message: the bytes.

    Returns:
      Whether it is.

    Raises:
      ValueError: if it is no message, or damaged.
    """
    return container.peek(message) in NAMES


def encode_image(image: np.ndarray, checkpoint: str | files.LoadedCodec, *, level: float, size: int | None,
                 psnr: float | None = None, realism: float = 0.0) -> bytes:
    """Encodes an image at a rate level, with as high a level as a number of bytes allows, or as low as a PSNR allows.

    Args:
      image: uint8 [height, width, 1 or 3]; gray ones are coded as three equal channels.
      checkpoint: of `load`.
      level: from 0, the lowest rate, to 1; ignored with a size or a PSNR, and by a codec of one rate.
      size: bytes that the message may have, or None.
      psnr: dB that the decoded image should have, or None; where no level has it, the highest is taken.
      realism: weight of the decoder that this PSNR is of.

    Returns:
      The message.

    Raises:
      ValueError: if the image has more than 8 bits or too many pixels, the level is out of range, or the size is too
        small.
    """
    if image.dtype != np.uint8:
        raise ValueError("amortized codecs take images of 8 bits")
    if not 0.0 <= level <= 1.0:
        raise ValueError(f"level must be in [0, 1], got {level}")
    if 3 * image.shape[0] * image.shape[1] > container.MAX_ELEMENTS:
        raise ValueError(f"the image has {image.shape[1]} x {image.shape[0]} pixels, an amortized codec takes "
                         f"{container.MAX_ELEMENTS // 3}: scale it down, cut it, or let a decoder be fitted to it "
                         "without --checkpoint, in tiles")
    image = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
    loaded = load(checkpoint)
    levels = loaded.options.get("rate_levels", 0)
    if not levels:
        message = files.encode_image(loaded, image)
        if size is not None and len(message) > size:
            raise ValueError(f"this codec has one rate: {len(message)} bytes, more than {size}")
        return message
    top = (levels - 1) * RATE_STEPS

    @functools.cache
    def at(step: int) -> bytes:
        return files.encode_image(loaded, image, rate=step / RATE_STEPS)

    if psnr is not None:
        pixels = image.shape[0] * image.shape[1]

        def reached(step: int) -> bool:
            return image_psnr(image, decode_image(at(step), loaded, realism=realism, max_pixels=pixels)) >= psnr

        return at(_lowest(top, reached))
    if size is None:
        return at(round(level * top))
    if len(at(0)) > size:
        raise ValueError(f"the lowest rate takes {len(at(0))} bytes, more than {size}")
    return at(max(0, _lowest(top + 1, lambda step: len(at(step)) > size) - 1))


def _lowest(top: int, holds: Callable[[int], bool]) -> int:
    """The lowest number for which something holds that holds for all above it; `top`, which is not asked, if none."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def decode_image(message: bytes, checkpoint: str | files.LoadedCodec, *, realism: float, max_pixels: int | None = None
                 ) -> np.ndarray:
    """Decodes an image.

    Args:
      message: from `encode_image`.
      checkpoint: the one that it was written with.
      realism: the decoder's weight, from 0 to 1; 0 for a codec without one.
      max_pixels: the most that are decoded; None for 2^18, and 2^11 for each byte of the message: blank images have a
        byte for 2^8 with the pretrained codec, and a coder whose bytes are used up reads on without end.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: if the message is damaged, or written with another checkpoint, or has more pixels, or the weight is
        refused.
    """
    pixels = math.prod(container.unpack(message).shape[:-1])
    limit = max(_FREE_PIXELS, _PIXELS_PER_BYTE * len(message)) if max_pixels is None else max_pixels
    if pixels > limit:
        raise ValueError(f"the message announces {pixels} pixels in {len(message)} bytes, and {limit} are decoded: if "
                         f"you know where it is from, allow it with max_pixels={pixels}")
    loaded = load(checkpoint)
    return files.decode_image(loaded, message, realism=realism if realism or loaded.options.get("realism") else None)


def describe(message: bytes) -> dict[str, Any]:
    """Describes a message without decoding it.

    Args:
      message: from `encode_image`.

    Returns:
      Values by name.

    Raises:
      ValueError: if it is no message, or damaged.
    """
    parts = container.unpack(message)
    if len(parts.shape) != 4 or 0 in parts.shape or not parts.payloads:
        raise ValueError("damaged message: its parts are not those of an amortized codec")
    _, height, width, _ = parts.shape
    described = {"codec": parts.codec, "height": height, "width": width, "bytes": len(message),
                 "bits_per_pixel": 8 * len(message) / (height * width), "parameters": parts.fingerprint.hex()}
    if len(parts.payloads[0]) == 2:
        described["rate level"] = int.from_bytes(parts.payloads[0], "little") / RATE_STEPS
    return described
