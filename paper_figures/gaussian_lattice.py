"""Losses of lattice and trellis codecs against the Gaussian bounds, in bytes, against dimension and states.

    python -m paper_figures.gaussian_lattice [--table=...] [--out=runs/figures]

Reads the table of `experiments.sources.gaussian_lattice`; the committed one is its preset "quick". Drawn are rates of
whole messages less bounds, with the noise of the samples' power taken out (`controlled_gap_bits`), and two standard
errors.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures import drawing
from paper_figures.style import COLORS
from paper_figures.tables import read_table
from theory.quantization import lattices

NAMES = {1: "$\\mathbb{Z}$", 2: "$A_2$", 4: "$D_4$", 8: "$E_8$", 16: "$\\Lambda_{16}$", 24: "$\\Lambda_{24}$"}
# What is drawn in each panel: a title, and the shared randomness, the realism weight and the look of each use.
PANELS = {
    "over $R(D)$: least squared error": (("none", 0.0, "o", COLORS[0], "deterministic"),
                                         ("dither", 0.0, "s", COLORS[3], "shared dither")),
    "over $R(D, P{=}0)$: the source's power": (("dither", 1.0, "D", COLORS[1], "shared dither, realistic"),),
}
FIRST_TRELLIS = 45.0  # where on the axis of dimensions the trellises begin


class Data(NamedTuple):
    """The table's columns by name, each of shape [rows]."""

    columns: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(read_table(path, {"dimension", "states", "shared", "weight", "target_rate_bits", "gap_bits",
                                  "controlled_gap_bits", "controlled_gap_se"})[1])


def place(dimension: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Where codecs stand on the horizontal axis: lattices at their dimension, trellises beyond, evenly by log2(states).

    Args:
      dimension: of lattices; 0 for trellises.
      states: of trellises; 0 for lattices.

    Returns:
      Positions.
    """
    octaves = np.log2(np.maximum(states, 8) / 8)
    return np.where(states > 0, FIRST_TRELLIS * 1.25**octaves, dimension)


def make_figure(data: Data) -> Figure:
    """Draws both panels.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    columns = data.columns
    rates = sorted(set(columns["target_rate_bits"]))
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), layout="constrained", sharey=True)
    ball = np.arange(1, 25)
    bound = np.asarray(lattices.space_filling_loss(lattices.sphere_bound(ball)))
    known = [v for v in lattices.LATTICES.values() if v.dimension in NAMES]
    losses = [float(lattices.space_filling_loss(v.normalized_second_moment)) for v in known]
    for axis, (title, uses) in zip(axes, PANELS.items()):
        axis.plot(ball, bound, "-", color="0.35", lw=1.2, label="sphere bound (high rate)")
        axis.plot([v.dimension for v in known], losses, ls="", marker="_", color="k", ms=22, mew=1.2,
                  label="lattice, theory (high rate)")
        for v, loss in zip(known, losses):
            axis.annotate(NAMES[v.dimension], (v.dimension, loss), xytext=(3, 8), textcoords="offset points",
                          ha="center", fontsize=8)
        for shared, weight, marker, color, label in uses:
            for i, rate in enumerate(rates):
                rows = ((columns["shared"] == shared) & (columns["weight"] == weight)
                        & (columns["target_rate_bits"] == rate))
                x = place(columns["dimension"][rows], columns["states"][rows])
                spread = 1.0 + 0.05 * (i - (len(rates) - 1) / 2) + (0.12 if len(uses) > 1 and shared == "dither" else 0)
                hollow = i % 2 == 0
                axis.errorbar(x * spread, columns["controlled_gap_bits"][rows],
                              2 * columns["controlled_gap_se"][rows], fmt=marker, color=color, ecolor=color,
                              mfc="w" if hollow else color, ms=4.5, mew=1.0, elinewidth=0.8, zorder=3,
                              label=f"{label}, {rate:g} bit")
        axis.axvline(33.0, color="0.8", lw=0.8)
        states = sorted({int(s) for s in columns["states"] if s > 0})
        where = place(np.zeros(len(states)), np.array(states, float))
        axis.set(xscale="log", xlim=(0.75, max([60.0, *(1.35 * where)])), ylim=(0.0, 0.29), title=f"Excess {title}")
        axis.set_xticks([1, 2, 4, 8, 16, 24, *where], ["1", "2", "4", "8", "16", "24", *map(str, states)])
        axis.minorticks_off()
        axis.set_xlabel("dimension of the lattice | states of the trellis")
    axes[0].set_ylabel("excess rate, bytes written\n(bits per sample)")
    handles = [Line2D([], [], color="0.35", lw=1.2, label="sphere bound (high rate)"),
               Line2D([], [], ls="", marker="_", color="k", ms=13, mew=1.4, label="lattice, theory (high rate)")]
    for uses in PANELS.values():
        handles += [Line2D([], [], ls="", marker=m, color=c, ms=4.5, label=f"codec: {t}") for _, _, m, c, t in uses]
    fills = " / ".join(f"{'hollow' if i % 2 == 0 else 'filled'}: {rate:g}" for i, rate in enumerate(rates))
    handles.append(Line2D([], [], ls="", marker="", label=f"{fills} bit per sample"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("gaussian_lattice", load, {"gaussian_lattice": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
