"""The optimal support of a uniform source under squared error, splitting as the slope grows.

    python -m paper_figures.optimal_support [--table=paper_figures/data/optimal_support.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.optimal_support`.
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


class Data(NamedTuple):
    """The table of `experiments.bounds.optimal_support`.

    Attributes:
      width: length of the source's interval.
      columns: one row per slope and atom.
    """

    width: float
    columns: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      The table.

    Raises:
      ValueError: if it cannot be read, holds no rows, or lacks the width.
    """
    header, columns = read_table(path)
    if "width" not in header or not len(columns.get("atom", ())):
        raise ValueError(f"{path} is not a table of optimal supports")
    return Data(float(header["width"]), columns)


def make_figure(data: Data) -> Figure:
    """Atoms against slope, their area the probability; below, the rate against the Shannon lower bound.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    c = data.columns
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(5.2, 5.4), sharex=True, height_ratios=(2.2, 1.0), layout="constrained"
    )
    slope = c["slope_over_critical"]
    top.scatter(slope, c["atom"] / data.width, s=26.0 * c["weight"], color=COLORS[0], linewidths=0.0)
    for weight in (1.0, 0.25, 0.05):
        top.scatter([], [], s=26.0 * weight, color=COLORS[0], linewidths=0.0, label=f"{weight:g}")
    top.legend(title="probability of the atom", loc="lower right", ncols=3, frameon=True, framealpha=1.0,
               edgecolor="none")  # fmt: skip
    top.set_ylabel("place of the atoms / width")
    top.set_ylim(-0.6, 0.5)
    top.set_xscale("log")

    # Every slope once, in order.
    _, first = np.unique(slope, return_index=True)
    x, d = slope[first], c["distortion"][first]
    bottom.plot(x, c["rate_bits"][first], color=COLORS[0], label="$R(D)$, certified")
    bottom.fill_between(x, c["rate_lower_bits"][first], c["rate_bits"][first], color=COLORS[0], alpha=0.3, linewidth=0)
    shannon = np.log2(data.width) - 0.5 * np.log2(2.0 * np.pi * np.e * d)
    bottom.plot(x, np.maximum(shannon, 0.0), color=COLORS[3], linestyle="--", label="Shannon lower bound")
    bottom.set_ylabel("rate (bits)")
    bottom.set_xlabel("slope $-dR/dD$ over the critical slope")
    bottom.set_xticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    bottom.set_xlim(x.min(), x.max())
    bottom.minorticks_off()
    bottom.legend(loc="upper left", bbox_to_anchor=(0.17, 1.0))
    for axes in (top, bottom):
        axes.axvline(1.0, color="0.5", linewidth=0.8, linestyle=":")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Runs from the command line; returns the exit status."""
    return drawing.main("optimal_support", load, {"optimal_support": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
