"""The Laplacian: gaps of trained codecs to R(D) under squared error, beside the best scalar quantizer's.

    python -m paper_figures.laplace [--table=runs/laplace/quick/points.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.laplace`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table

FAMILIES = {
    "scalar": ("s", COLORS[1], "trained: rounding"),
    "codebook": ("D", COLORS[4], "trained: learned codebook"),
    "dithered": ("^", COLORS[2], "trained: shared dither"),
}


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a table of `experiments.sources.laplace`.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if the file cannot be read, or holds no operating points of this experiment.
    """
    columns = read_table(pathlib.Path(path))[1]
    if "scalar_quantizer_bits" not in columns or not len(columns["rate_bits"]):
        raise ValueError(f"{path} holds no operating points of the Laplacian")
    return columns


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws rates less R(D) against rates; R(D)'s bracket is drawn as a band below 0.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, axis = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    order = np.argsort(data["scalar_quantizer_bits"])
    best, upper, lower = (data[name][order] for name in ("scalar_quantizer_bits", "bound_upper_bits",
                                                         "bound_lower_bits"))
    axis.fill_between(best, lower - upper, 0.0, color="0.8", lw=0, label="where R(D) may still lie")
    axis.axhline(0.0, color="k", lw=1.2)
    axis.plot(best, best - upper, color="k", label="best scalar quantizer (theory)")
    axis.axhline(0.5 * np.log2(2 * np.pi * np.e / 12), color="0.4", ls=":", lw=1.0,
                 label="its limit at high rate: 0.2546")
    for family, (marker, color, label) in FAMILIES.items():
        rows = data["codec"] == family
        at = np.argsort(data["rate_bits"][rows])
        axis.errorbar(data["rate_bits"][rows][at], data["gap_bits"][rows][at], 2 * data["gap_se"][rows][at],
                      marker=marker, color=color, lw=0, elinewidth=1, mec="w", mew=0.5, ms=6.5, label=label)
    axis.set(xlabel="rate (bits per sample, bytes written)", ylabel="gap to R(D) (bits per sample)", xlim=(0, None))
    figure.legend(fontsize=7.5, loc="outside lower center", ncols=2)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("laplace", load, {"laplace": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
