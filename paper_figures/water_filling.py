"""Water-filling with and without realism, component by component.

    python -m paper_figures.water_filling [--table=runs/closed_forms/water_filling.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.closed_forms`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if it cannot be read.
    """
    return read_table(path)[1]


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws a column for each perception: variances and distortions above, rates below.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    perceptions = sorted(np.unique(data["perception"]), reverse=True)
    figure, axes = plt.subplots(2, len(perceptions), figsize=(7.4, 4.0), layout="constrained", sharex=True,
                                sharey="row", height_ratios=(3, 2))
    for (top, bottom), p in zip(axes.T, perceptions):
        rows = data["perception"] == p
        x, lam = data["component"][rows], data["eigenvalue"][rows]
        top.bar(x, lam, width=0.84, facecolor="none", edgecolor="0.35", linewidth=1.0, label="source variance")
        top.bar(x - 0.2, data["reconstruction_variance"][rows], width=0.36, color=COLORS[5],
                label="reconstruction variance")
        top.bar(x + 0.2, data["distortion"][rows], width=0.36, color=COLORS[1], hatch="///", edgecolor="white",
                linewidth=0, label="squared error")
        bottom.bar(x, data["rate_bits"][rows], width=0.7, color=COLORS[0])
        total = data["total_rate_bits"][rows][0]
        name = "no realism, $P = \\infty$" if np.isinf(p) else (
            "perfect realism, $P = 0$" if p == 0 else f"$P = {p:.2f}$ ($W_2^2$)")
        top.set_title(f"{name}\n{total:.2f} bits in all")
        bottom.set_xlabel("component")
        bottom.set_xticks(x[::3])
        for axis in (top, bottom):
            axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("variance")
    axes[1, 0].set_ylabel("rate (bits)")
    axes[0, -1].legend()
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("water_filling", load, {"water_filling": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
