"""One image for three displays: where its bits go, and six crops fitted for squared error and for a display, whole and
where ColorVideoVDP says that the two differ most.

    python -m paper_figures.display_aware [--table=paper_figures/data/display_aware.csv] [--out=runs/figures]

Reads `fits.csv` and `fits.npz` (the same name with `.npz`) written by `experiments.images.display_aware`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from paper_figures import drawing, style
from paper_figures.tables import read_table

FACTOR = 3  # by which crops of the sheet are enlarged
WINDOW, CLOSER = 32, 6  # side in pixels of what is looked at closely, and by how much that is enlarged
BLOCK = 8  # pixels: a latent of a coarse resolution stands for as many, and single ones of the finest hide the rest


class Data(NamedTuple):
    """Files of one length.

    Attributes:
      header: the table's header lines.
      rows: (crop, display, method) -> the row's numbers by column.
      arrays: "crop original", "crop display method" (uint8 [size, size, 3]), "bits crop display method" and, of fits on
        the desktop monitor, "seen crop display method": ColorVideoVDP's map of differences to the original, JOD.
    """

    header: dict[str, str]
    rows: dict[tuple[str, str, str], dict[str, float]]
    arrays: dict[str, np.ndarray]

    @property
    def crops(self) -> tuple[str, ...]:
        """Names of the crops, in the table's order."""
        return tuple(dict.fromkeys(name for name, _, _ in self.rows))


def load(path: pathlib.Path) -> Data:
    """Reads a table and the arrays beside it.

    Args:
      path: the CSV file; the arrays are in the `.npz` file of its own name.

    Returns:
      Both.

    Raises:
      ValueError: if either cannot be read.
    """
    path = pathlib.Path(path)
    keys, values = ("name", "display", "method"), ("bytes", "psnr", "jod", "jod_glance")
    header, columns = read_table(path, needed=(*keys, *values))
    if not path.with_suffix(".npz").is_file():
        raise ValueError(f"the images of {path} are missing: {path.with_suffix('.npz')} is not there")
    rows = {tuple(columns[key][i] for key in keys): {value: float(columns[value][i]) for value in values}
            for i in range(len(columns["name"]))}
    with np.load(path.with_suffix(".npz")) as archive:
        return Data(header, rows, dict(archive))


