"""Training on batches of data, on all devices, with checkpoints, metrics, a progress bar and a guard against NaNs."""

import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from rdr import sharding
from rdr.training.checkpoints import Checkpoints
from rdr.training.metrics import MetricsLog
from rdr.training.step import StepReport, TrainState

_PROFILED = (3, 8)  # after so many steps of a session, until so many


def train_on_batches(
    state: TrainState,
    step: Callable[[TrainState, jax.Array], tuple[TrainState, StepReport]],
    batches: Callable[[int], Iterator[np.ndarray]],
    *,
    steps: int,
    directory: str | pathlib.Path,
    log_every: int = 50,
    save_every: int = 500,
    keep: int = 2,
    mesh: Mesh | None = None,
    description: str = "training",
    profile: bool = False,
) -> TrainState:
    """Trains on batches, or goes on with a training that was interrupted.

    A step sees nothing but the state and its own batch, and `batches` can start anywhere, so an interrupted run ends in
    the same state, to the bit on the same devices, as one that was not.

    Args:
      state: before step 0; a tree of arrays.
      step: from `make_step`.
      batches: `batches(start)` gives this process's part of the batches from a step on.
      steps: how many in all.
      directory: of `checkpoints/`, `metrics.jsonl` (means over every `log_every` steps) and `profile/`.
      log_every: steps between lines of metrics.
      save_every: steps between checkpoints, a multiple of `log_every`.
      keep: how many checkpoints are kept.
      mesh: devices; default all.
      description: what the progress bar says.
      profile: whether to write a profile of a few steps.

    Returns:
      The state after the last step, on the host.

    Raises:
      ValueError: if a loss or a gradient is not finite (the step and what was not finite are named), or what was saved
        cannot be restored.
    """
    _check_schedule(steps, log_every, save_every)
    directory = pathlib.Path(directory)
    mesh = sharding.data_mesh() if mesh is None else mesh
    checkpoints = Checkpoints(directory / "checkpoints", keep=keep)
    state = jax.tree.map(np.asarray, state)
    restored = checkpoints.restore(state)
    done, state = restored if restored is not None else (0, state)
    first = jax.process_index() == 0
    log = MetricsLog(directory / "metrics.jsonl", done=done) if first else None
    window = _Window(description, state.params, directory, saved=done)
    state = sharding.replicate(state, mesh)
    whole, parts = sharding.replicated(mesh), sharding.batch_sharding(mesh)
    run = jax.jit(step, in_shardings=(whole, parts), out_shardings=whole, donate_argnums=0)
    start, waiting, clock = done, None, time.monotonic()
    profiler = _Profiler(directory / "profile" if profile else None)
    stream = sharding.to_devices(batches(done), mesh) if done < steps else iter(())
    with tqdm(total=steps, initial=done, desc=description, unit="step", disable=not first) as bar, profiler:
        if done < steps:
            bar.set_postfix_str("compiling")
        while done < steps:
            profiler.before_step(done - start)
            state, report = run(state, next(stream))
            if waiting is not None:  # the step before, while this one runs
                window.add(*waiting)
            waiting = (done, report)
            done += 1
            bar.update()
            profiler.after_step(done - start, state)
            if done % log_every == 0 or done == steps:
                window.add(*waiting)
                waiting, means = None, window.means()
                if log is not None:
                    log.write(done, means)
                rate = (done - start) / (time.monotonic() - clock)
                bar.set_postfix({"loss": f"{means['loss']:.4g}", "steps/s": f"{rate:.2f}"})
            if done % save_every == 0 or done == steps:
                checkpoints.save(done, state)  # after its line: a line too many is dropped on resuming
                window.saved = done
    checkpoints.close()
    return jax.tree.map(np.asarray, state)


def _check_schedule(steps: int, log_every: int, save_every: int) -> None:
    if steps < 1 or log_every < 1 or save_every < 1 or save_every % log_every:
        raise ValueError("steps and log_every must be at least 1 and save_every a multiple of log_every, got "
                         f"{steps}, {log_every} and {save_every}")


class _Window:
    """Metrics of the steps since the last line, each of them finite.

    Attributes:
      saved: the newest checkpoint's step, for the message.
    """

    def __init__(self, description: str, params: Any, directory: pathlib.Path, *, saved: int):
        self._description, self._directory, self.saved = description, directory, saved
        self._names = [jax.tree_util.keystr(path, simple=True, separator="/")
                       for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        self._values: list[dict[str, np.ndarray]] = []

    def add(self, number: int, report: StepReport) -> None:
        """Waits for a step's report, and refuses one that is not finite."""
        values = {name: np.asarray(value) for name, value in report.metrics.items()}
        wrong = [name for name, value in values.items() if not np.isfinite(value)]
        bad = [name for name, fine in zip(self._names, np.asarray(report.finite)) if not fine]
        if wrong or bad:
            what = ", ".join(wrong) or "the gradient"
            where = f"; gradients of {', '.join(bad[:3])}{' and others' if len(bad) > 3 else ''}" if bad else ""
            retained = f"the state of step {self.saved} is kept in {self._directory}"
            raise ValueError(f"{self._description}: {what} not finite at step {number}{where}; "
                             f"{retained if self.saved else 'nothing was saved yet'}")
        self._values.append(values)

    def means(self) -> dict[str, float]:
        """Averages the metrics, and starts anew."""
        means = {name: float(np.mean([values[name] for values in self._values], dtype=np.float64))
                 for name in self._values[0]}
        self._values.clear()
        return means


class _Profiler:
    """A profile of a few steps of a session, or none."""

    def __init__(self, directory: pathlib.Path | None):
        self._directory, self._running = directory, False

    def __enter__(self):
        return self

    def before_step(self, count: int) -> None:
        """Starts before a step that follows `count` others of this session, if it is the one."""
        if self._directory is not None and count == _PROFILED[0]:
            jax.profiler.start_trace(str(self._directory))
            self._running = True

    def after_step(self, count: int, state: TrainState) -> None:
        """Stops after `count` steps of this session, if it is time."""
        if self._running and count == _PROFILED[1]:
            jax.block_until_ready(state)
            self.__exit__()

    def __exit__(self, *_):
        if self._running:
            jax.profiler.stop_trace()
            self._running = False
