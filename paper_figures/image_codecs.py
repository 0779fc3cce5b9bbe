"""The trained image codec beside others: rate and PSNR with rates at equal PSNR, and its conditioned decoder's realism.

    python -m paper_figures.image_codecs [--table=paper_figures/data/image_codecs.csv] [--out=runs/figures]

Reads `curve.csv` of `experiments.images.rd_sweep`, with `NAME_bd_rates.csv` (the run's `bd_rates.csv`) and
`NAME_realism.csv` (`curve.csv` of a run with more realism weights) beside it, and published curves of the same images.
"""

import pathlib
import re
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from paper_figures import drawing
from paper_figures.style import COLORS, LINES, MARKERS
from paper_figures.tables import read_table

PUBLISHED = pathlib.Path(__file__).resolve().parents[1] / "rdr" / "evaluation" / "published" / "kodak_compressai.csv"
_OURS = re.compile(r"(?P<codec>.*) realism (?P<weight>[0-9.]+)$")
_PUBLISHED = ("VTM 4:4:4", "bmshj2018-hyperprior (CompressAI)", "mbt2018-mean (CompressAI)")
_REST = ("JPEG", "JPEG 2000", "WebP", "AVIF", "JPEG XL")


class Data(NamedTuple):
    """Curves of codecs.

    Attributes:
      curves: name -> columns, of the run.
      bd_rates: columns codec, bd_rate_percent (NaN where there is none).
      realism: columns of the run with more realism weights, with "weight" beside them.
      published: name -> columns, of others on the same images.
    """

    curves: dict[str, dict[str, np.ndarray]]
    bd_rates: dict[str, np.ndarray]
    realism: dict[str, np.ndarray]
    published: dict[str, dict[str, np.ndarray]]


def load(path: pathlib.Path) -> Data:
    """Reads the tables.

    Args:
      path: the CSV file of the curves.

    Returns:
      The curves.

    Raises:
      ValueError: if one of the tables cannot be read.
    """
    rates = read_table(path.with_name(f"{path.stem}_bd_rates.csv"))[1]
    rates["bd_rate_percent"] = np.array([float(value or "nan") for value in rates["bd_rate_percent"].astype(str)])
    realism = read_table(path.with_name(f"{path.stem}_realism.csv"))[1]
    result = [_OURS.match(name) for name in realism["codec"]]
    retained = np.array([match is not None for match in result])
    realism = {name: column[retained] for name, column in realism.items()}
    realism["weight"] = np.array([float(match["weight"]) for match in result if match])
    return Data(_curves(path), rates, realism, _curves(PUBLISHED))


