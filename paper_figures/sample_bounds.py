"""Bounds on R(D) from samples, on both sides, with codecs in real bytes: how much is left to gain.

    python -m paper_figures.sample_bounds [--table=runs/sample_bounds/digits/curves.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.sample_bounds`, or several of them below each other: a panel for each
source.
"""

import math
import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

COLUMNS = ("source", "estimator", "kind", "rate_bits", "distortion", "rate_se", "distortion_se")
TITLES = {
    "gaussian": "Gaussian vector, 40 components", "deconvolution": "noisy sphere", "banana": "banana",
    "digits": "digits, 8 x 8", "fashion_mnist": "Fashion-MNIST, 28 x 28", "luma_8x8": "photographs, luma 8 x 8",
    "luma_16x16": "photographs, luma 16 x 16",
}
ESTIMATORS = ("gaussian", "generator", "variational", "particles", "mixture")
CODECS = {"klt_dither": "KLT, dithered scalars", "scalar_dither": "learned, dithered scalars",
          "lattice_transform": "learned, dithered lattice", "amortized": "pretrained image codec, mosaic",
          "overfitted": "fitted image codec, mosaic"}
_NARROW = 0.1  # bits: brackets of R(D) that are drawn as a line
_TOP = 1.15  # of the largest rate of a codec or of the best upper bound


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if it cannot be read or lacks a column.
    """
    return read_table(path, COLUMNS)[1]


def _rows(data, source, kind, estimator):
    keep = (data["source"] == source) & (data["kind"] == kind) & (data["estimator"] == estimator)
    rows = np.flatnonzero(keep & np.isfinite(data["rate_bits"]) & (data["distortion"] > 0))
    rows = rows[np.argsort(data["distortion"][rows], kind="stable")]
    return tuple(data[name][rows] for name in ("distortion", "rate_bits", "rate_se"))


def _panel(axes: Axes, data: dict[str, np.ndarray], source: str) -> None:
    d, upper, upper_se = _rows(data, source, "upper", "best")
    _, lower, lower_se = _rows(data, source, "lower", "best")
    axes.fill_between(d, lower, upper, color="0.88", linewidth=0)
    for rate, se, label, line in ((upper, upper_se, "best upper bound", LINES[0]),
                                  (lower, lower_se, "best lower bound", LINES[1])):
        axes.fill_between(d, np.maximum(rate - 2 * se, 0), rate + 2 * se, color=COLORS[0], alpha=0.25, linewidth=0)
        axes.plot(d, rate, color=COLORS[0], linestyle=line, linewidth=1.8, label=label)
    for name, color, line in zip(ESTIMATORS, COLORS[1:], LINES[2:] + LINES[1:]):
        x, rate, _ = _rows(data, source, "upper", name)
        if x.size:
            fine = np.geomspace(x[0], x[-1], 300)  # between points chords are bounds, which bend here
            axes.plot(fine, np.interp(fine, x, rate), color=color, linestyle=line, linewidth=1.0, label=name)
    x, low, _ = _rows(data, source, "lower", "known")
    places, high, _ = _rows(data, source, "upper", "known")
    high = high[np.isin(places, x)]
    if x.size:
        narrow = high - low < _NARROW
        axes.plot(x[narrow], 0.5 * (low + high)[narrow], color="0.55", linewidth=3.5, zorder=1, label="R(D), proved")
    for (name, label), marker in zip(CODECS.items(), MARKERS):
        x, rate, _ = _rows(data, source, "codec", name)
        if x.size:
            axes.plot(x, rate, linestyle="none", marker=marker, color="black", markerfacecolor="white", label=label)
    codecs = data["rate_bits"][(data["source"] == source) & (data["kind"] == "codec")]
    axes.set(title=TITLES.get(source, source.replace("_", " ")), xscale="log", xlabel="squared error of a vector",
             ylabel="rate (bits per vector)",
             xlim=(d[0] / 1.1, 1.1 * d[-1]), ylim=(0, _TOP * max(float(upper.max()), float(codecs.max(initial=0.0)))))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws a panel for each source: both best bounds with bands of two standard errors, estimators, and codecs.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    sources = list(dict.fromkeys(data["source"].tolist()))
    across = 2 if len(sources) == 4 else min(3, len(sources))
    down = math.ceil(len(sources) / across)
    figure, grid = plt.subplots(down, across, figsize=(3.3 * across, 2.9 * down + 0.5), layout="constrained",
                                squeeze=False)
    for axes, source in zip(grid.flat, sources):
        _panel(axes, data, source)
    for axes in list(grid.flat)[len(sources):]:
        axes.set_axis_off()
    handles = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("sample_bounds", load, {"sample_bounds": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
