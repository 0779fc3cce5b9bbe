"""Messages of overfitted images with random contents and options, and damaged ones, made without any fit."""

import numpy as np

from rdr.bitstream import container
from rdr.codecs.overfitted import format, tiling
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.exact_inference import LIMIT, quantize_weights
from rdr.codecs.overfitted.pretrained_init import pretrained_weights
from rdr.codecs.overfitted.signals import SRGB, Signal

# JAX compiles a program for each shape of noise: sizes whose halves are the same keep these few.
SIGNALS = (Signal(10, "pq", "bt2020"), Signal(16, "linear", "p3", 250.0), Signal(13, "hlg", "bt2020"), Signal(16),
           Signal(8, "pq", "bt709", 100.0))
NOISY_SIZES = ((1, 1), (5, 7), (9, 14), (18, 28), (36, 55), (1, 28))


def _weights(rng, arch, exponents):
    start, weights = pretrained_weights(arch), {}
    for name, shape in shapes(arch).items():
        if start is not None and rng.random() < 0.8:
            w = start[name] + rng.standard_normal(shape) * rng.choice([0.0, 0.02, 0.2])
        else:
            w = rng.standard_normal(shape) * (0.1 if name.endswith("bias") else 0.7 / shape[-1] ** 0.5)
            w = w * 0.1 + np.asarray([0.0, 0.25, 0.75, 0.0]) if name == "upsampling" else w
            w = w * (30 if rng.random() < 0.1 else 1)
        weights[name] = quantize_weights(w, exponents[name])
    return weights


def _latent(rng, shape, amplitude):
    kind, x = rng.random(), rng.laplace(size=shape) * amplitude
    if kind < 0.15:
        x *= 0
    elif kind < 0.4:
        x *= rng.random(shape) < 0.1
    elif kind < 0.45:
        x *= 3000  # beyond every table
    return np.clip(np.rint(x), -LIMIT, LIMIT).astype(np.int32)


def random_description(rng, arch, seed, amplitude, signal):
    """All that a decoder needs, at random."""
    exponents = {name: int(rng.integers(0 if rng.random() < 0.1 else 3, 10)) for name in shapes(arch)}
    latents = [_latent(rng, shape, amplitude) for shape in arch.latent_shapes]
    return format.Description(arch, exponents, _weights(rng, arch, exponents), latents,
                              seed if arch.noise_levels else None, signal)


def random_message(rng, *, side=40, noise=True):
    """Gray or color, whole or in tiles, any widths, levels and depth, with noise in half of those that may have it."""
    noisy = noise and rng.random() < 0.5
    height, width = NOISY_SIZES[rng.integers(len(NOISY_SIZES))] if noisy else rng.integers(1, side + 1, 2)
    if rng.random() < 0.05:
        height = width = 1
    levels = int(rng.integers(1, 8 if rng.random() < 0.8 else 13))
    widths = (16, 24, 6) if rng.random() < 0.6 else tuple(rng.integers(1, 65 if rng.random() < 0.2 else 30, 3))
    grid = tiling.Grid(int(height), int(width), 1, 1)
    if rng.random() < 0.25:
        # Tiles of noisy images have the sizes above, too: the whole is larger by as many of them.
        rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        lost = (0, 0) if noisy else (rng.integers(rows), rng.integers(columns))
        grid = tiling.Grid(max(int(height * rows - lost[0]), rows), max(int(width * columns - lost[1]), columns),
                           rows, columns)
    noise_levels = int(rng.integers(1, levels + 1)) if noisy else 0
    arch = Architecture(*grid.tile, int(rng.choice([1, 3])), levels, noise_levels, *map(int, widths))
    seed, amplitude = int(rng.integers(2**32)), float(rng.choice([0.2, 0.7, 2.0, 8.0]))
    signal = SIGNALS[rng.integers(len(SIGNALS))] if rng.random() < 0.4 else SRGB
    messages = [format.write(random_description(rng, arch, (seed + i) % 2**32, amplitude, signal)).message
                for i in range(grid.rows * grid.columns)]
    if len(messages) == 1 and rng.random() < 0.9:
        return messages[0]
    return tiling._pack(grid, arch.channels, messages)


def _damage_bytes(rng, data):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        where, kind = int(rng.integers(len(data) + 1)), rng.random()
        if kind < 0.7 and data:
            data[where % len(data)] = int(rng.integers(256))
        elif kind < 0.8:
            del data[where:]
        elif kind < 0.9:
            data[where:where] = rng.bytes(int(rng.integers(1, 9)))
        else:
            del data[where : where + int(rng.integers(1, 5))]
    return bytes(data)


def damaged_message(rng, message):
    """A message with something else in it; in most cases its checksum is right."""
    if rng.random() < 0.15:
        return _damage_bytes(rng, message)
    parts = container.unpack(message)
    if rng.random() < 0.1:
        shape = list(parts.shape)
        shape[rng.integers(3)] = int(rng.choice([0, 1, 2, 3, 17, 400, 2**20, 2**40]))
        return container.pack(parts._replace(shape=tuple(shape)))
    if rng.random() < 0.05:
        return container.pack(parts._replace(codec=str(rng.choice(["overfitted", "overfitted tiles", "x"])),
                                             fingerprint=b"" if rng.random() < 0.5 else b"12345678"))
    payloads = list(parts.payloads)
    filled = [i for i, payload in enumerate(payloads) if payload]
    which = int(rng.choice(filled)) if rng.random() < 0.95 else int(rng.integers(len(payloads)))
    inner = parts.codec == tiling.NAME and which > 0 and rng.random() < 0.9
    payloads[which] = damaged_message(rng, payloads[which]) if inner else _damage_bytes(rng, payloads[which])
    return container.pack(parts._replace(payloads=tuple(payloads)))
