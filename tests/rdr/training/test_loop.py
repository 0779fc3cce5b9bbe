import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.training.loop import one_bar, train_scanned


def noisy_descent(state, step):
    key = jax.random.fold_in(jax.random.key(0), step)
    gradient = 2 * state + 0.1 * jax.random.normal(key, state.shape, state.dtype)
    state = state - 0.05 * gradient
    return state, {"loss": jnp.sum(jnp.square(state))}


START = jnp.asarray([1.0, -2.0], jnp.float32)


def test_equals_a_plain_loop_and_writes_means(tmp_path):
    found = train_scanned(START, noisy_descent, steps=7, chunk=3, directory=tmp_path)
    state, losses = START, []
    for step in range(7):
        state, metrics = noisy_descent(state, jnp.int32(step))
        losses.append(float(metrics["loss"]))
    np.testing.assert_allclose(found, state, rtol=1e-6)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 7]
    np.testing.assert_allclose(lines[1]["loss"], np.mean(losses[3:6]), rtol=1e-5)
    np.testing.assert_array_equal(train_scanned(START, noisy_descent, steps=7, chunk=3, directory=None), found)


def test_an_interrupted_run_ends_in_the_same_bits(tmp_path):
    whole = train_scanned(START, noisy_descent, steps=8, chunk=2, directory=tmp_path / "whole")
    calls = []

    def interrupted(state, step):
        def stop(step):
            calls.append(int(step))
            if step >= 5:
                raise KeyboardInterrupt
        jax.debug.callback(stop, step)
        return noisy_descent(state, step)

    with pytest.raises(BaseException, match=r"KeyboardInterrupt|"):
        train_scanned(START, interrupted, steps=8, chunk=2, directory=tmp_path / "parts")
    assert max(calls) >= 5  # it was stopped in the third chunk
    metrics = tmp_path / "parts" / "metrics.jsonl"
    # What an interruption can leave behind: the line of a chunk that was not saved, and half a line.
    metrics.write_text(metrics.read_text() + '{"step": 6, "loss": 7.0}\n{"step": 8, "lo')
    resumed = train_scanned(START, noisy_descent, steps=8, chunk=2, directory=tmp_path / "parts")
    np.testing.assert_array_equal(resumed, whole)
    assert metrics.read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()


def test_several_trainings_share_one_bar_that_says_what_it_waits_for(tmp_path, capsys):
    """Fault 21: the bar stood at 0 while it compiled, and a fit showed several bars of one name and without a total."""
    with one_bar():
        train_scanned(START, noisy_descent, steps=2, chunk=1, directory=tmp_path / "a", description="first")
        train_scanned(START, noisy_descent, steps=5, chunk=5, directory=tmp_path / "b", description="second")
        train_scanned(START, noisy_descent, steps=5, chunk=5, directory=tmp_path / "b", description="second again")
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert shown[-1].startswith("second again: 100%") and "7/7" in shown[-1] and "loss=" in shown[-1]
    assert any("first" in line and "compiling" in line for line in shown)
    train_scanned(START, noisy_descent, steps=2, chunk=2, directory=tmp_path / "c", description="alone")
    assert "alone: 100%" in capsys.readouterr().err


def test_a_finished_run_is_not_run_again(tmp_path):
    first = train_scanned(START, noisy_descent, steps=2, chunk=2, directory=tmp_path)

    def never(state, step):
        raise AssertionError("no step is left")

    np.testing.assert_array_equal(train_scanned(START, never, steps=2, chunk=2, directory=tmp_path), first)


def test_nan_stops_with_the_step_and_the_culprit(tmp_path):
    def spoilt(state, step):
        return state, {"loss": jnp.sum(state), "rate": jnp.where(step == 4, jnp.nan, 1.0)}

    with pytest.raises(ValueError, match="rate is not finite at step 4; the state of step 3 is kept"):
        train_scanned(START, spoilt, steps=9, chunk=3, directory=tmp_path / "a")
    with pytest.raises(ValueError, match="rate is not finite at step 4; nothing was saved yet"):
        train_scanned(START, spoilt, steps=9, chunk=5, directory=tmp_path / "b")


@pytest.mark.parametrize("steps, chunk", [(0, 1), (1, 0)])
def test_nothing_to_do_is_refused(tmp_path, steps, chunk):
    with pytest.raises(ValueError, match="steps and chunk must be at least 1"):
        train_scanned(START, noisy_descent, steps=steps, chunk=chunk, directory=tmp_path)


_KILLED = """if True:
    import os, sys
    directory, last, done = "no run", 0, 0

    def before(event, args):
        global done
        written = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        if (written or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir")) and directory in str(args[0]):
            done += 1
            if done == last:
                sys.stdout.flush()
                os._exit(9)

    import jax, jax.numpy as jnp, numpy as np
    from rdr.training.loop import train_scanned

    def update(state, step):
        noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), step), state.shape)
        return state - 0.1 * (state - noise), {"loss": jnp.sum(state**2)}

    sys.addaudithook(before)
    count = 0
    for run in sys.argv[1:]:
        directory, last = run.rsplit(":", 1)
        done, last = 0, int(last) if int(last) >= 0 else count + int(last)
        state = train_scanned(jnp.ones(3, jnp.float32), update, steps=8, chunk=2, directory=directory)
        count, lines = done, open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8").read()
        print(count, np.asarray(state).tobytes().hex(), hash(lines))
"""


def killed_runs(*runs):
    """Trains a toy in a process, in one folder after the other; gives what it prints at the end of each.

    The process dies before file operation number `last` of a run; 0: it does not; -k: k before the last of as many as
    the run before it had.
    """
    done = subprocess.run([sys.executable, "-c", _KILLED, *(f"{directory}:{last}" for directory, last in runs)],
                          capture_output=True, text=True,
                          env=os.environ | {"PYTHONHASHSEED": "0", "JAX_PLATFORMS": "cpu"})
    assert done.returncode == (9 if runs[-1][1] else 0), done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_a_run_that_was_killed_before_a_file_operation_ends_as_if_it_had_not(tmp_path):
    [[count, *whole]] = killed_runs((tmp_path / "whole", 0), (tmp_path / "part", -3))
    assert int(count) > 30
    assert killed_runs((tmp_path / "part", 0))[0][1:] == whole


@pytest.mark.stress
def test_a_kill_before_any_file_operation_costs_nothing_but_time(tmp_path):
    """Fault 29: at every operation; 17 of 36 points of a deletion made the same command refuse to go on."""
    [[count, *whole]] = killed_runs((tmp_path / "whole", 0))
    for last in range(1, int(count) + 1):
        assert killed_runs((tmp_path / str(last), last)) == []
        assert killed_runs((tmp_path / str(last), 0))[0][1:] == whole, last
