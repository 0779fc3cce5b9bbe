"""Locks of outputs: held against other processes, let go of by the dead, never left behind."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import rdr
from rdr import locks

HOLD = """
import sys
from rdr import locks
with locks.exclusive(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=os.environ | {"PYTHONPATH": str(pathlib.Path(rdr.__file__).parents[1])})
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("folder", [True, False])
def test_another_process_is_refused_until_the_first_ends(tmp_path, folder):
    """Fault 33: two processes on one output were not detected."""
    path = tmp_path if folder else tmp_path / "out.rdr"
    first = hold(path)
    with pytest.raises(ValueError, match=f"another process is writing to {path}"), locks.exclusive(path):
        pass
    first.communicate("")
    with locks.exclusive(path):
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())


def test_the_dead_hold_nothing(tmp_path):
    first = hold(tmp_path)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (tmp_path / ".lock").exists()
    with locks.exclusive(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"), locks.exclusive(tmp_path / "nowhere" / "out.rdr"):
        pass
