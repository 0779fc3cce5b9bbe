"""An image codec: an analysis and a synthesis with a model of the latents between them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import container
from rdr.codecs.base import Codec
from rdr.codecs.image import gain_units
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.randomness import shared_integers
from rdr.transforms.image import Analysis, Synthesis
from rdr.transforms.residual import ResidualAnalysis, ResidualSynthesis

TRANSFORMS = {"gdn": (Analysis, Synthesis), "residual": (ResidualAnalysis, ResidualSynthesis)}


def image_codec(model: EntropyModel, *, channels: int, latents: int, rate_levels: int = 0, realism: bool = False,
                transforms: str = "gdn", max_elements: int = container.MAX_ELEMENTS) -> Codec:
    """Makes an image codec.

    Args:
      model: of the latents.
      channels: N.
      latents: M.
      rate_levels: levels of the rate input, at least 2; 0 for none.
      realism: whether the decoder takes a realism weight.
      transforms: of `TRANSFORMS`: with GDN, as in the papers of the models, or with residual blocks.
      max_elements: largest number of values in an image batch; larger messages are refused before memory is claimed.

    Returns:
      The codec, for images [batch, height, width, 3] in [0, 1] of any size.
      `forward(params, x, *, key, rate=None, realism=None, dtype=float32)`: sides are multiples of 16 times the
      model's stride; with a key, the rate is that of latents with uniform noise, with None that of rounded ones;
      `rate` [batch] or a number is the level; `dtype` is that of the transforms (the latents' model is float32).
      `encode(params, x, *, rate=None, shared_key=None)`; `decode(.., condition=beta)` takes the realism weight.

    Raises:
      ValueError: if `rate_levels` is 1 or negative, the transforms are unknown, or N is odd with residual blocks.
    """
    if rate_levels < 0 or rate_levels == 1:
        raise ValueError(f"rate_levels must be 0 or at least 2, got {rate_levels}")
    if transforms not in TRANSFORMS:
        raise ValueError(f"transforms must be one of {', '.join(TRANSFORMS)}, got {transforms!r}")
    if transforms == "residual" and channels % 2:
        raise ValueError(f"channels must be even with residual blocks, got {channels}")
    analysis, synthesis = TRANSFORMS[transforms][0](channels, latents), TRANSFORMS[transforms][1](channels)
    has_realism, stride = realism, 16 * model.stride

    def init(key: jax.Array) -> dict:
        keys = jax.random.split(key, 3)
        params = {
            "analysis": analysis.init(keys[0], jnp.zeros((1, 16, 16, 3), jnp.float32))["params"],
            "synthesis": synthesis.init(keys[1], jnp.zeros((1, 1, 1, latents), jnp.float32))["params"],
            "model": model.init(keys[2]),
        }
        if rate_levels:
            params["gains"] = gain_units.init_gains(rate_levels, latents)
        if has_realism:
            params["realism"] = jax.tree.map(jnp.zeros_like, params["synthesis"])
        return params

    def levels(rate: Any, batch: int) -> jax.Array | None:
        if rate_levels == 0:
            if rate is not None:
                raise ValueError("this codec has one rate: rate must be None")
            return None
        if rate is None:
            raise ValueError(f"this codec needs a rate: a level between 0 and {rate_levels - 1}")
        return jnp.broadcast_to(jnp.asarray(rate, jnp.float32), (batch,))

    def analyze(params: Any, x: jax.Array, rate: jax.Array | None) -> jax.Array:
        y = analysis.apply({"params": params["analysis"]}, x).astype(jnp.float32)
        return y if rate is None else y * gain_units.gain_at(params["gains"]["log_gain"], rate)

    def synthesize(params: Any, y: jax.Array, rate: jax.Array | None, realism: Any, dtype: Any) -> jax.Array:
        if rate is not None:
            y = y * gain_units.gain_at(params["gains"]["log_inverse"], rate)
        weights = params["synthesis"]
        if realism is not None:
            weights = gain_units.interpolate(weights, params["realism"], realism)
        return synthesis.apply({"params": weights}, y.astype(dtype)).astype(jnp.float32)

    def checked_realism(value: Any) -> Any:
        if not has_realism:
            if value is not None:
                raise ValueError("this codec's decoder takes no realism weight: it must be None")
            return None
        return 0.0 if value is None else value

    def forward(params: Any, x: jax.Array, *, key: jax.Array | None, rate: Any = None, realism: Any = None,
                dtype: Any = jnp.float32):
        if x.ndim != 4 or x.shape[-1] != 3 or x.shape[1] % stride or x.shape[2] % stride:
            raise ValueError(f"x must have shape [batch, height, width, 3] with sides that are multiples of {stride}, "
                             f"got {x.shape}")
        level = levels(rate, x.shape[0])
        y = analyze(params, jnp.asarray(x, dtype), level)
        y_hat, bits = model.bits(params["model"], y, key)
        return synthesize(params, y_hat, level, checked_realism(realism), dtype), bits

    jitted_analyze = jax.jit(analyze)
    jitted_synthesize = jax.jit(synthesize, static_argnums=4)

    def finalize(params: Any) -> dict:
        params = {part: tree for part, tree in params.items() if part != "coding"}
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
        return {**params, "coding": model.finalize(params["model"])}

    def latent_shape(shape: tuple[int, ...], said: str) -> tuple[int, ...]:
        """Of the padded images; refused by encoder and decoder alike if these are far larger than what they hold."""
        batch, height, width, _ = shape
        rows, columns = (math.ceil(side / stride) * model.stride for side in (height, width))
        if batch * rows * columns * 256 * 3 > 4 * max_elements + 3 * stride * stride:
            raise ValueError(f"{said} the shape {shape}, too large when padded")
        return batch, rows, columns, latents

    def encoded(params: Any, x: Any, rate: Any, shared_key: jax.Array | None):
        if "coding" not in params:
            raise ValueError("these parameters have no integer tables yet: pass them through the codec's finalize once")
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[-1] != 3 or 0 in x.shape:
            raise ValueError(f"x must have shape [batch, height, width, 3] without empty sides, got {x.shape}")
        if not np.issubdtype(x.dtype, np.floating) or not np.isfinite(x).all():
            raise ValueError(f"x must hold finite floating-point numbers in [0, 1], got {x.dtype}")
        if x.size > max_elements:
            raise ValueError(f"x must have at most {max_elements} elements, got {x.size}")
        levels(rate, 1)
        if rate_levels and not 0.0 <= float(rate) <= rate_levels - 1:
            raise ValueError(f"rate must be a level in [0, {rate_levels - 1}], got {rate}")
        step = round(float(rate) * gain_units.RATE_STEPS) if rate_levels else None
        batch, height, width, _ = x.shape
        latent_shape(x.shape, "x has")
        padded = np.pad(x.astype(np.float32), ((0, 0), (0, -height % stride), (0, -width % stride), (0, 0)), "edge")
        y = jitted_analyze(params, padded, _level(step, batch))
        payloads, symbols = model.encode(params["model"], params["coding"], y, dither(shared_key, y.shape))
        head = b"" if step is None else step.to_bytes(2, "little")
        return (head, *payloads), symbols

    def dither(shared_key: jax.Array | None, shape: tuple[int, ...]) -> np.ndarray | None:
        if model.dither_levels == 0:
            if shared_key is not None:
                raise ValueError("this codec shares no randomness: shared_key must be None")
            return None
        if shared_key is None:
            raise ValueError("this codec needs the shared_key that encoder and decoder agreed on")
        return np.asarray(shared_integers(shared_key, shape, levels=model.dither_levels))

    def symbols(params: Any, x: Any, shared_key: jax.Array | None = None, *, rate: Any = None) -> dict:
        return encoded(params, x, rate, shared_key)[1]

    def encode(params: Any, x: Any, *, shared_key: jax.Array | None = None, rate: Any = None) -> bytes:
        payloads, _ = encoded(params, x, rate, shared_key)
        shape = tuple(np.shape(x))
        return container.pack(container.Message(model.name, container.fingerprint(params), shape, payloads))

    def decode(message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: Any = None) -> jax.Array:
        if params is None or "coding" not in params:
            raise ValueError("this codec's messages do not carry its parameters: give finalized params")
        if private_key is not None:
            raise ValueError("this codec's decoder draws nothing: private_key must be None")
        beta = checked_realism(condition)
        if beta is not None and not 0.0 <= float(beta) <= 1.0:
            raise ValueError(f"the realism weight must be in [0, 1], got {beta}")
        parts = container.unpack(message, max_elements=max_elements)
        if parts.codec != model.name:
            raise ValueError(f"the message was written by codec {parts.codec!r}, not by {model.name!r}")
        if parts.fingerprint != container.fingerprint(params):
            raise ValueError("the message was written with other parameters than those given")
        if len(parts.payloads) != 3 or len(parts.payloads[0]) != (2 if rate_levels else 0):
            raise ValueError("damaged message: its payloads are not those of this codec")
        if len(parts.shape) != 4 or parts.shape[-1] != 3 or 0 in parts.shape:
            raise ValueError(f"damaged message: {parts.shape} is no shape of a batch of images")
        head, *payloads = parts.payloads
        step = int.from_bytes(head, "little") if rate_levels else None
        if step is not None and step > (rate_levels - 1) * gain_units.RATE_STEPS:
            raise ValueError(f"damaged message: rate level {step / gain_units.RATE_STEPS} does not exist")
        batch, height, width, _ = parts.shape
        shape = latent_shape(parts.shape, "the message announces")
        y_hat = model.decode(params["coding"], tuple(payloads), shape, dither(shared_key, shape))
        x = jitted_synthesize(params, y_hat, _level(step, batch), beta, jnp.float32)
        return jnp.clip(x[:, :height, :width], 0.0, 1.0)

    return Codec(model.name, init, forward, finalize, symbols, encode, decode)


def _level(step: int | None, batch: int) -> jax.Array | None:
    return None if step is None else jnp.full((batch,), step / gain_units.RATE_STEPS, jnp.float32)
