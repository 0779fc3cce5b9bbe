"""Nonlinear transform coding of vectors: analysis, a quantized latent vector, synthesis.

With f the analysis, g the synthesis, s a learned step, u a dither that both sides know (0 without one), v noise of the
decoder's own (absent without it) and Q rounding or the nearest point of the hexagonal lattice:

    k = Q(f(x) / s - u),   y = g(s (k + u), v),

coded either coordinate by coordinate with learned densities, P(k | u) = F(s (k + u + 1/2)) - F(s (k + u - 1/2)), or
causally, each coordinate's pmf given those before it (`rdr.entropy_models.autoregressive`).

The dither takes M values; training with those very values (`forward(..., dither=...)`) is exact for every M.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr import quantize
from rdr.bitstream import container
from rdr.bitstream.tables import make_tables
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.block_coder import BlockCoder
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.model import TOO_LARGE, VectorModel, batch_of_vectors, check_dither_levels
from rdr.entropy_models import autoregressive
from rdr.entropy_models.deep_factorized import DeepFactorized, cdf_interval_bits
from rdr.entropy_models.location_scale import soft_rounded_upper
from rdr.randomness import dither_offsets
from rdr.transforms.dense import ResidualDense

_SPAN = 512  # integers with |k| <= this are tabulated
_REACH = 160  # contexts are limited to this
_CELLS = {"Z": None, "A2": autoregressive.A2_CELLS}
_PARTS = ("analysis", "synthesis", "prior", "log_step")


@functools.lru_cache(maxsize=64)
def block_codec(*, dimension: int, latent: int | None = None, lattice: str = "Z", context: bool = False,
                dither_levels: int = 0, private_noise: bool = False, hidden: tuple[int, ...] = (32, 32),
                prior_scale: float = 4.0, max_elements: int = container.MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for vectors.

    Args:
      dimension: components of a vector.
      latent: components of the latent vector; default as many.
      lattice: "Z", every coordinate rounded by itself, or "A2", hexagons in a latent plane (needs `context`). Their row
        is the first coordinate, the place in the row the second: where one row holds nearly all, only this order lets
        a smooth distribution say so (the other way, even places would be likely and odd ones not).
      context: whether coordinates are coded given those before them; undithered codecs only.
      dither_levels: M, values of the shared dither of a coordinate, a power of two up to 2^16; 0 for no shared
        randomness. The common randomness in use is log2 M bits per coordinate.
      private_noise: whether the decoder also reads uniform noise made from its `private_key`, one per coordinate.
      hidden: widths of the hidden layers of f and g; none for a linear transform.
      prior_scale: spread of the prior at the beginning of training, in units of the source.
      max_elements: largest number of numbers in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec, the same object for the same arguments. `forward(params, x, *, key, temperature=None, dither=None,
      spread=False)` takes x [batch, dimension]:

      * with a temperature: soft rounding and noise (on the hexagonal lattice, plain noise, uniform on the cell);
      * without: hard quantization with straight-through gradients, but a dithered codec with neither a temperature
        nor a `dither` adds uniform noise, the distribution of universal quantization with M = inf;
      * `dither` [batch, latent], values of u, in steps.

      With `spread`, noises are evenly spread along the batch (`quantize.low_discrepancy_noise`). Parameters hold
      "log_step" [], the logarithm of s.

    Raises:
      ValueError: if options are out of their ranges or do not go together.
    """
    latent = dimension if latent is None else latent
    _check_options(dimension, latent, lattice, context, dither_levels)
    parts = _Block(dimension, latent, lattice, context, dither_levels, private_noise, hidden, prior_scale)
    coding = BlockCoder(latent, dither_levels, parts.cells if context else None, _REACH)
    name = f"block-{lattice}{'-context' if context else ''}{'-dither' if dither_levels else ''}" \
           f"{'-private' if private_noise else ''}"
    return vector_codec(VectorModel(
        name, _PARTS, batch_of_vectors(dimension), lambda shape: (shape[0], latent), parts.init, parts.forward,
        parts.quantize, parts.reconstruct, parts.make_tables, coding.encode, coding.decode, coding.code_lengths,
        dither_levels=dither_levels, private_noise=private_noise, max_elements=max_elements))


