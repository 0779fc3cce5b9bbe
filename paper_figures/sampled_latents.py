"""The cost for an image codec of sending a sample of its posterior instead of rounded latents.

    python -m paper_figures.sampled_latents [--table=...] [--out=runs/figures]

Reads the table of `experiments.images.sampled_latents`; the committed one is its preset "quick".
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table, rows_by
from theory.channel_simulation import high_rate_excess
from theory.quantization.lattices import space_filling_loss

_NEEDED = {"picture", "level", "latents", "rounded_bytes", "sampled_bytes", "rounded_psnr", "sampled_psnr",
           "price_bits", "theory_price_bits"}


class Data(NamedTuple):
    """The table's columns by name, each of shape [rows]."""

    columns: dict[str, np.ndarray]

    def draw_images(self) -> dict[str, dict[str, np.ndarray]]:
        """The rows of each image by level.

        Returns:
          Image -> columns by name.
        """
        return rows_by(self.columns, "picture", "level")


def load(path: pathlib.Path) -> Data:
    """Reads a table.

    Args:
      path: the CSV file.

    Returns:
      Its columns.

    Raises:
      ValueError: if it cannot be read or a column is missing.
    """
    return Data(read_table(path, _NEEDED)[1])


def high_rate_price() -> float:
    """What a sample costs more than rounding where latents are far wider than a step: g(1) - log2(2 pi e / 12) / 2.

    Returns:
      Bits per latent.
    """
    return float(high_rate_excess(1)) - float(space_filling_loss(1 / 12))


def make_figure(data: Data) -> Figure:
    """Draws both panels.

    Args:
      data: the table.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 4.0), layout="constrained")
    for i, (line, (name, rows)) in enumerate(zip(LINES[1:], data.draw_images().items())):
        look = {"color": COLORS[2 * i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}
        bits = 8.0 * rows["rounded_bytes"] / rows["latents"]
        left.plot(bits, rows["rounded_psnr"], "-", label=f"{name}, rounded", **look)
        left.plot(8.0 * rows["sampled_bytes"] / rows["latents"], rows["sampled_psnr"], ":", markerfacecolor="white",
                  label=f"{name}, sampled", **look)
        right.plot(bits, rows["theory_price_bits"], label=f"{name}, theory", color=look["color"], linestyle=line)
        right.plot(bits, rows["price_bits"], linestyle="none", label=f"{name}, measured", **look)
    right.axhline(high_rate_price(), color="0.5", linewidth=1.0, label="theory, high rate")
    left.set(xlabel="bits per latent", ylabel="PSNR (dB)", title="Sample of the posterior or rounding")
    right.set(xlabel="bits per latent, rounded", ylabel="bits per latent more", title="What the sample costs more")
    right.set_ylim(bottom=0.0)
    handles = [axes.get_legend_handles_labels() for axes in (left, right)]
    figure.legend(*(first + second for first, second in zip(*handles)), fontsize=7, ncols=4, loc="outside lower center")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("sampled_latents", load, {"sampled_latents": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
