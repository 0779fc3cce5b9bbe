"""Restoration held against the exact line of distortion and perception: denoising and 4 x super-resolution.

    python -m experiments.images.restoration --preset=quick --images=TRAIN --test_images=TEST --workdir=RUN
    python -m paper_figures.restoration --table=RUN/points.csv

Gaussian patches of 8 x 8 pixels with exact denoisers, and gray patches of 64 x 64 pixels of photographs with small
networks that are trained here: the estimate of least squared error, posterior samples (diffusion), the rectified flow
from the estimate (PMRF), the closed-form transport map of Gaussian patches (DOT) and mixtures of each with the
estimate; for denoising also the probability flow of the same denoiser; Wasserstein distortion and LPIPS as losses
(`perceptual_steps`). Photographs to measure on must not be among those to train on.

`points.csv`: per pixel; perception is W2 squared (Gaussian source) or the Frechet distance of 8 x 8 patches, the line
is D* + [sqrt(P*) - sqrt(P)]^2, the least distortion at that perception (`experiments.images.restoration_measures`).
There is no rate: columns in bits are nan, and `gap_distortion` is what distortion exceeds the line by.
`equal_perception.csv`: PSNR of the ways at one Frechet distance. A point below its line by more than three standard
errors fails the run. It resumes.

Cost: smoke two CPU minutes, most of them compiling, quick 10.5 CPU minutes with
`--perceptual_steps=600 --perceptual_tasks=super-resolution`. Expected (quick): see
docs/results/restoration.md.
"""

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from experiments.images import restoration_gaussian, restoration_measures, restoration_photographs
from experiments.images import restoration_training as training
from rdr import command_line, files
from rdr.command_line import option
from rdr.data.folders import cut_patches, list_images
from rdr.data.image_io import read_image
from rdr.data.patches import sample_images
from rdr.evaluation import tables
from rdr.metrics.pyramid_sliced import sliced_distance

