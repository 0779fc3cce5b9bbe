"""Codecs by name, and those that users add."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from rdr.codecs.base import Codec, VectorCodec
from rdr.registry import Registry


def _build(factory: str, defaults: dict[str, Any], renamed: dict[str, str], **options: Any) -> Codec | VectorCodec:
    """Calls a factory, "module:function" below this package, which is imported when it is needed."""
    module, function = factory.split(":")
    values = {renamed.get(name, name): value for name, value in (defaults | options).items()}
    return getattr(importlib.import_module(f"rdr.codecs.{module}"), function)(**values)


def _builder(factory: str, *, renamed: dict[str, str] | None = None, **defaults: Any) -> Callable[..., Any]:
    return functools.partial(_build, factory, defaults, renamed or {})


def _image(name: str) -> Callable[..., Any]:
    return _builder("image.models:make_codec", renamed={"codec": "name"}, codec=name)


CODECS = Registry("codec", {
    "block": _builder("vectors.block:block_codec"),
    "bmshj2018-factorized": _image("bmshj2018-factorized"),
    "bmshj2018-hyperprior": _image("bmshj2018-hyperprior"),
    "channelwise-checkerboard": _image("channelwise-checkerboard"),
    "codebook": _builder("vectors.codebook:codebook_codec"),
    "ddcm": _builder("diffusion.ddcm:ddcm_codec"),
    "diffc-a": _builder("diffusion.codec:diffusion_codec", decoder="ancestral"),
    "diffc-f": _builder("diffusion.codec:diffusion_codec", decoder="flow"),
    "lattice": _builder("vectors.lattice:lattice_codec", renamed={"lattice": "name"}, lattice="E8"),
    "lattice_transform": _builder("vectors.lattice_transform:lattice_transform_codec", renamed={"lattice": "name"},
                                  lattice="E8"),
    "mbt2018-mean": _image("mbt2018-mean"),
    "scalar": _builder("vectors.scalar:scalar_codec"),
    "trellis": _builder("vectors.trellis:trellis_codec", states=64),
    "uqdm": _builder("diffusion.codec:diffusion_codec", channel="uniform", steps=8),
})


def names() -> tuple[str, ...]:
    """Lists the codecs that `get` knows.

    Returns:
      The names, sorted.
    """
    return CODECS.names()


def get(codec: str | Codec | VectorCodec, **options: Any) -> Codec | VectorCodec:
    """Finds a codec.

    Args:
      codec: one of `names()`, or a codec, which is returned as it is.
      **options: of the codec's factory: `rdr.codecs.vectors.scalar.scalar_codec`, .., for images
        `rdr.codecs.image.make_codec`, for diffusion `rdr.codecs.diffusion.codec.diffusion_codec` ("diffc-f", "diffc-a",
        "uqdm") and `ddcm_codec`; "lattice" and "lattice_transform" take the lattice's name as `lattice` (default
        "E8"), "trellis" its `states` (default 64).

    Returns:
      The codec; the same object for the same arguments.

    Raises:
      ValueError: if there is no codec of this name, or an option is out of its range.
      TypeError: if a codec is given together with options, or its factory does not take one of them.
    """
    if callable(getattr(codec, "encode", None)) and callable(getattr(codec, "decode", None)):
        return CODECS.given(codec, options)
    name: Any = codec  # refused if it is none
    return CODECS.build(name, **options)


def register(name: str, factory: Callable[..., Codec | VectorCodec]) -> None:
    """Adds a codec for `get`.

    Args:
      name: a new one.
      factory: function of keyword options that makes the codec.

    Raises:
      ValueError: if the name is taken.
      TypeError: if the factory cannot be called.
    """
    CODECS.register(name, factory)


def unregister(name: str) -> None:
    """Removes a codec from `get`.

    Args:
      name: of the codec; nothing happens if there is none.
    """
    CODECS.unregister(name)
