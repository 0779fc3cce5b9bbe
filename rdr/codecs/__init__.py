"""Codecs: of vectors (`vectors`), of noisy channels' outputs (`channel`), by diffusion (`diffusion`), of images
(`image`, `overfitted`; `profiled` adds a color profile).

`get("lattice", lattice="E8")` makes a codec by name, `names()` lists the names, and `register` adds another.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Codec": "base",
    "VectorCodec": "base",
    "base": "base",
    "channel": "channel",
    "conventional": "conventional",
    "diffusion": "diffusion",
    "get": "registry",
    "image": "image",
    "names": "registry",
    "overfitted": "overfitted",
    "profiled": "profiled",
    "register": "registry",
    "unregister": "registry",
    "vectors": "vectors",
})
