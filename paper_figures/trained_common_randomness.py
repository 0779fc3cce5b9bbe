"""The worth of common randomness: trained codecs whose dither takes M values against the bound.

    python -m paper_figures.trained_common_randomness [--table=CSV] [--out=runs/figures]

Reads a table written by `experiments.sources.common_randomness`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table
from theory.gaussian import common_randomness

DISTORTIONS = (0.1, 0.05)


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a table of `experiments.sources.common_randomness`.

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


def rate_at(data: dict[str, np.ndarray], shared: float, distortion: float) -> float:
    """Rate of the codecs with so many shared bits at a distortion, log D interpolated linearly between neighbors.

    Args:
      data: columns by name.
      shared: common randomness, bits.
      distortion: mean squared error.

    Returns:
      Bits per sample; NaN outside of what the codecs reach.
    """
    rows = data["common_randomness_bits"] == shared
    order = np.argsort(data["distortion"][rows])
    d, r = data["distortion"][rows][order], data["rate_bits"][rows][order]
    return float(np.interp(np.log(distortion), np.log(d), r, left=np.nan, right=np.nan))


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Distortion against rate for each number of shared bits on the left; rate against shared bits on the right.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, (plane, price) = plt.subplots(1, 2, figsize=(7.4, 3.3), layout="constrained", width_ratios=(1.15, 1.0))
    shared = np.unique(data["common_randomness_bits"])
    rates = np.linspace(0.6, data["rate_bits"].max() + 0.1, 200)
    d = np.geomspace(0.9 * data["distortion"].min(), 1.2 * data["distortion"].max(), 200)
    handles = []
    for c, color, line, marker in zip(shared, COLORS, LINES, MARKERS):
        rows = data["common_randomness_bits"] == c
        plane.plot(common_randomness.strong_realism_rate(d, c, 0.0), d, color=color, linestyle=line, lw=1.1)
        plane.plot(data["rate_bits"][rows], data["distortion"][rows], marker, color=color, mec="w", mew=0.5, ms=6)
        name = "nothing shared" if c == 0 else f"C = {c:g} bit{'s' if c > 1 else ''} (M = {2**c:g})"
        handles.append(Line2D([], [], color=color, ls=line, marker=marker, mec="w", label=name))
    plane.plot(common_randomness.strong_realism_rate(d, np.inf, 0.0), d, color="0.55", lw=2.6, zorder=0)
    handles.append(Line2D([], [], color="0.55", lw=2.6, label="bound, unlimited"))
    plane.set(yscale="log", xlim=(rates[0], rates[-1]), xlabel="rate (bits per sample, bytes written)",
              ylabel="distortion (mean squared error)", title="Lines: bound at P = 0; marks: trained codecs")
    plane.legend(handles=handles, fontsize=7)
    finer = np.linspace(0.0, shared.max(), 100)
    for level, marker, fill in zip(DISTORTIONS, ("o", "s"), ("full", "none")):
        price.plot(finer, common_randomness.strong_realism_rate(level, finer, 0.0), "-", color="k", lw=1.2)
        price.axhline(float(common_randomness.strong_realism_rate(level, np.inf, 0.0)), color="k", ls=":", lw=0.9)
        price.plot(shared, [rate_at(data, c, level) for c in shared], marker, color=COLORS[2], fillstyle=fill, ms=6)
    least = float(common_randomness.strong_realism_rate(max(DISTORTIONS), np.inf, 0.0))
    price.set(xlabel="common randomness C (bits per sample)", ylabel="rate (bits per sample)",
              ylim=(least - 0.85, None), title="At one distortion")
    price.set_xticks(shared)
    marks = [Line2D([], [], ls="", marker=m, color=COLORS[2], fillstyle=f, label=f"trained codecs, D = {level:g}")
             for level, m, f in zip(DISTORTIONS, ("o", "s"), ("full", "none"))]
    price.legend(handles=[*marks, Line2D([], [], color="k", lw=1.2, label="bound at P = 0, same D"),
                          Line2D([], [], color="k", ls=":", lw=0.9, label="bound, unlimited")],
                 fontsize=7, loc="lower left")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("trained_common_randomness", load, {"trained_common_randomness": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
