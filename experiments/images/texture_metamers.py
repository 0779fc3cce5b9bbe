"""From fidelity to realism: images optimized from noise under Wasserstein distortion, for a sequence of sigma.

    python -m experiments.images.texture_metamers --preset=quick --workdir=runs/texture_metamers/quick
    python -m experiments.images.texture_metamers --pictures=photo.png --sigmas=eccentricity --fixation=40,60 \\
        --workdir=OUT

For each image (a texture, or a photograph with a foveated sigma map) and each sigma, an image that starts as noise
descends the Wasserstein distortion to the image, on VGG-16 feature maps at several resolutions. At sigma = 0 it
becomes the image; at sigma = infinity it becomes another image of the same statistics; in between it keeps what is
larger than sigma and makes up what is smaller. `sequence.csv` says how far each image is from the image
pixel by pixel (mean squared error: fidelity) and in its statistics (the distortion at sigma = infinity: realism);
`images.npz` holds the images, NAME_SIGMA.png shows each, and NAME_foveated_sigma.npy and .png are the map of a foveated
one (white is its largest sigma). A run that was stopped goes on after the last image that it finished.

Images: brick, grass, gravel (extra `textures`, scikit-image), astronaut (a photograph, foveated), `waves` (drawn
here, needs nothing), or a path to an image file, which is foveated with --sigmas=eccentricity. Features: vgg16 or
alexnet (extra `perceptual`), or pixels. quick: about ten minutes on 2 cores; full: for a GPU. Expected: fidelity_mse
rises with sigma, from below a hundredth of the variance at 0, while realism stays below a hundredth of realism_start.
"""

import dataclasses
import functools
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdr import command_line, files
from rdr.command_line import option
from rdr.data.image_io import read_image, write_image
from rdr.evaluation import tables
from rdr.features import alexnet, vgg, weights
from rdr.features.multiscale import multiscale
from rdr.losses.wasserstein_distortion import distance, prepare
from rdr.losses.wasserstein_distortion.sigma import sigma_from_eccentricity

# Where the square is cut out of a photograph: 0 is at the top or left, 1 at the bottom or right. This is the face.
PHOTOGRAPHS = {"astronaut": (0.0, 0.375)}
PIXELS_PER_DEGREE = 8.0


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    pictures: tuple[str, ...] = option(("brick", "astronaut", "gravel", "grass"), "what to match; see above")
    sigmas: tuple[str, ...] = option(
        ("0", "2", "4", "10", "inf"), 'standard deviations of the pooling windows in pixels, numbers or "inf"; or '
        '"eccentricity", which grow with the distance from the fixated point. The photographs that have a name are '
        'foveated in any case')
    fixation: tuple[float, ...] = option(
        (), "row and column of the fixated point in pixels of the square; the middle if it is not given")
    size: int = option(128, "side of the (square, gray) images in pixels")
    halvings: int = option(2, "how often the resolution of a texture is halved before its center is cut out")
    photograph_halvings: int = option(1, "the same for photographs")
    features: str = option("vgg16", '"vgg16", "alexnet" or "pixels"')
    blocks: int = option(3, "how many of VGG-16's five blocks are used, each by its last map")
    scales: int = option(2, "number of resolutions at which the features are computed")
    steps: int = option(150, "steps of Adam, its step size decayed by a cosine")
    learning_rate: float = option(0.05, "first step size, in units of the images' range [0, 1]")
    pixels_per_degree: float = option(PIXELS_PER_DEGREE, "pixels per degree of the foveated maps")
    seed: int = option(0, "random seed of the noise")

    def __post_init__(self):
        for sigma in self.sigmas:
            _sigma(sigma)
        if self.fixation and not (len(self.fixation) == 2 and all(0 <= c <= self.size - 1 for c in self.fixation)):
            raise ValueError(f"fixation must be a row and a column from 0 to {self.size - 1}, got {self.fixation}")
        if not 0 < self.pixels_per_degree < math.inf:
            raise ValueError(f"pixels_per_degree must be positive, got {self.pixels_per_degree}")
        foveated = "eccentricity" in self.sigmas or any(name in PHOTOGRAPHS for name in self.pictures)
        if not foveated and (self.fixation or self.pixels_per_degree != PIXELS_PER_DEGREE):
            raise ValueError("fixation and pixels_per_degree are those of a foveated map: give --sigmas=eccentricity")


def _sigma(text: str) -> float | str:
    """A number of pixels, or "eccentricity"."""
    if text == "eccentricity":
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise ValueError(f"sigmas must be numbers of at least 0, inf, or eccentricity, got {text!r}")
    return value


