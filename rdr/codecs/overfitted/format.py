"""From exact weights and latents to a message and back.

Payloads: settings; weights (coded, escapes); latents (coded, escapes). Settings are, a byte each: the format's number
(1 for sRGB of 8 bits; 2 for others, and then seven bytes say what values are, see `signals`), levels, noise levels, the
three widths; a byte or two of flags for latents that are not zero, lowest bit finest; four bytes of seed where there is
noise; and a byte for each tensor: 25 e + t, its step 2^-e and the Laplace table t that codes it. What is coded of the
weights is their difference to those of `start`, rounded to the same step. Latents are coded from the coarsest to the
finest, along lines column + 2 row = constant.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rdr.bitstream import coder, container
from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.codecs.overfitted import exact_inference
from rdr.codecs.overfitted.architecture import SLOPE, Architecture, operations, shapes
from rdr.codecs.overfitted.pretrained_init import quantized_pretrained
from rdr.codecs.overfitted.quantized_laplace import LOCATION_STEPS, SCALES, laplace_tables
from rdr.codecs.overfitted.signals import PACKED_BYTES, SRGB, Signal, pack_signal, unpack_signal
from rdr.randomness import shared_integers, shared_key

NAME = "overfitted"
_FORMAT, _FORMAT_WITH_SIGNAL = 1, 2
_TABLES = (SCALES + 1) // 2  # every second scale codes weights
MAX_LEVELS, MAX_WIDTH = 12, 64
NOISE_VALUES = 256
# What decoding may take where the caller sets no limit: pixels of a usual decoder, and for each byte of the message.
_FREE_PIXELS, _PIXELS_PER_BYTE = 5 * 2**18, 2**13
_USUAL_OPERATIONS = 1422.0  # multiply-accumulates per pixel of such a decoder
_WAVE_PIXELS = 64  # as much work as each line column + 2 row = constant of a latent is


class Description(NamedTuple):
    """All that a decoder needs.

    Attributes:
      arch: sizes of the decoder.
      exponents: e by name; weights are whole multiples of 2^-e.
      weights: whole numbers by name.
      latents: int32 [rows, columns] each, finest first.
      seed: of the shared noise, or None.
      signal: what the image's values are.
    """

    arch: Architecture
    exponents: Mapping[str, int]
    weights: Mapping[str, np.ndarray]
    latents: Sequence[np.ndarray]
    seed: int | None
    signal: Signal = SRGB


def dequantize_weights(description: Description) -> dict[str, np.ndarray]:
    """The weights as numbers.

    Args:
      description: of the decoder.

    Returns:
      float64 by name, exact.
    """
    return {name: w.astype(np.float64) * 2.0 ** -description.exponents[name]
            for name, w in description.weights.items()}


def noise_maps(arch: Architecture, seed: int | None) -> list[np.ndarray]:
    """Noise that encoder and decoder share: 256 equally likely values with variance 1, multiples of 2^-12.

    Args:
      arch: sizes of the decoder.
      seed: from the file; None without noise.

    Returns:
      float64 [rows, columns] for each of the finest `noise_levels` resolutions.
    """
    if not arch.noise_levels or seed is None:
        return []
    key, latents = shared_key(seed), []
    step = 2**exact_inference.FRACTION * 12**0.5 / 256
    values = np.floor((np.arange(NOISE_VALUES) - (NOISE_VALUES - 1) / 2) * step)
    for level, shape in enumerate(arch.latent_shapes[: arch.noise_levels]):
        draw = shared_integers(jax.random.fold_in(key, level), shape, levels=NOISE_VALUES)
        latents.append(values[np.asarray(draw)] * 2.0**-exact_inference.FRACTION)
    return latents


def weight_table(weights: np.ndarray) -> int:
    """The table that codes whole numbers most cheaply: that of the mean absolute value, or one nearby.

    Args:
      weights: whole numbers of any shape.

    Returns:
      0 .. 24, for the scale 2^(t / 2 - 6).
    """
    mean = np.abs(weights).mean() if weights.size else 0.0
    return int(np.clip(np.round(2 * (np.log2(max(mean, 2.0**-6)) + 6)), 0, _TABLES - 1))


class Written(NamedTuple):
    """A message, and how long its parts are.

    Attributes:
      message: the bytes.
      latent_bytes: how many of them the latents take.
      weight_bytes: how many of them the weights take.
    """

    message: bytes
    latent_bytes: int
    weight_bytes: int


def write(description: Description) -> Written:
    """Writes a message.

    Args:
      description: all that the decoder needs.

    Returns:
      The message and the lengths of its parts.
    """
    arch = description.arch
    used = [bool(np.any(latent)) for latent in description.latents]
    tables, names = laplace_tables(), list(shapes(arch))
    start = quantized_pretrained(arch, description.exponents)
    differences = {name: description.weights[name] - start[name] for name in names}
    chosen = {name: weight_table(differences[name]) for name in names}
    plain = description.signal == SRGB
    settings = bytes([_FORMAT]) if plain else bytes([_FORMAT_WITH_SIGNAL]) + pack_signal(description.signal)
    settings += bytes([arch.levels, arch.noise_levels, arch.entropy_width, arch.synthesis_width, arch.refinement_width])
    settings += sum(1 << level for level, flag in enumerate(used) if flag).to_bytes(-(-arch.levels // 8), "little")
    if arch.noise_levels and description.seed is not None:
        settings += int(description.seed).to_bytes(4, "little")
    settings += bytes(_TABLES * description.exponents[name] + chosen[name] for name in names)
    numbers = np.concatenate([differences[name].reshape(-1) for name in names])
    ids = np.concatenate([np.full(differences[name].size, 2 * LOCATION_STEPS * chosen[name]) for name in names])
    weights = coder.encode_symbols(numbers.astype(np.int32), tables, ids)
    encoder, exact = StepEncoder(), dequantize_weights(description)
    for level in reversed(range(arch.levels)):
        if used[level]:
            distribution = _distribution(exact, arch, level, description.latents)
            everything = slice(0, distribution.order.size)
            values = np.asarray(description.latents[level], np.int64).reshape(-1)[distribution.order]
            distribution.update(everything, values)
            ids, middle = distribution.predict(everything)
            for part in _parts(distribution):
                encoder.add(values[part] - middle[part], tables, ids[part])
    latents = encoder.finish()
    message = container.Message(NAME, b"", (arch.height, arch.width, arch.channels), (settings, *weights, *latents))
    return Written(container.pack(message), sum(map(len, latents)), sum(map(len, weights)))


def _distribution(exact: Mapping[str, np.ndarray], arch: Architecture, level: int, latents: Any
                  ) -> exact_inference.LatentDistribution:
    parent = latents[level + 1] if level + 1 < arch.levels else None
    return exact_inference.LatentDistribution(exact, level, arch.latent_shapes[level], parent)


def _parts(distribution: exact_inference.LatentDistribution) -> list[slice]:
    starts = np.concatenate([[0], distribution.ends[:-1]])
    return [slice(int(a), int(b)) for a, b in zip(starts, distribution.ends) if b > a]


class Settings(NamedTuple):
    """What a message says before its coded parts.

    Attributes:
      arch: sizes of the decoder.
      exponents: e by name; weights are whole multiples of 2^-e.
      tables: of each tensor of weights, by name.
      used: for each latent whether it is coded; the others are zero.
      seed: of the shared noise, or None.
      signal: what the image's values are.
      coded: the payloads behind the settings: weights (coded, escapes), latents (coded, escapes).
    """

    arch: Architecture
    exponents: Mapping[str, int]
    tables: Mapping[str, int]
    used: Sequence[bool]
    seed: int | None
    signal: Signal
    coded: tuple[bytes, ...]


def read_settings(message: bytes, *, max_elements: int = container.MAX_ELEMENTS) -> Settings:
    """Reads what a message says before its coded parts, which are not looked at.

    Args:
      message: from `write`.
      max_elements: the most numbers that the image may have.

    Returns:
      The settings.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != NAME:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {NAME!r}")
    if parts.fingerprint or len(parts.payloads) != 5 or len(parts.shape) != 3 or min(parts.shape) < 1:
        raise ValueError("damaged message: its parts are not those of an overfitted image")
    signal, settings = split_signal(parts.payloads[0])
    arch, exponents, tables, used, seed = _settings(settings, parts.shape)
    return Settings(arch, exponents, tables, used, seed, signal, parts.payloads[1:])


