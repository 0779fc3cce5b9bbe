"""The bits of one glance: where the overfitted codec spends them, and what a random field would take.

    python -m experiments.images.foveated_glance --preset=quick --workdir=OUT [--images=FOLDER]

A photograph, in gray, is fitted for Wasserstein distortion of its pixels with windows that grow with the distance r
from a fixated point, sigma = slope (r + offset), once for each fixation and at one lambda, so that theta is the same.
`octaves.csv` has a row for each fixation and octave of r: the bits of the latents that lie there, and the bits that the
converse by pooled means gives for a Gaussian field of spectrum K / |w|^2 with the photograph's K (local approximation:
no bound for a photograph). `glance.csv` has a row for each fixation: bytes of the whole file and of its latents.
`glance.npz` holds images and maps of bits.

--fixations  row and column of each, as fractions of the side
--images     folder of images; default: scikit-image's
"""

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.images.image_realism import crop, load_images
from rdr import command_line
from rdr.bitstream import coder, container
from rdr.bitstream.tables import table_bits
from rdr.codecs import overfitted
from rdr.codecs.overfitted import format as file_format
from rdr.codecs.overfitted.exact_inference import LatentDistribution
from rdr.codecs.overfitted.quantized_laplace import laplace_tables
from rdr.command_line import option
from rdr.evaluation.tables import write_run_record, write_table
from rdr.files import write_arrays, write_bytes

PIXEL_MAPS = 3  # resolutions of the pixels that the objective adds up; in the coded band each sees the same means
PIXEL_DEVIATION = 0.226  # by which the objective divides pixels in [0, 1]
_KNOTS = 48  # sigma's that the spectral integral is tabulated at


@dataclasses.dataclass(frozen=True)
class Config:
    """What is fitted and how."""

    images: str = option("", "folder of images; empty for scikit-image's")
    name: str = option("astronaut", "which image")
    size: int = option(128, "side of the square from its middle, after shrink")
    shrink: int = option(4, "by how much the image is made smaller, by averages")
    slope: float = option(0.25, "slope of sigma against eccentricity")
    offset: float = option(
        4.0, "eccentricity at which the slope's line through the fovea is 0, in pixels; sigma there is slope * offset")
    fixations: tuple[float, ...] = option((0.22, 0.43, 0.65, 0.8), "row and column of each, as fractions of the side")
    rd_lambda: float = option(64.0, "lambda, bits per pixel for a unit of the objective")
    steps: int = option(600, "steps of a fit")
    noise_levels: int = option(4, "resolutions with shared noise")
    seed: int = option(0, "seed of fits and noise")

    def __post_init__(self):
        if not self.fixations or len(self.fixations) % 2 or not all(0 <= f <= 1 for f in self.fixations):
            raise ValueError(f"--fixations must be pairs of numbers in [0, 1], got {self.fixations}")
        for field in ("slope", "offset"):
            if not 0 < getattr(self, field) < math.inf:
                raise ValueError(f"--{field} must be positive and finite, got {getattr(self, field)}")
        if self.shrink < 1 or self.size < 16:
            raise ValueError(f"--shrink must be at least 1 and --size at least 16, got {self.shrink} and {self.size}")


PRESETS = {
    "smoke": Config(size=32, shrink=8, steps=6, noise_levels=2),
    "quick": Config(),
    "full": Config(size=256, shrink=2, steps=4000),
}


