"""Options of the commands that encode and decode images, and what the library is asked for."""

import dataclasses
import math
import pathlib

import numpy as np

from rdr.codecs import overfitted
from rdr.codecs.overfitted import goals
from rdr.codecs.overfitted.objectives import (
    FEATURES,
    FOVEATED,
    OBJECTIVES,
    PIXELS_PER_DEGREE,
    RD_LAMBDAS,
    SQUARED_ERROR_WEIGHT,
    is_of_angle,
)
from rdr.codecs.overfitted.options import MAX_PSNR
from rdr.codecs.overfitted.signals import MAX_DEPTH, MIN_DEPTH
from rdr.command_line import option
from rdr.data.image_io import read_image
from rdr.losses.wasserstein_distortion.sigma import DEGREES, in_pixels
from rdr.vision.display import display_names

MAX_BITS_PER_PIXEL = 64.0
SIGMAS = ("eccentricity", "acuity", "intrinsic")  # beside numbers and files
GOALS = {"bpp": 0, "size": 0, "psnr": 0, "quality": -1}  # of which one may be given, and what says that it is not
USUAL_DISPLAY = "standard_4k"  # of --objective=jod and --features=vdp
_STEPS = ", ".join(f"{schedule.steps} ({name})" for name, schedule in overfitted.PRESETS.items())
_LAMBDAS = ", ".join(f"{value:g} ({name})" for name, value in RD_LAMBDAS.items())
_CHECKPOINT = "codec.npz of `rdr train`, or the word pretrained for the one that comes along"
# At 768 x 512 pixels: benchmarks/overfitted.md has the seconds of a step.
_TIMES = "fast is about a minute for 768 x 512 pixels on two cores, medium five, slow thirty, best is for a GPU"
_REALISM = "from 0 (least squared error) to 1 (most realistic): weight of an amortized codec's decoder"


