"""Rate, distortion and realism of images: the overfitted codec, with and without shared noise, beside other codecs.

    python -m experiments.images.image_realism --preset=quick --workdir=OUT [--images=FOLDER]

For each image the overfitted codec is fitted for squared error at several rates. JPEG, JPEG 2000, WebP, AVIF and
JPEG XL (those that Pillow has) get the same numbers of bytes. At the lowest rate it is also fitted for Wasserstein
distortion with and without shared noise, and for squared error with shared noise. Every file is decoded, and its whole
length counted. `pictures.csv` has a row for each file, `bd_rates.csv` each codec's rate at equal PSNR relative to JPEG,
`rate_psnr.png` the curves, `NAME.png` the images side by side, `pictures.npz` the same as numbers. Files are kept in
`messages`, and not made again; all are made before anything is measured, so that a long run goes on where it was.

--images           folder of images; default: photographs and textures of scikit-image
--size             side of the square that is cut from the middle of each image; 0 for the whole image
--trade_offs       empty for no curves
--realism_names    images to fit for realism; "none" for none

Cost: benchmarks/overfitted.md says what a step takes; full is for a GPU. Expected on the 24 Kodak images
with 400 steps: a BD-rate of -54 % relative to JPEG, beside -51 % of AVIF (CHANGELOG says what changed since).
"""

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.images.bitstream_cache import Fit, messages
from experiments.images.image_realism_figures import draw_curves, draw_images
from rdr import command_line
from rdr.codecs import overfitted
from rdr.codecs.conventional import CODECS, encode_at_most
from rdr.codecs.overfitted.objectives import SQUARED_ERROR_WEIGHT
from rdr.command_line import option
from rdr.data.folders import images_by_name
from rdr.data.image_io import read_image
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.tables import write_run_record, write_table
from rdr.files import write_arrays
from rdr.metrics.bjontegaard import bd_rate

PHOTOGRAPHS, TEXTURES = ("astronaut", "coffee", "chelsea", "rocket"), ("brick", "grass", "gravel")
# Method -> whether it is fitted for realism, and whether there is shared noise.
REALISM = {
    "overfitted WD": (True, False), "overfitted WD + noise": (True, True), "overfitted MSE + noise": (False, True),
}
MSE = "overfitted MSE"
FEWEST = 4  # rates that a BD-rate takes
BEYOND = (1.6, 2.5)  # other codecs also get the largest file's length so many times, so that ranges of PSNR overlap


@dataclasses.dataclass(frozen=True)
class Config:
    """What is encoded and how; each field says what it is."""

    images: str = option("", "folder of images; empty for scikit-image's")
    names: tuple[str, ...] = option((), "which of them; empty for all")
    size: int = option(256, "side of the square cut from the middle; 0 for the whole image")
    trade_offs: tuple[float, ...] = option((0.003, 0.01, 0.03, 0.1), "lambda of the squared error, one for each rate")
    steps: int = option(300, "steps of a fit for squared error")
    realism_names: tuple[str, ...] = option(
        ("brick",), 'images that are also fitted for realism; empty for all, "none" for none')
    realism_steps: int = option(500, "realism steps of such a fit")
    realism_size: int = option(128, "side of the square for these; 0 for the whole image")
    realism_objective: str = option(
        "wd_mse", 'realism objective of these: "wd", or "wd_mse" for Wasserstein distortion and squared error together')
    realism_bpp: float = option(0.4, "bits per pixel of these files; 0 for the lowest rate of the squared error")
    squared_error_weight: float = option(
        SQUARED_ERROR_WEIGHT, 'squared error weight of "wd_mse", beside Wasserstein distortion')
    features: str = option("alexnet", "features of Wasserstein distortion in fits")
    display: str = option("", "display of the features vdp; empty for others")
    sigma: float = option(4.0, "its windows' width in pixels, for fits and for the metric")
    noise_levels: int = option(5, "resolutions with shared noise")
    metrics: tuple[str, ...] = option(
        ("psnr", "ms_ssim", "lpips_alexnet", "dists", "wd_vgg16"), "metrics of `rdr.metrics.full_reference`")
    batch: int = option(
        1, "images of one size that are fitted side by side; more may be faster on a GPU where they are small")
    seed: int = option(0, "random seed of all randomness")


PRESETS = {
    "smoke": Config(names=("brick",), size=64, trade_offs=(0.01, 0.1), steps=12, realism_size=64, realism_bpp=0.5,
                    realism_steps=12, features="pixels", noise_levels=2, metrics=("psnr", "ssim")),
    "quick": Config(names=("astronaut", "coffee", "chelsea", "rocket", "brick")),
    "full": Config(size=0, trade_offs=(0.001, 0.003, 0.01, 0.03, 0.1), steps=10_000, realism_names=(),
                   realism_steps=10_000, realism_size=0, realism_bpp=0.0, features="vgg16"),
}  # fmt: skip


