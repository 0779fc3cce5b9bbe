"""Entropy-coded vector quantizer with a learned codebook.

    k = argmin_k  weight |x - y_k|^2 + bits_k,   y = y_k,

with `weight` the price of squared error in bits and bits_k = -log2 of learned probabilities. It is trained by
deterministic annealing of `rdr.quantize.codebook.annealed_cost`.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import coder, container
from rdr.bitstream.tables import make_tables, table_bits, tables_from_tree
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.model import VectorModel, batch_of_vectors
from rdr.quantize.codebook import code_lengths as lengths_of
from rdr.quantize.codebook import nearest_codeword
from rdr.randomness import normal

_ROWS = 4096  # vectors that are looked at in one go


@functools.lru_cache(maxsize=64)
def codebook_codec(*, dimension: int, codewords: int, max_elements: int = container.MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for vectors.

    Args:
      dimension: d, components of a vector.
      codewords: K, at least 1.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec, the same object for the same arguments. `init(key)` puts all codewords near 0. `forward(params, x, *,
      key=None)` takes x [batch, dimension]; assignments are hard, and codewords and probabilities get their gradients.
      Parameters hold "points" [K, d], "logits" [K] and "log_weight" [], the logarithm of the price, which training must
      leave as it is.

    Raises:
      ValueError: if a number is below 1.
    """
    if dimension < 1 or codewords < 1:
        raise ValueError(f"dimension and codewords must be at least 1, got {dimension} and {codewords}")
    parts = _Codebook(dimension, codewords)
    return vector_codec(VectorModel(
        "codebook", ("points", "logits", "log_weight"), batch_of_vectors(dimension), lambda shape: shape[:1],
        parts.init, parts.forward, parts.quantize, parts.reconstruct, parts.make_tables, _encode, parts.decode,
        _code_lengths, max_elements=max_elements))


@dataclasses.dataclass(frozen=True)
class _Codebook:
    """The codebook's sizes, and what is computed with it."""

    dimension: int
    codewords: int

    def init(self, key: jax.Array) -> dict:
        """Draws codewords near 0."""
        points = 0.01 / np.sqrt(self.dimension) * normal(key, (self.codewords, self.dimension))
        return {"points": points, "logits": jnp.zeros((self.codewords,), jnp.float32),
                "log_weight": jnp.zeros((), jnp.float32)}

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array | None = None):
        """Takes the nearest codewords, and their bits."""
        bits = lengths_of(params["logits"])
        k = nearest_codeword(jnp.asarray(x, jnp.float32), params["points"], bits, jnp.exp(params["log_weight"]))
        return params["points"][k], bits[k]

    def quantize(self, params: Any, x: jax.Array, dither: jax.Array) -> jax.Array:
        """Finds the nearest codewords, some thousand vectors at a time."""
        del dither
        x = jnp.asarray(x)
        rows = max(1, min(_ROWS, x.shape[0]))
        blocks = -(-x.shape[0] // rows)
        padded = jnp.pad(x, ((0, blocks * rows - x.shape[0]), (0, 0)))
        return _chosen(params, padded.reshape(blocks, rows, self.dimension)).reshape(-1)[: x.shape[0]]

    def reconstruct(self, params: Any, k: np.ndarray, dither: jax.Array, private_key: None, realism: float):
        """Looks up codewords."""
        del dither, private_key, realism
        return jnp.asarray(params["points"])[k]

    def make_tables(self, params: Any) -> dict:
        """Makes the one table."""
        pmf = np.exp2(-np.asarray(lengths_of(params["logits"]), np.float64))
        return make_tables(pmf[None] / pmf.sum(), 0)._asdict()

    def decode(self, coded: bytes, escapes: bytes, dither: np.ndarray, stored: Any) -> np.ndarray:
        """Decodes indices of codewords."""
        k = coder.decode_symbols(coded, escapes, dither.size, tables_from_tree(stored))
        if k.size and (k.min() < 0 or k.max() >= self.codewords):
            raise ValueError(f"damaged message: a codeword's index is outside of 0 .. {self.codewords - 1}")
        return k


@jax.jit
def _chosen(params: Any, x: jax.Array) -> jax.Array:
    y, bits, weight = params["points"], lengths_of(params["logits"]), jnp.exp(params["log_weight"])
    return jax.lax.map(lambda part: nearest_codeword(part, y, bits, weight), x)


def _encode(k: np.ndarray, dither: np.ndarray, stored: Any) -> tuple[bytes, bytes]:
    return coder.encode_symbols(k, tables_from_tree(stored))


def _code_lengths(k: np.ndarray, dither: np.ndarray, stored: Any) -> np.ndarray:
    tables = tables_from_tree(stored)
    return (table_bits(k, tables) + coder.escape_bits(k, tables))[:, None]
