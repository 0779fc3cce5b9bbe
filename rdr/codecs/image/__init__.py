"""Amortised image codecs: networks that were trained once, and code any image."""

import functools
from typing import Any

from rdr.codecs.base import Codec
from rdr.codecs.image import context
from rdr.codecs.image.codec import image_codec
from rdr.codecs.image.factorized import factorized_model
from rdr.codecs.image.hyperprior import hyperprior_model
from rdr.codecs.image.latent_model import LatentModel

NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean", context.NAME)


@functools.cache
def make_model(name: str, *, channels: int = 128, latents: int = 192) -> LatentModel:
    """Makes the model of a codec's latents.

    Args:
      name: one of `NAMES`.
      channels: N.
      latents: M.

    Returns:
      The model; the same object for the same arguments, so that it is compiled once.

    Raises:
      ValueError: if the name is unknown.
    """
    if name == "bmshj2018-factorized":
        return factorized_model(latents=latents)
    if name in ("bmshj2018-hyperprior", "mbt2018-mean"):
        return hyperprior_model(channels=channels, latents=latents, means=name == "mbt2018-mean")
    if name == context.NAME:
        return context.context_model(channels=channels, latents=latents)
    raise ValueError(f"codec must be one of {', '.join(NAMES)}, got {name!r}")


@functools.cache
def make_codec(name: str, *, channels: int = 128, latents: int = 192, **options: Any) -> Codec:
    """Makes a codec.

    Args:
      name: one of `NAMES`.
      channels: N.
      latents: M.
      **options: of `image_codec`.

    Returns:
      The codec; the same object for the same arguments, so that it is compiled once.

    Raises:
      ValueError: if the name is unknown.
    """
    return image_codec(make_model(name, channels=channels, latents=latents), channels=channels, latents=latents,
                       **options)


__all__ = ["NAMES", "image_codec", "make_codec", "make_model"]
