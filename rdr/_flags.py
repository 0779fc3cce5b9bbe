"""Flags of a frozen dataclass: what `rdr.command_line` defines, converts and refuses."""

import argparse
import dataclasses
import difflib
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_NUMBERS = {int: "a whole number", float: "a number"}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class UsageError(ValueError):
    """A call that is wrong whatever files there are: an unknown word, or a value that no run takes."""


def option(
    default: Any, help_text: str, *, choices: Sequence[str] = (), first: bool = False, metavar: str = ""
) -> Any:
    """Makes a field of a configuration that is a flag with help.

    Args:
      default: the value without the flag.
      help_text: what `--help` says of it: the thing, its unit, and when to change it. The default is added.
      choices: the words that are allowed; empty for any value.
      first: whether it is one of those that one needs first.
      metavar: what `--help` shows for the value, FILE or FOLDER say; empty for what its type says.

    Returns:
      A dataclass field.
    """
    return dataclasses.field(default=default, metadata={
        "help": help_text, "choices": tuple(choices), "first": first, "metavar": metavar})


def converter_of(name: str, kind: Any, choices: Sequence[str] = ()) -> Callable[[str], Any]:
    """Makes the function that turns a flag's text into its field's value.

    Args:
      name: of the flag.
      kind: int, float, str, or a tuple of one of these, whose values are separated by commas.
      choices: the words that are allowed; empty for any value.

    Returns:
      The function; it raises `UsageError`.
    """
    element = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind

    def convert(text: str) -> Any:
        try:
            value = element(text)
        except ValueError:
            raise UsageError(f"--{name} must be {_NUMBERS[element]}, got {text!r}") from None
        if choices and value not in choices:
            raise UsageError(f"--{name} must be one of {', '.join(filter(None, choices))}, got {text!r}")
        return value

    def convert_all(text: str) -> tuple:
        try:
            return tuple(convert(part.strip()) for part in text.split(",") if part.strip())
        except UsageError as error:
            if choices or element is str:
                raise
            kinds = _NUMBERS[element].split(" ", 1)[1] + "s"
            raise UsageError(f"--{name} must be {kinds} separated by commas, got {text!r}") from error

    return convert if element is kind else convert_all


def _show(value: Any) -> str:
    """Writes a default as it would be given."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(_show, value)) or "none"
    return (f"{value:g}" if isinstance(value, float) else str(value)) or "none"


def _describe_default(name: str, presets: Mapping[str, Any]) -> str:
    values = {preset: _show(getattr(config, name)) for preset, config in presets.items()}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} ({preset})" for preset, value in values.items())


def _group(parser: argparse.ArgumentParser, title: str) -> Any:
    """The parser's group of that title, which is made where there is none."""
    return next((group for group in parser._action_groups if group.title == title), None) or (
        parser.add_argument_group(title))


def add_fields(
    parser: argparse.ArgumentParser, presets: Mapping[str, Any], title: str
) -> dict[str, Callable[[Any], Any]]:
    """Defines the flags of a dataclass, those that one needs first in a group of their own.

    Args:
      parser: gets the flags.
      presets: instances of the dataclass by name, for their defaults.
      title: of the group of all others.

    Returns:
      Name -> function from what was given to the value; flags that take no value have `bool`.
    """
    fields = dataclasses.fields(next(iter(presets.values())))
    hints = typing.get_type_hints(type(next(iter(presets.values()))))
    first, further = _group(parser, "what one needs first"), _group(parser, title)
    converters: dict[str, Callable[[Any], Any]] = {}
    for field in fields:
        name, kind, choices = field.name, hints[field.name], field.metadata.get("choices", ())
        parts = [field.metadata.get("help", ""), f"one of {', '.join(filter(None, choices))}" if choices else ""]
        text = "; ".join(part for part in parts if part) + f" [{_describe_default(name, presets)}]"
        group, text = first if field.metadata.get("first") else further, text.replace("%", "%%")
        converters[name] = bool if kind is bool else converter_of(name, kind, choices)
        if kind is bool:
            group.add_argument(f"--{name}", action="store_true", default=None, help=text)
            parser.add_argument(f"--no{name}", action="store_false", default=None, dest=name, help=argparse.SUPPRESS)
        else:
            usual = {int: "N", float: "X", str: "WORD"}.get(kind, "A,B,..")
            group.add_argument(f"--{name}", metavar=field.metadata.get("metavar") or usual, help=text)
    return converters


def spell_switches(argv: Sequence[str], switches: Sequence[str]) -> list[str]:
    """Turns `--flag=true` and `--flag=false` into `--flag` and `--noflag`.

    Args:
      argv: the command line without the program's name.
      switches: names of the flags that take no value.

    Returns:
      The command line.

    Raises:
      UsageError: if a flag's value is neither.
    """
    spelled = []
    for word in argv:
        name, separator, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and separator and name in switches:
            if value.lower() not in _BOOLEANS:
                raise UsageError(f"--{name} must be true or false, got {value!r}")
            word = f"--{name}" if _BOOLEANS[value.lower()] else f"--no{name}"
        spelled.append(word)
    return spelled


def refuse(word: str, names: Sequence[str]) -> None:
    """Refuses a flag that does not exist, naming the one that it may stand for, and all that do exist.

    Args:
      word: of the command line.
      names: of the flags that exist.

    Raises:
      UsageError: always.
    """
    word = word.partition("=")[0]
    near = difflib.get_close_matches(word.lstrip("-"), names, 1)
    guess = f" (did you mean --{near[0]}?)" if near else ""
    raise UsageError(f"there is no option {word}{guess}; there are --{', --'.join(names)}")
