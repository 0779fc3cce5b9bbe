"""The realism tax from samples: R(D, P) at three perceptions, and codecs of one message with several decoders.

    python -m paper_figures.sample_realism [--table=runs/sample_realism/fashion_mnist/curves.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.sample_realism`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

COLUMNS = ("series", "perception", "rate_bits", "distortion")
CODECS = {"codec": "KLT, dithered scalars", "trained": "learned, dithered scalars"}
_SHADES = (COLORS[0], COLORS[2], COLORS[4])
_LOWER = ((0.0, "lower bound, P = 0", LINES[4]), (np.inf, "lower bound, any P", LINES[3]), ())
_SIZES = (8.5, 5.5, 4.5)  # where realism does not bind, markers of several perceptions lie upon each other


def load(path: pathlib.Path) -> tuple[dict[str, np.ndarray], float]:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name, and the perception of the mean alone.

    Raises:
      ValueError: if it cannot be read, or lacks a column or that line of its header.
    """
    header, data = read_table(path, COLUMNS)
    if "perception_of_the_mean" not in header:
        raise ValueError(f"{path} lacks the line perception_of_the_mean")
    return data, float(header["perception_of_the_mean"])


def rows_of(data: dict[str, np.ndarray], series: str, perception: float) -> tuple[np.ndarray, np.ndarray]:
    """The points of a series at a perception.

    Args:
      data: columns by name.
      series: its name.
      perception: as the table has it.

    Returns:
      Distortions, rising, and rates.
    """
    rows = np.flatnonzero((data["series"] == series) & np.isclose(data["perception"], perception, atol=1e-12))
    rows = rows[np.argsort(data["distortion"][rows], kind="stable")]
    return data["distortion"][rows], data["rate_bits"][rows]


def make_figure(made: tuple[dict[str, np.ndarray], float]) -> Figure:
    """Draws rate against squared error: a curve for each perception, codecs at the same ones, and lower bounds.

    Args:
      made: from `load`.

    Returns:
      The figure.
    """
    data, of_the_mean = made
    figure, axes = plt.subplots(figsize=(6.2, 4.6), layout="constrained")
    levels = np.unique(data["perception"][data["series"] == "upper bound"])[::-1]
    for level, color, line, marker, size, lower in zip(levels, _SHADES, LINES, MARKERS, _SIZES, _LOWER):
        share = f"P = {level / of_the_mean:.2g}"
        axes.plot(*rows_of(data, "upper bound", level), color=color, linestyle=line, linewidth=1.8,
                  label=f"upper bound, {share}")
        for (series, label), fill in zip(CODECS.items(), ("white", color)):
            x, rate = rows_of(data, series, level)
            if x.size:
                axes.plot(x, rate, linestyle="none", marker=marker, color=color, markerfacecolor=fill,
                          markersize=size, label=f"{label}, {share}")
        if lower:  # here, so that the legend has a column for each perception
            x, rate = rows_of(data, "lower bound", lower[0])
            axes.plot(x[x > 0], rate[x > 0], color="0.45", linestyle=lower[2], linewidth=1.4, label=lower[1])
    least = data["distortion"][data["series"] == "upper bound"].min()
    axes.set(xlabel="squared error of a vector", ylabel="rate (bits per vector)", xscale="log", ylim=(0, None),
             xlim=(0.5 * least, 1.05 * data["distortion"].max()),
             title="Fashion-MNIST; P in units of that of the mean alone")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(loc="outside lower center", ncols=3, fontsize=7.5)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("sample_realism", load, {"sample_realism": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