PRESETS = {
    "smoke": Config(
        pictures=("waves",), sigmas=("0", "2", "inf"), size=24, halvings=0, features="pixels", scales=1, steps=60
    ),
    "quick": Config(),
    "full": Config(
        pictures=("brick", "grass", "gravel", "astronaut"), sigmas=("0", "1", "2", "4", "8", "16", "inf"),
        size=256, halvings=1, photograph_halvings=0, blocks=5, scales=3, steps=1000,
    ),
}


def load_image(name: str, size: int, halvings: int = 0) -> np.ndarray:
    """Loads a gray image.

    Args:
      name: brick, grass, gravel, astronaut, waves, or a path to an image file.
      size: side of the square that is cut out (of the center, if it is not a photograph named here), in pixels.
      halvings: how often its resolution is halved before.

    Returns:
      [1, size, size, 1], float32, in [0, 1].

    Raises:
      ValueError: if there is no such image or it is smaller than `size`; says what to install.
    """
    if name == "waves":
        y, x = np.mgrid[:size, :size] / 8
        image = 0.5 + 0.25 * np.sin(2 * np.pi * (x + 0.3 * np.sin(y))) + 0.15 * np.cos(2 * np.pi * (y - 0.5 * x))
    elif name in ("brick", "grass", "gravel", *PHOTOGRAPHS):
        try:
            from skimage import data
        except ImportError:
            raise ValueError(
                f"image {name} comes with scikit-image: install it with `pip install rdr-jax[textures]`, or give "
                "--pictures=waves or a path to an image file"
            ) from None
        image = getattr(data, name)() / 255.0
    else:
        pixels = read_image(name, channels=3)
        image = pixels / np.float64(np.iinfo(pixels.dtype).max)
    if image.ndim == 3:
        image = image @ np.array([0.299, 0.587, 0.114])  # luma of sRGB values (Rec. 601)
    for _ in range(halvings):
        height, width = (n - n % 2 for n in image.shape)
        image = image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    place = PHOTOGRAPHS.get(name, (0.5, 0.5))
    top, left = (math.floor((n - size) * f) for n, f in zip(image.shape, place))
    if min(top, left) < 0:
        raise ValueError(f"size must be at most the image's, {name} has {image.shape}, got {size}")
    return image[top : top + size, left : left + size].astype(np.float32)[None, :, :, None]


def feature_maps(network: str, scales: int, blocks: int = 5) -> Callable[[jax.Array], dict[str, jax.Array]]:
    """Builds the map from gray images to what the distortion compares.

    Args:
      network: "vgg16" (average pooling, the last map of each block), "alexnet", or "pixels".
      scales: number of resolutions.
      blocks: of VGG-16, that are used.

    Returns:
      A function from [batch, height, width, 1] to a dict of feature maps, the normalized image among them.

    Raises:
      ValueError: if there is no such network.
      FileNotFoundError: if its weights are not installed.
    """
    if network == "pixels":
        return lambda images: multiscale(lambda x: {"pixels": x}, images, num_scales=scales)
    taps = {
        "vgg16": (vgg.features, vgg.LAST_OF_EACH_BLOCK[:blocks]),
        "alexnet": (alexnet.features, ("relu1", "relu2")),
    }
    if network not in taps:
        raise ValueError(f"features must be 'vgg16', 'alexnet' or 'pixels', got {network!r}")
    call, names = taps[network]
    params = weights.load_params(network)

    def at_one_scale(images):
        return call(params, jnp.repeat(images, 3, -1), taps=names, pooling="average")

    def maps(images):
        return {"pixels": (images - 0.449) / 0.226, **multiscale(at_one_scale, images, num_scales=scales)}

    return maps


def make_descent(
    features: Callable[[jax.Array], dict[str, jax.Array]], *, steps: int, learning_rate: float
) -> Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Builds the optimizer; one compilation serves every sigma.

    Args:
      features: see `feature_maps`.
      steps: number of steps.
      learning_rate: of Adam at the beginning, decayed to 0 by a cosine.

    Returns:
      A function of (image [1, n, n, 1], sigma map [n, n], start [1, n, n, 1]) that returns the optimized image,
      clipped to [0, 1], and the distortion after each step [steps].
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
    measure = jax.jit(lambda photo, sigma: prepare(features(photo), sigma))

    @jax.jit
    def step(image, state, statistics):
        value, gradient = jax.value_and_grad(lambda x: distance(statistics, features(x))[0])(image)
        update, state = optimizer.update(gradient, state)
        return jnp.clip(image + update, 0, 1), state, value

    def descend(photo, sigma, start):
        statistics, state, values = measure(photo, sigma), optimizer.init(start), []
        # Not a lax loop: inside of one, XLA's convolutions on CPU take several times as long.
        image = start
        for _ in range(steps):
            image, state, value = step(image, state, statistics)
            values.append(value)
        return image, jnp.stack(values)

    return descend


