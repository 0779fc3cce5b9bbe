"""Textures and photographs at a few hundred bytes: what is fitted for realism, what is fitted for fidelity, and JPEG.

    python -m paper_figures.overfitted_realism [--table=paper_figures/data/overfitted_realism.csv] [--out=runs/figures]

Reads `pictures.csv` and `pictures.npz` (the same name with `.npz`) written by `experiments.images.image_realism`.
"""

import pathlib
import sys
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, image_rows
from paper_figures.tables import read_table

# What is shown -> how it is called there.
PAGE = {"original": "original", "JPEG": "JPEG", "AVIF": "AVIF", "overfitted MSE": "ours: MSE",
        "overfitted MSE + noise": "MSE, noise", "overfitted WD": "WD", "overfitted WD + noise": "WD, noise"}
GALLERY = {"original": "original", "JPEG": "JPEG", "overfitted MSE": "ours: MSE",
           "overfitted WD + noise": "ours: WD, shared noise"}
GALLERY_IMAGES = ("grass", "kodim13")


class Data(NamedTuple):
    """A run's table and images.

    Attributes:
      columns: one row per file.
      images: "image codec" -> uint8 [height, width, 1 or 3].
    """

    columns: dict[str, np.ndarray]
    images: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table and the images beside it.

    Args:
      path: the CSV file; the images are in the `.npz` file of its own name.

    Returns:
      Both.

    Raises:
      ValueError: if either cannot be read.
    """
    path = pathlib.Path(path)
    if not path.with_suffix(".npz").is_file():
        raise ValueError(f"the images of {path} are missing: {path.with_suffix('.npz')} is not there")
    with np.load(path.with_suffix(".npz")) as archive:
        return Data(read_table(path)[1], dict(archive))


def length(data: Data, image: str, codec: str) -> int:
    """Bytes of a file.

    Args:
      data: the table.
      image: its name.
      codec: which codec's.

    Returns:
      The length.
    """
    chosen = ((data.columns["part"] == "realism") & (data.columns["picture"] == image)
              & (data.columns["codec"] == codec))
    return int(data.columns["bytes"][chosen][0])


def _draw(data: Data, images: list[str], codecs: dict[str, str]) -> Figure:
    def under(image, codec):
        return image if codec == "original" else f"{length(data, image, codec):,} bytes"

    rows = [{codec: (data.images[f"{image} {codec}"], under(image, codec)) for codec in codecs}
            for image in images]
    return image_rows.draw(rows, codecs)


def page(data: Data) -> Figure:
    """The images that were kept, and all that was fitted to them.

    Args:
      data: table and images.

    Returns:
      The figure.
    """
    rows = data.columns["part"] == "realism"
    names = [name for name in dict.fromkeys(data.columns["picture"][rows]) if f"{name} original" in data.images]
    return _draw(data, names, PAGE)


def gallery(data: Data) -> Figure:
    """A texture and a photograph.

    Args:
      data: table and images.

    Returns:
      The figure.
    """
    return _draw(data, list(GALLERY_IMAGES), GALLERY)


FIGURES = {"overfitted_realism": page, "overfitted_gallery": gallery}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("overfitted_realism", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
