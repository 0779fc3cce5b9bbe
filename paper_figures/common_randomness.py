"""The worth of common randomness: rate against shared bits for a Gaussian source at fixed distortion.

    python -m paper_figures.common_randomness [--table=runs/closed_forms/common_randomness.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.closed_forms`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES
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
    """Draws a panel for each distortion, a line for each perception, and where unlimited sharing leads.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    distortions, perceptions = np.unique(data["distortion"]), np.unique(data["perception"])
    figure, axes = plt.subplots(1, len(distortions), figsize=(7.4, 2.7), layout="constrained", sharex=True)
    for axis, d in zip(axes, distortions):
        for p, color, line in zip(perceptions, COLORS, LINES):
            rows = (data["distortion"] == d) & (data["perception"] == p)
            shared = data["common_randomness_bits"][rows]
            axis.plot(shared, data["rate_bits"][rows], color=color, linestyle=line, label=f"$P = {p:g}$")
            limit = data["rate_unlimited_bits"][rows][0]
            axis.plot(shared[-1] * 1.06, limit, marker="<", color=color, markersize=5, clip_on=False)
        axis.axhline(0.5 * np.log2(1 / d), color="0.45", linewidth=0.9, linestyle=(0, (1, 1)),
                     label="$R(D)$, no realism")
        axis.set(title=f"$D = {d:g}$", xlim=(0, shared[-1]))
    axes[-1].plot([], [], linestyle="none", marker="<", color="0.3", label="unlimited sharing")
    axes[0].set_ylabel("rate (bits per sample)")
    figure.supxlabel("common randomness (bits per sample)", fontsize=9)
    axes[-1].legend(title="realism of the block, $W_2^2$", fontsize=7, title_fontsize=7.5)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("common_randomness", load, {"common_randomness": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