SIDE = 64  # of a patch
HELD_OUT = ("chelsea", "grass")  # of scikit-image's images, for measuring
SOURCES, TASKS = ("gaussian", "photographs"), ("denoising", "super-resolution")
PERCEPTUAL = ("wasserstein", "lpips")
COMPARED = ("posterior sample", "probability flow", "rectified flow", "transport")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    sources: tuple[str, ...] = option(SOURCES, f"which, of {', '.join(SOURCES)}")
    tasks: tuple[str, ...] = option(TASKS, f"of photographs, among {', '.join(TASKS)}")
    images: str = option("", "folder of photographs to train on; empty for scikit-image's but for two")
    test_images: str = option("", "folder of photographs to measure on; empty for two of scikit-image's")
    patches_per_image: int = option(4, "patches of 64 x 64 pixels of each photograph that are measured")
    noises: tuple[float, ...] = option((0.1, 0.35), "deviations of the noise that is removed, of gray levels in [0, 1]")
    channels: int = option(16, "channels of the networks at half the resolution")
    batch: int = option(16, "crops in a step of training; perceptual losses take a quarter, of four times the area")
    mean_steps: tuple[int, ...] = option(
        (2000, 800), "training steps of the networks of least squared error: denoising and super-resolution")
    flow_steps: tuple[int, ...] = option(
        (1000, 600), "training steps of flows, and (the second) of the posterior sampler of super-resolution")
    perceptual_steps: int = option(0, "training steps with Wasserstein distortion, and with LPIPS; 0 for neither")
    perceptual_tasks: tuple[str, ...] = option(TASKS, "those for which they are trained")
    learning_rate: float = option(2e-3, "of Adam")
    flow_noise: tuple[float, ...] = option((0.025, 0.05), "noise with which flows start: denoising, super-resolution")
    sigmas: tuple[float, ...] = option((1.0, 2.0, 4.0, 8.0, 16.0), "of Wasserstein distortion, in pixels")
    features: str = option("laplacian_pyramid", "feature maps of Wasserstein distortion")
    alphas: tuple[float, ...] = option((0.0, 0.25, 0.5, 0.75, 1.0, 1.2), "how far transport goes to perfect realism")
    sampling_steps: int = option(25, "steps of samplers and flows; eight times as many for Gaussian patches")
    vectors: int = option(20_000, "patches of the Gaussian source")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        for name, known in (("sources", SOURCES), ("tasks", TASKS), ("perceptual_tasks", TASKS)):
            if not getattr(self, name) or not set(getattr(self, name)) <= set(known):
                raise ValueError(f"{name} must be among {', '.join(known)}, got {getattr(self, name)}")
        for name in ("noises", "sigmas"):
            values = getattr(self, name)
            if not values or not all(0.0 < value < np.inf for value in values):
                raise ValueError(f"{name} must be positive numbers, at least one, got {values}")
        for name in ("mean_steps", "flow_steps", "flow_noise"):
            values = getattr(self, name)
            if len(values) != 2 or not all(0 < value < np.inf for value in values):
                raise ValueError(f"{name} must be two positive numbers, got {values}")
        for name, least in (("patches_per_image", 1), ("channels", 1), ("batch", 1), ("sampling_steps", 2),
                            ("perceptual_steps", 0), ("vectors", 1000)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not self.alphas or not all(0.0 <= alpha <= 2.0 for alpha in self.alphas):
            raise ValueError(f"alphas must be in [0, 2], got {self.alphas}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be in [0, 2^32), got {self.seed}")


PRESETS = {
    "smoke": Config(patches_per_image=6, channels=2, batch=4, mean_steps=(3, 3), flow_steps=(3, 3), noises=(0.35,),
                    sampling_steps=4, vectors=2000, alphas=(0.5, 1.0)),
    "quick": Config(),
    "full": Config(channels=32, batch=32, mean_steps=(40_000, 40_000), flow_steps=(40_000, 40_000),
                   perceptual_steps=10_000, features="alexnet", sampling_steps=100, patches_per_image=40,
                   vectors=400_000),
}


def gray(image: np.ndarray) -> np.ndarray:
    """Luma of an sRGB image.

    Args:
      image: uint8 [height, width, 3].

    Returns:
      uint8 [height, width, 1].
    """
    return np.rint(image.astype(np.float64) @ np.array([[0.299], [0.587], [0.114]])).astype(np.uint8)


def load_patches(folder: str, *, flag: str, test: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cuts photographs into patches.

    Args:
      folder: of images; empty for scikit-image's.
      flag: how the folder is called in messages.
      test: of scikit-image's, whether those to measure on.

    Returns:
      uint8 [patches, 64, 64, 1], and the number of the photograph that each comes from.

    Raises:
      ValueError: if there are none.
    """
    if folder:
        images = [read_image(path, channels=3, depth="eight") for path in list_images(folder, flag=flag)]
    else:
        images = [image for name, image in sample_images() if (name in HELD_OUT) == test]
    patches = [cut_patches(gray(image), SIDE) for image in images]
    numbers = np.repeat(np.arange(len(patches)), [len(part) for part in patches])
    if not len(numbers):
        raise ValueError(f"--{flag}: no image has {SIDE} x {SIDE} pixels")
    return np.stack([patch for part in patches for patch in part]), numbers


def choose(patches: np.ndarray, numbers: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Draws as many patches of each photograph.

    Args:
      patches: uint8 [patches, 64, 64, 1].
      numbers: of their photographs.
      config: settings.

    Returns:
      float32 [chosen, 64, 64, 1], centered, and the numbers of their photographs.

    Raises:
      ValueError: if too few are there for standard errors.
    """
    rng = np.random.default_rng((config.seed, 1))
    chosen = np.concatenate([np.sort(rng.permutation(np.flatnonzero(numbers == n))[: config.patches_per_image])
                             for n in np.unique(numbers)])
    if len(chosen) < restoration_measures.FOLDS:
        raise ValueError(f"--test_images: {len(chosen)} patches are too few, at least {restoration_measures.FOLDS} are "
                         "needed")
    return patches[chosen].astype(np.float32) / np.float32(255) - np.float32(0.5), numbers[chosen]


def train_networks(config: Config, family: str, patches: np.ndarray, workdir: pathlib.Path) -> dict[str, Any]:
    """Trains the networks of a degradation, or goes on with them.

    Args:
      config: settings.
      family: "denoiser" or "upscaler".
      patches: uint8 [patches, 64, 64, 1].
      workdir: where checkpoints are kept.

    Returns:
      Parameters by name of network.
    """
    params: dict[str, Any] = {}
    for name, (_, _, before) in training.SHAPES.items():
        perceptual, second = name.endswith(PERCEPTUAL), family == "upscaler"
        if not name.startswith(family) or (perceptual and TASKS[second] not in config.perceptual_tasks):
            continue
        steps = config.perceptual_steps if perceptual else (
            config.mean_steps if before is None else config.flow_steps)[second]
        if not steps:
            continue
        settings = training.Settings(
            config.channels, max(1, config.batch // 4) if perceptual else config.batch,
            SIDE if perceptual else SIDE // 2, config.learning_rate / (2 if perceptual else 1), config.noises,
            config.flow_noise, (min(config.sigmas), max(config.sigmas)), config.features, config.seed)
        try:
            params[name] = training.train(name, settings, patches, {before: params[before]} if before else {},
                                          steps=steps, directory=workdir / "networks" / name)
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return params


def lpips_of(images: np.ndarray, originals: np.ndarray) -> float:
    """Mean LPIPS (AlexNet) of at most 24 patches; nan where its weights are not installed.

    Args:
      images: [images, 64, 64, 1], centered.
      originals: the same shape.

    Returns:
      The mean.
    """
    if not _LPIPS:
        try:
            from rdr import losses

            _LPIPS.append(jax.jit(losses.get("lpips")))
        except (ImportError, FileNotFoundError, ValueError) as error:
            print(f"LPIPS is left out: {error}", file=sys.stderr)
            _LPIPS.append(None)
    if _LPIPS[0] is None:
        return float("nan")
    chosen = np.unique(np.linspace(0, len(images) - 1, 24).astype(int))
    pair = (np.repeat(np.clip(part[chosen] + 0.5, 0.0, 1.0), 3, axis=-1) for part in (images, originals))
    return float(np.mean(np.asarray(_LPIPS[0](*pair))))


_LPIPS: list[Any] = []  # the compiled metric, or None: built once


def measure_task(task: restoration_photographs.Task, params: dict[str, Any], config: Config, x: np.ndarray,
                 groups: np.ndarray, known: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Restores photographs in every way and measures them.

    Args:
      task: how they are degraded.
      params: of the networks.
      config: settings.
      x: originals, [images, 64, 64, 1], centered.
      groups: number of each one's photograph.
      known: images of the training set, for the transport map.

    Returns:
      Rows of `points.csv`, and patches for the contact sheet.
    """
    folds = restoration_measures.folds_of(groups, seed=config.seed)
    originals, sides, rows = restoration_measures.summarize(x, x, folds), [], []
    busy = np.argsort(np.abs(np.diff(x, axis=2)).mean((1, 2, 3)))
    shown = busy[(np.array([0.6, 0.9]) * (len(x) - 1)).astype(int)]  # some texture, and much
    sheet = {"original": x[shown]}
    for method, parameter, images in restoration_photographs.outputs(task, params, config, x, known):
        if method == "observation" or parameter in (0.0, 1.0, 4.0):
            sheet[method] = images[shown]
        if method == "observation":
            continue
        sides.append(restoration_measures.summarize(images, x, folds))
        sliced, sliced_se = sliced_distance(
            restoration_measures.cut(images), restoration_measures.cut(x), key=jax.random.key(config.seed),
            seed=config.seed, num_projections=32, num_folds=restoration_measures.FOLDS,
            groups=np.repeat(folds, (SIDE // restoration_measures.PATCH) ** 2))
        rows.append({"source": "photographs", "task": task.name, "noise": task.noise, "method": method,
                     "parameter": parameter, "sliced_w2": sliced, "sliced_w2_se": sliced_se,
                     "lpips": lpips_of(images, x)})
        print(f"{task.name} {task.noise:g}: {method} {parameter:g}", flush=True)
    best = restoration_measures.least_error(sides)
    rows = [row | restoration_measures.compare(side, best, originals)._asdict() for row, side in zip(rows, sides)]
    return rows, {name: np.rint(255 * np.clip(part + 0.5, 0, 1)).astype(np.uint8) for name, part in sheet.items()}


def equal_perception(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """PSNR of ways to restore at one Frechet distance: mixtures with the estimate of least squared error.

    The distance is the least that all of them reach; between mixtures, distortion is interpolated in its root.

    Args:
      rows: of `points.csv`, of photographs.

    Returns:
      A row for each task and way.
    """
    result = []
    for task, noise in dict.fromkeys((row["task"], row["noise"]) for row in rows):
        here = [row for row in rows if (row["task"], row["noise"]) == (task, noise)]
        curves = {}
        for method in COMPARED:
            points = sorted((row["perception"] ** 0.5, row["distortion"]) for row in here
                            if row["method"] in ("mean", method) and row["parameter"] <= 1.0)
            if any(row["method"] == method for row in here):
                curves[method] = np.array(points).T
        level = max(curve[0].min() for curve in curves.values())
        psnr = {method: -10 * np.log10(np.interp(level, *curve)) for method, curve in curves.items()}
        result += [{"task": task, "noise": noise, "method": method, "perception": level**2, "psnr": value,
                    "gain_db": value - psnr["posterior sample"]} for method, value in psnr.items()]
    return result


def as_table(rows: Sequence[dict[str, Any]], config: Config) -> dict[str, list]:
    """Rows in the columns of every other experiment, and further ones.

    Args:
      rows: of both sources.
      config: settings.

    Returns:
      Columns by name.
    """
    nan, kinds = float("nan"), {"gaussian": "distortion-perception line", "photographs": "line through the least error"}
    return {name: [cell(row) for row in rows] for name, cell in {
        "source": lambda row: row["source"], "dimension": lambda row: restoration_measures.PATCH**2,
        "codec": lambda row: row["method"], "shared": lambda row: "none", "rate_bits": lambda row: nan,
        "distortion": lambda row: row["distortion"], "perception": lambda row: row["perception"],
        "bound_kind": lambda row: kinds[row["source"]], "bound_lower_bits": lambda row: nan,
        "bound_upper_bits": lambda row: nan, "gap_bits": lambda row: nan, "gap_se": lambda row: nan,
        "seed": lambda row: config.seed, "task": lambda row: row["task"], "noise": lambda row: row["noise"],
        "parameter": lambda row: row["parameter"], "psnr": lambda row: -10 * float(np.log10(row["distortion"])),
        "perception_se": lambda row: row["perception_se"], "bound_distortion": lambda row: row["line"],
        "gap_distortion": lambda row: row["gap"], "gap_distortion_se": lambda row: row["gap_se"],
        "sliced_w2": lambda row: row.get("sliced_w2", nan), "sliced_w2_se": lambda row: row.get("sliced_w2_se", nan),
        "lpips": lambda row: row.get("lpips", nan), "theory_distortion": lambda row: row.get("theory_distortion", nan),
        "theory_perception": lambda row: row.get("theory_perception", nan),
    }.items()}


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Trains, restores, measures, and writes tables and patches.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if images cannot be used, or a point lies below its line.
    """
    started, rows, sheet = time.monotonic(), [], {}
    if "photographs" in config.sources:
        patches, _ = load_patches(config.images, flag="images", test=False)
        x, groups = choose(*load_patches(config.test_images, flag="test_images", test=True), config)
    if "gaussian" in config.sources:
        rows += _kept(workdir / "gaussian.json", lambda: restoration_gaussian.rows(config))
    if "photographs" in config.sources:
        picked = np.random.default_rng((config.seed, 2)).permutation(len(patches))[:240]
        known = patches[picked].astype(np.float32) / np.float32(255) - np.float32(0.5)
        for task in restoration_photographs.tasks(config.noises):
            stem, made = f"{task.name}_{task.noise:g}", workdir / f"{task.name}_{task.noise:g}.npz"
            if task.name not in config.tasks:
                continue

            def measure(task=task, made=made):
                params = train_networks(config, task.network, patches, workdir)
                found, shown = measure_task(task, params, config, x, groups, known)
                files.write_arrays(made, shown, compressed=True)
                return found

            rows += _kept(workdir / f"{stem}.json", measure)
            with np.load(made) as arrays:
                sheet |= {f"{stem}/{name}": arrays[name] for name in arrays.files}
        files.write_arrays(workdir / "points.npz", sheet, compressed=True)
        equal = equal_perception([row for row in rows if row["source"] == "photographs"])
        compared = {name: [row[name] for row in equal] for name in equal[0]}
        tables.write_table(workdir / "equal_perception.csv", compared, {
            "units": "perception: Frechet distance of 8 x 8 patches, per pixel; psnr, gain over posterior samples: dB"})
        print(tables.render(compared, 4))
    table = as_table(rows, config)
    tables.write_points(workdir / "points.csv", table, {
        "experiment": "restoration", "seed": config.seed,
        "units": "per pixel of gray levels in [0, 1]; perception: W2 squared or Frechet distance of 8 x 8 patches"})
    tables.write_run_record(workdir, name="experiments.images.restoration", config=config,
                            duration_seconds=time.monotonic() - started)
    wrong = [i for i, (gap, error) in enumerate(zip(table["gap_distortion"], table["gap_distortion_se"]))
             if not gap >= -3.0 * error - 1e-12]
    if wrong:
        raise ValueError(f"rows {wrong} of {workdir / 'points.csv'} lie below their line by more than 3 standard "
                         "errors: a restoration that beats a bound is a mistake until explained")
    return table


def _kept(path: pathlib.Path, make: Any) -> list[dict[str, Any]]:
    """Rows that an interrupted run has made, or makes them."""
    if not path.exists():
        files.write_text(path, json.dumps(make()))
    return json.loads(path.read_text(encoding="utf-8"))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
