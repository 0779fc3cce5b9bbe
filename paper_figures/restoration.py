"""Restoration against the exact line of distortion and perception, and what it looks like.

    python -m paper_figures.restoration [--table=paper_figures/data/restoration.csv] [--out=runs/figures]

Reads `points.csv` and `points.npz` (the same name with `.npz`) written by `experiments.images.restoration`; the
committed ones are its preset "quick".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, image_rows
from paper_figures.style import COLORS, MARKERS
from paper_figures.tables import read_table

_NEEDED = {"source", "codec", "task", "noise", "parameter", "distortion", "perception", "bound_distortion", "psnr"}
# Method of the table -> how it is called, and whether its points are joined.
METHODS = {"transport": ("transport map (DOT)", True), "rectified flow": ("rectified flow (PMRF)", True),
           "probability flow": ("probability flow", True), "posterior sample": ("posterior sample", True),
           "wasserstein distortion": ("Wasserstein distortion", True), "lpips": ("LPIPS", False)}
SOURCES = {"gaussian": "Gaussian patches", "photographs": "photographs"}
SHOWN = {"original": "original", "observation": "observation", "mean": "least squared error",
         "transport": "transport map", "rectified flow": "rectified flow", "posterior sample": "posterior sample",
         "wasserstein distortion": "WD, sigma 4", "lpips": "LPIPS"}
_SHOWN_AT = {"mean": 0.0, "lpips": 0.0, "wasserstein distortion": 4.0}  # parameter of what is shown; 1 of others


class Data(NamedTuple):
    """A run's table and patches.

    Attributes:
      columns: one row per operating point.
      images: "task_noise/method" -> uint8 [patches, 64, 64, 1].
    """

    columns: dict[str, np.ndarray]
    images: dict[str, np.ndarray]

    def rows(self, source: str, task: str, noise: float) -> dict[str, np.ndarray]:
        """The columns of one panel.

        Args:
          source: Gaussian patches or photographs.
          task: denoising or super-resolution.
          noise: deviation of the noise.

        Returns:
          Columns by name.
        """
        chosen = (self.columns["source"] == source) & (self.columns["task"] == task) & (self.columns["noise"] == noise)
        return {name: column[chosen] for name, column in self.columns.items()}


def load(path: pathlib.Path) -> Data:
    """Reads a table and the patches beside it.

    Args:
      path: the CSV file; the patches are in the `.npz` file of its own name.

    Returns:
      Both.

    Raises:
      ValueError: if either cannot be read.
    """
    path = pathlib.Path(path)
    if not path.with_suffix(".npz").is_file():
        raise ValueError(f"the patches of {path} are missing: {path.with_suffix('.npz')} is not there")
    with np.load(path.with_suffix(".npz")) as archive:
        return Data(read_table(path, _NEEDED)[1], dict(archive))


def title_of(task: str, noise: float) -> str:
    """What a task is called.

    Args:
      task: denoising or super-resolution.
      noise: deviation of the noise.

    Returns:
      The words.
    """
    return f"noise of {noise:g} removed" if task == "denoising" else "4 × super-resolution"


def make_line(distortion: np.ndarray, perception: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The parabola, from the row of the estimate: the largest perception of all rows whose line is least.

    Args:
      distortion: of the rows of a panel.
      perception: of them.
      line: the least distortion at their perceptions.

    Returns:
      sqrt(P), from 0 to sqrt(P*), and the least distortion there.
    """
    least = np.argmin(distortion)
    root = np.sqrt(perception[least])
    axis = np.linspace(0.0, root, 100)
    return axis, line[least] + (root - axis) ** 2


def restoration(data: Data) -> Figure:
    """A panel for each source and task.

    Args:
      data: of a run.

    Returns:
      The figure.
    """
    columns = data.columns
    sources = [name for name in SOURCES if name in columns["source"]]
    tasks = list(dict.fromkeys(zip(columns["task"], columns["noise"])))
    figure, axes = plt.subplots(len(sources), len(tasks), figsize=(2.5 * len(tasks), 2.5 * len(sources) + 0.5),
                                layout="constrained", squeeze=False)
    for line, source in zip(axes, sources):
        for axis, (task, noise) in zip(line, tasks):
            rows = data.rows(source, task, noise)
            if not rows["distortion"].size:
                axis.set_axis_off()
                continue
            root = np.sqrt(rows["perception"])
            axis.plot(*(1e3 * part if i else part for i, part in enumerate(
                make_line(rows["distortion"], rows["perception"], rows["bound_distortion"]))), color="0.45", zorder=1,
                label="least possible (photographs: line through the least error)")
            least = rows["codec"] == "mean"
            if least.any():
                axis.plot(root[least], 1e3 * rows["distortion"][least], "*", color="black", markersize=7,
                          label="network of least squared error", zorder=9)
            for i, (method, (name, joined)) in enumerate(METHODS.items()):
                chosen = rows["codec"] == method
                if not chosen.any():
                    continue
                order = np.argsort(rows["parameter"][chosen], kind="stable")
                axis.plot(root[chosen][order], 1e3 * rows["distortion"][chosen][order],
                          linestyle=":" if joined else "none", linewidth=0.7, marker=MARKERS[i],
                          color=COLORS[i], markerfacecolor="white" if i % 2 else None,
                          label=name, zorder=2 + i)
            axis.set(title=f"{SOURCES[source]}: {title_of(task, noise)}")
            axis.title.set_fontsize(7.5)
            axis.set_xlim(left=-0.04 * max(axis.get_xlim()[1], 1e-6))
    for axis in axes[:, 0]:
        axis.set_ylabel("squared error per pixel, 1/1000")
    for axis in axes[-1]:
        axis.set_xlabel("root of perception per pixel")
    handles = {name: handle for axis in axes.flat for handle, name in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), fontsize=7.5, ncols=2, loc="outside lower center")
    return figure


def patches(data: Data) -> Figure:
    """A row for each patch, with PSNR (of all patches) and the root of perception under each way; white where none is.

    Args:
      data: of a run.

    Returns:
      The figure.
    """
    rows, made = [], {name.split("/")[1] for name in data.images}
    shown = {method: title for method, title in SHOWN.items() if method in made}
    for stem in dict.fromkeys(name.split("/")[0] for name in data.images):
        task, noise = stem.rsplit("_", 1)
        numbers = data.rows("photographs", task, float(noise))
        for i in range(len(data.images[f"{stem}/original"])):
            row = {"original": (data.images[f"{stem}/original"][i], title_of(task, float(noise)))}
            for method in list(shown)[1:]:
                at = (numbers["codec"] == method) & (numbers["parameter"] == _SHOWN_AT.get(method, 1.0))
                words = ""
                if at.any():
                    words = f"{numbers['psnr'][at][0]:.2f} dB, {numbers['perception'][at][0] ** 0.5:.3f}"
                image = data.images.get(f"{stem}/{method}")  # white where there is no such network
                row[method] = np.full_like(row["original"][0], 255) if image is None else image[i], words
            rows.append(row)
    return image_rows.draw(rows, shown, factor=3, words=6.5)


FIGURES = {"restoration": restoration, "restoration_patches": patches}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("restoration", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
