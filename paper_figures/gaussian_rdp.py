"""Trained scalar codecs and the Gaussian rate-distortion-perception bounds.

    python -m paper_figures.gaussian_rdp [--table=runs/gaussian_rdp/quick/points.csv] [--out=runs/figures]

Reads a table written by `experiments.sources.gaussian_rdp`.
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
from theory import gaussian

LEVELS = (0.0, 0.01, 0.05)
LEVEL_LINES = ("-", "--", ":")
REAL = 0.01
FAMILIES = {
    "deterministic": ("o", COLORS[0], "nothing shared, deterministic"),
    "private": ("s", COLORS[2], "nothing shared, private noise"),
    "dithered": ("^", COLORS[3], "shared dither"),
}


class Data(NamedTuple):
    """A table of operating points.

    Attributes:
      header: its header lines.
      columns: its columns by name.
    """

    header: dict[str, str]
    columns: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table of `experiments.sources.gaussian_rdp`.

    Args:
      path: the CSV file.

    Returns:
      The table.

    Raises:
      ValueError: if it cannot be read, or holds no points.
    """
    header, columns = read_table(path)
    if "codec" not in columns or not len(columns["codec"]):
        raise ValueError(f"{path} holds no operating points")
    return Data(header, columns)


def _rows(data: Data, family: str, choose: np.ndarray | bool = True) -> dict[str, np.ndarray]:
    rows = (data.columns["codec"] == family) & choose
    return {name: column[rows] for name, column in data.columns.items()}


def at_rate(data: Data, family: str, rate: float) -> np.ndarray:
    """Distortion and perception of a family at a rate, one point for each ratio of its realism and rate weights.

    Along codecs of one ratio, log D and log P are interpolated linearly in the rate, between neighbors only.

    Args:
      data: the table.
      family: the codec's name in the table.
      rate: bits per sample.

    Returns:
      [points, 2]: D and P, by increasing ratio; ratios whose rates do not reach around `rate` are left out.
    """
    rows = _rows(data, family)
    ratios = np.round(rows["perception_weight"] / rows["distortion_weight"], 3)
    points = []
    for ratio in np.unique(ratios):
        chosen = np.flatnonzero(ratios == ratio)
        chosen = chosen[np.argsort(rows["rate_bits"][chosen])]
        rates = rows["rate_bits"][chosen]
        if rates[0] <= rate <= rates[-1]:
            logs = [np.interp(rate, rates, np.log(rows[name][chosen])) for name in ("distortion", "perception")]
            points.append(np.exp(logs))
    return np.array(points).reshape(-1, 2)


