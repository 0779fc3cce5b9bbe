"""Rate against Wasserstein distortion, what realism adds, and the bits of a glance.

    python -m paper_figures.wasserstein_rate [--table=...] [--out=runs/figures]

Reads the table of `experiments.sources.wasserstein_rate` and, beside it with `_glance` in its name, the octaves of
`experiments.images.foveated_glance`. Solid lines are bounds on every code, dotted ones what wide windows tend to (no
bound), markers codecs: rates of whole messages, two standard errors where they can be seen.
"""

import math
import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures import drawing
from paper_figures.style import COLORS, MARKERS
from paper_figures.tables import read_table
from theory import wasserstein_distortion as theory

FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))  # of a Gaussian, in standard deviations
# Scalings of papers, window's full width at half maximum over eccentricity (see docs/results/wasserstein_rate.md).
SCALINGS = {"Freeman & Simoncelli: V2": (0.4, 0.5), "Wallis et al.: V1 or less": (0.2, 0.3)}
CODECS = (("dither", "dithered scalars"), ("trellis-256", "256-state trellis"))
_COLUMNS = {"family", "loss", "codec", "sigma", "dimension", "source", "rate_bits", "distortion", "distortion_se",
            "zero_rate_distortion", "ideal_bits"}


class Data(NamedTuple):
    """Columns by name, each of shape [rows]: the codecs' table, and that of the glance."""

    columns: dict[str, np.ndarray]
    octaves: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads both tables.

    Args:
      path: the codecs' CSV file.

    Returns:
      Their columns.

    Raises:
      ValueError: if one cannot be read or a column is missing.
    """
    _, columns = read_table(path, _COLUMNS)
    _, octaves = read_table(path.with_name(f"{path.stem}_glance{path.suffix}"))
    return Data(columns, octaves)


def chosen(columns: dict[str, np.ndarray], **equal: object) -> dict[str, np.ndarray]:
    """The rows in which columns have given values.

    Args:
      columns: by name.
      **equal: values by name.

    Returns:
      Columns by name, shorter.
    """
    retained = np.ones(len(columns["codec"]), bool)
    for name, value in equal.items():
        retained &= columns[name] == value
    return {name: column[retained] for name, column in columns.items()}


def _points(axis: Axes, rows: dict[str, np.ndarray], marker: str, color: str, filled: bool) -> None:
    axis.errorbar(rows["distortion"], rows["rate_bits"], xerr=2 * rows["distortion_se"], ls="", marker=marker, ms=4.5,
                  color=color, mfc=color if filled else "w", mew=1.0, elinewidth=0.8, zorder=3)


def _tile_panel(axis: Axes, columns: dict[str, np.ndarray]) -> None:
    for color, pixels in zip(COLORS[::2], (4, 16, 64)):
        d = np.geomspace(0.01, 0.98 * float(theory.tile_zero_rate_distortion(pixels)) * pixels, 100) / pixels
        lower, upper = theory.tile_rate_bounds(d, pixels)
        axis.fill_between(d, lower, upper, color=color, alpha=0.4, lw=0)
        axis.plot(d, lower, color=color, lw=1.2, label=f"{pixels} pixels")
        for (name, _), marker in zip(CODECS, MARKERS):
            _points(axis, chosen(columns, family="tiles", codec=f"moments-{name}", dimension=pixels), marker, color,
                    name != "dither")
    axis.set(xscale="log", title="tiles (proxy loss)", xlabel="Wasserstein distortion", ylabel="bits per tile",
             ylim=(0, 8))
    axis.legend(loc="upper right", title="bracket, certified")


def _field_panel(axis: Axes, columns: dict[str, np.ndarray], dimension: int) -> None:
    level = np.geomspace(2e-3, 0.999, 200)
    for color, sigma in zip(COLORS, (2.0, 4.0, 8.0, 16.0, 32.0)):
        point = theory.white_field_water_filling(level, sigma, dimension=dimension)
        axis.plot(point.distortion, point.rate, color=color, lw=1.3, label=f"{sigma:g}")
        wide = theory.asymptotic_white_field_water_filling(level, sigma, dimension=dimension)
        axis.plot(wide.distortion, wide.rate, ":", color=color, lw=1.3)
        for (name, _), marker in zip(CODECS, MARKERS):
            rows = chosen(columns, family="two fields", codec=f"checkerboard-{name}", source="white", sigma=sigma,
                          dimension=dimension)
            _points(axis, rows, marker, color, name != "dither")
        rows = chosen(columns, family="means only", codec="checkerboard-dither", source="white", sigma=sigma,
                      dimension=dimension)
        _points(axis, rows, "v", color, False)
    axis.set(xscale="log", yscale="log", title=f"white noise in {dimension}-D, sliding windows",
             xlabel="Wasserstein distortion", ylabel="bits per pixel")
    axis.set_ylim((2e-3, 1.5) if dimension == 1 else (1e-6, 0.5))
    axis.legend(loc="lower left", title="$\\sigma$ in pixels")


def rate_figure(data: Data) -> Figure:
    """Draws rates against Wasserstein distortion: tiles, and fields at five sigmas.

    Args:
      data: the tables.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 3, figsize=(10.0, 4.2), layout="constrained")
    _tile_panel(axes[0], data.columns)
    _field_panel(axes[1], data.columns, 1)
    _field_panel(axes[2], data.columns, 2)
    handles = [Line2D([], [], color="0.3", lw=1.3, label="bound on every code (pooled means; tiles: bracket)"),
               Line2D([], [], color="0.3", ls=":", lw=1.3, label="wide windows, asymptotic: no bound")]
    handles += [Line2D([], [], color="0.3", ls="", marker=m, mfc="w" if n == "dither" else "0.3", ms=4.5,
                       label=f"codec: {text}") for (n, text), m in zip(CODECS, MARKERS)]
    handles.append(Line2D([], [], color="0.3", ls="", marker="v", mfc="w", ms=4.5, label="codec: means only, dithered"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def realism_figure(data: Data) -> Figure:
    """Draws what realism adds: tiles with and without it, and fields filled with a carrier or with noise.

    Args:
      data: the tables.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.9), layout="constrained")
    axis, pixels = axes[0], 16
    limit = float(theory.tile_zero_rate_distortion(pixels))
    d = np.geomspace(6e-4, 0.999 * limit, 200)
    rate = np.asarray(theory.tile_rate_bounds(d, pixels)[1])
    axis.plot(d, rate, "-", color=COLORS[0], label="least distortion")
    axis.plot(2 * d, rate, "--", color=COLORS[2], label="perfect realism, no\ncommon randomness (3 dB)")
    for codec, color, marker, text in (("moments-dither", COLORS[0], "o", "codec: fixed pattern"),
                                       ("realistic-rounding", COLORS[2], "s", "codec: tiles i.i.d. N(0,1)")):
        rows = chosen(data.columns, family="tiles", codec=codec, dimension=pixels, loss="proxy")
        _points(axis, rows, marker, color, False)
        axis.plot([], [], ls="", marker=marker, color=color, mfc="w", label=text)
    axis.set(xscale="log", xlabel="Wasserstein distortion (proxy)", ylabel="bits per tile", ylim=(0, 8),
             title=f"tiles of {pixels} pixels")
    axis.legend(loc="upper right")
    axis = axes[1]
    kinds = (("two fields", "checkerboard-dither", "means and deviations coded", "o"),
             ("means only", "checkerboard-dither", "means coded, fixed carrier", "v"),
             ("means only", "noise-dither", "means coded, fixed noise", "s"))
    for color, (family, codec, text, marker) in zip(COLORS[::2], kinds):
        rows = chosen(data.columns, family=family, codec=codec, source="white", dimension=1)
        axis.plot(rows["distortion"] / rows["zero_rate_distortion"], rows["rate_bits"] * rows["sigma"], ls="",
                  marker=marker, color=color, mfc="w", label=text)
    axis.axvline(1.0, color="0.4", lw=1.0)
    axis.axvline(2.0, color="0.4", lw=1.0, ls="--")
    axis.set(xlabel="Wasserstein distortion / $D_0$", ylabel="bits per pixel $\\times\\ \\sigma$", xlim=(0, 2.1),
             ylim=(0, 2.9),
             title="white noise in 1-D, five $\\sigma$'s")
    axis.text(1.02, 0.55, "$D_0$: rate 0", rotation=90, va="center", fontsize=8, transform=axis.get_xaxis_transform())
    axis.text(1.92, 0.45, "$2 D_0$: rate 0, realistic", rotation=90, va="center", fontsize=8,
              transform=axis.get_xaxis_transform())
    axis.legend(loc="upper right", frameon=True, framealpha=0.95, edgecolor="w")
    return figure


def glance_figure(data: Data) -> Figure:
    """Draws bits per octave of eccentricity: against the slope of sigma, and in a photograph.

    Args:
      data: the tables.

    Returns:
      The figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.9), layout="constrained")
    axis, slopes = axes[0], np.geomspace(0.05, 0.5, 16)
    for color, level in zip(COLORS[::2], (0.1, 0.01)):
        exact = [float(theory.bits_per_octave(c, level)) for c in slopes]
        axis.plot(slopes, exact, "-", color=color, label=f"$\\theta = {level:g}$, bound on every code")
        axis.plot(slopes, theory.asymptotic_bits_per_octave(slopes, level), ":", color=color, label="local, asymptotic")
    for (name, (low, high)), hatch, side in zip(SCALINGS.items(), ("//", ".."), ("left", "right")):
        axis.axvspan(low / FWHM, high / FWHM, fc="none", ec="0.6", hatch=hatch, lw=0)
        axis.text((low if side == "left" else high) / FWHM, 0.99 if side == "left" else 0.92, name, fontsize=7.5,
                  ha=side, va="top", transform=axis.get_xaxis_transform(),
                  bbox={"fc": "w", "ec": "none", "pad": 0.5, "alpha": 0.9})
    axis.set(xscale="log", yscale="log", xlabel="slope $c$ of $\\sigma = c\\, r$", ylabel="bits per octave",
             title="white noise, whole plane", ylim=(0.5, 5000))
    axis.set_xticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    axis.minorticks_off()
    axis.legend(loc="lower left", fontsize=7, frameon=True, framealpha=0.95, edgecolor="w")
    axis = axes[1]
    rows = data.octaves
    for color, marker, fixation in zip(COLORS[::2], MARKERS, np.unique(rows["fixation"])):
        retained = (rows["fixation"] == fixation) & (rows["inside"] > 0.05) & (rows["low"] > 0)
        middle = np.sqrt(rows["low"] * rows["high"])[retained]
        axis.plot(middle, rows["latent_bits"][retained], ls="-", lw=0.8, marker=marker, color=color,
                  label=f"latents, fixation {fixation + 1:g}")
        axis.plot(middle, rows["field_bits"][retained], "--", color=color,
                  label=f"$1/f^2$ field, fixation {fixation + 1:g}")
    axis.set(xscale="log", yscale="log", xlabel="eccentricity $r$ in pixels (an octave each)",
             ylabel="bits in the octave", title="a photograph, $\\sigma = 0.25\\,(r + 4)$")
    axis.set_xlim(2, 130)
    axis.set_xticks([4, 8, 16, 32, 64, 128], ["4", "8", "16", "32", "64", "128"])
    axis.minorticks_off()
    axis.legend(loc="upper left", fontsize=7)
    return figure


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return drawing.main("wasserstein_rate", load, {
        "wasserstein_rate": rate_figure, "wasserstein_rate_realism": realism_figure,
        "wasserstein_rate_glance": glance_figure}, argv)


if __name__ == "__main__":
    sys.exit(main())
