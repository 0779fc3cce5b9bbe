"""The decoder's networks in exact arithmetic: bit for bit the same on every machine.

Every number is a multiple of a power of two that float64 holds exactly: weights are whole multiples of 2^-e, e <= 9,
below 64 in size; what goes into a layer is a whole multiple of 2^-12, below 2^13 in size, and no layer adds more than
2^10 products. Sums therefore stay below 2^29 with 21 binary digits behind the point, 50 bits of the 53, whatever the
order in which a library adds them up. NumPy on the host does it, so that neither JAX's settings nor its device matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jax.typing import ArrayLike

from rdr.codecs.overfitted.architecture import CONTEXT, KERNEL, PARENTS, SLOPE, TAPS
from rdr.codecs.overfitted.network import MIN_LOG2_SCALE
from rdr.codecs.overfitted.quantized_laplace import LOCATION_STEPS, SCALES, SCALES_PER_OCTAVE

FRACTION = 12
LIMIT = 2**13 - 1
MAX_EXPONENT = 9
MAX_WEIGHT = 63.0
_PIXELS = 2**15  # that go through the synthesis in one go

Weights = Mapping[str, np.ndarray]


def _snap(x: np.ndarray, least: float = -LIMIT) -> np.ndarray:
    x = x * 2.0**FRACTION
    np.rint(x, out=x)
    x *= 2.0**-FRACTION
    return np.clip(x, least, LIMIT, out=x)


def _relu(x: np.ndarray) -> np.ndarray:
    return _snap(x, 0.0)


def quantize_weights(weights: ArrayLike, exponent: int) -> np.ndarray:
    """Rounds weights to multiples of 2^-e.

    Args:
      weights: any shape.
      exponent: e.

    Returns:
      int32 multiples; weights beyond 63 in size are cut.
    """
    weights = np.clip(np.asarray(weights, np.float64), -MAX_WEIGHT, MAX_WEIGHT)
    return np.rint(weights * 2.0**exponent).astype(np.int32)


class LatentDistribution:
    """The distributions of one latent's numbers, asked for in the order in which they are decoded.

    Args:
      weights: exact weights by name.
      level: of the latent.
      shape: rows and columns.
      parent: the next coarser latent, whole, or None.
    """

    def __init__(self, weights: Weights, level: int, shape: tuple[int, int], parent: np.ndarray | None) -> None:
        rows, columns = shape
        self.shape = shape
        self._top, self._side = (max(abs(offset[axis]) for offset in CONTEXT) for axis in (0, 1))
        self._stride = columns + 2 * self._side
        self.padded = np.zeros((rows + self._top) * self._stride)
        row, column = np.divmod(np.arange(rows * columns), columns)
        wave = column + SLOPE * row
        self.order = np.argsort(wave, kind="stable")
        self.ends = np.cumsum(np.bincount(wave))
        self._places = ((row + self._top) * self._stride + column + self._side)[self.order]
        self._offsets = np.asarray([i * self._stride + j for i, j in CONTEXT])[:, None]
        own = len(CONTEXT)
        self._weights = weights
        self._in, self._skip = weights["entropy_in"][:, :own], weights["entropy_skip"][:, :own]
        self._bias = weights["entropy_in_bias"][level][:, None]
        self._near = None
        if parent is not None:
            padded = np.pad(np.clip(parent, -LIMIT, LIMIT).astype(np.float64), 1)
            near = np.stack([padded[1 + i + row // 2, 1 + j + column // 2] for i, j in PARENTS])
            self._near = near[:, self.order]
            self._in_parent, self._skip_parent = weights["entropy_in"][:, own:], weights["entropy_skip"][:, own:]

    def update(self, part: slice, values: np.ndarray) -> None:
        """Makes numbers known.

        Args:
          part: which of them, in decoding order.
          values: the numbers.
        """
        self.padded[self._places[part]] = np.clip(values, -LIMIT, LIMIT)

    def predict(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Which distribution numbers have; their neighbors must be known.

        Args:
          part: which of them, in decoding order.

        Returns:
          Index of the table, and the whole part of the distribution's middle, int64 each.
        """
        weights = self._weights
        inputs = self.padded[self._places[part] + self._offsets]
        x = self._in @ inputs + self._bias
        out = self._skip @ inputs + weights["entropy_out_bias"][:, None]
        if self._near is not None:
            x += self._in_parent @ self._near[:, part]
            out += self._skip_parent @ self._near[:, part]
        x = _relu(x)
        x = _relu(weights["entropy_hidden"] @ x + weights["entropy_hidden_bias"][:, None])
        out = _snap(out + weights["entropy_out"] @ x)
        scale = np.floor((out[1] - MIN_LOG2_SCALE) * SCALES_PER_OCTAVE + 0.5).clip(0, SCALES - 1).astype(np.int64)
        location_eighths = np.floor(out[0] * LOCATION_STEPS + 0.5).astype(np.int64)
        return scale * LOCATION_STEPS + location_eighths % LOCATION_STEPS, location_eighths // LOCATION_STEPS


