"""R(D, P) of a discrete source under three divergences, side by side.

    python -m paper_figures.discrete_rdp [--table=runs/.../discrete_rdp.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.discrete_rdp`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.tables import read_table

TITLES = {
    "tv": ("total variation", "perception P: total variation"),
    "kl": ("Kullback–Leibler, KL(p_Y || p_X)", "perception P (bits)"),
    "w2sq": ("Wasserstein-2, squared", "perception P: W₂²"),
}


class Surface(NamedTuple):
    """One divergence's surface.

    Attributes:
      distortions: [k].
      perceptions: [l].
      rate: bits, [k, l].
      lower: proved lower bounds, bits, [k, l].
      free: divergence of the classical optimum, beyond which R(D, P) = R(D), [k].
    """

    distortions: np.ndarray
    perceptions: np.ndarray
    rate: np.ndarray
    lower: np.ndarray
    free: np.ndarray


def load(path: pathlib.Path) -> dict[str, Surface]:
    """Reads a table of `experiments.bounds.discrete_rdp`.

    Args:
      path: the CSV file.

    Returns:
      Surfaces by divergence.

    Raises:
      ValueError: if it cannot be read, or its points are no grid.
    """
    _, columns = read_table(path)
    if "divergence" not in columns or not len(columns["divergence"]):
        raise ValueError(f"{path} holds no surface")
    surfaces = {}
    for name in dict.fromkeys(columns["divergence"]):
        rows = {key: column[columns["divergence"] == name] for key, column in columns.items()}
        distortions, perceptions = np.unique(rows["distortion"]), np.unique(rows["perception"])
        shape = (len(distortions), len(perceptions))
        if len(rows["distortion"]) != shape[0] * shape[1]:
            raise ValueError(f"{path}: the points of {name} are no grid")
        order = np.lexsort((rows["perception"], rows["distortion"]))
        if not np.isinf(perceptions[-1]):
            raise ValueError(f"{path}: {name} has no points without a bound on perception (P = inf)")
        rate, lower, used = (
            rows[field][order].reshape(shape) for field in ("rate_upper_bits", "rate_lower_bits", "used_perception")
        )
        surfaces[str(name)] = Surface(distortions, perceptions[:-1], rate[:, :-1], lower[:, :-1], used[:, -1])
    return surfaces


def surfaces(data: dict[str, Surface]) -> Figure:
    """One panel per divergence: lines of equal rate in the (D, P) plane, on gray that says the rate again.

    Args:
      data: the surfaces.

    Returns:
      The figure.
    """
    top = max(surface.rate.max() for surface in data.values())
    levels = [level for level in (0.02, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0) if level < top]
    figure, axes = plt.subplots(1, len(data), figsize=(2.9 * len(data) + 0.6, 3.4), sharex=True, squeeze=False,
                                layout="constrained")
    for axis, (name, surface) in zip(axes[0], data.items()):
        # The height is the square root of P, which opens up the neighborhood of perfect realism.
        x, y = surface.distortions, np.sqrt(surface.perceptions)
        shade = axis.pcolormesh(x, y, surface.rate.T, cmap="Greys", vmin=0.0, vmax=1.6 * min(top, 2.5),
                                shading="gouraud", rasterized=True)
        lines = axis.contour(x, y, surface.rate.T, levels=levels, colors="k", linewidths=0.9)
        axis.clabel(lines, [level for level in lines.levels if level <= 0.75], fmt="%g", fontsize=7)
        # Above this line the constraint is slack: R(D, P) = R(D).
        axis.plot(x, np.sqrt(surface.free), "--", color="#d1495b", lw=1.6)
        axis.set_ylim(0.0, y[-1])
        title, label = TITLES.get(name, (name, "perception P"))
        ticks = np.linspace(0.0, y[-1], 5)
        axis.set(title=title, xlabel="distortion D (squared error)", ylabel=label)
        axis.set_yticks(ticks, [f"{tick**2:.2g}" for tick in ticks])
        axis.grid(False)
    bar = figure.colorbar(shade, ax=axes[0].tolist(), shrink=0.9, extend="max")
    bar.set_label("rate R(D, P) (bits per sample)")
    figure.legend(handles=[plt.Line2D([], [], color="k", lw=0.9, label="equal rate (bits)"),
                           plt.Line2D([], [], color="#d1495b", ls="--", lw=1.6,
                                      label="above: realism is free, R(D, P) = R(D)")],
                  loc="outside lower center", ncols=2)
    return figure


FIGURES = {"discrete_rdp": surfaces}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("discrete_rdp", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
