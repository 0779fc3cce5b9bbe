"""Circle and ramp: trained codecs on the hull of deterministic quantizers, and what linear transforms need.

    python -m paper_figures.circle_and_ramp [--table=runs/circle_and_ramp/quick/points.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.circle_and_ramp`.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.sawbridge import load, panel


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws a panel for each source.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.2), layout="constrained")
    for axis, source in zip(axes, ("circle", "ramp")):
        panel(axis, data, source)
    axes[0].set_ylabel("distortion (squared error)")
    axes[1].legend(fontsize=7.5)
    figure.suptitle("Numbers: cells of the codec", fontsize=9)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("circle_and_ramp", load, {"circle_and_ramp": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
