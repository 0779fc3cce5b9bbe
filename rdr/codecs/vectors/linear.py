"""Model of blocks of an i.i.d. source: a space-filling quantizer between two scalings.

With Q a lattice's or a trellis's quantizer, u a dither that both sides know (0 without one), and s the step:

    z = s (Q(x / s + u) - u),   bits = -log2 P(z | u) with P ~ exp(-|z|^2 / (2 power)) on the points,   y = g z.

With a dither that is uniform over a period, z - x is independent of x and uniform on Q's cell; for a Gaussian source
the Wiener gain g then comes within the cell's space-filling loss of R(D). The gain that gives y the source's power
comes as close to R(D, P = 0), and y is nearly as Gaussian as x.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.model import VectorModel, as_rows, blocks_of
from rdr.randomness import uniform
from rdr.units import nats_to_bits

MAX_SIZE = 2.0**18  # largest input in whole numbers of the quantizer, where float32 arithmetic is still exact enough
MAX_ELEMENTS = 2**22
_PARTS = ("log_step", "log_power", "gain", "realism_gain")


class Quantizer(NamedTuple):
    """What a linear codec needs to know of its quantizer.

    Attributes:
      name: of the codec.
      dimension: length of the last axis of x, or 0 for any length.
      volume: of the cell per sample, for step 1.
      second_moment: mean squared error per sample for step 1, exact or about.
      period: of the dither, in whole numbers of the quantizer along an axis.
      scale: length of a whole number; broadcasts with x.
      nearest: float x / s + u [..., dimension] -> int32 points; under jit.
      encode: (points, dither, tables) -> two byte strings; both int [blocks, dimension].
      decode: (coded, escapes, dither, tables) -> int32 points.
      bits: (points, dither, tables) -> ideal code length of each block, float64 [blocks].
      tables: (beta, step, dither_levels) -> a tree of integer tables.
    """

    name: str
    dimension: int
    volume: float
    second_moment: float
    period: int
    scale: np.ndarray
    nearest: Callable[[jax.Array | np.ndarray], jax.Array]
    encode: Callable[..., tuple[bytes, bytes]]
    decode: Callable[..., np.ndarray]
    bits: Callable[..., np.ndarray]
    tables: Callable[..., Any]


def gaussian_params(quantizer: Quantizer, step: float) -> dict[str, jax.Array]:
    """Parameters for a standard normal source, right for a quantizer with a dither.

    The noise of a cell with second moment d = G s^2 makes the power 1 + d, the Wiener gain 1 / (1 + d), and the
    gain to the source's own power 1 / sqrt(1 + d).

    Args:
      quantizer: the quantizer.
      step: s.

    Returns:
      Parameters of the codec.
    """
    power = 1.0 + quantizer.second_moment * step**2
    values = {"log_step": math.log(step), "log_power": math.log(power), "gain": 1.0 / power,
              "realism_gain": power**-0.5}
    return {name: jnp.float32(value) for name, value in values.items()}


def step_for_rate(quantizer: Quantizer, rate: float) -> float:
    """The step at which a dithered codec spends about a given rate on a standard normal source.

    From rate = (1/2) log2(2 pi e (1 + G s^2) / (v s)^2), with v the cell's volume per sample.

    Args:
      quantizer: the quantizer.
      rate: bits per sample, larger than the rate that is lost at any step.

    Returns:
      s.

    Raises:
      ValueError: if no step gives so small a rate.
    """
    inverse = quantizer.volume**2 * 4.0**rate / (2.0 * math.pi * math.e) - quantizer.second_moment
    if not inverse > 0:
        raise ValueError(f"rate must exceed what {quantizer.name} loses at every step, got {rate}")
    return inverse**-0.5


def fit(codec: VectorCodec | VectorModel, params: dict, x: Any, *, key: jax.Array) -> dict[str, jax.Array]:
    """Sets power and gains to those of samples, at the same step.

    Args:
      codec: a linear codec, or its model.
      params: its parameters.
      x: samples of the source [batch, dimension].
      key: of the noise that stands for the dither; without a dither it is not used.

    Returns:
      New parameters, without tables.
    """
    x = jnp.asarray(x, jnp.float32)
    network = {name: params[name] for name in _PARTS}
    z = codec.forward({**network, "gain": jnp.float32(1.0)}, x, key=key)[0]
    power = jnp.mean(z * z)
    return {**network, "log_power": jnp.log(power), "gain": jnp.mean(x * z) / power,
            "realism_gain": jnp.sqrt(jnp.mean(x * x) / power)}


def linear_model(quantizer: Quantizer, *, dither_levels: int, max_elements: int = MAX_ELEMENTS) -> VectorModel:
    """Makes the model of a quantizer.

    Args:
      quantizer: the quantizer.
      dither_levels: number of values of the shared dither along an axis, a power of two from the quantizer's period
        to 2^16; 0 for none.
      max_elements: largest number of samples in a message.

    Returns:
      The model, for arrays [..., dimension]. `forward(params, x, *, key, realism=0.0)` has straight-through gradients
      without a dither; its bits are those of a density, which at low rates are a little more than the tables'.
      `decode` of a dithered codec takes as condition a realism weight from 0 (least error) to 1 (the source's power).

    Raises:
      ValueError: if `dither_levels` is no such number.
    """
    valid = quantizer.period <= dither_levels <= 2**16 and not dither_levels & (dither_levels - 1)
    if dither_levels and not valid:
        raise ValueError(f"dither_levels must be 0 or a power of two from {quantizer.period} to 2^16, "
                         f"got {dither_levels}")
    parts = _Linear(quantizer, dither_levels)
    return VectorModel(
        f"{quantizer.name}{'-dither' if dither_levels else ''}", _PARTS, blocks_of(quantizer.dimension),
        lambda shape: shape, parts.init, parts.forward, parts.quantize, parts.reconstruct, parts.make_tables,
        parts.encode, parts.decode, parts.code_lengths, check_latents=parts.check_latents, dither_levels=dither_levels,
        realism=True, max_elements=max_elements)


@dataclasses.dataclass(frozen=True, eq=False)  # compared, and so compiled, by identity: models are made once
class _Linear:
    """A quantizer with the number of its dither's values, and what they compute."""

    quantizer: Quantizer
    dither_levels: int

    @property
    def spacing(self) -> float:
        """Of the dither's values, in whole numbers."""
        return self.quantizer.period / self.dither_levels if self.dither_levels else 0.0

    def _coordinates(self, u: jax.Array) -> jax.Array:
        """Whole numbers as coordinates."""
        return u * jnp.broadcast_to(jnp.asarray(self.quantizer.scale, jnp.float32), u.shape)

    def init(self, key: jax.Array) -> dict:
        """Makes parameters for a standard normal source and step 1."""
        del key
        return gaussian_params(self.quantizer, 1.0)

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array, realism: float | jax.Array = 0.0):
        """Reconstructs x, and estimates its rate: see `linear_model`."""
        x, quantizer = jnp.asarray(x, jnp.float32), self.quantizer
        step, power = jnp.exp(params["log_step"]), jnp.exp(params["log_power"])
        if self.dither_levels:
            u = uniform(key, x.shape) * quantizer.period
            z = x + step * self._coordinates(quantizer.nearest(self._coordinates(u)) - u)
        else:
            nearest = quantizer.nearest(x / step).astype(jnp.float32)
            z = step * (x / step + jax.lax.stop_gradient(self._coordinates(nearest) - x / step))
        density = jnp.square(z) / (2.0 * power) + 0.5 * jnp.log(2.0 * jnp.pi * power) - jnp.log(step)
        bits = nats_to_bits(density - math.log(quantizer.volume)).reshape(x.shape[0], -1).sum(-1)
        gain = params["gain"] + realism * (params["realism_gain"] - params["gain"])
        return gain * z, bits

    def quantize(self, params: Any, x: jax.Array, dither: jax.Array) -> jax.Array:
        """Computes Q(x / s + u)."""
        return self._points(params["log_step"], x, dither)

    @functools.partial(jax.jit, static_argnums=0)
    def _points(self, log_step: jax.Array, x: jax.Array, u: jax.Array) -> jax.Array:
        offset = self._coordinates(u.astype(jnp.float32) * self.spacing)
        return self.quantizer.nearest(x / jnp.exp(log_step) + offset)

    def check_latents(self, params: Any, x: np.ndarray) -> None:
        """Refuses what float32 arithmetic would not quantize well enough."""
        if not np.isfinite(x).all():
            raise ValueError("x must be finite")
        unit = math.exp(float(params["log_step"])) * float(np.min(self.quantizer.scale))
        if np.abs(x).max(initial=0.0) > MAX_SIZE * unit:
            raise ValueError(f"x must be at most {MAX_SIZE:.0f} steps in size: an element is too large")

    def reconstruct(self, params: Any, points: np.ndarray, dither: jax.Array, private_key: None, realism: float
                    ) -> jax.Array:
        """Computes g s (point - u), in float64 in numpy: one answer, whatever device the process computes on."""
        del private_key
        gain = (1.0 - realism) * float(params["gain"]) + realism * float(params["realism_gain"])
        step = math.exp(float(params["log_step"]))
        z = (points - np.asarray(dither) * self.spacing) * self.quantizer.scale * step
        return jnp.asarray((gain * z).astype(np.float32))

    def make_tables(self, params: Any) -> Any:
        """Makes tables for the step and power of the parameters."""
        step, power = (math.exp(float(params[part])) for part in ("log_step", "log_power"))
        return self.quantizer.tables(0.5 / power, step, self.dither_levels)

    def encode(self, points: np.ndarray, dither: np.ndarray, stored: Any) -> tuple[bytes, bytes]:
        """Codes blocks."""
        return self.quantizer.encode(as_rows(points), as_rows(dither), stored)

    def decode(self, coded: bytes, escapes: bytes, dither: np.ndarray, stored: Any) -> np.ndarray:
        """Decodes blocks."""
        return self.quantizer.decode(coded, escapes, as_rows(dither), stored).reshape(dither.shape)

    def code_lengths(self, points: np.ndarray, dither: np.ndarray, stored: Any) -> np.ndarray:
        """Computes the ideal code length of each block, [blocks, 1]."""
        return self.quantizer.bits(as_rows(points), as_rows(dither), stored)[:, None]
