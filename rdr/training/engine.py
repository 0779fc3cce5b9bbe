"""The training engine: steps on all devices, with checkpoints, metrics, a progress bar, and a guard against NaNs."""

import pathlib
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from rdr import sharding
from rdr.training.checkpoints import Checkpoints
from rdr.training.metrics import MetricsLog
from rdr.training.step import StepReport, TrainState

_PROFILED = (3, 8)  # after so many steps of a session, until so many


def fit(
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
    """Trains, or goes on with a training that was interrupted.

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
    if steps < 1 or log_every < 1 or save_every < 1 or save_every % log_every:
        raise ValueError("steps and log_every must be at least 1 and save_every a multiple of log_every, got "
                         f"{steps}, {log_every} and {save_every}")
    directory = pathlib.Path(directory)
    mesh = sharding.data_mesh() if mesh is None else mesh
    checkpoints = Checkpoints(directory / "checkpoints", keep=keep)
    names = [jax.tree_util.keystr(path, simple=True, separator="/")
             for path, _ in jax.tree_util.tree_leaves_with_path(state.params)]
    state = jax.tree.map(np.asarray, state)
    restored = checkpoints.restore(state)
    done, state = restored if restored is not None else (0, state)
    first = jax.process_index() == 0
    log = MetricsLog(directory / "metrics.jsonl", done=done) if first else None
    state = sharding.replicate(state, mesh)
    whole, parts = sharding.replicated(mesh), sharding.divided(mesh)
    run = jax.jit(step, in_shardings=(whole, parts), out_shardings=whole, donate_argnums=0)
    window: list[dict] = []

    def settle(number: int, report: StepReport, kept: str) -> None:
        """Waits for a step's report, and stops if it is not finite."""
        values = {name: np.asarray(value) for name, value in report.metrics.items()}
        wrong = [name for name, value in values.items() if not np.isfinite(value)]
        bad = [name for name, fine in zip(names, np.asarray(report.finite)) if not fine]
        if wrong or bad:
            what = ", ".join(wrong) or "the gradient"
            where = f"; gradients of {', '.join(bad[:3])}{' and others' if len(bad) > 3 else ''}" if bad else ""
            raise ValueError(f"{description}: {what} not finite at step {number}{where}; {kept}")
        window.append(values)

    start, waiting, tracing, saved = done, None, False, done
    clock = time.monotonic()
    stream = sharding.to_devices(batches(done), mesh) if done < steps else iter(())
    with tqdm(total=steps, initial=done, desc=description, unit="step", disable=not first) as bar:
        try:
            while done < steps:
                if profile and done - start == _PROFILED[0]:
                    jax.profiler.start_trace(str(directory / "profile"))
                    tracing = True
                state, report = run(state, next(stream))
                kept = f"the state of step {saved} is kept in {directory}" if saved else "nothing was saved yet"
                if waiting is not None:  # the step before, while this one runs
                    settle(*waiting, kept)
                waiting = (done, report)
                done += 1
                bar.update()
                if tracing and done - start == _PROFILED[1]:
                    jax.block_until_ready(state)
                    jax.profiler.stop_trace()
                    tracing = False
                if done % log_every == 0 or done == steps:
                    settle(*waiting, kept)
                    waiting = None
                    means = {name: float(np.mean([values[name] for values in window], dtype=np.float64))
                             for name in window[0]}
                    window.clear()
                    if first:
                        log.write(done, means)
                    rate = (done - start) / (time.monotonic() - clock)
                    bar.set_postfix({"loss": f"{means['loss']:.4g}", "steps/s": f"{rate:.2f}"})
                if done % save_every == 0 or done == steps:
                    checkpoints.save(done, state)  # after its line: a line too many is dropped on resuming
                    saved = done
        finally:
            if tracing:
                jax.profiler.stop_trace()
    checkpoints.close()
    return jax.tree.map(np.asarray, state)
