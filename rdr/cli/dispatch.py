"""Tables of commands: their list in help, and the module of one of them."""

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence

from rdr import interruptions
from rdr.command_line import UsageError


def list_commands(commands: Mapping[str, str]) -> list[str]:
    """Writes a line for each command.

    Args:
      commands: name -> what it does.

    Returns:
      The lines.
    """
    width = max(map(len, commands))
    return [f"  {name:{width}}  {summary}" for name, summary in commands.items()]


def check_command(name: str, commands: Mapping[str, str], *, group: str = "") -> None:
    """Refuses a command that does not exist, with the list of those that do.

    Args:
      name: what was asked for.
      commands: name -> what it does.
      group: words before the name, as "rdr study"; none where the name says enough.

    Raises:
      UsageError: if there is no such command.
    """
    if name not in commands:
        near = difflib.get_close_matches(name, commands, 1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        text = f"{group} {name}".strip()
        raise UsageError(f"there is no command {text!r}{guess}; there are {', '.join(commands)}")


def load_command(module: str) -> Callable[[Sequence[str]], int]:
    """Imports a command.

    Args:
      module: its name within `rdr.cli`.

    Returns:
      Its `main`.
    """
    with interruptions.held():  # Ctrl-C amid the import of JAX is a segmentation fault
        return importlib.import_module(f"rdr.cli.{module}").main
