"""Diffusion codecs: a sample of x_t with less and less noise, each step by channel simulation, in real bytes.

Encoder and decoder share x_1, noise alone. A step goes from time t to s < t: both sides compute what the denoiser says
of x_s, and the encoder sends what is missing, a (x_0 - denoise(x_t, t)), through a channel whose noise has the variance
of the bridge (`rdr.codecs.diffusion.process.bridge`). With Gaussian noise x_s has exactly the distribution that the
forward process gives it, together with x_0 and all x_t before: "DiffC". With uniform noise of the same variance
("UQDM") it has nearly that. The receiver makes x_0 of the last x_t that it has: by the probability flow (DiffC-F), by
a sample of its distribution given x_t (DiffC-A), or by the denoiser alone, which is best in squared error and not
realistic. The message is the same for all of them, and every step is a packet: a message that was cut off gives x_t at
an earlier time.

What a denoiser computes moves x_t, and chooses no table: a float that differs in its last digit would change the output
by about as much, and not spoil the message.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from rdr.bitstream import container, progressive
from rdr.codecs.base import Codec, stored_tables
from rdr.codecs.channel.base import ChannelCodec, check_shared_key
from rdr.codecs.diffusion import channels, process
from rdr.codecs.diffusion.arithmetic import product, transform
from rdr.codecs.diffusion.curves import banana, circle
from rdr.codecs.diffusion.network_sources import pretrained
from rdr.codecs.diffusion.sources import ExactSource, gaussian_process, gaussian_vector, swirl
from rdr.randomness import shared_words
from rdr.units import nats_to_bits

DECODERS = ("flow", "ancestral", "mean", "noisy")
SOURCES = {"banana": banana, "circle": circle, "fashion_mnist": pretrained, "gaussian_process": gaussian_process,
           "gaussian_vector": gaussian_vector, "swirl": swirl}
_FIT = 8192  # vectors that tables are made of
_SMALL = 32  # dimensions up to which sums are made in a fixed order and groups of components are streams of their own
_DRAWN = 2**20  # of the step's key: numbers that are drawn; groups of components have smaller ones


def find_source(source: str | ExactSource) -> ExactSource:
    """Finds a source.

    Args:
      source: one of `SOURCES`, or a source, which is returned as it is.

    Returns:
      The source.

    Raises:
      ValueError: if there is none of this name.
    """
    if isinstance(source, ExactSource):
        return source
    if source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(SOURCES)} or an ExactSource, got {source!r}")
    return SOURCES[source]()


def shared_normals(key: jax.Array, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers that both sides draw, with 31 bits for the size and one for the sign.

    Args:
      key: from `rdr.randomness.shared_key`.
      shape: of the result.

    Returns:
      float64 of this shape.
    """
    words = np.asarray(shared_words(key, shape))
    size = -ndtri(((words >> 1).astype(np.float64) + 0.5) / 2.0**32)
    return np.where(words & 1, size, -size)


