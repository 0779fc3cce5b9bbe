"""Training without batches, many steps in one compiled scan, with a checkpoint and a line of metrics in between."""

import contextlib
import contextvars
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from rdr.training.checkpoints import Checkpoints
from rdr.training.metrics import MetricsLog

_SHARED_BAR: contextvars.ContextVar[tqdm | None] = contextvars.ContextVar("shared progress bar", default=None)


@functools.lru_cache(maxsize=8)
def _compiled(update: Callable[..., Any], with_data: bool) -> Callable[..., Any]:
    """Many steps as one program; the same `update` again is not compiled again."""

    @functools.partial(jax.jit, static_argnums=2)
    def run(state, start, length, data):
        step = (lambda state, number: update(state, number, data)) if with_data else update
        return jax.lax.scan(step, state, start + jnp.arange(length, dtype=jnp.int32))

    return run


@contextlib.contextmanager
def one_bar() -> Iterator[None]:
    """Shows one progress bar for all trainings in the block; its total grows as they begin.

    Yields:
      Nothing.
    """
    with tqdm(total=0, unit="step") as bar:
        token = _SHARED_BAR.set(bar)
        try:
            yield
        finally:
            _SHARED_BAR.reset(token)


def _bar_of(steps: int, done: int, description: str) -> contextlib.AbstractContextManager[tqdm]:
    shared = _SHARED_BAR.get()
    if shared is None:
        return tqdm(total=steps, initial=done, desc=description, unit="step")
    shared.total = (shared.total or 0) + steps - done
    shared.set_description(description)
    return contextlib.nullcontext(shared)


def train_scanned(
    state: Any,
    update: Callable[..., tuple[Any, dict[str, jax.Array]]],
    *,
    steps: int,
    chunk: int,
    directory: str | pathlib.Path | None,
    description: str = "training",
    data: Any = None,
) -> Any:
    """Trains by many calls of `update` in one compiled scan, and saves what it did after every chunk.

    A run that was interrupted goes on from its newest checkpoint and ends in the same state, because a step sees
    nothing but the state and its own number.

    Args:
      state: a tree of arrays, the state before step 0.
      update: `update(state, step) -> (state, metrics)`, pure; metrics are scalars.
      steps: how many steps in all.
      chunk: how many of them run in one compiled scan.
      directory: of the checkpoints, and of `metrics.jsonl` with the means over each chunk; None keeps nothing.
      description: what the progress bar says.
      data: a tree of arrays that `update` gets as its third argument, if not None. They are handed to the compiled
        program, not built into it, and are not saved.

    Returns:
      The state after the last step.

    Raises:
      ValueError: if a metric is not finite (the step and the metric are named; the checkpoint before is kept), or
        what was saved cannot be restored.
    """
    if steps < 1 or chunk < 1:
        raise ValueError(f"steps and chunk must be at least 1, got {steps} and {chunk}")
    directory = None if directory is None else pathlib.Path(directory)
    checkpoints = None if directory is None else Checkpoints(directory)
    done, restored = 0, None if checkpoints is None else checkpoints.restore(state)
    if restored is not None:
        done, state = restored
    log = None if directory is None else MetricsLog(directory / "metrics.jsonl", done=done)
    run = _compiled(update, data is not None)
    with _bar_of(steps, done, description) as bar:
        if done < steps:
            bar.set_postfix_str("compiling")
        while done < steps:
            length = min(chunk, steps - done)
            state, metrics = run(state, jnp.int32(done), length, data)
            metrics = {name: np.asarray(values) for name, values in metrics.items()}
            for name, values in metrics.items():
                if not np.isfinite(values).all():
                    wrong = done + int(np.argmin(np.isfinite(values)))
                    saved = done and directory is not None
                    retained = f"the state of step {done} is kept in {directory}" if saved else "nothing was saved yet"
                    raise ValueError(f"{description}: {name} is not finite at step {wrong}; {retained}")
            done += length
            means = {name: float(values.mean()) for name, values in metrics.items()}
            if log is not None and checkpoints is not None:
                log.write(done, means)
                checkpoints.save(done, state)  # after its line: one too many is dropped on resuming
            bar.update(length)
            bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()})
    if checkpoints is not None:
        checkpoints.close()
    return state