def _curves(path: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    columns = read_table(path)[1]
    return {str(name): {key: column[columns["codec"] == name] for key, column in columns.items()}
            for name in dict.fromkeys(columns["codec"])}


def rate_distortion(data: Data) -> Figure:
    """Rate and PSNR of measured and published codecs; rates at equal PSNR as bars.

    Args:
      data: from `load`.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.7), layout="constrained", width_ratios=(1.5, 1))
    own = [name for name in data.curves if (match := _OURS.match(name)) and float(match["weight"]) == 0.0]
    for name in own or [name for name in data.curves if "(Pillow)" not in name]:
        curve = data.curves[name]
        left.plot(curve["rate_bpp"], curve["psnr"], "-o", color="k", lw=2.0, zorder=5, label="ours (realism weight 0)")
    for i, name in enumerate(name for name in _REST if f"{name} (Pillow)" in data.curves):
        curve = data.curves[f"{name} (Pillow)"]
        left.plot(curve["rate_bpp"], curve["psnr"], color=COLORS[i], marker=MARKERS[i], ms=3.5,
                  label=f"{name} (Pillow)")
    for i, (name, curve) in enumerate(data.published.items()):
        if name in _PUBLISHED:
            left.plot(curve["rate_bpp"], curve["psnr"], color="0.45", ls=LINES[1 + i % 5],
                      label=f"{name.removesuffix(' (CompressAI)')} (published)")
    top = max(curve["rate_bpp"].max() for name, curve in data.curves.items() if "(Pillow)" not in name)
    left.set(xlim=(0.0, 1.6 * top), ylim=(22, 38), xlabel="rate (bits per pixel)", ylabel="PSNR (dB)",
             title="Kodak, means over 24 images")
    left.legend(fontsize=6.5, loc="lower right")
    names, values = data.bd_rates["codec"], data.bd_rates["bd_rate_percent"]
    chosen = [i for i in np.argsort(values) if np.isfinite(values[i]) and names[i] not in ("JPEG",)]
    chosen = [i for i in chosen if not ((match := _OURS.match(names[i])) and float(match["weight"]) not in (0.0, 1.0))]
    shown = [names[i].replace(" realism 0", " (ours)").replace(" realism 1", " (ours, realism 1)") for i in chosen]
    bars = right.barh(range(len(chosen)), values[chosen],
                      color=["k" if "ours" in name else COLORS[5] if "Pillow" in name else "0.75" for name in shown])
    right.bar_label(bars, fmt="%.1f", fontsize=6.5, padding=2)
    right.set(yticks=range(len(chosen)), xlabel="difference of rate at equal PSNR (%)",
              title="BD-rate to Pillow's JPEG")
    right.set_yticklabels(shown, fontsize=6.5)
    right.invert_yaxis()
    right.margins(x=0.2)
    right.grid(axis="y", visible=False)
    return figure


def shape(distance: np.ndarray) -> np.ndarray:
    """Excess squared error at a distance to the images' distribution, relative to those at realism weights 1 and 0.

    The least squared error under W2(images, outputs) <= P, between their distributions, is D* + (P* - P)^2, where D*
    and P* are those of the decoder of least squared error: a parabola whose foot is at P*.

    Args:
      distance: 0 at realism weight 1, 1 at realism weight 0.

    Returns:
      1 at distance 0, 0 at distance 1.

    Reference: [freirich2021theory] Freirich, Michaeli, Meir, "A theory of the distortion-perception tradeoff in
      Wasserstein space", NeurIPS 2021, theorem 1.
    """
    return np.square(1.0 - distance)


def normalized(data: Data, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance and excess squared error of the points of one rate, relative to their ends.

    Args:
      data: from `load`.
      rows: which of its realism points.

    Returns:
      Distances and excesses, in order of weights.
    """
    order = np.argsort(data.realism["weight"][rows])
    distance, error = data.realism["dists"][rows][order], data.realism["mse"][rows][order]
    return (distance - distance[-1]) / (distance[0] - distance[-1]), (error - error[0]) / (error[-1] - error[0])


def realism(data: Data) -> Figure:
    """Squared error over DISTS, which stands for the distance to images, as the decoder's realism weight grows.

    Args:
      data: from `load`.

    Returns:
      The figure.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    fine = np.linspace(0.0, 1.0, 200)
    right.plot(fine, shape(fine), "k-", lw=1.2, label="theory: parabola")
    for i, rate in enumerate(np.unique(data.realism["rate_bpp"])):
        rows = data.realism["rate_bpp"] == rate
        order = np.argsort(data.realism["weight"][rows])
        style = {"color": COLORS[i], "marker": MARKERS[i], "label": f"{rate:.2f} bits per pixel"}
        left.plot(data.realism["dists"][rows][order], data.realism["mse"][rows][order] * 255**2, ls=LINES[i], **style)
        right.plot(*normalized(data, rows), ls="none", **style)
    left.set(xlabel="DISTS (smaller is more realistic)", ylabel="squared error (8-bit values)",
             title="One message, realism 0 (right) to 1 (left)")
    left.xaxis.set_major_locator(MaxNLocator(6))
    right.set(xlabel="DISTS, 0 at weight 1 and 1 at weight 0", ylabel="excess squared error, of that at weight 1",
              title="Relative to both ends")
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from the command line."""
    return drawing.main("image_codecs", load, {"image_codecs": rate_distortion, "image_realism": realism}, argv)


if __name__ == "__main__":
    sys.exit(main())
