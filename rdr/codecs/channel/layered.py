"""The layered dither: exactly x plus noise of a symmetric unimodal density, one number at a time.

With the half-width A of a layer and a dither u, uniform on [-1/2, 1/2), made of two shared 32-bit words V and W,

    k = round(x / 2A + u),   y = 2A (k - u).

Given A the error y - x is uniform on [-A, A] whatever x is, so that over A it has the noise's density, independently of
x: exactly, up to the resolution of the words (2^-32 of a cell for u, and A takes 2^32 values) and of float64. What k is
coded with decides about the rate and nothing else. The rate is the functional information of the channel, below which
no exact scheme for single numbers can go, plus what the bins of the tables lose (about 0.001 bit).

For uniform noise this is universal quantization with a dither of 32 bits.

Reference: Wilson 2000 [wilson2000]; Hegazy and Li 2022 [hegazy2022]; uniform noise: Ziv 1985
  [ziv1985universal], Agustsson and Theis 2020 [agustsson2020universally].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import Tables, tables_from_tree
from rdr.codecs.channel import base
from rdr.codecs.channel.layered_tables import TableIndex, make_layered_tables, scale_log, table_ids
from rdr.codecs.channel.noises import Noise, Source, gaussian_noise, gaussian_source, half_widths, layer_sampler
from rdr.randomness import shared_words

_MAX_SURPLUS = 2048  # bits that a message's symbols may cost beyond its bytes: a few bytes cannot announce millions
_BLOCK = 2**15  # numbers whose words are drawn together; part of the format


@jax.jit
def _words(key: jax.Array, block: jax.Array) -> jax.Array:
    """The words V and W of a block, uint32 [2, 2^15]: any block can be drawn without those before it."""
    return shared_words(jax.random.fold_in(key, block), (2, _BLOCK))


@functools.cache
def layered_channel(noise: Noise | None = None, *, max_elements: int = base.MAX_ELEMENTS) -> base.ChannelCodec:
    """Makes the codec.

    `finalize(source, *, noise_scale)` takes a model of the source: its cumulative distribution function
    (`gaussian_source`, `mixture_source`, or any increasing function of float64 arrays), or a number, the standard
    deviation of a Gaussian around 0.

    Args:
      noise: its shape; default Gaussian. Any `Noise` with the layers' quantile function.
      max_elements: largest number of samples in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec, the same object for the same arguments.
    """
    noise = noise or gaussian_noise()
    name = f"channel-layered-{noise.name}"

    def finalize(source: Source | float, *, noise_scale: ArrayLike) -> dict[str, Any]:
        source = source if callable(source) else gaussian_source(0.0, source)
        return make_layered_tables(source, noise, base.check_noise_scale(noise_scale))

    def encode(params: Any, x: ArrayLike, *, noise_scale: ArrayLike, shared_key: jax.Array) -> bytes:
        x = base.check_samples(x, max_elements=max_elements)
        scale, key = base.check_noise_scale(noise_scale, x.shape), base.check_shared_key(shared_key)
        encoder = StepEncoder()
        add_layered(encoder, params, x, noise=noise, noise_scale=scale, shared_key=key)
        return base.pack_message(name, params, scale, x.shape, encoder.finish())

    def decode(message: bytes, *, params: Any, noise_scale: ArrayLike, shared_key: jax.Array) -> np.ndarray:
        scale, key = base.check_noise_scale(noise_scale), base.check_shared_key(shared_key)
        parts = base.open_message(message, name=name, params=params, noise_scale=scale, payloads=2,
                                  max_elements=max_elements)
        decoder = StepDecoder(*parts.payloads, max_surplus=_MAX_SURPLUS)
        y = read_layered(decoder, params, parts.shape, noise=noise, noise_scale=scale, shared_key=key)
        decoder.finish()
        return y

    return base.ChannelCodec(name, 1, True, finalize, encode, decode)


def add_layered(encoder: StepEncoder, params: Any, x: np.ndarray, *, noise: Noise, noise_scale: np.ndarray,
                shared_key: jax.Array) -> None:
    """Adds numbers to a message that holds others, too.

    Args:
      encoder: of the message.
      params: from `finalize`.
      x: float64, finite, any shape.
      noise: its shape.
      noise_scale: float32, as `rdr.codecs.channel.base.check_noise_scale` returns it.
      shared_key: from `rdr.randomness.shared_key`.

    Raises:
      ValueError: if a number is too large for its noise scale, or the parameters are of something else.
    """
    index, tables, low = _parts(params)
    flat, symbols, ids = x.reshape(-1), np.empty(x.size, np.int32), np.empty(x.size, np.int32)
    for part, step, u, chosen in _blocks(noise, index, noise_scale, x.shape, shared_key):
        k = np.rint(flat[part] / step + u)
        if k.size and not np.abs(k).max() < 2.0**31:
            raise ValueError("x is too large for this noise_scale: its quotients must be below 2^31")
        symbols[part], ids[part] = k, chosen
    bits, split = _low_bits(index, ids)
    rest = symbols[split] & ((1 << bits) - 1)
    symbols[split] >>= bits
    encoder.add(symbols, tables, ids)
    if split.size:
        encoder.add(rest, low, bits - 1)


def read_layered(decoder: StepDecoder, params: Any, shape: tuple[int, ...], *, noise: Noise, noise_scale: np.ndarray,
                 shared_key: jax.Array) -> np.ndarray:
    """Reads what `add_layered` wrote.

    Args:
      decoder: of the message.
      params: the same.
      shape: of the numbers.
      noise: the same.
      noise_scale: the same.
      shared_key: the same.

    Returns:
      float64 of this shape: x plus noise.

    Raises:
      ValueError: if the message is damaged, or the parameters are of something else.
    """
    index, tables, low = _parts(params)
    size = math.prod(shape)
    y, steps, ids = np.empty(size, np.float64), np.empty(size, np.float64), np.empty(size, np.int32)
    for part, step, u, chosen in _blocks(noise, index, noise_scale, shape, shared_key):
        y[part], steps[part], ids[part] = u, step, chosen
    k = decoder.read(tables, ids)
    bits, split = _low_bits(index, ids)
    if split.size:
        k = k.astype(np.int64)  # a forged message may hold any int32
        k[split] = (k[split] << bits) + decoder.read(low, bits - 1)
    np.subtract(k, y, out=y)
    return np.multiply(y, steps, out=y).reshape(shape)


def _low_bits(index: TableIndex, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which symbols have low bits that are coded by themselves, and how many: int32 [m], [m]."""
    if not index.low_bits.any():
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    bits = index.low_bits.take(ids)
    split = np.flatnonzero(bits)
    return bits[split], split


