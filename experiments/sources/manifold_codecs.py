"""Trained codecs on sources that lie on a curve: what `sawbridge` and `circle_and_ramp` share.

For each number N of cells an entropy-coded vector quantizer is trained by deterministic annealing at a price of squared
error between the two slopes of the hull at its vertex of N equal cells. Several starts are trained at once, with room
for N, N + 1, N + 2, .. codewords, and the one with the least training objective is kept: at that price N equal cells
are the best quantizer of any size. Which cells they become, and how many survive, is up to training.
"""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import harness
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.quantize.codebook import annealed_cost
from theory.bounds import sources
from theory.closed_form import manifolds

_SHUT = -60.0  # logit of a codeword that is not there: its probability and its gradient vanish


def vertex_prices(source: str, cells: tuple[int, ...]) -> np.ndarray:
    """Prices, in bits per unit of squared error, between the slopes of the hull on both sides of its vertices.

    Args:
      source: "sawbridge", "ramp" or "circle".
      cells: N of each vertex.

    Returns:
      float32 [vertices], geometric means of both slopes.

    Raises:
      ValueError: if an N is no vertex of the hull.
    """
    first = {"sawbridge": 2, "ramp": 4, "circle": 3}[source]
    if min(cells) < first:
        raise ValueError(f"cells of the {source} must be at least {first}, the hull's first vertex, got {cells}")

    def point(n):
        return np.log2(n), float(manifolds.cell_distortion(1.0 / n, source))

    prices = []
    for n in cells:
        (r0, d0), (r1, d1), (r2, d2) = point(1 if n == first else n - 1), point(n), point(n + 1)
        prices.append(np.sqrt((r1 - r0) / (d0 - d1) * (r2 - r1) / (d1 - d2)))
    return np.array(prices, np.float32)


def realize(source: str, points: int, turns: jax.Array) -> jax.Array:
    """Realizations of a source from its uniform variable, as `theory.bounds.sources` makes them, in float32.

    Args:
      source: "sawbridge", "ramp" or "circle".
      points: dimension of the processes.
      turns: [n] in [0, 1).

    Returns:
      [n, points], of the circle [n, 2].
    """
    if source == "circle":
        angle = 2.0 * jnp.pi * turns
        return jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    t = ((jnp.arange(points, dtype=jnp.float32) + 0.5) / points)[None]
    if source == "sawbridge":
        x = t - (t >= turns[:, None])
    else:
        x = (t + turns[:, None]) % 1.0 - 0.5
    return x * jnp.float32(points**-0.5)


def train(schedule: harness.Schedule, source: str, cells: tuple[int, ...], *, points: int, starts: int,
          seed: int, directory: pathlib.Path) -> tuple[Any, np.ndarray]:
    """Trains a quantizer for each vertex.

    Args:
      schedule: how.
      source: its name.
      cells: N of each vertex.
      points: dimension of the processes.
      starts: of each; start j has room for N + j codewords.
      seed: random seed of samples, initialization and noise.
      directory: of checkpoints and metrics.

    Returns:
      Parameters with a leading axis over the vertices, and the start that was kept of each.
    """
    dimension = 2 if source == "circle" else points
    codec = codebook_codec(dimension=dimension, codewords=max(cells) + starts - 1)
    price = jnp.repeat(jnp.log(jnp.asarray(vertex_prices(source, cells))), starts)
    key = jax.random.fold_in(jax.random.key(seed), sorted(manifolds.SOURCES).index(source))
    params = jax.vmap(codec.init)(jax.random.split(key, price.size))
    params["log_weight"] = price
    capacity = np.repeat(cells, starts) + np.tile(np.arange(starts), len(cells))
    shut = np.arange(params["logits"].shape[1]) >= capacity[:, None]
    params["logits"] = jnp.where(shut, jnp.float32(_SHUT), params["logits"])
    # Adam moves every number by about the learning rate: codewords are learned in units in which they are about 1.
    unit = jnp.float32(dimension**-0.5)
    params["points"] = params["points"] / unit

    def loss(params, _, x, key, temperature):
        weight = jnp.exp(params["log_weight"])
        d, bits = annealed_cost(x, params["points"] * unit, params["logits"], weight, temperature)
        distortion, rate = jnp.mean(d), jnp.mean(bits)
        return rate + weight * distortion, {"rate": rate, "distortion": distortion}

    def sample(key, batch):
        return realize(source, points, harness.stratified_uniform(key, batch))

    trained = harness.train_grid(schedule, params, {"price": price}, loss=loss, sample=sample, key=key,
                                        directory=directory, description=source, frozen=("log_weight",))
    x = sample(jax.random.fold_in(key, schedule.steps), 4 * schedule.batch)
    costs = jax.jit(jax.vmap(lambda p: loss(p, None, x, None, None)[0]))(trained)
    best, retained = harness.best_of_starts(trained, np.asarray(costs), starts)
    return best | {"points": best["points"] * unit}, retained


def evaluate(table: dict[str, list], params: Any, source: str, cells: tuple[int, ...], kept: np.ndarray, *,
             points: int, samples: int, starts: int, seed: int) -> None:
    """Codes fresh realizations with every trained quantizer and appends rows.

    Args:
      table: columns by name.
      params: from `train`.
      source: its name.
      cells: N of each vertex.
      kept: from `train`.
      points: dimension of the processes.
      samples: how many realizations.
      starts: as trained.
      seed: random seed of samples, initialization and noise.
    """
    model = sources.SOURCES[source]() if source == "circle" else sources.SOURCES[source](points)
    codec = codebook_codec(dimension=model.dimension, codewords=max(cells) + starts - 1,
                                  max_elements=2**26)
    turns = jax.random.uniform(jax.random.fold_in(jax.random.key(seed), 2**20 + len(source)), (samples,), jnp.float32)
    x = np.asarray(realize(source, points, turns))
    n = model.dimension if source != "circle" else np.inf
    for i, target in enumerate(cells):
        codec_params = codec.finalize(harness.entry(params, i))
        m = harness.measure(codec, codec_params, x)
        # On a grid of n midpoints N cells err by at most 7N/(12 n^2) more or less than in the continuum.
        slack = 7.0 * (target + 1) / (12.0 * n**2)

        def hull(d, _, slack=0.0):
            return manifolds.hull_rate_distortion(d + slack, source)

        harness.add_row(
            table, m, source=source, dimension=model.dimension, codec="codebook", shared="nothing",
            bound_kind="hull of deterministic one-shot quantizers", seed=seed, upper=hull,
            lower=lambda d, p, slack=slack: hull(d, p, slack), target_cells=target,
            target_distortion=float(manifolds.cell_distortion(1.0 / target, source)),
            target_rate_bits=float(np.log2(target)),
            used_codewords=int(np.unique(np.asarray(codec.symbols(codec_params, x))).size),
            linear_bits=float(manifolds.linear_rate_distortion(m.distortion, source)),
            price_bits=float(np.exp(codec_params["log_weight"])), start=int(kept[i]), starts=starts)
