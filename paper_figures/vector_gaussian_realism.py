"""Rates of the components of a Gaussian vector, with and without realism: trained codecs and water-filling.

    python -m paper_figures.vector_gaussian_realism [--table=CSV] [--out=runs/figures]

Reads a table written by `experiments.sources.vector_gaussian_realism`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table


class Data(NamedTuple):
    """A table.

    Attributes:
      eigenvalues: variances of the components, [n].
      columns: its columns by name.
    """

    eigenvalues: np.ndarray
    columns: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table of `experiments.sources.vector_gaussian_realism`.

    Args:
      path: the CSV file.

    Returns:
      The table.

    Raises:
      ValueError: if it cannot be read, or holds no points.
    """
    header, columns = read_table(path)
    if not len(columns["rate_bits"]):
        raise ValueError(f"{path} holds no operating points")
    return Data(np.array([float(v) for v in header["eigenvalues"].split()]), columns)


def make_figure(data: Data) -> Figure:
    """A panel for each water level: rate of each component, trained (marks) and optimal (lines).

    Args:
      data: the table.

    Returns:
      The figure.
    """
    t, n = data.columns, len(data.eigenvalues)
    levels = np.unique(t["distortion_weight"])[::-1]
    figure, axes = plt.subplots(1, len(levels), figsize=(1.9 * len(levels) + 0.4, 3.1), layout="constrained",
                                sharey=True, squeeze=False)
    place = np.arange(1, n + 1)
    for axis, level in zip(axes[0], levels):
        rows = np.flatnonzero(t["distortion_weight"] == level)
        plain = rows[np.argmin(t["perception_weight"][rows])]
        real = rows[np.argmax(t["perception_weight"][rows])]
        looks = ((plain, "plain_rate", "--", "s", COLORS[4], "none"),
                 (real, "realism_rate", "-", "^", COLORS[2], "full"))
        for row, theory, line, marker, color, fill in looks:
            axis.plot(place, [t[f"{theory}_{j}"][row] for j in place], line, color="k", lw=1.1)
            axis.plot(place, [t[f"rate_{j}"][row] for j in place], marker, color=color, fillstyle=fill, ms=6)
        axis.set_xticks(place, [f"{v:g}" for v in data.eigenvalues])
        axis.set_title("\n".join(f"{name}: {t['rate_bits'][row]:.2f} bit, D {t['distortion'][row]:.2f}"
                                 for name, row in (("plain", plain), ("real", real))), fontsize=7.5)
    axes[0, 0].set_ylabel("rate of the component (bits)")
    for axis in axes[0]:
        axis.set_xlabel("variance")
    handles = [
        Line2D([], [], color="k", ls="--", lw=1.1, label="reverse water-filling at the codec's D"),
        Line2D([], [], color="k", lw=1.1, label="optimum at perfect realism, same D"),
        Line2D([], [], ls="", marker="s", color=COLORS[4], fillstyle="none", label="trained without realism (plain)"),
        Line2D([], [], ls="", marker="^", color=COLORS[2], label="trained with realism (real)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7.5)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("vector_gaussian_realism", load, {"vector_gaussian_realism": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
