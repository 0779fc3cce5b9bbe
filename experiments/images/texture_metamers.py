"""From fidelity to realism: images optimized from noise under Wasserstein distortion, for a sequence of sigma.

    python -m experiments.images.texture_metamers --preset=quick --workdir=runs/texture_metamers/quick
    python -m experiments.images.texture_metamers --pictures=photo.png --sigmas=eccentricity --fixation=40,60 \\
        --workdir=OUT

For each image (a texture, or a photograph with a foveated sigma map) and each sigma, an image that starts as noise
descends the Wasserstein distortion to the image, on VGG-16 feature maps at several resolutions. At sigma = 0 it
becomes the image; at sigma = infinity it becomes another image of the same statistics; in between it keeps what is
larger than sigma and makes up what is smaller. It is found at coarser resolutions first, each of which starts the next
one. `sequence.csv` says how far each image is from the image pixel by pixel (mean squared error: fidelity) and in its
statistics (the distortion at sigma = infinity: realism); `images.npz` holds the images, NAME_SIGMA.png shows each, and
NAME_foveated_sigma.npy and .png are the map of a foveated one (white is its largest sigma). A run that was stopped goes
on after the last image that it finished.

Images: brick, grass, gravel (extra `textures`, scikit-image; gray), astronaut (a photograph in color, foveated at the
face), `waves` (drawn here, needs nothing), or a path to an image file, in color, which is foveated with
--sigmas=eccentricity. Features: vgg16 or alexnet (extra `perceptual`), or pixels. quick: some 10 minutes of CPU
time, the photograph whole at the pixels per degree of a desktop monitor; full: for a GPU. Expected: fidelity_mse
rises with sigma, while realism stays below a tenth of realism_start.
"""

import dataclasses
import functools
import json
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.images.metamer_descent import (
    descend_from_coarse,
    feature_maps,
    halved,
    make_descent,
    noise_image,
)
from rdr import command_line, files
from rdr.command_line import option
from rdr.data.image_io import read_image, write_image
from rdr.evaluation import tables
from rdr.features import vgg
from rdr.losses.wasserstein_distortion import distance, prepare
from rdr.losses.wasserstein_distortion.sigma import sigma_from_eccentricity
from rdr.vision.display import get_display


class Photograph(NamedTuple):
    """A photograph that has a name.

    Attributes:
      shape: its height and width.
      fixated: the point that is fixated, as fractions of these; a square that is cut out lies around it.
    """

    shape: tuple[int, int]
    fixated: tuple[float, float]


