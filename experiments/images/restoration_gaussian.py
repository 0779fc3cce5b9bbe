"""Restoration of Gaussian patches, where every denoiser, flow and transport map is known: samples against formulas.

Patches of 8 x 8 pixels with covariance v exp(-distance / length), v = .05 and length = 8 pixels, about as photographs
have. The posterior sampler and flows run step by step with exact denoisers and velocities; what they put out is
measured.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from rdr.codecs.diffusion import process
from rdr.metrics.folds import jackknife_error, make_folds
from rdr.metrics.frechet import gaussian_frechet
from rdr.metrics.moments import Moments, merge, moments
from theory.closed_form.fixed_representation import distortion_perception
from theory.gaussian import rectified_flow, restoration

SIDE, FACTOR, FOLDS = 8, 4, 16
VARIANCE, LENGTH = 0.05, 8.0


class Task(NamedTuple):
    """A degradation and what is known about it.

    Attributes:
      name: denoising or super-resolution.
      noise: deviation of the noise that was added; 0 for super-resolution.
      covariance: C.
      operator: A.
      seen: `theory.gaussian.restoration.Estimate`.
      plan: optimal transport from the estimate to the source.
    """

    name: str
    noise: float
    covariance: np.ndarray
    operator: np.ndarray
    seen: Any
    plan: Any


def covariance() -> np.ndarray:
    """Covariance of the source, float64 [64, 64]."""
    places = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
    return VARIANCE * np.exp(-np.linalg.norm(places[:, None] - places[None], axis=-1) / LENGTH)


def make_task(noise: float) -> Task:
    """Denoising, or 4 x super-resolution without noise.

    Args:
      noise: deviation of the noise; 0 for super-resolution.

    Returns:
      The task.
    """
    c = covariance()
    if noise:
        operator, added = np.eye(len(c)), noise**2 * np.eye(len(c))
    else:
        blocks = np.arange(SIDE) // FACTOR
        number = (blocks[:, None] * (SIDE // FACTOR) + blocks[None]).ravel()
        operator = (number[None] == np.arange((SIDE // FACTOR) ** 2)[:, None]) / FACTOR**2
        added = np.zeros((len(operator),) * 2)
    seen = restoration.estimate(c, operator, added)
    return Task("denoising" if noise else "super-resolution", noise, c, operator, seen,
                restoration.transport(seen.covariance, c))


def posterior_sample(task: Task, mean: np.ndarray, observed: np.ndarray, rng: np.random.Generator, *, steps: int
                     ) -> np.ndarray:
    """Samples the posterior by ancestral sampling with exact denoisers.

    A noisy image is where the diffusion of clean images is at the time of its noise; for super-resolution the process
    starts at noise alone, and its denoiser knows the observation.

    Args:
      task: what was done to the source.
      mean: E[X|Y], [n, 64].
      observed: Y.
      rng: of the draws.
      steps: of the sampler.

    Returns:
      [n, 64].
    """
    start, center, spread = 1.0, mean, np.asarray(task.seen.error_covariance)
    state = rng.standard_normal(mean.shape)
    if task.noise:
        start, center, spread = task.noise**2 / (1.0 + task.noise**2), np.zeros_like(mean), task.covariance
        state = observed * np.sqrt(1.0 - start)
    values, vectors = np.linalg.eigh(spread)  # among eigenvectors a denoiser is a factor, and noise stays white
    out = process.ancestral(_denoiser(center @ vectors, values), state @ vectors, process.decoding_times(start, steps),
                            lambda _: rng.standard_normal(mean.shape))
    return out @ vectors.T


def _denoiser(center: np.ndarray, values: np.ndarray) -> process.Denoiser:
    values = np.maximum(values, 0.0)

    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        gain = np.sqrt(1.0 - t) * values / ((1.0 - t) * values + t)
        return center + (x - np.sqrt(1.0 - t) * center) * gain

    return denoise


def flow(task: Task, mean: np.ndarray, rng: np.random.Generator, *, noise: float, steps: int) -> np.ndarray:
    """Follows the rectified flow from the estimate with noise, by Euler's method.

    Args:
      task: what was done to the source.
      mean: E[X|Y], [n, 64].
      rng: of the draws.
      noise: deviation of what the flow starts with beside the estimate.
      steps: how many.

    Returns:
      [n, 64].
    """
    z = mean + noise * rng.standard_normal(mean.shape)
    times = np.arange(steps) / steps
    fields = np.asarray(rectified_flow.flow_velocity(times, task.seen.covariance, task.covariance, noise=noise))
    for field in fields:
        z = z + z @ field.T / steps
    return z


def outputs(task: Task, config: Any, rng: np.random.Generator
            ) -> Iterator[tuple[str, float, np.ndarray, np.ndarray, Any]]:
    """Restores samples in every way.

    Args:
      task: what is done to the source.
      config: of `experiments.images.restoration`.
      rng: of all draws.

    Yields:
      Method, its parameter, originals, what it puts out, and the `Point` that theory says.
    """
    c, seen, plan = task.covariance, task.seen, task.plan
    x = rng.multivariate_normal(np.zeros(len(c)), c, config.vectors, method="cholesky")
    observed = x @ task.operator.T + task.noise * rng.standard_normal((len(x), len(task.operator)))
    mean = observed @ np.asarray(seen.gain).T
    missing = rng.multivariate_normal(np.zeros(len(c)), np.asarray(plan.noise_covariance), len(x), method="eigh")
    moved = mean @ np.asarray(plan.matrix).T + missing
    for alpha in config.alphas:
        yield "transport", alpha, x, mean + alpha * (moved - mean), restoration.interpolation_point(
            alpha, seen.mse, plan.w2sq)
    sample = posterior_sample(task, mean, observed, rng, steps=8 * config.sampling_steps)
    for weight in (0.5, 1.0):
        yield "posterior sample", weight, x, mean + weight * (sample - mean), restoration.posterior_point(
            weight, c, seen.covariance)
    noise = 0.0 if task.noise else config.flow_noise[1]
    end = np.asarray(rectified_flow.flow_steps(seen.covariance, c, noise=noise, steps=400, order=4) if noise else
                     rectified_flow.flow_matrix(seen.covariance, c))
    yield "rectified flow", 1.0, x, flow(task, mean, rng, noise=noise, steps=8 * config.sampling_steps), (
        restoration.linear_point(end, noise**2 * end @ end.T, seen.covariance, c))
    if task.noise:
        t = task.noise**2 / (1.0 + task.noise**2)
        values, vectors = np.linalg.eigh(c)
        end = process.probability_flow(_denoiser(np.zeros_like(x), values), observed @ vectors * np.sqrt(1.0 - t),
                                       process.decoding_times(t, config.sampling_steps)) @ vectors.T
        yield "probability flow", 1.0, x, end, restoration.interpolation_point(1.0, seen.mse, plan.w2sq)


def measure(x: np.ndarray, y: np.ndarray, c: np.ndarray, *, seed: int) -> dict[str, float]:
    """Squared error, and W2 squared of Gaussians with the output's moments and the source's, per pixel.

    The distance of n samples is too large by about b / n; b is found from both halves, and taken off.

    Args:
      x: originals, [n, d].
      y: what was put out, [n, d].
      c: covariance of the source.
      seed: of the division into folds.

    Returns:
      distortion, distortion_se, perception and perception_se.
    """
    dimension = len(c)
    errors = np.square(x - y).mean(1)
    folds = make_folds(len(x), FOLDS, seed=seed)
    parts = [moments(y[folds == fold]) for fold in range(FOLDS)]

    def distance(chosen: list[Moments]) -> float:
        whole = merge(chosen)
        return gaussian_frechet(whole.mean, whole.covariance, np.zeros(dimension), c) / dimension

    def corrected(left_out: int | None) -> float:
        halves = [[part for fold, part in enumerate(parts) if fold % 2 == half and fold != left_out] for half in (0, 1)]
        every, per_half = distance(halves[0] + halves[1]), np.mean([distance(half) for half in halves])
        counts = [sum(part.count for part in half) for half in halves]
        bias = (per_half - every) / (np.mean(1.0 / np.array(counts)) - 1.0 / sum(counts))
        return float(every - bias / sum(counts))

    return {"distortion": float(errors.mean()), "distortion_se": float(errors.std() / np.sqrt(len(errors))),
            "perception": max(corrected(None), 0.0),
            "perception_se": jackknife_error([corrected(fold) for fold in range(FOLDS)])}


def rows(config: Any) -> list[dict[str, Any]]:
    """Restores and measures Gaussian patches.

    Args:
      config: of `experiments.images.restoration`.

    Returns:
      Rows of `points.csv`.
    """
    result = []
    for noise in (*config.noises, 0.0):
        task = make_task(noise)
        rng = np.random.default_rng((config.seed, round(1e6 * noise)))
        pixels = len(task.covariance)
        mse, w2sq = float(task.seen.mse) / pixels, float(task.plan.w2sq) / pixels
        for method, parameter, x, y, point in outputs(task, config, rng):
            found = measure(x, y, task.covariance, seed=config.seed)
            line = float(distortion_perception(found["perception"], mse, w2sq))
            up, down = (float(distortion_perception(max(found["perception"] + s * found["perception_se"], 0.0), mse,
                        w2sq)) for s in (1.0, -1.0))
            result.append({
                "source": "gaussian", "task": task.name, "noise": noise, "method": method, "parameter": parameter,
                **found, "line": line, "gap": found["distortion"] - line,
                "gap_se": float(np.hypot(found["distortion_se"], 0.5 * abs(up - down))),
                "theory_distortion": float(point.distortion) / pixels,
                "theory_perception": float(point.perception) / pixels,
            })
    return result
