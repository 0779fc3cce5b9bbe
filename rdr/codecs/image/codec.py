"""Image codec: an analysis and a synthesis with a model of the latents between them."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import container
from rdr.codecs.base import Codec, draw_dither, open_message, stored_tables
from rdr.codecs.image import gain_units
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.program_cache import ProgramCache
from rdr.transforms.image import Analysis, Synthesis
from rdr.transforms.residual import ResidualAnalysis, ResidualSynthesis

TRANSFORMS = {"gdn": (Analysis, Synthesis), "residual": (ResidualAnalysis, ResidualSynthesis)}


def image_codec(model: EntropyModel, *, channels: int, latents: int, rate_levels: int = 0, realism: bool = False,
                transforms: str | tuple[Any, Any] = "gdn", max_elements: int = container.MAX_ELEMENTS) -> Codec:
    """Makes an image codec.

    Args:
      model: of the latents.
      channels: N.
      latents: M.
      rate_levels: levels of the rate input, at least 2; 0 for none.
      realism: whether the decoder takes a realism weight.
      transforms: of `TRANSFORMS`: "gdn", as in the papers of the models, or "residual", with residual blocks; or two
        modules of one's own, `analysis(channels, latents)` and `synthesis(channels)`.
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
    if transforms == "residual" and channels % 2:
        raise ValueError(f"channels must be even with residual blocks, got {channels}")
    analysis, synthesis = _transforms(transforms)
    codec = _ImageCodec(model, analysis(channels, latents), synthesis(channels), latents, rate_levels, realism,
                        max_elements)
    return Codec(model.name, codec.init, codec.forward, codec.finalize, codec.symbols, codec.encode, codec.decode)


def _transforms(transforms: Any) -> tuple[Any, Any]:
    if not isinstance(transforms, str):
        return tuple(transforms)
    if transforms not in TRANSFORMS:
        raise ValueError(f"transforms must be one of {', '.join(TRANSFORMS)}, or two modules, got {transforms!r}")
    return TRANSFORMS[transforms]


