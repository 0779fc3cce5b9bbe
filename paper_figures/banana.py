"""The banana: gaps of trained codecs to R(D), and learned quantization cells over the density.

    python -m paper_figures.banana [--table=runs/banana/quick/points.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.banana` and the `.npz` beside it: `banana.npz` beside the committed table,
`cells.npz` in a run's folder.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table
from theory.bounds import sources

FAMILIES = {
    "factorised": ("o", COLORS[0], "rounding, independent densities"),
    "scalar": ("s", COLORS[1], "rounding, causal densities"),
    "hexagonal": ("h", COLORS[3], "hexagons (A2), causal densities"),
    "codebook": ("D", COLORS[4], "learned codebook"),
    "dithered": ("^", COLORS[2], "shared dither, independent densities"),
}


class Data(NamedTuple):
    """A table and the cells of a codec of each family.

    Attributes:
      columns: the table's columns by name.
      cells: arrays of `experiments.sources.banana.cell_maps` by name.
    """

    columns: dict[str, np.ndarray]
    cells: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table of `experiments.sources.banana` and the cells beside it.

    Args:
      path: the CSV file.

    Returns:
      Both.

    Raises:
      ValueError: if a file cannot be read, or the table holds no points.
    """
    path = pathlib.Path(path)
    columns = read_table(path)[1]
    if not len(columns["rate_bits"]):
        raise ValueError(f"{path} holds no operating points")
    beside = path.with_suffix(".npz") if path.with_suffix(".npz").exists() else path.with_name("cells.npz")
    try:
        with np.load(beside) as stored:
            return Data(columns, {name: stored[name] for name in stored.files})
    except OSError as error:
        raise ValueError(f"cells {beside} cannot be read: {error.strerror or error}") from None


def gaps(data: Data) -> Figure:
    """Gap to R(D) against rate for every family; the bracket's width is drawn as a band below 0.

    Args:
      data: table and cells.

    Returns:
      The figure.
    """
    figure, axis = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    t = data.columns
    order = np.argsort(t["rate_bits"])
    width = (t["bound_upper_bits"] - t["bound_lower_bits"])[order]
    axis.fill_between(t["rate_bits"][order], -width, 0.0, color="0.8", lw=0, label="where R(D) may still lie")
    axis.axhline(0.0, color="k", lw=1.2)
    for name, (marker, color, label) in FAMILIES.items():
        rows = (t["codec"] == name) & (t["perception_weight"] == 0)
        at = np.argsort(t["rate_bits"][rows])
        axis.plot(t["rate_bits"][rows][at], t["gap_bits"][rows][at], marker=marker, color=color, lw=0.8, mec="w",
                  mew=0.5, ms=6, label=label)
    for factor, line, name in ((2 * np.pi * np.e / 12, "--", "rounding"), (2 * np.pi * np.e * 5 / (36 * 3**0.5), ":",
                                                                           "hexagons")):
        axis.axhline(np.log2(factor), color="0.4", ls=line, lw=1.0, label=f"{name} at high rate: {np.log2(factor):.3f}")
    axis.set(xlabel="rate (bits per vector, bytes written)", ylabel="gap to R(D) (bits per vector)", ylim=(-0.08, None))
    figure.legend(fontsize=7, loc="outside lower center", ncols=2)
    return figure


def _edges(cells: np.ndarray) -> np.ndarray:
    """Where a point's cell differs from that of its right or upper neighbor."""
    edge = np.zeros(cells.shape, bool)
    edge[:, :-1] |= cells[:, :-1] != cells[:, 1:]
    edge[:-1] |= cells[:-1] != cells[1:]
    return edge


def learned_cells(data: Data) -> Figure:
    """Cells and reconstructions over the density: a deterministic codec and a dithered one, side by side.

    Args:
      data: table and cells.

    Returns:
      The figure.
    """
    low1, high1, low2, high2 = data.cells["window"]
    size = data.cells["factorised_cells"].shape[0]
    x1, x2 = np.linspace(low1, high1, size), np.linspace(low2, high2, size)
    grid = np.stack(np.meshgrid(x1, x2), -1)
    density = np.exp(np.asarray(sources.banana().log_density(grid)))
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.9), layout="constrained", sharex=True, sharey=True)
    titles = {"factorised": "deterministic", "hexagonal": "deterministic, hexagons", "dithered": "shared dither"}
    for axis, (family, title) in zip(axes, titles.items()):
        axis.grid(False)
        axis.pcolormesh(x1, x2, density**0.5, cmap="Greys", vmax=1.6 * density.max() ** 0.5, shading="nearest",
                        rasterized=True)
        edge = _edges(data.cells[f"{family}_cells"])
        overlay = np.ma.masked_where(~edge, np.ones(edge.shape))
        axis.pcolormesh(x1, x2, overlay, cmap=_one_color(COLORS[0]), vmin=0, vmax=1, shading="nearest", alpha=0.75,
                        rasterized=True)
        points = data.cells[f"{family}_points"]
        many = len(points) > 500
        axis.plot(points[:, 0], points[:, 1], ".", color=COLORS[2], ms=1.5 if many else 4, alpha=0.5 if many else 1.0)
        rate, distortion = data.cells[f"{family}_figures"]
        axis.set(title=f"{title}\n{rate:.2f} bit, D = {distortion:.3f}", xlabel="$x_1$", xlim=(low1, high1),
                 ylim=(low2, high2), aspect="equal")
    axes[0].set_ylabel("$x_2$")
    return figure


def _one_color(color: str):
    from matplotlib.colors import ListedColormap
    return ListedColormap([color])


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from the command line."""
    return drawing.main("banana", load, {"banana_gaps": gaps, "banana_cells": learned_cells}, argv)


if __name__ == "__main__":
    sys.exit(main())
