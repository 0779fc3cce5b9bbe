"""Atomic writing of files: whole or not at all."""

import contextlib
import errno
import io
import json
import os
import pathlib
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

_SUFFIX = ".partial"
_MAX_NAME = 200  # bytes of a name that a temporary one repeats; systems allow 255


@contextlib.contextmanager
def open_atomic(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """Opens a file for writing that takes its place only when the block ends without an exception.

    Until then the bytes are in a hidden file of a name that nobody has, beside the one to be written; a process that is
    killed leaves that file behind and the old one untouched. A symbolic link stays, and the file that it names is
    written. A file that was there keeps its permissions. FIFOs and devices get the bytes directly, at the end of the
    block, since nothing can take their place.

    Args:
      path: the file to write.

    Yields:
      A binary stream, for seeking and reading, too.

    Raises:
      OSError: if it cannot be written, because the disk is full say; the message names the file.
    """
    target = pathlib.Path(os.path.realpath(path))
    with _named(path):
        try:
            mode = os.stat(target).st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is not None and not stat.S_ISREG(mode):
            with io.BytesIO() as buffer:
                yield buffer
                target.write_bytes(buffer.getvalue())
            return
        descriptor, partial = _new_file(target)
        try:
            with os.fdopen(descriptor, "w+b") as stream:
                yield stream
            if mode is not None:
                os.chmod(partial, stat.S_IMODE(mode))
            os.replace(partial, target)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes bytes, whole or not at all.

    Args:
      path: the file; see `open_atomic`.
      data: its content.

    Raises:
      OSError: if it cannot be written; the message names the file.
    """
    with open_atomic(path) as stream:
        stream.write(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text in UTF-8, whole or not at all.

    Args:
      path: the file; see `open_atomic`.
      text: its content; lines end as they do in it. Bytes of file names that are not UTF-8 are written as they are.

    Raises:
      OSError: if it cannot be written; the message names the file.
    """
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, Any], *, compressed: bool = False) -> None:
    """Writes arrays as an .npz archive, whole or not at all.

    Args:
      path: the file; see `open_atomic`. No suffix is added.
      arrays: by name.
      compressed: whether to deflate them.

    Raises:
      OSError: if it cannot be written; the message names the file.
    """
    with open_atomic(path) as stream:
        write: Any = np.savez_compressed if compressed else np.savez
        write(stream, **arrays)


def write_figure(path: str | os.PathLike, figure: Any, **options: Any) -> None:
    """Writes a figure, whole or not at all.

    Args:
      path: the file; see `open_atomic`. Its suffix says the format.
      figure: a Matplotlib figure.
      **options: of its `savefig`.

    Raises:
      OSError: if it cannot be written; the message names the file.
    """
    with open_atomic(path) as stream:
        figure.savefig(stream, format=pathlib.Path(path).suffix[1:], **options)


def append_json_line(path: str | os.PathLike, value: Any) -> None:
    """Appends a line of JSON to a file; what a killed process leaves of it, `read_json_lines` passes over.

    Args:
      path: the file, which need not exist.
      value: what the line holds.

    Raises:
      OSError: if it cannot be written; the message names the file.
    """
    with _named(path), open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(value) + "\n")


def read_json_lines(path: str | os.PathLike) -> list[Any]:
    """Reads a file of JSON lines that a run appends to.

    Args:
      path: the file, which need not exist.

    Returns:
      The content of the lines; a line that was cut short is left out.
    """
    path, values = pathlib.Path(path), []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                values.append(json.loads(line))
    return values


def is_partial(path: str | os.PathLike) -> bool:
    """Tells a temporary file of `open_atomic`, which a killed process leaves behind.

    Args:
      path: the file.

    Returns:
      Whether its name is one of those.
    """
    name = pathlib.Path(path).name
    return name.startswith(".") and name.endswith(_SUFFIX)


def remove_tree(directory: str | os.PathLike) -> None:
    """Removes a directory so that a process killed meanwhile never leaves half of it under its name.

    It is renamed first, to a hidden name that nobody has; what is left under that name is garbage.

    Args:
      directory: the directory; nothing happens if it does not exist.

    Raises:
      OSError: if it cannot be removed.
    """
    directory = pathlib.Path(directory)
    garbage = directory.with_name(_temporary_name(directory.name))
    try:
        os.rename(directory, garbage)
    except FileNotFoundError:
        return
    shutil.rmtree(garbage)


def _temporary_name(name: str) -> str:
    start = os.fsdecode(os.fsencode(name)[:_MAX_NAME])
    return f".{start}.{secrets.token_hex(6)}{_SUFFIX}"


def _new_file(target: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Makes a new file beside another, with the permissions that the process gives to new files."""
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
    while True:
        partial = target.with_name(_temporary_name(target.name))
        with contextlib.suppress(FileExistsError):
            return os.open(partial, flags, 0o666), partial


@contextlib.contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    """Names the file that was to be written in errors of the system, which name a temporary one or none."""
    try:
        yield
    except OSError as error:
        name = None if error.filename is None else pathlib.Path(os.fsdecode(error.filename))
        if error.errno is not None and (name is None or is_partial(name)):
            raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
        raise
