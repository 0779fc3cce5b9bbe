"""Harness of experiments with codecs of vectors: training a grid at once, measuring through bytes, writing points."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.sources import operational_rate
from rdr import files
from rdr.codecs.base import VectorCodec
from rdr.evaluation import tables
from rdr.training.loop import train_scanned


class State(NamedTuple):
    """Training state of a grid of codecs; every leaf has a leading axis over the grid.

    Attributes:
      params: of the codecs.
      optimizer: Adam's moments and count.
    """

    params: Any
    optimizer: Any


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Schedule of a grid's training.

    Attributes:
      steps: training steps.
      chunk: steps between checkpoints.
      batch: vectors per step.
      learning_rate: of Adam, decayed by a cosine in each stage.
      hard_fraction: last part of the training, in which quantization is hard.
      temperature_start: at the beginning.
      temperature_end: when quantization becomes hard; temperatures fall geometrically.
      soft_decay: last learning rate of the soft stage as a fraction of the first; that of the hard stage is 0.01.
      temperature_dtype: in which temperatures are computed.
    """

    steps: int
    chunk: int
    batch: int
    learning_rate: float
    hard_fraction: float = 0.5
    temperature_start: float = 0.3
    temperature_end: float = 0.1
    soft_decay: float = 0.01
    temperature_dtype: str = "float32"

    def __post_init__(self):
        for name in ("steps", "chunk", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "temperature_start", "temperature_end"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0.0 <= self.hard_fraction <= 1.0:
            raise ValueError(f"hard_fraction must be in [0, 1], got {self.hard_fraction}")


def stratified_uniform(key: jax.Array, count: int) -> jax.Array:
    """Draws one uniform variable from each of `count` equal parts of [0, 1): means over them have less noise.

    Args:
      key: of the draws.
      count: how many.

    Returns:
      float32 [count], rising.
    """
    return (jnp.arange(count, dtype=jnp.float32) + jax.random.uniform(key, (count,), jnp.float32)) / count


def stratified_normal(key: jax.Array, count: int) -> jax.Array:
    """Draws one sample from each of `count` equally likely slices of N(0,1).

    Args:
      key: of the draws.
      count: how many.

    Returns:
      float32 [count, 1], rising.
    """
    return jax.scipy.special.ndtri(jnp.clip(stratified_uniform(key, count), 1e-7, 1.0 - 1e-7))[:, None]


def train_grid(schedule: Schedule, params: Any, grid: Any, *, loss: Callable, sample: Callable, key: jax.Array,
               directory: pathlib.Path, description: str, frozen_when_hard: tuple[str, ...] = (),
               frozen: tuple[str, ...] = (), data: Any = None) -> Any:
    """Trains a grid of codecs at once: one compilation, every codec sees the same vectors.

    Args:
      schedule: its schedule.
      params: of all codecs; every leaf has a leading axis over the grid.
      grid: a tree of arrays with that axis: what sets the codecs apart, such as weights.
      loss: `loss(params, entry, x, key, temperature) -> (loss, metrics)` of one codec, `entry` its part of `grid`; the
        temperature is None in the hard stage.
      sample: `sample(key, batch) -> x`; with data, `sample(key, batch, data)`.
      key: of samples and noise.
      directory: of checkpoints and metrics.
      description: what the progress bar says.
      frozen_when_hard: parts of the parameters that do not move in the hard stage: straight-through gradients are
        biased.
      frozen: parts that never move.
      data: arrays that `sample` draws from, handed to the compiled program and not built into it.

    Returns:
      Trained parameters.
    """
    soft_steps = schedule.steps - round(schedule.steps * schedule.hard_fraction)
    hard_steps = schedule.steps - soft_steps
    decays = [optax.cosine_decay_schedule(schedule.learning_rate, max(steps, 1), last)
              for steps, last in ((soft_steps, schedule.soft_decay), (hard_steps, 0.01))]
    rates = optax.join_schedules(decays, [soft_steps])
    optimizer = optax.adam(rates)
    size = jax.tree.leaves(grid)[0].shape[0]
    gradients = jax.vmap(jax.grad(loss, has_aux=True), in_axes=(0, 0, None, 0, None))

    # Plain floats: numpy's would turn float32 into float64.
    start, end = float(np.log(schedule.temperature_start)), float(np.log(schedule.temperature_end))

    def soft(params, x, keys, step):
        progress = step.astype(jnp.float32) / max(soft_steps, 1)
        left, gone = (part.astype(schedule.temperature_dtype) for part in (1.0 - progress, progress))
        log_t = left * start + gone * end
        return gradients(params, grid, x, keys, jnp.exp(log_t))

    def hard(params, x, keys, _):
        return gradients(params, grid, x, keys, None)

    def update(state, step, *data):
        sample_key, noise_key = jax.random.split(jax.random.fold_in(key, step))
        x, keys = sample(sample_key, schedule.batch, *data), jax.random.split(noise_key, size)
        is_soft = step < soft_steps
        if soft_steps and hard_steps:
            grads, aux = jax.lax.cond(is_soft, soft, hard, state.params, x, keys, step)
        else:
            grads, aux = (soft if soft_steps else hard)(state.params, x, keys, step)
        updates, moments = optimizer.update(grads, state.optimizer)
        moves = {part: 0.0 for part in frozen} | {part: is_soft.astype(jnp.float32) for part in frozen_when_hard}
        updates |= {part: jax.tree.map(lambda u, m=move: u * m, updates[part]) for part, move in moves.items()}
        return State(optax.apply_updates(state.params, updates), moments), {k: jnp.mean(v) for k, v in aux.items()}

    state = State(params, optimizer.init(params))
    return train_scanned(state, update, steps=schedule.steps, chunk=schedule.chunk, directory=directory,
                 description=description, data=data).params


def best_of_starts(params: Any, costs: np.ndarray, starts: int) -> tuple[Any, np.ndarray]:
    """Keeps the best of several random starts of each codec.

    Args:
      params: every leaf has a leading axis of codecs x starts, starts running fastest.
      costs: [codecs * starts], what each start reached, of the training objective on training vectors.
      starts: how many there are of each codec.

    Returns:
      Parameters with a leading axis of codecs, and the index of the start kept of each.
    """
    best = np.argmin(np.asarray(costs).reshape(-1, starts), axis=1)
    rows = np.arange(best.size) * starts + best
    return jax.tree.map(lambda leaf: leaf[rows], params), best


def entry(params: Any, i: int) -> Any:
    """The parameters of one codec of a grid."""
    return jax.tree.map(lambda leaf: leaf[i], params)


def no_perception(y: np.ndarray) -> tuple[float, np.ndarray]:
    """Where realism is not measured: NaN, and no influence on any error."""
    return float("nan"), np.zeros(len(y))


def normal_marginals(deviations: np.ndarray) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """W2^2 of each component to N(0, deviation^2), summed, and each vector's influence on the sum.

    Args:
      deviations: [d].

    Returns:
      A function of decoded vectors [n, d].
    """
    def perception(y):
        result = [operational_rate.normal_w2_squared(y[:, i] / s) for i, s in enumerate(deviations)]
        squares = np.square(deviations)
        return (float(sum(v * w for (w, _), v in zip(result, squares))),
                sum(v * influence for (_, influence), v in zip(result, squares)))

    return perception


def measure(codec: VectorCodec, params: Any, x: np.ndarray, *, perception: Callable = no_perception,
            shared_key: jax.Array | None = None, private_key: jax.Array | None = None) -> operational_rate.Measurement:
    """Encodes vectors to bytes, decodes them from the bytes, and compares; all figures are per vector.

    Args:
      codec: the codec.
      params: finalized parameters.
      x: [n, d].
      perception: decoded vectors -> (perception, influence of each vector on it).
      shared_key: what both sides know.
      private_key: what the decoder knows alone.

    Returns:
      The measurement; squared errors are summed over components.

    Raises:
      ValueError: if the bytes exceed the ideal code length by more than 0.1 % + 64 bytes.
    """
    message = codec.encode(params, x, shared_key=shared_key)
    y = np.asarray(codec.decode(message, params=params, shared_key=shared_key, private_key=private_key), np.float64)
    bits = codec.code_lengths(params, x, shared_key=shared_key).sum(-1)
    check_length(message, bits)
    errors = np.square(x - y).sum(-1)
    value, influence = perception(y)
    return operational_rate.Measurement(len(message), 8 * len(message) / len(x), float(bits.mean()),
                                        float(errors.mean()), value, bits, errors, influence)


def check_length(message: bytes, bits: np.ndarray, *, streams: int = 1) -> None:
    """Refuses a message that is longer than its tables explain.

    Args:
      message: the bytes.
      bits: ideal code length of each of its parts.
      streams: how many coders wrote it.

    Raises:
      ValueError: if the bytes exceed the ideal code length by more than 0.1 % + 64 bytes a coder.
    """
    if len(message) > 1.001 * bits.sum() / 8 + 64 * streams:
        raise ValueError(f"{len(message)} bytes were written where the cross-entropy is {bits.sum() / 8:.0f} bytes")


def add_row(table: dict[str, list], m: operational_rate.Measurement, *, source: str, dimension: int, codec: str,
            shared: str, bound_kind: str, lower: Callable, upper: Callable, seed: int, **extra: Any) -> None:
    """Appends a codec's row: what was measured, and the bounds at its distortion and perception.

    Args:
      table: columns by name.
      m: the measurement.
      source: name of the source.
      dimension: of a vector.
      codec: name of the codec.
      shared: what both sides know.
      bound_kind: what the bound is.
      lower: (distortion, perception) -> bits that no code can do without.
      upper: the same, bits that are known to suffice; the gap is to it.
      seed: of the run.
      **extra: extra cells.
    """
    value, gap, error = operational_rate.gap_and_error(m, upper)
    row = {
        "source": source, "dimension": dimension, "codec": codec, "shared": shared, "rate_bits": m.rate,
        "distortion": m.distortion, "perception": m.perception, "bound_kind": bound_kind,
        "bound_lower_bits": float(lower(m.distortion, m.perception)), "bound_upper_bits": value, "gap_bits": gap,
        "gap_se": error, "seed": seed, **extra, "message_bytes": m.message_bytes,
        "cross_entropy_bits": m.cross_entropy,
    }
    for name, cell in row.items():
        table.setdefault(name, []).append(cell)


def write(workdir: pathlib.Path, name: str, config: Any, presets: Mapping[str, Any], table: dict[str, list], *,
          units: str, started: float, shown: tuple[str, ...] = (), digits: int = 4, folder: str = "sources",
          **header: Any) -> None:
    """Writes `points.csv`, `summary.txt` and `run.json`, and fails the run if a point beats its bound.

    Args:
      workdir: where.
      name: of the experiment.
      config: its settings.
      presets: to name the settings.
      table: columns by name.
      units: of rates, distortions and perceptions, for the header.
      started: `time.monotonic()` at the beginning.
      shown: extra columns for the summary.
      digits: of numbers in the summary, after the decimal point.
      folder: of `experiments` that it is in.
      **header: further header lines.

    Raises:
      ValueError: if an operating point beats its bound.
    """
    same = (preset for preset, it in presets.items() if dataclasses.replace(it, seed=config.seed) == config)
    tables.write_points(workdir / "points.csv", table, {
        "experiment": name, "preset": next(same, "own settings"), "seed": config.seed, "units": units, **header})
    columns = ("codec", "shared", "rate_bits", "distortion", "perception", "bound_lower_bits", "gap_bits", "gap_se")
    text = tables.render({column: table[column] for column in (*columns, *shown)}, digits)
    files.write_text(workdir / "summary.txt", text + "\n")
    tables.write_run_record(workdir, name=f"experiments.{folder}.{name}", config=config,
                            duration_seconds=time.monotonic() - started)
    wrong = tables.violations(table)
    if wrong:
        raise ValueError(f"rows {wrong} of {workdir / 'points.csv'} lie below their bound by more than 3 standard "
                         "errors: a codec that beats a bound is a mistake until explained")
    print(text)
    print(f"\nNo point beats its bound. Table: {workdir / 'points.csv'}; for reading: {workdir / 'summary.txt'}")


def check_seed(seed: int) -> None:
    """Refuses seeds outside of [0, 2^32)."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be in [0, 2^32), got {seed}")


def check_positive(config: Any, *names: str) -> None:
    """Refuses settings that are not positive and finite numbers, or tuples of such."""
    for name in names:
        values = np.atleast_1d(np.asarray(getattr(config, name), np.float64))
        if not values.size or not (np.isfinite(values).all() and values.min() > 0):
            raise ValueError(f"{name} must be positive and finite, got {getattr(config, name)}")
