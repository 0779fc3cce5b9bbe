"""The command `rdr study`: experiments with people, from their pages to their scales; which subcommands there are."""

import sys
from collections.abc import Sequence

from rdr.cli.dispatch import check_command, list_commands, load_command
from rdr.command_line import run_safely

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
    return "\n".join((
        "usage: rdr study SUBCOMMAND ..", "", "Asks people about images, and makes scales of what they say.", "",
        *list_commands(SUBCOMMANDS), "", "`rdr study SUBCOMMAND --help` says more."))


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
        check_command(words[0], SUBCOMMANDS, group="rdr study")
        return load_command(f"study_{words[0]}")([f"rdr study {words[0]}", *words[1:]])

    return run_safely(call)
