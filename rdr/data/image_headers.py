"""Headers of image files: depth, color model, transparency, color space and orientation of the file itself.

Pillow tells the mode that it decodes to, which has eight bits where the file may have sixteen. What is in the file is
read here from its own header.
"""

import pathlib
import struct
from typing import NamedTuple

from PIL import Image

from rdr.data.color_spaces import HDR_CODE_POINTS, PRIMARIES, TRANSFERS, ColorSpace

# Pillow's names of the formats that are read.
FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "PPM", "WEBP", "AVIF", "JXL", "JPEG2000", "BMP", "GIF")
ORIENTATION = 0x0112  # EXIF's tag; 1 is upright
# Tags of TIFF.
_BITS, _PHOTOMETRIC, _COMPRESSION, _EXTRA, _FORMAT = 258, 262, 259, 338, 339
_TIFF_COLORS = {0: "gray", 1: "gray", 2: "rgb", 3: "palette", 5: "cmyk", 6: "ycbcr", 8: "lab", 32844: "logl"}
_PNG_COLORS = {0: "gray", 2: "rgb", 3: "palette", 4: "gray", 6: "rgb"}


class ImageHeader(NamedTuple):
    """What the header of an image file says.

    Attributes:
      format: Pillow's name of it.
      height: of the upright image, pixels.
      width: of the upright image, pixels.
      depth: bits of a sample, the most of all channels.
      color: "gray", "rgb", "palette", "cmyk", "ycbcr" or "lab".
      alpha: whether there is an alpha channel, or a palette or color key that may be transparent.
      key: the transparent color in the file's own units, or None.
      icc: the ICC profile, or None.
      space: the color space as far as the file says it without a profile, or None.
      orientation: EXIF's, from 1 (upright) to 8.
      images: how many there are in the file.
      significant: bits of a sample that say something, as PNG's sBIT has it; else the depth.
    """

    format: str
    height: int
    width: int
    depth: int
    color: str
    alpha: bool
    key: tuple[int, ...] | None
    icc: bytes | None
    space: ColorSpace | None
    orientation: int
    images: int
    significant: int


class _Facts(NamedTuple):
    depth: int
    color: str
    alpha: bool = False
    key: tuple[int, ...] | None = None
    icc: bytes | None = None
    space: ColorSpace | None = None
    significant: int | None = None


def read_header(path: pathlib.Path, image: Image.Image) -> ImageHeader:
    """Reads the header of an image file.

    Args:
      path: the file.
      image: the same, as `PIL.Image.open` gives it, not loaded.

    Returns:
      The header.

    Raises:
      ValueError: if the header is damaged, or says something that is not read.
    """
    readers = {"PNG": _png, "TIFF": _tiff, "PPM": _pnm, "AVIF": _avif, "JXL": _jpeg_xl, "JPEG2000": _jpeg_2000}
    facts = readers.get(image.format, _plain)(path, image)
    orientation = image.getexif().get(ORIENTATION, 1)
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        orientation = 1  # the decoder has turned it already
    orientation = orientation if orientation in range(1, 9) else 1
    height, width = image.height, image.width
    if orientation >= 5 and image.format != "TIFF":  # Pillow turns TIFF itself
        height, width = width, height
    icc = facts.icc or (image.info.get("icc_profile") if facts.space is None else None)
    return ImageHeader(image.format, height, width, facts.depth, facts.color,
                       facts.alpha or image.has_transparency_data, facts.key, icc or None, facts.space, orientation,
                       getattr(image, "n_frames", 1), facts.significant or facts.depth)


def _plain(path: pathlib.Path, image: Image.Image) -> _Facts:
    """Formats of which Pillow knows everything: JPEG, WebP, BMP and GIF have eight bits."""
    depth = getattr(image, "bits", 8) if image.format in ("JPEG", "MPO") else 8
    colors = {"1": "gray", "L": "gray", "LA": "gray", "P": "palette", "CMYK": "cmyk"}
    return _Facts(depth, colors.get(image.mode, "rgb"))


def png_chunks(data: bytes) -> dict[bytes, bytes]:
    """Lists the chunks of a PNG file before its pixels.

    Args:
      data: the file.

    Returns:
      Kind -> content, of the first of each kind.

    Raises:
      ValueError: if the file is cut short.
    """
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind in (b"IDAT", b"IEND"):
            return chunks
        chunks.setdefault(kind, data[place + 8 : place + 8 + length])
        place += 12 + length
    raise ValueError("the file is cut short")


