"""Options of a fit, and checks of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike

from rdr.bitstream import container
from rdr.codecs.overfitted import format
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.objectives import (
    PIXELS_PER_DEGREE,
    SQUARED_ERROR_WEIGHT,
    FeatureMaps,
    Objective,
    objective,
    objective_from_loss,
)
from rdr.codecs.overfitted.schedule import Schedule
from rdr.codecs.overfitted.signals import SRGB, Signal, check_signal
from rdr.vision.display import Display, get_display

# A color image of 768 x 512 pixels takes about 10 s and .18 s a step on two cores (benchmarks/overfitted.md), which is
# about one, five and thirty minutes.
PRESETS = {
    "fast": Schedule(steps=300),
    "medium": Schedule(steps=1500),
    "slow": Schedule(steps=9000),
    "best": Schedule(steps=10_000),  # for a GPU
}
MIN_SIZE = 100  # bytes
MAX_PSNR = 100.0  # dB


class Options(NamedTuple):
    """How an image is fitted.

    Attributes:
      objective: "mse", "ms_ssim", "wd", "wd_mse", "lpips" or "jod"; or a loss of your own,
        `loss(images, reference) -> [batch]`, or an `Objective`.
      rd_lambda: lambda, bits per pixel for one unit of the objective; None for the objective's usual one.
      size: bytes that the file should have; lambda is then found, from `rd_lambda` on. Where weights and headers alone
        take more, the shortest file that was found is written, which is longer.
      psnr: dB of PSNR that the decoded image should have, in place of a size: lambda is found from `rd_lambda` on, and
        of the files that were made on the way the shortest with that PSNR is written, or the one that came closest. Of
        tiles, each has it.
      schedule: of the fit.
      seed: of the noise in training, and of shared noise.
      noise_levels: the finest so many resolutions get shared noise; 0 for a deterministic codec.
      sigma: of "wd" and "wd_mse": pixels, a map of them [height, width], "eccentricity", "saliency" or "intrinsic".
      features: of "wd" and "wd_mse": "pixels", "steerable", "alexnet" or "vgg16"; or a function of your own,
        `features(images) -> {name: maps}`, of [batch, height, width, channels] in [0, 1].
      squared_error_weight: of "wd_mse", beside Wasserstein distortion; of values in [0, 1].
      saliency: [height, width] for sigma = "saliency".
      entropy_width: see `Architecture`.
      synthesis_width: see `Architecture`.
      pixels_per_degree: pixels per degree of visual angle, for sigma = "eccentricity".
      signal: what the image's values are: bits of a channel that are decoded, transfer function and primaries. The fit
        is of the values as they are coded.
      display: of "jod", and only of it: the display that the image is seen on, or its name. Its transfer function must
        be the image's; its primaries are taken to be the image's, as color management makes them.
      size_tolerance: by what part of `size` a file may be shorter; where it is small, more short fits are made to
        come as near.
    """

    objective: str | Objective | Callable[[jax.Array, jax.Array], jax.Array] = "mse"
    rd_lambda: float | None = None
    size: int | None = None
    psnr: float | None = None
    schedule: Schedule = PRESETS["medium"]
    seed: int = 0
    noise_levels: int = 0
    sigma: float | str | ArrayLike = 4.0
    features: str | FeatureMaps = "alexnet"
    squared_error_weight: float = SQUARED_ERROR_WEIGHT
    saliency: Any = None
    entropy_width: int = 16
    synthesis_width: int = 24
    pixels_per_degree: float = PIXELS_PER_DEGREE
    signal: Signal = SRGB
    display: str | Display | None = None
    size_tolerance: float = 0.03


DEFAULT = Options()


def check_image(image: ArrayLike) -> np.ndarray:
    """Refuses what is no image.

    Args:
      image: uint8, uint16, or floating point in [0, 1]; [height, width] or [height, width, 1 or 3]; of any size.

    Returns:
      The image, [height, width, channels], of the dtype that it had.

    Raises:
      ValueError: if it is none of these.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise ValueError("image must have shape [height, width] or [height, width, 1 or 3] without empty sides, "
                         f"got {image.shape}")
    if image.dtype in (np.uint8, np.uint16):
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"image must be uint8, uint16 or floating point, got {image.dtype}")
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise ValueError("image must lie in [0, 1] where it is floating point")
    return image


