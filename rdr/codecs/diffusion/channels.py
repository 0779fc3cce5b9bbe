"""One step of a diffusion codec: vectors through a noisy channel, by any of the coders of `rdr.codecs.channel`.

What a step sends differs in size from component to component, and coders want to know that size. Components whose sizes
are within an eighth of an octave of each other share a coder's tables. Each group is a stream of its own, with some
bytes at its end; the layered coders can put all into one. Coders of blocks of n numbers take a component of n vectors
at a time, so that a message of few vectors is filled up with zeros.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from scipy.special import ndtr

from rdr.bitstream import container
from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.codecs.channel import base
from rdr.codecs.channel.base import ChannelCodec
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.codecs.channel.layered import add_layered, layered_channel, read_layered
from rdr.codecs.channel.noises import Source, gaussian_noise, gaussian_source, uniform_noise
from rdr.codecs.channel.selection import RULES

_GROUPS_PER_OCTAVE = 8
_MAX_SURPLUS = 2048  # bits that a stream's symbols may cost beyond its bytes, as in the layered coder
_KERNELS, _GRID = 65, 4097
_TAIL = 1e-3  # of the probability, given to a wide Gaussian

_NOISES = {layered_channel(noise()).name: noise for noise in (gaussian_noise, uniform_noise)}
CHANNELS = ("layered", "uniform", "E8", "E8-adaptive", "BW16", *(f"{rule}-N" for rule in RULES))


def make_channel(name: str) -> ChannelCodec:
    """Finds a channel coder.

    Args:
      name: "layered", "uniform" (a dither: noise that is not Gaussian), "E8", "E8-adaptive", "BW16", or a rule of
        `rdr.codecs.channel.block` and the length of a block, such as "greedy-32".

    Returns:
      The coder.

    Raises:
      ValueError: if there is none of this name.
    """
    if name in ("layered", "uniform"):
        return layered_channel(uniform_noise() if name == "uniform" else None)
    if name in ("E8", "BW16", "E8-adaptive"):
        lattice, _, adaptive = name.partition("-")
        return lattice_channel(lattice, acceptance="adaptive" if adaptive else "geometric")
    rule, _, length = name.rpartition("-")
    if rule not in RULES or not length.isdigit():
        raise ValueError(f"channel must be one of {', '.join(CHANNELS)} with a number N, got {name!r}")
    return block_channel(rule, dimension=int(length), fit_blocks=1024)


def channel_scale(channel: ChannelCodec, variance: float) -> np.ndarray:
    """The noise scale of a variance: the standard deviation, of uniform noise the half-width.

    Args:
      channel: from `make_channel`.
      variance: of the noise.

    Returns:
      float32, zero-dimensional: what both sides hold.
    """
    factor = 3.0 if channel.name == "channel-layered-uniform" else 1.0
    return base.check_noise_scale(np.sqrt(factor * variance))


def _likelihood(offsets: np.ndarray, scale: float, means: np.ndarray, widths: np.ndarray) -> float:
    """Mean log density of offsets plus Gaussian noise under equally likely Gaussians."""
    noisy = offsets + scale * np.random.default_rng(1).standard_normal(offsets.shape)
    spread = np.sqrt(np.square(widths) + scale**2)
    log_density = -0.5 * np.square((noisy[:, None] - means) / spread) - np.log(spread)
    return float(np.mean(np.logaddexp.reduce(log_density, axis=1)) - np.log(means.size))


def fit_source(offsets: np.ndarray, noise_scale: float) -> Source:
    """A model of what a step sends: a Gaussian around 0, or a smooth curve through quantiles if that fits better.

    Half of the numbers make the curve, the other half decide.

    Args:
      offsets: samples, any shape.
      noise_scale: of the channel; what is much finer makes no difference.

    Returns:
      The cumulative distribution function.
    """
    flat = np.random.default_rng(0).permutation(offsets.reshape(-1))
    deviation = float(np.sqrt(np.mean(np.square(flat))))
    half = flat.size // 2
    means = np.quantile(flat[:half], (np.arange(_KERNELS) + 0.5) / _KERNELS)
    widths = np.maximum(np.gradient(means), 0.05 * deviation + 0.05 * noise_scale)
    held_out = flat[half : half + 2048]
    plain = _likelihood(held_out, noise_scale, np.zeros(1), np.array([deviation]))
    if _likelihood(held_out, noise_scale, means, widths) <= plain:
        return gaussian_source(0.0, deviation)
    reach = np.abs(means).max() + 9.0 * widths.max()
    grid = np.linspace(-reach, reach, _GRID)
    values = ndtr((grid[:, None] - means) / widths).mean(1)
    values = (values - values[0]) / (values[-1] - values[0])

    def cdf(x: np.ndarray) -> np.ndarray:
        return (1.0 - _TAIL) * np.interp(x, grid, values) + _TAIL * ndtr(x / (2.0 * deviation))

    return cdf


def finalize_step(channel: ChannelCodec, offsets: np.ndarray, noise_scale: np.ndarray, *, one_stream: bool = False
                  ) -> dict[str, Any]:
    """Makes the tables of a step.

    Args:
      channel: from `make_channel`.
      offsets: float64 [samples, dimension], samples of what will be sent.
      noise_scale: from `channel_scale`.
      one_stream: whether all groups are to share a stream, which only layered coders can.

    Returns:
      A tree of arrays: "group" int32 [dimension], "tables", one for each group, and "one_stream" if they share one.
    """
    deviation = np.sqrt(np.maximum(np.mean(np.square(offsets), 0), 1e-12 * float(noise_scale) ** 2))
    _, group = np.unique(np.rint(_GROUPS_PER_OCTAVE * np.log2(deviation)), return_inverse=True)
    tables = {}
    for g in range(int(group.max()) + 1):
        part = offsets[:, group == g]
        spread = float(np.sqrt(np.mean(np.square(deviation[group == g]))))
        source = fit_source(part, float(noise_scale)) if channel.dimension == 1 and part.any() else spread
        tables[f"{g:03d}"] = channel.finalize(source, noise_scale=noise_scale)
    made = {"group": group.astype(np.int32), "tables": tables}
    return {**made, "one_stream": np.ones(1, np.int32)} if one_stream and channel.name in _NOISES else made


def _blocks(columns: np.ndarray, n: int) -> np.ndarray:
    """Columns of vectors, one after the other, as blocks of n numbers."""
    flat = np.ascontiguousarray(columns.T).reshape(-1)
    return flat if n == 1 else np.pad(flat, (0, -flat.size % n)).reshape(-1, n)


def _columns(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return blocks.reshape(-1)[: shape[0] * shape[1]].reshape(shape[1], shape[0]).T


def encode_step(channel: ChannelCodec, params: Any, x: np.ndarray, noise_scale: np.ndarray, key: jax.Array) -> bytes:
    """Sends vectors through the channel.

    Args:
      channel: from `make_channel`.
      params: from `finalize_step`.
      x: float64 [batch, dimension].
      noise_scale: from `channel_scale`.
      key: the step's shared key.

    Returns:
      A packet.
    """
    group, payloads = np.asarray(params["group"]), []
    if "one_stream" in params:
        encoder, noise = StepEncoder(), _NOISES[channel.name]()
        for g in range(int(group.max()) + 1):
            add_layered(encoder, params["tables"][f"{g:03d}"], _blocks(x[:, group == g], 1), noise=noise,
                        noise_scale=noise_scale, shared_key=jax.random.fold_in(key, g))
        return container.join_payloads(encoder.finish())
    for g in range(int(group.max()) + 1):
        message = channel.encode(params["tables"][f"{g:03d}"], _blocks(x[:, group == g], channel.dimension),
                                 noise_scale=noise_scale, shared_key=jax.random.fold_in(key, g))
        payloads += container.unpack(message).payloads
    return container.join_payloads(payloads)


def decode_step(channel: ChannelCodec, params: Any, packet: bytes, shape: tuple[int, ...], noise_scale: np.ndarray,
                key: jax.Array) -> np.ndarray:
    """Reads what came through the channel.

    Args:
      channel: from `make_channel`.
      params: from `finalize_step`.
      packet: from `encode_step`.
      shape: batch and dimension.
      noise_scale: from `channel_scale`.
      key: the step's shared key.

    Returns:
      float64 [batch, dimension]: what was sent plus noise.

    Raises:
      ValueError: if the packet is damaged.
    """
    group = np.asarray(params["group"])
    groups, payloads = int(group.max()) + 1, container.split_payloads(packet)
    if len(payloads) != 2 if "one_stream" in params else len(payloads) % groups:
        raise ValueError(f"damaged message: {len(payloads)} payloads for {groups} groups of components")
    each, n = len(payloads) // groups, channel.dimension
    y = np.empty(shape, np.float64)
    if "one_stream" in params:
        decoder, noise = StepDecoder(*payloads, max_surplus=_MAX_SURPLUS), _NOISES[channel.name]()
        for g in range(groups):
            columns = np.flatnonzero(group == g)
            flat = read_layered(decoder, params["tables"][f"{g:03d}"], (shape[0] * columns.size,), noise=noise,
                                noise_scale=noise_scale, shared_key=jax.random.fold_in(key, g))
            y[:, columns] = _columns(flat, (shape[0], columns.size))
        decoder.finish()
        return y
    for g in range(groups):
        tables, columns = params["tables"][f"{g:03d}"], np.flatnonzero(group == g)
        count = shape[0] * columns.size
        whole = (count,) if n == 1 else (-(-count // n), n)
        message = base.pack_message(channel.name, tables, noise_scale, whole, payloads[g * each : (g + 1) * each])
        blocks = channel.decode(message, params=tables, noise_scale=noise_scale, shared_key=jax.random.fold_in(key, g))
        y[:, columns] = _columns(blocks, (shape[0], columns.size))
    return y
