"""Rate and distortion of a trained image codec on a folder of images, in bytes that were decoded again.

    python -m experiments.images.rd_sweep --codec=pretrained --images=FOLDER --workdir=runs/image_curve

`--codec` is a codec.npz of `rdr train`, or the word pretrained, or empty for the others alone. For rate levels and
realism weights: bits per pixel of the messages (header and all), the model's estimate beside them, PSNR, the root of
the Wasserstein distortion of intensities, and, where the weights of the feature networks are installed, LPIPS and
DISTS. Bytes of one message serve all realism weights. Pillow's codecs are measured on the same images.

`curve.csv` has means over the images, in the form that tables of published curves have (codec, rate_bpp, psnr, ..), for
`rdr compare`; `images.csv` has every image; `bd_rates.csv` the rate at equal PSNR relative to Pillow's JPEG,
of the curves here and of those in the published tables that `--published` names.

Expected on the 24 Kodak images (full): BD-rates relative to
Pillow's JPEG of -28 % for the pretrained codec at realism 0 and of -53 % for AVIF.
"""

import dataclasses
import io
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from rdr import command_line
from rdr.bitstream import container
from rdr.codecs.conventional import CODECS
from rdr.codecs.image import files, make_model, messages
from rdr.command_line import option
from rdr.data.folders import list_images
from rdr.data.image_io import read_image
from rdr.evaluation import tables
from rdr.evaluation.metric_suite import MetricSuite
from rdr.evaluation.rd_curves import read_curves
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.metrics.bjontegaard import bd_rate

ANCHOR = "JPEG (Pillow)"
METRICS = ("root_wd", "lpips", "dists")
_SIGMA = 4.0  # pixels, of the Wasserstein distortion


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    codec: str = option("", 'a file that `rdr train` wrote, "pretrained", or empty')
    images: str = option("", "a folder")
    limit: int = option(0, "how many of its images, in order of names; 0 for all")
    levels: tuple[float, ...] = option(
        (0.0, 0.25, 0.5, 0.75, 1.0), "rate levels of a codec with a rate input, as fractions of the highest")
    realism: tuple[float, ...] = option((0.0, 0.5, 1.0), "realism weights of a codec that takes them")
    qualities: tuple[int, ...] = option(
        (5, 10, 20, 30, 40, 55, 70, 85), "qualities of Pillow's codecs, each on its own scale")
    others: tuple[str, ...] = option(tuple(CODECS), "which of Pillow's codecs are measured too, those that it has")
    published: tuple[str, ...] = option(
        (), "tables in `rdr/evaluation/published` whose curves are compared; on the same images to be comparable")
    metrics: tuple[str, ...] = option(
        METRICS, "what is measured beside PSNR, of `METRICS`; those whose networks are not installed are left out")

    def __post_init__(self):
        for name in ("levels", "realism"):
            values = getattr(self, name)
            if not values or not all(0.0 <= value <= 1.0 for value in values):
                raise ValueError(f"{name} must be numbers in [0, 1], at least one, got {values}")
        if any(not 1 <= quality <= 95 for quality in self.qualities):
            raise ValueError(f"qualities must be integers from 1 to 95, got {self.qualities}")
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"metrics must be among {', '.join(METRICS)}, got {name!r}")
        for name in self.others:
            if name not in CODECS:
                raise ValueError(f"others must be among {', '.join(CODECS)}, got {name!r}")
        if self.limit < 0:
            raise ValueError(f"limit must not be negative, got {self.limit}")


PRESETS = {"smoke": Config(limit=2, levels=(0.0, 1.0), realism=(0.0, 1.0), qualities=(10, 50),
                           others=("JPEG", "WebP"), metrics=()),
           "quick": Config(limit=6), "full": Config()}


def root_wd(images: jax.Array, reference: jax.Array) -> jax.Array:
    """Computes the root of the Wasserstein distortion of RGB intensities.

    Args:
      images: [batch, height, width, 3], in [0, 1].
      reference: the same shape.

    Returns:
      [batch].
    """
    return wasserstein_distortion(reference, images, _SIGMA) ** 0.5


