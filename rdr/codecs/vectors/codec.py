"""Codec of vectors from a model: what all of them have in common, from the dither to the message."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import container
from rdr.codecs.base import VectorCodec, draw_dither, open_message, stored_tables
from rdr.codecs.vectors.model import TOO_LARGE, VectorModel


@functools.lru_cache(maxsize=256)
def vector_codec(model: VectorModel) -> VectorCodec:
    """Makes a codec of a model.

    Args:
      model: what sets the codec apart.

    Returns:
      The codec, the same object for the same model: pure functions, this module's with the model as their first
      argument.
    """
    bound = functools.partial
    return VectorCodec(model.name, model.init, model.forward, bound(finalize, model), bound(symbols, model),
                       bound(encode, model), bound(decode, model), bound(code_lengths, model))


def finalize(model: VectorModel, params: Any) -> dict:
    """Adds the integer tables that encoder and decoder share.

    Args:
      model: of the codec.
      params: trained parameters.

    Returns:
      Parameters ready for coding.
    """
    network = _network(model, params)
    tables = model.make_tables(network)
    if model.tables_in:
        return {**network, model.tables_in: {**network[model.tables_in], "tables": tables}}
    return {**network, "tables": tables}


def symbols(model: VectorModel, params: Any, x: Any, shared_key: jax.Array | None = None) -> jax.Array:
    """Computes the whole numbers that are coded; works under jit.

    Args:
      model: of the codec.
      params: parameters.
      x: vectors, floating, of a shape that the model takes.
      shared_key: what both sides know; None without a dither.

    Returns:
      int32 array.

    Raises:
      ValueError: if the model refuses the shape, or a key is missing or too many.
    """
    x = jnp.asarray(x, jnp.float32)
    model.check_shape(x.shape, "x")
    dither = _dither(model, x.shape, shared_key)
    network = _network(model, params)
    return model.quantize(network, _analyze(model, network, x), dither).astype(jnp.int32)


def encode(model: VectorModel, params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
    """Writes vectors as a message.

    Args:
      model: of the codec.
      params: finalized parameters.
      x: finite vectors, of a shape that the model takes.
      shared_key: what both sides know; None without a dither.

    Returns:
      The message.

    Raises:
      ValueError: if the parameters have no tables, the model refuses `x`, a key is missing or too many, or the message
        is shorter than a decoder believes (`rdr.bitstream.container.check_announced`).
    """
    tables = stored_tables(_with_tables(model, params))
    x, points, dither = _points(model, params, x, shared_key)
    payloads = model.encode(points, dither, tables)
    message = container.pack(container.Message(model.name, container.fingerprint(params), x.shape, payloads))
    _check_announced(model, x.shape, message)  # what would not be decoded is not encoded
    return message


def code_lengths(model: VectorModel, params: Any, x: Any, *, shared_key: jax.Array | None = None) -> np.ndarray:
    """Computes what each vector costs under the stored tables.

    Args:
      model: of the codec.
      params: finalized parameters.
      x: finite vectors, of a shape that the model takes.
      shared_key: what both sides know; None without a dither.

    Returns:
      Ideal code lengths in bits, escapes included, float64 [batch, symbols of a vector].

    Raises:
      ValueError: as `encode`.
    """
    tables = stored_tables(_with_tables(model, params))
    _, points, dither = _points(model, params, x, shared_key)
    return model.code_lengths(points, dither, tables)


def decode(model: VectorModel, message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
           private_key: jax.Array | None = None, condition: float | None = None) -> jax.Array:
    """Reads vectors from a message.

    Args:
      model: of the codec.
      message: from `encode`.
      params: the same finalized parameters.
      shared_key: the same key; None without a dither.
      private_key: the decoder's own randomness, for a codec with private noise; else None.
      condition: realism weight in [0, 1], for a codec that takes one; None counts as 0.

    Returns:
      The reconstruction, float32.

    Raises:
      ValueError: if the message is damaged or another codec's, or an argument is missing or too many.
    """
    if model.private_noise != (private_key is not None):
        raise ValueError(f"private_key {'is needed' if model.private_noise else 'must be None'} for codec "
                         f"{model.name!r}")
    realism = _realism(model, condition)
    parts = open_message(message, name=model.name, params=params, payloads=2, max_elements=model.max_elements)
    model.check_shape(parts.shape, "damaged message: the reconstruction")
    _check_size(model, parts.shape, "damaged message: the reconstruction")
    _check_announced(model, parts.shape, message)
    tables = stored_tables(_with_tables(model, params))
    dither = _dither(model, parts.shape, shared_key)
    points = model.decode(*parts.payloads, np.asarray(dither), tables)
    return model.reconstruct(_network(model, params), points, dither, private_key, realism)


def _network(model: VectorModel, params: Any) -> dict:
    """Parameters without their tables, which programs do not need to see."""
    network = {part: params[part] for part in model.parts}
    if model.tables_in:
        inner = network[model.tables_in]
        network[model.tables_in] = {part: inner[part] for part in inner if part != "tables"}
    return network


def _realism(model: VectorModel, condition: float | None) -> float:
    if condition is None:
        return 0.0
    if not model.realism:
        raise ValueError(f"the decoder of codec {model.name!r} takes no condition: it must be None")
    weight = float(condition)
    if not 0.0 <= weight <= 1.0 or (weight > 0 and not model.dither_levels):
        raise ValueError(f"condition must be a realism weight in [0, 1], 0 without a dither, got {condition}")
    return weight


def _with_tables(model: VectorModel, params: Any) -> Any:
    return params[model.tables_in] if model.tables_in and params is not None else params


def _dither(model: VectorModel, shape: tuple[int, ...], shared_key: jax.Array | None) -> jax.Array:
    shape = model.latent_shape(shape)
    dither = draw_dither(shared_key, shape, levels=model.dither_levels)
    return jnp.zeros(shape, jnp.int32) if dither is None else dither


def _analyze(model: VectorModel, network: Any, x: Any) -> Any:
    return x if model.analyze is None else model.analyze(network, x)


def _check_size(model: VectorModel, shape: tuple[int, ...], what: str) -> None:
    size = max(math.prod(shape), math.prod(model.latent_shape(shape)))
    if size > model.max_elements:
        raise ValueError(f"{what} must have at most {model.max_elements} elements, got {size}")


def _check_announced(model: VectorModel, shape: tuple[int, ...], message: bytes) -> None:
    for announced in (shape, model.latent_shape(shape)):
        container.check_announced(announced, len(message))


def _points(model: VectorModel, params: Any, x: Any, shared_key: jax.Array | None
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x as float32, the whole numbers that are coded, and the dither, of checked x."""
    x = np.asarray(x, np.float32)
    model.check_shape(x.shape, "x")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    _check_size(model, x.shape, "x")
    dither, network = _dither(model, x.shape, shared_key), _network(model, params)
    z = _analyze(model, network, x)
    if model.check_latents is not None:
        model.check_latents(network, np.asarray(z))
    points = np.asarray(model.quantize(network, z, dither))
    whole = np.abs(points) < 2.0**31 if points.dtype.kind == "f" else points != TOO_LARGE
    if not whole.all():
        raise ValueError("x must be quantized to integers below 2^31 in size: an element is too large")
    points = points.astype(np.int32)
    return x, points, np.asarray(dither)
