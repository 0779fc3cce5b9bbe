"""Images as small decoders that are fitted to them: `encode(image, Options(..)) -> bytes`, `decode(bytes) -> image`."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Architecture": "architecture",
    "MAX_ELEMENTS": "tiling",
    "Options": "options",
    "PRESETS": "options",
    "Schedule": "schedule",
    "Signal": "signals",
    "TILE": "tiling",
    "TILES": "tiling",
    "decode": "tiling",
    "describe": "tiling",
    "encode": "tiling",
    "encode_batch": "codec",
    "group_size": "tiling",
    "operations": "architecture",
    "signal_of_message": "tiling",
    "signals": "signals",
})
