"""The interface that every channel-simulation codec has, and the checks that all of them make.

A channel codec sends x so that what the decoder puts out is a sample of a channel, y ~ P(y | x): not "x with some
error", but x plus noise of a stated distribution, independent of x. Randomness is shared: encoder and decoder own the
same key, and statements about distributions are averages over keys. A key must not be used for two messages whose
samples have to be independent: give each its own by `jax.random.fold_in(shared_key, n)`.

What a decoder needs is the message, the parameters (which messages do not carry), the shared key, and the noise scale.
The noise scale is given to both sides and is not in the message: it is either a constant of the application or was
decoded before (a hyperprior, a noise schedule). Parameters and noise scale together make the message's fingerprint, so
that a message is refused rather than decoded with others. Both sides must hold the noise scale with the same 32 bits:
it is rounded to float32 here, and a codec that selects tables by it does so by those bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from rdr.bitstream import container

MAX_ELEMENTS = container.MAX_ELEMENTS


class ChannelCodec(NamedTuple):
    """A channel-simulation codec as pure functions.

    Attributes:
      name: what the container calls it, ASCII.
      dimension: samples of a block: 1 for codecs of single numbers, which take x of any shape; otherwise x has the
        shape [batch, dimension].
      exact: whether y - x has the stated distribution exactly and independently of x, up to the 2^-32 that the shared
        integers resolve; False if only approximately (a finite number of candidates, say).
      finalize: `finalize(source, *, noise_scale) -> params`: the integer tables that both sides must share, for a model
        of the source (the standard deviation of a Gaussian; codecs of single numbers take a cumulative distribution
        function, too) and the noise scales that will occur (a number, or an array of which the range counts). It
        decides what is paid and nothing else: y is distributed the same whatever it is. `params` is a tree of arrays.
      encode: `encode(params, x, *, noise_scale, shared_key) -> bytes`; x is finite, the noise scale a positive number
        or an array that broadcasts to the shape of x.
      decode: `decode(message, *, params, noise_scale, shared_key) -> y`, float64 of the shape of x. Raises ValueError
        for a message that is damaged, of another codec, or for other parameters or another noise scale.
    """

    name: str
    dimension: int
    exact: bool
    finalize: Callable[..., Any]
    encode: Callable[..., bytes]
    decode: Callable[..., np.ndarray]


def check_samples(x: ArrayLike, *, dimension: int = 1, max_elements: int = MAX_ELEMENTS) -> np.ndarray:
    """Refuses what a channel codec cannot send.

    Args:
      x: the samples.
      dimension: of the codec.
      max_elements: how many numbers there may be in all.

    Returns:
      float64, any shape if `dimension` is 1, else [batch, dimension].

    Raises:
      ValueError: if the shape does not fit, a number is not finite, or there are too many.
    """
    x = np.asarray(x, np.float64)
    if dimension > 1 and (x.ndim != 2 or x.shape[1] != dimension):
        raise ValueError(f"x must have shape [batch, {dimension}], got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    if x.size > max_elements:
        raise ValueError(f"x must have at most {max_elements} elements, got {x.size}")
    return x


def check_noise_scale(noise_scale: ArrayLike, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Rounds a noise scale to the 32 bits that both sides use, and refuses what is none.

    Args:
      noise_scale: a number, or an array.
      shape: that it must broadcast to; None for any.

    Returns:
      float32, of its own shape: zero-dimensional for a number.

    Raises:
      ValueError: if it is not positive and finite as float32 (subnormal numbers are refused), or does not broadcast.
    """
    scale = np.asarray(noise_scale)
    if scale.dtype.kind not in "fiu":
        raise ValueError(f"noise_scale must be a real number or an array of them, got {noise_scale!r}")
    with np.errstate(over="ignore", under="ignore"):
        scale = scale.astype(np.float32)
    if not (np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)).all():
        raise ValueError("noise_scale must be positive and finite in float32, got a value that is not")
    if shape is not None:
        try:
            np.broadcast_to(scale, shape)
        except ValueError:
            raise ValueError(f"noise_scale must be a number or broadcast to the shape {shape} of x, "
                             f"got shape {scale.shape}") from None
    return scale


def check_shared_key(shared_key: jax.Array | None) -> jax.Array:
    """Refuses a missing key; `rdr.randomness` refuses keys of another generator.

    Args:
      shared_key: from `rdr.randomness.shared_key`.

    Returns:
      The key.

    Raises:
      ValueError: if it is None or no single typed key.
    """
    if shared_key is None:
        raise ValueError("a channel codec needs the shared_key that encoder and decoder agreed on")
    if (not isinstance(shared_key, jax.Array) or not jnp.issubdtype(shared_key.dtype, jax.dtypes.prng_key)
            or shared_key.shape != ()):
        raise ValueError(f"shared_key must be one typed key (see rdr.randomness.shared_key), got {shared_key!r}")
    return shared_key


def fingerprint(params: Any, noise_scale: np.ndarray) -> bytes:
    """Eight bytes that tell parameters and noise scales apart.

    Args:
      params: from `finalize`.
      noise_scale: from `check_noise_scale`.

    Returns:
      The fingerprint that the container holds.
    """
    return container.fingerprint({"params": params, "noise_scale": noise_scale})


def pack_message(name: str, params: Any, noise_scale: np.ndarray, shape: tuple[int, ...],
                 payloads: tuple[bytes, ...]) -> bytes:
    """Puts a channel codec's payloads into a message.

    Args:
      name: of the codec.
      params: from `finalize`.
      noise_scale: from `check_noise_scale`.
      shape: of x.
      payloads: byte strings.

    Returns:
      The message.

    Raises:
      ValueError: if it is shorter than a decoder believes (`rdr.bitstream.container.check_announced`).
    """
    message = container.pack(
        container.Message(name, fingerprint(params, noise_scale), tuple(shape), tuple(payloads)))
    container.check_announced(shape, len(message))  # what would not be decoded is not encoded
    return message


def open_message(message: bytes, *, name: str, params: Any, noise_scale: np.ndarray, payloads: int, dimension: int = 1,
                 max_elements: int = MAX_ELEMENTS) -> container.Message:
    """Takes a message apart and makes sure that it is for this codec, these parameters and this noise scale.

    Args:
      message: the bytes.
      name: of the codec.
      params: what the decoder was given.
      noise_scale: from `check_noise_scale`.
      payloads: how many byte strings the message must hold.
      dimension: of the codec.
      max_elements: the largest reconstruction.

    Returns:
      The message's parts.

    Raises:
      ValueError: if `params` is None, or the message is damaged, by another codec, or for other parameters or another
        noise scale.
    """
    if params is None:
        raise ValueError("a channel codec's messages do not carry its parameters: give params")
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != name:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {name!r}")
    if parts.fingerprint != fingerprint(params, noise_scale):
        raise ValueError("the message was written with other parameters or another noise_scale than those given")
    if len(parts.payloads) != payloads:
        raise ValueError(f"damaged message: {len(parts.payloads)} payloads instead of {payloads}")
    if dimension > 1 and (len(parts.shape) != 2 or parts.shape[1] != dimension):
        raise ValueError(f"damaged message: blocks of {dimension} numbers cannot have the shape {parts.shape}")
    check_noise_scale(noise_scale, parts.shape)
    container.check_announced(parts.shape, len(message))
    return parts
