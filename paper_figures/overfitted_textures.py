"""Textures in hundreds of bytes: squared error, Wasserstein distortion with shared noise, and statistics alone.

    python -m paper_figures.overfitted_textures [--table=TEXTURES.csv] [--out=runs/figures]

Reads `textures.csv` and `textures.npz` (the same name with `.npz`) written by `experiments.images.texture_compression`.
Shown are the largest of the lengths that were asked for.
"""

import sys

import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, image_rows
from paper_figures.overfitted_realism import Data, load

# What is shown -> how it is called there.
METHODS = {"original": "original", "MSE": "MSE", "WD + noise": "WD, shared noise",
           "statistics + noise": "statistics alone, shared noise"}


def caption(columns: dict[str, np.ndarray], name: str, method: str, wanted: float) -> str:
    """Bytes, Wasserstein distortion and DISTS of a file.

    Args:
      columns: the table.
      name: of the texture.
      method: that it was fitted with.
      wanted: bytes that were asked for.

    Returns:
      The words.
    """
    row = (columns["picture"] == name) & (columns["method"] == method) & (columns["wanted_bytes"] == wanted)
    size, distortion, dists = (float(columns[column][row][0]) for column in ("bytes", "wd_vgg16", "dists"))
    return f"{size:.0f} bytes, WD {distortion:.2f}, DISTS {dists:.2f}"


def textures(data: Data) -> Figure:
    """A row for each texture, with bytes, Wasserstein distortion and DISTS under each image.

    Args:
      data: table and images.

    Returns:
      The figure.
    """
    columns = data.columns
    names, wanted = list(dict.fromkeys(columns["picture"])), columns["wanted_bytes"].max()
    rows = []
    for name in names:
        rows.append({"original": (data.images[f"{name} original"], name)})
        for method in list(METHODS)[1:]:
            rows[-1][method] = data.images[f"{name} {method} {int(wanted)}"], caption(columns, name, method, wanted)
    return image_rows.draw(rows, METHODS, factor=3, words=6.5)


FIGURES = {"overfitted_textures": textures}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("overfitted_textures", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
