"""Most and least visible directions of each loss: extreme eigenvectors of its Hessian at one image.

    python -m paper_figures.eigendistortions [--table=runs/eigendistortions/quick/eigendistortions.csv]

Reads a table written by `experiments.images.eigendistortions`, and the array beside it. LPIPS reads AlexNet; DISTS and
Wasserstein distortion (WD) read VGG-16, WD with one pooling width everywhere.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, style
from paper_figures.tables import read_table

TITLES = {
    "squared_error": "MSE",
    "ms_ssim": "MS-SSIM",
    "lpips": "LPIPS (AlexNet)",
    "dists": "DISTS",
    "wasserstein": "WD ($\\sigma$ = {sigma:g})",
    "wasserstein_intensities": "WD (pixels, $\\sigma$ = {sigma:g})",
}
# Root mean squared error of the changes in the images, of the range of intensities.
SHOWN_AMPLITUDE = 0.06


class Data(NamedTuple):
    """A run of the experiment.

    Attributes:
      amplitude: root mean squared error at which `cross` was measured.
      sigma: pooling width of Wasserstein distortion, in pixels.
      names: the losses, in order.
      image: [size, size, 3], in [0, 1].
      distortions: [losses, 2, size, size, 3]: the largest and the smallest, of root mean square 1.
      curvatures: [losses, 2].
      cross: [losses, 2, losses]: the value of each loss (last axis) for each distortion.
    """

    amplitude: float
    sigma: float
    names: tuple[str, ...]
    image: np.ndarray
    distortions: np.ndarray
    curvatures: np.ndarray
    cross: np.ndarray


def load(path: pathlib.Path) -> Data:
    """Reads a table and its array.

    Args:
      path: `eigendistortions.csv`; `eigendistortions.npy` lies beside it.

    Returns:
      The data.

    Raises:
      ValueError: if array and table do not belong together.
    """
    header, columns = read_table(path)
    names = tuple(columns["distortion_of"][::2])
    arrays = np.load(pathlib.Path(path).with_suffix(".npy"), allow_pickle=False).astype(np.float64)
    if len(arrays) != 1 + 2 * len(names) or list(columns["kind"]) != ["largest", "smallest"] * len(names):
        raise ValueError(f"{path} must name two distortions per loss, as many as the array beside it holds")
    return Data(
        float(header["amplitude"]),
        float(header["sigma"]),
        names,
        arrays[0],
        arrays[1:].reshape(len(names), 2, *arrays.shape[1:]),
        columns["curvature"].astype(float).reshape(-1, 2),
        np.stack([columns[f"loss_{name}"].astype(float) for name in names], axis=-1).reshape(-1, 2, len(names)),
    )


def make_figure(data: Data) -> Figure:
    """Draws image, distortions and distorted images.

    Args:
      data: what `load` returned.

    Returns:
      The figure: a column per loss; above the change that it sees most, below one that it sees least, each
      added to the image and alone (gray is no change), all of one root mean squared error.
    """
    count = len(data.names)
    figure, axes = plt.subplots(
        4, count + 2, figsize=(1.32 * (count + 1) + 0.85, 6.1), squeeze=False,
        gridspec_kw={"wspace": 0.06, "hspace": 0.2, "width_ratios": [1.0, 0.42] + [1.0] * count},
    )  # fmt: skip
    for cell in axes.flat:
        cell.set_xticks([])
        cell.set_yticks([])
        style.remove_frame(cell)
    for cell in (*axes[1:, 0], *axes[:, 1]):
        cell.set_visible(False)
    axes[0, 0].imshow(data.image, interpolation="nearest")
    axes[0, 0].set_title("image", fontsize=8.5)
    sees = ("a change that\nit sees most", "a change that\nit sees least")
    for column, name in enumerate(data.names):
        cells = axes[:, column + 2]
        cells[0].set_title(TITLES[name].format(sigma=data.sigma), fontsize=8.5)
        for kind in range(2):
            change = data.distortions[column, kind]
            shown = np.clip(data.image + SHOWN_AMPLITUDE * change, 0.0, 1.0)
            cells[2 * kind].imshow(shown, interpolation="nearest")
            # Lanczos iteration approaches the least curvature from above, and does not reach it: many crowd there.
            sign = "\u2264 " if kind == 1 and column > 0 else ""
            label = f"curvature {sign}{data.curvatures[column, kind]:.1e}"
            cells[2 * kind].set_xlabel(label, fontsize=6.5, labelpad=2)
            # Gray plus or minus three root mean squares; beyond, colors saturate.
            cells[2 * kind + 1].imshow(np.clip(0.5 + change / 6.0, 0.0, 1.0), interpolation="nearest")
            if column == 0:
                cells[2 * kind].set_ylabel("image + change", fontsize=8)
                cells[2 * kind + 1].set_ylabel(sees[kind], fontsize=8)
    figure.text(
        0.125, 0.5,
        "Each column: two\ndirections of extreme\ncurvature of a loss at\nthe image, greatest\n"
        "(above) and nearly\nleast (below).\n\nAll changes have one\nroot mean squared\n"
        f"error, {SHOWN_AMPLITUDE:g} of the range\nbefore clipping: MSE\ncannot tell them apart.\nGray is no change.",
        fontsize=7.5, va="center",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(drawing.main("eigendistortions", load, {"eigendistortions": make_figure}))
