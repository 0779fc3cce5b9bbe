import os
import shutil
import signal
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.training.checkpoints import Checkpoints


class Pair(NamedTuple):
    z: jax.Array
    a: jax.Array


STATE = {"a": jnp.arange(6, dtype=jnp.float32).reshape(2, 3) / 7, "b": (jnp.int32(4), jnp.float64(0.1))}


def test_restores_to_the_bit_and_keeps_the_newest(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.restore(STATE) is None
    for step in (1, 2, 3):
        checkpoints.save(step, {"a": STATE["a"] + step, "b": STATE["b"]})
    checkpoints.close()
    step, state = Checkpoints(tmp_path).restore(STATE)
    assert step == 3 and state["b"][1] == 0.1 and state["b"][0].dtype == jnp.int32
    np.testing.assert_array_equal(state["a"], STATE["a"] + 3)
    assert sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()) == [2, 3]


def test_fields_of_a_tuple_keep_their_places(tmp_path):
    """The fields' names are not in alphabetical order."""
    state = Pair(jnp.zeros((2,), jnp.float32), jnp.ones((3,), jnp.int32))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state)
    _, restored = checkpoints.restore(state)
    assert isinstance(restored, Pair) and restored.z.shape == (2,) and (restored.a == 1).all()


@pytest.mark.parametrize("template", [{"a": STATE["a"]}, {"a": jnp.zeros((2, 4), jnp.float32), "b": STATE["b"]},
                                      {"a": STATE["a"].astype(jnp.float64), "b": STATE["b"]}])
def test_another_structure_is_refused(tmp_path, template):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, STATE)
    with pytest.raises(ValueError, match="the checkpoint of step 1"):
        checkpoints.restore(template)


def test_ctrl_c_waits_for_what_is_being_saved(tmp_path, monkeypatch):
    """Threads of the store that still worked wrote a traceback at Python's end."""
    checkpoints = Checkpoints(tmp_path)
    save = checkpoints._manager.save

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        return save(*args, **kwargs)

    monkeypatch.setattr(checkpoints._manager, "save", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores interruptions
    try:
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(1, STATE)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert Checkpoints(tmp_path).restore(STATE)[0] == 1


def test_damage_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, STATE)
    files = [path for path in (tmp_path / "1").rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="cannot be restored"):
        checkpoints.restore(STATE)


def test_a_kill_while_the_newest_is_removed_costs_the_steps_since_the_one_before(tmp_path, capsys):
    """Fault 29: at some points of the order in which files are removed, the same command refused to go on for ever."""
    checkpoints = Checkpoints(tmp_path / "whole")
    for step in (1, 2):
        checkpoints.save(step, {"a": STATE["a"] + step, "b": STATE["b"]})
    checkpoints.close()
    newest = tmp_path / "whole" / "2"
    order = [path.relative_to(newest) for path in sorted(newest.rglob("*")) if path.is_file()]
    assert len(order) > 5
    steps = []
    for removed in range(1, len(order) + 1):
        directory = tmp_path / str(removed)
        shutil.copytree(tmp_path / "whole", directory)
        for path in order[:removed]:
            (directory / "2" / path).unlink()
        checkpoints = Checkpoints(directory)
        step, state = checkpoints.restore(STATE)
        np.testing.assert_array_equal(state["a"], STATE["a"] + step)
        checkpoints.save(step + 1, state)  # and the run goes on
        assert checkpoints.restore(STATE)[0] == step + 1
        checkpoints.close()
        steps.append(step)
        err = capsys.readouterr().err
        assert ("the checkpoint of step 2" in err and "going on from step 1" in err) or err == ""
    assert set(steps) <= {1, 2} and steps.count(1) >= len(order) // 2


@pytest.mark.parametrize(("said", "kind"), [
    ("RESOURCE_EXHAUSTED: Error writing", OSError), ("PERMISSION_DENIED: no", OSError), ("INTERNAL: no", ValueError),
])  # fmt: skip
def test_full_disks_are_errors_of_the_system(tmp_path, monkeypatch, said, kind):
    checkpoints = Checkpoints(tmp_path)

    def fail(*_, **__):
        raise ValueError(said)

    monkeypatch.setattr(checkpoints._manager, "save", fail)
    with pytest.raises(kind, match="progress cannot be saved .* '.*'" if kind is OSError else said):
        checkpoints.save(1, STATE)
