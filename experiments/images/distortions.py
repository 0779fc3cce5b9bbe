"""Distortions of an image in a known order, from hardly visible to strong, and noise of the same squared error."""

import io
import pathlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from rdr.codecs import overfitted

NUM_LEVELS = 4
CODEC = "codec"  # the kind that `compress` makes
RD_LAMBDAS = (0.1, 0.03, 0.01, 0.003)  # lambda of its levels: bits per pixel for one unit of squared error in 8 bits


def _blur(image, level, rng):
    return ndimage.gaussian_filter(image, ((0.6, 1.0, 1.8, 3.2)[level],) * 2 + (0,), mode="reflect")


def _noise(image, level, rng):
    return image + (0.02, 0.04, 0.08, 0.16)[level] * rng.standard_normal(image.shape)


def _jpeg(image, level, rng):
    stream = io.BytesIO()
    Image.fromarray(np.uint8(np.round(255 * image))).save(stream, "JPEG", quality=(60, 30, 15, 6)[level])
    return np.asarray(Image.open(stream).convert("RGB")) / 255


def _shift(image, level, rng):
    pixels = (1, 2, 4, 8)[level]
    return np.pad(image, ((0, 0), (pixels, 0), (0, 0)), mode="reflect")[:, : image.shape[1]]


def _brightness(image, level, rng):
    return image + (0.03, 0.06, 0.12, 0.2)[level]


def _texture(image, level, rng):
    """Every block of 16 pixels is taken from a random place near by: statistics stay, positions do not."""
    radius, size = (2, 4, 8, 16)[level], 16
    height, width = image.shape[:2]
    padded = np.pad(image, ((radius, radius + size), (radius, radius + size), (0, 0)), mode="reflect")
    result = np.empty_like(image)
    for top in range(0, height, size):
        for left in range(0, width, size):
            # At the full distance, in any direction: larger radii are stronger without exception.
            angle = rng.uniform(0, 2 * np.pi)
            row, column = (round(radius * f) + radius for f in (np.sin(angle), np.cos(angle)))
            block = result[top : top + size, left : left + size]
            block[:] = padded[top + row :, left + column :][: block.shape[0], : block.shape[1]]
    return result


# Name -> function of an image [height, width, 3] in [0, 1], a level and a generator.
DISTORTIONS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "shift": _shift,
    "brightness": _brightness,
    "texture": _texture,
}


def distort(image: np.ndarray, name: str, level: int, *, seed: int) -> np.ndarray:
    """Distorts an image.

    Args:
      image: [height, width, 3], in [0, 1].
      name: one of `DISTORTIONS`.
      level: 0 (weak) to `NUM_LEVELS` - 1 (strong).
      seed: of what is random.

    Returns:
      The same shape, float32, in [0, 1].

    Raises:
      ValueError: if there is no such distortion or level.
    """
    if name not in DISTORTIONS:
        raise ValueError(f"distortions must be among {', '.join(DISTORTIONS)}, got {name!r}")
    if not 0 <= level < NUM_LEVELS:
        raise ValueError(f"level must be from 0 to {NUM_LEVELS - 1}, got {level}")
    rng = np.random.default_rng((seed, sorted(DISTORTIONS).index(name), level))
    return np.clip(DISTORTIONS[name](np.asarray(image, np.float64), level, rng), 0, 1).astype(np.float32)


def compress(
    image: np.ndarray, level: int, *, steps: int, seed: int, directory: pathlib.Path | None = None
) -> tuple[np.ndarray, float]:
    """Compresses an image with our overfitted codec, fitted for squared error, and decodes the message.

    Args:
      image: [height, width, 3], in [0, 1].
      level: 0 (most bits) to `NUM_LEVELS` - 1 (fewest): an index of `RD_LAMBDAS`.
      steps: of the fit.
      seed: of its noise.
      directory: where the fit's progress is kept.

    Returns:
      The decoded image, the same shape, float32, in [0, 1]; and the length of the message in bits per pixel.

    Raises:
      ValueError: if there is no such level, or the fit is refused.
    """
    if not 0 <= level < NUM_LEVELS:
        raise ValueError(f"level must be from 0 to {NUM_LEVELS - 1}, got {level}")
    schedule = overfitted.Schedule(steps=steps)
    options = overfitted.Options(rd_lambda=RD_LAMBDAS[level], schedule=schedule, seed=seed)
    message = overfitted.encode(image, options, directory=directory)
    decoded = overfitted.decode(message).astype(np.float32) / np.float32(255)
    return decoded, 8 * len(message) / (image.shape[0] * image.shape[1])


def noise_of_equal_error(image: np.ndarray, mean_squared_error: float, *, seed: int) -> np.ndarray:
    """Adds white noise of a given squared error, cut to [0, 1].

    Args:
      image: [height, width, 3], in [0, 1].
      mean_squared_error: what the difference will have, to a millionth of it.
      seed: of the noise.

    Returns:
      The same shape, float32, in [0, 1].

    Raises:
      ValueError: if no noise within [0, 1] has this error.
    """
    image = np.asarray(image, np.float64)
    noise = np.random.default_rng((seed, 10_007)).standard_normal(image.shape)

    def error(amplitude):
        return np.mean((np.clip(image + amplitude * noise, 0, 1) - image) ** 2)

    low, high = 0.0, np.sqrt(mean_squared_error)
    while error(high) < mean_squared_error:
        high *= 2
        if high > 1e3:
            raise ValueError(f"mean_squared_error must be reachable within [0, 1], got {mean_squared_error}")
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if error(middle) < mean_squared_error else (low, middle)
    return np.clip(image + high * noise, 0, 1).astype(np.float32)
