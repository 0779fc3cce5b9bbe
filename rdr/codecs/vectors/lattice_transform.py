"""Nonlinear transform coding of vectors with a lattice of up to 24 dimensions in the latent space.

With f the analysis, g the synthesis and the lattice codec of `rdr.codecs.vectors.lattice` in between:

    z = Q(f(x)),   y = g(z),

the latent vectors coded as an i.i.d. Gaussian's blocks are, point by point under a discrete Gaussian prior of one
power: what f has to make of the source. `rdr.codecs.vectors.block` has learned priors for each coordinate, but hexagons
at most.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.lattice import lattice_model, lattice_quantizer
from rdr.codecs.vectors.linear import MAX_ELEMENTS
from rdr.codecs.vectors.model import VectorModel, batch_of_vectors
from rdr.transforms.dense import ResidualDense


@functools.lru_cache(maxsize=64)
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
      The codec, the same object for the same arguments. `forward(params, x, *, key, realism=0.0)` takes x [batch,
      dimension]; with a dither quantization is the addition of noise that is uniform on the cell, without one it is
      hard with straight-through gradients. `decode` of a dithered codec takes as condition a realism weight from 0 to
      1: the gain between z and g goes from that of least error to that of the latents' own power. Parameters hold
      "latent", those of `lattice_codec`.

    Raises:
      ValueError: if there is no such lattice, `dither_levels` does not fit it, or `dimension` is below 1.
    """
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, got {dimension}")
    inner = lattice_model(name, dither_levels=dither_levels, max_elements=max_elements)
    parts = _Transform(inner, lattice_quantizer(name).dimension, dimension, hidden)
    return vector_codec(inner._replace(
        name=f"transform-{inner.name}", parts=("analysis", "synthesis", "latent"),
        check_shape=batch_of_vectors(dimension), latent_shape=lambda shape: (shape[0], parts.latent), init=parts.init,
        forward=parts.forward, analyze=parts.analyze, check_latents=parts.check_latents, quantize=parts.quantize,
        reconstruct=parts.reconstruct, make_tables=lambda params: inner.make_tables(params["latent"]),
        tables_in="latent"))


@dataclasses.dataclass(frozen=True, eq=False)
class _Transform:
    """The networks around a model, and what they compute."""

    inner: VectorModel
    latent: int
    dimension: int
    hidden: tuple[int, ...]

    @property
    def analysis(self) -> ResidualDense:
        return ResidualDense(self.latent, self.hidden)

    @property
    def synthesis(self) -> ResidualDense:
        return ResidualDense(self.dimension, self.hidden)

    def init(self, key: jax.Array) -> dict:
        """Draws parameters; the codec starts as a quantizer of the projection."""
        keys = jax.random.split(key)
        first = self.analysis.init(keys[0], jnp.zeros((1, self.dimension), jnp.float32))["params"]
        last = self.synthesis.init(keys[1], jnp.zeros((1, self.latent), jnp.float32))["params"]
        last["line"] = first["line"].T
        return {"analysis": first, "synthesis": last, "latent": self.inner.init(key)}

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array, realism: float | jax.Array = 0.0):
        """Reconstructs x, and estimates its rate: see `lattice_transform_codec`."""
        z = self.analysis.apply({"params": params["analysis"]}, jnp.asarray(x, jnp.float32))
        seen, bits = self.inner.forward(params["latent"], z, key=key, realism=realism)
        return self.synthesis.apply({"params": params["synthesis"]}, seen), bits

    def analyze(self, params: Any, x: jax.Array) -> jax.Array:
        """Computes f(x)."""
        return self._analyzed(params["analysis"], x)

    def check_latents(self, params: Any, z: np.ndarray) -> None:
        """Refuses what the model does not quantize."""
        if self.inner.check_latents is not None:
            self.inner.check_latents(params["latent"], z)

    def quantize(self, params: Any, z: jax.Array, dither: jax.Array) -> jax.Array:
        """Finds the nearest points."""
        return self.inner.quantize(params["latent"], z, dither)

    def reconstruct(self, params: Any, points: np.ndarray, dither: jax.Array, private_key: None, realism: float
                    ) -> jax.Array:
        """Computes g of the model's reconstruction."""
        z = self.inner.reconstruct(params["latent"], points, dither, private_key, realism)
        return self._synthesized(params["synthesis"], z)

    @functools.partial(jax.jit, static_argnums=0)
    def _analyzed(self, params: Any, x: jax.Array) -> jax.Array:
        return self.analysis.apply({"params": params}, x)

    @functools.partial(jax.jit, static_argnums=0)
    def _synthesized(self, params: Any, z: jax.Array) -> jax.Array:
        return self.synthesis.apply({"params": params}, z)
