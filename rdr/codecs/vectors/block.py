"""Nonlinear transform coding of vectors: analysis, a quantized latent vector, synthesis.

With f the analysis, g the synthesis, s a learned step, u a dither that both sides know (0 without one), v noise of the
decoder's own (absent without it) and Q rounding or the nearest point of the hexagonal lattice:

    k = Q(f(x) / s - u),   y = g(s (k + u), v),

coded either coordinate by coordinate with learned densities, P(k | u) = F(s (k + u + 1/2)) - F(s (k + u - 1/2)), or
causally, each coordinate's law given those before it (`rdr.entropy_models.autoregressive`).

The dither takes M values; training with those very values (`forward(..., dither=...)`) is exact for every M.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr import quantize
from rdr.bitstream import coder, container
from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import Tables, make_tables, table_bits
from rdr.codecs.base import VectorCodec, check_vectors, finalized, open_vectors
from rdr.entropy_models import autoregressive
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.entropy_models.location_scale import soft_rounded_upper
from rdr.randomness import dither_offsets, shared_integers
from rdr.transforms.dense import ResidualDense

_SPAN = 512  # integers with |k| <= this are tabulated
_REACH = 160  # contexts are limited to this
_CELLS = {"Z": None, "A2": autoregressive.A2_CELLS}


def block_codec(*, dimension: int, latent: int | None = None, lattice: str = "Z", context: bool = False,
                dither_levels: int = 0, private_noise: bool = False, hidden: tuple[int, ...] = (32, 32),
                prior_scale: float = 4.0, max_elements: int = container.MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for vectors.

    Args:
      dimension: components of a vector.
      latent: components of the latent vector; default as many.
      lattice: "Z", every coordinate rounded by itself, or "A2", hexagons in a latent plane (needs `context`). Their row
        is the first coordinate, the place in the row the second: where one row holds nearly all, only this order lets
        a smooth law say so (the other way, even places would be likely and odd ones not).
      context: whether coordinates are coded given those before them; undithered codecs only.
      dither_levels: M, values of the shared dither of a coordinate, a power of two up to 2^16; 0 for no shared
        randomness. The common randomness in use is log2 M bits per coordinate.
      private_noise: whether the decoder also reads uniform noise made from its `private_key`, one per coordinate.
      hidden: widths of the hidden layers of f and g; none for a linear transform.
      prior_scale: spread of the prior at the beginning of training, in units of the source.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec. `forward(params, x, *, key, temperature=None, dither=None, spread=False)` takes x [batch, dimension]:

      * with a temperature: soft rounding and noise (on the hexagonal lattice, plain noise of the cell's law);
      * without: hard quantization with straight-through gradients, but a dithered codec with neither a temperature
        nor a `dither` adds uniform noise, the law of universal quantization with M = inf;
      * `dither` [batch, latent], values of u, in steps.

      With `spread`, noises are evenly spread along the batch (`quantize.low_discrepancy_noise`). Parameters hold
      "log_step" [], the logarithm of s.

    Raises:
      ValueError: if options are out of their ranges or do not go together.
    """
    latent = dimension if latent is None else latent
    if dimension < 1 or latent < 1:
        raise ValueError(f"dimension and latent must be at least 1, got {dimension} and {latent}")
    if dither_levels < 0 or dither_levels > 2**16 or dither_levels & (dither_levels - 1):
        raise ValueError(f"dither_levels must be 0 or a power of two up to 2^16, got {dither_levels}")
    if lattice not in _CELLS:
        raise ValueError(f"lattice must be 'Z' or 'A2', got {lattice!r}")
    if lattice == "A2" and (latent != 2 or not context):
        raise ValueError("lattice 'A2' needs latent=2 and context=True")
    dithered = dither_levels > 0
    if dithered and context:
        raise ValueError("context=True needs dither_levels=0: contexts of dithered coordinates have no tables here")
    name = f"block-{lattice}{'-context' if context else ''}{'-dither' if dithered else ''}" \
           f"{'-private' if private_noise else ''}"
    points = quantize.lattice(lattice)
    # Whole numbers times this, times the step, are places in the latent space.
    axes = np.asarray(points.scale[::-1] if lattice == "A2" else np.ones(latent), np.float32)
    cells = _CELLS[lattice] or autoregressive.plain_cells(latent)
    widths = np.array([cell.step for cell in cells], np.float32)
    analysis, synthesis = ResidualDense(latent, hidden), ResidualDense(dimension, hidden)
    factorized = DeepFactorized(channels=latent, init_scale=prior_scale)
    causal = autoregressive.CausalBlock(latent, init_scale=prior_scale)

    def init(key: jax.Array) -> dict:
        keys, x = jax.random.split(key, 3), jnp.zeros((1, dimension), jnp.float32)
        z, unit = jnp.zeros((1, latent), jnp.float32), jnp.ones((latent,), jnp.float32)
        first = analysis.init(keys[0], x)["params"]
        last = synthesis.init(keys[1], z, *((z,) if private_noise else ()))["params"]
        last["line"] = first["line"].T  # so that the codec starts as a quantizer of the projection
        prior = causal.init(keys[2], z, z, unit, unit) if context else factorized.init(keys[2], z)
        return {"analysis": first, "synthesis": last, "prior": prior["params"],
                "log_step": jnp.zeros((), jnp.float32)}

    def step(params: Any) -> jax.Array:
        return jnp.exp(params["log_step"]) * axes

    def steps_of(params: Any, like: jax.Array) -> jax.Array:
        return jnp.broadcast_to(step(params), like.shape)

    def analyze(params: Any, x: jax.Array) -> jax.Array:
        z = analysis.apply({"params": params["analysis"]}, x)
        return z / steps_of(params, z)

    def synthesize(params: Any, seen: jax.Array, noise: jax.Array | None) -> jax.Array:
        extras = () if noise is None else (noise,)
        return synthesis.apply({"params": params["synthesis"]}, seen * steps_of(params, seen), *extras)

    def interval(params: Any, upper: jax.Array) -> jax.Array:
        at = steps_of(params, upper)
        edges = [factorized.apply({"params": params["prior"]}, edge * at) for edge in (upper, upper - 1.0)]
        return cdf_interval_bits(*edges)

    def prior_bits(params: Any, upper: jax.Array, seen: jax.Array) -> jax.Array:
        if not context:
            return interval(params, upper)
        return causal.apply({"params": params["prior"]}, upper, seen, step(params), widths)

    def nearest(z: jax.Array) -> jax.Array:
        if lattice == "A2":
            turned = (z * jnp.broadcast_to(axes, z.shape))[..., ::-1]
            return quantize.closest_point(turned, points)[0][..., ::-1]
        return jnp.round(z)

    def draw(key: jax.Array, shape: tuple[int, ...], spread: bool, dimension: int) -> jax.Array:
        if not spread:
            return quantize.uniform_noise(key, shape)
        noise = quantize.low_discrepancy_noise(key, shape, dimension)
        # Columns of spread noise differ by a shift; noises of different coordinates must be independent.
        return noise if latent == 1 else jax.random.permutation(key, noise, axis=0, independent=True)

    def cell_noise(key: jax.Array, shape: tuple[int, ...], spread: bool) -> jax.Array:
        noise = draw(key, shape, spread, 0)
        if lattice == "A2":  # from a rectangle of twice the cell's area into the cell
            noise = 2.0 * noise
            noise = noise - nearest(noise).astype(jnp.float32)
        return noise

    def forward(params: Any, x: jax.Array, *, key: jax.Array, temperature: jax.Array | None = None,
                dither: jax.Array | None = None, spread: bool = False):
        x = jnp.asarray(x, jnp.float32)
        if dither is not None and not dithered:
            raise ValueError("this codec shares no randomness: dither must be None")
        keys = jax.random.split(key)
        z = analyze(params, x)
        offset = 0.0 if dither is None else dither
        half = jnp.broadcast_to(0.5 * widths, z.shape)
        if temperature is None and dithered and dither is None:
            seen = z + cell_noise(keys[0], z.shape, spread)
            upper = seen + 0.5
        elif temperature is None:
            shifted = z - offset
            seen = shifted + jax.lax.stop_gradient(nearest(shifted).astype(jnp.float32) - shifted) + offset
            upper = seen + half
        elif lattice == "A2":
            seen = z + cell_noise(keys[0], z.shape, spread)
            upper = seen + half
        else:
            noisy = quantize.soft_round(z - offset, temperature) + cell_noise(keys[0], z.shape, spread)
            seen = quantize.soft_round_conditional_mean(noisy, temperature) + offset
            upper = soft_rounded_upper(noisy, temperature) + offset
        bits = prior_bits(params, upper, seen)
        noise = draw(keys[1], z.shape, spread, 1) if private_noise else None
        return synthesize(params, seen, noise), bits.sum(-1)

    def offsets(shape: tuple[int, ...], shared_key: jax.Array | None) -> tuple[Any, jax.Array]:
        if not dithered:
            if shared_key is not None:
                raise ValueError("this codec shares no randomness: shared_key must be None")
            return np.zeros(shape, np.int64), jnp.zeros(shape, jnp.float32)
        if shared_key is None:
            raise ValueError("this codec needs the shared_key that encoder and decoder agreed on")
        ids = shared_integers(shared_key, shape, levels=dither_levels)
        return ids, dither_offsets(dither_levels)[ids]

    @jax.jit
    def rounded(params: Any, x: jax.Array, offset: jax.Array) -> jax.Array:
        return nearest(analyze(params, x) - offset)

    @jax.jit
    def reconstructed(params: Any, k: jax.Array, offset: jax.Array, private_key: jax.Array | None) -> jax.Array:
        noise = quantize.uniform_noise(private_key, k.shape) if private_noise else None
        return synthesize(params, k.astype(jnp.float32) + offset, noise)

    def symbols(params: Any, x: jax.Array, shared_key: jax.Array | None = None) -> jax.Array:
        x = jnp.asarray(x, jnp.float32)
        return rounded(_network(params), x, offsets((x.shape[0], latent), shared_key)[1]).astype(jnp.int32)

    @jax.jit
    def bin_pmfs(params: Any) -> jax.Array:
        shifts = dither_offsets(dither_levels) if dithered else jnp.zeros((1,), jnp.float32)
        upper = jnp.arange(-_SPAN, _SPAN + 1, dtype=jnp.float32)[None] + shifts[:, None] + 0.5
        bits = interval(params, jnp.broadcast_to(upper[..., None], (*upper.shape, latent)))
        return jnp.exp2(-jnp.moveaxis(bits, -1, 0))

    def finalize(params: Any) -> dict:
        network = _network(params)
        if context:
            made = autoregressive.block_tables(causal, network["prior"], np.asarray(step(network)), cells,
                                             reach=_REACH, span=_SPAN)
            weights = autoregressive.integer_weights(network["prior"]["weights"])
            return {**network, "tables": {"weights": weights, "laws": [tables._asdict() for tables in made]}}
        pmfs = np.asarray(bin_pmfs(network))
        return {**network, "tables": make_tables(pmfs.reshape(-1, pmfs.shape[-1]), -_SPAN)._asdict()}

    def factorized_ids(ids: np.ndarray) -> np.ndarray:
        return np.arange(latent) * max(dither_levels, 1) + ids

    def steps(k: np.ndarray, stored: Any):
        """For each coordinate: its coded integers, tables and their indices."""
        weights = np.asarray(stored["weights"])
        for i, cell in enumerate(cells):
            at = autoregressive.integer_contexts(k, weights, i, _REACH)
            before = k[:, i - 1]
            ids = autoregressive.table_index(at, before, i, cell, _REACH)
            z = (k[:, i] - (before & 1 if cell.follows else 0)) // cell.step
            yield z, _tables(stored["laws"][i]), ids

    def quantized(params: Any, x: Any, shared_key: jax.Array | None) -> tuple[np.ndarray, np.ndarray]:
        x = check_vectors(x, dimension, max_elements)
        ids, offset = offsets((x.shape[0], latent), shared_key)
        k = np.asarray(rounded(_network(params), x, offset)).astype(np.float64)
        if not (np.abs(k) < 2.0**31 - 1).all():
            raise ValueError("x must be quantized to integers below 2^31 in size: an element is too large")
        return k.astype(np.int64), np.asarray(ids, np.int64)

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
        stored = finalized(params)
        k, ids = quantized(params, x, shared_key)
        if context:
            encoder = StepEncoder()
            for z, tables, at in steps(k, stored):
                encoder.add(z, tables, at)
            coded = encoder.finish()
        else:
            coded = coder.encode_symbols(k, _tables(stored), factorized_ids(ids))
        return container.pack(
            container.Message(name, container.fingerprint(params), (len(k), dimension), coded))

    def code_lengths(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> np.ndarray:
        stored = finalized(params)
        k, ids = quantized(params, x, shared_key)
        parts = steps(k, stored) if context else [(k, _tables(stored), factorized_ids(ids))]
        bits = [table_bits(z, t, at) + coder.escape_bits(z, t, at) for z, t, at in parts]
        return np.stack(bits, -1) if context else bits[0]

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: Any = None) -> jax.Array:
        if condition is not None:
            raise ValueError("this codec's decoder takes no condition")
        if private_noise != (private_key is not None):
            raise ValueError(f"private_key {'is needed' if private_noise else 'must be None'} for codec {name!r}")
        parts = open_vectors(message, name=name, params=params, dimension=dimension, max_elements=max_elements)
        stored, shape = finalized(params), (parts.shape[0], latent)
        ids, offset = offsets(shape, shared_key)
        if context:
            k = np.zeros(shape, np.int64)
            decoder = StepDecoder(*parts.payloads)
            weights = np.asarray(stored["weights"])
            for i, cell in enumerate(cells):
                at = autoregressive.integer_contexts(k, weights, i, _REACH)
                index = autoregressive.table_index(at, k[:, i - 1], i, cell, _REACH)
                z = decoder.read(_tables(stored["laws"][i]), index).astype(np.int64)
                k[:, i] = cell.step * z + (k[:, i - 1] & 1 if cell.follows else 0)
            decoder.finish()
        else:
            at = factorized_ids(np.asarray(ids)).reshape(-1)
            k = coder.decode_symbols(*parts.payloads, at.size, _tables(stored), at).reshape(shape)
        return reconstructed(_network(params), k.astype(np.float32), offset, private_key)

    return VectorCodec(name, init, forward, finalize, symbols, encode, decode, code_lengths)


def _network(params: Any) -> dict:
    return {part: params[part] for part in ("analysis", "synthesis", "prior", "log_step")}


def _tables(stored: Any) -> Tables:
    return Tables(**{part: np.asarray(value) for part, value in stored.items()})


@functools.cache
def cached_block_codec(**options: Any) -> VectorCodec:
    """The same codec object for the same options, so that its jitted functions are compiled once.

    Args:
      **options: of `block_codec`, hashable.

    Returns:
      The codec.
    """
    return block_codec(**options)
