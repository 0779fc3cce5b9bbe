"""Restoration of patches of photographs by the networks of `experiments.images.restoration_training`.

Posterior samplers and the probability flow are those of `rdr.codecs.diffusion.process`: an image with white noise of
deviation s is, scaled, where the diffusion of clean images is at time s^2 / (1 + s^2). The transport map is that of
Gaussians with the moments of 8 x 8 patches of estimates and of photographs, both of the training set; all overlapping
patches are mapped and averaged.
"""

import functools
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiments.images import restoration_training as training
from experiments.images.restoration_measures import PATCH, cut
from rdr.codecs.diffusion import process
from theory.gaussian import restoration

CHUNK = 24  # images at once


class Task(NamedTuple):
    """A degradation.

    Attributes:
      name: denoising or super-resolution.
      noise: deviation of the noise; 0 for super-resolution.
      network: the one of least squared error, "denoiser" or "upscaler"; others begin with its name.
    """

    name: str
    noise: float
    network: str


def tasks(noises: tuple[float, ...]) -> list[Task]:
    """The degradations.

    Args:
      noises: deviations of the noise that is removed.

    Returns:
      Denoising for each, then super-resolution.
    """
    return [*(Task("denoising", noise, "denoiser") for noise in noises), Task("super-resolution", 0.0, "upscaler")]


def _in_chunks(function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """Applies a function to a few images at a time; the last chunk is filled up, so that one program serves all."""
    count, results = len(arrays[0]), []
    for start in range(0, count, CHUNK):
        parts = [np.resize(array[start : start + CHUNK], (CHUNK, *array.shape[1:])) for array in arrays]
        results.append(np.asarray(function(*parts)))
    return np.concatenate(results)[:count]


def _generator(task: Task, what: str, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(f"{task.name} {task.noise} {what}".encode())))


def observe(task: Task, x: np.ndarray, *, seed: int, what: str = "test") -> np.ndarray:
    """Degrades images.

    Args:
      task: how.
      x: [images, height, width, 1], centered.
      seed: of the noise.
      what: which images they are; others get other noise.

    Returns:
      Noisy, or small, images, float32.
    """
    if not task.noise:
        return np.asarray(training.shrink(jnp.asarray(x)))
    return x + np.float32(task.noise) * _generator(task, what, seed).standard_normal(x.shape, np.float32)


def estimate(task: Task, params: dict[str, Any], channels: int, observed: np.ndarray) -> np.ndarray:
    """E[x | observed].

    Args:
      task: what was done to x.
      params: of all networks.
      channels: of the networks.
      observed: from `observe`.

    Returns:
      [images, height, width, 1], float32.
    """
    if not task.noise:
        return _in_chunks(jax.jit(lambda y: training.upscale(channels, params["upscaler"], y)), observed)
    noise = jnp.full((CHUNK,), task.noise, jnp.float32)
    return _in_chunks(jax.jit(lambda y: training.denoise(channels, params["denoiser"], y, noise)), observed)


def denoiser(params: Any, channels: int, mean: np.ndarray | None) -> process.Denoiser:
    """A network as `rdr.codecs.diffusion.process` takes it.

    Args:
      params: of a denoiser.
      channels: of the network.
      mean: E[x | observed] for the denoiser that sees it, or None.

    Returns:
      (x_t, t) -> E[x_0 | x_t, observed].
    """
    @jax.jit
    def call(x: jax.Array, t: jax.Array) -> jax.Array:
        noise = jnp.maximum(jnp.sqrt(t / (1.0 - t)), training.LEAST_NOISE)
        return training.denoise(channels, params, x / jnp.sqrt(1.0 - t), jnp.full((len(x),), noise), mean)

    return lambda x, t: call(x, jnp.float32(t))


def falling_times(noise: float, steps: int) -> list[float]:
    """Times at which the deviation of the noise falls geometrically, down to what networks know, and then to 0.

    Args:
      noise: deviation at the start.
      steps: how many.

    Returns:
      steps + 1 times.
    """
    deviations = np.geomspace(noise, training.LEAST_NOISE, steps)
    return [*(deviations**2 / (1.0 + deviations**2)).tolist(), 0.0]


def sample_posterior(task: Task, params: dict[str, Any], config: Any, observed: np.ndarray, mean: np.ndarray
                     ) -> np.ndarray:
    """Samples of the posterior: denoising starts at the noisy image, super-resolution at the estimate with much noise.

    Args:
      task: what was done to the images.
      params: of all networks.
      config: of `experiments.images.restoration`.
      observed: from `observe`.
      mean: E[x | observed].

    Returns:
      [images, height, width, 1].
    """
    rng = _generator(task, "posterior", config.seed)
    noise = task.noise or training.MOST_NOISE
    times = falling_times(noise, config.sampling_steps)

    def run(start: np.ndarray, mean: np.ndarray) -> jax.Array:
        known = None if task.noise else mean
        name = "denoiser" if task.noise else "upscaler_denoiser"
        return process.ancestral(denoiser(params[name], config.channels, known), start * np.float32((1 - times[0]) **
                                 0.5), times, lambda _: rng.standard_normal(start.shape, np.float32))

    start = observed
    if not task.noise:  # as far from the estimate as x and its noise are
        spread = np.float32(np.hypot(noise, training.ERROR_DEVIATION))
        start = mean + spread * rng.standard_normal(mean.shape, np.float32)
    return _in_chunks(run, start, mean)


