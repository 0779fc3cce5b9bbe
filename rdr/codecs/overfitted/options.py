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
    FOVEATED,
    PIXELS_PER_DEGREE,
    SQUARED_ERROR_WEIGHT,
    FeatureMaps,
    Objective,
    is_of_angle,
    objective,
    objective_from_loss,
)
from rdr.codecs.overfitted.schedule import Schedule
from rdr.codecs.overfitted.signals import SRGB, Signal, check_signal
from rdr.vision.display import Display, get_display

# Schedules by name. A color image of 768 x 512 pixels takes about 10 s and .18 s a step on two cores
# (benchmarks/overfitted.md), which is about one, five and thirty minutes.
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
      sigma: of "wd" and "wd_mse": pixels, degrees of visual angle as in "0.1deg", a map of pixels [height, width],
        "eccentricity", "acuity", "saliency" or "intrinsic".
      features: of "wd" and "wd_mse": "pixels", "steerable", "alexnet", "vgg16" or "vdp"; or a function of your own,
        `features(images) -> {name: maps}`, of [batch, height, width, channels] in [0, 1].
      squared_error_weight: of "wd_mse", beside Wasserstein distortion; of values in [0, 1].
      saliency: [height, width] for sigma = "saliency".
      entropy_width: see `Architecture`.
      synthesis_width: see `Architecture`.
      pixels_per_degree: pixels per degree of visual angle, for sigma in degrees, "eccentricity" and "acuity"; those of
        the display where there is one.
      signal: what the image's values are: bits of a channel that are decoded, transfer function and primaries. The fit
        is of the values as they are coded.
      display: the display that the image is seen on, or its name: of "jod" and of the features "vdp", which need one,
        and of sigma in degrees, "eccentricity" and "acuity". Its transfer function must be the image's; its primaries
        are taken to be the image's, as color management makes them.
      size_tolerance: by what part of `size` a file may be shorter; where it is small, more short fits are made to
        come as near.
      fixation: row and column of the fixated point in pixels, for sigma = "eccentricity" and "acuity"; None for the
        middle.
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
    fixation: tuple[float, float] | None = None


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
    pooled = options.objective in ("wd", "wd_mse")
    needed = options.objective == "jod" or (pooled and options.features == "vdp")
    if not needed and options.display is None:
        return options
    if not (needed or (pooled and is_of_angle(options.sigma))):
        raise ValueError("display is of objective 'jod', of features 'vdp' and of sigma in degrees, 'eccentricity' or "
                         f"'acuity' only, got objective {options.objective!r}")
    display = get_display(options.display or "")
    known = {"gamma": "srgb"}.get(display.transfer, display.transfer)
    if known != options.signal.transfer:
        raise ValueError(f"display {display.name!r} shows {display.transfer} values, and the image has "
                         f"{options.signal.transfer}: take a display of that transfer function")
    return options._replace(display=display._replace(primaries=options.signal.primaries))


def sigma_options(options: Options) -> dict[str, Any]:
    """What `sigma_map` is told beside sigma and the image.

    Args:
      options: of the fit.

    Returns:
      Its keyword arguments.
    """
    shown = with_display(options).display
    return {"saliency": options.saliency, "fixation": options.fixation,
            "pixels_per_degree": shown.pixels_per_degree if isinstance(shown, Display) else options.pixels_per_degree}


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
    if options.fixation is not None and not (
            np.shape(options.fixation) == (2,) and np.isfinite(options.fixation).all()
            and isinstance(options.sigma, str) and options.sigma in FOVEATED):
        raise ValueError("fixation must be a row and a column, for sigma = 'eccentricity' or 'acuity', got "
                         f"{options.fixation} with sigma = {options.sigma!r}")
    check_signal(options.signal)
    with_display(options)
    if not 0 < options.size_tolerance < 1:
        raise ValueError(f"size_tolerance must be above 0 and below 1, got {options.size_tolerance}")
    for name in ("entropy_width", "synthesis_width"):
        if not 1 <= getattr(options, name) <= format.MAX_WIDTH:
            raise ValueError(f"{name} must be between 1 and {format.MAX_WIDTH}, got {getattr(options, name)}")
