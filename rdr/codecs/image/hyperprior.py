"""Latents that are Gaussian given hyper-latents: bmshj2018-hyperprior (scales) and mbt2018-mean (means and scales).

While coding, the hyper-decoder runs in integers (`rdr.entropy_models.integer_network`): what it says of a latent's
mean, in units of 1/256, and of its scale, by its index in a table of 64, is the same on every device.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import tables_from_tree
from rdr.codecs.image import factorized
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.codecs.image.validation import CodingLayout
from rdr.entropy_models import scale_table
from rdr.entropy_models.deep_factorized import DeepFactorized
from rdr.entropy_models.integer_network import LayerSpec, apply_network, quantize_network
from rdr.entropy_models.location_scale import interval_bits
from rdr.gradients import lower_bound
from rdr.program_cache import ProgramCache
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
    """Brings hyper-latents to units of 2^-INNER_BITS; those beyond +-2047 count as that.

    Args:
      z: integers, any shape.

    Returns:
      int32, same shape.
    """
    limit = 2**11 - 1
    return jnp.left_shift(jnp.clip(jnp.asarray(z, jnp.int32), -limit, limit), INNER_BITS)


def scale_thresholds() -> np.ndarray:
    """Computes the scales at which the index of the nearest table changes.

    Returns:
      int32 [63], in units of 2^-BITS.
    """
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

    Reference: Ballé et al. (balle2018variational); Minnen et al. (minnen2018joint), without the context model. The
      scale's table and its lower bound 0.11 are those of their published code.
    """
    if means and latents % 2:
        raise ValueError(f"latents must be even, got {latents}")
    model = _Hyperprior(channels, latents, means, dither_levels)
    name = "mbt2018-mean" if means else "bmshj2018-hyperprior"
    return EntropyModel(name, 4, dither_levels, model.init, model.bits, model.finalize, model.encode, model.decode,
                        model.coding_layout)