def check_vectors(x: ArrayLike, dimension: int, *, largest: float = np.inf) -> np.ndarray:
    """Refuses what a codec of vectors cannot send.

    Args:
      x: the vectors.
      dimension: of a vector.
      largest: size of numbers that can be sent.

    Returns:
      float64 [batch, dimension].

    Raises:
      ValueError: if the shape does not fit, there is no vector, or a number is not finite or too large.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or x.shape[1] != dimension or not len(x):
        raise ValueError(f"x must have shape [batch, {dimension}], batch at least 1, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    if np.abs(x).max() > largest:
        raise ValueError(f"x must be at most {largest:g} in size, got {np.abs(x).max():g}")
    return x


def open_progressive(message: bytes, *, name: str, params: Any, dimension: int, steps: int) -> progressive.Progressive:
    """Takes a message apart and makes sure that it is for this codec with these parameters.

    Args:
      message: the bytes, or the first of them.
      name: of the codec.
      params: what the decoder was given.
      dimension: of a vector.
      steps: how many packets there must have been.

    Returns:
      The message's parts.

    Raises:
      ValueError: if `params` is None, or the message is damaged, by another codec, or for other parameters.
    """
    if params is None:
        raise ValueError("this codec's messages do not carry its parameters: give params")
    parts = progressive.unpack(message)
    (codec, _, there), (own, _, here) = parts.codec.partition("@"), name.partition("@")
    if codec == own and there != here:
        raise ValueError(f"the message was written where the denoiser computes as {there or 'float64'!r}, here it "
                         f"computes as {here or 'float64'!r}: it repeats itself on the same device and software only, "
                         "so decode it there")
    if parts.codec != name:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {name!r}")
    if parts.fingerprint != container.fingerprint(params):
        raise ValueError("the message was written with other parameters than those given")
    if parts.total != steps or len(parts.shape) != 2 or parts.shape[1] != dimension or not parts.shape[0]:
        raise ValueError(f"damaged message: {parts.total} packets of shape {parts.shape} where {steps} of vectors of "
                         f"dimension {dimension} were expected")
    return parts


def finish(source: ExactSource, x: np.ndarray, t: float, *, decoder: str, decode_steps: int,
           private_key: jax.Array | None = None) -> np.ndarray:
    """Makes x_0 of x_t.

    Args:
      source: with its denoiser.
      x: float64 [batch, dimension].
      t: time of x.
      decoder: one of `DECODERS`, "noisy" for x_t as it is; where the source knows the flow or the posterior exactly,
        that is what is used.
      decode_steps: of the flow (order 2) and of ancestral sampling, where it does not.
      private_key: randomness of an ancestral decoder; None for the others.

    Returns:
      float64 [batch, dimension].

    Raises:
      ValueError: if there is no such decoder, or a key is missing or too many.
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    if (decoder == "ancestral") != (private_key is not None):
        raise ValueError(f"private_key {'is needed' if decoder == 'ancestral' else 'must be None'} for decoder "
                         f"{decoder!r}")
    if decoder in ("mean", "noisy"):
        return source.denoise(x, t) if decoder == "mean" else x
    times = process.decoding_times(t, decode_steps)
    if private_key is None:
        return source.flow(x, t) if source.flow else process.probability_flow(source.denoise, x, times)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(private_key, 0))))
    if source.posterior_sample:
        return source.posterior_sample(rng, x, t)
    return process.ancestral(source.denoise, x, times, lambda _: rng.standard_normal(x.shape))


def _step(source: ExactSource, x: np.ndarray, t: float, s: float) -> tuple[np.ndarray, np.ndarray, process.Bridge]:
    """What both sides expect of x_s, the denoiser's output, and the bridge."""
    coefficients = process.bridge(t, s)
    mean = source.denoise(x, t)
    return coefficients.source * mean + coefficients.state * x, mean, coefficients


@functools.cache
def diffusion_codec(source: str | ExactSource = "gaussian_vector", *, channel: str = "layered",
                    times: tuple[float, ...] | None = None, end: float = 0.1, steps: int = 1, decoder: str = "flow",
                    decode_steps: int = 64, least: float = 0.0) -> Codec:
    """Makes a diffusion codec.

    Args:
      source: with its denoiser: an `ExactSource`, or one of "banana", "circle", "fashion_mnist" (images of 16 x 16
        pixels in [0, 1], with a network), "gaussian_process", "gaussian_vector" and "swirl".
      channel: how a step is sent, `rdr.codecs.diffusion.channels.make_channel`: "layered", "E8", "greedy-32", ..; with
        "uniform" the noise of a step is uniform.
      times: of x_t, from 1 down; None for `process.information_times(end, steps)` at the mean variance of the source's
        components.
      end: last time, in (0, 1); the rate grows as it falls.
      steps: how many packets.
      decoder: what `decode` does if its `condition` is None: "flow", "ancestral", "mean" or "noisy" (the last x_t, as
        it came).
      decode_steps: steps of flows and ancestral sampling that are not known in closed form.
      least: components whose offsets have less variance than this times the noise's are not sent in a step: both sides
        draw them, as ancestral sampling does, Gaussian with the variance that x_s has given x_t. A dither pays for
        every component, however little it tells; here the distribution of x_s given x_t is kept to second moments, and
        what the component would have told is left out.

    Returns:
      The codec. `init(key)` returns what the denoiser is made of, and times; `finalize` makes tables from samples of
      the source; `encode` takes x [batch, dimension] and a shared key; `decode` returns float64, takes a message or the
      first bytes of one, a private key for "ancestral" (and only for that), and a decoder's name as condition.
      `symbols` are the bytes of the packets. `forward` draws x_t with a generator's noise in place of a coder's, and
      its bits are what the densities say, log q/p at the sample: an estimate of the information sent.

    Raises:
      ValueError: if an argument is none of these.

    Reference: theis2022lossy (DiffC); yang2025progressive (UQDM); flow and ancestral steps as in
      `rdr.codecs.diffusion.process`.
    """
    model, coder = find_source(source), channels.make_channel(channel)
    if decoder not in DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(DECODERS)}, got {decoder!r}")
    if times is None:
        times = process.information_times(end, steps, variance=float(np.diag(model.covariance).mean()))
    times = process.check_times(times)
    if times[0] != 1.0 or times[-1] == 0.0:
        raise ValueError(f"times must start at 1, where nothing is known, and end above 0, got {times}")
    pairs = tuple(zip(times[:-1], times[1:]))
    place = "" if model.arithmetic == "float64" else f"@{model.arithmetic}"
    name = f"diffusion-{channel}{place}"
    process.decoding_times(1.0, decode_steps)  # refuses what is no number of steps
    if not 0.0 <= least < np.inf:
        raise ValueError(f"least must be 0 or more and finite, got {least}")
    made = _Functions(model, coder, pairs, name, decoder, decode_steps, least)
    return Codec(name, made.init, made.forward, made.finalize, made.symbols, made.encode, made.decode)


