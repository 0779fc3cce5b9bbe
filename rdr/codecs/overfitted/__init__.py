"""Images as small decoders that are fitted to them: `encode(image, Options(..)) -> bytes`, `decode(bytes) -> image`."""

from rdr.codecs.overfitted.architecture import Architecture, operations
from rdr.codecs.overfitted.codec import encode_batch
from rdr.codecs.overfitted.options import PRESETS, Options
from rdr.codecs.overfitted.schedule import Schedule
from rdr.codecs.overfitted.tiling import MAX_ELEMENTS, TILE, TILES, decode, describe, encode, group_size

__all__ = [
    "MAX_ELEMENTS", "PRESETS", "TILE", "TILES", "Architecture", "Options", "Schedule", "decode", "describe", "encode",
    "encode_batch", "group_size", "operations",
]
