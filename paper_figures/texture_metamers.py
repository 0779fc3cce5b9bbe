"""Fidelity turning into realism: images matched under Wasserstein distortion as sigma grows.

    python -m paper_figures.texture_metamers [--table=paper_figures/data/texture_metamers.csv] [--out=runs/figures]

Reads `sequence.csv` and `images.npz` (the same name with `.npz`) written by `experiments.images.texture_metamers`.
"""

import pathlib
import sys
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from paper_figures import drawing, style
from paper_figures.style import COLORS
from paper_figures.tables import read_table


class Data(NamedTuple):
    """A sequence of matched images.

    Attributes:
      header: the table's header lines.
      columns: its columns by name; `sigma` as text.
      images: `"picture"` and `"picture sigma"` -> uint8 [size, size, 1 or 3].
    """

    header: dict[str, str]
    columns: dict[str, np.ndarray]
    images: dict[str, np.ndarray]


def load(path: pathlib.Path) -> Data:
    """Reads a table of `experiments.images.texture_metamers` and the images beside it.

    Args:
      path: the CSV file; the images are in `images.npz` beside it, or in the `.npz` file of its own name.

    Returns:
      The table and the images.

    Raises:
      ValueError: if either cannot be read.
    """
    header, columns = read_table(path)
    sigma = np.array([f"{s:g}" if isinstance(s, float) else str(s) for s in columns["sigma"].tolist()])
    for beside in (path.with_suffix(".npz"), path.with_name("images.npz")):
        if beside.is_file():
            with np.load(beside) as archive:
                images = dict(archive)
            break
    else:
        raise ValueError(f"the images of {path} are missing: {path.with_suffix('.npz')} is not there")
    return Data(header, {**columns, "sigma": sigma}, images)


def sequence(data: Data) -> Figure:
    """Each texture and its matches from sigma = 0 to infinity; below, their distance in pixels and in statistics.

    Args:
      data: the table and the images.

    Returns:
      The figure.
    """
    textures = [
        name for name in dict.fromkeys(data.columns["picture"]) if "foveated" not in _rows(data, name)["sigma"]
    ]
    count = max(len(_rows(data, name)["sigma"]) for name in textures)
    side = max(data.images[textures[0]].shape[0] / style.DPI, 1.28)
    upper_height = (side + 0.25) * len(textures)
    figure = plt.figure(figsize=((side + 0.1) * (count + 1), upper_height + 2.3), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(upper_height, 2.3))
    panels = upper.subplots(len(textures), count + 1, squeeze=False)
    for row, name in zip(panels, textures):
        rows = _rows(data, name)
        _show(row[0], data.images[name], f"{name}")
        for axis, sigma in zip(row[1:], rows["sigma"]):
            _show(axis, data.images[f"{name} {_key(data, name, sigma)}"], _label(sigma))
        for axis in row[1 + len(rows["sigma"]) :]:
            axis.axis("off")
    fidelity, realism = lower.subplots(1, 2)
    for number, name in enumerate(textures):
        rows = _rows(data, name)
        place = np.arange(len(rows["sigma"]))
        look = {"color": COLORS[2 * number], "marker": "os^"[number], "ls": ("-", "--", ":")[number], "label": name}
        fidelity.plot(place, np.sqrt(rows["fidelity_mse"]), **look)
        realism.plot(place, rows["realism"] / rows["realism_start"], **look)
        fidelity.axhline(np.sqrt(2) * data.images[name].std() / 255, color=COLORS[2 * number], lw=0.8, ls=":")
        for axis in (fidelity, realism):
            axis.set_xticks(place, [_label(s, short=True) for s in rows["sigma"]])
            axis.set_xlabel("σ (pixels)")
    highest = max(line.get_ydata()[0] for line in fidelity.get_lines()[1::2])
    fidelity.annotate("dotted: unrelated images of this spread", (0, highest), (0, 3),
                      textcoords="offset points", fontsize=7, color="0.35")
    fidelity.set(ylabel="RMS difference", title="Fidelity: pixel by pixel")
    fidelity.set_ylim(0, 1.25 * highest)
    realism.set(ylabel="relative to noise", title="Realism: statistics (σ = ∞)", yscale="log")
    if len(textures) > 1:
        realism.legend()
    return figure


def foveated(data: Data) -> Figure:
    """A photograph and its match under a foveated sigma map, pixel for pixel, with a cross where it is fixated.

    Args:
      data: the table and the images.

    Returns:
      The figure.

    Raises:
      ValueError: if the table has no foveated image.
    """
    names = [n for n, s in zip(data.columns["picture"], data.columns["sigma"]) if s == "foveated"]
    if not names:
        raise ValueError("the table has no image with a foveated sigma map")
    name = names[0]
    image, match = data.images[name], data.images[f"{name} foveated"]
    side = image.shape[0] / style.DPI
    figure, axes = plt.subplots(1, 2, figsize=(2 * side + 0.2, side + 0.35), layout="constrained")
    _show(axes[0], image, name)
    _show(axes[1], match, "match, to be looked at where the cross is")
    row, column = map(float, data.header["fixation"].split())
    for axis in axes:
        axis.plot(column, row, "+", color=COLORS[5], ms=9, mew=1.4)
    return figure


def _rows(data: Data, name: str) -> dict[str, np.ndarray]:
    chosen = data.columns["picture"] == name
    return {key: column[chosen] for key, column in data.columns.items()}


def _key(data: Data, name: str, sigma: str) -> str:
    """Finds how the experiment wrote a sigma in the images' names."""
    for key in data.images:
        if key.startswith(f"{name} ") and (key == f"{name} {sigma}" or float(key.split()[-1]) == float(sigma)):
            return key.removeprefix(f"{name} ")
    raise ValueError(f"the images lack {name} at sigma = {sigma}")


def _label(sigma: str, short: bool = False) -> str:
    text = "∞" if sigma == "inf" else sigma
    return text if short else f"σ = {text}"


def _show(axis, image: np.ndarray, title: str) -> None:
    axis.imshow(np.broadcast_to(image, (*image.shape[:2], 3)), interpolation="nearest")
    axis.set_title(title)
    axis.set(xticks=[], yticks=[])
    style.remove_frame(axis)


FIGURES = {"texture_metamers": sequence, "foveated_metamer": foveated}


def main(argv: list[str] | None = None) -> int:
    """Draws the figures from the command line."""
    return drawing.main("texture_metamers", load, FIGURES, argv)


if __name__ == "__main__":
    sys.exit(main())
