"""Nonlinear transform coding of vectors with a lattice of up to 24 dimensions in the latent space.

With f the analysis, g the synthesis and the lattice codec of `rdr.codecs.vectors.lattice` in between:

    z = Q(f(x)),   y = g(z),

the latent vectors coded as an i.i.d. Gaussian's blocks are, point by point under a discrete Gaussian law of one power:
what f has to make of the source. `rdr.codecs.vectors.block` has learned laws for each coordinate, but hexagons at most.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import container
from rdr.codecs.base import VectorCodec, check_vectors, open_vectors
from rdr.codecs.vectors.lattice import lattice_codec, lattice_quantizer
from rdr.codecs.vectors.linear import MAX_ELEMENTS
from rdr.randomness import shared_integers
from rdr.transforms.dense import ResidualDense


def lattice_transform_codec(name: str, *, dimension: int, dither_levels: int = 0, hidden: tuple[int, ...] = (32, 32),
                            max_elements: int = MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for vectors.

    Args:
      name: of the lattice: "Z", "A2", "D4", "E8", "BW16" or "Leech"; its dimension is the latent space's.
      dimension: components of a vector.
      dither_levels: as of `lattice_codec`; 0 for no shared randomness.
      hidden: widths of the hidden layers of f and g; none for linear transforms.
      max_elements: largest number of numbers in a message, of vectors or of latents; larger ones are refused before
        memory is claimed.

    Returns:
      The codec. `forward(params, x, *, key, realism=0.0)` takes x [batch, dimension]; with a dither quantization is the
      addition of noise of the cell's law, without one it is hard with straight-through gradients. `decode` of a
      dithered codec takes as condition a realism weight from 0 to 1: the gain between z and g goes from that of least
      error to that of the latents' own power. Parameters hold "latent", those of `lattice_codec`.

    Raises:
      ValueError: if there is no such lattice, `dither_levels` does not fit it, or `dimension` is below 1.
    """
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
    quantizer = lattice_quantizer(name)
    inner = lattice_codec(name, dither_levels=dither_levels, max_elements=max_elements)
    latent = quantizer.dimension
    title = f"transform-{inner.name}"
    analysis, synthesis = ResidualDense(latent, hidden), ResidualDense(dimension, hidden)

    def init(key: jax.Array) -> dict:
        keys = jax.random.split(key)
        first = analysis.init(keys[0], jnp.zeros((1, dimension), jnp.float32))["params"]
        last = synthesis.init(keys[1], jnp.zeros((1, latent), jnp.float32))["params"]
        last["line"] = first["line"].T  # so that the codec starts as a quantizer of the projection
        return {"analysis": first, "synthesis": last, "latent": inner.init(key)}

    def analyze(params: Any, x: jax.Array) -> jax.Array:
        return analysis.apply({"params": params["analysis"]}, x)

    def synthesize(params: Any, z: jax.Array) -> jax.Array:
        return synthesis.apply({"params": params["synthesis"]}, z)

    def forward(params: Any, x: jax.Array, *, key: jax.Array, realism: float | jax.Array = 0.0):
        z = analyze(params, jnp.asarray(x, jnp.float32))
        seen, bits = inner.forward(params["latent"], z, key=key, realism=realism)
        return synthesize(params, seen), bits

    analyzed, synthesized = jax.jit(analyze), jax.jit(synthesize)

    def symbols(params: Any, x: jax.Array, shared_key: jax.Array | None = None) -> jax.Array:
        return inner.symbols(params["latent"], analyzed(_network(params), jnp.asarray(x, jnp.float32)), shared_key)

    def finalize(params: Any) -> dict:
        return {**_network(params), "latent": inner.finalize(params["latent"])}

    def latents(params: Any, x: Any) -> np.ndarray:
        x = check_vectors(x, dimension, max_elements)
        return np.asarray(analyzed(_network(params), x))

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
        coded = inner.encode(params["latent"], latents(params, x), shared_key=shared_key)
        parts = container.unpack(coded, max_elements=max_elements)
        return container.pack(container.Message(title, container.fingerprint(params), (parts.shape[0], dimension),
                                                parts.payloads))

    def code_lengths(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> np.ndarray:
        z = latents(params, x)
        points = np.asarray(inner.symbols(params["latent"], z, shared_key))
        dither = np.zeros(z.shape, np.int32)
        if dither_levels:
            dither = np.asarray(shared_integers(shared_key, z.shape, levels=dither_levels))
        return quantizer.bits(points, dither, params["latent"]["tables"])[:, None]

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: float | None = None) -> jax.Array:
        parts = open_vectors(message, name=title, params=params, dimension=dimension, max_elements=max_elements)
        # What the inner codec would have written of these payloads.
        coded = container.pack(container.Message(inner.name, container.fingerprint(params["latent"]),
                                                 (parts.shape[0], latent), parts.payloads))
        z = inner.decode(coded, params=params["latent"], shared_key=shared_key, private_key=private_key,
                         condition=condition)
        return synthesized(_network(params), z)

    return VectorCodec(title, init, forward, finalize, symbols, encode, decode, code_lengths)


def _network(params: Any) -> dict:
    return {part: params[part] for part in ("analysis", "synthesis")}


@functools.cache
def cached_lattice_transform_codec(name: str, **options: Any) -> VectorCodec:
    """The same codec object for the same options, so that its jitted functions are compiled once.

    Args:
      name: of the lattice.
      **options: of `lattice_transform_codec`, hashable.

    Returns:
      The codec.
    """
    return lattice_transform_codec(name, **options)
