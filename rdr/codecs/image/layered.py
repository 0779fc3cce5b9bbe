"""Latents of which a sample of their posterior is sent: x plus exactly Gaussian noise, given hyper-latents.

The hyper-decoder says a mean and a scale of each latent, as in `rdr.codecs.image.hyperprior`; the latent is then not
rounded, but sent through the layered dither (`rdr.codecs.channel.layered`): the decoder has y + N(0, s^2), as in a
variational autoencoder whose posterior is Gaussian. With half-width A and uniform U of the dither, the information is
-log2 P(y_hat - A < Y < y_hat + A) under the hyper-decoder's Gaussian, whose mean is the exact rate.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import tables_from_tree
from rdr.codecs.channel.base import check_shared_key
from rdr.codecs.channel.layered import add_layered, read_layered
from rdr.codecs.channel.layered_tables import check_layered_tables, make_layered_tables
from rdr.codecs.channel.noises import gaussian_noise, gaussian_source
from rdr.codecs.image import factorized
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.codecs.image.hyperprior import BITS, _Hyperprior
from rdr.codecs.image.validation import CodingLayout
from rdr.entropy_models import scale_table
from rdr.entropy_models.location_scale import interval_bits
from rdr.gradients import lower_bound
from rdr.quantize import straight_through_round, uniform_noise
from rdr.randomness import normal

NOISE_SCALE = 12.0**-0.5  # of the same variance as rounding to integers


def layered_model(*, channels: int, latents: int, means: bool, noise_scale: float = NOISE_SCALE) -> EntropyModel:
    """Makes the model of bmshj2018-hyperprior or mbt2018-mean with a Gaussian channel instead of rounding.

    Args:
      channels: N.
      latents: M.
      means: whether the hyper-decoder says means as well as scales.
      noise_scale: s, in the units of the latents.

    Returns:
      The model; `bits` with a key has noisy latents and an unbiased estimate of the rate, and without one those of a
      fixed draw. Its parameters are those of the model without the channel.

    Raises:
      ValueError: if M is odd with means, or the noise scale is not positive and finite.

    Reference: layers: wilson2000, hegazy2022; the model: balle2018variational, minnen2018joint.
    """
    if means and latents % 2:
        raise ValueError(f"latents must be even, got {latents}")
    if not 0.0 < noise_scale < np.inf:
        raise ValueError(f"noise_scale must be positive and finite, got {noise_scale}")
    model = _LayeredHyperprior(channels, latents, means, 0, float(noise_scale))
    name = "mbt2018-mean" if means else "bmshj2018-hyperprior"
    return EntropyModel(f"{name}-layered", 4, 0, model.init, model.bits, model.finalize, model.encode, model.decode,
                        model.coding_layout, lambda shared_key, shape: check_shared_key(shared_key))


def _check_scales(values: Any) -> None:
    count = scale_table.SCALES_LEVELS
    if np.shape(values) != (count,) or values.dtype != np.float32 or (values < np.finfo(np.float32).tiny).any():
        raise ValueError(f"its scales are not {count} positive numbers of float32")


@dataclasses.dataclass(frozen=True, eq=False)
class _LayeredHyperprior(_Hyperprior):
    """The networks of a hyperprior, and what they compute with noise instead of rounding."""

    noise_scale: float

    @property
    def coding_layout(self) -> CodingLayout:
        layout = super().coding_layout
        tables = {name: count for name, count in layout.tables.items() if name != "tables"}
        return layout._replace(tables=tables, others={
            "scales": _check_scales, "noise_scales": _check_scales, "layered": check_layered_tables})

    def bits(self, params: Any, y: jax.Array, key: jax.Array | None):
        """Estimates the rate of latents: see `EntropyModel`."""
        z = self.analysis.apply({"params": params["analysis"]}, y)
        hyper_key, layer_key, offset_key = jax.random.split(jax.random.key(0) if key is None else key, 3)
        z_seen = straight_through_round(z) if key is None else z + uniform_noise(hyper_key, z.shape)
        mean, scale = self._split(self.synthesis.apply({"params": params["synthesis"]}, z_seen))
        # The length of three normal numbers is a layer.
        layers = normal(layer_key, (3, *y.shape))
        half = jnp.float32(self.noise_scale) * jnp.sqrt(jnp.sum(jnp.square(layers), axis=0))
        y_hat = y + 2.0 * half * uniform_noise(offset_key, y.shape)
        scale = lower_bound(scale, jnp.float32(scale_table.SCALES_MIN))
        y_bits = interval_bits(y_hat + half, mean, scale, width=2.0 * half)
        return y_hat, (factorized.batch_sum(y_bits)
                       + factorized.batch_sum(factorized.prior_bits(self.prior, params["prior"], z_seen)))

    def finalize(self, params: Any) -> dict:
        """Makes tables for unit Gaussians, and the hyper-decoder in integers."""
        coding = _Hyperprior.finalize(self, params)
        del coding["tables"]
        scales = scale_table.scales().astype(np.float32)
        noise = (np.float32(self.noise_scale) / scales).astype(np.float32)
        return {**coding, "scales": scales, "noise_scales": noise,
                "layered": make_layered_tables(gaussian_source(), gaussian_noise(), noise)}

    def encode(self, params: Any, coding: Any, y: Any, dither: Any = None):
        """Codes latents; `dither` is the shared key."""
        z = factorized.rounded(self._analyzed(params["analysis"], y))
        mean, ids = (np.asarray(part) for part in self._predicted(coding["network"], coding["thresholds"], z))
        encoder = StepEncoder()
        encoder.add(z, tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z.shape))
        y = np.asarray(y, np.float64)
        if not np.isfinite(y).all():
            raise ValueError("the latents are not finite: are the image and the parameters?")
        unit = (y - mean / 2.0**BITS) / coding["scales"][ids].astype(np.float64)
        add_layered(encoder, coding["layered"], unit, noise=gaussian_noise(), noise_scale=coding["noise_scales"][ids],
                    shared_key=dither)
        return encoder.finish(), {"z": z}

    def decode(self, coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...],
               dither: Any = None) -> jax.Array:
        """Decodes latents; `dither` is the shared key."""
        batch, rows, columns, _ = shape
        decoder = StepDecoder(*payloads, max_surplus=factorized.MAX_SURPLUS)
        z_shape = (batch, rows // 4, columns // 4, self.channels)
        z = decoder.read(tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z_shape))
        mean, ids = (np.asarray(part) for part in self._predicted(coding["network"], coding["thresholds"], z))
        unit = read_layered(decoder, coding["layered"], shape, noise=gaussian_noise(),
                            noise_scale=coding["noise_scales"][ids], shared_key=dither)
        decoder.finish()
        return jnp.asarray((unit * coding["scales"][ids].astype(np.float64) + mean / 2.0**BITS).astype(np.float32))
