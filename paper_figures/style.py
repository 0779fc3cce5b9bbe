"""One look for all figures: colors that differ in gray, lines for bounds, markers for codecs."""

import pathlib

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# From dark to light, so that a black-and-white print keeps them apart; line styles and markers say it again.
COLORS = ("#1b1b4b", "#8a1c5c", "#d1495b", "#e8963a", "#7fb069", "#58a4b0")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def apply() -> None:
    """Sets matplotlib's parameters for every figure of the project."""
    matplotlib.rcdefaults()
    plt.rcParams.update({
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.titlesize": 9.5,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "0.9",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "lines.linewidth": 1.4,
        "lines.markersize": 4.5,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "savefig.bbox": "tight",
        "pdf.fonttype": 42,
        "svg.hashsalt": "rdr",
    })


def remove_frame(axes: Axes) -> None:
    """Leaves what is drawn on axes alone: without grid and sides.

    Args:
      axes: of an image or a heat map.
    """
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)


def save(figure: Figure, stem: str | pathlib.Path) -> list[pathlib.Path]:
    """Writes a figure as PNG and PDF; the same figure gives the same bytes.

    Args:
      figure: what to write.
      stem: the path without suffix; its folder is made where it does not exist.

    Returns:
      The two files.
    """
    stem = pathlib.Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = [stem.with_name(stem.name + suffix) for suffix in (".png", ".pdf")]
    figure.savefig(files[0], metadata={"Software": None})
    figure.savefig(files[1], metadata={"CreationDate": None, "Producer": None, "Creator": None})
    plt.close(figure)
    return files