PHOTOGRAPHS = {"astronaut": Photograph((512, 512), (0.21, 0.43))}  # the face
PIXELS_PER_DEGREE = round(get_display("standard_fhd").pixels_per_degree, 2)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    pictures: tuple[str, ...] = option(("astronaut", "brick", "gravel", "grass"), "what to match; see above")
    sigmas: tuple[str, ...] = option(
        ("0", "4", "inf"), 'standard deviations of the pooling windows in pixels, numbers or "inf"; or '
        '"eccentricity", which grow with the distance from the fixated point. The photographs that have a name are '
        'foveated in any case')
    fixation: tuple[float, ...] = option(
        (), "row and column of the fixated point in pixels of the square; if it is not given, the face of a photograph "
        "that has a name, else the middle")
    size: int = option(256, "side of the square images in pixels")
    photograph_size: int = option(512, "the same for photographs that have a name")
    halvings: int = option(1, "how often the resolution of a texture is halved before its center is cut out")
    photograph_halvings: int = option(0, "the same for photographs that have a name")
    features: str = option("vgg16", '"vgg16", "alexnet" or "pixels"')
    blocks: tuple[int, ...] = option(
        (0, 1, 2, 3), "how many of VGG-16's five blocks are used at each resolution of the features, from the finest, "
        "each by its last map; 0: the first rectifier alone. Other features have as many resolutions")
    coarser: int = option(2, "coarser resolutions of the image itself that are gone through first")
    steps: int = option(
        25, "steps of Adam at the finest resolution, twice as many at the next coarser one, and so on; the step size "
        "is decayed by a cosine at each")
    learning_rate: float = option(0.05, "first step size, in units of the images' range [0, 1]")
    pixels_per_degree: float = option(PIXELS_PER_DEGREE, "pixels per degree of the foveated maps")
    seed: int = option(0, "random seed of the noise")

    def __post_init__(self):
        for sigma in self.sigmas:
            _sigma(sigma)
        last = min(map(self.side, self.pictures), default=self.size) - 1
        if self.fixation and not (len(self.fixation) == 2 and all(0 <= c <= last for c in self.fixation)):
            raise ValueError(f"fixation must be a row and a column from 0 to {last}, got {self.fixation}")
        if not self.blocks or not all(0 <= b <= len(vgg.LAST_OF_EACH_BLOCK) for b in self.blocks):
            raise ValueError(f"blocks must be numbers from 0 to 5, one for each resolution, got {self.blocks}")
        if not 0 <= self.coarser <= 8 or any(self.side(name) % 2**self.coarser for name in self.pictures):
            raise ValueError(f"size must be a multiple of 2^coarser, got {self.size} and {self.coarser}")
        if not 0 < self.pixels_per_degree < math.inf:
            raise ValueError(f"pixels_per_degree must be positive, got {self.pixels_per_degree}")
        foveated = "eccentricity" in self.sigmas or any(name in PHOTOGRAPHS for name in self.pictures)
        if not foveated and (self.fixation or self.pixels_per_degree != PIXELS_PER_DEGREE):
            raise ValueError("fixation and pixels_per_degree are those of a foveated map: give --sigmas=eccentricity")

    def side(self, image: str) -> int:
        """Pixels of an image's side."""
        return self.photograph_size if image in PHOTOGRAPHS else self.size


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
        pictures=("waves",), sigmas=("0", "2", "inf"), size=24, halvings=0, features="pixels", blocks=(0,), coarser=1,
        steps=60
    ),
    "quick": Config(),
    "full": Config(
        pictures=("brick", "grass", "gravel", "astronaut"), sigmas=("0", "1", "2", "4", "8", "16", "inf"),
        blocks=(5, 5, 5), steps=500,
    ),
}


def load_image(name: str, size: int, halvings: int = 0) -> np.ndarray:
    """Loads an image.

    Args:
      name: brick, grass, gravel, astronaut, waves, or a path to an image file.
      size: side of the square that is cut out (of the center, if it is not a photograph named here), in pixels.
      halvings: how often its resolution is halved before.

    Returns:
      [1, size, size, channels], float32, in [0, 1]; 3 channels of photographs and files, 1 of others.

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
    image = image[:, :, None] if image.ndim == 2 else image
    for _ in range(halvings):
        image = halved(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
    top, left = _corner(name, image.shape, size)
    if min(top, left) < 0:
        raise ValueError(f"size must be at most the image's, {name} has {image.shape[:2]}, got {size}")
    return image[top : top + size, left : left + size].astype(np.float32)[None]


def _corner(name: str, shape: Sequence[int], size: int) -> tuple[int, ...]:
    """Where a square is cut out: around the middle, or what is fixated, as far as the image's borders allow."""
    place = PHOTOGRAPHS[name].fixated if name in PHOTOGRAPHS else (0.5, 0.5)
    return tuple(math.floor(min(max(n * f - size / 2, 0), n - size)) for n, f in zip(shape, place))


