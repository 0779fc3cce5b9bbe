"""Codecs by name, and those that users add."""

from collections.abc import Callable
from typing import Any

from rdr.codecs.base import Codec, VectorCodec
from rdr.registry import Registry


def _scalar(**options: Any) -> VectorCodec:
    from rdr.codecs.vectors.scalar import scalar_codec

    return scalar_codec(**options)


def _block(**options: Any) -> VectorCodec:
    from rdr.codecs.vectors.block import block_codec

    return block_codec(**options)


def _codebook(**options: Any) -> VectorCodec:
    from rdr.codecs.vectors.codebook import codebook_codec

    return codebook_codec(**options)


def _lattice(lattice: str = "E8", **options: Any) -> VectorCodec:
    from rdr.codecs.vectors.lattice import lattice_codec

    return lattice_codec(lattice, **options)


def _lattice_transform(lattice: str = "E8", **options: Any) -> VectorCodec:
    from rdr.codecs.vectors.lattice_transform import lattice_transform_codec

    return lattice_transform_codec(lattice, **options)


def _trellis(states: int = 64, **options: Any) -> VectorCodec:
    from rdr.codecs.vectors.trellis import trellis_codec

    return trellis_codec(states, **options)


def _image(name: str) -> Callable[..., Codec]:
    def build(**options: Any) -> Codec:
        from rdr.codecs.image import make_codec

        return make_codec(name, **options)

    return build


CODECS = Registry("codec", {
    "block": _block, "codebook": _codebook, "lattice": _lattice, "lattice_transform": _lattice_transform,
    "scalar": _scalar, "trellis": _trellis,
    **{name: _image(name) for name in (
        "bmshj2018-factorized", "bmshj2018-hyperprior", "channelwise-checkerboard", "mbt2018-mean")},
})  # fmt: skip


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
        `rdr.codecs.image.make_codec`; "lattice" and "lattice_transform" take the lattice's name as `lattice` (default
        "E8"), "trellis" its `states` (default 64).

    Returns:
      The codec; the same object for the same arguments.

    Raises:
      ValueError: if there is no codec of this name, or an option is out of its range.
      TypeError: if a codec is given together with options, or its factory does not take one of them.
    """
    if isinstance(codec, str):
        return CODECS.build(codec, **options)
    if options:
        raise TypeError(f"a codec that is given takes no options, got {', '.join(options)}")
    return codec


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