def _check_work(settings: Settings, length: int) -> None:
    """Refuses messages that take far more work than so few bytes are worth; blank images are none.

    A coder whose bytes are used up reads on, so that 60 bytes can announce any image.
    """
    arch = settings.arch
    if not any(settings.used) and settings.seed is None:
        return
    waves = sum(columns + SLOPE * rows for used, (rows, columns) in zip(settings.used, arch.latent_shapes) if used)
    pixels = arch.height * arch.width
    work = pixels * operations(arch)["all"] / _USUAL_OPERATIONS + _WAVE_PIXELS * waves
    if work > max(_FREE_PIXELS, _PIXELS_PER_BYTE * length):
        raise ValueError(f"the message announces {arch.width} x {arch.height} pixels in {length} bytes, of which few "
                         "images are, and decoding would take long: if you know where it is from, allow it with "
                         f"max_elements={pixels * arch.channels} (--max_pixels={pixels} at the command line)")


def read(message: bytes, *, max_elements: int | None = None) -> Description:
    """Reads a message.

    Args:
      message: from `write`.
      max_elements: the most numbers that the image may have; None for 2^24, and for small messages as many as decode
        in a second or two.

    Returns:
      All that the decoder needs.

    Raises:
      ValueError: if it is no such message, or damaged, or decoding would take more than that.
    """
    settings = read_settings(message, max_elements=container.MAX_ELEMENTS if max_elements is None else max_elements)
    if max_elements is None:
        _check_work(settings, len(message))
    arch, exponents, chosen, used, seed, signal, coded = settings
    coded_weights, weight_escapes, coded_latents, latent_escapes = coded
    shape, tables = shapes(arch), laplace_tables()
    sizes = {name: int(np.prod(sizes)) for name, sizes in shape.items()}
    ids = np.concatenate([np.full(sizes[name], 2 * LOCATION_STEPS * chosen[name]) for name in shape])
    symbols = coder.decode_symbols(coded_weights, weight_escapes, ids.size, tables, ids)
    numbers = np.split(symbols, np.cumsum(list(sizes.values()))[:-1])
    start = quantized_pretrained(arch, exponents)
    integers = {name: part.reshape(shape[name]).astype(np.int64) + start[name] for name, part in zip(shape, numbers)}
    if any(np.abs(w).max() > exact_inference.MAX_WEIGHT * 2 ** exponents[n] for n, w in integers.items()):
        raise ValueError("damaged message: a weight is too large")
    latents: list = [np.zeros(size, np.int32) for size in arch.latent_shapes]
    description = Description(arch, exponents, integers, latents, seed, signal)
    decoder, exact = StepDecoder(coded_latents, latent_escapes), dequantize_weights(description)
    for level in reversed(range(arch.levels)):
        if used[level]:
            distribution = _distribution(exact, arch, level, latents)
            values = np.zeros(distribution.order.size, np.int64)
            for part in _parts(distribution):
                ids, middle = distribution.predict(part)
                values[part] = decoder.read(tables, ids) + middle
                distribution.update(part, values[part])
            if np.abs(values).max() > exact_inference.LIMIT:
                raise ValueError("damaged message: a number of a latent is too large")
            latents[level].reshape(-1)[distribution.order] = values
    decoder.finish()
    return description


