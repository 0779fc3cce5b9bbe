"""Turns a frozen `Config` dataclass with presets into flags, and runs an experiment with them.

An experiment module holds

    @dataclasses.dataclass(frozen=True)
    class Config:
        seed: int = 0
        steps: int = 1000

    PRESETS = {"smoke": Config(steps=10), "quick": Config(), "full": Config(steps=100_000)}

    def run(config, workdir): ...

    def main(argv=None):
        return command_line.main(__doc__, PRESETS, run, argv)

and every field of `Config` is a flag beside `--preset` and `--workdir`. Only `main` looks at flags; tests
call `run`.
"""

import contextlib
import dataclasses
import json
import pathlib
import sys
import tempfile
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from rdr import files

_DEFINERS = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def _parse_tuple(name: str, text: str, element: type) -> tuple:
    try:
        return tuple(element(part) for part in text.split(",") if part.strip())
    except ValueError:
        kind = element.__name__
        raise ValueError(f"--{name} must be {kind} values separated by commas, got {text!r}") from None


def _define(name: str, annotation: Any, values: flags.FlagValues) -> Callable[[Any], Any]:
    """Defines one flag; returns the function that turns the flag's value into the field's."""
    if typing.get_origin(annotation) is tuple:
        element = typing.get_args(annotation)[0]
        flags.DEFINE_string(name, None, "values separated by commas", flag_values=values)
        return lambda text: _parse_tuple(name, text, element)
    _DEFINERS[annotation](name, None, "default: the preset's value", flag_values=values)
    return lambda value: value


def parse(
    description: str, presets: Mapping[str, Any], argv: Sequence[str] | None, *, words: str | None = None,
    values_of_file: Mapping[str, Any] | None = None,
) -> tuple[Any, pathlib.Path]:
    """Reads a command line into a configuration and a working directory.

    Args:
      description: what `--help` says first.
      presets: configurations by name, all of one frozen dataclass; with a single one (tools) there is no `--preset`.
      argv: the command line with the program's name first; default `sys.argv`.
      words: the field (a tuple of strings) that takes what is left of the command line; default: nothing may be left.
      values_of_file: fields that something else sets; flags override them.

    Returns:
      The preset with the fields replaced that were given as flags, and the working directory.

    Raises:
      ValueError: on an unknown flag, preset or value, or leftover words; the message is one sentence.
      SystemExit: after `--help`.
    """
    argv = list(sys.argv if argv is None else argv)
    values = flags.FlagValues()
    default = next(iter(presets.values()))
    if len(presets) > 1:
        flags.DEFINE_enum("preset", "quick" if "quick" in presets else next(iter(presets)), list(presets),
                          "how much to run", flag_values=values)
    flags.DEFINE_string("workdir", None, "where results are written, and resumed from", flag_values=values)
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values, short_name="h")
    hints = typing.get_type_hints(type(default))
    names = [field.name for field in dataclasses.fields(default) if field.name != words]
    readers = {name: _define(name, hints[name], values) for name in names}
    try:
        rest = values(argv)[1:]
    except flags.Error as error:
        raise ValueError(" ".join(str(error).split())) from None
    if values.help:
        print(description.strip(), "\n\nFlags:", values.get_help(), sep="\n")
        raise SystemExit(0)
    if rest and words is None:
        raise ValueError(f"unexpected argument {rest[0]!r}: options start with --")
    if not values.workdir:
        raise ValueError("--workdir is missing: say where to write the results")
    given = {name: readers[name](values[name].value) for name in names if values[name].value is not None}
    if words is not None:
        given[words] = tuple(rest)
    preset = presets[values.preset] if len(presets) > 1 else default
    return dataclasses.replace(preset, **{**(values_of_file or {}), **given}), pathlib.Path(values.workdir)


def open_workdir(workdir: pathlib.Path, config: Any, *, kind: str = "workdir") -> pathlib.Path:
    """Makes a working directory and holds it to one configuration.

    Args:
      workdir: the directory; made where it does not exist.
      config: a dataclass; written to `config.json`, or compared with the one that is there.
      kind: what messages call it.

    Returns:
      The directory.

    Raises:
      ValueError: if it cannot be written, or holds the results of another configuration.
    """
    workdir = pathlib.Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise ValueError(f"{kind} {workdir} cannot be written: {error.strerror or error}") from None
    mine = json.loads(json.dumps(dataclasses.asdict(config)))
    path = workdir / "config.json"
    if path.exists():
        try:
            other = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{path} is damaged: remove it, or write to another place") from None
        if other != mine:
            differ = sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))
            raise ValueError(f"{kind} {workdir} holds a run with other settings ({', '.join(differ)}): "
                             "remove it, or write to another place")
    else:
        files.write_text(path, json.dumps(mine, indent=2) + "\n")
    return workdir


def read_lines(path: pathlib.Path) -> list[Any]:
    """Reads a file of JSON lines that a run appends to.

    Args:
      path: the file, which need not exist.

    Returns:
      What the lines hold; a line that was cut short is left out.
    """
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def run_safely(call: Callable[[], Any]) -> int:
    """Runs a command and turns refusals into one sentence and an exit status.

    Args:
      call: what to run.

    Returns:
      0, or 1 after a `ValueError` or `OSError` whose sentence went to standard error, or 130 after Ctrl-C.
    """
    try:
        call()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command resumes from what was saved", file=sys.stderr)
        return 130
    return 0


def main(
    description: str, presets: Mapping[str, Any], run: Callable[[Any, pathlib.Path], Any],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs an experiment from its command line.

    Args:
      description: what `--help` says first.
      presets: configurations by name.
      run: called with the configuration and the (existing, writable) working directory.
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        config, workdir = parse(description, presets, argv)
        run(config, open_workdir(workdir, config))

    return run_safely(call)
