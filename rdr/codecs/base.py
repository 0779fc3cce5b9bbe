"""The shape that every codec has, for vectors and images alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
