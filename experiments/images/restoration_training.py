"""Networks of `experiments.images.restoration`: estimates, denoisers, flows, and networks of perceptual losses.

Images are gray and centered, pixel - 1/2. Two degradations: white noise of deviation s, and means of 4 x 4 pixels. Each
network is a `rdr.transforms.unet.UNet` with its own objective:

    denoiser            x + s n -> E[x | x + s n], for every s up to the largest: least squared error and posterior
                        sampler
    upscaler            small image -> E[x | small image]
    upscaler_denoiser   (E[x | small], x + s n) -> E[x | small, x + s n]: the posterior sampler of super-resolution
    .._flow             z_t = (1 - t) (E[x | y] + a n) + t x -> E[x - z_0 | z_t]: the velocity of a rectified flow
    .._wasserstein      y, noise, sigma -> image of least Wasserstein distortion, one network for all sigma
    .._lpips            y -> image of least LPIPS + 20 squared error
"""

import functools
import itertools
import math
import pathlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr import features, losses
from rdr.losses import wasserstein_distortion as wd
from rdr.randomness import normal, uniform
from rdr.sharding import data_mesh
from rdr.training.engine import train_on_batches
from rdr.training.step import initial_state, make_optimizer, make_step
from rdr.transforms.unet import UNet

FACTOR = 4  # of super-resolution
DATA_DEVIATION, ERROR_DEVIATION = 0.25, 0.08  # about those of pixels, and of errors of super-resolution
LEAST_NOISE, MOST_NOISE = 0.005, 0.5  # of denoisers; the second is where sampling for super-resolution starts
SQUARED_ERROR_WEIGHT = 20.0  # beside LPIPS, which alone lets gray levels drift
_EMA, _LOG_EVERY = 0.995, 50


class Settings(NamedTuple):
    """Settings that all networks share.

    Attributes:
      channels: of the networks.
      batch: images per step.
      crop: their side.
      learning_rate: of Adam, which falls to 0 as a cosine.
      noises: deviations of the noise that is to be removed.
      flow_noise: a, deviation of the noise with which flows start: of denoising, of super-resolution.
      sigmas: the smallest and largest sigma of Wasserstein distortion.
      features: of Wasserstein distortion.
      seed: of everything.
    """

    channels: int
    batch: int
    crop: int
    learning_rate: float
    noises: tuple[float, ...]
    flow_noise: tuple[float, float]
    sigmas: tuple[float, float]
    features: str
    seed: int


