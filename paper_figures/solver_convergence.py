"""Certificate gap against time for the methods that compute R(D) of a finite alphabet.

    python -m paper_figures.solver_convergence [--table=runs/.../solver_convergence.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.solver_convergence`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

METHODS = {
    "interior_point": "interior point",
    "blahut_arimoto": "Blahut–Arimoto",
    "constrained_blahut_arimoto": "constrained Blahut–Arimoto",
}
TITLES = {"gaussian": "Gaussian on a grid, squared error", "random": "random source and distortion"}


class Data(NamedTuple):
    """A table of solves.

    Attributes:
      header: its header lines.
      columns: its columns by name.
    """

    header: dict[str, str]
    columns: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table of `experiments.bounds.solver_convergence`.

    Args:
      path: the CSV file.

    Returns:
      The table.

    Raises:
      ValueError: if it cannot be read, or is another table.
    """
    header, columns = read_table(path)
    if "gap_bits" not in columns or not len(columns["gap_bits"]):
        raise ValueError(f"{path} holds no solves")
    return Data(header, columns)


def convergence(data: Data) -> Figure:
    """One panel per source: certified gap over seconds, and the number of iterations beside some points.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    table = data.columns
    present = list(dict.fromkeys(table["source"]))
    figure, axes = plt.subplots(1, len(present), figsize=(3.6 * len(present), 3.3), sharey=True, squeeze=False,
                                layout="constrained")
    for axis, source in zip(axes[0], present):
        for i, (method, label) in enumerate(METHODS.items()):
            rows = (table["source"] == source) & (table["method"] == method)
            seconds, gap = 1e3 * table["seconds"][rows], np.maximum(table["gap_bits"][rows], 1e-15)
            axis.plot(seconds, gap, LINES[i], marker=MARKERS[i], color=COLORS[(0, 2, 3)[i]], label=label, mec="w",
                      mew=0.4)
            axis.annotate(f"{int(table['iterations'][rows][-1]):,}", (seconds[-1], gap[-1]), (5, -3),
                          textcoords="offset points", fontsize=7, color=COLORS[(0, 2, 3)[i]])
        letters = int(table["letters"][table["source"] == source][0])
        axis.set(xscale="log", yscale="log", xlabel="time per solve (ms, compiled)",
                 title=f"{TITLES.get(source, source)}, {letters} letters")
        axis.set_xlim(None, 2.5 * axis.get_xlim()[1])
        axis.axhline(1e-9, color="0.5", lw=0.8, ls=":")
    axes[0, 0].set_ylabel("certified gap: rate minus lower bound (bits)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  title="the number beside the last point: iterations made", title_fontsize=8)
    return figure


FIGURES = {"solver_convergence": convergence}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("solver_convergence", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
