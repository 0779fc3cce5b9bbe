"""Ctrl-C where Python or a library does not bear it: held back, not lost, and no traceback as Python ends."""

import _thread
import atexit
import contextlib
import functools
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def held(*, second: bool = False) -> Iterator[None]:
    """Holds Ctrl-C back until what runs within is done; then it comes.

    For what ends in a crash or in pages of other threads' tracebacks when it is interrupted: the import of extensions
    in C++, or the threads of a store. In threads where Ctrl-C does not come, and where it is ignored, nothing changes.

    Args:
      second: whether a second Ctrl-C gets through, should it take for ever.

    Yields:
      Nothing.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []

    def hold(number: int, frame: Any) -> None:
        came.append((number, frame))
        if second:
            signal.signal(signal.SIGINT, handler)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])


@contextlib.contextmanager
def never_lost() -> Iterator[None]:
    """Lets Ctrl-C come again where Python ignores it: in what it calls by itself, as JAX as it looks for cycles.

    Yields:
      Nothing.
    """
    before, timers = sys.unraisablehook, []

    def again(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            timers.append(threading.Timer(0.05, _thread.interrupt_main))  # at once it would be lost once more
            timers[-1].daemon = True
            timers[-1].start()
        else:
            before(lost)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in timers:  # what has ended cannot be interrupted
            timer.cancel()


@functools.cache
def end_quietly() -> None:
    """Sees to it that Ctrl-C as Python ends, after a command's last word, is no traceback of JAX's cleaning up."""
    # What is registered last is called first: by the end of a command JAX, if it is needed, has registered.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
