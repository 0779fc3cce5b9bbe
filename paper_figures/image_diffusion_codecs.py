"""Diffusion codecs of small images: rate against error and realism, and what they look like.

    python -m paper_figures.image_diffusion_codecs [--table=...] [--out=runs/figures]

Reads `points.csv` written by `experiments.images.diffusion_codecs`, and beside it `points.npz` and `bounds.csv` (the
table's name with `.npz`, and with `_bounds.csv`); the committed ones are its preset "quick".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures import drawing, image_rows
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

_NEEDED = {"codec", "channel", "denoiser", "decoder", "steps", "noise", "least", "rate_bits", "distortion",
           "perception", "feature_frechet", "feature_frechet_null", "dimension", "psnr"}
USUAL = 0.25  # `least` of the series
TRANSFORMS = ("klt", "trained")  # channels without diffusion: decoders "mean" and "realistic"
# Name -> channel, denoiser, steps.
SERIES = {"KLT, dithered scalars": ("klt", "linear", 1), "1 step, linear denoiser": ("uniform", "linear", 1),
          "1 step, network": ("uniform", "network", 1), "2 steps, network": ("uniform", "network", 2),
          "4 steps, network": ("uniform", "network", 4),
          "trained transforms, dithered scalars": ("trained", "none", 1)}
BOUNDS = {"gaussian": "Gaussian, upper", "mixture": "mixture of Gaussians, upper",
          "ideal of the network denoiser": "ideal of the network, upper"}


class Data(NamedTuple):
    """A run's tables and images.

    Attributes:
      columns: one row per operating point.
      bounds: one row per point of a bound.
      images: label -> uint8 [images, side, side, 1].
    """

    columns: dict[str, np.ndarray]
    bounds: dict[str, np.ndarray]
    images: dict[str, np.ndarray]

    def series(self, name: str, decoder: str) -> dict[str, np.ndarray]:
        """The rows of a series, by rising rate.

        Args:
          name: a key of `SERIES`.
          decoder: of its rows.

        Returns:
          Columns by name.
        """
        channel, denoiser, steps = SERIES[name]
        c = self.columns
        chosen = ((c["channel"] == channel) & (c["denoiser"] == denoiser) & (c["steps"] == steps)
                  & (c["decoder"] == decoder) & ((c["least"] == USUAL) | (channel in TRANSFORMS)))
        at = np.flatnonzero(chosen)
        at = at[np.argsort(c["rate_bits"][at], kind="stable")]
        return {key: column[at] for key, column in c.items()}


def load(path: pathlib.Path) -> Data:
    """Reads a table and what is beside it.

    Args:
      path: the CSV file.

    Returns:
      All of it.

    Raises:
      ValueError: if a file is missing or cannot be read.
    """
    path = pathlib.Path(path)
    bounds = path.with_name(f"{path.stem}_bounds.csv")
    bounds = bounds if bounds.is_file() else path.with_name("bounds.csv")
    if not path.with_suffix(".npz").is_file():
        raise ValueError(f"the images of {path} are missing: {path.with_suffix('.npz')} is not there")
    with np.load(path.with_suffix(".npz")) as archive:
        return Data(read_table(path, _NEEDED)[1], read_table(bounds, {"estimator", "rate_bits", "distortion"})[1],
                    dict(archive))


def _draw(axis: Axes, data: Data, decoders: tuple[str, str], column: str) -> None:
    """All series of a panel: of the diffusion codecs the second decoder, of transform codecs the first."""
    for i, name in enumerate(SERIES):
        rows = data.series(name, decoders[SERIES[name][0] not in TRANSFORMS])
        axis.plot(rows["rate_bits"], rows[column], linestyle=LINES[i], marker=MARKERS[i], color=COLORS[i],
                  markerfacecolor="white" if i % 2 else None, label=name, zorder=3 + i)


def image_diffusion_codecs(data: Data) -> Figure:
    """Rate against squared error without and with realism, and against realism.

    Args:
      data: of a run.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.9), layout="constrained")
    for axis, decoders, title in ((axes[0], ("mean", "mean"), "decoders of least error"),
                                  (axes[1], ("realistic", "flow"), "realistic decoders")):
        _draw(axis, data, decoders, "distortion")
        axis.set(title=title, ylabel="squared error of an image", yscale="log")
    for i, (estimator, name) in enumerate(BOUNDS.items()):
        chosen = data.bounds["estimator"] == estimator
        order = np.argsort(data.bounds["rate_bits"][chosen], kind="stable")
        rate, distortion = (data.bounds[key][chosen][order] for key in ("rate_bits", "distortion"))
        axes[0].plot(rate, distortion, color=str(0.25 + 0.2 * i), linestyle=LINES[i], linewidth=1.0, label=name)
    _draw(axes[2], data, ("realistic", "flow"), "feature_frechet")
    axes[2].axhline(data.columns["feature_frechet_null"][0], color="0.5", linewidth=1.0, linestyle=":",
                    label="originals")
    axes[2].set(title="realism of realistic decoders", ylabel="Fréchet distance of features", yscale="log")
    axes[2].set_yticks([0.5, 1, 2, 5, 10, 20, 50], labels=["0.5", "1", "2", "5", "10", "20", "50"])
    largest = data.columns["rate_bits"].max()
    for axis in axes:
        axis.set(xscale="log", xlabel="bits per image", xlim=(3.0, 1.15 * largest))
        axis.set_xticks([5, 10, 20, 50, 100], labels=["5", "10", "20", "50", "100"])
        axis.minorticks_off()
    shown = data.columns["distortion"]
    for axis in axes[:2]:
        axis.set_ylim(0.75 * shown.min(), 1.15 * shown.max())
        axis.set_yticks([1, 2, 5, 10, 20], labels=["1", "2", "5", "10", "20"])
    handles = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), fontsize=7.5, ncols=5, loc="outside lower center")
    return figure


