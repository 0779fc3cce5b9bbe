"""The rate-distortion curve of a trained image codec on a folder of images, in bytes that were decoded again.

    python -m experiments.image_curve --codec=codec.npz --images=FOLDER --workdir=runs/image_curve

For rate levels and realism weights: bits per pixel of the messages (header and all), the model's estimate beside them,
PSNR, and, where the weights of the feature networks are installed, LPIPS and DISTS. JPEG by Pillow on the same images
is measured alongside. `curve.csv` has means over the images, in the form that tables of published curves have
(codec, rate_bpp, psnr, ..); `images.csv` has every image. Bytes of one message serve all realism weights.
"""

import dataclasses
import hashlib
import io
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np
from PIL import Image
from tqdm import tqdm

from experiments import command_line, results
from rdr.codecs.image import files, make_model
from rdr.data.folders import list_images, read_image
from rdr.features import weights
from rdr.losses import dists, lpips


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
      codec: a file that `experiments.train` wrote.
      images: a folder.
      limit: how many of its images, in order of names; 0 for all.
      levels: rate levels of a codec with a rate input, as fractions of the highest.
      realism: realism weights of a codec that takes them.
      qualities: of JPEG; none without.
      perceptual: whether to measure LPIPS and DISTS.
    """

    codec: str = ""
    images: str = ""
    limit: int = 0
    levels: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    realism: tuple[float, ...] = (0.0, 0.5, 1.0)
    qualities: tuple[int, ...] = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90)
    perceptual: bool = True

    def __post_init__(self):
        for name in ("levels", "realism"):
            values = getattr(self, name)
            if not values or not all(0.0 <= value <= 1.0 for value in values):
                raise ValueError(f"{name} must be numbers in [0, 1], at least one, got {values}")
        if any(not 1 <= quality <= 95 for quality in self.qualities):
            raise ValueError(f"qualities must be integers from 1 to 95, got {self.qualities}")
        if self.limit < 0:
            raise ValueError(f"limit must not be negative, got {self.limit}")


PRESETS = {"smoke": Config(limit=2, levels=(0.0, 1.0), realism=(0.0, 1.0), qualities=(10, 50), perceptual=False),
           "quick": Config(limit=6), "full": Config()}


class Meter:
    """Measures a decoded image beside its original.

    Args:
      perceptual: whether LPIPS and DISTS are asked for; they are left out where their weights are not installed.
    """

    def __init__(self, perceptual: bool):
        self._functions = {}
        if perceptual and all(weights.weights_available(network) for network in ("alexnet", "vgg16")):
            learned, structure = lpips.load_params("alexnet"), dists.load_params()
            self._functions = {"lpips": jax.jit(lambda x, y: lpips.lpips(learned, y, x)),
                               "dists": jax.jit(lambda x, y: dists.dists(structure, y, x))}

    def __call__(self, original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
        """Measures.

        Args:
          original: uint8 [height, width, 3].
          decoded: uint8, same shape.

        Returns:
          "psnr" in dB over all values, and the perceptual distances.
        """
        error = np.mean(np.square(original.astype(np.float64) - decoded))
        found = {"psnr": 10.0 * np.log10(255.0**2 / max(error, 1e-10))}
        x, y = (np.float32(image[None]) / np.float32(255.0) for image in (original, decoded))
        return found | {name: float(function(x, y)[0]) for name, function in self._functions.items()}


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


def measure_codec(loaded: files.LoadedCodec, config: Config, image: np.ndarray, meter: Meter) -> list[dict[str, Any]]:
    """One image at all levels and realism weights.

    Args:
      loaded: the codec.
      config: settings.
      image: uint8 [height, width, 3].
      meter: what measures.

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
        message = files.encode_picture(loaded, image, rate=level)
        encoding = time.perf_counter() - started
        bits = estimate(loaded, image, level)
        for beta in betas:
            started = time.perf_counter()
            decoded = files.decode_picture(loaded, message, realism=beta)
            decoding = time.perf_counter() - started
            name = loaded.codec.name + ("" if beta is None else f" realism {beta:g}")
            records.append({"codec": name, "level": -1.0 if level is None else float(level),
                            "rate_bpp": 8.0 * len(message) / pixels, "estimated_bpp": bits / pixels,
                            **meter(image, decoded), "encode_seconds": encoding, "decode_seconds": decoding})
    return records


def measure_jpeg(config: Config, image: np.ndarray, meter: Meter) -> list[dict[str, Any]]:
    """One image at all qualities of Pillow's JPEG (4:2:0, optimised Huffman tables)."""
    pixels, records = image.shape[0] * image.shape[1], []
    for quality in config.qualities:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality, optimize=True)
        decoded = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
        records.append({"codec": "JPEG (Pillow)", "level": float(quality), "rate_bpp": 8.0 * buffer.tell() / pixels,
                        "estimated_bpp": float("nan"), **meter(image, decoded), "encode_seconds": float("nan"),
                        "decode_seconds": float("nan")})
    return records


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Measures and writes the curve.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `curve.csv`.
    """
    started = time.monotonic()
    if not config.codec or not config.images:
        raise ValueError("give --codec=FILE and --images=FOLDER")
    loaded = files.load_codec(config.codec)
    paths = list_images(config.images)[: config.limit or None]
    meter = Meter(config.perceptual)
    records = []
    for path in tqdm(paths, desc="images", unit="image"):
        image = read_image(path)
        for record in measure_codec(loaded, config, image, meter) + measure_jpeg(config, image, meter):
            records.append({"image": path.name, **record})
    header = {"title": f"{len(paths)} images of {pathlib.Path(config.images).name}; mean of the images' values",
              "source": f"own run of experiments.image_curve on {pathlib.Path(config.codec).name} with SHA-256 "
                        f"{hashlib.sha256(pathlib.Path(config.codec).read_bytes()).hexdigest()[:16]}",
              "units": "rate_bpp and estimated_bpp in bits per pixel; psnr in dB (RGB)"}
    results.write_table(workdir / "images.csv", {name: [r[name] for r in records] for name in records[0]}, header)
    points = list(dict.fromkeys((record["codec"], record["level"]) for record in records))
    table: dict[str, list] = {}
    for codec, level in points:
        mine = [record for record in records if (record["codec"], record["level"]) == (codec, level)]
        means = {name: float(np.mean([record[name] for record in mine])) for name in mine[0]
                 if name not in ("image", "codec", "level", "encode_seconds", "decode_seconds")}
        for name, value in {"codec": codec, **means}.items():
            table.setdefault(name, []).append(value)
    results.write_table(workdir / "curve.csv", table, header)
    results.write_run_record(workdir, name="experiments.image_curve", config=config,
                             duration_seconds=time.monotonic() - started)
    print(results.render(table))
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
