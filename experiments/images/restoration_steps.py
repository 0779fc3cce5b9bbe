"""Posterior sampling of noisy photographs: what few steps cost, and what a denoiser of little training costs.

    python -m experiments.images.restoration_steps --images=TRAIN --test_images=TEST --workdir=RUN
    python -m experiments.images.restoration_steps --preset=smoke --workdir=RUN

Two samples y, y' of the posterior of every patch say which of the two it is. Exact ones, given what was observed, are
independent of each other and of x, and distributed as it is; so that

    M = E(y - x)(y' - x),  V = E(y - y')^2 / 2,  D = M + V,  M = V = D*:

M is the error of the samples' mean, V their variance. A denoiser that is wrong makes M larger than D*; samples that
lack variety have V < M. What the steps alone take off V is known: the sampler is linear where source and denoiser are
Gaussian, here with the covariance of 8 x 8 patches of the photographs (`exact_sampler`).

`steps.csv`, a row for each number of training steps of the denoiser, method and number of sampling steps; per pixel of
gray levels in [0, 1]. `gain_db`: how much more PSNR the rectified flow from the same network's estimate has, at the
least Frechet distance that both reach when they are mixed with the estimate; 25 steps.

Cost: smoke a CPU minute; quick 7 CPU minutes for 6,000 steps of training and 25 and 100
of sampling. Expected (quick): see docs/results/restoration.md. It resumes.
"""

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.images import restoration, restoration_measures
from experiments.images import restoration_photographs as photographs
from rdr import command_line, files
from rdr.codecs.diffusion import process
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.metrics.folds import jackknife_error
from rdr.metrics.pyramid_sliced import sliced_distance

