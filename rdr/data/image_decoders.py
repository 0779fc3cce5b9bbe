"""Samples of image files at the depth of the file: Pillow where it keeps them, other decoders where it does not."""

import io
import pathlib
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from rdr.data.color_spaces import lab_to_srgb
from rdr.data.image_headers import ImageHeader, png_chunks, pnm_header


class Samples(NamedTuple):
    """An image as it is stored, before its colors are converted.

    Attributes:
      pixels: uint8 or uint16 [height, width, channels] over the whole range of the type: 1 (gray), 3 (sRGB or what a
        profile says) or 4 channels (CMYK).
      opaque: whether no pixel is transparent.
      upright: whether the decoder has turned the image as its orientation says.
      note: what was changed, for a person, or "".
    """

    pixels: np.ndarray
    opaque: bool
    upright: bool = False
    note: str = ""


def decode(path: pathlib.Path, image: Image.Image, header: ImageHeader, *, deep: bool = True) -> Samples:
    """Reads the samples of an image file.

    Args:
      path: the file.
      image: the same, as `PIL.Image.open` gives it.
      header: of the file.
      deep: whether samples of more than 8 bits are wanted as they are; else whatever decoder there is may give 8.

    Returns:
      The samples.

    Raises:
      ValueError: if it is a kind that no decoder here reads right.
    """
    if header.format == "TIFF" and header.depth > 8:
        return _deep_tiff(path, header)
    if header.format == "PPM" and header.depth > 8:
        return Samples(_deep_pnm(path.read_bytes()), True)
    if header.format == "PNG" and header.depth == 16:
        return _deep_png(path, image, header)
    image.load()
    if header.depth > 8 and image.mode not in ("I;16", "I;16L", "I;16B"):
        if deep:
            raise ValueError(f"{header.format} of {header.depth} bits a channel cannot be read here: convert it to PNG")
        return _shallow(image, header)._replace(note=f"{header.depth} bits a channel are read as 8")
    if header.depth > 8:
        pixels = np.asarray(image).astype(np.uint16)
        if header.format == "JPEG2000":  # Pillow shifts them to 16 bits
            pixels = pixels >> (16 - header.depth)
        return Samples(full_range(pixels, 2**header.depth - 1)[:, :, None], True)
    return _shallow(image, header)


def _shallow(image: Image.Image, header: ImageHeader) -> Samples:
    """Eight bits or fewer, which Pillow knows."""
    mode, upright = image.mode, header.format == "TIFF"
    if header.key is not None:
        pixels = np.asarray(image.convert("L" if len(header.key) == 1 else "RGB"))
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        key = np.array(header.key) & (2**header.depth - 1)
        key = key * 255 // (2**header.depth - 1)
        return Samples(pixels, not (pixels == key).all(-1).any(), upright)
    opaque = True
    if image.has_transparency_data:
        premultiplied = mode in ("RGBa", "La")
        alpha = image.convert("RGBA") if not premultiplied else image
        opaque = bool(np.asarray(alpha)[..., -1].min() == 255)
        mode = {"LA": "L", "La": "L"}.get(mode, "RGB")
        if premultiplied:
            image = image.convert("RGBA" if mode == "RGB" else "LA")
        image = image.convert(mode)
    if mode == "1":
        image = image.convert("L")
    elif mode == "LAB":
        return Samples(lab_to_srgb(image), opaque, upright, "colors are converted from CIELAB to sRGB")
    elif mode not in ("L", "RGB", "CMYK"):
        if mode not in ("P", "RGBX", "YCbCr"):
            raise ValueError(f"it is of mode {mode!r}, which is not read")
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return Samples(pixels.reshape(*pixels.shape[:2], -1), opaque, upright)


