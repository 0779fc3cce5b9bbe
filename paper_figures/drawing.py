"""The command line that figures share: where the table is, and where the images go."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from paper_figures import style
from paper_figures.tables import DATA
from rdr import command_line
from rdr.command_line import CommandLine, option

OUTPUT = pathlib.Path("runs/figures")


@dataclasses.dataclass(frozen=True)
class Config:
    """What is drawn; each field says what it is."""

    table: str = option("", "the table to draw, CSV")
    out: str = option(str(OUTPUT), "the folder that the images go to")


def main(
    name: str, load: Callable[[pathlib.Path], Any], figures: dict[str, Callable[[Any], Figure]],
    argv: Sequence[str] | None = None,
) -> int:
    """Draws a module's figures.

    Args:
      name: of the committed table, `paper_figures/data/NAME.csv`, drawn where no other is given.
      load: reads a table.
      figures: file name without suffix -> function from what `load` returns to a figure.
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status: 0, or 1 or 2 after a sentence on standard error.
    """
    def call():
        line = CommandLine(f"python -m paper_figures.{name}", f"Draws {', '.join(figures)}.",
                           {"": Config(table=str(DATA / f"{name}.csv"))}, workdir="none")
        config = command_line.parse(line, argv).config
        try:
            data = load(pathlib.Path(config.table))
            for stem, draw in figures.items():
                style.apply()
                for path in style.save(draw(data), pathlib.Path(config.out) / stem):
                    print(path)
        except KeyError as error:
            raise ValueError(f"column {error} is missing in the table") from None

    return command_line.run_safely(call, interrupted="figures that were printed are there")
