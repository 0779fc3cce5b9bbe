"""Rows of images side by side, with a title over each column and words under each image."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import style


def draw(rows: Sequence[Mapping[str, tuple[np.ndarray, str]]], titles: Mapping[str, str], *, factor: int = 1,
         words: float = 7.5) -> Figure:
    """Draws them without axes, pixel by pixel.

    Args:
      rows: column -> uint8 image [height, width, 1 or 3] and the words under it.
      titles: column -> its title, from left to right.
      factor: pixels of the file for each pixel of an image, along each side (`style.fit_pixels`).
      words: their size, points.

    Returns:
      The figure.
    """
    sizes = np.array([image.shape[:2] for row in rows for image, _ in row.values()])
    height, width = factor * sizes.max(0) / style.DPI
    figure, axes = plt.subplots(len(rows), len(titles), layout="constrained", squeeze=False,
                                figsize=((width + 0.09) * len(titles), (height + 0.3) * len(rows) + 0.2))
    for line, row in zip(axes, rows):
        for axis, (column, title) in zip(line, titles.items()):
            image, under = row[column]
            # Gray as color: a color map of 256 levels is off by one at some of them.
            axis.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            style.remove_frame(axis)
            if row is rows[0]:
                axis.set_title(title, fontsize=8)
            axis.set_xlabel(under, fontsize=words)
    return figure
