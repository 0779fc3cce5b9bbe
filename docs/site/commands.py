"""Pages of the commands, from the parsers that read their flags."""

import argparse
import contextlib
import importlib
import inspect
import io
import shlex
from collections.abc import Iterator
from typing import Any
from unittest import mock

from docs.site.docstrings import escape, inline, to_rst
from rdr import command_line
from rdr.cli import main as commands
from rdr.cli.dispatch import load_command


class _Stop(Exception):
    """What ends a command once its words are read."""


def names() -> Iterator[tuple[str, str, str]]:
    """Lists all commands.

    Yields:
      (what one types after `rdr`, module in `rdr.cli`, summary); those of a group after the group, whose module is "".
    """
    for name, summary in commands.COMMANDS.items():
        group = getattr(importlib.import_module(f"rdr.cli.{name}"), "SUBCOMMANDS", None)
        yield name, "" if group else name, summary
        for sub, text in (group or {}).items():
            yield f"{name} {sub}", f"{name}_{sub}", text


def parser_of(module: str, words: str) -> tuple[command_line.CommandLine, argparse.ArgumentParser]:
    """Finds the parser of a command.

    Args:
      module: in `rdr.cli`.
      words: what one types after `rdr`.

    Returns:
      What the command understands, and its parser.
    """
    found: list[Any] = []
    make = command_line._make_parser

    def keep(line: command_line.CommandLine) -> Any:
        found.append((line, make(line)[0]))
        raise _Stop

    with mock.patch.object(command_line, "_make_parser", keep), contextlib.suppress(_Stop):
        load_command(module)([f"rdr {words}", "--help"])
    return found[0]


def refusal(call: str) -> str:
    """Reads a call as its command would, and runs nothing.

    Args:
      call: a line of a shell that begins with `rdr`.

    Returns:
      What is wrong with it; empty if the command understands it.
    """
    words = shlex.split(call, comments=True)[1:]
    module = next((module for name, module, _ in names()
                   if module and words[:name.count(" ") + 1] == name.split()), "")
    if not module:
        return f"no such command: {call}"
    read = command_line.parse

    def stop(*args: Any, **kwargs: Any) -> Any:
        read(*args, **kwargs)
        raise _Stop

    with mock.patch.object(command_line, "parse", stop), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            load_command(module)(["rdr", *words[module.count("_") + 1:]])
        except _Stop:
            return ""
    return said.getvalue() or f"not read to its end: {call}"


def _option(program: str, action: argparse.Action) -> list[str]:
    flags = ", ".join(f"{flag} {action.metavar or ''}".strip() for flag in reversed(action.option_strings))
    text = (action.help or "").replace("%%", "%")
    return [f".. option:: {flags}", "", f"   {inline(text)}", ""]


def write_page(module: str, words: str, summary: str) -> str:
    """Writes the page of a command.

    Args:
      module: in `rdr.cli`; empty for a group of commands.
      words: what one types after `rdr`.
      summary: what the list of commands says of it.

    Returns:
      reStructuredText.
    """
    title = f"rdr {words}"
    lines = [title, "=" * len(title), "", f"{escape(summary[:1].upper() + summary[1:])}.", ""]
    if not module:
        return "\n".join([*lines, ".. toctree::", "   :glob:", "", f"   {words}_*", ""])
    line, parser = parser_of(module, words)
    usage = " ".join(part for part in (line.program, line.words, "[options]") if part)
    text = inspect.cleandoc(line.description)
    lines += [".. code-block:: text", "", f"   {usage}", "", ".. container:: description", "",
              *(f"   {row}".rstrip() for row in to_rst(text)), "", f".. program:: {title}", ""]
    if line.extra is not None or line.presets:
        for group in parser._action_groups:
            actions = [a for a in group._group_actions if a.option_strings and a.help != argparse.SUPPRESS]
            if actions:
                heading = (group.title or "options").capitalize()
                lines += [heading, "-" * len(heading), ""]
                for action in actions:
                    lines += _option(title, action)
    lines += [f"Module: ``rdr.cli.{module}``.", ""]
    return "\n".join(lines)


def write_pages() -> dict[str, str]:
    """Writes the pages of all commands.

    Returns:
      File name -> text; `index.rst` lists them.
    """
    texts, rows, tops = {}, [], []
    for words, module, summary in names():
        file = words.replace(" ", "_")
        texts[f"{file}.rst"] = write_page(module, words, summary)
        rows += [f"   * - :doc:`rdr {words} <{file}>`", f"     - {escape(summary)}"]
        if " " not in words:
            tops.append(f"   {file}")
    title = "Commands"
    texts["index.rst"] = "\n".join([
        title, "=" * len(title), "",
        "The command ``rdr`` comes with the installation; ``python -m rdr`` is the same. Exit status: 0; 1 if "
        "something could not be done; 2 if the call is wrong; 130 after Ctrl-C. ``--help`` of each says what these "
        "pages say.", "",
        ".. list-table::", "   :widths: 30 70", "", *rows, "", ".. toctree::", "   :hidden:", "", *tops, ""])
    return texts