def follow_probability_flow(task: Task, params: dict[str, Any], config: Any, observed: np.ndarray) -> np.ndarray:
    """Where the probability flow of the denoiser leads from noisy images.

    Args:
      task: denoising.
      params: of all networks.
      config: of `experiments.images.restoration`.
      observed: noisy images.

    Returns:
      [images, height, width, 1].
    """
    times = falling_times(task.noise, config.sampling_steps)
    step = denoiser(params["denoiser"], config.channels, None)
    return _in_chunks(lambda y: process.probability_flow(step, y * np.float32((1 - times[0]) ** 0.5), times, order=1),
                      observed)


def follow_rectified_flow(task: Task, params: dict[str, Any], config: Any, mean: np.ndarray) -> np.ndarray:
    """Posterior-mean rectified flow by Euler's method.

    Args:
      task: what was done to the images.
      params: of all networks.
      config: of `experiments.images.restoration`.
      mean: E[x | observed].

    Returns:
      [images, height, width, 1].
    """
    name, steps = f"{task.network}_flow", config.sampling_steps
    noise = jnp.full((CHUNK,), task.noise, jnp.float32)

    @jax.jit
    def step(z: jax.Array, t: jax.Array) -> jax.Array:
        return z + training.velocity(config.channels, params[name], z, jnp.full((CHUNK,), t), noise) / steps

    def run(z: np.ndarray) -> jax.Array:
        return functools.reduce(lambda z, i: step(z, jnp.float32(i / steps)), range(steps), jnp.asarray(z))

    start = np.float32(config.flow_noise[task.network == "upscaler"])
    rng = _generator(task, "flow", config.seed)
    return _in_chunks(run, mean + start * rng.standard_normal(mean.shape, np.float32))


def transport_map(estimates: np.ndarray, originals: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The optimal map between Gaussians with the moments of patches, applied to all overlapping patches and averaged.

    Args:
      estimates: of the training set, [images, height, width, 1].
      originals: the same shape.

    Returns:
      A function of images.

    Reference: adrai2023deep, on patches of pixels instead of latents.
    """
    before, after = cut(estimates), cut(originals)
    plan = restoration.transport(np.cov(before.T), np.cov(after.T))
    matrix, shift = np.asarray(plan.matrix, np.float32), (after.mean(0) - before.mean(0) @ np.asarray(plan.matrix).T)

    def apply(images: np.ndarray) -> np.ndarray:
        total, count = np.zeros_like(images), np.zeros_like(images)
        seen = sliding_window_view(images[..., 0], (PATCH, PATCH), axis=(1, 2))
        rows, columns = seen.shape[1:3]
        mapped = (seen.reshape(-1, PATCH**2) @ matrix.T + shift.astype(np.float32)).reshape(seen.shape)
        for i in range(PATCH):
            for j in range(PATCH):
                total[:, i : i + rows, j : j + columns, 0] += mapped[..., i, j]
                count[:, i : i + rows, j : j + columns, 0] += 1
        return total / count

    return apply


def add_realism(task: Task, kind: str, params: dict[str, Any], config: Any, mean: np.ndarray, sigma: float
                ) -> np.ndarray:
    """What a network makes of the estimate that was trained with a perceptual loss.

    Args:
      task: what was done to the images.
      kind: "wasserstein" or "lpips".
      params: of all networks.
      config: of `experiments.images.restoration`.
      mean: E[x | observed].
      sigma: of Wasserstein distortion, in pixels.

    Returns:
      [images, height, width, 1].
    """
    noise, width = (jnp.full((CHUNK,), value, jnp.float32) for value in (task.noise, sigma))
    random = _generator(task, kind, config.seed).standard_normal(mean.shape, np.float32)
    network = params[f"{task.network}_{kind}"]
    call = jax.jit(lambda m, r: training.realize(config.channels, network, m, noise, width, r))
    return _in_chunks(call, mean, random)


def outputs(task: Task, params: dict[str, Any], config: Any, x: np.ndarray, training_images: np.ndarray
            ) -> Iterator[tuple[str, float, np.ndarray]]:
    """Restores images in every way for which there is a network.

    Args:
      task: how they are degraded.
      params: of the networks that were trained.
      config: of `experiments.images.restoration`.
      x: originals, [images, height, width, 1], float32, centered.
      training_images: some that were trained on, for the transport map.

    Yields:
      Method, its parameter and images; first the observation, then the estimate of least squared error.
    """
    observed = observe(task, x, seed=config.seed)
    yield "observation", 0.0, observed if task.noise else np.repeat(np.repeat(observed, 4, 1), 4, 2)
    mean = estimate(task, params, config.channels, observed)
    yield "mean", 0.0, mean
    known = estimate(task, params, config.channels, observe(task, training_images, seed=config.seed, what="training"))
    moved = transport_map(known, training_images)(mean)
    for alpha in config.alphas:
        if alpha:
            yield "transport", alpha, mean + np.float32(alpha) * (moved - mean)
    ways = {"posterior sample": lambda: sample_posterior(task, params, config, observed, mean),
            "rectified flow": lambda: follow_rectified_flow(task, params, config, mean)}
    if task.noise:
        ways["probability flow"] = lambda: follow_probability_flow(task, params, config, observed)
    for method, restore in ways.items():
        end = restore()
        for weight in (0.25, 0.5, 0.75, 1.0):
            yield method, weight, mean + np.float32(weight) * (end - mean)
    for sigma in config.sigmas:
        if f"{task.network}_wasserstein" in params:
            yield "wasserstein distortion", sigma, add_realism(task, "wasserstein", params, config, mean, sigma)
    if f"{task.network}_lpips" in params:
        yield "lpips", 0.0, add_realism(task, "lpips", params, config, mean, 1.0)