def split_signal(settings: bytes) -> tuple[Signal, bytes]:
    """Reads what the values are, which comes first.

    Args:
      settings: the first payload.

    Returns:
      The signal, and the settings behind it.

    Raises:
      ValueError: if they have another format, or are damaged.
    """
    if not settings or settings[0] not in (_FORMAT, _FORMAT_WITH_SIGNAL):
        raise ValueError("the message has another format of overfitted images than this program reads")
    if settings[0] == _FORMAT:
        return SRGB, settings[1:]
    return unpack_signal(settings[1:]), settings[1 + PACKED_BYTES:]


def _settings(settings: bytes, shape: tuple[int, ...]) -> tuple:
    (levels, noise, entropy, synthesis, refinement), (height, width, channels) = settings[:5].ljust(5, b"\0"), shape
    widths_fit = all(1 <= w <= MAX_WIDTH for w in (entropy, synthesis, refinement))
    if not 1 <= levels <= MAX_LEVELS or noise > levels or not widths_fit or channels not in (1, 3):
        raise ValueError("damaged message: impossible sizes of the decoder")
    arch = Architecture(height, width, channels, levels, noise, entropy, synthesis, refinement)
    names, flags = list(shapes(arch)), -(-levels // 8)
    rest = settings[5:]
    if len(rest) != flags + (4 if noise else 0) + len(names):
        raise ValueError("damaged message: its settings have another length than they say")
    mask = int.from_bytes(rest[:flags], "little")
    seed = int.from_bytes(rest[flags : flags + 4], "little") if noise else None
    codes = dict(zip(names, rest[-len(names):]))
    if mask >> levels or any(code >= _TABLES * (exact_inference.MAX_EXPONENT + 1) for code in codes.values()):
        raise ValueError("damaged message: impossible settings")
    return (arch, {name: code // _TABLES for name, code in codes.items()},
            {name: code % _TABLES for name, code in codes.items()}, [bool(mask >> i & 1) for i in range(levels)], seed)


def render(description: Description) -> np.ndarray:
    """Makes the image that a description stands for.

    Args:
      description: from `read`.

    Returns:
      [height, width, channels]: uint8, or uint16 over its whole range if the image has more than 8 bits.
    """
    arch, weights = description.arch, dequantize_weights(description)
    synthesize = functools.partial(exact_inference.synthesize, depth=description.signal.depth)
    noise = noise_maps(arch, description.seed)
    if not noise and not any(latent.any() for latent in description.latents):  # all pixels are one
        pixel = synthesize(weights, [np.zeros((1, 1), np.int32)] * arch.levels)
        return np.broadcast_to(pixel, (arch.height, arch.width, arch.channels)).copy()
    return synthesize(weights, description.latents, noise)
