"""Patterns that people just see, as metrics see them.

    python -m paper_figures.threshold_patterns --table=patterns.csv --out=DIR
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, style
from paper_figures.metric_blindness import NAMES
from paper_figures.tables import read_table

LIMIT = 24.0
FLOOR = -40.0
_GROUPS = {"light": "light and dark", "red-green": "red and green", "yellow-violet": "yellow and violet"}


class Data(NamedTuple):
    """Deviations of metrics from people.

    Attributes:
      header: the table's header lines.
      metrics: names, in the table's order.
      groups: (direction, luminance in cd/m^2) of each pattern.
      frequency: of each pattern, cycles per degree.
      deviation: [metrics, patterns], dB of contrast.
    """

    header: dict[str, str]
    metrics: tuple[str, ...]
    groups: tuple[tuple[str, float], ...]
    frequency: np.ndarray
    deviation: np.ndarray


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      The data.

    Raises:
      ValueError: if it is not complete: the same patterns for each metric.
    """
    header, columns = read_table(path, needed=("metric", "direction", "luminance", "frequency", "deviation_db"))
    metrics = tuple(dict.fromkeys(columns["metric"].tolist()))
    shape = (len(metrics), -1)
    patterns = list(zip(columns["direction"].tolist(), columns["luminance"].tolist(), columns["frequency"].tolist()))
    count = len(patterns) // len(metrics)
    if patterns != patterns[:count] * len(metrics):
        raise ValueError(f"table {path} must have one row per metric and pattern")
    return Data(header, metrics, tuple(p[:2] for p in patterns[:count]), columns["frequency"][:count],
                columns["deviation_db"].reshape(shape))


def make_figure(data: Data) -> Figure:
    """Draws the heat map.

    Args:
      data: what `load` returned.

    Returns:
      The figure: a cell's number is the deviation in dB; "none" is a pattern that the metric does not see at all.
    """
    rows, columns = data.deviation.shape
    figure, axes = plt.subplots(figsize=(2.4 + 0.46 * columns, 1.5 + 0.33 * rows), layout="constrained")
    shown = axes.imshow(data.deviation, cmap="PuOr", vmin=-LIMIT, vmax=LIMIT, aspect="auto")
    for i in range(rows):
        for j in range(columns):
            value = data.deviation[i, j]
            text = "0" if abs(value) < 0.5 else f"{np.rint(value):+.0f}".replace("-", "\u2212")
            text = "none" if value <= FLOOR else text
            axes.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if abs(value) > 15 else "black")
    axes.set_xticks(range(columns), [f"{u:g}" for u in data.frequency])
    axes.set_yticks(range(rows), [NAMES.get(name, name) for name in data.metrics])
    axes.set_xlabel("spatial frequency (cycles per degree)")
    starts = [j for j in range(columns) if j == 0 or data.groups[j] != data.groups[j - 1]]
    for start, end in zip(starts, [*starts[1:], columns]):
        direction, luminance = data.groups[start]
        label = _GROUPS.get(direction, direction).replace(" and ", " and\n") + f"\n{luminance:g} cd/m²"
        axes.text((start + end - 1) / 2, -0.65, label, ha="center", va="bottom", fontsize=8)
        if start:
            axes.axvline(start - 0.5, color="white", lw=2)
    axes.tick_params(length=0)
    style.remove_frame(axes)
    figure.colorbar(shown, ax=axes, label="contrast as the metric has it,\nover people's (dB)",
                    ticks=(-24, -12, 0, 12, 24))
    return figure


FIGURES = {"threshold_patterns": make_figure}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("threshold_patterns", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