def photograph(config: Config) -> np.ndarray:
    """Reads the image, gray and made smaller.

    Args:
      config: of the experiment.

    Returns:
      uint8 [size, size, 1].
    """
    source = dataclasses.replace(_Pictures(), images=config.images, names=(config.name,))
    image = load_images(source)[config.name].astype(np.float64)
    gray = image.mean(-1, keepdims=True)
    height, width = (side // config.shrink * config.shrink for side in gray.shape[:2])
    blocks = gray[:height, :width].reshape(height // config.shrink, config.shrink, -1, config.shrink, 1)
    return crop(np.rint(blocks.mean((1, 3))).astype(np.uint8), config.size)


@dataclasses.dataclass(frozen=True)
class _Pictures:
    images: str = ""
    names: tuple[str, ...] = ()


def eccentricity(size: int, fixation: tuple[float, float]) -> np.ndarray:
    """Distance of each pixel from the fixated point [size, size], in pixels."""
    rows, columns = np.indices((size, size), np.float64)
    return np.hypot(rows - fixation[0] * (size - 1), columns - fixation[1] * (size - 1))


def spectrum_scale(gray: np.ndarray) -> float:
    """Fits K of a power spectrum K / |w|^2, in the objective's units.

    Args:
      gray: uint8 [size, size].

    Returns:
      K, so that white noise of deviation 1 in the objective's units has spectrum 1: the mean of |w|^2 times the
      periodogram (Hann window), from 4 periods per side to a quarter of the sampling rate.
    """
    size = len(gray)
    x = (gray / 255.0 - gray.mean() / 255.0) / PIXEL_DEVIATION
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2((x - (x * window).sum() / window.sum()) * window)) ** 2 / (window**2).sum()
    w = 2.0 * math.pi * np.fft.fftfreq(size)
    squares = w[:, None] ** 2 + w[None] ** 2
    band = (squares >= (8.0 * math.pi / size) ** 2) & (squares <= (0.5 * math.pi) ** 2)
    return float((power * squares)[band].mean())


def field_rate(sigma: np.ndarray, level: float, size: int) -> np.ndarray:
    """Bits per pixel of the converse by pooled means for S = |w|^-2 on a grid, at a water level (local approximation).

    Args:
      sigma: of Gaussian windows, any shape.
      level: theta / K.
      size: of the image: lowest frequency, and the mean has its spectrum.

    Returns:
      int 1/2 log2(e^(-sigma^2 |w|^2) / (|w|^2 theta / K))_+ d^2w / (2 pi)^2, of the same shape.
    """
    w = 2.0 * math.pi * np.fft.fftfreq(size)
    squares = np.maximum(w[:, None] ** 2 + w[None] ** 2, (2.0 * math.pi / size) ** 2).ravel()
    knots = np.geomspace(sigma.min(), sigma.max() * (1 + 1e-9), _KNOTS)
    logs = -(knots[:, None] ** 2) * squares - np.log(squares * level)
    rates = np.maximum(logs, 0.0).mean(-1) / (2.0 * math.log(2.0))
    return np.interp(np.log(sigma), np.log(knots), rates)


def bit_map(message: bytes) -> np.ndarray:
    """Where the bits of the latents lie: each number's code length spread evenly over the pixels that it stands for.

    Args:
      message: of the overfitted codec, one image.

    Returns:
      float64 bits per pixel [height, width]; the sum is that of all latents.
    """
    description = file_format.read(message)
    arch, exact, tables = description.arch, file_format.dequantize_weights(description), laplace_tables()
    total = np.zeros((arch.height, arch.width))
    for level, latent in enumerate(description.latents):
        if not np.any(latent):  # nothing is written of it
            continue
        parent = description.latents[level + 1] if level + 1 < arch.levels else None
        distribution = LatentDistribution(exact, level, arch.latent_shapes[level], parent)
        values = np.asarray(latent, np.int64).reshape(-1)[distribution.order]
        everything = slice(0, values.size)
        distribution.update(everything, values)
        ids, middle = distribution.predict(everything)
        bits = np.empty(values.size)
        bits[distribution.order] = (table_bits(values - middle, tables, ids)
                                    + coder.escape_bits(values - middle, tables, ids))
        side = 2**level
        owner = np.add.outer(np.arange(arch.height) // side * latent.shape[1], np.arange(arch.width) // side)
        pixels = np.bincount(owner.ravel(), minlength=latent.size)
        total += (bits / np.maximum(pixels, 1))[owner]
    return total


def latent_bytes(message: bytes) -> int:
    """How many bytes of the overfitted codec's message its latents take.

    Args:
      message: of one image.

    Returns:
      The number.
    """
    return sum(map(len, container.unpack(message).payloads[3:]))


def run(config: Config, workdir: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """Fits, decodes, counts, and writes the tables.

    Args:
      config: of the experiment.
      workdir: where everything is kept.

    Returns:
      Rows of `octaves.csv` and of `glance.csv`.

    Raises:
      ValueError: if an image or an option is refused.
    """
    started = time.time()
    image = photograph(config)
    scale = spectrum_scale(image[..., 0].astype(np.float64))
    theta = 1.0 / (2.0 * math.log(2.0) * config.rd_lambda * PIXEL_MAPS)
    octaves, glances, arrays = [], [], {"photograph": image}
    for number, fixation in enumerate(zip(config.fixations[::2], config.fixations[1::2])):
        r = eccentricity(config.size, fixation)
        sigma = config.slope * (r + config.offset)
        options = overfitted.Options(
            objective="wd", features="pixels", sigma=sigma.astype(np.float32), rd_lambda=config.rd_lambda,
            noise_levels=config.noise_levels, schedule=overfitted.Schedule(steps=config.steps), seed=config.seed)
        path = workdir / f"fixation{number}.rdr"
        if not path.exists():
            write_bytes(path, overfitted.encode(image, options, tile=None, directory=workdir / f"progress{number}"))
        message = path.read_bytes()
        spent, field = bit_map(message), field_rate(sigma, theta / scale, config.size)
        arrays |= {f"decoded{number}": overfitted.decode(message), f"bits{number}": spent.astype(np.float32)}
        for low in (0.0, *(2.0**k for k in range(1, math.ceil(math.log2(r.max()))))):
            inside = (r >= low) & (r < max(2.0 * low, 2.0))
            if inside.any():
                octaves.append({
                    "fixation": number, "low": low, "high": max(2.0 * low, 2.0), "pixels": int(inside.sum()),
                    "inside": inside.sum() / (math.pi * (max(2.0 * low, 2.0) ** 2 - low**2)),
                    "sigma": float(np.sqrt(np.square(sigma[inside]).mean())), "latent_bits": float(spent[inside].sum()),
                    "field_bits": float(field[inside].sum())})
        glances.append({
            "fixation": number, "row": fixation[0], "column": fixation[1], "bytes": len(message),
            "latent_bits": float(spent.sum()), "latent_bytes": latent_bytes(message),
            "field_bits": float(field.sum()), "theta": theta, "scale": scale})
    header = {"experiment": "foveated_glance", "units": "bits; pixels; sigma root mean square in pixels; theta and "
              f"scale K in units of pixels / {PIXEL_DEVIATION} in [0 1]", "picture": config.name, "size": config.size,
              "slope": config.slope, "offset": config.offset, "rd_lambda": config.rd_lambda, "seed": config.seed}
    for name, rows in (("octaves", octaves), ("glance", glances)):
        write_table(workdir / f"{name}.csv", {column: [row[column] for row in rows] for column in rows[0]}, header)
    write_arrays(workdir / "glance.npz", arrays)
    write_run_record(workdir, name="experiments.images.foveated_glance", config=config,
                     duration_seconds=time.time() - started)
    return {"octaves": octaves, "glance": glances}


def main(argv: Sequence[str] | None = None) -> int:
    """The command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
