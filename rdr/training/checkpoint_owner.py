"""Owner of the progress in a directory, so that no fit goes on from that of other data or of other options."""

import hashlib
import json
import numbers
import pathlib
from typing import Any

import numpy as np

from rdr import files

RECORD = "fit_of.json"


def digest(*parts: Any) -> str:
    """Tells apart what fits are made of.

    Args:
      parts: arrays, of which shape, dtype and bytes count; numbers, strings and None; functions, by their names;
        and tuples, lists and dictionaries of these.

    Returns:
      The SHA-256 in hexadecimal digits.
    """
    result = hashlib.sha256()

    def add(part):
        if isinstance(part, tuple | list):
            result.update(f"({len(part)};".encode())
            for one in part:
                add(one)
        elif isinstance(part, dict):
            add(tuple(sorted(part.items())))
        elif callable(part):
            name = getattr(part, "__qualname__", type(part).__name__)
            result.update(f"{getattr(part, '__module__', '')}.{name};".encode())
        elif part is None or isinstance(part, str | numbers.Number):
            part = part.item() if isinstance(part, np.generic) else part
            result.update(f"{part!r};".encode())
        else:
            array = np.asarray(part)
            result.update(f"{array.shape} {array.dtype.str};".encode())
            result.update(np.ascontiguousarray(array).tobytes())

    add(parts)
    return result.hexdigest()


def claim(directory: pathlib.Path, *parts: Any) -> None:
    """Writes down what a directory's progress belongs to, or compares it with what is there.

    A record of a fit that made no progress, perhaps because an option was refused, is replaced; and progress without a
    record, of an earlier version, is taken for the right one.

    Args:
      directory: where progress is kept; it is made if need be.
      parts: see `digest`.

    Raises:
      ValueError: if the directory's progress belongs to something else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    record, own = directory / RECORD, json.dumps({"sha256": digest(*parts)})
    if record.exists() and record.read_text(encoding="utf-8") == own:
        return
    if record.exists() and any(path != record and not files.is_partial(path) for path in directory.iterdir()):
        raise ValueError(f"{directory} holds the progress of other data or of other options: remove it or choose "
                         "another")
    files.write_text(record, own)
