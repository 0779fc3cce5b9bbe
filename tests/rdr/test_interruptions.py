"""Ctrl-C at moments that Python or a library does not bear."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rdr import command_line, interruptions


@pytest.fixture(autouse=True)
def _ctrl_c():
    """It comes, though a background shell, which may have started the tests, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.001)  # it comes between two steps of Python


def test_it_is_held_back_until_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), interruptions.held():
        press()
        press()
        done.append(1)
    assert done == [1]
    with pytest.raises(KeyboardInterrupt), interruptions.held():
        press()
        raise ValueError  # what it holds for may swallow others
    with interruptions.held():
        pass


def test_a_second_one_may_get_through():
    done = []
    with pytest.raises(KeyboardInterrupt), interruptions.held(second=True):
        press()
        done.append(1)
        press()
        done.append(2)
    assert done == [1]


def test_where_it_does_not_come_nothing_changes():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptions.held():
        press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def other():
        with interruptions.held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_an_interruption_as_python_ends_is_no_traceback():
    """JAX cleans up as Python ends, which takes a while."""
    program = """if True:
        import atexit, os, signal, sys
        from rdr import command_line
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(command_line.run_safely(lambda: atexit.register(os.kill, os.getpid(), signal.SIGINT) and None))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interruption_that_python_ignores_comes_again(capsys):
    """One within JAX's callback of the search for cycles was a traceback, and the command went on to its end."""
    def lose(*_):
        gc.callbacks.remove(lose)
        raise KeyboardInterrupt

    def call(naps=500):
        gc.callbacks.append(lose)
        gc.collect(0)  # of the youngest, which is quick in a large process, too
        for _ in range(naps):
            time.sleep(0.01)

    before = sys.unraisablehook
    assert command_line.run_safely(lambda: call(naps=0)) == 0
    time.sleep(0.1)  # it does not come after the command's end
    assert command_line.run_safely(call) == 130 and sys.unraisablehook is before
    assert capsys.readouterr().err == "interrupted: the same command resumes from what was saved\n"
