"""The shape that every codec has, for vectors and images alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream import container


class Codec(NamedTuple):
    """A codec as pure functions.

    Training uses `init` and `forward`. Coding uses trained parameters that went through `finalize`, which adds the
    integer tables that encoder and decoder must share to the last bit; they are stored with the parameters and
    never computed again.

    Attributes:
      name: what the container calls it.
      init: `init(key) -> params`.
      forward: `forward(params, x, *, key, ...) -> (reconstruction, bits)`: the differentiable estimate; `x` is
        [batch, ...] and `bits` is [batch].
      finalize: `finalize(params) -> params` ready for coding.
      symbols: `symbols(params, x, shared_key=None) -> int32` array of what is coded; works under jit.
      encode: `encode(params, x, *, shared_key=None) -> bytes`.
      decode: `decode(message, *, params=None, shared_key=None, private_key=None, condition=None) ->
        reconstruction`: what a receiver can do who has the message, the parameters if the message does not carry
        them, the shared key if the encoder used one, randomness of its own, and a wish, such as a realism weight.
    """

    name: str
    init: Callable[..., Any]
    forward: Callable[..., Any]
    finalize: Callable[..., Any]
    symbols: Callable[..., Any]
    encode: Callable[..., bytes]
    decode: Callable[..., Any]


def open_message(message: bytes, *, name: str, params: Any, payloads: int, max_elements: int) -> container.Message:
    """Takes a message apart and makes sure that it is for this codec with these parameters.

    Args:
      message: the bytes.
      name: of the codec.
      params: what the decoder was given.
      payloads: how many byte strings the message must hold.
      max_elements: the largest reconstruction.

    Returns:
      The message's parts.

    Raises:
      ValueError: if `params` is None, or the message is damaged, by another codec, or for other parameters.
    """
    if params is None:
        raise ValueError("this codec's messages do not carry its parameters: give params")
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != name:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {name!r}")
    if parts.fingerprint != container.fingerprint(params):
        raise ValueError("the message was written with other parameters than those given")
    if len(parts.payloads) != payloads:
        raise ValueError(f"damaged message: {len(parts.payloads)} payloads instead of {payloads}")
    return parts


class VectorCodec(NamedTuple):
    """A codec of vectors: a `Codec` that can also say what each vector costs.

    Attributes:
      name: as in `Codec`, and so the next six.
      init: see there.
      forward: see there.
      finalize: see there.
      symbols: see there.
      encode: see there.
      decode: see there.
      code_lengths: `code_lengths(params, x, *, shared_key=None) -> float64 [batch, symbols of a vector]`: ideal code
        lengths under the stored integer tables, in bits, escapes included; what `encode` writes is their sum and a
        header.
    """

    name: str
    init: Callable[..., Any]
    forward: Callable[..., Any]
    finalize: Callable[..., Any]
    symbols: Callable[..., Any]
    encode: Callable[..., bytes]
    decode: Callable[..., Any]
    code_lengths: Callable[..., Any]


def check_vectors(x: Any, dimension: int, max_elements: int) -> np.ndarray:
    """Refuses what is no batch of finite vectors.

    Args:
      x: the vectors.
      dimension: how many components they must have.
      max_elements: how many numbers there may be in all.

    Returns:
      float32 [batch, dimension].

    Raises:
      ValueError: if it is something else.
    """
    x = np.asarray(x, np.float32)
    if x.ndim != 2 or x.shape[1] != dimension:
        raise ValueError(f"x must have shape [batch, {dimension}], got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    if x.size > max_elements:
        raise ValueError(f"x must have at most {max_elements} elements, got {x.size}")
    return x


def open_vectors(message: bytes, *, name: str, params: Any, dimension: int, max_elements: int) -> container.Message:
    """As `open_message`, for a batch of vectors in two payloads.

    Args:
      message: the bytes.
      name: of the codec.
      params: what the decoder was given.
      dimension: components of a vector.
      max_elements: the largest reconstruction.

    Returns:
      The message's parts.

    Raises:
      ValueError: as `open_message`, or if the shape is not [batch, dimension].
    """
    parts = open_message(message, name=name, params=params, payloads=2, max_elements=max_elements)
    if len(parts.shape) != 2 or parts.shape[1] != dimension:
        raise ValueError(f"damaged message: vectors of {dimension} components cannot have the shape {parts.shape}")
    return parts


def finalized(params: Any) -> Any:
    """The tables of parameters that went through `finalize`.

    Args:
      params: of a codec.

    Returns:
      `params["tables"]`.

    Raises:
      ValueError: if they did not.
    """
    if params is None or "tables" not in params:
        raise ValueError("these parameters have no integer tables yet: pass them through the codec's finalize once")
    return params["tables"]
