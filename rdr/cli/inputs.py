"""Files that a command line names: single ones, wildcards, folders, and standard input."""

import glob
import pathlib
import sys
from collections.abc import Sequence

from rdr.command_line import UsageError
from rdr.data.folders import list_images

MESSAGE_SUFFIX = ".rdr"


def is_many(words: Sequence[str]) -> bool:
    """Tells whether words may stand for several files, so that results go to a folder.

    Args:
      words: files, folders and wildcards.

    Returns:
      Whether there are several, or one is a folder or a wildcard.
    """
    return len(words) > 1 or any(pathlib.Path(word).is_dir() or _is_wildcard(word) for word in words)


def list_messages(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists the messages of a folder.

    Args:
      folder: the folder; its subfolders are not searched.

    Returns:
      Its .rdr files in order of names.

    Raises:
      ValueError: if there are none.
    """
    result = sorted(file for file in folder.iterdir()
                    if file.suffix == MESSAGE_SUFFIX and not file.name.startswith("."))
    if not result:
        raise ValueError(f"there are no {MESSAGE_SUFFIX} files in {folder}")
    return result


def expand(words: Sequence[str], kind: str) -> dict[str, pathlib.Path]:
    """Finds the files that words stand for.

    Args:
      words: files, folders and wildcards.
      kind: what folders are searched for, "images" or "messages".

    Returns:
      The files by name without suffix, which is what results are named after.

    Raises:
      ValueError: if there is no such file, nothing matches, or two files have one name.
      UsageError: if a word is empty.
    """
    files: list[pathlib.Path] = []
    for word in words:
        path = pathlib.Path(word)
        if not word:
            raise UsageError("a file's name is empty")
        if path.is_dir():
            files += list_images(path, recursive=False) if kind == "images" else list_messages(path)
        elif _is_wildcard(word):
            matches = sorted(pathlib.Path(match) for match in glob.glob(word) if pathlib.Path(match).is_file())
            if not matches:
                raise ValueError(f"no file matches {word!r}")
            files += matches
        elif path.exists():
            files.append(path)
        else:
            raise ValueError(f"there is no file {word!r}")
    result: dict[str, pathlib.Path] = {}
    for file in dict.fromkeys(files):
        if file.stem in result:
            raise ValueError(f"{result[file.stem]} and {file} have one name: their results would have, too")
        result[file.stem] = file
    return result


def read_message(path: str | pathlib.Path) -> bytes:
    """Reads a file that should hold a message.

    Args:
      path: the file, or "-" for standard input.

    Returns:
      Its bytes.

    Raises:
      ValueError: if there is no such file, or nothing in it.
    """
    if str(path) == "-":
        message = sys.stdin.buffer.read()
        if not message:
            raise ValueError("standard input is empty")
        return message
    path = pathlib.Path(path)
    if not path.exists():
        raise ValueError(f"there is no file {str(path)!r}")
    message = path.read_bytes()
    if not message:
        raise ValueError(f"{path} is empty")
    return message


def _is_wildcard(word: str) -> bool:
    return glob.has_magic(word) and not pathlib.Path(word).exists()