def _png(path: pathlib.Path, image: Image.Image) -> _Facts:
    chunks = png_chunks(path.read_bytes())
    depth, kind = struct.unpack_from(">BB", chunks[b"IHDR"], 8)
    key = None
    if b"tRNS" in chunks and kind in (0, 2):
        key = struct.unpack_from(">H" if kind == 0 else ">3H", chunks[b"tRNS"])
    space = None
    if b"cICP" in chunks:
        primaries, transfer, matrix, full_range = struct.unpack(">4B", chunks[b"cICP"])
        if matrix != 0 or full_range != 1:
            raise ValueError("its values are no RGB of full range (chunk cICP), which is not read")
        space = _from_code_points(primaries, transfer)
    elif not {b"iCCP", b"sRGB"} & chunks.keys() and {b"gAMA", b"cHRM"} & chunks.keys():
        space = _from_gamma(chunks.get(b"gAMA"), chunks.get(b"cHRM"))
    bits = chunks.get(b"sBIT", b"")[: {0: 1, 2: 3, 4: 1, 6: 3}.get(kind, 0)]
    significant = max(bits) if bits and 1 <= max(bits) < depth else None
    return _Facts(depth if kind != 3 else 8, _PNG_COLORS[kind], kind >= 4 or b"tRNS" in chunks, key, None, space,
                  significant)


def _from_gamma(gamma: bytes | None, chromaticities: bytes | None) -> ColorSpace:
    """The color space of the chunks gAMA and cHRM; what is missing is sRGB's."""
    encoding = struct.unpack(">I", gamma)[0] / 1e5 if gamma else 0.45455
    if not encoding > 0:
        raise ValueError("its gamma is 0")
    xy = tuple(value / 1e5 for value in struct.unpack(">8I", chromaticities)) if chromaticities else PRIMARIES[1]
    # Programs that mean sRGB have written 1 / 2.2 since before there was a chunk for sRGB.
    exponent = None if abs(encoding - 0.45455) < 5e-4 else 1 / encoding
    return ColorSpace(f"the gamma {1 / encoding:.3g} and primaries of its header", xy, exponent)


def _from_code_points(primaries: int, transfer: int) -> ColorSpace:
    """The color space of ITU-T H.273 code points."""
    names = {code: name.upper() for name, code in HDR_CODE_POINTS.items()}
    if transfer in names:
        if primaries not in PRIMARIES:
            raise ValueError(f"its color space (code points {primaries}, {transfer}) is not read")
        return ColorSpace(names[transfer], PRIMARIES[primaries], None, True, (primaries, transfer))
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        raise ValueError(f"its color space (code points {primaries}, {transfer}) is not read")
    return ColorSpace(f"the color space of code points {primaries} and {transfer}", PRIMARIES[primaries],
                      TRANSFERS[transfer], code_points=(primaries, transfer))


def _tiff(path: pathlib.Path, image: Image.Image) -> _Facts:
    tags = image.tag_v2
    bits = tags.get(_BITS, (1,))
    photometric = tags.get(_PHOTOMETRIC, 1)
    if set(tags.get(_FORMAT, (1,))) != {1}:
        raise ValueError("its samples are not unsigned integers")
    if photometric not in _TIFF_COLORS or (photometric == 6 and tags.get(_COMPRESSION) not in (6, 7)):
        raise ValueError(f"its color model (photometric interpretation {photometric}) is not read")
    alpha = any(kind in (1, 2) for kind in tags.get(_EXTRA, ()))
    return _Facts(max(bits), _TIFF_COLORS[photometric], alpha)


class PnmHeader(NamedTuple):
    """What the header of a file of the PNM family says.

    Attributes:
      magic: P1 to P6, two letters.
      width: pixels.
      height: pixels.
      maximum: the largest value of a sample.
      start: where the samples begin, bytes.
    """

    magic: bytes
    width: int
    height: int
    maximum: int
    start: int


def pnm_header(data: bytes) -> PnmHeader:
    """Reads the header of a PBM, PGM or PPM file.

    Args:
      data: the file.

    Returns:
      The header.

    Raises:
      ValueError: if it is none of these.
    """
    magic = data[:2]
    if magic not in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"):
        raise ValueError(f"its kind ({magic.decode('latin-1')!r}) is not read")
    numbers: list[int] = []
    place, count = 2, 2 if magic in (b"P1", b"P4") else 3
    while len(numbers) < count:
        while data[place : place + 1].isspace():
            place += 1
        if data[place : place + 1] == b"#":
            place = data.find(b"\n", place) + 1 or len(data)
            continue
        end = place
        while data[end : end + 1].isdigit():
            end += 1
        numbers.append(int(data[place:end][:20]))
        place = end
    return PnmHeader(magic, numbers[0], numbers[1], numbers[2] if count == 3 else 1, place + 1)