def _check_options(dimension: int, latent: int, lattice: str, context: bool, dither_levels: int) -> None:
    if dimension < 1 or latent < 1:
        raise ValueError(f"dimension and latent must be at least 1, got {dimension} and {latent}")
    check_dither_levels(dither_levels)
    if lattice not in _CELLS:
        raise ValueError(f"lattice must be 'Z' or 'A2', got {lattice!r}")
    if lattice == "A2" and (latent != 2 or not context):
        raise ValueError("lattice 'A2' needs latent=2 and context=True")
    if dither_levels and context:
        raise ValueError("context=True needs dither_levels=0: contexts of dithered coordinates have no tables here")


@dataclasses.dataclass(frozen=True)
class _Block:
    """The networks and the lattice, and what they compute."""

    dimension: int
    latent: int
    lattice: str
    context: bool
    dither_levels: int
    private_noise: bool
    hidden: tuple[int, ...]
    prior_scale: float

    @property
    def analysis(self) -> ResidualDense:
        return ResidualDense(self.latent, self.hidden)

    @property
    def synthesis(self) -> ResidualDense:
        return ResidualDense(self.dimension, self.hidden)

    @property
    def prior(self) -> DeepFactorized | autoregressive.CausalBlock:
        if self.context:
            return autoregressive.CausalBlock(self.latent, init_scale=self.prior_scale)
        return DeepFactorized(channels=self.latent, init_scale=self.prior_scale)

    @property
    def cells(self) -> tuple[autoregressive.Cells, ...]:
        return _CELLS[self.lattice] or autoregressive.plain_cells(self.latent)

    @property
    def widths(self) -> np.ndarray:
        return np.array([cell.step for cell in self.cells], np.float32)

    @property
    def axes(self) -> np.ndarray:
        """Whole numbers times this, times the step, are places in the latent space."""
        points = quantize.lattice(self.lattice)
        return np.asarray(points.scale[::-1] if self.lattice == "A2" else np.ones(self.latent), np.float32)

    def init(self, key: jax.Array) -> dict:
        """Draws parameters; the codec starts as a quantizer of the projection."""
        keys, x = jax.random.split(key, 3), jnp.zeros((1, self.dimension), jnp.float32)
        z, unit = jnp.zeros((1, self.latent), jnp.float32), jnp.ones((self.latent,), jnp.float32)
        first = self.analysis.init(keys[0], x)["params"]
        last = self.synthesis.init(keys[1], z, *((z,) if self.private_noise else ()))["params"]
        last["line"] = first["line"].T
        prior = self.prior.init(keys[2], z, *((z, unit, unit) if self.context else ()))
        return {"analysis": first, "synthesis": last, "prior": prior["params"],
                "log_step": jnp.zeros((), jnp.float32)}

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array, temperature: jax.Array | None = None,
                dither: jax.Array | None = None, spread: bool = False):
        """Reconstructs x, and estimates its rate: see `block_codec`."""
        x = jnp.asarray(x, jnp.float32)
        if dither is not None and not self.dither_levels:
            raise ValueError("this codec shares no randomness: dither must be None")
        keys = jax.random.split(key)
        z = self._analyze(params, x)
        offset = 0.0 if dither is None else dither
        half = jnp.broadcast_to(0.5 * self.widths, z.shape)
        if temperature is None and self.dither_levels and dither is None:
            seen = z + self._cell_noise(keys[0], z.shape, spread)
            upper = seen + 0.5
        elif temperature is None:
            shifted = z - offset
            seen = shifted + jax.lax.stop_gradient(self._nearest(shifted).astype(jnp.float32) - shifted) + offset
            upper = seen + half
        elif self.lattice == "A2":
            seen = z + self._cell_noise(keys[0], z.shape, spread)
            upper = seen + half
        else:
            noisy = quantize.soft_round(z - offset, temperature) + self._cell_noise(keys[0], z.shape, spread)
            seen = quantize.soft_round_conditional_mean(noisy, temperature) + offset
            upper = soft_rounded_upper(noisy, temperature) + offset
        bits = self._prior_bits(params, upper, seen)
        noise = self._draw(keys[1], z.shape, spread, 1) if self.private_noise else None
        return self._synthesize(params, seen, noise), bits.sum(-1)

    def quantize(self, params: Any, x: jax.Array, dither: jax.Array) -> jax.Array:
        """Computes Q(f(x) / s - u)."""
        return self._rounded(params, x, self._offsets(dither))

    def reconstruct(self, params: Any, k: np.ndarray, dither: jax.Array, private_key: jax.Array | None,
                    realism: float) -> jax.Array:
        """Computes g(s (k + u), v)."""
        del realism
        return self._reconstructed(params, k.astype(np.float32), self._offsets(dither), private_key)

    def make_tables(self, params: Any) -> dict:
        """Makes the tables of every coordinate: for every value of the dither, or for every context."""
        if self.context:
            made = autoregressive.block_tables(self.prior, params["prior"], np.asarray(self._step(params)), self.cells,
                                               reach=_REACH, span=_SPAN)
            weights = autoregressive.integer_weights(params["prior"]["weights"])
            return {"weights": weights, "laws": [tables._asdict() for tables in made]}
        pmfs = np.asarray(self._bin_pmfs(params))
        return make_tables(pmfs.reshape(-1, pmfs.shape[-1]), -_SPAN)._asdict()

    def _step(self, params: Any) -> jax.Array:
        return jnp.exp(params["log_step"]) * self.axes

    def _steps_of(self, params: Any, like: jax.Array) -> jax.Array:
        return jnp.broadcast_to(self._step(params), like.shape)

    def _analyze(self, params: Any, x: jax.Array) -> jax.Array:
        z = self.analysis.apply({"params": params["analysis"]}, x)
        return z / self._steps_of(params, z)

    def _synthesize(self, params: Any, seen: jax.Array, noise: jax.Array | None) -> jax.Array:
        extras = () if noise is None else (noise,)
        return self.synthesis.apply({"params": params["synthesis"]}, seen * self._steps_of(params, seen), *extras)

    def _interval(self, params: Any, upper: jax.Array) -> jax.Array:
        at = self._steps_of(params, upper)
        edges = [self.prior.apply({"params": params["prior"]}, edge * at) for edge in (upper, upper - 1.0)]
        return cdf_interval_bits(*edges)

    def _prior_bits(self, params: Any, upper: jax.Array, seen: jax.Array) -> jax.Array:
        if not self.context:
            return self._interval(params, upper)
        return self.prior.apply({"params": params["prior"]}, upper, seen, self._step(params), self.widths)

    def _nearest(self, z: jax.Array) -> jax.Array:
        if self.lattice == "A2":
            turned = (z * jnp.broadcast_to(self.axes, z.shape))[..., ::-1]
            return quantize.closest_point(turned, quantize.lattice("A2"))[0][..., ::-1]
        return jnp.round(z)

    def _draw(self, key: jax.Array, shape: tuple[int, ...], spread: bool, dimension: int) -> jax.Array:
        if not spread:
            return quantize.uniform_noise(key, shape)
        noise = quantize.low_discrepancy_noise(key, shape, dimension)
        # Columns of spread noise differ by a shift; noises of different coordinates must be independent.
        return noise if self.latent == 1 else jax.random.permutation(key, noise, axis=0, independent=True)

    def _cell_noise(self, key: jax.Array, shape: tuple[int, ...], spread: bool) -> jax.Array:
        noise = self._draw(key, shape, spread, 0)
        if self.lattice == "A2":  # from a rectangle of twice the cell's area into the cell
            noise = 2.0 * noise
            noise = noise - self._nearest(noise).astype(jnp.float32)
        return noise

    def _offsets(self, dither: jax.Array) -> jax.Array:
        if not self.dither_levels:
            return jnp.zeros(dither.shape, jnp.float32)
        return dither_offsets(self.dither_levels)[dither]

    @functools.partial(jax.jit, static_argnums=0)
    def _rounded(self, params: Any, x: jax.Array, offset: jax.Array) -> jax.Array:
        z = self._analyze(params, x) - offset
        points = self._nearest(z)
        if points.dtype == jnp.int32:  # of A2, near z
            points = jnp.where(jnp.abs(z) < 2.0**29, points, TOO_LARGE)
        return points

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
        shifts = dither_offsets(self.dither_levels) if self.dither_levels else jnp.zeros((1,), jnp.float32)
        upper = jnp.arange(-_SPAN, _SPAN + 1, dtype=jnp.float32)[None] + shifts[:, None] + 0.5
        bits = self._interval(params, jnp.broadcast_to(upper[..., None], (*upper.shape, self.latent)))
        return jnp.exp2(-jnp.moveaxis(bits, -1, 0))
