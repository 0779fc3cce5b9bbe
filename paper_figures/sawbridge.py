"""The sawbridge: trained codecs on the hull of deterministic quantizers, and what linear transforms need.

    python -m paper_figures.sawbridge [--table=runs/sawbridge/quick/points.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.sawbridge`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table
from theory.closed_form import manifolds


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a table of `experiments.sources.sawbridge` or `experiments.sources.circle_and_ramp`.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if it cannot be read, or holds no points.
    """
    columns = read_table(path)[1]
    if not len(columns["rate_bits"]):
        raise ValueError(f"{path} holds no operating points")
    return columns


def panel(axis: Axes, data: dict[str, np.ndarray], source: str) -> None:
    """Draws one source: hull, its vertices, water-filling of the linear transform, and the trained codecs.

    Args:
      axis: where.
      data: columns by name.
      source: name of the source.
    """
    rows = data["source"] == source
    rate, distortion = data["rate_bits"][rows], data["distortion"][rows]
    fine = np.linspace(0.0, rate.max() + 0.25, 400)
    axis.plot(fine, manifolds.hull_distortion_rate(fine, source), "-", color="k", lw=1.2,
              label="hull of deterministic quantizers")
    d = np.geomspace(0.85 * distortion.min(), float(manifolds.hull_distortion_rate(0.0, source)), 400)
    axis.plot(manifolds.linear_rate_distortion(d, source), d, "--", color=COLORS[1], lw=1.4,
              label="linear transform (reverse water-filling)")
    axis.plot(rate, distortion, "o", color=COLORS[3], mec="k", mew=0.6, ms=6, label="trained codecs, bytes written")
    for r, e, n in zip(rate, distortion, data["used_codewords"][rows]):
        axis.annotate(f"{n:g}", (r, e), xytext=(-4, -4), textcoords="offset points", ha="right", va="top", fontsize=7)
    axis.set(yscale="log", xlabel="rate (bits per realization)", title=source.capitalize(),
             ylim=(0.8 * distortion.min(), None))


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws the sawbridge.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, axis = plt.subplots(figsize=(4.6, 3.3), layout="constrained")
    panel(axis, data, "sawbridge")
    axis.set(ylabel="distortion (squared error of a realization)", title="Sawbridge; numbers: cells of the codec")
    axis.legend(fontsize=7.5)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("sawbridge", load, {"sawbridge": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