def shrink(x: jax.Array) -> jax.Array:
    """Means of blocks of 4 x 4 pixels: [batch, height, width, 1] to [batch, height / 4, width / 4, 1].

    Args:
      x: images.

    Returns:
      Small images.
    """
    batch, height, width, _ = x.shape
    return x.reshape(batch, height // FACTOR, FACTOR, width // FACTOR, FACTOR, 1).mean((2, 4))


def enlarge(y: jax.Array) -> jax.Array:
    """Linear interpolation of small images at four times as many pixels each way.

    Args:
      y: [batch, rows, columns, 1].

    Returns:
      [batch, 4 rows, 4 columns, 1].
    """
    batch, rows, columns, _ = y.shape
    return jax.image.resize(y, (batch, FACTOR * rows, FACTOR * columns, 1), "linear")


def denoise(channels: int, params: Any, x: jax.Array, noise: jax.Array, mean: jax.Array | None = None) -> jax.Array:
    """E[x_0 | x], x = x_0 + s n; with `mean` = E[x_0 | y] also given what y says.

    m + c (x - m) + sqrt(c) s F((x - m) / sqrt(v + s^2), log s), c = v / (v + s^2), where v is about the variance of
    x_0 - m and m = 0 without y: the network F sees and makes numbers of the order of 1.

    Args:
      channels: of the network.
      params: of the network.
      x: [batch, height, width, 1], centered.
      noise: s, [batch].
      mean: as x, or None.

    Returns:
      The shape of x.

    Reference: karras2022elucidating, section 5.
    """
    s = noise[:, None, None, None]
    deviation = DATA_DEVIATION if mean is None else ERROR_DEVIATION
    total = jnp.sqrt(deviation**2 + s**2)
    away = x if mean is None else x - mean
    seen = away / total if mean is None else jnp.concatenate((away / total, mean / DATA_DEVIATION), -1)
    out = UNet(channels).apply({"params": params}, seen, 0.25 * jnp.log(noise)[:, None])
    kept = (deviation / total) ** 2
    return (0.0 if mean is None else mean) + kept * away + deviation * s / total * out


def upscale(channels: int, params: Any, y: jax.Array) -> jax.Array:
    """E[x | y] of small images y: linear interpolation and what the network adds.

    Args:
      channels: of the network.
      params: of the network.
      y: [batch, rows, columns, 1], centered.

    Returns:
      [batch, 4 rows, 4 columns, 1].
    """
    large = enlarge(y)
    condition = jnp.zeros((len(y), 1), jnp.float32)
    return large + ERROR_DEVIATION * UNet(channels).apply({"params": params}, large / DATA_DEVIATION, condition)


def velocity(channels: int, params: Any, z: jax.Array, t: jax.Array, noise: jax.Array) -> jax.Array:
    """E[x - z_0 | z_t = z], the velocity of a rectified flow.

    Args:
      channels: of the network.
      params: of the network.
      z: z_t, [batch, height, width, 1].
      t: time, [batch].
      noise: deviation of the noise that was removed, [batch]; any number for super-resolution.

    Returns:
      The shape of z.
    """
    condition = jnp.stack((t, noise), -1)
    return ERROR_DEVIATION * UNet(channels).apply({"params": params}, z / DATA_DEVIATION, condition)


def realize(channels: int, params: Any, mean: jax.Array, noise: jax.Array, sigma: jax.Array,
            random: jax.Array) -> jax.Array:
    """E[x | y] and what a network adds to it that was trained with a perceptual loss.

    Args:
      channels: of the network.
      params: of the network.
      mean: E[x | y], [batch, height, width, 1].
      noise: deviation of the noise that was removed, [batch]; any number for super-resolution.
      sigma: of Wasserstein distortion, [batch]; any number for LPIPS.
      random: standard normal, the shape of `mean`.

    Returns:
      The shape of `mean`.
    """
    condition = jnp.stack((noise, 0.25 * jnp.log2(sigma)), -1)
    out = UNet(channels).apply({"params": params}, jnp.concatenate((mean / DATA_DEVIATION, random), -1), condition)
    return mean + ERROR_DEVIATION * out


def crops(patches: np.ndarray, *, batch: int, side: int, seed: int, start: int) -> Iterator[np.ndarray]:
    """Draws random crops of random patches, half of them mirrored.

    Args:
      patches: uint8 [patches, height, width, 1].
      batch: how many crops in a batch.
      side: of a crop.
      seed: batch s depends on it and on s only.
      start: number of the first batch.

    Yields:
      uint8 [batch, side, side, 1].
    """
    count, height, width, _ = patches.shape
    for step in itertools.count(start):
        rng = np.random.default_rng((seed, step))
        result = np.empty((batch, side, side, 1), np.uint8)
        places = rng.integers((count, height - side + 1, width - side + 1, 2), size=(batch, 4))
        for out, (index, top, left, mirror) in zip(result, places):
            crop = patches[index, top : top + side, left : left + side]
            out[:] = crop[:, ::-1] if mirror else crop
        yield result


def _three(x: jax.Array) -> jax.Array:
    """Centered gray images as networks of features take them."""
    return jnp.repeat(jnp.clip(x + 0.5, 0.0, 1.0), 3, axis=-1)


def _maps(name: str) -> Callable:
    """Features of centered gray images; pyramids need no colors."""
    maps = features.get(name)
    return lambda x: maps(jnp.clip(x + 0.5, 0.0, 1.0) if name.endswith("pyramid") else _three(x))


def _observe(task: str, s: Settings, others: Mapping[str, Any], x: jax.Array, key: jax.Array
             ) -> tuple[jax.Array, jax.Array]:
    """E[x | y] of a drawn observation, and the deviation of its noise."""
    pick, draw_key = jax.random.split(key)
    if task == "upscaler":
        return upscale(s.channels, others["upscaler"], shrink(x)), jnp.zeros(len(x), jnp.float32)
    noise = jnp.asarray(s.noises, jnp.float32)[jax.random.randint(pick, (len(x),), 0, len(s.noises), jnp.int32)]
    seen = x + noise[:, None, None, None] * normal(draw_key, x.shape)
    return denoise(s.channels, others["denoiser"], seen, noise), noise


def _log_uniform(key: jax.Array, shape: tuple[int, ...], low: float, high: float) -> jax.Array:
    return jnp.exp(uniform(key, shape, math.log(low), math.log(high)))


def _denoiser_loss(s: Settings, params: Any, others: Mapping[str, Any], x: jax.Array, key: jax.Array) -> jax.Array:
    """Half of the batch at the noises that are to be removed, half at all others."""
    pick, level, draw_key = jax.random.split(key, 3)
    wanted = jnp.asarray(s.noises, jnp.float32)[jax.random.randint(pick, (len(x),), 0, len(s.noises), jnp.int32)]
    other = _log_uniform(level, (len(x),), LEAST_NOISE, max(s.noises))
    noise = jnp.where(jnp.arange(len(x)) % 2 == 0, wanted, other)
    out = denoise(s.channels, params, x + noise[:, None, None, None] * normal(draw_key, x.shape), noise)
    weight = 1.0 / DATA_DEVIATION**2 + 1.0 / noise**2
    return jnp.mean(weight * jnp.mean(jnp.square(out - x), (1, 2, 3)))


def _upscaler_loss(s: Settings, params: Any, others: Mapping[str, Any], x: jax.Array, key: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(upscale(s.channels, params, shrink(x)) - x)) / ERROR_DEVIATION**2


def _upscaler_denoiser_loss(s: Settings, params: Any, others: Mapping[str, Any], x: jax.Array, key: jax.Array
                            ) -> jax.Array:
    level, draw_key = jax.random.split(key)
    mean, _ = _observe("upscaler", s, others, x, key)
    noise = _log_uniform(level, (len(x),), LEAST_NOISE, MOST_NOISE)
    out = denoise(s.channels, params, x + noise[:, None, None, None] * normal(draw_key, x.shape), noise, mean)
    weight = 1.0 / ERROR_DEVIATION**2 + 1.0 / noise**2
    return jnp.mean(weight * jnp.mean(jnp.square(out - x), (1, 2, 3)))


def _flow_loss(task: str, s: Settings, params: Any, others: Mapping[str, Any], x: jax.Array, key: jax.Array
               ) -> jax.Array:
    seen_key, start_key, time_key = jax.random.split(key, 3)
    mean, noise = _observe(task, s, others, x, seen_key)
    start = mean + s.flow_noise[task == "upscaler"] * normal(start_key, x.shape)
    t = (jnp.arange(len(x), dtype=jnp.float32) + uniform(time_key, (len(x),))) / len(x)
    z = start + t[:, None, None, None] * (x - start)
    out = velocity(s.channels, params, z, t, noise)
    return jnp.mean(jnp.square(out - (x - start))) / ERROR_DEVIATION**2


def _perceptual_loss(task: str, objective: Callable, s: Settings, params: Any, others: Mapping[str, Any],
                     x: jax.Array, key: jax.Array) -> jax.Array:
    seen_key, sigma_key, random_key = jax.random.split(key, 3)
    mean, noise = _observe(task, s, others, x, seen_key)
    sigma = _log_uniform(sigma_key, (len(x),), *s.sigmas)
    out = realize(s.channels, params, mean, noise, sigma, normal(random_key, x.shape))
    return jnp.mean(objective(out, x, sigma))


def _wasserstein(settings: Settings) -> Callable:
    maps = _maps(settings.features)

    def objective(out: jax.Array, x: jax.Array, sigma: jax.Array) -> jax.Array:
        return wd.wasserstein_distortion(maps(x), maps(out), sigma[:, None, None],
                                         image_shape=x.shape[1:3])

    return objective


def _lpips() -> Callable:
    lpips = losses.get("lpips")

    def objective(out: jax.Array, x: jax.Array, _: jax.Array) -> jax.Array:
        return lpips(_three(out), _three(x)) + SQUARED_ERROR_WEIGHT * jnp.mean(jnp.square(out - x), (1, 2, 3))

    return objective


# Network -> its input channels, its conditions, and the network that must be trained before it.
SHAPES = {"denoiser": (1, 1, None), "upscaler": (1, 1, None), "upscaler_denoiser": (2, 1, "upscaler")} | {
    f"{task}_{kind}": (channels, 2, task) for task in ("denoiser", "upscaler")
    for kind, channels in (("flow", 1), ("wasserstein", 2), ("lpips", 2))}


def loss_of(name: str, settings: Settings) -> Callable:
    """The objective of a network.

    Args:
      name: a key of `SHAPES`.
      settings: shared ones.

    Returns:
      `loss(params, others, x, key)`, others the parameters of the network that was trained before.
    """
    plain = {"denoiser": _denoiser_loss, "upscaler": _upscaler_loss, "upscaler_denoiser": _upscaler_denoiser_loss}
    if name in plain:
        return functools.partial(plain[name], settings)
    task, kind = name.split("_")
    if kind == "flow":
        return functools.partial(_flow_loss, task, settings)
    objective = _wasserstein(settings) if kind == "wasserstein" else _lpips()
    return functools.partial(_perceptual_loss, task, objective, settings)


def train(name: str, settings: Settings, patches: np.ndarray, others: Mapping[str, Any], *, steps: int,
          directory: pathlib.Path) -> Any:
    """Trains a network, or goes on where it was interrupted.

    Args:
      name: a key of `SHAPES`.
      settings: shared ones.
      patches: uint8 [patches, side, side, 1], at least as large as the crops.
      others: parameters of the network that must be trained before.
      steps: of training.
      directory: of checkpoints and metrics.

    Returns:
      Parameters: a running mean over the last steps.
    """
    channels, conditions, _ = SHAPES[name]
    seed = zlib.crc32(f"{settings.seed} {name}".encode())
    params = jax.jit(UNet(settings.channels).init)(jax.random.key(seed), jnp.zeros((1, 8, 8, channels), jnp.float32),
                                                   jnp.zeros((1, conditions), jnp.float32))["params"]
    objective = loss_of(name, settings)

    def loss(params: Any, batch: jax.Array, key: jax.Array, _: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        x = batch.astype(jnp.float32) / jnp.float32(255) - jnp.float32(0.5)
        return objective(params, others, x, key), {}

    optimizer = make_optimizer(learning_rate=settings.learning_rate, steps=steps, warmup=steps // 50)
    log_every = min(_LOG_EVERY, steps)
    state = train_on_batches(
        initial_state(params, optimizer), make_step(loss, optimizer, seed=seed, decay=_EMA),
        lambda start: crops(patches, batch=settings.batch, side=settings.crop, seed=seed, start=start), steps=steps,
        directory=directory, log_every=log_every, save_every=4 * log_every, description=name,
        mesh=data_mesh(jax.devices()[:1]))
    return state.average
