"""Sources and denoising networks of `experiments.images.diffusion_codecs`.

Images are vectors of gray levels in [0, 1]: Fashion-MNIST, whose 28 x 28 pixels become means over the cells of a
coarser grid, patches of photographs, and scikit-learn's digits. The network is that of `rdr.codecs.diffusion.network`,
trained at all levels of noise at once.
"""

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdr.codecs.diffusion import network
from rdr.data.samples import Samples, load_samples
from rdr.randomness import normal, uniform
from rdr.training.loop import train_scanned

DATA = ("digits", "fashion_mnist", "photographs")
LEAST_NOISE, MOST_NOISE = 0.02, 16.0  # deviations of noise that is added to images, in gray levels
_EMA, _CHUNK = 0.999, 500


class State(NamedTuple):
    """Training state.

    Attributes:
      params: weights.
      average: their running mean.
      optimizer: Adam's moments and count.
    """

    params: Any
    average: Any
    optimizer: Any


def cell_means(size: int, side: int) -> np.ndarray:
    """Means of a row of pixels over the equal cells of a coarser one.

    Args:
      size: pixels of a row.
      side: cells, at most as many.

    Returns:
      float64 [size, side]: the part of each cell that a pixel covers; columns add up to 1.

    Raises:
      ValueError: if there are more cells than pixels, or none.
    """
    if not 1 <= side <= size:
        raise ValueError(f"side must be from 1 to {size}, got {side}")
    edges = np.arange(side + 1) * (size / side)
    pixels = np.arange(size)[:, None]
    covered = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    return np.maximum(covered, 0.0) * (side / size)


def load(data: str, folder: str, *, side: int, seed: int) -> Samples:
    """Loads images of a source.

    Args:
      data: of `DATA`.
      folder: of its files.
      side: of an image; for digits no more than 8.
      seed: of the division into two parts, and of the places of patches.

    Returns:
      The samples, of shape (side, side, 1).

    Raises:
      ValueError: if there is no such source, or its files cannot be used.
    """
    if data not in DATA:
        raise ValueError(f"data must be one of {', '.join(DATA)}, got {data!r}")
    if data == "photographs":
        return load_samples(data, folder, patch=side, count=60_000, seed=seed)
    found = load_samples(data, folder, seed=seed)
    height, width, _ = found.shape
    if (height, width) == (side, side):
        return found
    rows, columns = (cell_means(n, side) for n in (height, width))
    small = [np.einsum("nhw,hi,wj->nij", part.reshape(-1, height, width), rows, columns, optimize=True)
             .reshape(len(part), -1).astype(np.float32) for part in (found.vectors, found.held_out)]
    return Samples(*small, (side, side, 1), f"{data}_{side}x{side}",
                   f"gray images of {side} x {side} pixels in [0; 1]: means of {height} x {width}")


def train(model: Mapping[str, Any], vectors: np.ndarray, *, width: int, blocks: int, steps: int, batch: int,
          learning_rate: float, seed: int, directory: pathlib.Path) -> dict[str, np.ndarray]:
    """Trains a network, or goes on where it was interrupted.

    Args:
      model: from `rdr.codecs.diffusion.network.statistics`.
      vectors: to train on, [n, dimension].
      width: of the hidden layers.
      blocks: how many pairs of layers.
      steps: of training.
      batch: vectors in a step.
      learning_rate: of Adam, which rises over the first hundredth of the steps and falls to 0 as a cosine.
      seed: of initialization, batches, noise and its levels.
      directory: of checkpoints and metrics.

    Returns:
      Weights: a running mean over the last steps, float32, not rounded.
    """
    z = jnp.asarray((vectors - np.asarray(model["mean"])) @ np.asarray(model["axes"]), jnp.float32)
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, max(steps // 100, 1), steps, 1e-3 * learning_rate)
    optimizer, key = optax.adam(schedule), jax.random.key(seed)
    params = network.init(jax.random.fold_in(key, 0), z.shape[1], width=width, blocks=blocks)
    low, high = math.log(LEAST_NOISE), math.log(MOST_NOISE)

    def update(state: State, step: jax.Array, data: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        pick, place, draw = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, 1), step), 3)
        chosen = data[jax.random.randint(pick, (batch,), 0, len(data), jnp.int32)]
        even = (jnp.arange(batch, dtype=jnp.float32) + uniform(place, (batch,))) / batch
        variance = jnp.exp(2.0 * (low + (high - low) * even))
        noise = normal(draw, chosen.shape)

        def loss(params: Any) -> jax.Array:
            return jnp.mean(network.relative_error(model, params, chosen, variance / (1.0 + variance), noise))

        value, gradients = jax.value_and_grad(loss)(state.params)
        updates, moments = optimizer.update(gradients, state.optimizer)
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(_EMA, step.astype(jnp.float32) / (step.astype(jnp.float32) + 10.0))
        average = jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, state.average, params)
        return State(params, average, moments), {"relative_error": value}

    start = State(params, jax.tree.map(jnp.zeros_like, params), optimizer.init(params))
    state = train_scanned(start, update, steps=steps, chunk=min(_CHUNK, steps), directory=directory,
                          description="denoiser", data=z)
    return {name: np.asarray(value) for name, value in state.average.items()}
