"""Latents that are independent, each channel with a learned density: bmshj2018-factorized, and every hyper-latent."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import Tables, make_tables, tables_from_tree
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.codecs.image.validation import CodingLayout
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.quantize import straight_through_round, uniform_noise
from rdr.randomness import dither_offsets

TABLE_REACH = 256
SYMBOL_LIMIT = 2**15 - 1
MAX_SURPLUS = 2048  # bits that a message's symbols may cost beyond its bytes
WIDTHS = (3, 3, 3, 3)  # one layer more than in the appendix of the paper, as in its published implementations


def prior_bits(prior: DeepFactorized, params: Any, values: jax.Array) -> jax.Array:
    """Information in unit intervals around values, under each channel's density.

    Args:
      prior: the module.
      params: its parameters.
      values: [batch, rows, columns, channels].

    Returns:
      Bits, same shape.
    """
    upper = prior.apply({"params": params}, values + 0.5)
    lower = prior.apply({"params": params}, values - 0.5)
    return cdf_interval_bits(upper, lower)


def prior_tables(prior: DeepFactorized, params: Any, *, dither_levels: int = 0) -> Tables:
    """Integer tables of each channel.

    Args:
      prior: the module.
      params: its parameters.
      dither_levels: values of the dither; 0 without.

    Returns:
      One table a channel, or `dither_levels` of them side by side: number channel * dither_levels + dither.
    """
    grid = jnp.arange(-TABLE_REACH, TABLE_REACH + 1, dtype=jnp.float32)
    offsets = dither_offsets(dither_levels) if dither_levels else jnp.zeros((1,), jnp.float32)
    grid = jnp.broadcast_to((grid[:, None] + offsets[None, :])[..., None], (grid.size, offsets.size, prior.channels))
    bits = jax.jit(lambda p: prior_bits(prior, p, grid))(params)
    pmfs = np.exp2(-np.asarray(bits, np.float64)).transpose(2, 1, 0).reshape(-1, grid.shape[0])
    return make_tables(pmfs / np.maximum(pmfs.sum(1, keepdims=True), 1.0), -TABLE_REACH)


def channel_ids(shape: tuple[int, ...], dither: np.ndarray | None = None, levels: int = 0) -> np.ndarray:
    """Names the table of each symbol: that of its channel, and of its dither if it has one.

    Args:
      shape: of the symbols, [..., channels].
      dither: integers of the dither, of that shape, or None.
      levels: values of the dither.

    Returns:
      int64 of that shape.
    """
    ids = np.broadcast_to(np.arange(shape[-1], dtype=np.int64), shape)
    return ids if dither is None else ids * levels + dither


def rounded(values: Any) -> np.ndarray:
    """Rounds to integers that every network takes.

    Args:
      values: any shape, floating.

    Returns:
      int32, within 16 bits.

    Raises:
      ValueError: if a value is not finite.
    """
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError("the latents are not finite: are the image and the parameters?")
    return np.clip(np.round(values), -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int32)


def offsets(dither: np.ndarray | None, levels: int) -> np.ndarray:
    """Looks up the values of a dither.

    Args:
      dither: its integers, or None.
      levels: how many values it takes.

    Returns:
      float32 of its shape; a 0 without one.
    """
    return np.zeros((), np.float32) if dither is None else np.asarray(dither_offsets(levels))[dither]


def batch_sum(bits: jax.Array) -> jax.Array:
    """Sums over all but the first axis.

    Args:
      bits: [batch, ...].

    Returns:
      [batch].
    """
    return jnp.sum(bits.reshape(bits.shape[0], -1), axis=-1)


def factorized_model(*, latents: int, dither_levels: int = 0) -> EntropyModel:
    """Makes the model of bmshj2018-factorized.

    Args:
      latents: M.
      dither_levels: values of a shared dither (universal quantization), a power of two; 0 for rounding.

    Returns:
      The model.

    Reference: Ballé et al. (balle2018variational), section 2 and appendix 6.1.
    """
    prior = DeepFactorized(channels=latents, features=WIDTHS)

    def init(key: jax.Array) -> dict:
        return {"prior": prior.init(key, jnp.zeros((1, latents), jnp.float32))["params"]}

    def bits(params: Any, y: jax.Array, key: jax.Array | None):
        y_hat = straight_through_round(y)
        seen = y_hat if key is None else y + uniform_noise(key, y.shape)
        y_hat = seen if dither_levels else y_hat
        return y_hat, batch_sum(prior_bits(prior, params["prior"], seen))

    def finalize(params: Any) -> dict:
        return {"tables": prior_tables(prior, params["prior"], dither_levels=dither_levels)._asdict()}

    def encode(params: Any, coding: Any, y: Any, dither: np.ndarray | None = None):
        symbols = rounded(np.asarray(y, np.float32) - offsets(dither, dither_levels))
        encoder = StepEncoder()
        encoder.add(symbols, tables_from_tree(coding["tables"]), channel_ids(symbols.shape, dither, dither_levels))
        return encoder.finish(), {"y": symbols}

    def decode(coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...],
               dither: np.ndarray | None = None) -> jax.Array:
        decoder = StepDecoder(*payloads, max_surplus=MAX_SURPLUS)
        symbols = decoder.read(tables_from_tree(coding["tables"]), channel_ids(shape, dither, dither_levels))
        decoder.finish()
        return jnp.asarray(symbols.astype(np.float32) + offsets(dither, dither_levels))

    layout = CodingLayout({"tables": latents * max(dither_levels, 1)}, {}, None)
    return EntropyModel("bmshj2018-factorized", 1, dither_levels, init, bits, finalize, encode, decode, layout)