def predicted_scales(coding: Any, z: np.ndarray, *, channels: int, latents: int, means: bool) -> np.ndarray:
    """The scales that the integer hyper-decoder says of latents, those of the tables that code them.

    Args:
      coding: a finalized model's integers, `params["coding"]` of its codec.
      z: hyper-latents, int32 [batch, rows, columns, N], `symbols(..)["z"]` of its codec.
      channels: N.
      latents: M.
      means: whether the hyper-decoder says means as well.

    Returns:
      float64 [batch, 4 rows, 4 columns, M], standard deviations in units of the latents.

    Reference: balle2018variational, minnen2018joint.
    """
    _, ids = _Hyperprior(channels, latents, means, 0)._predicted(coding["network"], coding["thresholds"], z)
    return scale_table.scales()[np.asarray(ids)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Hyperprior:
    """The networks, and what they compute."""

    channels: int
    latents: int
    means: bool
    dither_levels: int

    def __post_init__(self):
        object.__setattr__(self, "_analyzed", ProgramCache(self._analyze))
        object.__setattr__(self, "_predicted", ProgramCache(self._predict))

    @property
    def prior(self) -> DeepFactorized:
        return DeepFactorized(channels=self.channels, features=factorized.WIDTHS)

    @property
    def analysis(self) -> HyperAnalysis:
        return HyperAnalysis(self.channels, leaky=self.means)

    @property
    def synthesis(self) -> HyperSynthesis:
        m, n = self.latents, self.channels
        return HyperSynthesis((m, m * 3 // 2, 2 * m) if self.means else (n, n, m), leaky=self.means)

    @property
    def specs(self) -> tuple[LayerSpec, ...]:
        kind = "leaky" if self.means else "relu"
        return (LayerSpec("double", kind, INNER_BITS), LayerSpec("double", kind, INNER_BITS),
                LayerSpec("same", "none", BITS))

    @property
    def coding_layout(self) -> CodingLayout:
        first, second, last = self.synthesis.widths
        kernels = ((3, 3, self.channels, 4 * first), (3, 3, first, 4 * second), (3, 3, second, last))
        scales = scale_table.SCALES_LEVELS
        return CodingLayout({"hyper_tables": self.channels, "tables": scales * self.fractions}, {"network": kernels},
                            scales - 1)

    @property
    def fractions(self) -> int:
        return 2 * self.dither_levels if self.dither_levels else 1

    def init(self, key: jax.Array) -> dict:
        """Draws parameters."""
        keys = jax.random.split(key, 3)
        return {
            "prior": self.prior.init(keys[0], jnp.zeros((1, self.channels), jnp.float32))["params"],
            "analysis": self.analysis.init(keys[1], jnp.zeros((1, 4, 4, self.latents), jnp.float32))["params"],
            "synthesis": self.synthesis.init(keys[2], jnp.zeros((1, 1, 1, self.channels), jnp.float32))["params"],
        }

    def _split(self, parameters: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Means and scales; scales come first, as in the published parameters of other implementations."""
        if not self.means:
            return jnp.zeros_like(parameters), parameters
        return parameters[..., self.latents :], parameters[..., : self.latents]

    def bits(self, params: Any, y: jax.Array, key: jax.Array | None):
        """Estimates the rate of latents: see `EntropyModel`."""
        z = self.analysis.apply({"params": params["analysis"]}, y)
        if key is None:
            z_seen = straight_through_round(z)
        else:
            key, noise_key = jax.random.split(key)
            z_seen = z + uniform_noise(noise_key, z.shape)
        mean, scale = self._split(self.synthesis.apply({"params": params["synthesis"]}, z_seen))
        y_hat = straight_through_round(y - mean) + mean
        seen = y_hat if key is None else y + uniform_noise(key, y.shape)
        y_hat = seen if self.dither_levels else y_hat
        y_bits = factorized.batch_sum(gaussian_bits(seen, mean, scale))
        return y_hat, y_bits + factorized.batch_sum(factorized.prior_bits(self.prior, params["prior"], z_seen))

    def finalize(self, params: Any) -> dict:
        """Makes tables, and the hyper-decoder in integers."""
        layers = [(layer["kernel"], layer["bias"]) for layer in
                  (params["synthesis"][f"Convolution_{i}"] for i in range(3))]
        return {
            "hyper_tables": factorized.prior_tables(self.prior, params["prior"])._asdict(),
            "tables": scale_table.location_scale_tables(scale_table.scales(), fractions=self.fractions)._asdict(),
            "network": quantize_network(layers, self.specs, input_bits=INNER_BITS),
            "thresholds": scale_thresholds(),
        }

    def _analyze(self, params: Any, y: jax.Array) -> jax.Array:
        return self.analysis.apply({"params": params}, y)

    def _predict(self, network: Any, thresholds: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, scale = self._split(apply_network(network, self.specs, network_input(z)))
        return mean, scale_indices(scale, thresholds)

    def _selection(self, ids: np.ndarray, dither: np.ndarray | None) -> scale_table.Selection:
        """The symbol k is the latent less its mean and its dither: -u = (L - 1 - 2 i) / (2 L)."""
        location = np.zeros(ids.shape, np.int64)
        if dither is not None:
            location = self.dither_levels - 1 - 2 * dither.astype(np.int64)
        return scale_table.select(location, ids, fractions=self.fractions)

    def encode(self, params: Any, coding: Any, y: Any, dither: np.ndarray | None = None):
        """Codes latents: see `EntropyModel`."""
        z = factorized.rounded(self._analyzed(params["analysis"], y))
        mean, ids = (np.asarray(part) for part in self._predicted(coding["network"], coding["thresholds"], z))
        offset = mean.astype(np.float32) / 2**BITS + factorized.offsets(dither, self.dither_levels)
        symbols = factorized.rounded(np.asarray(y, np.float32) - offset)
        chosen = self._selection(ids, dither)
        encoder = StepEncoder()
        encoder.add(z, tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z.shape))
        encoder.add(symbols - chosen.shifts, tables_from_tree(coding["tables"]), chosen.table_ids)
        return encoder.finish(), {"z": z, "y": symbols}

    def decode(self, coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...],
               dither: np.ndarray | None = None) -> jax.Array:
        """Decodes latents: see `EntropyModel`."""
        batch, rows, columns, _ = shape
        decoder = StepDecoder(*payloads, max_surplus=factorized.MAX_SURPLUS)
        z_shape = (batch, rows // 4, columns // 4, self.channels)
        z = decoder.read(tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z_shape))
        mean, ids = (np.asarray(part) for part in self._predicted(coding["network"], coding["thresholds"], z))
        chosen = self._selection(ids, dither)
        symbols = decoder.read(tables_from_tree(coding["tables"]), chosen.table_ids) + chosen.shifts
        decoder.finish()
        offset = mean.astype(np.float32) / 2**BITS + factorized.offsets(dither, self.dither_levels)
        return jnp.asarray(symbols.astype(np.float32) + offset)
