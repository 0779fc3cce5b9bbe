"""Codecs of blocks of an i.i.d. source by a space-filling quantizer between two scalings.

With Q a lattice's or a trellis's quantizer, u a dither that both sides know (0 without one), and s the step:

    z = s (Q(x / s + u) - u),   bits = -log2 P(z | u) with P ~ exp(-|z|^2 / (2 power)) on the points,   y = g z.

With a dither that is uniform over a period, z - x is independent of x and has the law of Q's cell; for a Gaussian
source the Wiener gain g then comes within the cell's space-filling loss of R(D). The gain that gives y the
source's power comes as close to R(D, P = 0), and y is nearly as Gaussian as x.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import container
from rdr.codecs.base import Codec, open_message
from rdr.randomness import shared_integers
from rdr.units import nats_to_bits

LARGEST = 2.0**18  # largest input in whole numbers of the quantizer, where float32 arithmetic is still exact enough
MAX_ELEMENTS = 2**22


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
    nearest: Callable[[jax.Array], jax.Array]
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


def fit(codec: Codec, params: dict, x: Any, *, key: jax.Array) -> dict[str, jax.Array]:
    """Sets power and gains to those of samples, at the same step.

    Args:
      codec: a linear codec.
      params: its parameters.
      x: samples of the source [batch, dimension].
      key: of the noise that stands for the dither; without a dither it is not used.

    Returns:
      New parameters, without tables.
    """
    x = jnp.asarray(x, jnp.float32)
    kept = {name: params[name] for name in ("log_step", "log_power", "gain", "realism_gain")}
    z = codec.forward({**kept, "gain": jnp.float32(1.0)}, x, key=key)[0]
    power = jnp.mean(z * z)
    return {**kept, "log_power": jnp.log(power), "gain": jnp.mean(x * z) / power,
            "realism_gain": jnp.sqrt(jnp.mean(x * x) / power)}


def linear_codec(quantizer: Quantizer, *, dither_levels: int, max_elements: int) -> Codec:
    """Makes a codec from a quantizer.

    Args:
      quantizer: the quantizer.
      dither_levels: number of values of the shared dither along an axis, a power of two from the quantizer's period
        to 2^16; 0 for none.
      max_elements: largest number of samples in a message.

    Returns:
      The codec, for arrays [..., dimension]. `forward(params, x, *, key, realism=0.0)` has straight-through gradients
      without a dither; its bits are those of a density, which at low rates are a little more than the tables'.
      `decode` of a dithered codec takes as condition a realism weight from 0 (least error) to 1 (the source's power).

    Raises:
      ValueError: if `dither_levels` is no such number.
    """
    fits = quantizer.period <= dither_levels <= 2**16 and not dither_levels & (dither_levels - 1)
    if dither_levels and not fits:
        raise ValueError(f"dither_levels must be 0 or a power of two from {quantizer.period} to 2^16, "
                         f"got {dither_levels}")
    name = f"{quantizer.name}{'-dither' if dither_levels else ''}"
    spacing = quantizer.period / dither_levels if dither_levels else 0.0

    def whole(u: jax.Array) -> jax.Array:
        """Whole numbers as coordinates."""
        return u * jnp.broadcast_to(jnp.asarray(quantizer.scale, jnp.float32), u.shape)

    def check_shape(shape: tuple[int, ...], what: str) -> None:
        if not shape or quantizer.dimension not in (0, shape[-1]):
            raise ValueError(f"{what} must have shape [..., {quantizer.dimension or 'steps'}], got {shape}")

    def dither(shape: tuple[int, ...], shared_key: jax.Array | None) -> jax.Array:
        if not dither_levels:
            if shared_key is not None:
                raise ValueError("this codec shares no randomness: shared_key must be None")
            return jnp.zeros(shape, jnp.int32)
        if shared_key is None:
            raise ValueError("this codec needs the shared_key that encoder and decoder agreed on")
        return shared_integers(shared_key, shape, levels=dither_levels)

    def forward(params: Any, x: jax.Array, *, key: jax.Array, realism: float | jax.Array = 0.0):
        x = jnp.asarray(x, jnp.float32)
        step, power = jnp.exp(params["log_step"]), jnp.exp(params["log_power"])
        if dither_levels:
            u = jax.random.uniform(key, x.shape, jnp.float32) * quantizer.period
            noise = whole(quantizer.nearest(whole(u)) - u)
        else:
            noise = jax.lax.stop_gradient(whole(quantizer.nearest(x / step).astype(jnp.float32)) - x / step)
        z = x + step * noise if dither_levels else step * (x / step + noise)
        density = jnp.square(z) / (2.0 * power) + 0.5 * jnp.log(2.0 * jnp.pi * power) - jnp.log(step)
        bits = nats_to_bits(density - math.log(quantizer.volume)).reshape(x.shape[0], -1).sum(-1)
        gain = params["gain"] + realism * (params["realism_gain"] - params["gain"])
        return gain * z, bits

    @jax.jit
    def points(params: Any, x: jax.Array, u: jax.Array) -> jax.Array:
        return quantizer.nearest(x / jnp.exp(params["log_step"]) + whole(u.astype(jnp.float32) * spacing))

    def symbols(params: Any, x: jax.Array, shared_key: jax.Array | None = None) -> jax.Array:
        x = jnp.asarray(x, jnp.float32)
        check_shape(x.shape, "x")
        return points({"log_step": params["log_step"]}, x, dither(x.shape, shared_key))

    def finalize(params: Any) -> dict:
        kept = {part: params[part] for part in ("log_step", "log_power", "gain", "realism_gain")}
        step, power = (math.exp(float(kept[part])) for part in ("log_step", "log_power"))
        return {**kept, "tables": quantizer.tables(0.5 / power, step, dither_levels)}

    def tables(params: Any) -> Any:
        if "tables" not in params:
            raise ValueError("these parameters have no integer tables yet: pass them through the codec's finalize once")
        return params["tables"]

    def rows(array: Any) -> np.ndarray:
        array = np.asarray(array)
        return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None) -> bytes:
        found = tables(params)
        x = np.asarray(x, np.float32)
        check_shape(x.shape, "x")
        if not np.isfinite(x).all():
            raise ValueError("x must be finite")
        if x.size > max_elements:
            raise ValueError(f"x must have at most {max_elements} elements, got {x.size}")
        unit = math.exp(float(params["log_step"])) * float(np.min(quantizer.scale))
        if np.abs(x).max(initial=0.0) > LARGEST * unit:
            raise ValueError(f"x must be at most {LARGEST:.0f} steps in size: an element is too large")
        u = dither(x.shape, shared_key)
        payloads = quantizer.encode(rows(symbols(params, x, shared_key)), rows(u), found)
        return container.pack(container.Message(name, container.fingerprint(params), x.shape, payloads))

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: float | None = None) -> jax.Array:
        if private_key is not None:
            raise ValueError("this codec's decoder has no randomness of its own: private_key must be None")
        weight = 0.0 if condition is None else float(condition)
        if not 0.0 <= weight <= 1.0 or (weight > 0 and not dither_levels):
            raise ValueError(f"condition must be a realism weight in [0, 1], 0 without a dither, got {condition}")
        parts = open_message(message, name=name, params=params, payloads=2, max_elements=max_elements)
        check_shape(parts.shape, "damaged message: the reconstruction")
        u = np.asarray(dither(parts.shape, shared_key))
        found = quantizer.decode(*parts.payloads, rows(u), tables(params)).reshape(parts.shape)
        gain = (1.0 - weight) * float(params["gain"]) + weight * float(params["realism_gain"])
        # float64 in numpy: one answer, whatever device the process computes on.
        z = (found - u * spacing) * quantizer.scale * math.exp(float(params["log_step"]))
        return jnp.asarray((gain * z).astype(np.float32))

    return Codec(name, lambda key: gaussian_params(quantizer, 1.0), forward, finalize, symbols, encode, decode)