WEIGHTS = (0.25, 0.5, 0.75, 1.0)  # of mixtures with the estimate


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is. Those that are not here are of `experiments.images.restoration`."""

    images: str = option("", "folder of photographs to train on; empty for scikit-image's but for two")
    test_images: str = option("", "folder of photographs to measure on; empty for two of scikit-image's")
    patches_per_image: int = option(4, "patches of 64 x 64 pixels of each photograph that are measured")
    noise: float = option(0.35, "deviation of the noise that is removed, of gray levels in [0, 1]")
    noises: tuple[float, ...] = option((0.1, 0.35), "those that networks are trained for")
    channels: int = option(16, "channels of the networks at half the resolution")
    batch: int = option(16, "crops in a step of training")
    training_steps: tuple[int, ...] = option((2000, 6000), "of the denoiser; a network for each")
    flow_steps: int = option(1000, "training steps of the rectified flow from each denoiser's estimate")
    sampling_steps: tuple[int, ...] = option((25, 50, 100, 200), "of the posterior sampler")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        if self.noise not in self.noises:
            raise ValueError(f"noise must be one of noises, {self.noises}, got {self.noise}")
        for name, least in (("training_steps", 1), ("sampling_steps", 2)):
            values = getattr(self, name)
            if not values or min(values) < least or len(set(values)) < len(values):
                raise ValueError(f"{name} must be different numbers, at least {least} each, got {values}")
        self.settings(self.training_steps[0])  # refuses the rest

    def settings(self, training_steps: int) -> restoration.Config:
        """Settings of `experiments.images.restoration`.

        Args:
          training_steps: of the denoiser.

        Returns:
          The settings.
        """
        return restoration.Config(
            images=self.images, test_images=self.test_images, patches_per_image=self.patches_per_image,
            noises=self.noises, channels=self.channels, batch=self.batch, seed=self.seed,
            mean_steps=(training_steps, training_steps), flow_steps=(self.flow_steps, self.flow_steps))


PRESETS = {
    "smoke": Config(patches_per_image=6, channels=2, batch=4, noises=(0.35,), training_steps=(3,), flow_steps=3,
                    sampling_steps=(2, 4)),
    "quick": Config(),
    "full": Config(channels=32, batch=32, training_steps=(2000, 6000, 40_000), flow_steps=40_000, patches_per_image=40,
                   sampling_steps=(25, 50, 100, 200, 400)),
}


class Exact(NamedTuple):
    """What a sampler puts out that is given the exact denoiser of a Gaussian source; per component.

    Attributes:
      mean_error: M, squared error of the samples' mean.
      variance: V, of the samples given what was observed.
      perception: W2 squared of the samples' distribution and the source's.
    """

    mean_error: float
    variance: float
    perception: float


def exact_sampler(values: np.ndarray, noise: float, steps: int) -> Exact:
    """Follows ancestral sampling from x + s n through its steps where everything is linear.

    A component of variance v goes y -> g y + N(0, u); then M = (1 - g)^2 v + g^2 s^2, V = u, and the samples' variance
    is g^2 (v + s^2) + u.

    Args:
      values: eigenvalues of the source's covariance.
      noise: s.
      steps: of the sampler, at the times of `experiments.images.restoration_photographs.falling_times`.

    Returns:
      Means over components.
    """
    values, times = np.asarray(values, np.float64), photographs.falling_times(noise, steps)
    gain, variance = np.full(values.shape, np.sqrt(1.0 - times[0])), np.zeros(values.shape)
    for t, s in zip(times[:-1], times[1:]):
        a, b, added = process.bridge(t, s)
        factor = a * np.sqrt(1.0 - t) * values / ((1.0 - t) * values + t) + b
        gain, variance = factor * gain, factor**2 * variance + added
    spread = gain**2 * (values + noise**2) + variance
    return Exact(float(np.mean((1.0 - gain) ** 2 * values + (gain * noise) ** 2)), float(variance.mean()),
                 float(np.mean((np.sqrt(spread) - np.sqrt(values)) ** 2)))


def split_error(first: np.ndarray, second: np.ndarray, x: np.ndarray, folds: np.ndarray) -> dict[str, float]:
    """Error of the samples' mean and their variance, without bias, from two samples for each observation.

    Args:
      first: samples, [images, height, width, 1].
      second: others of the same observations.
      x: originals.
      folds: [images].

    Returns:
      mean_error, variance, and variance over mean_error with its standard error, by the jackknife over folds.
    """
    first, second, x = (np.asarray(part, np.float64) for part in (first, second, x))
    error = ((first - x) * (second - x)).mean((1, 2, 3))
    variance = np.square(first - second).mean((1, 2, 3)) / 2
    kept = [folds != fold for fold in np.unique(folds)]
    return {"mean_error": float(error.mean()), "variance": float(variance.mean()),
            "ratio": float(variance.mean() / error.mean()),
            "ratio_se": jackknife_error([variance[part].mean() / error[part].mean() for part in kept])}


def study(config: Config, training_steps: int, patches: np.ndarray, x: np.ndarray, groups: np.ndarray,
          workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Samples with the networks of one length of training, in several numbers of steps.

    Args:
      config: settings.
      training_steps: of the denoiser.
      patches: to train on, uint8 [patches, 64, 64, 1].
      x: originals to measure on, [images, 64, 64, 1], centered.
      groups: number of each one's photograph.
      workdir: where networks are kept.

    Returns:
      Rows of `steps.csv`.
    """
    settings, task = config.settings(training_steps), photographs.Task("denoising", config.noise, "denoiser")
    params = restoration.train_networks(settings, task.network, patches, workdir / f"trained_{training_steps}")
    folds = restoration_measures.folds_of(groups, seed=config.seed)
    originals = restoration_measures.summarize(x, x, folds)
    values = np.linalg.eigvalsh(np.cov(restoration_measures.cut(x).T))
    observed = photographs.observe(task, x, seed=config.seed)
    mean = photographs.estimate(task, params, config.channels, observed)
    at_mean = restoration_measures.summarize(mean, x, folds)

    def measured(method: str, parameter: float, images: np.ndarray) -> dict[str, Any]:
        found = restoration_measures.compare(restoration_measures.summarize(images, x, folds), at_mean, originals)
        return {"task": task.name, "noise": task.noise, "method": method, "parameter": parameter,
                "distortion": found.distortion, "perception": found.perception, "perception_se": found.perception_se}

    def mixtures(method: str, end: np.ndarray) -> list[dict[str, Any]]:
        return [measured(method, weight, mean + np.float32(weight) * (end - mean)) for weight in WEIGHTS]

    def row(point: dict[str, Any], images: np.ndarray, steps: int, **further: float) -> dict[str, Any]:
        sliced, sliced_se = sliced_distance(
            restoration_measures.cut(images), restoration_measures.cut(x), seed=config.seed, num_projections=32,
            key=jax.random.key(config.seed), num_folds=restoration_measures.FOLDS,
            groups=np.repeat(folds, (restoration.SIDE // restoration_measures.PATCH) ** 2))
        print(f"{training_steps} steps of training: {point['method']} {steps}", flush=True)
        return {"training_steps": training_steps, "sampling_steps": steps, **point,
                "psnr": -10 * float(np.log10(point["distortion"])), "sliced_w2": sliced, "sliced_w2_se": sliced_se,
                **further}

    estimate = measured("mean", 0.0, mean)
    end = photographs.follow_rectified_flow(task, params, settings, mean)
    flows = mixtures("rectified flow", end)
    rows = [row(estimate, mean, 0), row(flows[-1], end, settings.sampling_steps)]
    for steps in config.sampling_steps:
        first, second = (photographs.sample_posterior(task, params, dataclasses.replace(
            settings, sampling_steps=steps, seed=config.seed + draw), observed, mean) for draw in (0, 1))
        samples = mixtures("posterior sample", first)
        gains = {found["method"]: found["gain_db"] for found in restoration.equal_perception(
            [estimate, *flows, *samples])}
        exact = exact_sampler(values, task.noise, steps)
        rows.append(row(samples[-1], first, steps, **split_error(first, second, x, folds),
                        exact_ratio=exact.variance / exact.mean_error, exact_perception=exact.perception,
                        gain_db=gains["rectified flow"]))
    return rows


COLUMNS = ("training_steps", "method", "sampling_steps", "psnr", "distortion", "perception", "perception_se",
           "sliced_w2", "sliced_w2_se", "mean_error", "variance", "ratio", "ratio_se", "exact_ratio",
           "exact_perception", "gain_db")


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Trains, samples, measures and writes the table.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `steps.csv`.

    Raises:
      ValueError: if images cannot be used.
    """
    started, rows = time.monotonic(), []
    patches, _ = restoration.load_patches(config.images, flag="images", test=False)
    x, groups = restoration.choose(*restoration.load_patches(config.test_images, flag="test_images", test=True),
                                   config.settings(config.training_steps[0]))
    for steps in config.training_steps:
        path = workdir / f"trained_{steps}.json"
        if not path.exists():
            files.write_text(path, json.dumps(study(config, steps, patches, x, groups, workdir)))
        rows += json.loads(path.read_text(encoding="utf-8"))
    table = {name: [row.get(name, float("nan")) for row in rows] for name in COLUMNS}
    tables.write_table(workdir / "steps.csv", table, {
        "experiment": "restoration_steps", "seed": config.seed, "noise": config.noise,
        "units": "per pixel of gray levels in [0, 1]; perception: Frechet distance of 8 x 8 patches; psnr, gain: dB"})
    tables.write_run_record(workdir, name="experiments.images.restoration_steps", config=config,
                            duration_seconds=time.monotonic() - started)
    print(tables.render(table, 4))
    return table


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
