"""Images as small decoders that are fitted to them: `encode(image, Options(..)) -> bytes`, `decode(bytes) -> image`."""

from rdr.codecs.overfitted.architecture import Architecture, operations
from rdr.codecs.overfitted.codec import PRESETS, Options, decode, describe, encode, encode_batch
from rdr.codecs.overfitted.training import Schedule

__all__ = [
    "PRESETS", "Architecture", "Options", "Schedule", "decode", "describe", "encode", "encode_batch", "operations",
]