def _parts(params: Any) -> tuple[TableIndex, Tables, Tables]:
    if not isinstance(params, dict) or not {"index", "tables", "low"} <= set(params):
        raise ValueError("these parameters are not of a layered channel: make them with the codec's finalize")
    return (TableIndex(**{k: np.asarray(v) for k, v in params["index"].items()}),
            tables_from_tree(params["tables"]), tables_from_tree(params["low"]))


def _blocks(noise: Noise, index: TableIndex, scale: np.ndarray, shape: tuple[int, ...], key: jax.Array
            ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """(slice, step 2A, dither u, table) of samples, in pieces that fit into a core's cache."""
    size = math.prod(shape)
    one = scale.ndim == 0 or scale.size == 1
    scales = scale.reshape(-1) if one else np.ascontiguousarray(np.broadcast_to(scale, shape)).reshape(-1)
    sampler = None if noise.quantile is None else layer_sampler(noise)
    for start in range(0, size, _BLOCK):
        part = slice(start, min(start + _BLOCK, size))
        count = part.stop - start
        layer_words, offset_words = np.asarray(_words(key, np.uint32(start // _BLOCK)))[:, :count]
        own = scales if one else scales[part]
        step = 2.0 * own.astype(np.float64)
        step = step * half_widths(sampler, layer_words) if sampler else np.broadcast_to(step, (count,))
        u = (offset_words + 0.5) * 2.0**-32 - 0.5
        logs = scale_log(own, index)
        yield part, step, u, table_ids(layer_words, offset_words, logs[0] if one else logs, index)
