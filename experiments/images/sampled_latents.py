"""An image codec that sends a sample of its posterior, held against the same codec with rounded latents.

    python -m experiments.images.sampled_latents --preset=quick --workdir=runs/sampled_latents/quick

The pretrained codec has Gaussian latents given hyper-latents. Its latents y are sent once rounded, and once as y +
N(0, 1/12), exactly Gaussian and of the variance of rounding, through the layered dither (`channel="layered"`): the same
networks, the same hyper-latents. For every image and rate level: bytes of both messages, PSNR and LPIPS of what was
decoded from them, and what the sample costs more, in bits per latent: as measured, and as theory says if every latent
had the Gaussian distribution of scale sigma that the hyper-decoder says,

    price = mean over latents of F(log2(1 + 12 sigma^2) / 2) - H(round(N(0, sigma^2))),

F the functional information of single Gaussian numbers, which the layered dither attains, H the entropy. At large sigma
it is .5208 - .2546 = .2662 bit; where sigma is far below a step, rounding costs nothing and the sample about
1.22 sqrt(I). quick: about a minute of a core.

Expected (quick): .29 to .45 bit per latent by theory, .32 to .40 measured, since latents are not the Gaussians that the
hyper-decoder says; 1.1 to 5.5 dB lost at the lowest level, .05 to .9 at the highest.
"""

import dataclasses
import pathlib
import sys
import time
import zlib
from typing import Any

import jax
import numpy as np
from scipy.special import entr, ndtr

from experiments.images.image_realism import crop, load_images
from experiments.images.rd_sweep import make_suite
from rdr import command_line
from rdr.codecs.image import files, make_codec, messages
from rdr.codecs.image.hyperprior import predicted_scales
from rdr.codecs.image.layered import NOISE_SCALE
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.randomness import shared_key
from theory.channel_simulation import gaussian_functional_information

COLUMNS = ("picture", "level", "latents", "rounded_bytes", "sampled_bytes", "rounded_psnr", "sampled_psnr",
           "rounded_lpips", "sampled_lpips", "price_bits", "theory_price_bits")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    codec: str = option("pretrained", 'a file that `rdr train` wrote, of Gaussian latents, or "pretrained"')
    images: str = option("", "folder of images; empty for scikit-image's")
    names: tuple[str, ...] = option(("astronaut", "coffee", "brick"), "which images; empty for all")
    size: int = option(256, "side of the square that is cut from the middle; 0 for whole images")
    levels: tuple[float, ...] = option(
        (0.0, 0.25, 0.5, 0.75, 1.0), "rate levels of a codec with a rate input, as fractions of the highest")
    metrics: tuple[str, ...] = option(("lpips",), "measured beside PSNR where its network is installed; or empty")
    seed: int = option(0, "random seed of the shared noise")

    def __post_init__(self):
        if not self.levels or not all(0.0 <= level <= 1.0 for level in self.levels):
            raise ValueError(f"levels must be numbers in [0, 1], at least one, got {self.levels}")
        if self.metrics not in ((), ("lpips",)):
            raise ValueError(f"metrics must be lpips or nothing, got {self.metrics}")
        if not 0 <= self.seed < 2**29:
            raise ValueError(f"seed must be in [0, 2^29), got {self.seed}")


PRESETS = {
    "smoke": Config(names=("astronaut",), size=64, levels=(0.0, 1.0), metrics=()),
    "quick": Config(),
    "full": Config(names=(), size=0),
}


def rounded_entropy(scale: np.ndarray) -> np.ndarray:
    """Entropy of a Gaussian number that is rounded to integers, its mean one of them.

    H = -sum_k p_k log2 p_k, p_k = Phi((k + 1/2) / sigma) - Phi((k - 1/2) / sigma).

    Args:
      scale: sigma > 0, [n], up to 1000.

    Returns:
      Bits, [n].
    """
    tail = ndtr(-(np.arange(10_000) + 0.5) / np.reshape(scale, (-1, 1)))  # P(N > k + 1/2), k >= 0
    return (entr(1.0 - 2.0 * tail[:, 0]) + 2.0 * entr(tail[:, :-1] - tail[:, 1:]).sum(1)) / np.log(2.0)


