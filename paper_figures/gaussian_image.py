"""A Gaussian image with a natural spectrum: bits per pixel against PSNR, with and without realism.

    python -m paper_figures.gaussian_image [--table=runs/closed_forms/gaussian_image.csv] [--out=runs/figures]

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


def _name(perception: float) -> str:
    if np.isinf(perception):
        return "no realism ($P = \\infty$)"
    return "perfect realism ($P = 0$)" if perception == 0 else f"$W_2^2 \\leq {perception:g}$ per pixel"


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws bits per pixel against PSNR, and the bits that realism adds at equal PSNR.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.0), layout="constrained")
    perceptions = sorted(np.unique(data["perception"]), reverse=True)
    plain = data["bits_per_pixel"][np.isinf(data["perception"])]
    for p, color, line in zip(perceptions, COLORS, LINES):
        rows = data["perception"] == p
        psnr, bits = data["psnr_db"][rows], data["bits_per_pixel"][rows]
        shown = bits > 1e-4
        left.semilogx(bits[shown], psnr[shown], color=color, linestyle=line, label=_name(p))
        if np.isfinite(p):
            right.plot(psnr, bits - plain, color=color, linestyle=line, label=_name(p))
    left.set(xlabel="bits per pixel", ylabel="PSNR (dB)", title="the least bits at each PSNR")
    left.legend(loc="upper left")
    right.set(xlabel="PSNR (dB)", ylabel="extra bits per pixel", title="what realism adds at equal PSNR",
              ylim=(0, None))
    right.legend()
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("gaussian_image", load, {"gaussian_image": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
