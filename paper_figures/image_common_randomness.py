"""The worth of shared randomness in the spectrum of an image: rate saved, and where rate and shared bits go.

    python -m paper_figures.image_common_randomness [--table=runs/image_common_randomness/curves.csv] [--out=FOLDER]

Reads the tables written by `experiments.bounds.image_common_randomness`; the one of the spectrum is `spectrum.csv`
beside the given table, or the committed one.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing
from paper_figures.style import COLORS, LINES
from paper_figures.tables import read_beside, read_table


class Tables(NamedTuple):
    """Columns by name.

    Attributes:
      curves: rate against common randomness.
      spectrum: the division over frequencies.
    """

    curves: dict[str, np.ndarray]
    spectrum: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Tables:
    """Reads both tables.

    Args:
      path: the CSV file of the curves.

    Returns:
      `Tables`.

    Raises:
      ValueError: if one cannot be read.
    """
    return Tables(read_table(path)[1], read_beside(path, "spectrum"))


def make_figure(data: Tables) -> Figure:
    """Draws rate against shared bits, what a shared bit saves, and bits sent and shared by frequency.

    Args:
      data: both tables.

    Returns:
      The figure.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.2, 3.1), layout="constrained")
    curves = data.curves
    shown = 0.95  # shared bits per pixel
    for psnr, color, line in zip(np.unique(curves["psnr_db"]), COLORS, LINES):
        rows = (curves["psnr_db"] == psnr) & (curves["common_randomness_bits"] <= shown)
        shared = curves["common_randomness_bits"][rows]
        left.plot(shared, curves["rate_bits"][rows], color=color, linestyle=line, label=f"{psnr:g} dB")
        left.plot(shown * 1.05, curves["rate_unlimited_bits"][rows][0], marker="<", color=color, markersize=5,
                  clip_on=False, linestyle="none")
        middle.plot(shared, curves["saved_per_bit"][rows], color=color, linestyle=line, label=f"{psnr:g} dB")
    left.plot([], [], linestyle="none", marker="<", color="0.3", label="unlimited sharing")
    left.set(xlabel="shared bits per pixel", ylabel="bits per pixel", title="the least rate at each PSNR",
             xlim=(0, shown), ylim=(0, None))
    left.legend(fontsize=7, loc="lower left", ncols=2)
    middle.set(xlabel="shared bits per pixel", ylabel="bits saved per shared bit", xlim=(0, shown), ylim=(0, 0.55),
               title="what one more shared bit saves")
    middle.legend(fontsize=7)
    table = data.spectrum
    for budget, color in zip(np.unique(table["budget_bits"]), COLORS):
        rows = table["budget_bits"] == budget
        frequency, sent = table["frequency"][rows], table["rate_bits"][rows]
        name = "unlimited" if np.isinf(budget) else f"{budget:g} shared"
        right.loglog(frequency, np.where(sent > 0, sent, np.nan), color=color, label=name)
        if 0 < budget < np.inf:
            known = table["common_randomness_bits"][rows]
            right.loglog(frequency, np.where(known > 0, known, np.nan), color=color, linestyle=(0, (4, 2)))
    right.plot([], [], color="0.3", linestyle=(0, (4, 2)), label="(dashed: shared bits)")
    right.set(xlabel="cycles per pixel", ylabel="bits per component", title="bits sent, by frequency, at 20 dB",
              ylim=(1e-3, None))
    right.legend(fontsize=7, loc="lower left")
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figure from the command line."""
    return drawing.main("image_common_randomness", load, {"image_common_randomness": make_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
