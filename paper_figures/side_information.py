"""Noise that the encoder sees, and side information that the decoder has: three panels.

    python -m paper_figures.side_information [--table=runs/side_information/side_information.csv] [--out=runs/figures]

Reads a table written by `experiments.bounds.side_information`.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES
from paper_figures.tables import read_table

LABELS = {
    "as_is": "output taken for the source", "denoised_after": "denoised by the decoder",
    "denoised_before": "denoised, then coded (optimum)",
    "binary_decoder": "copy at the decoder", "binary_both": "copy at both ends", "binary_solver": "solver, certified",
    "joint": "output and $Z$ together realistic", "marginal_decoder": "output realistic, decoder has $Z$",
    "marginal_both": "output realistic, both have $Z$",
}


def load(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the table.

    Args:
      path: the CSV file.

    Returns:
      Its columns by name.

    Raises:
      ValueError: if it cannot be read.
    """
    return read_table(path)[1]


def _series(data, name):
    chosen = data["series"] == name
    return data["x"][chosen], data["lower"][chosen], data["upper"][chosen]


def make_figure(data: dict[str, np.ndarray]) -> Figure:
    """Draws what denoising gains, the binary Wyner-Ziv function, and realism beside side information.

    Args:
      data: columns by name.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.1), layout="constrained")
    for name, color, line in zip(("as_is", "denoised_after", "denoised_before"), COLORS[2::-1], LINES[2::-1]):
        x, error, _ = _series(data, name)
        axes[0].plot(x, 10 * np.log10(error), color=color, linestyle=line, label=LABELS[name])
    axes[0].set(title="a noisy source", xlabel="rate (bits per component)", ylabel="error to the source (dB)")
    for name, color, line in zip(("binary_decoder", "binary_both"), COLORS, LINES):
        x, rate, _ = _series(data, name)
        axes[1].plot(x, rate, color=color, linestyle=line, label=LABELS[name])
    x, _, rate = _series(data, "binary_solver")
    axes[1].plot(x, rate, linestyle="none", marker="o", markerfacecolor="white", color=COLORS[2],
                 label=LABELS["binary_solver"])
    axes[1].set(title="a coin beside a noisy copy", xlabel="distortion (probability of an error)",
                ylabel="rate (bits per symbol)")
    x, error, _ = _series(data, "joint")
    axes[2].plot(x, error, color=COLORS[2], linestyle=LINES[1], label=LABELS["joint"])
    x, lower, upper = _series(data, "marginal_decoder")
    axes[2].fill_between(x, lower, upper, color="0.85", linewidth=0)
    axes[2].plot(x, upper, color=COLORS[1], linestyle=LINES[2], label=LABELS["marginal_decoder"] + " ($\\leq$)")
    x, error, _ = _series(data, "marginal_both")
    axes[2].plot(x, error, color=COLORS[0], linestyle=LINES[0], label=LABELS["marginal_both"])
    axes[2].set(title="a Gaussian at 1 bit, strong realism", xlabel="common randomness (bits per sample)",
                ylabel="mean squared error")
    axes[2].set_ylim(top=1.5 * axes[2].get_ylim()[1])
    for axis in axes:
        axis.legend(fontsize=7, loc="upper right")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("side_information", load, {"side_information": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
