"""The command `rdr study`: experiments with people, from their pages to their scales; which subcommands there are."""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence

from rdr.command_line import UsageError, run_safely

SUBCOMMANDS = {
    "make": "a site that shows images and asks about them, without a server",
    "serve": "the same for a laboratory: a server that hands out trials and keeps the answers",
    "analyze": "scales, intervals and figures of the answers",
}


def describe() -> str:
    """Writes what `rdr study --help` shows.

    Returns:
      The text.
    """
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, summary in SUBCOMMANDS.items()]
    return "\n".join((
        "usage: rdr study SUBCOMMAND ..", "", "Asks people about images, and makes scales of what they say.", "",
        *lines, "", "`rdr study SUBCOMMAND --help` says more."))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    words = list(sys.argv if argv is None else argv)[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(describe(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2

    def call():
        name = words[0]
        if name not in SUBCOMMANDS:
            near = difflib.get_close_matches(name, SUBCOMMANDS, 1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(f"there is no command 'rdr study {name}'{guess}; there are {', '.join(SUBCOMMANDS)}")
        if importlib.util.find_spec(f"rdr.cli.study_{name}") is None:
            raise ValueError(f"rdr study {name} is not part of this version")
        return importlib.import_module(f"rdr.cli.study_{name}").main([f"rdr study {name}", *words[1:]])

    return run_safely(call)