def make_suite(metrics: tuple[str, ...]) -> MetricSuite:
    """Builds what is measured of a decoded image.

    Args:
      metrics: of `METRICS`; those whose networks are not installed are left out.

    Returns:
      The suite: "psnr" in dB over all values, "mse" for values in [0, 1], and the metrics.
    """
    known = {"root_wd": root_wd, "lpips": "lpips_alexnet", "dists": "dists"}
    return MetricSuite({"psnr": "psnr", "mse": "mse"} | {name: known[name] for name in METRICS if name in metrics},
                       skip_missing=True)


def estimate(loaded: files.LoadedCodec, image: np.ndarray, rate: float | None) -> float:
    """The model's estimate of an image's bits, with rounded latents.

    Args:
      loaded: the codec.
      image: uint8 [height, width, 3].
      rate: level.

    Returns:
      Bits.
    """
    height, width = image.shape[:2]
    shape = {name: loaded.options[name] for name in ("name", "channels", "latents")}
    stride = 16 * make_model(**shape).stride  # the encoder pads to it
    padded = np.pad(image, ((0, -height % stride), (0, -width % stride), (0, 0)), "edge")[None]
    params = {part: tree for part, tree in loaded.params.items() if part != "coding"}
    forward = _estimators.setdefault(loaded.codec, jax.jit(
        lambda p, x, r: loaded.codec.forward(p, x, key=None, rate=r)[1]))
    return float(forward(params, np.float32(padded) / np.float32(255.0), rate)[0])


_estimators: dict = {}


def measure_codec(
    loaded: files.LoadedCodec, config: Config, image: np.ndarray, suite: MetricSuite
) -> list[dict[str, Any]]:
    """One image at all levels and realism weights.

    Args:
      loaded: the codec.
      config: settings.
      image: uint8 [height, width, 3].
      suite: what measures.

    Returns:
      A record for each operating point.
    """
    top = loaded.options.get("rate_levels", 0) - 1
    levels = [np.float32(level * top) for level in config.levels] if top > 0 else [None]
    betas = config.realism if loaded.options.get("realism") else (None,)
    pixels, records = image.shape[0] * image.shape[1], []
    for level in levels:
        # The message says the level in sixteenths.
        level = level if level is None else np.float32(round(float(level) * 16) / 16)
        started = time.perf_counter()
        message = files.encode_image(loaded, image, rate=level)
        encoding = time.perf_counter() - started
        bits = estimate(loaded, image, level)
        for beta in betas:
            started = time.perf_counter()
            decoded = files.decode_image(loaded, message, realism=beta)
            decoding = time.perf_counter() - started
            name = loaded.codec.name + ("" if beta is None else f" realism {beta:g}")
            records.append({"codec": name, "level": -1.0 if level is None else float(level),
                            "rate_bpp": 8.0 * len(message) / pixels, "estimated_bpp": bits / pixels,
                            **suite.measure(decoded, image), "encode_seconds": encoding, "decode_seconds": decoding})
    return records


def measure_others(config: Config, image: np.ndarray, suite: MetricSuite) -> list[dict[str, Any]]:
    """One image by Pillow's codecs at all qualities.

    Args:
      config: settings.
      image: uint8 [height, width, 3].
      suite: what measures.

    Returns:
      A record for each codec and quality.
    """
    pixels, records, nan = image.shape[0] * image.shape[1], [], float("nan")
    for name in config.others:
        if not CODECS[name].available():
            continue
        for quality in config.qualities:
            buffer = io.BytesIO()
            CODECS[name].write(Image.fromarray(image), buffer, quality)
            decoded = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
            records.append({"codec": f"{name} (Pillow)", "level": float(quality),
                            "rate_bpp": 8.0 * len(buffer.getvalue()) / pixels, "estimated_bpp": nan,
                            **suite.measure(decoded, image), "encode_seconds": nan, "decode_seconds": nan})
    return records