def rate_distortion(data: Data) -> Figure:
    """R-D curves at several P for each kind of randomness with the codecs on top, and their gaps in bits below.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.6), sharex=True, height_ratios=(1.9, 1.0), layout="constrained")
    rates = np.linspace(0.02, max(3.6, data.columns["rate_bits"].max() + 0.1), 300)
    bounds = {
        "without common randomness": (lambda p: gaussian.strong_realism_distortion(rates, 0.0, p),
                                      ("deterministic", "private")),
        "with unlimited common randomness": (lambda p: gaussian.distortion_rate_perception(rates, p), ("dithered",)),
    }
    for column, (title, (bound, families)) in enumerate(bounds.items()):
        top, bottom = axes[:, column]
        top.plot(rates, gaussian.distortion_rate(rates), color="0.65", lw=3.0, zorder=1)
        for level, line in zip(LEVELS, LEVEL_LINES):
            top.plot(rates, bound(level), line, color="k", lw=1.2, zorder=2)
        for family in families:
            marker, color, _ = FAMILIES[family]
            real = data.columns["perception"] <= REAL
            for choose, look in ((~real, {"mfc": "w", "mec": color}), (real, {"mfc": color, "mec": "w", "mew": 0.5})):
                rows = _rows(data, family, choose)
                top.plot(rows["rate_bits"], rows["distortion"], marker, zorder=3, **look)
                bottom.errorbar(rows["rate_bits"], rows["gap_bits"], 2 * rows["gap_se"], fmt=marker, ecolor=color,
                                elinewidth=0.8, zorder=3, **look)
        space_filling = 0.5 * np.log2(2 * np.pi * np.e / 12)
        bottom.axhline(0.0, color="k", lw=1.2)
        limit = bottom.axhline(space_filling, color="0.5", ls="--", lw=1.0,
                               label=f"scalar quantization at high rate:\n½ log₂(2πe/12) = {space_filling:.4f} bit")
        bottom.legend(handles=[limit], loc="best", fontsize=7.5)
        top.set(yscale="log", title=f"Bounds {title}")
        bottom.set(xlabel="rate (bits per sample, bytes written)", ylim=(-0.03, None))
    axes[0, 0].set_ylabel("distortion (mean squared error)")
    axes[1, 0].set_ylabel("gap to the bound at\nthe codec's D and P (bits)")
    axes[0, 1].sharey(axes[0, 0])
    axes[1, 1].sharey(axes[1, 0])
    lines = [Line2D([], [], color="0.65", lw=3.0, label="R(D): realism ignored")]
    lines += [Line2D([], [], color="k", ls=s, lw=1.2, label=f"bound, P = {p:g}") for p, s in zip(LEVELS, LEVEL_LINES)]
    marks = [Line2D([], [], ls="", marker=m, color=c, mec="w", label=t) for m, c, t in FAMILIES.values()]
    hollow = Line2D([], [], ls="", marker="o", mfc="w", mec="k", label=f"hollow: codec's P > {REAL:g}")
    axes[0, 0].legend(handles=[*lines, *marks[:2], hollow], loc="lower left")
    axes[0, 1].legend(handles=[*lines, *marks[2:], hollow], loc="lower left")
    return figure


def distortion_perception(data: Data) -> Figure:
    """The (D, P) plane at fixed rates: the bounds, the codecs, and what interpolating a codec's decoder would give.

    With g the mean squared error of a codec and W2^2(p_X, p_Xhat) = g (as for a monotone scalar quantizer), moving its
    decoder from E[X | message] towards a posterior sample traces D = g + [sqrt(g) - sqrt(P)]_+^2.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    low, high = data.columns["rate_bits"].min(), data.columns["rate_bits"].max()
    targets = [rate for rate in (1.25, 2.0, 3.0) if low <= rate <= high]
    targets = targets or [float(np.median(data.columns["rate_bits"]))]
    figure, axes = plt.subplots(1, len(targets), figsize=(2.55 * len(targets) + 0.4, 3.5), layout="constrained",
                                squeeze=False)
    for axis, rate in zip(axes[0], targets):
        plain = float(gaussian.distortion_rate(rate))
        reached = {family: at_rate(data, family, rate) for family in FAMILIES}
        largest = max([plain, *(float(points[:, 1].max()) for points in reached.values() if len(points))])
        root = np.linspace(0.0, 1.05 * np.sqrt(largest), 300)
        unlimited = np.asarray(gaussian.distortion_rate_perception(rate, root**2))
        axis.fill_between(root, 0.0, unlimited, color="0.9", lw=0)
        axis.plot(root, unlimited, "-", color="k", lw=1.2)
        axis.plot(root, gaussian.strong_realism_distortion(rate, 0.0, root**2), "--", color="k", lw=1.2)
        if len(reached["deterministic"]):
            g = reached["deterministic"][0, 0]
            axis.plot(root, g + np.maximum(np.sqrt(g) - root, 0.0) ** 2, ":", color=FAMILIES["private"][1], lw=1.6)
        for family, (marker, color, _) in FAMILIES.items():
            points = reached[family]
            look = {"mfc": "none", "mec": color, "mew": 1.3, "ms": 9} if family == "deterministic" else {
                "color": color, "mec": "w", "mew": 0.5, "ms": 5.5}
            axis.plot(np.sqrt(points[:, 1]), points[:, 0], marker, zorder=3, **look)
        axis.set(title=f"{rate:g} bit per sample", xlabel="√P  (W₂ to the source)", ylim=(0.85 * plain, None),
                 xlim=(-0.03 * root[-1], root[-1]))
    axes[0, 0].set_ylabel("distortion D (mean squared error)")
    handles = [Line2D([], [], color="k", lw=1.2, label="bound, unlimited common randomness"),
               Line2D([], [], color="k", ls="--", lw=1.2, label="bound, no common randomness"),
               Line2D([], [], color=FAMILIES["private"][1], ls=":", lw=1.6, label="deterministic codec, interpolated")]
    handles += [Line2D([], [], ls="", marker=m, color=c, mfc="none" if m == "o" else c, ms=6, label=t)
                for m, c, t in FAMILIES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


FIGURES = {"gaussian_rdp": rate_distortion, "gaussian_distortion_perception": distortion_perception}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from the command line."""
    return drawing.main("gaussian_rdp", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
