"""Locks of outputs, so that two processes never write to one place."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextlib.contextmanager
def exclusive(path: str | os.PathLike) -> Iterator[None]:
    """Holds a place that is written to; the system lets go of it if the process dies.

    Args:
      path: the file or the folder that is written. The lock is a hidden file beside a file and inside a folder, and is
        gone afterwards.

    Yields:
      Nothing.

    Raises:
      ValueError: if another process holds it.
      OSError: if there is no such folder, or it cannot be written.
    """
    path = pathlib.Path(path)
    lock = path / ".lock" if path.is_dir() else path.with_name(f".{path.name[:200]}.lock")
    descriptor = _acquire(lock)
    if descriptor is None:
        raise ValueError(f"another process is writing to {path}: wait for it, or write to another place")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _acquire(lock: pathlib.Path) -> int | None:
    """Opens and locks a file; None if another process has."""
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks: nothing can be known
            return descriptor
        with contextlib.suppress(OSError):
            if os.fstat(descriptor).st_ino == os.stat(lock).st_ino:
                return descriptor
        os.close(descriptor)  # its last holder has removed the file meanwhile: take the new one