def bits_moved(data: Data, crop: str, display: str, method: str) -> np.ndarray:
    """Computes where a fit spends more and fewer bits than that for squared error.

    Args:
      data: what `load` returned.
      crop: its name.
      display: the display.
      method: of the other fit.

    Returns:
      [size / 8, size / 8], bits of latents per pixel, means over blocks of 8 x 8 (what is left over at the end is cut).
    """
    change = data.arrays[f"bits {crop} {display} {method}"] - data.arrays[f"bits {crop} {display} mse"]
    rows, columns = (n // BLOCK for n in change.shape)
    return change[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean((1, 3))


def maps(data: Data) -> Figure:
    """Draws the first crop on all displays and for a glance: originals, both fits, and where bits went.

    Args:
      data: what `load` returned.

    Returns:
      The figure.
    """
    crop = data.crops[0]
    lines = [key for key in data.rows if key[0] == crop and key[2] in ("jod", "glance")]
    lines.sort(key=lambda key: key[2] == "glance")
    moved = [bits_moved(data, *key) for key in lines]
    largest = max(float(np.abs(one).max()) for one in moved)
    figure, axes = plt.subplots(len(lines), 4, figsize=(7.4, 1.72 * len(lines) + 0.4), layout="constrained",
                                squeeze=False)
    shown = None
    for line, (_, display, method), change in zip(axes, lines, moved):
        score = "jod_glance" if method == "glance" else "jod"
        before, after = (data.rows[crop, display, one] for one in ("mse", method))
        _show(line[0], data.arrays[f"{crop} original"], "")
        _show(line[1], data.arrays[f"{crop} {display} mse"], _words(before, score))
        _show(line[2], data.arrays[f"{crop} {display} {method}"], _words(after, score))
        shown = _show(line[3], change.repeat(BLOCK, 0).repeat(BLOCK, 1), "", cmap="PuOr_r", vmin=-largest, vmax=largest)
        what = f"{display}\n{float(data.header[display].split()[0]):.0f} pixels per degree"
        line[0].set_ylabel(what + (",\none glance" if method == "glance" else ""), fontsize=8)
        if method == "glance":
            rows, columns = (float(f) * (float(data.header["size"]) - 1) for f in data.header["fixation"].split())
            for axis in (line[2], line[3]):
                axis.plot(columns, rows, "+", color="#d1495b", ms=8, mew=1.2)
    for axis, title in zip(axes[0], ("original", "fitted for squared error", "fitted for the display",
                                     "bits: display − squared error")):
        axis.set_title(title, fontsize=8)
    assert shown is not None
    figure.colorbar(shown, ax=axes[:, 3], shrink=0.8).set_label("bits per pixel, more or fewer", fontsize=8)
    return figure


def sheet(data: Data) -> Figure:
    """Draws all crops enlarged: original, and both fits.

    Args:
      data: what `load` returned.

    Returns:
      The figure.
    """
    pairs = _displays(data)
    side = FACTOR * data.arrays[f"{data.crops[0]} original"].shape[0] / style.DPI
    figure, axes = plt.subplots(len(pairs), 3, figsize=(3 * (side + 0.09), len(pairs) * (side + 0.25) + 0.2),
                                layout="constrained", squeeze=False)
    for line, (crop, display) in zip(axes, pairs.items()):
        _show(line[0], data.arrays[f"{crop} original"], crop)
        for axis, method in zip(line[1:], ("mse", "jod")):
            _show(axis, data.arrays[f"{crop} {display} {method}"], _words(data.rows[crop, display, method], "jod"))
    for axis, title in zip(axes[0], ("original", "fitted for squared error", "fitted for the display")):
        axis.set_title(title, fontsize=8)
    return figure


def telling_windows(data: Data, crop: str, display: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Finds where the two fits of a crop differ most in what ColorVideoVDP sees of their errors.

    Args:
      data: what `load` returned.
      crop: its name.
      display: the display.

    Returns:
      Row and column of the first pixel of two windows of `WINDOW` pixels each way: the one in which the fit for the
      display gains most over that for squared error, in the mean of the maps, and the one in which it gains least.
    """
    before, after = (data.arrays[f"seen {crop} {display} {method}"].astype(float) for method in ("mse", "jod"))
    gain = np.lib.stride_tricks.sliding_window_view(before - after, (WINDOW, WINDOW)).mean((2, 3))
    best, worst = (np.unravel_index(index, gain.shape) for index in (gain.argmax(), gain.argmin()))
    return (int(best[0]), int(best[1])), (int(worst[0]), int(worst[1]))


def closer(data: Data) -> Figure:
    """Draws two windows of each crop: where the fit for the display gains most, and where it gains least or loses.

    Args:
      data: what `load` returned.

    Returns:
      The figure.
    """
    pairs = _displays(data)
    side = CLOSER * WINDOW / style.DPI
    figure, axes = plt.subplots(len(pairs), 7, figsize=(7 * (side + 0.06), len(pairs) * (side + 0.19) + 0.3),
                                layout="constrained", squeeze=False)
    for line, (crop, display) in zip(axes, pairs.items()):
        _show(line[0], data.arrays[f"{crop} original"], crop)
        for panels, (row, column), stroke in zip((line[1:4], line[4:]), telling_windows(data, crop, display),
                                                 ("-", ":")):
            for color, width in (("white", 2.6), ("black", 1.2)):
                line[0].add_patch(Rectangle((column - 0.5, row - 0.5), WINDOW, WINDOW, fill=False, color=color,
                                            lw=width, ls=stroke if color == "black" else "-"))
            for axis, method in zip(panels, ("original", "mse", "jod")):
                key = f"{crop} original" if method == "original" else f"{crop} {display} {method}"
                window = np.s_[row : row + WINDOW, column : column + WINDOW]
                seen = None if method == "original" else data.arrays[f"seen {key}"][window].astype(float).mean()
                _show(axis, data.arrays[key][window], "" if seen is None else f"{seen:.2f} JOD of errors")
    for axis, title in zip(axes[0], ("whole crop", *2 * ("original", "for squared error", "for the display"))):
        axis.set_title(title, fontsize=7)
    axes[0, 2].set_title("solid frame: the display's fit gains most\n\nfor squared error", fontsize=7)
    axes[0, 5].set_title("dotted frame: it gains least, or loses\n\nfor squared error", fontsize=7)
    return figure


def _displays(data: Data) -> dict[str, str]:
    """The first display that each crop was fitted for."""
    return {crop: next(d for c, d, m in data.rows if (c, m) == (crop, "jod")) for crop in data.crops}


def _words(row: dict[str, float], score: str) -> str:
    return f"{row['bytes']:.0f} bytes, {row['psnr']:.1f} dB, {row[score]:.2f} JOD"


def _show(axis: Axes, image: np.ndarray, words: str, **options) -> AxesImage:
    shown = axis.imshow(image, interpolation="nearest", **options)
    axis.set(xticks=[], yticks=[])
    style.remove_frame(axis)
    axis.set_xlabel(words, fontsize=7, labelpad=2)
    return shown


FIGURES = {"display_aware": maps, "display_aware_sheet": sheet, "display_aware_closer": closer}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from the command line."""
    return drawing.main("display_aware", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
