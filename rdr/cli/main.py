"""The command `rdr`: which commands there are, and where each of them is."""

import os
import sys
from collections.abc import Sequence

import rdr
from rdr.cli import compilation_cache
from rdr.cli.dispatch import check_command, list_commands, load_command
from rdr.command_line import run_safely

COMMANDS = {
    "encode": "images to files: a decoder fitted to each, or a pretrained codec",
    "decode": "files to images",
    "info": "what a file says of itself",
    "export": "a file as a page that shows it",
    "view": "a page that compares images with each other and with their original",
    "evaluate": "decoded images against originals, or what a codec makes of a folder",
    "compare": "rate-distortion curves and Bjontegaard deltas of codecs",
    "correlate": "metrics with the opinions of people",
    "study": "experiments with people: their site, and scales of their answers",
    "train": "an image codec from a folder of images",
    "bound": "the rate-distortion(-perception) curve of a source, bracketed",
}


def describe() -> str:
    """Writes what `rdr --help` shows.

    Returns:
      The text.
    """
    folder = compilation_cache.cache_folder(os.environ) or "no folder"
    return "\n".join((
        "usage: rdr COMMAND ..", "", "Learned image compression, and the bounds that it is measured by.", "",
        *list_commands(COMMANDS),
        "", f"Compiled programs are kept in {folder}, at most a gigabyte;",
        f"{compilation_cache.SWITCH}=DIR names another folder, 0 switches that off.",
        "", "`rdr COMMAND --help` says more, `rdr --version` which version this is. Exit status: 0; 1 if something",
        "could not be done; 2 if the call is wrong."))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    words = list(sys.argv if argv is None else argv)[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(describe(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in ("--version", "version"):
        print(f"rdr {rdr.__version__}")
        return 0

    def call():
        check_command(words[0], COMMANDS)
        compilation_cache.enable()
        os.environ["XLA_FLAGS"] = compilation_cache.with_quick_emitters(os.environ.get("XLA_FLAGS", ""))
        return load_command(words[0])([f"rdr {words[0]}", *words[1:]])

    return run_safely(call)
