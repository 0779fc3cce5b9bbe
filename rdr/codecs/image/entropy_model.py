"""Shape of a model of latents: what stands between the two transforms of an image codec."""

from collections.abc import Callable
from typing import Any, NamedTuple

from rdr.codecs.image.validation import CodingLayout


class EntropyModel(NamedTuple):
    """A model of latents as pure functions.

    Attributes:
      name: of the published codec that has it.
      stride: latents are padded so that their sides are multiples of it.
      dither_levels: values of the dither that both sides share; 0 without.
      init: `init(key) -> params`.
      bits: `bits(params, y, key) -> (y_hat, bits)`: y is [batch, rows, columns, M]; with a key, `bits` [batch] are
        those of latents with uniform noise, and y_hat is rounded with straight-through gradients (with a dither, y_hat
        has that noise too); with None, both are those of rounded latents.
      finalize: `finalize(params) -> coding`, the integers that both sides need.
      encode: `encode(params, coding, y, dither) -> (payloads, symbols)`, symbols a dictionary of int32 arrays.
      decode: `decode(coding, payloads, shape, dither) -> y_hat` for the shape of y; `dither` is int32 of that shape,
        from 0 to dither_levels - 1, or None; or what `draw` returns.
      coding_layout: what `coding` is like, for what comes from a file.
      draw: `draw(shared_key, shape)` -> what `encode` and `decode` take as dither, for a model that shares more than
        the integers of a dither.
    """

    name: str
    stride: int
    dither_levels: int
    init: Callable[..., Any]
    bits: Callable[..., Any]
    finalize: Callable[..., Any]
    encode: Callable[..., Any]
    decode: Callable[..., Any]
    coding_layout: CodingLayout
    draw: Callable[..., Any] | None = None
