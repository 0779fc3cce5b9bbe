"""Latents that are Gaussian given hyper-latents and what was decoded before: channel by channel group, in two colors.

Channels are divided into groups, and the positions of each group are colored like a checkerboard. What is known of a
latent's mean and scale comes from the hyper-latents, from the groups before, and, for the second color, from the
first color of its own group. Each of the 2 x groups steps decodes all its symbols side by side.

While coding, every network runs in integers (`rdr.entropy_models.integer_network`), on latents in units of 1/256.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import tables_from_tree
from rdr.codecs.image import factorized
from rdr.codecs.image.entropy_model import EntropyModel
from rdr.codecs.image.hyperprior import (
    BITS,
    INNER_BITS,
    gaussian_bits,
    network_input,
    scale_indices,
    scale_thresholds,
)
from rdr.codecs.image.validation import CodingLayout
from rdr.entropy_models import scale_table
from rdr.entropy_models.deep_factorized import DeepFactorized
from rdr.entropy_models.integer_network import LayerSpec, apply_network, quantize_network
from rdr.program_cache import ProgramCache
from rdr.quantize import straight_through_round, uniform_noise
from rdr.transforms.image import HyperAnalysis, HyperSynthesis, Stack

NAME = "channelwise-checkerboard"
_HYPER_SPECS = (LayerSpec("double", "leaky", INNER_BITS), LayerSpec("double", "leaky", INNER_BITS),
                LayerSpec("same", "none", INNER_BITS))


def uneven_groups(latents: int) -> tuple[int, ...]:
    """Divides channels into groups that grow: the first are small, as most of what they say helps all later ones.

    Args:
      latents: M, at least 8.

    Returns:
      16, 16, 32, 64 and the rest, as in ELIC, if M is larger than 128; else eighths: 1, 1, 2 and 4.
    """
    if latents > 128:
        return 16, 16, 32, 64, latents - 128
    return latents // 8, latents // 8, latents // 4, latents - 2 * (latents // 8) - latents // 4


def checkerboard_mask(rows: int, columns: int) -> np.ndarray:
    """Marks the first color of a checkerboard.

    Args:
      rows: of the latents.
      columns: of the latents.

    Returns:
      bool [rows, columns]: where row + column is even.
    """
    return np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0


def context_model(*, channels: int, latents: int, groups: tuple[int, ...] | None = None) -> EntropyModel:
    """Makes the model.

    Args:
      channels: N.
      latents: M.
      groups: channels of each group, adding up to M; default `uneven_groups(latents)`.

    Returns:
      The model.

    Raises:
      ValueError: if M is odd or less than 8, or the groups do not add up to it.

    Reference: Minnen and Singh (minnen2020channelwise), without latent residual prediction; He et al.
      (he2021checkerboard); He et al. (he2022elic), section 3.
    """
    if latents % 2 or latents < 8:
        raise ValueError(f"latents must be even and at least 8, got {latents}")
    groups = uneven_groups(latents) if groups is None else groups
    if sum(groups) != latents or min(groups) < 1:
        raise ValueError(f"groups must be positive and add up to {latents}, got {groups}")
    model = _Context(channels, latents, groups)
    return EntropyModel(NAME, 4, 0, model.init, model.bits, model.finalize, model.encode, model.decode,
                        model.coding_layout)


@dataclasses.dataclass(frozen=True, eq=False)
class _Context:
    """The networks, and what they compute."""

    channels: int
    latents: int
    groups: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "_analyzed", ProgramCache(self._analyze))
        object.__setattr__(self, "_hyper_outputs", ProgramCache(self._hyper_network))
        programs = 4 * len(self.groups)  # of each group, for the sizes of a few images
        object.__setattr__(self, "_channel_outputs", ProgramCache(self._channel, maxsize=programs, static_argnums=(1,)))
        object.__setattr__(self, "_predicted", ProgramCache(self._predict, maxsize=programs, static_argnums=(1,)))

    @property
    def prior(self) -> DeepFactorized:
        return DeepFactorized(channels=self.channels, features=factorized.WIDTHS)

    @property
    def analysis(self) -> HyperAnalysis:
        return HyperAnalysis(self.channels, leaky=True)

    @property
    def hyper(self) -> HyperSynthesis:
        return HyperSynthesis((self.latents, self.latents * 3 // 2, 2 * self.latents), leaky=True)

    @functools.cached_property
    def networks(self) -> dict[str, tuple[Stack, int]]:
        """The networks of each group, and the channels of their input."""
        parts, start = {}, 0
        for k, size in enumerate(self.groups):
            if k:
                parts[f"channel_{k}"] = Stack((self.channels, 2 * size), 5), start
            parts[f"spatial_{k}"] = Stack((2 * size,), 5), size
            known = 2 * self.latents + (4 if k else 2) * size
            parts[f"merge_{k}"] = Stack((2 * self.channels, self.channels, 2 * size), 1), known
            start += size
        return parts

    @property
    def coding_layout(self) -> CodingLayout:
        first, second, last = self.hyper.widths
        kernels: dict[str, tuple[tuple[int, int, int, int], ...]] = {
            "hyper": ((3, 3, self.channels, 4 * first), (3, 3, first, 4 * second), (3, 3, second, last))}
        for name, (network, width) in self.networks.items():
            widths = (width, *network.widths)
            kernels[name] = tuple((network.size, network.size, *pair) for pair in itertools.pairwise(widths))
        scales = scale_table.SCALES_LEVELS
        return CodingLayout({"hyper_tables": self.channels, "tables": scales}, kernels, scales - 1)

    def _part(self, k: int) -> slice:
        start = sum(self.groups[:k])
        return slice(start, start + self.groups[k])

    def _specs(self, name: str) -> tuple[LayerSpec, ...]:
        depth, last = len(self.networks[name][0].widths), BITS if name.startswith("merge") else INNER_BITS
        return (LayerSpec("same", "leaky", INNER_BITS),) * (depth - 1) + (LayerSpec("same", "none", last),)

    def init(self, key: jax.Array) -> dict:
        """Draws parameters."""
        keys = iter(jax.random.split(key, 3 + len(self.networks)))
        params = {
            "prior": self.prior.init(next(keys), jnp.zeros((1, self.channels), jnp.float32))["params"],
            "analysis": self.analysis.init(next(keys), jnp.zeros((1, 4, 4, self.latents), jnp.float32))["params"],
            "synthesis": self.hyper.init(next(keys), jnp.zeros((1, 1, 1, self.channels), jnp.float32))["params"],
        }
        for name, (network, width) in self.networks.items():
            params[name] = network.init(next(keys), jnp.zeros((1, 1, 1, width), jnp.float32))["params"]
        return params

    def _parameters(self, run: Callable, k: int, hyper: jax.Array, before: jax.Array | None, beside: jax.Array):
        """Mean and scale of a group at all positions, from what hyper-latents, channels and neighbors say."""
        known = [hyper, beside] if before is None else [hyper, before, beside]
        both = run(f"merge_{k}", jnp.concatenate(known, axis=-1))
        return both[..., self.groups[k] :], both[..., : self.groups[k]]

    def bits(self, params: Any, y: jax.Array, key: jax.Array | None):
        """Estimates the rate of latents: see `EntropyModel`."""
        def run(name, x):
            return self.networks[name][0].apply({"params": params[name]}, x)

        z = self.analysis.apply({"params": params["analysis"]}, y)
        if key is None:
            z_seen, noise = straight_through_round(z), None
        else:
            key, noise_key = jax.random.split(key)
            z_seen, noise = z + uniform_noise(noise_key, z.shape), uniform_noise(key, y.shape)
        hyper = self.hyper.apply({"params": params["synthesis"]}, z_seen)
        first = jnp.asarray(checkerboard_mask(*y.shape[1:3]))[None, :, :, None]
        done, total = jnp.zeros((*y.shape[:3], 0), jnp.float32), 0.0
        for k in range(len(self.groups)):
            group = y[..., self._part(k)]
            before = run(f"channel_{k}", done) if k else None
            nothing = jnp.zeros((*y.shape[:3], 2 * self.groups[k]), jnp.float32)
            mean, scale = self._parameters(run, k, hyper, before, nothing)
            own = jnp.where(first, straight_through_round(group - mean) + mean, 0.0)
            later_mean, later_scale = self._parameters(run, k, hyper, before, run(f"spatial_{k}", own))
            mean, scale = jnp.where(first, mean, later_mean), jnp.where(first, scale, later_scale)
            y_hat = straight_through_round(group - mean) + mean
            seen = y_hat if noise is None else group + noise[..., self._part(k)]
            total += factorized.batch_sum(gaussian_bits(seen, mean, scale))
            done = jnp.concatenate([done, y_hat], axis=-1)
        return done, total + factorized.batch_sum(factorized.prior_bits(self.prior, params["prior"], z_seen))

    def finalize(self, params: Any) -> dict:
        """Makes tables, and the networks in integers."""
        def layers(tree):
            return [(tree[f"Convolution_{i}"]["kernel"], tree[f"Convolution_{i}"]["bias"]) for i in range(len(tree))]

        networks = {name: quantize_network(layers(params[name]), self._specs(name), input_bits=INNER_BITS)
                    for name in self.networks}
        return {
            "hyper_tables": factorized.prior_tables(self.prior, params["prior"])._asdict(),
            "tables": scale_table.location_scale_tables(scale_table.scales(), fractions=1)._asdict(),
            "networks": {**networks, "hyper": quantize_network(layers(params["synthesis"]), _HYPER_SPECS,
                                                               input_bits=INNER_BITS)},
            "thresholds": scale_thresholds(),
        }

    def _analyze(self, params: Any, y: jax.Array) -> jax.Array:
        return self.analysis.apply({"params": params}, y)

    def _hyper_network(self, network: Any, z: jax.Array) -> jax.Array:
        return apply_network(network, _HYPER_SPECS, network_input(z))

    def _integers(self, networks: Any) -> Callable:
        return lambda name, x: apply_network(networks[name], self._specs(name), x)

    def _channel(self, networks: Any, k: int, done: jax.Array) -> jax.Array:
        return self._integers(networks)(f"channel_{k}", jnp.left_shift(done, INNER_BITS - BITS))

    def _predict(self, networks: Any, k: int, thresholds: jax.Array, hyper: jax.Array, before: jax.Array | None,
                 own: jax.Array, second: Any):
        """int32 mean in units of 2^-BITS, and table of each latent of a group; one program for both colors."""
        run = self._integers(networks)
        beside = run(f"spatial_{k}", jnp.left_shift(own, INNER_BITS - BITS))
        mean, scale = self._parameters(run, k, hyper, before, jnp.where(second, beside, 0))
        return mean, scale_indices(scale, thresholds)

    def _walk(self, coding: Any, z: np.ndarray, exchange: Callable) -> np.ndarray:
        """Goes through groups and colors as both sides do; `exchange(k, places, mean, ids)` gives the symbols."""
        hyper = self._hyper_outputs(coding["networks"]["hyper"], z)
        first = checkerboard_mask(*hyper.shape[1:3])
        done = np.zeros((*hyper.shape[:3], 0), np.int32)
        for k in range(len(self.groups)):
            networks = {name: coding["networks"][name] for name in (f"channel_{k}", f"spatial_{k}", f"merge_{k}")
                        if name in self.networks}
            before = self._channel_outputs(networks, k, done) if k else None
            values = np.zeros((*hyper.shape[:3], self.groups[k]), np.int32)
            for second, places in enumerate((first, ~first)):  # the second color is zero until its own step is over
                mean, ids = self._predicted(networks, k, coding["thresholds"], hyper, before, values, bool(second))
                mean, ids = np.asarray(mean)[:, places], np.asarray(ids)[:, places]
                values[:, places] = (exchange(k, places, mean, ids).astype(np.int32) << BITS) + mean
            done = np.concatenate([done, values], axis=-1)
        return done

    def encode(self, params: Any, coding: Any, y: Any, dither: None = None):
        """Codes latents: see `EntropyModel`."""
        z = factorized.rounded(self._analyzed(params["analysis"], y))
        y, tables = np.asarray(y, np.float32), tables_from_tree(coding["tables"])
        symbols = np.zeros(y.shape, np.int32)
        encoder = StepEncoder()
        encoder.add(z, tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z.shape))

        def exchange(k, places, mean, ids):
            rounded = factorized.rounded(y[:, places, self._part(k)] - mean.astype(np.float32) / 2**BITS)
            encoder.add(rounded, tables, ids)
            symbols[:, places, self._part(k)] = rounded
            return rounded

        self._walk(coding, z, exchange)
        return encoder.finish(), {"z": z, "y": symbols}

    def decode(self, coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...], dither: None = None
               ) -> jax.Array:
        """Decodes latents: see `EntropyModel`."""
        batch, rows, columns, _ = shape
        decoder, tables = StepDecoder(*payloads, max_surplus=factorized.MAX_SURPLUS), tables_from_tree(coding["tables"])
        z_shape = (batch, rows // 4, columns // 4, self.channels)
        z = decoder.read(tables_from_tree(coding["hyper_tables"]), factorized.channel_ids(z_shape))
        limit = factorized.SYMBOL_LIMIT
        done = self._walk(coding, np.clip(z, -limit, limit),
                          lambda k, places, mean, ids: np.clip(decoder.read(tables, ids), -limit, limit))
        decoder.finish()
        return jnp.asarray(done.astype(np.float32) * np.float32(2.0**-BITS))
