"""Conventional codecs, through Pillow: the best image that fits into a number of bytes."""

import functools
import importlib.util
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, features


class Codec(NamedTuple):
    """A conventional codec.

    Attributes:
      name: as a table says it.
      available: whether this machine has it.
      write: `write(image, stream, q)` for a whole number q; higher is better.
      qualities: smallest and largest q.
    """

    name: str
    available: Callable[[], bool]
    write: Callable[[Image.Image, io.BytesIO, int], None]
    qualities: tuple[int, int]


def _jpeg(image, stream, q):
    image.save(stream, "JPEG", quality=q, optimize=True, progressive=True)


def _jpeg2000(image, stream, q):
    # Compression ratios from 1000 down to 2.
    image.save(stream, "JPEG2000", quality_mode="rates", quality_layers=[1000 * 0.002 ** (q / 100)], irreversible=True,
               mct=1 if image.mode == "RGB" else 0)


def _webp(image, stream, q):
    image.save(stream, "WEBP", quality=q, method=6)


def _avif(image, stream, q):
    image.save(stream, "AVIF", quality=q, speed=4)


def _jpeg_xl(image, stream, q):
    image.convert("RGB").save(stream, "JXL", quality=q, effort=7)  # the plug-in writes gray without loss only


@functools.cache
def _has_jpeg_xl() -> bool:
    if importlib.util.find_spec("pillow_jxl") is None:
        return False
    import pillow_jxl  # noqa: F401

    return True


CODECS = {
    codec.name: codec
    for codec in (
        Codec("JPEG", lambda: True, _jpeg, (1, 98)),
        Codec("JPEG 2000", lambda: features.check("jpg_2000"), _jpeg2000, (0, 100)),
        Codec("WebP", lambda: features.check("webp"), _webp, (0, 100)),
        Codec("AVIF", lambda: features.check("avif"), _avif, (0, 100)),
        Codec("JPEG XL", _has_jpeg_xl, _jpeg_xl, (0, 99)),  # 100 is lossless, another mode
    )
}


def encode_at_most(codec: Codec, pixels: np.ndarray, size: int) -> tuple[bytes, np.ndarray]:
    """Encodes an image with the highest quality whose file is not longer than wished.

    Args:
      codec: of `CODECS`.
      pixels: uint8 [height, width, 1 or 3].
      size: bytes.

    Returns:
      The file and the decoded image; where no quality is small enough, those of the lowest one.
    """
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)

    @functools.cache
    def written(q: int) -> bytes:
        stream = io.BytesIO()
        codec.write(image, stream, q)
        return stream.getvalue()

    low, high = codec.qualities  # lengths rise with q, nearly always
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(written(middle)) <= size else (low, middle - 1)
    data = written(low)
    decoded = np.asarray(Image.open(io.BytesIO(data)).convert(image.mode))
    return data, decoded.reshape(pixels.shape)
