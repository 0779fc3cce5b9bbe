"""The command `rdr export`: messages as something that others can open."""

import dataclasses
import pathlib
from collections.abc import Sequence

from rdr import command_line, files
from rdr.cli.inputs import read_message
from rdr.codecs import overfitted, profiled
from rdr.codecs.image import messages
from rdr.command_line import CommandLine, UsageError, option
from rdr.web import pages

DESCRIPTION = """
Writes a fitted image as a page that shows it: decoder and all, in one file that opens in any browser.

    rdr export photo.rdr --html=photo.html

The page decodes the very pixels of `rdr decode` and takes four thirds of the message and about 50 kB; it tone-maps high
dynamic range and says so. Exit status: 0; 1 if something could not be done; 2 if the call is wrong.
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is written."""

    html: str = option("", "file of the page", first=True, metavar="FILE")
    title: str = option("", "of the page; none: the message's file name", first=True, metavar="TEXT")


def run(source: str, config: Config) -> None:
    """Writes a page.

    Args:
      source: file of the message, or "-".
      config: where to.

    Raises:
      UsageError: if nothing says where to.
      ValueError: if the message cannot be read, or is of another codec.
      OSError: if the page cannot be written.
    """
    if not config.html:
        raise UsageError("--html is missing: say which page to write")
    message = read_message(source)
    if messages.is_amortized_message(profiled.split(message).message):
        raise ValueError(f"{source} is the message of an amortized codec, whose network no page holds: write a PNG "
                         "with rdr decode")
    if profiled.split(message).profile is not None:
        raise ValueError(f"{source} keeps a color profile, which no page shows: encode the image with --color=convert, "
                         "or write a PNG with rdr decode")
    about = overfitted.describe(message)
    name = "image" if source == "-" else pathlib.Path(source).name
    page = pages.image_page(message, (about["height"], about["width"]), title=pages.printable(config.title or name))
    target = pathlib.Path(config.html)
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(target, page)
    print(f"{target}: {len(page.encode()):,} bytes, {len(message):,} of them for the image")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        line = CommandLine("rdr export", DESCRIPTION, {"": Config()}, words="IN.rdr", workdir="none")
        parsed = command_line.parse(line, argv)
        if len(parsed.words) != 1 or not parsed.words[0]:
            raise UsageError("say what to export: rdr export IN.rdr --html=OUT.html (--help says more)")
        run(parsed.words[0], parsed.config)

    return command_line.run_safely(call, interrupted="nothing was written")