def as_image(image: ArrayLike) -> np.ndarray:
    """Brings an image that is fitted whole to float32 [height, width, channels] in [0, 1].

    Args:
      image: see `check_image`; of at most 2^24 numbers.

    Returns:
      The image.

    Raises:
      ValueError: if it is none, or larger.
    """
    image = check_image(image)
    if image.size > container.MAX_ELEMENTS:
        raise ValueError(f"image must have at most {container.MAX_ELEMENTS} numbers to be fitted whole, "
                         f"got {image.size}: cut it into tiles")
    if image.dtype in (np.uint8, np.uint16):
        return (image / np.iinfo(image.dtype).max).astype(np.float32)
    return image.astype(np.float32)


def chosen_objective(options: Options) -> Objective:
    """Looks up the objective that options ask for.

    Args:
      options: of the fit.

    Returns:
      The objective.

    Raises:
      ValueError: if there is none of this name, or no such display.
    """
    if isinstance(options.objective, Objective):
        return options.objective
    if callable(options.objective):
        return objective_from_loss(options.objective)
    return objective(options.objective, features=options.features, squared_error_weight=options.squared_error_weight,
                     display=with_display(options).display)


def with_display(options: Options) -> Options:
    """Replaces a display's name by the display, whose numbers a fit depends on.

    Args:
      options: of the fit.

    Returns:
      The options, their display with the image's primaries; as they are where they have no display.

    Raises:
      ValueError: if there is no such display, or it shows other values than the image's.
    """
    if options.objective != "jod":
        if options.display is not None:
            raise ValueError(f"display is of objective 'jod' only, got objective {options.objective!r}")
        return options
    display = get_display(options.display or "")
    known = {"gamma": "srgb"}.get(display.transfer, display.transfer)
    if known != options.signal.transfer:
        raise ValueError(f"display {display.name!r} shows {display.transfer} values, and the image has "
                         f"{options.signal.transfer}: take a display of that transfer function")
    return options._replace(display=display._replace(primaries=options.signal.primaries))


def architecture(shape: tuple[int, int, int], options: Options) -> Architecture:
    """The sizes of the decoder for an image.

    Args:
      shape: height, width, channels.
      options: of the fit.

    Returns:
      The sizes: seven latents, or as many as it takes to come to a latent of one number.
    """
    levels = min(7, 1 + math.ceil(math.log2(max(shape[:2]))))
    noise_levels = min(options.noise_levels, levels)
    return Architecture(*shape, levels, noise_levels, options.entropy_width, options.synthesis_width)


def check_options(options: Options) -> None:
    """Refuses options that make no sense.

    Args:
      options: of the fit.

    Raises:
      ValueError: naming the one.
    """
    if options.rd_lambda is not None and not (options.rd_lambda > 0 and math.isfinite(options.rd_lambda)):
        raise ValueError(f"rd_lambda must be positive and finite, got {options.rd_lambda}")
    if options.size is not None and options.size < MIN_SIZE:
        raise ValueError(f"size must be at least {MIN_SIZE} bytes, got {options.size}")
    if options.psnr is not None and not 0 < options.psnr <= MAX_PSNR:
        raise ValueError(f"psnr must be positive and at most {MAX_PSNR:g} dB, got {options.psnr}")
    if options.psnr is not None and options.size is not None:
        raise ValueError("psnr and size are two goals: give one of them")
    if options.schedule.steps < 1:
        raise ValueError(f"steps must be at least 1, got {options.schedule.steps}")
    if not 0 <= options.seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2^32), got {options.seed}")
    if not 0 <= options.squared_error_weight < math.inf:
        raise ValueError(f"squared_error_weight must be at least 0 and finite, got {options.squared_error_weight}")
    if not 0 <= options.noise_levels <= 7:
        raise ValueError(f"noise_levels must be between 0 and 7, got {options.noise_levels}")
    if not 0 < options.pixels_per_degree < math.inf:
        raise ValueError(f"pixels_per_degree must be positive and finite, got {options.pixels_per_degree}")
    check_signal(options.signal)
    with_display(options)
    if not 0 < options.size_tolerance < 1:
        raise ValueError(f"size_tolerance must be above 0 and below 1, got {options.size_tolerance}")
    for name in ("entropy_width", "synthesis_width"):
        if not 1 <= getattr(options, name) <= format.MAX_WIDTH:
            raise ValueError(f"{name} must be between 1 and {format.MAX_WIDTH}, got {getattr(options, name)}")
