"""Latents that are Gaussian given hyper-latents and what was decoded before: channel by channel group, in two colors.

Channels are divided into groups, and the positions of each group are colored like a checkerboard. What is known of a
latent's mean and scale comes from the hyper-latents, from the groups before, and, for the second color, from the
first color of its own group. Each of the 2 x groups steps decodes all its symbols side by side.

While coding, every network runs in integers (`rdr.entropy_models.integer_network`), on latents in units of 1/256.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
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
from rdr.entropy_models import scale_table
from rdr.entropy_models.deep_factorized import DeepFactorized
from rdr.entropy_models.integer_network import LayerSpec, apply_network, quantize_network
from rdr.quantize import straight_through_round, uniform_noise
from rdr.transforms.image import HyperAnalysis, HyperSynthesis, Stack

NAME = "channelwise-checkerboard"


def uneven_groups(latents: int) -> tuple[int, ...]:
    """Groups of channels that grow: the first ones are small, as most of what they say helps all later ones.

    Args:
      latents: M, at least 8.

    Returns:
      16, 16, 32, 64 and the rest, as in ELIC, if M is larger than 128; else eighths: 1, 1, 2 and 4.
    """
    if latents > 128:
        return 16, 16, 32, 64, latents - 128
    return latents // 8, latents // 8, latents // 4, latents - 2 * (latents // 8) - latents // 4


def checkerboard_mask(rows: int, columns: int) -> np.ndarray:
    """bool [rows, columns]: where row + column is even."""
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

    Reference: Minnen, Singh, "Channel-wise autoregressive entropy models for learned image compression", ICIP 2020
      (without latent residual prediction); He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient
      learned image compression", CVPR 2021; He, Yang, Peng, Ma, Qin, Wang, "ELIC", CVPR 2022, section 3.
    """
    if latents % 2 or latents < 8:
        raise ValueError(f"latents must be even and at least 8, got {latents}")
    groups = uneven_groups(latents) if groups is None else groups
    if sum(groups) != latents or min(groups) < 1:
        raise ValueError(f"groups must be positive and add up to {latents}, got {groups}")
    starts = np.cumsum((0, *groups))
    prior = DeepFactorized(channels=channels, features=factorized.WIDTHS)
    analysis = HyperAnalysis(channels, leaky=True)
    hyper = HyperSynthesis((latents, latents * 3 // 2, 2 * latents), leaky=True)
    parts: dict[str, tuple[Stack, int]] = {}  # network and the channels of its input
    for k, size in enumerate(groups):
        if k:
            parts[f"channel_{k}"] = Stack((channels, 2 * size), 5), int(starts[k])
        parts[f"spatial_{k}"] = Stack((2 * size,), 5), size
        known = 2 * latents + (4 if k else 2) * size
        parts[f"merge_{k}"] = Stack((2 * channels, channels, 2 * size), 1), known
    hyper_specs = (LayerSpec("double", "leaky", INNER_BITS), LayerSpec("double", "leaky", INNER_BITS),
                   LayerSpec("same", "none", INNER_BITS))

    def specs(name: str) -> tuple[LayerSpec, ...]:
        depth, last = len(parts[name][0].widths), BITS if name.startswith("merge") else INNER_BITS
        return (LayerSpec("same", "leaky", INNER_BITS),) * (depth - 1) + (LayerSpec("same", "none", last),)

    def init(key: jax.Array) -> dict:
        keys = iter(jax.random.split(key, 3 + len(parts)))
        found = {
            "prior": prior.init(next(keys), jnp.zeros((1, channels), jnp.float32))["params"],
            "analysis": analysis.init(next(keys), jnp.zeros((1, 4, 4, latents), jnp.float32))["params"],
            "synthesis": hyper.init(next(keys), jnp.zeros((1, 1, 1, channels), jnp.float32))["params"],
        }
        for name, (network, width) in parts.items():
            found[name] = network.init(next(keys), jnp.zeros((1, 1, 1, width), jnp.float32))["params"]
        return found

    def parameters(run: Callable, k: int, said: jax.Array, before: jax.Array | None, beside: jax.Array):
        """Mean and scale of a group at all positions, from what hyper-latents, channels and neighbors say."""
        known = [said, beside] if before is None else [said, before, beside]
        both = run(f"merge_{k}", jnp.concatenate(known, axis=-1))
        return both[..., groups[k] :], both[..., : groups[k]]

    def bits(params: Any, y: jax.Array, key: jax.Array | None):
        def run(name, x):
            return parts[name][0].apply({"params": params[name]}, x)

        z = analysis.apply({"params": params["analysis"]}, y)
        if key is None:
            z_seen, noise = straight_through_round(z), None
        else:
            key, noise_key = jax.random.split(key)
            z_seen, noise = z + uniform_noise(noise_key, z.shape), uniform_noise(key, y.shape)
        said = hyper.apply({"params": params["synthesis"]}, z_seen)
        first = jnp.asarray(checkerboard_mask(*y.shape[1:3]))[None, :, :, None]
        done, total = jnp.zeros((*y.shape[:3], 0), jnp.float32), 0.0
        for k in range(len(groups)):
            part = slice(int(starts[k]), int(starts[k + 1]))
            mine = y[..., part]
            before = run(f"channel_{k}", done) if k else None
            nothing = jnp.zeros((*y.shape[:3], 2 * groups[k]), jnp.float32)
            mean, scale = parameters(run, k, said, before, nothing)
            own = jnp.where(first, straight_through_round(mine - mean) + mean, 0.0)
            later_mean, later_scale = parameters(run, k, said, before, run(f"spatial_{k}", own))
            mean, scale = jnp.where(first, mean, later_mean), jnp.where(first, scale, later_scale)
            y_hat = straight_through_round(mine - mean) + mean
            seen = y_hat if noise is None else mine + noise[..., part]
            total += factorized.batch_sum(gaussian_bits(seen, mean, scale))
            done = jnp.concatenate([done, y_hat], axis=-1)
        return done, total + factorized.batch_sum(factorized.prior_bits(prior, params["prior"], z_seen))

    def finalize(params: Any) -> dict:
        def layers(tree):
            return [(tree[f"Convolution_{i}"]["kernel"], tree[f"Convolution_{i}"]["bias"]) for i in range(len(tree))]

        networks = {name: quantize_network(layers(params[name]), specs(name), input_bits=INNER_BITS) for name in parts}
        return {
            "hyper_tables": factorized.prior_tables(prior, params["prior"])._asdict(),
            "tables": scale_table.location_scale_tables(scale_table.scales(), fractions=1)._asdict(),
            "networks": {**networks, "hyper": quantize_network(layers(params["synthesis"]), hyper_specs,
                                                                input_bits=INNER_BITS)},
            "thresholds": scale_thresholds(),
        }

    def integers(coding: Any) -> Callable:
        return lambda name, x: apply_network(coding["networks"][name], specs(name), x)

    hyper_analyze = jax.jit(lambda params, y: analysis.apply({"params": params["analysis"]}, y))
    hyper_said = jax.jit(lambda coding, z: apply_network(coding["networks"]["hyper"], hyper_specs,
                                                            network_input(z)))

    @functools.partial(jax.jit, static_argnums=1)
    def groups_before(coding: Any, k: int, done: jax.Array) -> jax.Array:
        return integers(coding)(f"channel_{k}", jnp.left_shift(done, INNER_BITS - BITS))

    @functools.partial(jax.jit, static_argnums=1)
    def predict(coding: Any, k: int, said: jax.Array, before: jax.Array | None, own: jax.Array, second: Any):
        """int32 mean in units of 2^-BITS, and table of each latent of a group; one program for both colors."""
        run = integers(coding)
        beside = run(f"spatial_{k}", jnp.left_shift(own, INNER_BITS - BITS))
        mean, scale = parameters(run, k, said, before, jnp.where(second, beside, 0))
        return mean, scale_indices(scale, coding["thresholds"])

    def walk(coding: Any, z: np.ndarray, exchange: Callable) -> np.ndarray:
        """Goes through groups and colors as both sides do; `exchange(k, places, mean, ids)` gives the symbols."""
        said = hyper_said(coding, jnp.asarray(z))
        first = checkerboard_mask(*said.shape[1:3])
        done = np.zeros((*said.shape[:3], 0), np.int32)
        for k in range(len(groups)):
            before = groups_before(coding, k, done) if k else None
            values = np.zeros((*said.shape[:3], groups[k]), np.int32)
            for second, places in enumerate((first, ~first)):  # the second color is zero until its own step is over
                mean, ids = predict(coding, k, said, before, values, bool(second))
                mean, ids = np.asarray(mean)[:, places], np.asarray(ids)[:, places]
                values[:, places] = (exchange(k, places, mean, ids).astype(np.int32) << BITS) + mean
            done = np.concatenate([done, values], axis=-1)
        return done

    def encode(params: Any, coding: Any, y: Any, dither: None = None):
        z = factorized.rounded(hyper_analyze(params, y))
        y, tables = np.asarray(y, np.float32), factorized.as_tables(coding["tables"])
        symbols = np.zeros(y.shape, np.int32)
        encoder = StepEncoder()
        encoder.add(z, factorized.as_tables(coding["hyper_tables"]), factorized.channel_ids(z.shape))

        def exchange(k, places, mean, ids):
            part = slice(int(starts[k]), int(starts[k + 1]))
            found = factorized.rounded(y[:, places, part] - mean.astype(np.float32) / 2**BITS)
            encoder.add(found, tables, ids)
            symbols[:, places, part] = found
            return found

        walk(coding, z, exchange)
        return encoder.finish(), {"z": z, "y": symbols}

    def decode(coding: Any, payloads: tuple[bytes, ...], shape: tuple[int, ...], dither: None = None) -> jax.Array:
        batch, rows, columns, _ = shape
        decoder, tables = StepDecoder(*payloads), factorized.as_tables(coding["tables"])
        z_shape = (batch, rows // 4, columns // 4, channels)
        z = decoder.read(factorized.as_tables(coding["hyper_tables"]), factorized.channel_ids(z_shape))
        limit = factorized.SYMBOL_LIMIT
        done = walk(coding, np.clip(z, -limit, limit),
                    lambda k, places, mean, ids: np.clip(decoder.read(tables, ids), -limit, limit))
        decoder.finish()
        return jnp.asarray(done, jnp.float32) * 2.0**-BITS

    return EntropyModel(NAME, 4, 0, init, bits, finalize, encode, decode)
