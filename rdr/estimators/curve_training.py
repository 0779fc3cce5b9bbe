"""Training of one network at many slopes: a compiled program, a state with an axis of slopes, batches drawn inside."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rdr.training.checkpoint_owner import claim
from rdr.training.loop import train_scanned
from rdr.training.step import TrainState, initial_state, make_optimizer, make_step

_MAX_CHUNK = 50  # steps between checkpoints

Loss = Callable[[Any, jax.Array, jax.Array, jax.Array, Any], jax.Array]


class Schedule(NamedTuple):
    """How a network is trained.

    Attributes:
      steps: in all.
      batch: samples of a step.
      learning_rate: the highest; Adam's, along a cosine.
    """

    steps: int
    batch: int
    learning_rate: float


def check_counts(**settings: Any) -> None:
    """Refuses what is no whole number, at least 1.

    Args:
      **settings: by the name under which the caller knows them.

    Raises:
      ValueError: if one is not.
    """
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1, got {value!r}")


def chunk_of(steps: int) -> int:
    """Chooses how many steps run between checkpoints: a divisor of all, so that one program does, unless it is tiny.

    Args:
      steps: in all.

    Returns:
      At most 50.
    """
    divisor = max(c for c in range(1, min(steps, _MAX_CHUNK) + 1) if steps % c == 0)
    return divisor if divisor * 5 >= min(steps, _MAX_CHUNK) else _MAX_CHUNK


def train_at_slopes(
    loss: Loss,
    params: Any,
    *,
    samples: np.ndarray,
    slopes: np.ndarray,
    key: jax.Array,
    schedule: Schedule,
    fixed: Any = None,
    workdir: str | pathlib.Path | None = None,
    settings: tuple[Any, ...] = (),
    description: str,
) -> Any:
    """Trains parameters at each slope, from the same start.

    Args:
      loss: `loss(params, rows, slope, key, fixed)`, a scalar; the same function again is not compiled again.
      params: a tree of float32 arrays, the start.
      samples: float32 [samples, dimension], of which each step draws its batch.
      slopes: float32 [slopes].
      key: a `jax.random.key`.
      schedule: steps, batch and learning rate.
      fixed: a tree of arrays [slopes, ...] that the loss gets and nothing changes.
      workdir: of checkpoints, or None.
      settings: numbers and texts that the loss was made with: progress under others is not gone on with.
      description: what the progress bar says.

    Returns:
      The moving average of the parameters, each with an axis of slopes in front.

    Raises:
      ValueError: if a setting is out of its range, the directory belongs to another training, or a loss is not finite.
    """
    check_counts(steps=schedule.steps, batch=schedule.batch)
    optimizer = make_optimizer(learning_rate=schedule.learning_rate, steps=schedule.steps)
    count = slopes.shape[0]
    start = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *np.shape(leaf))),
                         jax.tree.map(np.asarray, initial_state(params, optimizer)))
    schedule = schedule._replace(batch=min(schedule.batch, samples.shape[0]))
    words = np.asarray(jax.random.key_data(key))
    directory = None if workdir is None else pathlib.Path(workdir)
    if directory is not None:
        claim(directory, description, samples, slopes, words, tuple(schedule), loss, settings,
              jax.tree.leaves(start), jax.tree.leaves(fixed))
    data = {"samples": samples, "slopes": slopes, "key": words, "fixed": fixed}
    state = train_scanned(start, _update_of(loss, schedule), steps=schedule.steps, chunk=chunk_of(schedule.steps),
                          directory=directory, description=description, data=data)
    return state.average


@functools.lru_cache(maxsize=8)
def _update_of(loss: Loss, schedule: Schedule) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
    """One function for one loss and schedule, so that it is compiled once."""
    optimizer = make_optimizer(learning_rate=schedule.learning_rate, steps=schedule.steps)

    def of_batch(params: Any, batch: Any, key: jax.Array, step: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        del key, step
        rows, slope, own, fixed = batch
        return loss(params, rows, slope, own, fixed), {}

    one_step = make_step(of_batch, optimizer, seed=0)

    def update(state: TrainState, step: jax.Array, data: dict[str, Any]) -> tuple[TrainState, dict[str, jax.Array]]:
        keys = jax.random.split(jax.random.fold_in(jax.random.wrap_key_data(data["key"]), step))
        samples = data["samples"]
        rows = samples[jax.random.randint(keys[0], (schedule.batch,), 0, samples.shape[0])]

        def at_slope(of: tuple[TrainState, jax.Array, Any]) -> tuple[TrainState, jax.Array]:
            one, slope, fixed = of
            batch: Any = (rows, slope, keys[1], fixed)
            one, report = one_step(one, batch)
            return one, report.metrics["loss"]

        state, losses = jax.lax.map(at_slope, (state, data["slopes"], data["fixed"]))
        return state, {"loss": jnp.mean(losses)}

    return update
