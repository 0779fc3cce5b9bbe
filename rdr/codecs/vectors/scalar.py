"""A learned scalar codec: one number at a time, with no randomness, private randomness, or a shared dither.

With f the analysis, g the synthesis, u a dither that both sides know (0 without one) and v noise of the decoder's
own (absent without it):

    k = round(f(x) - u),   bits = -log2 P(k | u),   y = g(k + u, v).

P(k | u) = F(k + u + 1/2) - F(k + u - 1/2) with F a learned cumulative. With a dither, k + u has the law of
f(x) + uniform noise (universal quantization), so training with such noise is exact; the dither takes finitely many
values and each has its integer table. Without one, rounding is softened while training and hard at its end.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr import quantize
from rdr.bitstream import coder, container
from rdr.bitstream.tables import Tables, make_tables
from rdr.codecs.base import Codec, open_message
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.randomness import dither_offsets, shared_integers
from rdr.transforms.elementwise import ElementwiseNetwork

_TABLE_REACH = 512


def scalar_codec(*, dither_levels: int = 0, private_noise: bool = False, hidden: tuple[int, ...] = (24, 24),
                 prior_scale: float = 4.0, max_elements: int = container.MAX_ELEMENTS) -> Codec:
    """Makes a codec for arrays of real numbers, each coded by itself.

    Args:
      dither_levels: number of values of the shared dither, a power of two up to 2^16; 0 for no shared randomness.
        The common randomness in use is log2(dither_levels) bits per number.
      private_noise: whether the decoder also reads uniform noise made from its `private_key`.
      hidden: widths of the hidden layers of f and g.
      prior_scale: half-width of the prior at the beginning of training, in quantization steps.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec. `forward(params, x, *, key, temperature=None, spread=False)` takes x [batch, ...]: with a
      temperature, rounding is soft and noisy; without, it is hard, with straight-through gradients. A dithered codec
      takes none. With `spread`, noises are evenly spread along the batch (`quantize.low_discrepancy_noise`).

    Raises:
      ValueError: if `dither_levels` is not 0 or such a power of two.
    """
    if dither_levels < 0 or dither_levels > 2**16 or dither_levels & (dither_levels - 1):
        raise ValueError(f"dither_levels must be 0 or a power of two up to 2^16, got {dither_levels}")
    dithered = dither_levels > 0
    name = f"scalar{'-dither' if dithered else ''}{'-private' if private_noise else ''}"
    analysis, synthesis = ElementwiseNetwork(hidden), ElementwiseNetwork(hidden)
    prior = DeepFactorized(channels=1, init_scale=prior_scale)

    def logits(params: Any, x: jax.Array) -> jax.Array:
        return prior.apply({"params": params["prior"]}, x[..., None])[..., 0]

    def synthesize(params: Any, z: jax.Array, noise: jax.Array | None) -> jax.Array:
        return synthesis.apply({"params": params["synthesis"]}, z, *(() if noise is None else (noise,)))

    def init(key: jax.Array) -> dict:
        keys, x = jax.random.split(key, 3), jnp.zeros((1,), jnp.float32)
        return {
            "analysis": analysis.init(keys[0], x)["params"],
            "synthesis": synthesis.init(keys[1], x, *((x,) if private_noise else ()))["params"],
            "prior": prior.init(keys[2], x[..., None])["params"],
        }

    def forward(params: Any, x: jax.Array, *, key: jax.Array, temperature: jax.Array | None = None,
                spread: bool = False):
        x = jnp.asarray(x, jnp.float32)
        draw = quantize.low_discrepancy_noise if spread else lambda key, shape, _: quantize.uniform_noise(key, shape)
        noise, private = (draw(k, x.shape, i) for i, k in enumerate(jax.random.split(key)))
        z = analysis.apply({"params": params["analysis"]}, x)
        if dithered:
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
        bits = cdf_interval_bits(logits(params, edges[1]), logits(params, edges[0]))
        reconstruction = synthesize(params, seen, private if private_noise else None)
        return reconstruction, bits.reshape(bits.shape[0], -1).sum(-1)

    def dither(shape: tuple[int, ...], shared_key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        if not dithered:
            if shared_key is not None:
                raise ValueError("this codec shares no randomness: shared_key must be None")
            return jnp.zeros(shape, jnp.int32), jnp.zeros(shape, jnp.float32)
        if shared_key is None:
            raise ValueError("this codec needs the shared_key that encoder and decoder agreed on")
        ids = shared_integers(shared_key, shape, levels=dither_levels)
        return ids, dither_offsets(dither_levels)[ids]

    @jax.jit
    def rounded(params: Any, x: jax.Array, offset: jax.Array) -> jax.Array:
        return jnp.round(analysis.apply({"params": params["analysis"]}, x) - offset)

    @jax.jit
    def reconstructed(params: Any, k: jax.Array, offset: jax.Array, private_key: jax.Array | None) -> jax.Array:
        noise = quantize.uniform_noise(private_key, k.shape) if private_noise else None
        return synthesize(params, k.astype(jnp.float32) + offset, noise)

    def symbols(params: Any, x: jax.Array, shared_key: jax.Array | None = None) -> jax.Array:
        x = jnp.asarray(x, jnp.float32)
        return rounded(_network(params), x, dither(x.shape, shared_key)[1]).astype(jnp.int32)

    @jax.jit
    def bin_pmfs(params: Any) -> jax.Array:
        offsets = dither_offsets(dither_levels) if dithered else jnp.zeros((1,), jnp.float32)
        centers = jnp.arange(-_TABLE_REACH, _TABLE_REACH + 1, dtype=jnp.float32)[None, :] + offsets[:, None]
        return jnp.exp2(-cdf_interval_bits(logits(params, centers + 0.5), logits(params, centers - 0.5)))

    def finalize(params: Any) -> dict:
        tables = make_tables(np.asarray(bin_pmfs(_network(params))), -_TABLE_REACH)
        return {**_network(params), "tables": tables._asdict()}

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
        tables = _tables(params)
        x = np.asarray(x, np.float32)
        if not np.isfinite(x).all():
            raise ValueError("x must be finite")
        if x.size > max_elements:
            raise ValueError(f"x must have at most {max_elements} elements, got {x.size}")
        ids, offset = dither(x.shape, shared_key)
        k = np.asarray(rounded(_network(params), x, offset))
        if not (np.abs(k) < 2.0**31).all():
            raise ValueError("x must be quantized to integers below 2^31 in size: an element is too large")
        coded = coder.encode_symbols(k.astype(np.int32), tables, np.asarray(ids))
        return container.pack(container.Message(name, container.fingerprint(params), x.shape, coded))

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: Any = None) -> jax.Array:
        if condition is not None:
            raise ValueError("this codec's decoder takes no condition")
        if private_noise != (private_key is not None):
            raise ValueError(f"private_key {'is needed' if private_noise else 'must be None'} for codec {name!r}")
        parts = open_message(message, name=name, params=params, payloads=2, max_elements=max_elements)
        ids, offset = dither(parts.shape, shared_key)
        k = coder.decode_symbols(*parts.payloads, math.prod(parts.shape), _tables(params), np.asarray(ids).reshape(-1))
        return reconstructed(_network(params), k.reshape(parts.shape), offset, private_key)

    return Codec(name, init, forward, finalize, symbols, encode, decode)


def _network(params: Any) -> dict:
    return {part: params[part] for part in ("analysis", "synthesis", "prior")}


def _tables(params: Any) -> Tables:
    if "tables" not in params:
        raise ValueError("these parameters have no integer tables yet: pass them through the codec's finalize once")
    return Tables(**{part: np.asarray(value) for part, value in params["tables"].items()})


@functools.cache
def cached_scalar_codec(**options: Any) -> Codec:
    """The same codec object for the same options, so that its jitted functions are compiled once.

    Args:
      **options: of `scalar_codec`, hashable.

    Returns:
      The codec.
    """
    return scalar_codec(**options)
