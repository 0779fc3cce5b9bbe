"""The rate-distortion-perception function of the Gaussian source: its surface and its level sets.

    python -m paper_figures.gaussian_surface [--table=runs/closed_forms/gaussian_surface.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.closed_forms`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.surfaces import Surface, draw_levels, read_surface


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
    """Draws the surface, and lines of equal rate with the border beyond which realism is free.

    Args:
      data: the function on its grid.

    Returns:
      The figure.
    """
    figure = plt.figure(figsize=(7.6, 3.3))
    left = figure.add_axes((0.0, 0.02, 0.46, 0.96), projection="3d")
    right = figure.add_axes((0.57, 0.15, 0.42, 0.74))
    d, p = np.meshgrid(data.distortion, data.perception, indexing="ij")
    top = 2.0
    left.plot_surface(d, p, np.minimum(data.rate, top), cmap="bone", vmin=-0.4, vmax=top, rcount=60, ccount=40,
                      linewidth=0, antialiased=False, alpha=0.95)
    for value, index in ((0.0, 0), (1.0, -1)):
        shown = data.rate[:, index] <= top
        left.plot(data.distortion[shown], np.full(shown.sum(), value), data.rate[shown, index],
                  color=COLORS[2], linewidth=1.6, zorder=5)
    left.set(xlabel="distortion $D$", ylabel="perception $P$ ($W_2^2$)", zlim=(0, top))
    left.set_zlabel("rate (bits per sample)", labelpad=1)
    left.set(xticks=[0.0, 0.5, 1.0, 1.5, 2.0], yticks=[0.0, 0.25, 0.5, 0.75, 1.0], zticks=[0.0, 0.5, 1.0, 1.5, 2.0])
    left.view_init(elev=26, azim=42)
    left.set_title("$R(D, P)$ of $\\mathcal{N}(0, 1)$; cut at 2 bits", y=0.98)
    # The rate falls like the root of P: an axis of that scale shows where.
    right.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0.0)), np.square))
    right.set_yticks([0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
    right.set(xlim=(0, 2), ylim=(0, 1))
    # An independent reconstruction of deviation 1 - sqrt(P) has D = 1 + (1 - sqrt(P))^2.
    border = 1 + (1 - np.sqrt(data.perception)) ** 2, data.perception
    draw_levels(right, data, [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5], border=border, zero="$R = 0$")
    inside = data.distortion[data.distortion <= 1]
    free = (1 - np.sqrt(1 - inside)) ** 2
    right.plot(inside, free, color=COLORS[3], linestyle=":", linewidth=1.8)
    right.set(xlabel="distortion $D$ (mean squared error)", ylabel="perception $P$ ($W_2^2$)",
              title="lines of equal rate (bits per sample);\nabove the dots realism is free")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("gaussian_surface", load, {"gaussian_surface": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