@dataclasses.dataclass(frozen=True)
class Config:
    """How images are encoded; each field says what it is.

    Raises:
      ValueError: if values contradict each other or are out of range.
    """

    objective: str = option(
        "mse", "what is minimized beside the rate; wd (Wasserstein distortion), wd_mse or lpips for realism, jod for "
        "what people notice on a display (ColorVideoVDP, and some squared error, which holds colors)",
        choices=OBJECTIVES, first=True)
    rd_lambda: float = option(
        0.0, f"lambda, bits per pixel for one unit of the objective; larger for better and longer files; with --bpp, "
        f"--size and --psnr where the search starts; 0: the usual {_LAMBDAS}")
    bpp: float = option(0.0, "bits per pixel that the file should have; 0: no target", first=True)
    size: int = option(0, "bytes that the file should have; 0: no target", first=True)
    psnr: float = option(
        0.0, "PSNR in dB that the decoded image should have, in as few bytes as were found; 0: no target", first=True)
    quality: float = option(
        -1.0, "quality from 0 (shortest) to 100 (best), when neither length nor PSNR matters: 50 is the usual lambda, "
        "10 more double it; of an amortized codec the level in percent; -1: no goal", first=True)
    realism: float = option(
        0.0, f"{_REALISM}, for the PSNR that is reported; of a decoder that is fitted: above 0 --objective=wd_mse with "
        f"--sigma={goals.REALISM_SIGMA:g} times it, lambda in proportion to its root, and {goals.REALISM_NOISE_LEVELS} "
        "noise levels if --noise_levels is 0; raise it where textures look smeared", first=True)
    preset: str = option(
        "medium", f"how long a decoder is fitted, in steps: {_STEPS}; {_TIMES}",
        choices=tuple(overfitted.PRESETS), first=True)
    steps: int = option(0, "steps of the fit as a number, when no preset suits; 0: the preset's; short fits that "
                       "correct the size or the PSNR come on top")
    seed: int = option(0, "random seed of the fit and of shared noise; another for a repetition")
    noise_levels: int = option(
        0, "the finest so many resolutions get noise that the decoder makes, too; 5 or so for realism at low rates")
    sigma: str = option(
        "4", "width of Wasserstein distortion, larger for freer textures: pixels, degrees of visual angle as in "
        "0.1deg, eccentricity (as area V2 pools), acuity (what the eye cannot resolve there), intrinsic, or an image "
        "file with a saliency map")
    pixels_per_degree: float = option(
        PIXELS_PER_DEGREE, "pixels per degree of visual angle, for --sigma=eccentricity, acuity and degrees, without "
        "--display; smaller for a closer look")
    fixation: tuple[float, ...] = option(
        (), "row and column of the pixel that is looked at, for --sigma=eccentricity and acuity; none: the middle",
        metavar="ROW,COLUMN")
    features: str = option("alexnet", "features of Wasserstein distortion; pixels, steerable and vdp (the bands of "
                           "ColorVideoVDP on --display) need no weights", choices=FEATURES)
    squared_error_weight: float = option(
        SQUARED_ERROR_WEIGHT, "weight of squared error of values in [0, 1] in wd_mse; larger for more fidelity")
    display: str = option(
        "", "display that the image is seen on, for --objective=jod, --features=vdp, and in place of "
        "--pixels_per_degree: its cd/m^2 and pixels per degree; another where the image is for a phone, say, or has PQ "
        f"or HLG values, which take a display for them; none: {USUAL_DISPLAY}",
        choices=("", *display_names()))
    tile: int = option(
        overfitted.TILE, "pixels a side above which an image is fitted in tiles, smaller for less memory; 0: never")
    checkpoint: str = option(
        "", f"{_CHECKPOINT}: an amortized codec, seconds instead of minutes; none: a decoder is fitted to the image",
        first=True, metavar="FILE")
    color: str = option(
        "convert", "colors that are not sRGB, as a file says: convert them, keep the values and put the file's ICC "
        "profile into the message, which gives it back, or refuse the file", choices=("convert", "keep", "refuse"))
    depth: int = option(
        0, "bits of a channel that a fitted file decodes to, from 8 to 16, fewer where they do not matter; 0: those of "
        "the image")
    negative: str = option(
        "refuse", "negative values of OpenEXR: refuse the file, or clip them to 0", choices=("clip", "refuse"))
    level: float = option(0.5, "rate level of an amortized codec, from 0 (smallest) to 1, without one of the goals")

    def __post_init__(self):
        for name in ("rd_lambda", "bpp", "size", "psnr", "steps", "tile", "squared_error_weight"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"--{name} must be positive, or 0, got {value}")
        if self.bpp > MAX_BITS_PER_PIXEL:
            raise ValueError(f"--bpp must be at most {MAX_BITS_PER_PIXEL:g}, got {self.bpp:g}")
        if self.tile and not overfitted.TILES[0] <= self.tile <= overfitted.TILES[1]:
            raise ValueError(f"--tile must be between {overfitted.TILES[0]} and {overfitted.TILES[1]} pixels, or 0, "
                             f"got {self.tile}")
        if not 0 < self.pixels_per_degree < math.inf:
            raise ValueError(f"--pixels_per_degree must be positive, got {self.pixels_per_degree}")
        if self.pixels_per_degree != PIXELS_PER_DEGREE and (self.display or not is_of_angle(self.sigma)):
            raise ValueError("--pixels_per_degree is of --sigma=eccentricity, acuity and degrees only, and not beside "
                             "--display")
        if self.fixation and not (len(self.fixation) == 2 and self.sigma in FOVEATED):
            raise ValueError("--fixation must be a row and a column, for --sigma=eccentricity or acuity, got "
                             f"{','.join(map(str, self.fixation))} with --sigma={self.sigma}")
        if self.psnr > MAX_PSNR:
            raise ValueError(f"--psnr must be at most {MAX_PSNR:g} dB, got {self.psnr:g}")
        if not (self.quality == GOALS["quality"] or goals.QUALITIES[0] <= self.quality <= goals.QUALITIES[1]):
            raise ValueError(f"--quality must be in [0, 100], or -1, got {self.quality:g}")
        for name in ("level", "realism"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"--{name} must be in [0, 1], got {getattr(self, name)}")
        if self.depth and not MIN_DEPTH <= self.depth <= MAX_DEPTH:
            raise ValueError(f"--depth must be between {MIN_DEPTH} and {MAX_DEPTH} bits, or 0, got {self.depth}")
        if self.checkpoint and self.depth not in (0, MIN_DEPTH):
            raise ValueError("--depth is of decoders that are fitted: an amortized codec has 8 bits")
        self._refuse_contradictions()
        self._refuse_unknown_sigma()

    def _refuse_unknown_sigma(self):
        if _is_width(self.sigma) or self.sigma in SIGMAS:
            return
        file = pathlib.Path(self.sigma)
        if not file.suffix and not file.exists():
            raise ValueError(f"--sigma must be a number of pixels, of degrees as in 0.1{DEGREES}, {', '.join(SIGMAS)}, "
                             f"or an image file, got {self.sigma!r}")

    def _refuse_contradictions(self):
        if self.display and self.display not in display_names():
            raise ValueError(f"--display must be one of {', '.join(display_names())}, got {self.display!r}")
        if self.display and not _needs_display(self) and not (_pools(self) and is_of_angle(self.sigma)):
            raise ValueError("--display is of --objective=jod, and of --objective=wd and wd_mse with --features=vdp or "
                             "--sigma=eccentricity, acuity or degrees, only")
        given = [f"--{name}" for name, absent in GOALS.items() if getattr(self, name) != absent]
        if "--quality" in given and self.rd_lambda:
            given.append("--rd_lambda")
        if "--quality" in given and self.level != 0.5:
            given.append("--level")
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} are two goals: give one of them")
        if self.realism and not self.checkpoint:
            for name, usual in (("objective", "mse"), ("sigma", "4")):
                if getattr(self, name) != usual:
                    raise ValueError(f"--realism and --{name} say the same thing: give one of them")