def sigma_maps(config: Config, image: str) -> dict[float | str, np.ndarray]:
    """Lists the sigma maps that an image is matched under: constants and foveated ones, only these for a photograph.

    Args:
      config: settings.
      image: name of the image.

    Returns:
      Label -> [size, size], pixels.
    """
    shape, maps = (config.size, config.size), {}
    for sigma in ("eccentricity",) if image in PHOTOGRAPHS else map(_sigma, config.sigmas):
        if sigma == "eccentricity":
            fixated = config.fixation or ((config.size - 1) / 2,) * 2
            foveated = sigma_from_eccentricity(shape, fixated, pixels_per_degree=config.pixels_per_degree)
            maps["foveated"] = np.asarray(foveated, np.float32)
        else:
            maps[sigma] = np.full(shape, sigma, np.float32)
    return maps


def _eight_bits(image: jax.Array) -> np.ndarray:
    return np.uint8(np.round(255 * np.asarray(image)[0, :, :, 0]))


def _write(
    config: Config, workdir: pathlib.Path, rows: list[dict[str, Any]], images: dict[str, np.ndarray]
) -> dict[str, list[Any]]:
    """Writes the table and the images that there are so far; returns the table's columns."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    header = {
        "units": "sigma in pixels; fidelity_mse per pixel of [0, 1]; distortions summed over feature maps",
        "features": config.features,
        "size": config.size,
        "steps": config.steps,
        "seed": config.seed,
    }
    tables.write_table(workdir / "sequence.csv", columns, header)
    # Whole files only, and the list of what is finished last.
    files.write_arrays(workdir / "images.npz", images, compressed=True)
    files.write_text(workdir / "finished.json", json.dumps(rows))
    return columns


def _resume(workdir: pathlib.Path) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Reads what an earlier run in this directory has finished."""
    if not (workdir / "finished.json").is_file():
        return [], {}
    with np.load(workdir / "images.npz") as archive:
        return json.loads((workdir / "finished.json").read_text()), dict(archive)


def run(config: Config, workdir: pathlib.Path) -> dict[str, list[Any]]:
    """Optimizes one image per image and sigma; writes `sequence.csv`, `images.npz` and `run.json`.

    Args:
      config: the settings.
      workdir: where to.

    Returns:
      The columns of `sequence.csv`.
    """
    began = time.perf_counter()
    features = feature_maps(config.features, config.scales, config.blocks)
    descend = make_descent(features, steps=config.steps, learning_rate=config.learning_rate)
    realism = jax.jit(lambda a, b: distance(prepare(features(a), math.inf), features(b))[0])
    rows, images = _resume(workdir)
    finished = {(row["picture"], row["sigma"]) for row in rows}
    for picture_number, name in enumerate(config.pictures):
        halvings = config.photograph_halvings if name in PHOTOGRAPHS else config.halvings
        photo = load_image(name, config.size, halvings)
        key = jax.random.fold_in(jax.random.key(config.seed), picture_number)
        # Noise of the image's mean and a realistic spread; the same for every sigma.
        start = photo.mean() + 0.1 * jax.random.normal(key, photo.shape, jnp.float32)
        start = jnp.clip(start, 0, 1)
        stem = pathlib.Path(name).stem
        images[stem] = _eight_bits(photo)
        for sigma, sigma_map in sigma_maps(config, name).items():
            if (stem, sigma) in finished:
                continue
            image, values = descend(photo, sigma_map, start)
            images[f"{stem} {sigma}"] = _eight_bits(image)
            write_image(workdir / f"{stem}_{sigma}.png", _eight_bits(image)[:, :, None])
            if sigma == "foveated":
                with files.open_atomic(workdir / f"{stem}_foveated_sigma.npy") as stream:
                    np.save(stream, sigma_map)
                shown = 255 * sigma_map / max(float(sigma_map.max()), 1e-6)
                write_image(workdir / f"{stem}_foveated_sigma.png", np.uint8(np.round(shown))[:, :, None])
            rows.append({
                "picture": stem,
                "sigma": sigma,
                "distortion_start": float(values[0]),
                "distortion": float(values[-1]),
                "fidelity_mse": float(jnp.mean(jnp.square(image - photo))),
                "realism": float(realism(photo, image)),
                "realism_start": float(realism(photo, start)),
            })
            print("  ".join(f"{k} {tables.format_value(v)}" for k, v in rows[-1].items()), flush=True)
            _write(config, workdir, rows, images)  # after every image, so that a stopped run goes on from there
    columns = _write(config, workdir, rows, images)
    tables.write_run_record(
        workdir, name="experiments.images.texture_metamers", config=config, duration_seconds=time.perf_counter() - began
    )
    return columns


main = functools.partial(command_line.main, __doc__, PRESETS, run)

if __name__ == "__main__":
    sys.exit(main())
