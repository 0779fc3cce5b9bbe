"""Denoising diffusion codebook models: ancestral sampling whose noise is chosen, not drawn.

Encoder and decoder share x_1 and, for every vector and step, a codebook of K standard normal vectors. A step of
ancestral sampling takes the codeword that points most in the direction of what the denoiser misses,
k = argmax <c_k, x_0 - denoise(x_t, t)>, and log2 K bits say which: no entropy coder, and no channel: the noise is not
Gaussian any more, since it knows the source. Every step is a packet.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from rdr.bitstream import container, progressive
from rdr.codecs.base import Codec
from rdr.codecs.channel.base import check_shared_key
from rdr.codecs.diffusion import codec as diffusion
from rdr.codecs.diffusion import process
from rdr.codecs.diffusion.arithmetic import total
from rdr.codecs.diffusion.sources import ExactSource

MAX_BITS = 10


@functools.cache
def ddcm_codec(source: str | ExactSource = "gaussian_vector", *, bits: int = 2, times: tuple[float, ...] | None = None,
               end: float = 0.02, steps: int = 24, decoder: str = "mean", decode_steps: int = 64) -> Codec:
    """Makes a codec of chosen noise.

    Args:
      source: with its denoiser, as for `rdr.codecs.diffusion.codec.diffusion_codec`.
      bits: log2 K of a step, from 0 (noise as it comes) to 10.
      times: of x_t, from 1 down; None for `process.information_times(end, steps)`.
      end: last time, in (0, 1).
      steps: how many packets; the rate is bits times steps.
      decoder: how x_0 is made of the last x_t: "mean", the denoiser's output as in the paper, "flow" or "ancestral".
      decode_steps: of flows that are not known in closed form.

    Returns:
      The codec, with `symbols` the codewords' numbers [batch, steps]; otherwise as `diffusion_codec` makes it.
      Codebooks are drawn anew for every vector, so that averages over a batch are averages over codebooks; the paper
      has one for all. `forward` is the codec with a key in place of the shared one.

    Raises:
      ValueError: if an argument is none of these.

    Reference: ohayon2025ddcm.
    """
    model = diffusion.find_source(source)
    if not 0 <= bits <= MAX_BITS:
        raise ValueError(f"bits must be from 0 to {MAX_BITS}, got {bits}")
    if decoder not in diffusion.DECODERS:
        raise ValueError(f"decoder must be one of {', '.join(diffusion.DECODERS)}, got {decoder!r}")
    if times is None:
        times = process.information_times(end, steps, variance=float(np.diag(model.covariance).mean()))
    times = process.check_times(times)
    if times[0] != 1.0 or times[-1] == 0.0:
        raise ValueError(f"times must start at 1, where nothing is known, and end above 0, got {times}")
    process.decoding_times(1.0, decode_steps)
    made = _Functions(model, bits, tuple(zip(times[:-1], times[1:])), decoder, decode_steps)
    return Codec(made.name, made.init, made.forward, made.init_tables, made.symbols, made.encode, made.decode)


class _Functions:
    """The functions of a codec, with what its factory was given."""

    def __init__(self, source: ExactSource, bits: int, pairs: tuple[tuple[float, float], ...], decoder: str,
                 decode_steps: int):
        self.source, self.bits, self.pairs = source, bits, pairs
        self.decoder, self.decode_steps = decoder, decode_steps
        self.name = "diffusion-codebook" + ("" if source.arithmetic == "float64" else f"@{source.arithmetic}")

    def init(self, key: jax.Array | None = None) -> dict[str, Any]:
        del key  # nothing is trained
        return {"identity": self.source.identity, "times": np.array([1.0, *(s for _, s in self.pairs)]),
                "bits": np.array(self.bits)}

    def init_tables(self, params: Any) -> dict[str, Any]:
        return dict(params)  # indices are coded as plain bits

    def _walk(self, shape: tuple[int, ...], key: jax.Array, steps: int, choose: Any) -> tuple[np.ndarray, float]:
        """x_t after some steps, with `choose(step, codebook, mean)` saying which codewords."""
        noisy, last = diffusion.shared_normals(jax.random.fold_in(key, 0), shape), 1.0
        rows = np.arange(shape[0])
        for k, (t, s) in enumerate(self.pairs[:steps]):
            a, b, variance = process.bridge(t, s)
            mean = self.source.denoise(noisy, t)
            codebook = diffusion.shared_normals(jax.random.fold_in(key, k + 1), (shape[0], 2**self.bits, shape[1]))
            noisy = a * mean + b * noisy + np.sqrt(variance) * codebook[rows, choose(k, codebook, mean)]
            last = s
        return noisy, last

    def symbols(self, params: Any, x: ArrayLike, shared_key: jax.Array | None = None) -> np.ndarray:
        self._check(params)
        x = diffusion.check_vectors(x, self.source.dimension, largest=self.source.largest)
        key = check_shared_key(shared_key)
        chosen = np.empty((len(x), len(self.pairs)), np.int32)

        def choose(k: int, codebook: np.ndarray, mean: np.ndarray) -> np.ndarray:
            chosen[:, k] = np.argmax(total(codebook * (x - mean)[:, None]), 1)
            return chosen[:, k]

        self._walk(x.shape, key, len(self.pairs), choose)
        return chosen

    def _check(self, params: Any) -> None:
        if params is None or container.fingerprint(params) != container.fingerprint(self.init()):
            raise ValueError("these parameters are not of this codec: make them with its init")

    def encode(self, params: Any, x: ArrayLike, *, shared_key: jax.Array | None = None) -> bytes:
        chosen = self.symbols(params, x, shared_key)
        planes = (chosen.T[:, :, None] >> np.arange(self.bits)) & 1  # [steps, batch, bits]
        packets = [np.packbits(plane.astype(np.uint8)).tobytes() for plane in planes]
        return progressive.pack(self.name, container.fingerprint(params), np.shape(x), packets)

    def decode(self, message: bytes, *, params: Any = None, shared_key: jax.Array | None = None,
               private_key: jax.Array | None = None, condition: str | None = None) -> np.ndarray:
        key = check_shared_key(shared_key)
        parts = diffusion.open_progressive(message, name=self.name, params=params, dimension=self.source.dimension,
                                           steps=len(self.pairs))
        count = parts.shape[0] * self.bits
        if any(len(packet) != (count + 7) // 8 for packet in parts.packets):
            raise ValueError("damaged message: a packet is longer or shorter than its vectors need")

        def choose(k: int, *_: np.ndarray) -> np.ndarray:
            plane = np.unpackbits(np.frombuffer(parts.packets[k], np.uint8), count=count)
            return plane.reshape(parts.shape[0], self.bits).astype(np.int64) @ (1 << np.arange(self.bits))

        noisy, last = self._walk(parts.shape, key, len(parts.packets), choose)
        return diffusion.finish(self.source, noisy, last, decoder=condition or self.decoder,
                                decode_steps=self.decode_steps, private_key=private_key)

    def forward(self, params: Any, x: ArrayLike, *, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        shared = jax.random.wrap_key_data(jax.random.key_data(key), impl="threefry2x32")
        private = jax.random.fold_in(key, 1) if self.decoder == "ancestral" else None
        made = self.decode(self.encode(params, x, shared_key=shared), params=params, shared_key=shared,
                           private_key=private)
        return made, np.full(len(made), float(self.bits * len(self.pairs)))