def _is_width(sigma: str) -> bool:
    """Whether it is a number, of pixels or degrees; others are names or files."""
    try:
        in_pixels(sigma, pixels_per_degree=1.0)
    except ValueError:
        return False
    return True


def _pools(config: Config) -> bool:
    return config.objective in ("wd", "wd_mse") or bool(config.realism and not config.checkpoint)


def _needs_display(config: Config) -> bool:
    return config.objective == "jod" or (_pools(config) and config.features == "vdp")


@dataclasses.dataclass(frozen=True)
class DecodeConfig:
    """How messages are decoded."""

    checkpoint: str = option("", f"{_CHECKPOINT}; needed for messages of another checkpoint than the pretrained one",
                             first=True, metavar="FILE")
    realism: float = option(0.0, _REALISM, first=True)
    max_pixels: int = option(
        0, "pixels that an image may have; 0: as many as so small a file can plausibly hold, for files of strangers")

    def __post_init__(self):
        if self.max_pixels < 0:
            raise ValueError(f"--max_pixels must be positive, or 0, got {self.max_pixels}")


@dataclasses.dataclass(frozen=True)
class Report:
    """What a command prints."""

    json: bool = option(
        False, "print one line of JSON for each image, with bytes, bits_per_pixel, psnr_db, seconds and sha256 (of the "
        "decoded pixels, row by row, 8 bits each, or 16 with the low byte first), psnr_scale (which values the PSNR is "
        "of: srgb, pq, hlg or linear, the largest as peak), and nothing else")


def target_bytes(config: Config, shape: tuple[int, ...]) -> int | None:
    """Computes the bytes that a file should have.

    Args:
      config: of the command.
      shape: height, width, channels.

    Returns:
      The number, or None for any.
    """
    return config.size or (math.floor(config.bpp * shape[0] * shape[1] / 8) if config.bpp else None)


def overfitted_options(config: Config, shape: tuple[int, ...]) -> overfitted.Options:
    """Makes the library's options for images of a size.

    Args:
      config: of the command.
      shape: height, width, channels.

    Returns:
      The options.

    Raises:
      ValueError: if a saliency map cannot be read.
    """
    schedule = overfitted.PRESETS[config.preset]
    schedule = schedule._replace(steps=config.steps) if config.steps else schedule
    sigma, saliency = config.sigma, None
    if _is_width(config.sigma):
        sigma = config.sigma if is_of_angle(config.sigma) else in_pixels(config.sigma, pixels_per_degree=1.0)
    elif config.sigma not in SIGMAS:
        saliency = read_image(config.sigma).astype(np.float32).mean(-1)
        sigma = "saliency"
    options = overfitted.Options(
        objective=config.objective, rd_lambda=config.rd_lambda or None, size=target_bytes(config, shape),
        psnr=config.psnr or None, schedule=schedule, seed=config.seed, noise_levels=config.noise_levels, sigma=sigma,
        features=config.features, squared_error_weight=config.squared_error_weight, saliency=saliency,
        pixels_per_degree=config.pixels_per_degree,
        display=config.display or (USUAL_DISPLAY if _needs_display(config) else None),
        fixation=(config.fixation[0], config.fixation[1]) if config.fixation else None)
    if config.realism:
        options = options._replace(**goals.options_of_realism(config.realism))
        options = options._replace(noise_levels=config.noise_levels or options.noise_levels)
    follow = config.realism and not config.rd_lambda and options.size is None and options.psnr is None
    if config.quality != GOALS["quality"] or follow:
        quality = config.quality if config.quality != GOALS["quality"] else goals.USUAL_QUALITY
        objective = goals.REALISM_OBJECTIVE if config.realism else config.objective
        value = goals.lambda_of_quality(quality, objective) * goals.lambda_of_realism(config.realism)
        options = options._replace(rd_lambda=value)
    return options
