"""An entropy-coded vector quantizer with a learned codebook, as a codec.

    k = argmin_k  weight |x - y_k|^2 + bits_k,   y = y_k,

with `weight` the price of squared error in bits and bits_k = -log2 of learned probabilities. It is trained by
deterministic annealing of `rdr.quantize.codebook.annealed_cost`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import coder, container
from rdr.bitstream.tables import Tables, make_tables, table_bits
from rdr.codecs.base import VectorCodec, check_vectors, finalized, open_vectors
from rdr.quantize.codebook import code_lengths as lengths_of
from rdr.quantize.codebook import nearest_codeword

_ROWS = 4096  # vectors that are looked at in one go


def codebook_codec(*, dimension: int, codewords: int, max_elements: int = container.MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for vectors.

    Args:
      dimension: d, components of a vector.
      codewords: K, at least 1.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec. `init(key)` puts all codewords near 0. `forward(params, x, *, key=None)` takes x [batch, dimension];
      assignments are hard, and codewords and probabilities get their gradients. Parameters hold "points" [K, d],
      "logits" [K] and "log_weight" [], the logarithm of the price, which training must leave as it is.

    Raises:
      ValueError: if a number is below 1.
    """
    if dimension < 1 or codewords < 1:
        raise ValueError(f"dimension and codewords must be at least 1, got {dimension} and {codewords}")
    name = "codebook"

    def init(key: jax.Array) -> dict:
        points = 0.01 / np.sqrt(dimension) * jax.random.normal(key, (codewords, dimension), jnp.float32)
        return {"points": points, "logits": jnp.zeros((codewords,), jnp.float32),
                "log_weight": jnp.zeros((), jnp.float32)}

    def forward(params: Any, x: jax.Array, *, key: jax.Array | None = None):
        bits = lengths_of(params["logits"])
        k = nearest_codeword(jnp.asarray(x, jnp.float32), params["points"], bits, jnp.exp(params["log_weight"]))
        return params["points"][k], bits[k]

    @jax.jit
    def chosen(params: Any, x: jax.Array) -> jax.Array:
        y, bits, weight = params["points"], lengths_of(params["logits"]), jnp.exp(params["log_weight"])
        return jax.lax.map(lambda part: nearest_codeword(part, y, bits, weight), x)

    def symbols(params: Any, x: jax.Array, shared_key: jax.Array | None = None) -> jax.Array:
        if shared_key is not None:
            raise ValueError("this codec shares no randomness: shared_key must be None")
        x = jnp.asarray(x, jnp.float32)
        rows = max(1, min(_ROWS, x.shape[0]))
        blocks = -(-x.shape[0] // rows)
        padded = jnp.pad(x, ((0, blocks * rows - x.shape[0]), (0, 0)))
        return chosen(_network(params), padded.reshape(blocks, rows, dimension)).reshape(-1)[: x.shape[0]]

    def finalize(params: Any) -> dict:
        network = _network(params)
        pmf = np.exp2(-np.asarray(lengths_of(network["logits"]), np.float64))
        return {**network, "tables": make_tables(pmf[None] / pmf.sum(), 0)._asdict()}

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
        tables = _tables(finalized(params))
        x = check_vectors(x, dimension, max_elements)
        coded = coder.encode_symbols(np.asarray(symbols(params, x, shared_key)), tables)
        return container.pack(container.Message(name, container.fingerprint(params), x.shape, coded))

    def code_lengths(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> np.ndarray:
        tables = _tables(finalized(params))
        k = np.asarray(symbols(params, check_vectors(x, dimension, max_elements), shared_key))
        return (table_bits(k, tables) + coder.escape_bits(k, tables))[:, None]

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: Any = None) -> jax.Array:
        for given, what in ((shared_key, "shared_key"), (private_key, "private_key"), (condition, "condition")):
            if given is not None:
                raise ValueError(f"{what} must be None: this codec's decoder uses none")
        parts = open_vectors(message, name=name, params=params, dimension=dimension, max_elements=max_elements)
        k = coder.decode_symbols(*parts.payloads, parts.shape[0], _tables(finalized(params)))
        if k.size and (k.min() < 0 or k.max() >= codewords):
            raise ValueError(f"damaged message: a codeword's index is outside of 0 .. {codewords - 1}")
        return jnp.asarray(params["points"])[k]

    return VectorCodec(name, init, forward, finalize, symbols, encode, decode, code_lengths)


def _network(params: Any) -> dict:
    return {part: params[part] for part in ("points", "logits", "log_weight")}


def _tables(stored: Any) -> Tables:
    return Tables(**{part: np.asarray(value) for part, value in stored.items()})


@functools.cache
def cached_codebook_codec(**options: Any) -> VectorCodec:
    """The same codec object for the same options, so that its jitted functions are compiled once.

    Args:
      **options: of `codebook_codec`, hashable.

    Returns:
      The codec.
    """
    return codebook_codec(**options)