def load_images(config: Config) -> dict[str, np.ndarray]:
    """Reads the images.

    Args:
      config: of the experiment.

    Returns:
      Name -> uint8 [height, width, 1 or 3].

    Raises:
      ValueError: if an image is missing, or too small.
    """
    if config.images:
        files = images_by_name(config.images)
        names = config.names or tuple(files)
        for name in names:
            if name not in files:
                raise ValueError(f"--names: there is no image {name!r} in {config.images}")
        images = {name: read_image(files[name]) for name in names}
        return {name: np.rint(p / 257).astype(np.uint8) if p.dtype == np.uint16 else p for name, p in images.items()}
    try:
        from skimage import data
    except ImportError:
        raise ValueError("--images is missing, and scikit-image is not installed: pip install scikit-image") from None
    names = config.names or PHOTOGRAPHS + TEXTURES
    for name in names:
        if name not in PHOTOGRAPHS + TEXTURES:
            raise ValueError(f"--names: choose among {', '.join(PHOTOGRAPHS + TEXTURES)}, or give --images")
    images = {name: np.asarray(getattr(data, name)()) for name in names}
    return {name: image[:, :, None] if image.ndim == 2 else image for name, image in images.items()}


def crop(image: np.ndarray, size: int) -> np.ndarray:
    """Cuts a square from the middle.

    Args:
      image: [height, width, channels].
      size: its side, 0 for everything.

    Returns:
      [size, size, channels].

    Raises:
      ValueError: if the image is smaller.
    """
    if size < 0:
        raise ValueError(f"--size must be at least 0, got {size}")
    if not size:
        return image
    height, width, _ = image.shape
    if min(height, width) < size:
        raise ValueError(f"--size must be at most the images' sides, got {size} for {height} x {width} pixels")
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]


def mse_fits(config: Config, name: str, image: np.ndarray) -> list[Fit]:
    """The fits for squared error, a file for each lambda.

    Args:
      config: of the experiment.
      name: of the image.
      image: uint8.

    Returns:
      The fits.
    """
    return [Fit(f"{name}-mse-{rd_lambda:g}", image, overfitted.Options(
        rd_lambda=rd_lambda, schedule=overfitted.Schedule(steps=config.steps), seed=config.seed))
        for rd_lambda in config.trade_offs]


def realism_fits(config: Config, name: str, image: np.ndarray, bits_per_pixel: float) -> dict[str, Fit]:
    """The fits at one number of bytes: for squared error and Wasserstein distortion, without and with shared noise.

    Args:
      config: of the experiment.
      name: of the image.
      image: uint8.
      bits_per_pixel: of each file.

    Returns:
      Method -> fit.
    """
    size = math.floor(bits_per_pixel * image.shape[0] * image.shape[1] / 8)
    return {method: Fit(f"{name}-{method.replace(' ', '_').replace('+', 'and')}-{size}", image, overfitted.Options(
        objective=config.realism_objective if realistic else "mse", size=size,
        schedule=overfitted.Schedule(steps=config.realism_steps), seed=config.seed,
        noise_levels=config.noise_levels if noisy else 0, sigma=config.sigma, features=config.features,
        squared_error_weight=config.squared_error_weight,
        display=(config.display or None) if realistic else None))
        for method, (realistic, noisy) in {MSE: (False, False), **REALISM}.items()}


def make_suite(config: Any) -> MetricSuite:
    """Builds the metrics of decoded images; says which are left out because their weights are not installed.

    Args:
      config: of the experiment: metrics, and sigma of Wasserstein distortion.

    Returns:
      The suite.
    """
    suite = MetricSuite(config.metrics, sigma=config.sigma, skip_missing=True)
    for sentence in suite.notes:
        print(sentence, file=sys.stderr)
    return suite


