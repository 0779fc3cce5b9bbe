"""The price of exact channel simulation: rate over mutual information, and speed, by information per sample.

    python -m paper_figures.channel_simulation [--table=...] [--out=runs/figures]

Reads the table of `experiments.sources.channel_simulation`; the committed one is its preset "quick".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table, rows_by
from theory.channel_simulation import entropy_upper_bound

_MARKERS = (*MARKERS, "X", "*", "<", ">")  # one for each scheme, so that gray prints tell them apart
_NEEDED = {"scheme", "dimension", "exact", "information_bits", "excess_bits", "functional_information_bits",
           "encode_samples_per_second", "decode_samples_per_second"}


class Data(NamedTuple):
    """The table's columns by name, each of shape [rows]."""

    columns: dict[str, np.ndarray]

    def schemes(self) -> dict[str, dict[str, np.ndarray]]:
        """The rows of each scheme by information.

        Returns:
          Scheme -> columns by name.
        """
        return rows_by(self.columns, "scheme", "information_bits")


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(read_table(path, _NEEDED)[1])


def _draw_bounds(axes, schemes):
    """Lines: what no exact scheme can go below, for each block size, and what some scheme reaches."""
    drawn = {}
    for rows in schemes.values():
        n = int(rows["dimension"][0])
        if n not in drawn or rows["information_bits"].size > drawn[n]["information_bits"].size:
            drawn[n] = rows
    for line, (n, rows) in zip(LINES, sorted(drawn.items())):
        information = rows["information_bits"]
        axes.plot(information, rows["functional_information_bits"] / information, linestyle=line, color="0.4",
                  linewidth=1.0, label=f"least possible, n = {n}")
    information = np.geomspace(0.01, 4, 60)
    upper = np.asarray(entropy_upper_bound(information, bound="ring_toss_2026"))
    axes.plot(information, upper / information, color="0.75", linewidth=2.4, label="some scheme, any channel, n = 1")


def make_figure(data: Data) -> Figure:
    """Draws both panels.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    schemes = data.schemes()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 4.6), layout="constrained")
    _draw_bounds(left, schemes)
    for i, (name, rows) in enumerate(schemes.items()):
        color, marker = COLORS[i % len(COLORS)], _MARKERS[i % len(_MARKERS)]
        exact = str(rows["exact"][0]) == "True"
        look = {"marker": marker, "color": color, "markerfacecolor": color if exact else "white"}
        label = f"{name} (n = {int(rows['dimension'][0])})" + ("" if exact else ", approximate")
        information = rows["information_bits"]
        left.plot(information, 1 + rows["excess_bits"] / information, linestyle="none", label=label, **look)
        right.plot(information, rows["encode_samples_per_second"], "-", linewidth=0.9, **look)
        right.plot(information, rows["decode_samples_per_second"], ":", linewidth=0.9, **look)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="mutual information $I$ (bits per sample)")
        ticks = [0.01, 0.03, 0.1, 0.3, 1, 3]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
    left.set(ylabel="rate / mutual information", title="Gaussian noise: what it costs", ylim=(0.95, 30))
    ticks = [1, 1.5, 2, 3, 5, 10, 20]
    left.set_yticks(ticks, [f"{t:g}" for t in ticks])
    left.minorticks_off()
    figure.legend(*left.get_legend_handles_labels(), fontsize=7, ncols=4, loc="outside lower center")
    right.set(ylabel="samples per CPU second", title="Speed: encode (—), decode (···)")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("channel_simulation", load, {"channel_simulation": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
