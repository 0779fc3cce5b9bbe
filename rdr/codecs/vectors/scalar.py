"""Learned scalar codec: one number at a time, with no randomness, private randomness, or a shared dither.

With f the analysis, g the synthesis, u a dither that both sides know (0 without one) and v noise of the decoder's
own (absent without it):

    k = round(f(x) - u),   bits = -log2 P(k | u),   y = g(k + u, v).

P(k | u) = F(k + u + 1/2) - F(k + u - 1/2) with F a learned cumulative. With a dither, k + u has the distribution of
f(x) + uniform noise (universal quantization), so training with such noise is exact; the dither takes finitely many
values and each has its integer table. Without one, rounding is softened while training and hard at its end.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr import quantize
from rdr.bitstream import coder, container
from rdr.bitstream.tables import make_tables, table_bits, tables_from_tree
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.model import VectorModel, any_shape, check_dither_levels
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.randomness import dither_offsets
from rdr.transforms.elementwise import ElementwiseNetwork

_TABLE_REACH = 512


@functools.lru_cache(maxsize=64)
def scalar_codec(*, dither_levels: int = 0, private_noise: bool = False, hidden: tuple[int, ...] = (24, 24),
                 prior_scale: float = 4.0, max_elements: int = container.MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for arrays of real numbers, each coded by itself.

    Args:
      dither_levels: number of values of the shared dither, a power of two up to 2^16; 0 for no shared randomness.
        The common randomness in use is log2(dither_levels) bits per number.
      private_noise: whether the decoder also reads uniform noise made from its `private_key`.
      hidden: widths of the hidden layers of f and g.
      prior_scale: half-width of the prior at the beginning of training, in quantization steps.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec, the same object for the same arguments. `forward(params, x, *, key, temperature=None, spread=False)`
      takes x [batch, ...]: with a temperature, rounding is soft and noisy; without, it is hard, with straight-through
      gradients. A dithered codec takes none. With `spread`, noises are evenly spread along the batch
      (`quantize.low_discrepancy_noise`).

    Raises:
      ValueError: if `dither_levels` is not 0 or such a power of two.
    """
    check_dither_levels(dither_levels)
    parts = _Scalar(dither_levels, private_noise, hidden, prior_scale)
    name = f"scalar{'-dither' if dither_levels else ''}{'-private' if private_noise else ''}"
    return vector_codec(VectorModel(
        name, ("analysis", "synthesis", "prior"), any_shape, lambda shape: shape, parts.init, parts.forward,
        parts.quantize, parts.reconstruct, parts.make_tables, _encode, _decode, _code_lengths,
        dither_levels=dither_levels, private_noise=private_noise, max_elements=max_elements))