def _upsample_axis(x: np.ndarray, taps: np.ndarray, size: int, axis: int) -> np.ndarray:
    pad = [(0, 0)] * x.ndim
    pad[axis] = (TAPS // 2, TAPS // 2)
    x = np.moveaxis(np.pad(x, pad, mode="edge"), axis, -1)
    n = x.shape[-1] - TAPS
    out = np.empty((*x.shape[:-1], 2 * n))
    out[..., 0::2] = sum(taps[k] * x[..., k : k + n] for k in range(TAPS))
    out[..., 1::2] = sum(taps[TAPS - 1 - k] * x[..., k + 1 : k + 1 + n] for k in range(TAPS))
    return np.moveaxis(_snap(out[..., :size]), -1, axis)


def upsample(weights: Weights, latents: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Brings latents to full size.

    Args:
      weights: exact weights by name.
      latents: [rows, columns] each, finest first.

    Returns:
      [height, width] each.
    """
    up = np.clip(latents[-1], -LIMIT, LIMIT).astype(np.float64)[None]
    for level in reversed(range(len(latents) - 1)):
        rows, columns = latents[level].shape
        taps = weights["upsampling"][level]
        up = _upsample_axis(_upsample_axis(up, taps, rows, 1), taps, columns, 2)
        up = np.concatenate([np.clip(latents[level], -LIMIT, LIMIT).astype(np.float64)[None], up])
    return list(up)


def _refine(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """A 3 x 3 convolution of [channels, height, width], edges repeated."""
    _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.empty((len(weights[name]), height, width))
    step = max(1, _PIXELS // width)
    for top in range(0, height, step):
        rows = min(step, height - top)
        near = np.concatenate([padded[:, 1 + i + top : 1 + i + top + rows, 1 + j : 1 + j + width] for i, j in KERNEL])
        part = weights[name] @ near.reshape(len(near), -1) + weights[name + "_bias"][:, None]
        out[:, top : top + rows] = part.reshape(-1, rows, width)
    return out


def synthesize(weights: Weights, latents: Sequence[np.ndarray], noise: Sequence[np.ndarray] = (), *,
               depth: int = 8) -> np.ndarray:
    """Makes the image.

    Above 8 bits the last sum, a multiple of 2^-21, is limited to [0, 1] and not rounded before it becomes a code from 0
    to 2^depth - 1: 37 bits hold the product. Codes are then brought to 0 .. 65535, rounded.

    Args:
      weights: exact weights by name.
      latents: whole numbers [rows, columns] each, finest first.
      noise: multiples of 2^-12, the same for the finest resolutions, or nothing.
      depth: bits of a channel, 8 to 16.

    Returns:
      [height, width, channels]: uint8, or uint16 above 8 bits.
    """
    height, width = latents[0].shape
    maps = upsample(weights, latents)
    if len(noise):
        coarser = [np.zeros(latent.shape) for latent in latents[len(noise):]]
        maps += upsample(weights, [*noise, *coarser])[: len(noise)]
    maps = np.stack([x.reshape(-1) for x in maps])
    x = np.empty((len(weights["pixel_out"]), height * width))
    for start in range(0, height * width, _PIXELS):
        part = slice(start, start + _PIXELS)
        hidden = _relu(weights["pixel_in"] @ maps[:, part] + weights["pixel_in_bias"][:, None])
        x[:, part] = _snap(weights["pixel_out"] @ hidden + weights["pixel_skip"] @ maps[:, part]
                           + weights["pixel_out_bias"][:, None])
    x = x.reshape(-1, height, width)
    x = x + _refine(weights, "refine_out", _relu(_refine(weights, "refine_in", x)))
    if depth > 8:
        largest = 2**depth - 1
        codes = np.floor(largest * x.clip(0.0, 1.0) + 0.5).astype(np.int64)
        return ((codes * 65535 + largest // 2) // largest).astype(np.uint16).transpose(1, 2, 0)
    return np.floor(255.0 * _snap(x) + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
