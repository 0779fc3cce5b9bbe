"""Shape of a codec, for vectors and images alike, and the checks that every codec makes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from rdr.bitstream import container
from rdr.randomness import shared_integers


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


class VectorCodec(NamedTuple):
    """A codec of vectors: a `Codec` that can also say what each vector costs.

    Attributes:
      name: what the container calls it.
      init: `init(key) -> params`.
      forward: `forward(params, x, *, key, ...) -> (reconstruction, bits)`, the differentiable estimate.
      finalize: `finalize(params) -> params` ready for coding.
      symbols: `symbols(params, x, shared_key=None) -> int32` array of what is coded; works under jit.
      encode: `encode(params, x, *, shared_key=None) -> bytes`.
      decode: `decode(message, *, params=None, shared_key=None, private_key=None, condition=None) -> reconstruction`.
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


def stored_tables(params: Any, part: str = "tables") -> Any:
    """Finds the integer tables of parameters that went through `finalize`.

    Args:
      params: of a codec.
      part: the name under which that codec's `finalize` stores them.

    Returns:
      `params[part]`.

    Raises:
      ValueError: if they did not.
    """
    if params is None or part not in params:
        raise ValueError("these parameters have no integer tables yet: pass them through the codec's finalize once")
    return params[part]


def draw_dither(shared_key: jax.Array | None, shape: tuple[int, ...], *, levels: int) -> jax.Array | None:
    """Draws the integers of a dither that encoder and decoder share.

    Args:
      shared_key: what both know; None for a codec without dither.
      shape: of the result.
      levels: how many values the dither takes; 0 for a codec without one.

    Returns:
      int32 integers in [0, levels) of the given shape, or None without a dither.

    Raises:
      ValueError: if a key is missing, or given to a codec without dither.
    """
    if not levels:
        if shared_key is not None:
            raise ValueError("this codec shares no randomness: shared_key must be None")
        return None
    if shared_key is None:
        raise ValueError("this codec needs the shared_key that encoder and decoder agreed on")
    return shared_integers(shared_key, shape, levels=levels)