def full_range(values: np.ndarray, maximum: int) -> np.ndarray:
    """Brings samples from 0 .. maximum to 0 .. 65535, rounded.

    Args:
      values: whole numbers, any shape.
      maximum: the largest that they may be.

    Returns:
      uint16, the same shape.
    """
    if maximum == 65535:
        return values.astype(np.uint16)
    scaled = (values.astype(np.uint64) * 65535 + maximum // 2) // maximum
    return np.minimum(scaled, 65535).astype(np.uint16)


def _deep_png(path: pathlib.Path, image: Image.Image, header: ImageHeader) -> Samples:
    """Sixteen bits: Pillow undoes the filters right for samples of two bytes, but then keeps one of them."""
    data = path.read_bytes()
    kind = png_chunks(data)[b"IHDR"][9]
    if kind in (0, 4):
        # For filters and interlacing, two bytes of gray are gray and alpha, and four of gray and alpha are RGBA.
        with Image.open(_renamed(data, 4 if kind == 0 else 6), formats=("PNG",)) as doubled:
            halves = np.asarray(doubled).astype(np.uint16)
        samples = halves[:, :, ::2] << 8 | halves[:, :, 1::2]
    else:
        mode = "RGB" if kind == 2 else "RGBA"
        high, low = (_unpacked(path, f"{mode};16{order}").astype(np.uint16) for order in "BL")
        samples = high << 8 | low
    pixels, opaque = samples, True
    if kind in (4, 6):
        pixels, opaque = samples[:, :, :-1], bool(samples[:, :, -1].min() == 65535)
    elif header.key is not None:
        opaque = not (samples == np.array(header.key)).all(-1).any()
    return Samples(pixels, opaque)


def _unpacked(path: pathlib.Path, raw: str) -> np.ndarray:
    """The samples of a PNG as Pillow unpacks them from a raw mode: the high or the low bytes of each."""
    with Image.open(path, formats=("PNG",)) as image:
        image.info.pop("transparency", None)
        image.tile = [tile._replace(args=raw) for tile in image.tile]
        return np.asarray(image)


def _renamed(data: bytes, kind: int) -> io.BytesIO:
    """A PNG that says that its bytes are samples of 8 bits of another color type; without a color key."""
    header = data[16:24] + struct.pack(">BB", 8, kind) + data[26:29]
    chunk = b"IHDR" + header
    parts = [data[:12], chunk, struct.pack(">I", zlib.crc32(chunk))]
    place = 33
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name in (b"IDAT", b"IEND"):
            parts.append(data[place : place + 12 + length])
        place += 12 + length
    return io.BytesIO(b"".join(parts))


def _deep_pnm(data: bytes) -> np.ndarray:
    header = pnm_header(data)
    channels = 3 if header.magic in (b"P3", b"P6") else 1
    count = header.height * header.width * channels
    if header.magic in (b"P2", b"P3"):
        lines = data[header.start - 1 :].split(b"\n")
        words = b" ".join(line.split(b"#")[0] for line in lines).split()
        values = np.array(words[:count], np.int64)
    else:
        values = np.frombuffer(data[header.start : header.start + 2 * count], ">u2")
    if values.size < count:
        raise ValueError("the file is cut short")
    if values.max() > header.maximum or values.min() < 0:
        raise ValueError(f"a value of it is not from 0 to {header.maximum}")
    return full_range(values.reshape(header.height, header.width, channels), header.maximum)


def _deep_tiff(path: pathlib.Path, header: ImageHeader) -> Samples:
    try:
        import tifffile
    except ImportError:
        raise ValueError("TIFF of more than 8 bits needs a reader of its own: pip install tifffile") from None
    if header.color not in ("gray", "rgb"):
        raise ValueError(f"TIFF of {header.depth} bits a channel and color model {header.color} is not read")
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        values = page.asarray()
        photometric, extra = int(page.photometric), tuple(map(int, page.extrasamples))
        if page.axes.startswith("S"):
            values = np.moveaxis(values, 0, -1)
    if values.dtype != np.uint16:
        raise ValueError(f"TIFF of {header.depth} bits a channel ({values.dtype}) is not read")
    values = values if values.ndim == 3 else values[:, :, None]
    channels = 1 if header.color == "gray" else 3
    if values.shape[2] != channels + len(extra):
        raise ValueError(f"TIFF of {values.shape[2]} channels and color model {header.color} is not read")
    maximum = 2**header.depth - 1
    opaque = all(values[:, :, channels + i].min() == maximum for i, kind in enumerate(extra) if kind in (1, 2))
    values = values[:, :, :channels]
    return Samples(full_range(maximum - values if photometric == 0 else values, maximum), opaque)
