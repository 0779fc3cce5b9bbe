"""One look for all figures: colors that differ in gray, lines for bounds, markers for codecs."""

import pathlib

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

# Pixels per inch of PNG files.
DPI = 200
# What the description of a PNG file says where each pixel of a photograph is a square of whole pixels.
WHOLE_PIXELS = "photographs at whole factors"
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
        "savefig.dpi": DPI,
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


def fit_pixels(figure: Figure, dpi: float) -> bool:
    """Makes each pixel of a photograph a square of whole pixels, so that no viewer sees a resampled image.

    Photographs are images whose axes keep their shape (not heat maps, with `aspect="auto"`) and show them whole. Each
    gets the largest factor that its axes hold, at least 1, about its own center; a layout engine has its say before.

    Args:
      figure: what to change.
      dpi: pixels per inch that it will be saved with.

    Returns:
      Whether there is a photograph.
    """
    photographs = [axis for axis in figure.axes if axis.get_images() and axis.get_aspect() in (1.0, "equal")]
    if not photographs:
        return False
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in photographs:
        box, image = axis.get_window_extent(), axis.get_images()[0]
        rows, columns = image.get_array().shape[:2]
        if not np.allclose([*axis.get_xlim(), *axis.get_ylim()], image.get_extent()):
            continue
        # Matplotlib's layout may miss a factor by a little.
        factor = max(1, int(min(box.width / columns, box.height / rows) * 1.03))
        width, height = factor * columns, factor * rows
        x, y = round(box.x0 + (box.width - width) / 2), round(box.y0 + (box.height - height) / 2)
        # A hair less than whole, or rounding up would add a pixel.
        fitted = Bbox.from_bounds(x + 1e-3, y + 1e-3, width - 2e-3, height - 2e-3)
        axis.set_aspect("auto")
        axis.set_position(fitted.transformed(axis.get_figure().transSubfigure.inverted()))
    return True


def _whole_frame(figure: Figure, dpi: float) -> Bbox:
    """Finds what a figure covers with a margin, in inches, with borders between pixels."""
    tight = figure.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"])
    low, high = np.floor(tight.min * dpi), np.ceil(tight.max * dpi)
    return Bbox([low / dpi, high / dpi])


def save(figure: Figure, stem: str | pathlib.Path) -> list[pathlib.Path]:
    """Writes a figure as PNG and PDF, photographs at whole factors; the same figure gives the same bytes.

    Args:
      figure: what to write.
      stem: the path without suffix; its folder is made where it does not exist.

    Returns:
      The two files.
    """
    stem = pathlib.Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = [stem.with_name(stem.name + suffix) for suffix in (".png", ".pdf")]
    options: dict = {}
    if fit_pixels(figure, DPI):
        options = {"bbox_inches": _whole_frame(figure, DPI), "dpi": DPI}
    figure.savefig(files[0], metadata={"Software": None, "Description": WHOLE_PIXELS if options else None}, **options)
    figure.savefig(files[1], metadata={"CreationDate": None, "Producer": None, "Creator": None}, **options)
    plt.close(figure)
    return files
