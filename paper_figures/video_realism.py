"""Realism of frames and of the video: how long an error stays, and what the second frame costs.

    python -m paper_figures.video_realism [--table=runs/video_realism/frames.csv] [--out=runs/figures]

Reads the tables written by `experiments.bounds.video_realism`; the one of the second frame is `second.csv` beside the
given table, or the committed one.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES
from paper_figures.tables import read_beside, read_table

NOTIONS = {"joint": "realism of the video", "framewise": "realism of each frame", "plain": "no realism"}


class Tables(NamedTuple):
    """Columns by name.

    Attributes:
      frames: errors of each frame.
      second: errors of the second frame against its rate.
    """

    frames: dict[str, np.ndarray]
    second: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Tables:
    """Reads both tables.

    Args:
      path: the CSV file of the frames.

    Returns:
      `Tables`.

    Raises:
      ValueError: if one cannot be read.
    """
    return Tables(read_table(path)[1], read_beside(path, "second"))


def make_figure(data: Tables) -> Figure:
    """Draws the error of each frame for two memories, and of the second frame for two first ones.

    Args:
      data: both tables.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 4, figsize=(10.6, 2.9), layout="constrained", sharey=True)
    panels = [(data.frames, "coefficient", value, "frame") for value in np.unique(data.frames["coefficient"])]
    panels += [(data.second, "first_rate_bits", value, "rate_bits")
               for value in np.unique(data.second["first_rate_bits"])]
    for axis, (table, key, value, x) in zip(axes, panels):
        rows = table[key] == value
        for (name, label), color, line in zip(NOTIONS.items(), COLORS, LINES):
            axis.plot(table[x][rows], table[name][rows], color=color, linestyle=line, label=label)
        if x == "frame":
            axis.set(xlabel="frame (the first: 0.05 bit, then 1 bit)", title=f"correlation {value:g}", xlim=(1, None))
        else:
            axis.set(xlabel="bits for the second frame", xlim=(0, None),
                     title=f"correlation 0.95, first frame {value:g} bit")
    axes[0].set(ylabel="squared error of the frame", ylim=(0, 2))
    axes[2].set_ylabel("squared error, second frame")
    axes[0].legend(fontsize=7, loc="upper right")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("video_realism", load, {"video_realism": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