@dataclasses.dataclass(frozen=True, eq=False)
class _ImageCodec:
    """The parts of a codec, and what they compute; programs are compiled for the padded sizes used last."""

    model: EntropyModel
    analysis: nn.Module
    synthesis: nn.Module
    latents: int
    rate_levels: int
    realism: bool
    max_elements: int

    def __post_init__(self):
        object.__setattr__(self, "_analyzed", ProgramCache(self._analyze))
        object.__setattr__(self, "_synthesized", ProgramCache(self._synthesize, static_argnums=(4,)))

    @property
    def stride(self) -> int:
        return 16 * self.model.stride

    def init(self, key: jax.Array) -> dict:
        """Draws parameters."""
        keys = jax.random.split(key, 3)
        params = {
            "analysis": self.analysis.init(keys[0], jnp.zeros((1, 16, 16, 3), jnp.float32))["params"],
            "synthesis": self.synthesis.init(keys[1], jnp.zeros((1, 1, 1, self.latents), jnp.float32))["params"],
            "model": self.model.init(keys[2]),
        }
        if self.rate_levels:
            params["gains"] = gain_units.init_gains(self.rate_levels, self.latents)
        if self.realism:
            params["realism"] = jax.tree.map(jnp.zeros_like, params["synthesis"])
        return params

    def forward(self, params: Any, x: jax.Array, *, key: jax.Array | None, rate: Any = None, realism: Any = None,
                dtype: Any = jnp.float32):
        """Reconstructs x, and estimates its rate: see `image_codec`."""
        stride = self.stride
        if x.ndim != 4 or x.shape[-1] != 3 or x.shape[1] % stride or x.shape[2] % stride:
            raise ValueError(f"x must have shape [batch, height, width, 3] with sides that are multiples of {stride}, "
                             f"got {x.shape}")
        level = self._levels(rate, x.shape[0])
        y = self._analyze(params, jnp.asarray(x, dtype), level)
        y_hat, bits = self.model.bits(params["model"], y, key)
        return self._synthesize(params, y_hat, level, self._checked_realism(realism), dtype), bits

    def finalize(self, params: Any) -> dict:
        """Adds the integers that encoder and decoder share."""
        params = {part: tree for part, tree in params.items() if part != "coding"}
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
        return {**params, "coding": self.model.finalize(params["model"])}

    def symbols(self, params: Any, x: Any, shared_key: jax.Array | None = None, *, rate: Any = None) -> dict:
        """Computes what is coded, by the names of the model."""
        return self._encoded(params, x, rate, shared_key)[1]

    def encode(self, params: Any, x: Any, *, shared_key: jax.Array | None = None, rate: Any = None) -> bytes:
        """Writes images as a message."""
        payloads, _ = self._encoded(params, x, rate, shared_key)
        return container.pack(container.Message(
            self.model.name, container.fingerprint(params), tuple(np.shape(x)), payloads))

    def decode(self, message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: Any = None) -> jax.Array:
        """Reads images from a message."""
        if params is None or "coding" not in params:
            raise ValueError("this codec's messages do not carry its parameters: give finalized params")
        if private_key is not None:
            raise ValueError("this codec's decoder draws nothing: private_key must be None")
        beta = self._checked_realism(condition)
        if beta is not None and not 0.0 <= float(beta) <= 1.0:
            raise ValueError(f"the realism weight must be in [0, 1], got {beta}")
        parts = open_message(message, name=self.model.name, params=params, payloads=3, max_elements=self.max_elements)
        step, shape = self._opened(parts)
        batch, height, width, _ = parts.shape
        dither = self._dither(shared_key, shape)
        y_hat = self.model.decode(params["coding"], parts.payloads[1:], shape, dither)
        network = {part: params[part] for part in ("synthesis", "realism", "gains") if part in params}
        x = self._synthesized(network, y_hat, _level(step, batch), beta, jnp.float32)
        # In numpy: single operations would be compiled for every size of image, too.
        return jnp.asarray(np.clip(np.asarray(x)[:, :height, :width], np.float32(0.0), np.float32(1.0)))

    def _opened(self, parts: container.Message) -> tuple[int | None, tuple[int, ...]]:
        """The rate level in sixteenths, and the latents' shape, of a message that could be this codec's."""
        if len(parts.payloads[0]) != (2 if self.rate_levels else 0):
            raise ValueError("damaged message: its payloads are not those of this codec")
        if len(parts.shape) != 4 or parts.shape[-1] != 3 or 0 in parts.shape:
            raise ValueError(f"damaged message: {parts.shape} is no shape of a batch of images")
        step = int.from_bytes(parts.payloads[0], "little") if self.rate_levels else None
        if step is not None and step > (self.rate_levels - 1) * gain_units.RATE_STEPS:
            raise ValueError(f"damaged message: rate level {step / gain_units.RATE_STEPS} does not exist")
        return step, self._latent_shape(parts.shape, "the message announces")

    def _levels(self, rate: Any, batch: int) -> jax.Array | None:
        if self.rate_levels == 0:
            if rate is not None:
                raise ValueError("this codec has one rate: rate must be None")
            return None
        if rate is None:
            raise ValueError(f"this codec needs a rate: a level between 0 and {self.rate_levels - 1}")
        return jnp.broadcast_to(jnp.asarray(rate, jnp.float32), (batch,))

    def _analyze(self, params: Any, x: jax.Array, rate: jax.Array | None) -> jax.Array:
        y = self.analysis.apply({"params": params["analysis"]}, x).astype(jnp.float32)
        return y if rate is None else y * gain_units.gain_at(params["gains"]["log_gain"], rate)

    def _synthesize(self, params: Any, y: jax.Array, rate: jax.Array | None, realism: Any, dtype: Any) -> jax.Array:
        if rate is not None:
            y = y * gain_units.gain_at(params["gains"]["log_inverse"], rate)
        weights = params["synthesis"]
        if realism is not None:
            weights = gain_units.interpolate(weights, params["realism"], realism)
        return self.synthesis.apply({"params": weights}, y.astype(dtype)).astype(jnp.float32)

    def _checked_realism(self, value: Any) -> Any:
        if not self.realism:
            if value is not None:
                raise ValueError("this codec's decoder takes no realism weight: it must be None")
            return None
        return 0.0 if value is None else value

    def _latent_shape(self, shape: tuple[int, ...], subject: str) -> tuple[int, ...]:
        """Of the padded images; refused by encoder and decoder alike if these are far larger than what they hold."""
        batch, height, width, _ = shape
        rows, columns = (math.ceil(side / self.stride) * self.model.stride for side in (height, width))
        if batch * rows * columns * 256 * 3 > 4 * self.max_elements + 3 * self.stride * self.stride:
            raise ValueError(f"{subject} the shape {shape}, too large when padded")
        return batch, rows, columns, self.latents

    def _checked_images(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[-1] != 3 or 0 in x.shape:
            raise ValueError(f"x must have shape [batch, height, width, 3] without empty sides, got {x.shape}")
        if not np.issubdtype(x.dtype, np.floating) or not np.isfinite(x).all():
            raise ValueError(f"x must hold finite floating-point numbers in [0, 1], got {x.dtype}")
        if x.size > self.max_elements:
            raise ValueError(
                f"x must have at most {self.max_elements} elements, {self.max_elements / 3e6:.2f} megapixels, got "
                f"{x.size}, {x.size / 3e6:.2f} megapixels: make the codec with a larger max_elements, cut the image "
                "into tiles, or use the overfitted codec, which does so itself")
        self._latent_shape(x.shape, "x has")
        return x.astype(np.float32)

    def _encoded(self, params: Any, x: Any, rate: Any, shared_key: jax.Array | None):
        coding = stored_tables(params, "coding")
        x = self._checked_images(x)
        self._levels(rate, 1)
        if self.rate_levels and not 0.0 <= float(rate) <= self.rate_levels - 1:
            raise ValueError(f"rate must be a level in [0, {self.rate_levels - 1}], got {rate}")
        step = round(float(rate) * gain_units.RATE_STEPS) if self.rate_levels else None
        batch, height, width, _ = x.shape
        padded = np.pad(x, ((0, 0), (0, -height % self.stride), (0, -width % self.stride), (0, 0)), "edge")
        network = {part: params[part] for part in ("analysis", "gains") if part in params}
        y = self._analyzed(network, padded, _level(step, batch))
        payloads, symbols = self.model.encode(params["model"], coding, y, self._dither(shared_key, y.shape))
        head = b"" if step is None else step.to_bytes(2, "little")
        return (head, *payloads), symbols

    def _dither(self, shared_key: jax.Array | None, shape: tuple[int, ...]) -> Any:
        if self.model.draw is not None:
            return self.model.draw(shared_key, shape)
        dither = draw_dither(shared_key, shape, levels=self.model.dither_levels)
        return None if dither is None else np.asarray(dither)


def _level(step: int | None, batch: int) -> np.ndarray | None:
    return None if step is None else np.full((batch,), step / gain_units.RATE_STEPS, np.float32)
