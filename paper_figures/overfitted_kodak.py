"""The overfitted codec beside conventional ones on whole photographs: PSNR against bytes, and rate at equal PSNR.

    python -m paper_figures.overfitted_kodak [--table=paper_figures/data/overfitted_kodak.csv] [--out=runs/figures]

Reads `pictures.csv` and `bd_rates.csv` (the same name with `_bd_rates.csv`) written by
`experiments.images.image_realism`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

MOST = 5  # images that get a panel
CODECS = ("overfitted MSE", "JPEG", "WebP", "JPEG 2000", "JPEG XL", "AVIF")


class Data(NamedTuple):
    """A run's tables.

    Attributes:
      columns: one row per file.
      rates: one row per image and codec: rate at equal PSNR less JPEG's, in percent.
    """

    columns: dict[str, np.ndarray]
    rates: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads both tables.

    Args:
      path: the CSV file of the images; the other is beside it, as `bd_rates.csv` or with `_bd_rates` in its name.

    Returns:
      Their columns.

    Raises:
      ValueError: if either cannot be read.
    """
    path = pathlib.Path(path)
    beside = path.with_name(path.stem + "_bd_rates.csv")
    beside = beside if beside.is_file() else path.with_name("bd_rates.csv")
    return Data(read_table(path)[1], read_table(beside)[1])


def make_figure(data: Data) -> Figure:
    """A panel of curves for each image, of many for some of them, and one of all rates at equal PSNR.

    Of more than five images those are shown that are spread evenly over the order of our codec's rates at equal PSNR,
    from the best to the worst.

    Args:
      data: the tables.

    Returns:
      The figure.
    """
    rows = data.columns["part"] == "rates"
    columns = {name: column[rows] for name, column in data.columns.items()}
    names = list(dict.fromkeys(columns["picture"]))
    if len(names) > MOST:
        ours = (data.rates["codec"] == CODECS[0]) & (data.rates["picture"] != "mean")
        ranked = data.rates["picture"][ours][np.argsort(data.rates["bd_rate_percent"][ours])]
        names = list(ranked[np.linspace(0, len(ranked) - 1, MOST).round().astype(int)])
    across = 3
    down = -(-(len(names) + 1) // across)
    figure, axes = plt.subplots(down, across, figsize=(7.2, 2.35 * down + 0.3), layout="constrained", squeeze=False)
    for axis, name in zip(axes.flat, names):
        for codec, color, line, marker in zip(CODECS, COLORS, LINES, MARKERS):
            chosen = (columns["picture"] == name) & (columns["codec"] == codec)
            order = np.argsort(columns["bytes"][chosen])
            axis.plot(columns["bits_per_pixel"][chosen][order], columns["psnr"][chosen][order], color=color, ls=line,
                      marker=marker, label=codec, lw=2.2 if codec == CODECS[0] else 1.2, ms=4)
        axis.set(title=str(name), xlabel="rate (bits per pixel)", ylabel="PSNR (dB)")
    bars = axes.flat[len(names)]
    shown = [codec for codec in CODECS if codec in data.rates["codec"]]
    for place, codec in enumerate(shown):
        chosen = data.rates["codec"] == codec
        mean = chosen & (data.rates["picture"] == "mean")
        value = float(data.rates["bd_rate_percent"][mean][0])
        bars.barh(place, value, color=COLORS[CODECS.index(codec)], height=0.6)
        each = data.rates["bd_rate_percent"][chosen & ~mean]
        bars.plot(each, np.full(len(each), place), ls="", marker="o", mfc="w", mec="k", mew=0.6, ms=3)
    bars.set_yticks(range(len(shown)), shown)
    bars.invert_yaxis()
    bars.axvline(0, color="0.3", lw=0.8)
    bars.set(xlabel="bytes at equal PSNR against JPEG (%)", title="BD-rate: mean, and each image")
    for axis in axes.flat[len(names) + 1 :]:
        axis.set_axis_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("overfitted_kodak", load, {"overfitted_kodak": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
