"""Amortised image codecs: networks that were trained once, and code any image."""

import functools
from typing import Any

from rdr.codecs.base import Codec
from rdr.codecs.image.codec import image_codec
from rdr.codecs.image.factorized import factorized_model
from rdr.codecs.image.hyperprior import hyperprior_model

NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean")


@functools.cache
def make_codec(name: str, *, channels: int = 128, latents: int = 192, **options: Any) -> Codec:
    """Makes a published codec; the same object for the same arguments, so that it is compiled once.

    Args:
      name: one of `NAMES`.
      channels: N.
      latents: M.
      **options: of `image_codec`.

    Returns:
      The codec.

    Raises:
      ValueError: if the name is unknown.
    """
    if name == "bmshj2018-factorized":
        model = factorized_model(latents=latents)
    elif name in ("bmshj2018-hyperprior", "mbt2018-mean"):
        model = hyperprior_model(channels=channels, latents=latents, means=name == "mbt2018-mean")
    else:
        raise ValueError(f"codec must be one of {', '.join(NAMES)}, got {name!r}")
    return image_codec(model, channels=channels, latents=latents, **options)


__all__ = ["NAMES", "image_codec", "make_codec"]
