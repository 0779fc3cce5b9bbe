"""How the codec's command is told what to do: its flags, and what the library is asked for."""

import dataclasses
import inspect
import math
import pathlib
import re
from collections.abc import Sequence

import numpy as np
from absl import flags

from rdr.codecs import overfitted
from rdr.codecs.overfitted.objectives import FEATURES, OBJECTIVES, SQUARED_ERROR_WEIGHT
from rdr.data.image_io import read_image

MAX_BITS_PER_PIXEL = 64.0


@dataclasses.dataclass(frozen=True)
class Config:
    """How pictures are encoded.

    Fields:
      objective: what is minimized beside the rate.
      rd_lambda: lambda, bits per pixel for one unit of the objective; 0 for its usual value.
      bpp: bits per pixel that the file should have; 0 for none.
      size: bytes that the file should have; 0 for none.
      preset: how long to fit.
      steps: the same as a number; 0 for the preset's.
      seed: of all randomness.
      noise_levels: the finest so many resolutions get shared noise.
      sigma: of Wasserstein distortion: pixels, eccentricity, intrinsic, or a picture with a saliency map.
      features: of Wasserstein distortion.
      squared_error_weight: of "wd_mse", beside Wasserstein distortion; of values in [0, 1].
      tile: the most pixels a side that are fitted as one; 0 for any number.
      checkpoint: a trained codec's file, or "shipped"; empty: a decoder is fitted to the picture.
      level: rate of a trained codec, from 0 to 1.
      realism: weight of a trained codec's decoder.
    """

    objective: str = "mse"
    rd_lambda: float = 0.0
    bpp: float = 0.0
    size: int = 0
    preset: str = "medium"
    steps: int = 0
    seed: int = 0
    noise_levels: int = 0
    sigma: str = "4"
    features: str = "alexnet"
    squared_error_weight: float = SQUARED_ERROR_WEIGHT
    tile: int = overfitted.TILE
    checkpoint: str = ""
    level: float = 0.5
    realism: float = 0.0


def parse(argv: Sequence[str], description: str) -> tuple[list[str], Config, pathlib.Path | None]:
    """Reads a command line.

    Args:
      argv: with the program's name first.
      description: what `--help` says first.

    Returns:
      Words that are no flags, the configuration, and the working directory if one was given.

    Raises:
      ValueError: on unknown or impossible flags.
      SystemExit: after `--help`.
    """
    values = flags.FlagValues()
    said = dict(re.findall(r"^ *(\w+): (.*(?:\n {2,}.*)*?)$", inspect.getdoc(Config).split("Fields:")[1], re.MULTILINE))
    choices = {"objective": OBJECTIVES, "preset": tuple(overfitted.PRESETS), "features": FEATURES}
    define = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}
    for field in dataclasses.fields(Config):
        if field.name in choices:
            flags.DEFINE_enum(field.name, field.default, choices[field.name], said[field.name], flag_values=values)
        else:
            define[field.type](field.name, field.default, said[field.name], flag_values=values)
    flags.DEFINE_string("workdir", None, "where evaluate writes", flag_values=values)
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values, short_name="h")
    values.set_gnu_getopt(True)
    try:
        words = values(list(argv))[1:]
    except flags.Error as error:
        raise ValueError(" ".join(str(error).split())) from None
    if values.help:
        print(description.strip(), "\n\nFlags:", values.get_help(), sep="\n")
        raise SystemExit(0)
    config = Config(**{field.name: values[field.name].value for field in dataclasses.fields(Config)})
    return words, config, pathlib.Path(values.workdir) if values.workdir else None


def check(config: Config) -> None:
    """Refuses numbers that no codec takes.

    Args:
      config: of the command.

    Raises:
      ValueError: if flags contradict each other or are out of range.
    """
    for name in ("rd_lambda", "bpp", "size", "steps", "tile", "squared_error_weight"):
        value = getattr(config, name)
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"--{name} must be positive, or 0, got {value}")
    if config.bpp > MAX_BITS_PER_PIXEL:
        raise ValueError(f"--bpp must be at most {MAX_BITS_PER_PIXEL:g}, got {config.bpp:g}")
    if config.tile and not overfitted.TILES[0] <= config.tile <= overfitted.TILES[1]:
        raise ValueError(f"--tile must be between {overfitted.TILES[0]} and {overfitted.TILES[1]} pixels, or 0, "
                         f"got {config.tile}")
    if config.bpp and config.size:
        raise ValueError("--bpp and --size say the same thing: give one of them")


def wanted_size(config: Config, shape: tuple[int, ...]) -> int | None:
    """Bytes that a file should have.

    Args:
      config: of the command.
      shape: height, width, channels.

    Returns:
      The number, or None for any.
    """
    return config.size or (math.floor(config.bpp * shape[0] * shape[1] / 8) if config.bpp else None)


def options(config: Config, shape: tuple[int, ...]) -> overfitted.Options:
    """The library's options for pictures of a size.

    Args:
      config: of the command.
      shape: height, width, channels.

    Returns:
      The options.

    Raises:
      ValueError: if flags contradict each other or are out of range.
    """
    check(config)
    schedule = overfitted.PRESETS[config.preset]
    schedule = schedule._replace(steps=config.steps) if config.steps else schedule
    sigma, saliency = config.sigma, None
    try:
        sigma = float(config.sigma)
    except ValueError:
        if config.sigma not in ("eccentricity", "intrinsic"):
            saliency = read_image(config.sigma).astype(np.float32).mean(-1)
            sigma = "saliency"
    return overfitted.Options(
        objective=config.objective, rd_lambda=config.rd_lambda or None, size=wanted_size(config, shape),
        schedule=schedule, seed=config.seed, noise_levels=config.noise_levels, sigma=sigma, features=config.features,
        squared_error_weight=config.squared_error_weight, saliency=saliency)
