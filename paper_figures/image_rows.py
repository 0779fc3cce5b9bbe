"""Rows of images side by side, with a title over each column and words under each image."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import style


def draw(rows: Sequence[Mapping[str, tuple[np.ndarray, str]]], titles: Mapping[str, str], *, side: float,
         words: float = 7.5) -> Figure:
    """Draws them without axes, pixel by pixel.

    Args:
      rows: column -> uint8 image [height, width, 1 or 3] and the words under it.
      titles: column -> its title, from left to right.
      side: of an image, inches.
      words: their size, points.

    Returns:
      The figure, 7.2 inches wide.
    """
    figure, axes = plt.subplots(len(rows), len(titles), figsize=(7.2, (side + 0.27) * len(rows) + 0.2),
                                layout="constrained", squeeze=False)
    for line, row in zip(axes, rows):
        for axis, (column, title) in zip(line, titles.items()):
            image, under = row[column]
            axis.imshow(image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=255,
                        interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            style.remove_frame(axis)
            if row is rows[0]:
                axis.set_title(title, fontsize=8)
            axis.set_xlabel(under, fontsize=words)
    return figure