def sheet_rows(data: Data) -> list[tuple[str, str, dict[str, np.ndarray]]]:
    """Labels of images, and what is said of them, at a low rate and at a high one.

    Args:
      data: of a run.

    Returns:
      Label, words, and the row of the table, from top to bottom; the originals have an empty row.
    """
    rows: list[tuple[str, str, dict[str, np.ndarray]]] = [("originals", "originals", {})]
    for aim in (18.0, 75.0):
        for name, decoder, words in (("KLT, dithered scalars", "mean", "KLT, least error"),
                                     ("KLT, dithered scalars", "realistic", "KLT, realistic"),
                                     ("trained transforms, dithered scalars", "mean", "trained, least error"),
                                     ("trained transforms, dithered scalars", "realistic", "trained, realistic"),
                                     ("1 step, network", "mean", "UQDM-mean"), ("1 step, network", "flow", "UQDM-F"),
                                     ("1 step, network", "ancestral", "UQDM-A")):
            found = data.series(name, decoder)
            if not found["rate_bits"].size:
                continue
            at = int(np.argmin(np.abs(np.log(found["rate_bits"] / aim))))
            row = {key: column[at : at + 1] for key, column in found.items()}
            label = f"{row['channel'][0]}-{row['noise'][0]:g}/{decoder}" if row["channel"][0] in TRANSFORMS else (
                f"{row['denoiser'][0]}-{row['channel'][0]}-{row['noise'][0]:g}-{int(row['steps'][0])}-"
                f"{row['least'][0]:g}/{decoder}")
            rows.append((label, f"{words}: {row['rate_bits'][0]:.1f} bits, error {row['distortion'][0]:.2f}, "
                                f"Fréchet distance of features {row['feature_frechet'][0]:.1f}", row))
    return rows


def image_diffusion_sheet(data: Data) -> Figure:
    """Decoded images, four pixels for each, all of a row side by side.

    Args:
      data: of a run.

    Returns:
      The figure.
    """
    rows = []
    for label, words, _ in sheet_rows(data):
        images = data.images[label]
        # A border of a pixel between images.
        padded = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)
        strip = padded.transpose(1, 0, 2, 3).reshape(images.shape[1], -1, 1)[:, :-1]
        rows.append({"": (strip, words)})
    return image_rows.draw(rows, {"": ""}, factor=4, words=7.5)


FIGURES = {"image_diffusion_codecs": image_diffusion_codecs, "image_diffusion_sheet": image_diffusion_sheet}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("image_diffusion_codecs", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
