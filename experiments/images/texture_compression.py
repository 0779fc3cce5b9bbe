"""Bytes that keep a texture looking the same.

    python -m experiments.images.texture_compression --preset=quick --workdir=OUT [--images=FOLDER]

At each length a texture is fitted three ways: for Wasserstein distortion in local windows with shared noise, for
squared error, and with shared noise for its statistics alone (sigma = infinity): there nothing has its place.
`textures.csv` has a row for each file; `NAME-BYTES.png` shows them side by side, `textures.npz` as numbers.

--images   folder of textures; default: brick, grass and gravel of scikit-image
--sizes    lengths in bytes

Cost: benchmarks/overfitted.md says what a step takes. Expected (quick, brick, 600 bytes): 21.8 dB and LPIPS 0.125 for
Wasserstein distortion with noise, 36.5 dB and 0.043 for squared error, 17.4 dB and 0.376 for statistics alone.
"""

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from experiments.images.bitstream_cache import Fit, messages
from experiments.images.image_realism import crop, load_images, make_suite
from experiments.images.image_realism_figures import draw_images
from rdr import command_line
from rdr.codecs import overfitted
from rdr.command_line import option
from rdr.evaluation.tables import write_run_record, write_table
from rdr.files import write_arrays

TEXTURES = ("brick", "grass", "gravel")


@dataclasses.dataclass(frozen=True)
class Config:
    """What is encoded and how; each field says what it is."""

    images: str = option("", "folder of textures; empty for scikit-image's")
    names: tuple[str, ...] = option((), "which of them; empty for all")
    size: int = option(128, "side of the square cut from the middle; 0 for the whole image")
    sizes: tuple[int, ...] = option((300, 600), "lengths in bytes")
    steps: int = option(400, "steps of a fit")
    features: str = option("alexnet", "features of Wasserstein distortion in fits")
    sigma: float = option(8.0, "its windows' width in pixels")
    display: str = option("", "display of the features vdp; empty for others")
    noise_levels: int = option(5, "resolutions with shared noise")
    metrics: tuple[str, ...] = option(
        ("psnr", "lpips_alexnet", "dists", "wd_vgg16"), "metrics of `rdr.metrics.full_reference`")
    batch: int = option(
        1, "textures of one size that are fitted side by side; more may be faster on a GPU where they are small")
    seed: int = option(0, "random seed of all randomness")


PRESETS = {
    "smoke": Config(names=("brick",), size=24, sizes=(330,), steps=6, features="pixels", noise_levels=2,
                    metrics=("psnr", "ssim")),
    "quick": Config(names=("brick",)),
    "full": Config(size=0, sizes=(300, 600, 1200, 2400, 4800), steps=10_000, features="vgg16"),
}  # fmt: skip


def methods(config: Config) -> dict[str, overfitted.Options]:
    """The ways in which a texture is fitted.

    Args:
      config: of the experiment.

    Returns:
      Name -> options, but for the length.
    """
    common = overfitted.Options(schedule=overfitted.Schedule(steps=config.steps), seed=config.seed,
                                features=config.features)
    noisy = common._replace(objective="wd", noise_levels=config.noise_levels, display=config.display or None)
    return {"WD + noise": noisy._replace(sigma=config.sigma), "MSE": common,
            "statistics + noise": noisy._replace(sigma=math.inf)}


def run(config: Config, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Encodes, decodes, measures, and writes a table and images.

    Args:
      config: of the experiment.
      workdir: where everything is kept.

    Returns:
      The rows of `textures.csv`.

    Raises:
      ValueError: if an image or an option is refused.
    """
    started = time.time()
    names = config.names or (() if config.images else TEXTURES)
    images = load_images(dataclasses.replace(config, names=names))
    images = {name: crop(whole, config.size) for name, whole in images.items()}
    fits = {(name, size, method): Fit(f"{name}-{method.replace(' + ', '-')}-{size}", image,
                                      options._replace(size=size))
            for size in config.sizes for method, options in methods(config).items()
            for name, image in images.items()}
    files = messages(list(fits.values()), workdir, batch=config.batch)
    suite, rows, retained = make_suite(config), [], {}
    for name, image in images.items():
        retained[f"{name} original"] = image
        for size in config.sizes:
            shown = {"original": (image, 0)}
            for method in methods(config):
                message = files[fits[name, size, method].stem]
                decoded = overfitted.decode(message)
                shown[method] = decoded, len(message)
                retained[f"{name} {method} {size}"] = decoded
                rows.append({"picture": name, "method": method, "wanted_bytes": size, "bytes": len(message),
                             "bits_per_pixel": 8 * len(message) / math.prod(image.shape[:2]),
                             **suite.measure(decoded, image)})
            draw_images(workdir / f"{name}-{size}.png", shown)
    write_arrays(workdir / "textures.npz", retained, compressed=True)
    write_table(workdir / "textures.csv", {column: [row[column] for row in rows] for column in rows[0]},
                {"units": "bytes of whole files; psnr in dB; bits per pixel", "seed": config.seed})
    write_run_record(workdir, name="experiments.images.texture_compression", config=config,
                     duration_seconds=time.time() - started)
    return rows


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
