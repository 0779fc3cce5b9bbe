"""Figures of `experiments.images.image_realism`: rate against PSNR, and images side by side."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rdr import files

# Codec -> color, marker, line; ours is dark and solid.
LOOKS = {
    "overfitted MSE": ("#1b1b4b", "o", "-"), "JPEG": ("#e8963a", "s", "--"), "JPEG 2000": ("#d1495b", "^", "-."),
    "WebP": ("#7fb069", "D", ":"), "AVIF": ("#58a4b0", "v", (0, (5, 1, 1, 1))),
    "JPEG XL": ("#8a1c5c", "P", (0, (1, 1))),
}
_COLUMNS = 5


def draw_curves(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws PSNR against rate, a panel for each image.

    Args:
      path: of the figure.
      rows: with "picture", "codec", "bits_per_pixel" and "psnr".
    """
    names = list(dict.fromkeys(row["picture"] for row in rows))
    columns = min(3, len(names))
    lines = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.6 * columns, 3.0 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for place, axis in enumerate(axes.flat):
        if place >= len(names):
            axis.set_axis_off()
            continue
        for codec, (color, marker, line) in LOOKS.items():
            points = sorted((row["bits_per_pixel"], row["psnr"]) for row in rows
                            if row["picture"] == names[place] and row["codec"] == codec)
            if points:
                axis.plot(*zip(*points), color=color, marker=marker, linestyle=line, markersize=4, label=codec)
        axis.set_title(names[place], fontsize=9)
        axis.set_xlabel("rate (bits per pixel)")
        axis.set_ylabel("PSNR (dB)")
        axis.grid(color="0.9")
    axes.flat[0].legend(frameon=False, fontsize=7)
    files.write_figure(path, figure, dpi=150, metadata={"Software": None})


def draw_images(path: pathlib.Path, shown: Mapping[str, tuple[np.ndarray, int]]) -> None:
    """Draws images side by side, with the bytes under each.

    Args:
      path: of the figure.
      shown: title -> image and the length of its file; 0 for the original.
    """
    columns = min(_COLUMNS, len(shown))
    lines = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(2.3 * columns, 2.7 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (title, (image, size)) in zip(axes.flat, shown.items()):
        axis.imshow(image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=255,
                    interpolation="nearest")
        axis.text(0.5, -0.03, f"{title}\n{size} bytes" if size else title, fontsize=8, ha="center", va="top",
                  transform=axis.transAxes)
    files.write_figure(path, figure, dpi=150, metadata={"Software": None})
