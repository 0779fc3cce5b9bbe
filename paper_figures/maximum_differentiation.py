"""Images that one metric cannot tell apart and another finds as different as possible.

    python -m paper_figures.maximum_differentiation [--table=paper_figures/data/maximum_differentiation.csv]

Reads `maximum_differentiation.csv`, and the images in the `.npz` file beside it, written by
`experiments.images.perceptual_ranking`.
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


class Data(NamedTuple):
    """Ends of a search.

    Attributes:
      header: the table's header lines.
      columns: its columns by name; two rows (least, most) per metric held.
      images: "reference", "start" and "HELD held, DIRECTION VARIED" -> [height, width, 3], 0 to 255.
    """

    header: dict[str, str]
    columns: dict[str, np.ndarray]
    images: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table and the images beside it.

    Args:
      path: the CSV file.

    Returns:
      The data.

    Raises:
      ValueError: if an image is missing.
    """
    header, columns = read_table(path)
    beside = pathlib.Path(path).with_suffix(".npz")
    if not beside.is_file():
        raise ValueError(f"the images of {path} are missing: {beside} is not there")
    with np.load(beside) as archive:
        images = dict(archive)
    wanted = ["reference", "start", *(_key(columns, row) for row in range(len(columns["held"])))]
    missing = [name for name in wanted if name not in images]
    if missing:
        raise ValueError(f"{beside} lacks the image {missing[0]!r}")
    return Data(header, columns, images)


def make_figure(data: Data) -> Figure:
    """Draws, for each metric held, the two images that the other metric finds best and worst.

    Args:
      data: what `load` returned.

    Returns:
      The figure: reference and start at the left, then a row per metric held.
    """
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 5.3), layout="constrained")
    start = {str(h): v for h, v in zip(data.columns["held"], data.columns["held_start"])}
    lines = "\n".join(f"{_name(metric)} {value:.3g}" for metric, value in start.items())
    _show(axes[0, 0], data.images["reference"], "reference", "")
    _show(axes[1, 0], data.images["start"], "start: reference + noise", lines)
    for row in range(len(data.columns["held"])):
        held, varied, direction = (str(data.columns[key][row]) for key in ("held", "varied", "direction"))
        text = (f"{_name(held)} {data.columns['held_end'][row]:.3g}\n"
                f"{_name(varied)} {data.columns['varied_end'][row]:.3g}")
        _show(axes[row // 2, 1 + row % 2], data.images[_key(data.columns, row)],
              f"{_name(held)} as at the start,\n{direction} {_name(varied)}", text)
    return figure


def _name(metric: str) -> str:
    # Similarities were searched as distances.
    prefix = "1 \u2212 " if metric in ("ssim", "ms_ssim") else ""
    return prefix + NAMES.get(metric, metric)


def _key(columns: dict[str, np.ndarray], row: int) -> str:
    return f"{columns['held'][row]} held, {columns['direction'][row]} {columns['varied'][row]}"


def _show(axis, image: np.ndarray, title: str, text: str) -> None:
    axis.imshow(image, interpolation="nearest")
    axis.set_title(title, fontsize=8.5)
    axis.set_xlabel(text, fontsize=8)
    axis.set(xticks=[], yticks=[])
    style.remove_frame(axis)


FIGURES = {"maximum_differentiation": make_figure}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("maximum_differentiation", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
