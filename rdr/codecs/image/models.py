"""Published models of latents, and the codecs that have them, by name."""

import functools
from typing import Any

from rdr.codecs.base import Codec
from rdr.codecs.image import context
from rdr.codecs.image.codec import image_codec
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.codecs.image.factorized import factorized_model
from rdr.codecs.image.hyperprior import hyperprior_model
from rdr.codecs.image.layered import layered_model

# How latents are sent: rounded, or as an exact sample of a Gaussian.
CHANNELS = ("rounding", "layered")
# Architectures of `image_codec`, from the smallest to the one with a context model.
NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean", context.NAME)


def make_model(name: str, *, channels: int = 128, latents: int = 192, dither_levels: int = 0,
               channel: str = "rounding") -> EntropyModel:
    """Makes the model of a codec's latents.

    Args:
      name: one of `NAMES`.
      channels: N.
      latents: M.
      dither_levels: values of a shared dither (universal quantization); 0 for rounding.
      channel: "rounding" (with or without a dither), or "layered": a sample of a Gaussian posterior is sent, of the
        variance of rounding (`rdr.codecs.image.layered`); for models with Gaussian latents.

    Returns:
      The model; the same object for the same arguments, so that it is compiled once.

    Raises:
      ValueError: if the name or the channel is unknown, the dither is none, or the model cannot have that channel.
    """
    return _model(name, channels, latents, dither_levels, channel)


@functools.lru_cache(maxsize=32)
def _model(name: str, channels: int, latents: int, dither_levels: int, channel: str) -> EntropyModel:
    if channel not in CHANNELS:
        raise ValueError(f"channel must be one of {', '.join(CHANNELS)}, got {channel!r}")
    if dither_levels < 0 or dither_levels > 64 or dither_levels & (dither_levels - 1):
        raise ValueError(f"dither_levels must be 0 or a power of two up to 64, got {dither_levels}")
    if channel == "layered":
        if name not in ("bmshj2018-hyperprior", "mbt2018-mean") or dither_levels:
            raise ValueError("channel 'layered' is for bmshj2018-hyperprior and mbt2018-mean without dither_levels, "
                             f"got {name!r} with {dither_levels}")
        return layered_model(channels=channels, latents=latents, means=name == "mbt2018-mean")
    if name == "bmshj2018-factorized":
        return factorized_model(latents=latents, dither_levels=dither_levels)
    if name in ("bmshj2018-hyperprior", "mbt2018-mean"):
        return hyperprior_model(channels=channels, latents=latents, means=name == "mbt2018-mean",
                                dither_levels=dither_levels)
    if name == context.NAME:
        if dither_levels:
            raise ValueError(f"codec {name!r} takes no dither: dither_levels must be 0")
        return context.context_model(channels=channels, latents=latents)
    raise ValueError(f"codec must be one of {', '.join(NAMES)}, got {name!r}")


def make_codec(name: str, *, channels: int = 128, latents: int = 192, dither_levels: int = 0,
               channel: str = "rounding", **options: Any) -> Codec:
    """Makes a codec.

    Args:
      name: one of `NAMES`.
      channels: N.
      latents: M.
      dither_levels: of `make_model`.
      channel: of `make_model`.
      **options: of `image_codec`.

    Returns:
      The codec; the same object for the same arguments, so that it is compiled once.

    Raises:
      ValueError: if the name is unknown.
    """
    # What is cached goes by values alone: options from a file come in another order than those of a call.
    return _codec(name, channels, latents, dither_levels, channel, tuple(sorted(options.items())))


@functools.lru_cache(maxsize=32)
def _codec(name: str, channels: int, latents: int, dither_levels: int, channel: str, options: tuple) -> Codec:
    model = _model(name, channels, latents, dither_levels, channel)
    return image_codec(model, channels=channels, latents=latents, **dict(options))