def bd_rates(path: pathlib.Path, published: tuple[str, ...]) -> dict[str, list]:
    """Rates at equal PSNR relative to Pillow's JPEG, each curve on the range that both have.

    Args:
      path: `curve.csv`.
      published: tables of published curves.

    Returns:
      Columns: codec, "bd_rate_percent" ("" where there is none), and the range of PSNR; none without the JPEG.
    """
    curves = [curve for word in (str(path), *published) for curve in read_curves(word) if "psnr" in curve.metrics]
    anchor = next((curve for curve in curves if curve.name == ANCHOR), None)
    table: dict[str, list] = {"codec": [], "bd_rate_percent": [], "psnr_from": [], "psnr_to": []}
    for curve in curves if anchor is not None else ():
        if curve is anchor:
            continue
        try:
            result = bd_rate([anchor.rates, curve.rates], [anchor.metrics["psnr"], curve.metrics["psnr"]])
            row = (float(result.values[1]), *result.interval)
        except ValueError:  # too few points, or none in common
            row = ("", "", "")
        for name, value in zip(table, (curve.name, *row)):
            table[name].append(value)
    return table


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures and writes the curve.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `curve.csv`.

    Raises:
      ValueError: if a file, a table or an option cannot be used.
    """
    started = time.monotonic()
    if not config.images or not (config.codec or config.others):
        raise ValueError("give --codec=FILE (or pretrained) and --images=FOLDER")
    loaded = messages.load(config.codec) if config.codec else None
    for table in config.published:
        read_curves(table)  # a wrong word is noticed now, not after hours
    paths = list_images(config.images)[: config.limit or None]
    suite = make_suite(config.metrics)
    records = []
    for path in tqdm(paths, desc="images", unit="image"):
        image = read_image(path, channels=3, depth="eight")
        own = measure_codec(loaded, config, image, suite) if loaded is not None else []
        for record in own + measure_others(config, image, suite):
            records.append({"image": path.name, **record})
    if not records:
        raise ValueError(f"this Pillow has none of {', '.join(config.others)}: give --codec or other --others")
    header = {"title": f"{len(paths)} images of {pathlib.Path(config.images).name}; mean of the images' values",
              "source": "own run of experiments.images.rd_sweep"
                        + (f" on parameters {_digest(loaded)}" if loaded else ""),
              "units": "rate_bpp and estimated_bpp in bits per pixel; psnr in dB (RGB); mse for values from 0 to 1; "
                       f"root_wd of RGB intensities at sigma = {_SIGMA:g} pixels"}
    tables.write_table(workdir / "images.csv", {name: [r[name] for r in records] for name in records[0]}, header)
    points = list(dict.fromkeys((record["codec"], record["level"]) for record in records))
    table: dict[str, list] = {}
    for codec, level in points:
        own = [record for record in records if (record["codec"], record["level"]) == (codec, level)]
        means = {name: float(np.mean([record[name] for record in own])) for name in own[0]
                 if name not in ("image", "codec", "level", "encode_seconds", "decode_seconds")}
        for name, value in {"codec": codec, **means}.items():
            table.setdefault(name, []).append(value)
    tables.write_table(workdir / "curve.csv", table, header)
    compared = bd_rates(workdir / "curve.csv", config.published)
    tables.write_table(workdir / "bd_rates.csv", compared, {"title": f"rate at equal PSNR relative to {ANCHOR}"})
    tables.write_run_record(workdir, name="experiments.images.rd_sweep", config=config,
                             duration_seconds=time.monotonic() - started)
    print(tables.render(table), tables.render(compared, digits=2), sep="\n\n")
    return table


def _digest(loaded: files.LoadedCodec) -> str:
    return container.fingerprint(loaded.params).hex()


def main(argv: list[str] | None = None) -> int:
    """The command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
