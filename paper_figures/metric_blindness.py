"""Distortions that each metric is blind to.

    python -m paper_figures.metric_blindness [--table=paper_figures/data/metric_blindness.csv] [--out=runs/figures]

Reads `blindness.csv` written by `experiments.images.perceptual_ranking`. The column "noise" is other noise than the one
that scores are compared with: what it differs from 0 by is chance.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, style
from paper_figures.tables import read_table

NAMES = {
    "mse": "MSE", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "nlpd": "NLPD", "ciede2000": "CIEDE2000",
    "csf": "CSF-weighted error", "csf_castle": "castleCSF-weighted error",
    "cvvdp": "ColorVideoVDP", "lpips_alexnet": "LPIPS (AlexNet)",
    "lpips_vgg16": "LPIPS (VGG-16)", "dists": "DISTS",
    "wd_vgg16": "WD (VGG-16, $\\sigma$ = 8)", "fd_alexnet": "FD-AlexNet", "fd_vgg16": "FD-VGG-16",
    "fd_efficientnet_lite0": "FD-EfficientNet-Lite0", "fd_steerable": "FD-steerable", "natural": "natural statistics",
}  # fmt: skip
LIMIT = 6.0


class Data(NamedTuple):
    """Responses of metrics to distortions.

    Attributes:
      header: the table's header lines.
      metrics: names, in the table's order.
      distortions: names, in the table's order.
      response: [metrics, distortions], octaves.
      order: [metrics, distortions], rank correlation of score and strength.
    """

    header: dict[str, str]
    metrics: tuple[str, ...]
    distortions: tuple[str, ...]
    response: np.ndarray
    order: np.ndarray


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      The data.

    Raises:
      ValueError: if it is not complete: one row per metric and distortion.
    """
    header, columns = read_table(path)
    metrics, distortions = (tuple(dict.fromkeys(columns[name].tolist())) for name in ("metric", "distortion"))
    if columns["metric"].tolist() != [m for m in metrics for _ in distortions]:
        raise ValueError(f"table {path} must have one row per metric and distortion")
    shape = (len(metrics), len(distortions))
    return Data(header, metrics, distortions, columns["response"].reshape(shape), columns["order"].reshape(shape))


def make_figure(data: Data) -> Figure:
    """Draws the heat map.

    Args:
      data: what `load` returned.

    Returns:
      The figure: colors diverge from 0, orange for what a metric hardly sees; a hatch marks scores that do not rise
      with the strength.
    """
    rows, columns = data.response.shape
    figure, axes = plt.subplots(figsize=(1.7 + 0.82 * columns, 1.0 + 0.36 * rows), layout="constrained")
    shown = axes.imshow(data.response, cmap="PuOr", vmin=-LIMIT, vmax=LIMIT, aspect="auto")
    for i in range(rows):
        for j in range(columns):
            value = data.response[i, j]
            # What rounds to zero is written without a sign.
            text = f"{value + 0.0:+.1f}".replace("-", "\u2212") if abs(value) >= 0.05 else "0"
            color = "white" if abs(value) > 0.6 * LIMIT else "black"
            # The number stands on its cell's color, also where there is a hatch.
            ground = {"facecolor": shown.cmap(shown.norm(value)), "edgecolor": "none", "pad": 1.5}
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color=color, bbox=ground)
            if not data.order[i, j] > 0.9:
                place = (j - 0.5, i - 0.5)
                axes.add_patch(plt.Rectangle(place, 1, 1, fill=False, hatch="////", edgecolor="0.35", lw=0))
    axes.set_xticks(range(columns), data.distortions)
    axes.set_yticks(range(rows), [NAMES.get(name, name) for name in data.metrics])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    style.remove_frame(axes)
    label = "squared error of the noise that\nscores alike, relative (octaves)"
    figure.colorbar(shown, ax=axes, label=label, ticks=(-6, -4, -2, 0, 2, 4, 6))
    return figure


FIGURES = {"metric_blindness": make_figure}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("metric_blindness", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
