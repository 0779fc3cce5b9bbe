"""Diffusion codecs against R(D, 0): what steps cost, and the gap of every codec of every source.

    python -m paper_figures.diffusion_codecs [--table=...] [--out=runs/figures]

Reads the table of `experiments.sources.diffusion_codecs`; the committed one is its preset "quick".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, MARKERS
from paper_figures.tables import read_table

_NEEDED = {"source", "dimension", "channel", "decoder", "steps", "end", "rate_bits", "rate_se", "header_bits",
           "bound_upper_bits", "gap_bits", "information_bits", "least_bits", "distortion"}
SOURCES = {"gaussian_vector": "Gaussian vector", "gaussian_process": "Gaussian process", "mixture": "mixture",
           "circle": "circle", "swirl": "swirl", "banana": "banana"}
FAMILIES = {"layered": "layered dither", "E8": "E8", "BW16": "BW16", "greedy": "blocks, greedy", "uniform": "UQDM",
            "codebook": "DDCM"}
STEPPED = ("layered", "uniform")


class Data(NamedTuple):
    """The table's columns by name, each of shape [rows]."""

    columns: dict[str, np.ndarray]

    def where(self, **cells: object) -> dict[str, np.ndarray]:
        """The rows that hold these cells.

        Args:
          **cells: column -> value.

        Returns:
          Columns by name.
        """
        rows = np.ones(len(self.columns["source"]), bool)
        for name, value in cells.items():
            rows &= self.columns[name] == value
        return {name: column[rows] for name, column in self.columns.items()}


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(read_table(path, _NEEDED)[1])


def family(channel: str) -> str:
    """The family of a channel's name: what comes before the number of its block or codebook."""
    return channel.partition("-")[0]


def _draw_steps(axes: Axes, data: Data) -> None:
    """Rates over steps at one last time: measured less the head, and what theory says is least."""
    colors = dict(zip(FAMILIES, COLORS))
    for channel, marker in zip(STEPPED, MARKERS):
        color = colors[channel]
        rows = data.where(source="gaussian_vector", channel=channel, decoder="flow", end=0.2)
        order = np.argsort(rows["steps"])
        steps, rate = rows["steps"][order], (rows["rate_bits"] - rows["header_bits"])[order]
        axes.plot(steps, rows["least_bits"][order], "--", color=color, label=f"{FAMILIES[channel]}: theory")
        axes.errorbar(steps, rate, 2 * rows["rate_se"][order], fmt=marker, color=color,
                      label=f"{FAMILIES[channel]}: measured")
    steps = np.array([1, 32])
    rows = data.where(source="gaussian_vector", channel="uniform", decoder="flow", end=0.2)
    axes.plot(steps, np.full(2, rows["information_bits"][0]), color="0.4", lw=1, label="information: ideal coder")
    last = np.argmax(rows["steps"])
    root = rows["least_bits"][last] * np.sqrt(steps / rows["steps"][last])
    axes.plot(steps, root, ":", color="0.6", label="in proportion to √steps")
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="bits per vector", ylim=(2.9, None),
             title="Gaussian vector, $t$ = 0.2: the price of steps")
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.set_yticks([3, 4, 6, 8, 12, 16], ["3", "4", "6", "8", "12", "16"])
    axes.minorticks_off()
    axes.legend(fontsize=7)


def _draw_gaps(axes: Axes, data: Data) -> None:
    """Gap to R(D, 0) per number over R(D, 0) per number, of flows and of codebooks."""
    columns = data.columns
    families = np.array([family(channel) for channel in columns["channel"]])
    for color, (name, label) in zip(COLORS, FAMILIES.items()):
        for marker, source in zip(MARKERS, SOURCES):
            shown = np.where(name == "codebook", "chosen", "flow")
            rows = (families == name) & (columns["source"] == source) & (columns["decoder"] == shown)
            if rows.any():
                axes.plot((columns["bound_upper_bits"] / columns["dimension"])[rows],
                          ((columns["gap_bits"] - columns["header_bits"]) / columns["dimension"])[rows], marker,
                          color=color, ms=5, mfc="none" if name in ("uniform", "codebook") else color)
        axes.plot([], [], "o", color=color, mfc="none" if name in ("uniform", "codebook") else color, label=label)
    for marker, label in zip(MARKERS, SOURCES.values()):
        axes.plot([], [], marker, color="0.5", mfc="none", label=label)
    axes.set(xscale="log", yscale="log", title="All sources: the gap, one point for each number of steps",
             xlabel="$R(D, 0)$ (bits per number)", ylabel="rate − $R(D, 0)$ (bits per number)")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    axes.set_yticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
    axes.minorticks_off()


def make_figure(data: Data) -> Figure:
    """Draws both panels.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 4.4), layout="constrained")
    _draw_steps(left, data)
    _draw_gaps(right, data)
    figure.legend(*right.get_legend_handles_labels(), fontsize=7, ncols=6, loc="outside lower center")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("diffusion_codecs", load, {"diffusion_codecs": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
