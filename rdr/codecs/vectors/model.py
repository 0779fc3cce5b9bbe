"""Model of a vector codec: what sets one codec of vectors apart from the others.

Everything that they have in common (dither, keys, stored tables, refusals, messages) is in
`rdr.codecs.vectors.codec.vector_codec`, which makes a codec of a model.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream import container

TOO_LARGE = np.iinfo(np.int32).min  # stands for a whole number that int32 does not hold


class VectorModel(NamedTuple):
    """What sets a codec of vectors apart, as pure functions.

    `network` stands for the parameters without their tables, `dither` for int32 integers of the latents' shape (zeros
    without a dither), `points` for the whole numbers that are coded.

    Attributes:
      name: of the codec, in messages.
      parts: names of the parameters' parts, without the tables.
      check_shape: `check_shape(shape, what)`: refuses a shape of x, naming it `what`.
      latent_shape: `latent_shape(shape of x) -> shape` of the dither.
      init: `init(key) -> network`.
      forward: as of `rdr.codecs.base.Codec`.
      quantize: `quantize(network, z, dither) -> points`, float32 whole numbers, or int32 with `TOO_LARGE` where that
        holds none; works under jit.
      reconstruct: `reconstruct(network, points, dither, private_key, realism) -> y`.
      make_tables: `make_tables(network) -> tree` of integer tables.
      encode: `encode(points, dither, tables) -> (bytes, bytes)`: coded symbols, and escapes.
      decode: `decode(coded, escapes, dither, tables) -> points`, int.
      code_lengths: `code_lengths(points, dither, tables) -> float64 [batch, symbols of a vector]`, in bits.
      analyze: `analyze(network, x) -> z`, computed before `quantize`; None if z is x.
      check_latents: `check_latents(network, z)`: refuses z that cannot be quantized; None if every finite z can.
      dither_levels: values of the shared dither; 0 for no shared randomness.
      private_noise: whether the decoder needs a `private_key`.
      realism: whether the decoder's condition is a realism weight in [0, 1].
      max_elements: largest number of numbers in a message, of x and of the latents; larger ones are refused before
        memory is claimed.
      tables_in: name of the part that holds the tables; empty if they stand beside the parts.
    """

    name: str
    parts: tuple[str, ...]
    check_shape: Callable[[tuple[int, ...], str], None]
    latent_shape: Callable[[tuple[int, ...]], tuple[int, ...]]
    init: Callable[..., Any]
    forward: Callable[..., Any]
    quantize: Callable[..., Any]
    reconstruct: Callable[..., Any]
    make_tables: Callable[..., Any]
    encode: Callable[..., tuple[bytes, bytes]]
    decode: Callable[..., np.ndarray]
    code_lengths: Callable[..., np.ndarray]
    analyze: Callable[..., Any] | None = None
    check_latents: Callable[..., None] | None = None
    dither_levels: int = 0
    private_noise: bool = False
    realism: bool = False
    max_elements: int = container.MAX_ELEMENTS
    tables_in: str = ""


def any_shape(shape: tuple[int, ...], what: str) -> None:
    """Refuses no shape.

    Args:
      shape: of x.
      what: what to call it.
    """
    del shape, what


def batch_of_vectors(dimension: int) -> Callable[[tuple[int, ...], str], None]:
    """Makes a check for [batch, dimension].

    Args:
      dimension: components of a vector.

    Returns:
      `check_shape` of a `VectorModel`.
    """
    def check(shape: tuple[int, ...], what: str) -> None:
        if len(shape) != 2 or shape[1] != dimension:
            raise ValueError(f"{what} must have shape [batch, {dimension}], got {shape}")

    return check


def blocks_of(dimension: int) -> Callable[[tuple[int, ...], str], None]:
    """Makes a check for [..., dimension].

    Args:
      dimension: length of the last axis; 0 for any.

    Returns:
      `check_shape` of a `VectorModel`.
    """
    def check(shape: tuple[int, ...], what: str) -> None:
        if not shape or dimension not in (0, shape[-1]):
            raise ValueError(f"{what} must have shape [..., {dimension or 'steps'}], got {shape}")

    return check


def check_dither_levels(dither_levels: int) -> None:
    """Refuses what is no number of values of a dither.

    Args:
      dither_levels: the number.

    Raises:
      ValueError: if it is not 0 or a power of two up to 2^16.
    """
    if dither_levels < 0 or dither_levels > 2**16 or dither_levels & (dither_levels - 1):
        raise ValueError(f"dither_levels must be 0 or a power of two up to 2^16, got {dither_levels}")


def as_rows(array: Any) -> np.ndarray:
    """Flattens all but the last axis.

    Args:
      array: [..., n].

    Returns:
      numpy array [rows, n].
    """
    array = np.asarray(array)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])
