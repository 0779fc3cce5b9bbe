"""Losses of quantizers against the bounds of a Gaussian: by lattice dimension, and by rate for scalar ones.

    python -m paper_figures.quantization_gaps [--table=...] [--out=runs/figures]

Reads the table of `experiments.bounds.quantization_gaps`; the committed one is its preset "full".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table

CURVES = {
    "entropy_coded": ("-", COLORS[0], "entropy-coded, over $R(D)$"),
    "dithered": ("--", COLORS[2], "dithered, Wiener, over $R(D)$"),
    "dithered_realism": (":", COLORS[1], "dithered, realistic, over $R(D, P{=}0)$"),
}
NAMES = {"Z": "$\\mathbb{Z}$", "A2": "$A_2$", "A3*": "$A_3^*$", "D4": "$D_4$", "E8": "$E_8$",
         "BW16": "$\\Lambda_{16}$", "Leech": "$\\Lambda_{24}$"}


class Data(NamedTuple):
    """The table's columns by name, each of shape [rows]."""

    columns: dict[str, np.ndarray]

    def series(self, name: str) -> dict[str, np.ndarray]:
        """The rows of one series.

        Args:
          name: of the series.

        Returns:
          Columns by name.

        Raises:
          ValueError: if the table has no such rows.
        """
        chosen = self.columns["series"] == name
        if not chosen.any():
            raise ValueError(f"the table has no rows of series {name!r}")
        return {key: column[chosen] for key, column in self.columns.items()}


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(read_table(path, {"series", "name", "dimension", "rate_bits", "excess_bits"})[1])


def make_figure(data: Data) -> Figure:
    """Draws both panels.

    Args:
      data: the table.

    Returns:
      The figure.

    Raises:
      ValueError: if a series is missing.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.0), layout="constrained")
    bound, lattice = data.series("sphere_bound"), data.series("lattice")
    left.plot(bound["dimension"], bound["excess_bits"], "-", color=COLORS[0], label="sphere bound (lower)")
    left.plot(lattice["dimension"], lattice["excess_bits"], "o", color=COLORS[2], label="lattices")
    for n, excess, name in zip(lattice["dimension"], lattice["excess_bits"], lattice["name"]):
        left.annotate(NAMES.get(name, name), (n, excess), xytext=(5, 4), textcoords="offset points", fontsize=8)
    left.set(xscale="log", xlabel="dimension $n$", ylabel="excess over $R(D)$ (bits per dimension)",
             title="High rate", xlim=(0.9, 32), ylim=(0, 0.3))
    ticks = [1, 2, 3, 4, 8, 16, 24]
    left.set_xticks(ticks, [str(t) for t in ticks])
    left.minorticks_off()
    left.legend(loc="lower left")

    for series, (line, color, label) in CURVES.items():
        rows = data.series(series)
        order = np.argsort(rows["rate_bits"])
        right.plot(rows["rate_bits"][order], rows["excess_bits"][order], linestyle=line, color=color, label=label)
    limit = lattice["excess_bits"][lattice["name"] == "Z"]
    right.axhline(float(limit[0]), color="0.55", linewidth=0.8)
    right.annotate("$\\frac{1}{2}\\log_2\\frac{2\\pi e}{12}$", (2.6, float(limit[0])), xytext=(0, 5),
                   textcoords="offset points", fontsize=8, color="0.35")
    right.set(xlabel="rate (bits per sample)", ylabel="excess (bits per sample)", title="Scalar quantizers, Gaussian",
              xlim=(0, 4), ylim=(0, 0.3))
    right.legend(loc="lower right")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("quantization_gaps", load, {"quantization_gaps": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