def bd_rates(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rate at equal PSNR relative to JPEG, per image and on average.

    Args:
      rows: of `pictures.csv`.

    Returns:
      A row for each image and codec that has at least four rates.
    """
    result = []
    for image in dict.fromkeys(row["picture"] for row in rows):
        curves = {}
        for row in rows:
            if row["picture"] == image and row["part"] == "rates":
                curves.setdefault(row["codec"], []).append((row["bytes"], row["psnr"]))
        curves = {codec: sorted(set(points)) for codec, points in curves.items()}
        curves = {codec: points for codec, points in curves.items() if len(points) >= FEWEST}
        for codec, points in curves.items():
            if codec != "JPEG" and "JPEG" in curves:
                pair = [list(zip(*curves["JPEG"])), list(zip(*points))]
                try:
                    deltas = bd_rate([p[0] for p in pair], [p[1] for p in pair])
                except ValueError as error:  # curves that do not rise or do not overlap have none
                    print(f"{image}, {codec}: no BD-rate ({error})")
                    continue
                result.append({"picture": image, "codec": codec, "bd_rate_percent": float(deltas.values[1]),
                              "overlap": deltas.overlap})
    for codec in dict.fromkeys(row["codec"] for row in result):
        values = [row["bd_rate_percent"] for row in result if row["codec"] == codec]
        result.append({"picture": "mean", "codec": codec, "bd_rate_percent": float(np.mean(values)),
                      "overlap": math.nan})
    return result


def run(config: Config, workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Encodes, decodes, measures, and writes tables and figures.

    Args:
      config: of the experiment.
      workdir: where everything is kept.

    Returns:
      The rows of `pictures.csv`.

    Raises:
      ValueError: if an image or an option is refused.
    """
    if not config.trade_offs and (config.realism_names == ("none",) or not config.realism_bpp):
        raise ValueError("--trade_offs is empty: say which images to fit for realism, and --realism_bpp")
    if len({f"{rd_lambda:g}" for rd_lambda in config.trade_offs}) < len(config.trade_offs):
        raise ValueError(f"--trade_offs must differ, got {', '.join(map(str, config.trade_offs))}")
    started, images = time.time(), load_images(config)
    unknown = [name for name in config.realism_names if name != "none" and name not in images]
    if unknown:
        sentence = f"{', '.join(unknown)}: not among the images ({', '.join(images)})"
        if config.realism_names != Config().realism_names or not config.trade_offs:
            raise ValueError(f"--realism_names: {sentence}")
        print(f"nothing is fitted for realism, --realism_names={sentence}", file=sys.stderr)
    suite, rows = make_suite(config), []

    def note(part, name, codec, photo, data, decoded):
        rows.append({"part": part, "picture": name, "codec": codec, "bytes": len(data),
                     "bits_per_pixel": 8 * len(data) / math.prod(photo.shape[:2]), **suite.measure(decoded, photo)})

    rated = {name: crop(photo, config.size) for name, photo in images.items() if config.trade_offs}
    wanted = {name: mse_fits(config, name, photo) for name, photo in rated.items()}
    made = messages([fit for fits in wanted.values() for fit in fits], workdir, batch=config.batch)
    files = {name: [made[fit.stem] for fit in fits] for name, fits in wanted.items()}
    real = {name: crop(photo, config.realism_size) for name, photo in images.items()
            if name in (config.realism_names or images)}
    rate = {name: config.realism_bpp or min(8 * len(m) / math.prod(rated[name].shape[:2]) for m in files[name])
            for name in real}
    wished = {name: realism_fits(config, name, photo, rate[name]) for name, photo in real.items()}
    # Method by method: images of one size are fitted side by side.
    made = messages([fits[method] for method in (MSE, *REALISM) for fits in wished.values()], workdir,
                    batch=config.batch)
    real_files = {name: {method: made[fit.stem] for method, fit in fits.items()} for name, fits in wished.items()}

    codecs = [codec for codec in CODECS.values() if codec.available()]
    for name, photo in rated.items():
        for message in files[name]:
            note("rates", name, MSE, photo, message, overfitted.decode(message))
        sizes = sorted(map(len, files[name]))
        for codec in codecs:
            for size in [*sizes, *(round(factor * sizes[-1]) for factor in BEYOND)]:
                note("rates", name, codec.name, photo, *encode_at_most(codec, photo, size))
    kept_pictures = {}
    for name, photo in real.items():
        shown = {"original": (photo, 0)}
        for codec in codecs:
            data, decoded = encode_at_most(codec, photo, len(real_files[name]["overfitted WD + noise"]))
            note("realism", name, codec.name, photo, data, decoded)
            shown[codec.name] = decoded, len(data)
        for method, message in real_files[name].items():
            shown[method] = overfitted.decode(message), len(message)
            note("realism", name, method, photo, message, shown[method][0])
        draw_images(workdir / f"{name}.png", shown)
        kept_pictures |= {f"{name} {title}": image for title, (image, _) in shown.items()}
    write_arrays(workdir / "pictures.npz", kept_pictures, compressed=True)
    header = {"units": "bytes of whole files; psnr in dB; bits per pixel", "seed": config.seed,
              "rates": "squared error at several lambdas; other codecs at most as long, and 1.6 and 2.5 times",
              "realism_objective": config.realism_objective, "sigma": config.sigma,
              "realism": "one length; other codecs at most as long, or as short as they can"}
    write_table(workdir / "pictures.csv", {name: [row[name] for row in rows] for name in rows[0]}, header)
    rates = bd_rates(rows) if "psnr" in rows[0] else []
    columns = {name: [row[name] for row in rates] for name in ("picture", "codec", "bd_rate_percent", "overlap")}
    write_table(workdir / "bd_rates.csv", columns, {"units": "percent of JPEG's bytes at equal PSNR, minus 100"})
    for row in rates:
        if row["picture"] == "mean":
            print(f"{row['codec']}: {row['bd_rate_percent']:+.1f} % of JPEG's bytes at equal PSNR")
    if rated and "psnr" in rows[0]:
        draw_curves(workdir / "rate_psnr.png", [row for row in rows if row["part"] == "rates"])
    write_run_record(workdir, name="experiments.images.image_realism", config=config,
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
