"""The shape of a model of latents: what stands between the two transforms of an image codec."""

from collections.abc import Callable
from typing import Any, NamedTuple


class LatentModel(NamedTuple):
    """A model of latents as pure functions.

    Attributes:
      name: of the published codec that has it.
      stride: latents are padded so that their sides are multiples of it.
      init: `init(key) -> params`.
      bits: `bits(params, y, key) -> (y_hat, bits)`: y is [batch, rows, columns, M]; with a key, `bits` [batch] are
        those of latents with uniform noise, and y_hat is rounded with straight-through gradients; with None, both are
        those of rounded latents.
      finalize: `finalize(params) -> coding`, the integers that both sides need.
      encode: `encode(params, coding, y) -> (payloads, symbols)`, symbols a dictionary of int32 arrays.
      decode: `decode(coding, payloads, shape) -> y_hat` for the shape of y.
    """

    name: str
    stride: int
    init: Callable[..., Any]
    bits: Callable[..., Any]
    finalize: Callable[..., Any]
    encode: Callable[..., Any]
    decode: Callable[..., Any]
