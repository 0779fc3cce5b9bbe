"""Common parts of figures of a function R(D,P) on a grid."""

import pathlib
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from paper_figures.style import COLORS
from paper_figures.tables import read_table


class Surface(NamedTuple):
    """A rate on a grid.

    Attributes:
      distortion: shape [n].
      perception: shape [m].
      rate: bits, shape [n, m].
    """

    distortion: np.ndarray
    perception: np.ndarray
    rate: np.ndarray


def read_surface(path: pathlib.Path) -> Surface:
    """Reads a table with columns distortion, perception and rate_bits, one row per point of a grid.

    Args:
      path: the CSV file, the distortion varying slowest.

    Returns:
      The grid.

    Raises:
      ValueError: if it cannot be read or is no full grid.
    """
    _, columns = read_table(path)
    d, p, rate = (columns[name] for name in ("distortion", "perception", "rate_bits"))
    distortion, perception = np.unique(d), np.unique(p)
    shape = (len(distortion), len(perception))
    if rate.size != shape[0] * shape[1] or not np.array_equal(d, np.repeat(distortion, shape[1])):
        raise ValueError(f"table {path} is not a full grid of distortions and perceptions")
    return Surface(distortion, perception, rate.reshape(shape))


def draw_levels(
    axis: Axes, surface: Surface, levels: list[float], *, border: tuple[np.ndarray, np.ndarray], zero: str
) -> None:
    """Draws labeled lines of equal rate in the plane of distortion and perception.

    Args:
      axis: where to draw.
      surface: the rate.
      levels: bits > 0, ascending.
      border: distortions and perceptions of the line beyond which the rate is 0, drawn dashed.
      zero: a word for the region of rate 0, placed in the upper right corner.
    """
    # The rate ends like a square: its root has straight level sets there, and the same ones elsewhere.
    root = np.sqrt(np.maximum(surface.rate, 0.0)).T
    grid = (surface.distortion, surface.perception, root)
    lines = axis.contour(*grid, levels=[level**0.5 for level in levels], colors=COLORS[0], linewidths=1.1)
    axis.clabel(lines, fmt=lambda level: f"{level**2:.3g}", fontsize=7)
    axis.plot(*border, color=COLORS[2], linewidth=1.4, linestyle="--")
    axis.text(0.97, 0.95, zero, transform=axis.transAxes, ha="right", va="top", color=COLORS[2])
    axis.grid(False)