@dataclasses.dataclass(frozen=True)
class _Scalar:
    """The networks, and what they compute."""

    dither_levels: int
    private_noise: bool
    hidden: tuple[int, ...]
    prior_scale: float

    @property
    def network(self) -> ElementwiseNetwork:
        return ElementwiseNetwork(self.hidden)

    @property
    def prior(self) -> DeepFactorized:
        return DeepFactorized(channels=1, init_scale=self.prior_scale)

    def init(self, key: jax.Array) -> dict:
        """Draws parameters."""
        keys, x = jax.random.split(key, 3), jnp.zeros((1,), jnp.float32)
        return {
            "analysis": self.network.init(keys[0], x)["params"],
            "synthesis": self.network.init(keys[1], x, *((x,) if self.private_noise else ()))["params"],
            "prior": self.prior.init(keys[2], x[..., None])["params"],
        }

    def _logits(self, params: Any, x: jax.Array) -> jax.Array:
        return self.prior.apply({"params": params["prior"]}, x[..., None])[..., 0]

    def _synthesize(self, params: Any, z: jax.Array, noise: jax.Array | None) -> jax.Array:
        return self.network.apply({"params": params["synthesis"]}, z, *(() if noise is None else (noise,)))

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array, temperature: jax.Array | None = None,
                spread: bool = False):
        """Reconstructs x, and estimates its rate: see `scalar_codec`."""
        x = jnp.asarray(x, jnp.float32)
        draw = quantize.low_discrepancy_noise if spread else lambda key, shape, _: quantize.uniform_noise(key, shape)
        noise, private = (draw(k, x.shape, i) for i, k in enumerate(jax.random.split(key)))
        z = self.network.apply({"params": params["analysis"]}, x)
        if self.dither_levels:
            if temperature is not None:
                raise ValueError("a dithered codec is trained with its own noise: temperature must be None")
            seen = z + noise
            edges = seen - 0.5, seen + 0.5
        elif temperature is None:
            seen = quantize.straight_through_round(z)
            edges = seen - 0.5, seen + 0.5
        else:
            noisy = quantize.soft_round(z, temperature) + noise
            seen = quantize.soft_round_conditional_mean(noisy, temperature)
            upper = quantize.soft_round_inverse(noisy + 0.5, temperature)
            edges = upper - 1.0, upper
        bits = cdf_interval_bits(self._logits(params, edges[1]), self._logits(params, edges[0]))
        reconstruction = self._synthesize(params, seen, private if self.private_noise else None)
        return reconstruction, bits.reshape(bits.shape[0], -1).sum(-1)

    def _offsets(self, dither: jax.Array) -> jax.Array:
        if not self.dither_levels:
            return jnp.zeros(dither.shape, jnp.float32)
        return dither_offsets(self.dither_levels)[dither]

    def quantize(self, params: Any, x: jax.Array, dither: jax.Array) -> jax.Array:
        """Rounds f(x) - u."""
        return self._rounded(params, x, self._offsets(dither))

    def reconstruct(self, params: Any, k: np.ndarray, dither: jax.Array, private_key: jax.Array | None,
                    realism: float) -> jax.Array:
        """Computes g(k + u, v)."""
        del realism
        return self._reconstructed(params, k, self._offsets(dither), private_key)

    def make_tables(self, params: Any) -> dict:
        """Makes one table for each value of the dither."""
        return make_tables(np.asarray(self._bin_pmfs(params)), -_TABLE_REACH)._asdict()

    @functools.partial(jax.jit, static_argnums=0)
    def _rounded(self, params: Any, x: jax.Array, offset: jax.Array) -> jax.Array:
        return jnp.round(self.network.apply({"params": params["analysis"]}, x) - offset)

    @functools.partial(jax.jit, static_argnums=0)
    def _reconstructed(self, params: Any, k: jax.Array, offset: jax.Array, private_key: jax.Array | None):
        noise = None
        if self.private_noise:
            if private_key is None:
                raise ValueError("private_key is needed for the decoder's noise, got None")
            noise = quantize.uniform_noise(private_key, k.shape)
        return self._synthesize(params, k.astype(jnp.float32) + offset, noise)

    @functools.partial(jax.jit, static_argnums=0)
    def _bin_pmfs(self, params: Any) -> jax.Array:
        offsets = dither_offsets(self.dither_levels) if self.dither_levels else jnp.zeros((1,), jnp.float32)
        centers = jnp.arange(-_TABLE_REACH, _TABLE_REACH + 1, dtype=jnp.float32)[None, :] + offsets[:, None]
        return jnp.exp2(-cdf_interval_bits(self._logits(params, centers + 0.5), self._logits(params, centers - 0.5)))


def _encode(k: np.ndarray, dither: np.ndarray, stored: Any) -> tuple[bytes, bytes]:
    return coder.encode_symbols(k, tables_from_tree(stored), dither)


def _decode(coded: bytes, escapes: bytes, dither: np.ndarray, stored: Any) -> np.ndarray:
    k = coder.decode_symbols(coded, escapes, dither.size, tables_from_tree(stored), dither.reshape(-1))
    return k.reshape(dither.shape)


def _code_lengths(k: np.ndarray, dither: np.ndarray, stored: Any) -> np.ndarray:
    tables = tables_from_tree(stored)
    return table_bits(k, tables, dither) + coder.escape_bits(k, tables, dither)
