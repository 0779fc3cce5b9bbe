"""Image codecs of `experiments.sources.sample_bounds`: held-out vectors that are images, in real bytes.

Both code a mosaic of the images, one message for all: a file for each image of 8 x 8 to 28 x 28 pixels would be made of
its header and of what fills it up to the codec's blocks.

* `amortized`: the pretrained codec that comes with the package; gray images are three equal channels;
* `overfitted`: a decoder that is fitted to the mosaic.

Neither has seen the source before: they stand for codecs of photographs, held against those made for the source.
"""

import math
import pathlib

import numpy as np

from experiments.sources.operational_rate import Measurement
from rdr.codecs.image import load_pretrained, pretrained
from rdr.codecs.overfitted import codec as overfitted
from rdr.codecs.overfitted.options import DEFAULT, Options
from rdr.codecs.overfitted.schedule import Schedule
from rdr.data.samples import Samples
from rdr.evaluation.estimate_tables import vector_slopes

CODECS = ("amortized", "overfitted")
_LUMA = np.array([0.299, 0.587, 0.114])  # BT.601, as patches of luma are made


def why_not(name: str, samples: Samples) -> str:
    """Says why a codec cannot code a source.

    Args:
      name: of `CODECS`.
      samples: the source.

    Returns:
      The reason; empty if it can.
    """
    if len(samples.shape) != 3 or samples.shape[-1] not in (1, 3):
        return f"vectors of shape {samples.shape} are no images"
    if samples.held_out.min() < 0 or samples.held_out.max() > 1:
        return "values are not in [0, 1]"
    if name == "amortized" and not pretrained.is_available():
        return "this installation has no pretrained codec"
    return ""


def _measurement(size: int, x: np.ndarray, y: np.ndarray) -> Measurement:
    """What an image takes of one message is not known: all are said to take the same."""
    errors, rate = np.square(x - y).reshape(len(x), -1).sum(-1), 8 * size / len(x)
    return Measurement(size, rate, rate, float(errors.mean()), float("nan"), np.full(len(x), rate), errors,
                       np.zeros(len(x)))


def mosaic(images: np.ndarray) -> np.ndarray:
    """Lays images out in a square, row by row; what does not fit into the largest square is left out.

    Args:
      images: [n, height, width, channels].

    Returns:
      [k height, k width, channels] with k^2 <= n.
    """
    k = math.isqrt(len(images))
    _, height, width, channels = images.shape
    laid = images[: k * k].reshape(k, k, height, width, channels).swapaxes(1, 2)
    return laid.reshape(k * height, k * width, channels)


def tiles(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cuts a mosaic into its images.

    Args:
      picture: from `mosaic`.
      shape: of an image.

    Returns:
      [k^2, height, width, channels].
    """
    height, width, channels = shape
    k = picture.shape[0] // height
    return picture.reshape(k, height, k, width, channels).swapaxes(1, 2).reshape(k * k, *shape)


def amortized(picture: np.ndarray, level: float) -> tuple[bytes, np.ndarray]:
    """Codes a picture with the pretrained codec.

    Args:
      picture: [height, width, 1 or 3] in [0, 1].
      level: of its rate, as a fraction of the highest.

    Returns:
      The message, and the decoded picture of the same shape.
    """
    loaded = load_pretrained()
    colors = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)).astype(np.float32))
    message = loaded.codec.encode(loaded.params, colors[None], rate=level * (loaded.options["rate_levels"] - 1))
    y = np.asarray(loaded.codec.decode(message, params=loaded.params), np.float64)[0]
    return message, y if picture.shape[-1] == 3 else (y @ _LUMA)[..., None]


def overfit(picture: np.ndarray, slope: float, *, steps: int, seed: int, directory: pathlib.Path
            ) -> tuple[bytes, np.ndarray]:
    """Fits a decoder to a picture.

    Args:
      picture: [height, width, 1 or 3] in [0, 1].
      slope: bits per unit of squared error.
      steps: of the fit.
      seed: of the fit.
      directory: of its checkpoints.

    Returns:
      The message, and the decoded picture.
    """
    # Bits per pixel + slope * error per pixel; the objective is the mean over values of 0 to 255, squared.
    options: Options = DEFAULT._replace(rd_lambda=slope * picture.shape[-1] / 255.0**2, schedule=Schedule(steps=steps),
                                        seed=seed)
    message = overfitted.encode(picture, options, directory=directory)
    return message, overfitted.decode(message) / 255.0


def measure(name: str, samples: Samples, rates: tuple[float, ...], *, levels: tuple[float, ...], count: int, steps: int,
            seed: int, directory: pathlib.Path) -> list[tuple[float, Measurement]]:
    """Codes held-out images to bytes and decodes them.

    Args:
      name: of `CODECS`.
      samples: the source.
      rates: bits per vector that `overfitted` aims at: its lambda is the slope that a Gaussian of the same covariance
        has there.
      levels: of the rate of `amortized`, as fractions of the highest.
      count: how many held-out images the mosaic is made of, at most.
      steps: of the fits.
      seed: of the fits.
      directory: of their checkpoints.

    Returns:
      What was aimed at, bits per vector, or NaN where a level was chosen; and what came out. Errors of rates are left
      out: there is one message.
    """
    x = samples.held_out[:count].astype(np.float64).reshape(-1, *samples.shape)
    x = x[: math.isqrt(len(x)) ** 2]
    picture = mosaic(x)
    if name == "amortized":
        aims, coded = [float("nan")] * len(levels), [amortized(picture, level) for level in levels]
    else:
        aims = list(rates)
        coded = [overfit(picture, float(slope), steps=steps, seed=seed, directory=directory / str(number))
                 for number, slope in enumerate(vector_slopes(samples.vectors, rates)[0])]
    return [(aim, _measurement(len(message), x, tiles(y, samples.shape))) for aim, (message, y) in zip(aims, coded)]