def _pnm(path: pathlib.Path, image: Image.Image) -> _Facts:
    with open(path, "rb") as stream:
        header = pnm_header(stream.read(2**16))
    if not 1 <= header.maximum <= 65535:
        raise ValueError(f"its largest value is {header.maximum}")
    return _Facts(max(8, header.maximum.bit_length()), "rgb" if header.magic in (b"P3", b"P6") else "gray")


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes of an ISO base media file, or inside of one: kinds and contents."""
    boxes, place = [], 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if length == 0 else place + length
        if end < start:
            raise ValueError("a box of it has no right length")
        boxes.append((kind, data[start:end]))
        place = end
    return boxes


def _avif(path: pathlib.Path, image: Image.Image) -> _Facts:
    meta = dict(_boxes(path.read_bytes())).get(b"meta", b"")[4:]
    properties = _boxes(dict(_boxes(dict(_boxes(meta)).get(b"iprp", b""))).get(b"ipco", b""))
    depths = [12 if content[2] & 0x20 else 10 if content[2] & 0x40 else 8 for kind, content in properties
              if kind == b"av1C" and len(content) >= 4]
    if not depths:
        raise ValueError("it does not say its depth")
    gray = all(content[2] & 0x10 for kind, content in properties if kind == b"av1C" and len(content) >= 4)
    space = None
    for kind, content in properties:
        if kind == b"colr" and content[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            space = _from_code_points(primaries, transfer)
    if image.info.get("icc_profile") and not (space and space.hdr):
        space = None
    return _Facts(max(depths), "gray" if gray else "rgb", space=space)


def _jpeg_2000(path: pathlib.Path, image: Image.Image) -> _Facts:
    data = path.read_bytes()
    icc, codestream = None, data
    if data[:4] != b"\xff\x4f\xff\x51":
        boxes = dict(_boxes(data))
        codestream = boxes.get(b"jp2c", b"")
        for kind, content in _boxes(boxes.get(b"jp2h", b"")):
            if kind == b"colr" and content[:1] == b"\x02":
                icc = content[3:]
    marker, count = struct.unpack_from(">H36xH", codestream, 2)
    if marker != 0xFF51:
        raise ValueError("its codestream has no size")
    depths = [codestream[42 + 3 * i] for i in range(count)]
    if any(depth & 0x80 for depth in depths):
        raise ValueError("its samples are signed")
    colors = {"L": "gray", "LA": "gray", "I;16": "gray", "P": "palette", "CMYK": "cmyk"}
    return _Facts(max(depths) + 1, colors.get(image.mode, "rgb"), icc=icc)


class _Bits:
    """Reads numbers from bits, the lowest of each byte first."""

    def __init__(self, data: bytes):
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the file is cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def choose(self, *options: tuple[int, int]) -> int:
        """One of four: a constant, plus a number of some bits."""
        offset, count = options[self.take(2)]
        return offset + self.take(count)


def _jpeg_xl(path: pathlib.Path, image: Image.Image) -> _Facts:
    """Depth from the codestream's header (ISO/IEC 18181-1, ImageMetadata)."""
    data = path.read_bytes()
    if data[:2] != b"\xff\x0a":
        boxes = dict(reversed(_boxes(data)))  # the first of each kind counts
        data = boxes.get(b"jxlc") or boxes.get(b"jxlp", b"")[4:]
    bits = _Bits(data[2:64])
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choose((1, 9), (1, 13), (1, 18), (1, 30))

    side()
    if not bits.take(3):
        side()
    color = {"L": "gray", "LA": "gray", "I;16": "gray", "F": "gray"}.get(image.mode, "rgb")
    if bits.take(1):
        return _Facts(8, color)
    if bits.take(1):  # extra fields: orientation, intrinsic size, preview, animation
        bits.take(3)
        if bits.take(3):
            raise ValueError("it has an intrinsic size, a preview or several frames, which is not read")
    if bits.take(1):
        raise ValueError("its samples are floating-point numbers")
    return _Facts(bits.choose((8, 0), (10, 0), (12, 0), (1, 6)), color)
