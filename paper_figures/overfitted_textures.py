"""Textures in hundreds of bytes: squared error, Wasserstein distortion with shared noise, and statistics alone.

    python -m paper_figures.overfitted_textures [--table=TEXTURES.csv] [--out=runs/figures]

Reads `textures.csv` and `textures.npz` (the same name with `.npz`) written by `experiments.texture_compression`. Shown
are the largest of the lengths that were asked for.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import command_line
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
    """A row for each texture, with bytes, Wasserstein distortion and DISTS under each picture.

    Args:
      data: table and pictures.

    Returns:
      The figure.
    """
    columns = data.columns
    names, wanted = list(dict.fromkeys(columns["picture"])), columns["wanted_bytes"].max()
    figure, axes = plt.subplots(len(names), len(METHODS), figsize=(7.2, 2.05 * len(names) + 0.2), layout="constrained",
                                squeeze=False)
    for row, name in zip(axes, names):
        for axis, (method, title) in zip(row, METHODS.items()):
            key = f"{name} original" if method == "original" else f"{name} {method} {int(wanted)}"
            image = data.images[key]
            axis.imshow(image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=255,
                        interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            for spine in axis.spines.values():
                spine.set_visible(False)
            if name == names[0]:
                axis.set_title(title, fontsize=8)
            axis.set_xlabel(name if method == "original" else caption(columns, name, method, wanted), fontsize=6.5)
    return figure


FIGURES = {"overfitted_textures": textures}


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main("overfitted_textures", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
