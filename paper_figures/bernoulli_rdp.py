"""The rate-distortion-perception function of a Bernoulli source, as in Blau & Michaeli (2019).

    python -m paper_figures.bernoulli_rdp [--table=runs/closed_forms/bernoulli_rdp.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.closed_forms`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES
from paper_figures.surfaces import Surface, draw_levels, read_surface

SHOWN = (0.0, 0.01, 0.03, 0.06, 0.1)
PROBABILITY = 0.1  # of the source in the tables of `experiments.bounds.closed_forms`


def load(path: pathlib.Path) -> Surface:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      The function on its grid.

    Raises:
      ValueError: if it cannot be read or is no full grid.
    """
    return read_surface(path)


def make_figure(data: Surface) -> Figure:
    """Draws rate against distortion at fixed perception, and the level sets of the rate.

    Args:
      data: the function on its grid.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.9), layout="constrained")
    for p, color, line in zip(SHOWN, COLORS, LINES):
        j = abs(data.perception - p).argmin()
        left.plot(data.distortion, data.rate[:, j], color=color, linestyle=line,
                  label=f"$P = {data.perception[j]:.2f}$")
    left.set(xlabel="distortion $D$ (probability of error)", ylabel="rate (bits per symbol)",
             title=f"rate at fixed perception, Bernoulli({PROBABILITY})", xlim=(0, data.distortion[-1]), ylim=(0, None))
    left.legend(title="total variation")
    # D = 2 p (1 - p) - (1 - 2p) P: an independent reconstruction that is 1 as rarely as P allows.
    p = PROBABILITY
    border = 2 * p * (1 - p) - (1 - 2 * p) * data.perception, data.perception
    draw_levels(right, data, [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4], border=border, zero="$R = 0$")
    right.set(xlabel="distortion $D$ (probability of error)", ylabel="perception $P$ (total variation)",
              title="lines of equal rate (bits per symbol)")
    for axis in (left, right):
        axis.set_xticks([0.0, 0.05, 0.1, 0.15, 0.2])
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("bernoulli_rdp", load, {"bernoulli_rdp": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