class _Functions:
    """The functions of a codec, with what its factory was given."""

    def __init__(self, source: ExactSource, channel: ChannelCodec, pairs: tuple[tuple[float, float], ...], name: str,
                 decoder: str, decode_steps: int, least: float):
        self.source, self.channel, self.pairs, self.name = source, channel, pairs, name
        self.decoder, self.decode_steps, self.least = decoder, decode_steps, least

    def init(self, key: jax.Array | None = None) -> dict[str, Any]:
        del key  # nothing is trained
        return {"identity": self.source.identity, "times": np.array([1.0, *(s for _, s in self.pairs)])}

    def _scale(self, t: float, s: float) -> np.ndarray:
        return channels.channel_scale(self.channel, process.bridge(t, s).variance)

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Noise of the channel in noise scales."""
        if self.channel.name == "channel-layered-uniform":
            return rng.uniform(-1.0, 1.0, shape)
        return rng.standard_normal(shape)

    def _turned(self, x: np.ndarray, *, back: bool = False) -> np.ndarray:
        """Vectors in the coordinates in which they are sent, or back from there."""
        basis = self.source.basis
        if basis is None:
            return x
        multiply = transform if len(basis) <= _SMALL else product
        return multiply(x, np.ascontiguousarray(basis.T) if back else basis)

    def _drawn(self, offsets: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
        """Which components are drawn and not sent, and with which deviations."""
        power = np.mean(np.square(offsets), 0)
        return power < self.least * variance, np.sqrt(variance + power)

    def finalize(self, params: Any) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        x = self.source.sample(rng, _FIT)
        noisy, tables = rng.standard_normal(x.shape), {}
        for k, (t, s) in enumerate(self.pairs):
            expected, mean, bridge = _step(self.source, noisy, t, s)
            offsets, scale = self._turned(bridge.source * (x - mean)), self._scale(t, s)
            drawn, deviations = self._drawn(offsets, bridge.variance)
            of_step = {} if drawn.all() else channels.finalize_step(
                self.channel, offsets[:, ~drawn], scale, one_stream=x.shape[1] > _SMALL)
            if self.least:
                of_step = {**of_step, "drawn": drawn, "deviations": deviations[drawn]}
            tables[f"{k:05d}"] = of_step
            received = offsets + float(scale) * self._noise(rng, x.shape)
            received[:, drawn] = deviations[drawn] * rng.standard_normal((len(x), int(drawn.sum())))
            noisy = expected + self._turned(received, back=True)
        return {"identity": params["identity"], "times": params["times"], "tables": tables}

    def _send(self, of_step: Any, offsets: np.ndarray, given: dict[str, Any]) -> bytes:
        offsets = self._turned(offsets)
        if "drawn" not in of_step:
            return channels.encode_step(self.channel, of_step, offsets, **given)
        sent = ~np.asarray(of_step["drawn"])
        return channels.encode_step(self.channel, of_step, offsets[:, sent], **given) if sent.any() else b""

    def _receive(self, of_step: Any, packet: bytes, shape: tuple[int, ...], given: dict[str, Any]) -> np.ndarray:
        """What came through the channel, in the coordinates of vectors."""
        if "drawn" not in of_step:
            return self._turned(channels.decode_step(self.channel, of_step, packet, shape, **given), back=True)
        drawn, received = np.asarray(of_step["drawn"]), np.empty(shape, np.float64)
        normals = shared_normals(jax.random.fold_in(given["key"], _DRAWN), (shape[0], int(drawn.sum())))
        received[:, drawn] = np.asarray(of_step["deviations"]) * normals
        if drawn.all():
            if packet:
                raise ValueError("damaged message: a packet of a step that sends nothing is not empty")
        else:
            received[:, ~drawn] = channels.decode_step(self.channel, of_step, packet,
                                                       (shape[0], int((~drawn).sum())), **given)
        return self._turned(received, back=True)

    def _packets(self, params: Any, x: ArrayLike, shared_key: jax.Array | None) -> list[bytes]:
        tables, key = stored_tables(params), check_shared_key(shared_key)
        x = check_vectors(x, self.source.dimension, largest=self.source.largest)
        noisy, packets = shared_normals(jax.random.fold_in(key, 0), x.shape), []
        for k, (t, s) in enumerate(self.pairs):
            expected, mean, bridge = _step(self.source, noisy, t, s)
            given = {"noise_scale": self._scale(t, s), "key": jax.random.fold_in(key, k + 1)}
            of_step = tables[f"{k:05d}"]
            packets.append(self._send(of_step, bridge.source * (x - mean), given))
            if k + 1 < len(self.pairs):
                noisy = expected + self._receive(of_step, packets[-1], x.shape, given)
        return packets

    def symbols(self, params: Any, x: ArrayLike, shared_key: jax.Array | None = None) -> np.ndarray:
        return np.frombuffer(b"".join(self._packets(params, x, shared_key)), np.uint8).astype(np.int32)

    def encode(self, params: Any, x: ArrayLike, *, shared_key: jax.Array | None = None) -> bytes:
        packets = self._packets(params, x, shared_key)
        return progressive.pack(self.name, container.fingerprint(params), np.shape(x), packets)

    def decode(self, message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: str | None = None) -> np.ndarray:
        key = check_shared_key(shared_key)
        parts = open_progressive(message, name=self.name, params=params, dimension=self.source.dimension,
                                 steps=len(self.pairs))
        tables = stored_tables(params)
        noisy, last = shared_normals(jax.random.fold_in(key, 0), parts.shape), 1.0
        for k, ((t, s), packet) in enumerate(zip(self.pairs, parts.packets)):
            expected, _, _ = _step(self.source, noisy, t, s)
            given = {"noise_scale": self._scale(t, s), "key": jax.random.fold_in(key, k + 1)}
            noisy, last = expected + self._receive(tables[f"{k:05d}"], packet, parts.shape, given), s
        return finish(self.source, noisy, last, decoder=condition or self.decoder, decode_steps=self.decode_steps,
                      private_key=private_key)

    def forward(self, params: Any, x: ArrayLike, *, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        del params  # the tables decide about bytes alone
        x = check_vectors(x, self.source.dimension, largest=self.source.largest)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        noisy, nats, last = rng.standard_normal(x.shape), np.zeros(len(x)), 1.0
        for t, s in self.pairs:
            expected, mean, bridge = _step(self.source, noisy, t, s)
            offsets, variance = self._turned(bridge.source * (x - mean)), bridge.variance
            noise = np.sqrt(variance) * rng.standard_normal(x.shape)
            spread, (drawn, deviations) = variance + np.mean(np.square(offsets), 0), self._drawn(offsets, variance)
            told = (np.log(spread / variance) + np.square(offsets + noise) / spread - np.square(noise) / variance)
            nats += 0.5 * told[:, ~drawn].sum(-1)
            received = np.where(drawn, deviations * rng.standard_normal(x.shape) if drawn.any() else 0.0,
                                offsets + noise)
            noisy, last = expected + self._turned(received, back=True), s
        private = jax.random.fold_in(key, 1) if self.decoder == "ancestral" else None
        made = finish(self.source, noisy, last, decoder=self.decoder, decode_steps=self.decode_steps,
                      private_key=private)
        return made, np.asarray(nats_to_bits(nats))