def fixated_point(config: Config, image: str) -> tuple[float, float]:
    """Finds the point that is fixated.

    Args:
      config: settings.
      image: name of the image.

    Returns:
      Row and column, pixels of the square.
    """
    if config.fixation:
        return config.fixation[0], config.fixation[1]
    side = config.side(image)
    if image not in PHOTOGRAPHS:
        return (side - 1) / 2, (side - 1) / 2
    photograph = PHOTOGRAPHS[image]
    shape = [n // 2**config.photograph_halvings for n in photograph.shape]
    return tuple(f * n - start for f, n, start in zip(photograph.fixated, shape, _corner(image, shape, side)))


def sigma_maps(config: Config, image: str) -> dict[float | str, np.ndarray]:
    """Lists the sigma maps that an image is matched under: constants and foveated ones, only these for a photograph.

    Args:
      config: settings.
      image: name of the image.

    Returns:
      Label -> [size, size], pixels.
    """
    side, maps = config.side(image), {}
    for sigma in ("eccentricity",) if image in PHOTOGRAPHS else map(_sigma, config.sigmas):
        if sigma == "eccentricity":
            foveated = sigma_from_eccentricity((side, side), fixated_point(config, image),
                                               pixels_per_degree=config.pixels_per_degree)
            maps["foveated"] = np.asarray(foveated, np.float32)
        else:
            maps[sigma] = np.full((side, side), sigma, np.float32)
    return maps


def _eight_bits(image: jax.Array) -> np.ndarray:
    return np.uint8(np.round(255 * np.asarray(image)[0]))


def _write(
    config: Config, workdir: pathlib.Path, rows: list[dict[str, Any]], images: dict[str, np.ndarray]
) -> dict[str, list[Any]]:
    """Writes the table and the images that there are so far; returns the table's columns."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    foveated = next((row["picture"] for row in rows if row["sigma"] == "foveated"), "")
    header = {
        "units": "sigma in pixels; fidelity_mse per pixel of [0, 1]; distortions summed over feature maps",
        "features": config.features,
        "size": config.size,
        "photograph_size": config.photograph_size,
        "pixels_per_degree": config.pixels_per_degree,
        **({"fixation": " ".join(f"{c:g}" for c in fixated_point(config, foveated))} if foveated else {}),
        "blocks": " ".join(map(str, config.blocks)),
        "coarser": config.coarser,
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
    features = feature_maps(config.features, config.blocks)
    descend = make_descent(features, learning_rate=config.learning_rate)
    realism = jax.jit(lambda a, b: distance(prepare(features(a), math.inf), features(b))[0])
    rows, images = _resume(workdir)
    finished = {(row["picture"], row["sigma"]) for row in rows}
    for picture_number, name in enumerate(config.pictures):
        halvings = config.photograph_halvings if name in PHOTOGRAPHS else config.halvings
        photo = load_image(name, config.side(name), halvings)
        key = jax.random.fold_in(jax.random.key(config.seed), picture_number)  # the same noise for every sigma
        stem = pathlib.Path(name).stem
        images[stem] = _eight_bits(photo)
        for sigma, sigma_map in sigma_maps(config, name).items():
            if (stem, sigma) in finished:
                continue
            image, values = descend_from_coarse(descend, photo, sigma_map, key, coarser=config.coarser,
                                                steps=config.steps)
            images[f"{stem} {sigma}"] = _eight_bits(image)
            write_image(workdir / f"{stem}_{sigma}.png", _eight_bits(image))
            if sigma == "foveated":
                with files.open_atomic(workdir / f"{stem}_foveated_sigma.npy") as stream:
                    np.save(stream, sigma_map)
                shown = 255 * sigma_map / max(float(sigma_map.max()), 1e-6)
                write_image(workdir / f"{stem}_foveated_sigma.png", np.uint8(np.round(shown))[:, :, None])
            noise = noise_image(photo, jax.random.normal(key, photo.shape, jnp.float32))
            rows.append({
                "picture": stem,
                "sigma": sigma,
                "distortion_start": float(values[0]),
                "distortion": float(values[-1]),
                "fidelity_mse": float(jnp.mean(jnp.square(image - photo))),
                "realism": float(realism(photo, image)),
                "realism_start": float(realism(photo, noise)),
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