def theory_price(scales: np.ndarray) -> float:
    """What a sample costs more than rounding, for Gaussian latents of these scales.

    Args:
      scales: sigma, any shape, in steps.

    Returns:
      Bits per latent.

    Reference: hegazy2022; its rate is derived in `docs/derivations/layered_dither.md`.
    """
    distinct, counts = np.unique(scales, return_counts=True)
    information = 0.5 * np.log2(1.0 + np.square(distinct / NOISE_SCALE))
    price = np.asarray(gaussian_functional_information(information)) - rounded_entropy(distinct)
    return float(np.average(price, weights=counts))


def with_channel(loaded: files.LoadedCodec) -> files.LoadedCodec:
    """The same networks with the layered channel instead of rounding.

    Args:
      loaded: a codec with Gaussian latents and no dither.

    Returns:
      The codec.

    Raises:
      ValueError: if it has other latents.
    """
    options = {**loaded.options, "channel": "layered"}
    codec = make_codec(**options)
    return files.LoadedCodec(codec, codec.finalize(loaded.params), options, loaded.notes)


def compare(rounded: files.LoadedCodec, sampled: files.LoadedCodec, image: np.ndarray, level: float, suite: Any,
            key: jax.Array) -> dict[str, Any]:
    """Sends an image both ways.

    Args:
      rounded: the codec.
      sampled: from `with_channel`.
      image: uint8 [height, width, 3].
      level: fraction of the highest rate level.
      suite: what measures.
      key: shared randomness.

    Returns:
      A row of the table without the image.
    """
    top = rounded.options.get("rate_levels", 0) - 1
    rate = np.float32(round(level * top * 16) / 16) if top > 0 else None
    pixels = image[None].astype(np.float32) / np.float32(255)
    z = rounded.codec.symbols(rounded.params, pixels, rate=rate)["z"]
    shape = {"channels": rounded.options.get("channels", 128), "latents": rounded.options.get("latents", 192)}
    scales = predicted_scales(rounded.params["coding"], z, means=rounded.options["name"] == "mbt2018-mean", **shape)
    message = files.encode_image(rounded, image, rate=rate)
    sample = files.encode_image(sampled, image, rate=rate, shared_key=key)
    result = suite.measure(files.decode_image(rounded, message), image)
    drawn = suite.measure(files.decode_image(sampled, sample, shared_key=key), image)
    nan = float("nan")
    return {
        "level": level, "latents": scales.size, "rounded_bytes": len(message), "sampled_bytes": len(sample),
        "rounded_psnr": result["psnr"], "sampled_psnr": drawn["psnr"], "rounded_lpips": result.get("lpips", nan),
        "sampled_lpips": drawn.get("lpips", nan), "price_bits": 8.0 * (len(sample) - len(message)) / scales.size,
        "theory_price_bits": theory_price(scales),
    }


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Compares on every image and writes the table.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `sampled_latents.csv`.

    Raises:
      ValueError: if images or codec cannot be used.
    """
    started = time.monotonic()
    rounded = messages.load(config.codec)
    sampled, suite, rows = with_channel(rounded), make_suite(config.metrics), []
    for name, photo in load_images(config).items():
        part = crop(photo, config.size)
        image = np.broadcast_to(part, (*part.shape[:2], 3))  # gray ones are coded as three equal channels
        for level in config.levels:
            key = jax.random.fold_in(shared_key(config.seed), np.uint32(zlib.crc32(f"{name} {level:g}".encode())))
            rows.append({"picture": name, **compare(rounded, sampled, image, level, suite, key)})
    table = {name: [row[name] for row in rows] for name in COLUMNS}
    header = {
        "table": "a sample of the latents' Gaussian posterior against rounded latents; the same networks",
        "units": "whole messages in bytes; PSNR in dB (RGB); prices in bits per latent; levels as fractions of the "
                 "highest",
        "codec": config.codec, "size": config.size, "seed": config.seed,
    }
    tables.write_table(workdir / "sampled_latents.csv", table, header)
    tables.write_run_record(workdir, name="experiments.images.sampled_latents", config=config,
                            duration_seconds=time.monotonic() - started)
    print(tables.render(table, digits=4))
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
