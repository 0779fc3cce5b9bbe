"""Limits of blocks of n letters, and what our lattice and trellis codecs reach, over R(D) and R(D, P = 0).

    python -m paper_figures.finite_blocklength [--table=...] [--out=runs/figures]

Reads the table of `experiments.bounds.finite_blocklength`; the committed one is its preset "full". Bounds on
fixed-length codes ask that a block's distortion exceed D with small probability; codecs are measured by mean distortion
and mean rate, which costs less, and are to be compared with the line of balls.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table

# What a codec is called, and where beside its marker, in points.
NAMES = {"lattice-Z": ("$\\mathbb{Z}$", (-3, -13)), "lattice-A2": ("$A_2$", (-3, 6)), "lattice-D4": ("$D_4$", (-3, 6)),
         "lattice-E8": ("$E_8$", (-2, 6)), "lattice-BW16": ("$\\Lambda_{16}$", (-1, 6)),
         "lattice-Leech": ("$\\Lambda_{24}$", (-17, -10)), "trellis-8": ("8 states", (6, -2)),
         "trellis-64": ("64", (6, -3)), "trellis-256": ("256", (6, -6))}


class Data(NamedTuple):
    """The table.

    Attributes:
      header: its header lines by key.
      columns: by name, each of shape [rows].
    """

    header: dict[str, str]
    columns: dict[str, np.ndarray]

    def series(self, panel: str, name: str) -> dict[str, np.ndarray]:
        """The rows of one series, by blocklength.

        Args:
          panel: of the figure.
          name: of the series.

        Returns:
          Columns by name.

        Raises:
          ValueError: if the table has no such rows.
        """
        chosen = (self.columns["panel"] == panel) & (self.columns["series"] == name)
        if not chosen.any():
            raise ValueError(f"the table has no rows of panel {panel!r}, series {name!r}")
        order = np.argsort(self.columns["blocklength"][chosen], kind="stable")
        return {key: column[chosen][order] for key, column in self.columns.items()}


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its header and columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(*read_table(path, {"panel", "series", "name", "blocklength", "excess_bits", "excess_se"}))


def _bracket(axes: Axes, data: Data, panel: str) -> None:
    """Converse, achievability and what is between, with the normal approximation."""
    low, high, normal = (data.series(panel, name) for name in ("converse", "achievability", "normal"))
    n = low["blocklength"]
    axes.fill_between(n, low["excess_bits"], high["excess_bits"], color="0.88", linewidth=0)
    axes.plot(n, high["excess_bits"], "-", color=COLORS[2], label="achievability")
    axes.plot(n, low["excess_bits"], "-", color=COLORS[0], label="converse")
    axes.plot(n, normal["excess_bits"], ":", color="0.25", label="normal approximation")


def _codecs(axes: Axes, data: Data, panel: str, *, trellises_left: bool) -> None:
    rows = data.series(panel, "codec")
    axes.errorbar(rows["blocklength"], rows["excess_bits"], yerr=2 * rows["excess_se"], fmt="o", color=COLORS[1],
                  label="our codecs: mean distortion", zorder=3)
    for n, excess, name in zip(rows["blocklength"], rows["excess_bits"], rows["name"]):
        label, offset = NAMES.get(str(name), (str(name), (6, 2)))
        side = "right" if trellises_left and str(name).startswith("trellis") else "left"
        offset = (-offset[0] if side == "right" else offset[0], offset[1])
        axes.annotate(label, (n, excess), xytext=offset, textcoords="offset points", ha=side, fontsize=7.5)


def make_figure(data: Data) -> Figure:
    """Draws the three panels.

    Args:
      data: the table.

    Returns:
      The figure.

    Raises:
      ValueError: if a series is missing.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.2, 3.7), layout="constrained")
    _bracket(left, data, "bernoulli")
    left.set(title="Bernoulli(0.11), Hamming, $D = 0.05$", ylabel="excess over $R(D)$ (bits per letter)")

    _bracket(middle, data, "gaussian")
    ball = data.series("gaussian", "ball")
    middle.plot(ball["blocklength"], ball["excess_bits"], "--", color=COLORS[3],
                label="balls: mean distortion (lower)")
    _codecs(middle, data, "gaussian", trellises_left=True)
    middle.set(title="Gaussian, $R(D) = 1$ bit", ylabel="excess over $R(D)$ (bits per sample)")

    for name, style, color, label in (("length", "-", COLORS[2], "simulation, prefix code (upper)"),
                                      ("entropy", "-.", COLORS[0], "simulation, entropy (upper)")):
        rows = data.series("realism", name)
        right.plot(rows["blocklength"], rows["excess_bits"], style, color=color, label=label)
    _codecs(right, data, "realism", trellises_left=False)
    right.set(title="Gaussian, $R(D, P{=}0) = 1$ bit", ylabel="excess over $R(D, 0)$ (bits per sample)")

    for axes in (left, middle, right):
        axes.set(xscale="log", yscale="log", xlabel="block length $n$", xlim=(0.8, 1.3e5), ylim=(3e-6, 4.0))
        axes.legend(loc="lower left")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("finite_blocklength", load, {"finite_blocklength": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
