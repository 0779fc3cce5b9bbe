"""Pretrained codec that comes with the package: one file, any rate, any realism weight."""

import functools
import importlib.resources
import pathlib

from rdr.codecs.image.files import LoadedCodec, load_codec

FILE = "mbt2018_mean_64_96.npz"
SHA256 = "6d3d04ba27f4e17c590169af0c750c1ef89778c525fd7c5eb0679fb2122afea1"


def path() -> pathlib.Path:
    """Finds where the file is, or would be.

    Returns:
      Its path.
    """
    return pathlib.Path(str(importlib.resources.files("rdr.codecs.image") / FILE))


def is_available() -> bool:
    """Looks whether this installation has the codec.

    Returns:
      Whether it does.
    """
    return path().is_file()


@functools.lru_cache(maxsize=1)
def load_pretrained() -> LoadedCodec:
    """Reads the codec and checks its hash.

    Returns:
      The codec: mbt2018-mean with N = 64 and M = 96, a rate input of five levels, and a realism weight.

    Raises:
      ValueError: if the file is missing or not the one with that hash.
    """
    if not is_available():
        raise ValueError(f"checkpoint: this installation lacks {FILE}: train one with `rdr train`, and give its "
                         "codec.npz")
    return load_codec(path(), sha256=SHA256)
