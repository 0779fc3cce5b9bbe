"""Latents that are Gaussian given hyper-latents: bmshj2018-hyperprior (scales) and mbt2018-mean (means and scales).

While coding, the hyper-decoder runs in integers (`rdr.entropy_models.integer_network`): what it says of a latent's
mean, in units of 1/256, and of its scale, by its index in a table of 64, is the same on every device.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.codecs.image import factorized
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.entropy_models import scale_table
from rdr.entropy_models.deep_factorized import DeepFactorized
from rdr.entropy_models.integer_network import LayerSpec, apply_network, quantize_network
from rdr.entropy_models.location_scale import interval_bits
from rdr.gradients import lower_bound
from rdr.quantize import straight_through_round, uniform_noise
from rdr.transforms.image import HyperAnalysis, HyperSynthesis

BITS = 8  # means and scales are in units of 2^-BITS
INNER_BITS = 12  # what networks see and say among themselves, in a range of +-2048


def gaussian_bits(values: jax.Array, mean: jax.Array, scale: jax.Array) -> jax.Array:
    """Information in unit intervals around values.

    Args:
      values: any shape.
      mean: same shape.
      scale: same shape; those below the table's smallest count as it.

    Returns:
      Bits, same shape.
    """
    scale = lower_bound(scale, jnp.float32(scale_table.SCALES_MIN))
    return interval_bits(values + 0.5, mean, scale)


def network_input(z: jax.Array) -> jax.Array:
    """Hyper-latents in units of 2^-INNER_BITS; those beyond +-2047 count as that."""
    limit = 2**11 - 1
    return jnp.left_shift(jnp.clip(jnp.asarray(z, jnp.int32), -limit, limit), INNER_BITS)


def scale_thresholds() -> np.ndarray:
    """Scales at which the index of the nearest table changes, in units of 2^-BITS: int32 [63]."""
    scales = scale_table.scales()
    return np.round(np.sqrt(scales[1:] * scales[:-1]) * 2**BITS).astype(np.int32)


def scale_indices(scales: jax.Array, thresholds: jax.Array) -> jax.Array:
    """Index of the table for integer scales: how many thresholds they reach.

    Args:
      scales: int32, any shape, in units of 2^-BITS.
      thresholds: int32 [63], increasing.

    Returns:
      int32, same shape.
    """
    return jnp.searchsorted(thresholds, scales, side="right", method="compare_all").astype(jnp.int32)


def hyperprior_model(*, channels: int, latents: int, means: bool, dither_levels: int = 0) -> EntropyModel:
    """Makes the model of bmshj2018-hyperprior or mbt2018-mean.

    Args:
      channels: N.
      latents: M.
      means: whether the hyper-decoder says means as well as scales.
      dither_levels: values of a dither of the latents that both sides share (universal quantization), a power of two;
        0 for rounding. Hyper-latents are rounded in any case.

    Returns:
      The model.

    Raises:
      ValueError: if M is odd, which 3 M / 2 channels of mbt2018-mean do not allow.

    Reference: Ballé et al., ICLR 2018; Minnen, Ballé, Toderici, NeurIPS 2018 (without the context model). The scale's
      table and its lower bound 0.11 are those of their published code.
    """
    if means and latents % 2:
        raise ValueError(f"latents must be even, got {latents}")
    prior = DeepFactorized(channels=channels, features=factorized.WIDTHS)
    analysis = HyperAnalysis(channels, leaky=means)
    widths = (latents, latents * 3 // 2, 2 * latents) if means else (channels, channels, latents)
    synthesis = HyperSynthesis(widths, leaky=means)
    kind = "leaky" if means else "relu"
    fractions = 2 * dither_levels if dither_levels else 1
    specs = (LayerSpec("double", kind, INNER_BITS), LayerSpec("double", kind, INNER_BITS),
             LayerSpec("same", "none", BITS))

    def init(key: jax.Array) -> dict:
        keys = jax.random.split(key, 3)
        return {
            "prior": prior.init(keys[0], jnp.zeros((1, channels), jnp.float32))["params"],
            "analysis": analysis.init(keys[1], jnp.zeros((1, 4, 4, latents), jnp.float32))["params"],
            "synthesis": synthesis.init(keys[2], jnp.zeros((1, 1, 1, channels), jnp.float32))["params"],
        }

    def split(parameters: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Scales come first, as in the published parameters of other implementations."""
        if not means:
            return jnp.zeros_like(parameters), parameters
        return parameters[..., latents:], parameters[..., :latents]

    def bits(params: Any, y: jax.Array, key: jax.Array | None):
        z = analysis.apply({"params": params["analysis"]}, y)
        if key is None:
            z_seen = straight_through_round(z)
        else:
            key, noise_key = jax.random.split(key)
            z_seen = z + uniform_noise(noise_key, z.shape)
        mean, scale = split(synthesis.apply({"params": params["synthesis"]}, z_seen))
        y_hat = straight_through_round(y - mean) + mean
        seen = y_hat if key is None else y + uniform_noise(key, y.shape)
        y_hat = seen if dither_levels else y_hat
        y_bits = factorized.batch_sum(gaussian_bits(seen, mean, scale))
        return y_hat, y_bits + factorized.batch_sum(factorized.prior_bits(prior, params["prior"], z_seen))

    def finalize(params: Any) -> dict:
        layers = [(layer["kernel"], layer["bias"]) for layer in
                  (params["synthesis"][f"Convolution_{i}"] for i in range(3))]
        return {
            "hyper_tables": factorized.prior_tables(prior, params["prior"])._asdict(),
            "tables": scale_table.location_scale_tables(scale_table.scales(), fractions=fractions)._asdict(),
            "network": quantize_network(layers, specs, input_bits=INNER_BITS),
            "thresholds": scale_thresholds(),
        }

    @jax.jit
    def hyper_analyze(params: Any, y: jax.Array) -> jax.Array:
        return analysis.apply({"params": params["analysis"]}, y)

    @jax.jit
    def predict(network: Any, thresholds: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, scale = split(apply_network(network, specs, network_input(z)))
        return mean, scale_indices(scale, thresholds)

    def selection(ids: np.ndarray, dither: np.ndarray | None) -> scale_table.Selection:
        """The symbol k has the law of the latent less its mean and its dither: -u = (L - 1 - 2 i) / (2 L)."""
        location = np.zeros(ids.shape, np.int64) if dither is None else dither_levels - 1 - 2 * dither.astype(np.int64)
        return scale_table.select(location, ids, fractions=fractions)

    def encode(params: Any, coding: Any, y: Any, dither: np.ndarray | None = None):
        z = factorized.rounded(hyper_analyze(params, y))
        mean, ids = (np.asarray(part) for part in predict(coding["network"], coding["thresholds"], z))
        offset = mean.astype(np.float32) / 2**BITS + factorized.offsets(dither, dither_levels)
        symbols = factorized.rounded(np.asarray(y, np.float32) - offset)
        chosen = selection(ids, dither)
        encoder = StepEncoder()
        encoder.add(z, factorized.as_tables(coding["hyper_tables"]), factorized.channel_ids(z.shape))
        encoder.add(symbols - chosen.shifts, factorized.as_tables(coding["tables"]), chosen.table_ids)
        return encoder.finish(), {"z": z, "y": symbols}

    def decode(coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...],
               dither: np.ndarray | None = None) -> jax.Array:
        batch, rows, columns, _ = shape
        decoder = StepDecoder(*payloads)
        z_shape = (batch, rows // 4, columns // 4, channels)
        z = decoder.read(factorized.as_tables(coding["hyper_tables"]), factorized.channel_ids(z_shape))
        mean, ids = predict(coding["network"], coding["thresholds"], z)
        chosen = selection(np.asarray(ids), dither)
        symbols = decoder.read(factorized.as_tables(coding["tables"]), chosen.table_ids) + chosen.shifts
        decoder.finish()
        offset = mean.astype(jnp.float32) * 2.0**-BITS + factorized.offsets(dither, dither_levels)
        return jnp.asarray(symbols, jnp.float32) + offset

    name = "mbt2018-mean" if means else "bmshj2018-hyperprior"
    return EntropyModel(name, 4, dither_levels, init, bits, finalize, encode, decode)
