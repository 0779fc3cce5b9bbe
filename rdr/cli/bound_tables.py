"""Tables and figure of `rdr bound`."""

import math
import pathlib

import numpy as np
from matplotlib.figure import Figure

_PRECISION = 4  # of rates and distortions in LaTeX


def read_columns(path: pathlib.Path, digest: str) -> dict[str, np.ndarray] | None:
    """Reads a table that an earlier run wrote.

    Args:
      path: `bound.csv`.
      digest: of the numbers that are to be bounded.

    Returns:
      The columns; None if there is no such table, or it is of other numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    if f"# source_sha256: {digest}" not in lines:
        return None
    names, *rows = [line.split(",") for line in lines if not line.startswith("#")]
    return dict(zip(names, np.array(rows, np.float64).reshape(-1, len(names)).T))


def latex(columns: dict[str, np.ndarray], divergence: str) -> str:
    """Writes the table for a paper; lower bounds are rounded down and upper ones up.

    Args:
      columns: a table of `rdr bound`.
      divergence: named above its column; "none" for none.

    Returns:
      A tabular environment that needs no package.
    """
    if "rate_bits" not in columns:
        return _latex_of_decoders(columns, divergence)
    with_perception = divergence != "none"
    perception = [f"$P$ ({divergence.replace('_', ' ')})"] if with_perception else []
    head = ["$D$", *perception, "lower (bit)", "upper (bit)"]
    rows = []
    for index in range(len(columns["rate_bits"])):
        level = columns["max_perception"][index]
        rows.append([f"{columns['max_distortion'][index]:.{_PRECISION}g}",
                     *([r"$\infty$" if math.isinf(level) else f"{level:.{_PRECISION}g}"] if with_perception else []),
                     _rounded(columns["rate_lower_bits"][index], math.floor),
                     _rounded(columns["rate_bits"][index], math.ceil)])
    return "% Bounds on the rate in bits per letter, rounded outwards.\n" + _tabular(head, rows)


def _latex_of_decoders(columns: dict[str, np.ndarray], divergence: str) -> str:
    rows = []
    for level, lower, upper in zip(*(columns[name] for name in ("max_perception", "distortion_lower", "distortion"))):
        rows.append([r"$\infty$" if math.isinf(level) else f"{level:.{_PRECISION}g}",
                     *((_rounded(lower, math.floor), _rounded(upper, math.ceil)) if math.isfinite(upper) else
                       ("--", "--"))])
    head = [f"$P$ ({divergence.replace('_', ' ')})", "lower", "upper"]
    return "% Bounds on the least distortion of decoders, rounded outwards.\n" + _tabular(head, rows)


def _tabular(head: list[str], rows: list[list[str]]) -> str:
    lines = [r"\begin{tabular}{" + "r" * len(head) + "}", r"\hline", " & ".join(head) + r" \\", r"\hline",
             *(" & ".join(row) + r" \\" for row in rows), r"\hline", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _rounded(value: float, direction) -> str:
    scale = 10**_PRECISION
    return f"{max(direction(value * scale), 0) / scale:.{_PRECISION}f}"


def make_figure(columns: dict[str, np.ndarray], divergence: str) -> Figure:
    """Draws one curve per perception level, the bracket as a band; of decoders, distortion against perception.

    Args:
      columns: a table of `solve`.
      divergence: named in the legend.

    Returns:
      The figure.
    """
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if "rate_bits" not in columns:
        _draw_decoders(axes, columns, divergence)
        return figure
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
    colors = ("#1b1b4b", "#8a1c5c", "#d1495b", "#e8963a", "#7fb069", "#58a4b0")
    name = divergence.replace("_", " ")
    levels = np.unique(columns["max_perception"])
    for index, level in enumerate(levels):
        chosen = columns["max_perception"] == level
        order = np.argsort(columns["max_distortion"][chosen])
        x = columns["max_distortion"][chosen][order]
        lower, upper = columns["rate_lower_bits"][chosen][order], columns["rate_bits"][chosen][order]
        label = f"any {name}" if np.isinf(level) else f"{name} $\\leq$ {level:g}"
        marker = "o" if x.size == 1 else None
        color = colors[index % len(colors)]
        axes.plot(x, upper, linestyle=styles[index % len(styles)], color=color, marker=marker, label=label)
        axes.fill_between(x, lower, upper, color=color, alpha=0.3, linewidth=0)
    axes.set_xlabel("distortion")
    axes.set_ylabel("rate (bits per letter)")
    axes.set_ylim(bottom=0.0)
    if divergence != "none":
        axes.legend(frameon=False)
    return figure


def _draw_decoders(axes, columns: dict[str, np.ndarray], divergence: str) -> None:
    level = columns["max_perception"]
    finite = np.flatnonzero(np.isfinite(level) & np.isfinite(columns["distortion"]))
    finite = finite[np.argsort(level[finite])]
    x, upper = level[finite], columns["distortion"][finite]
    axes.plot(x, upper, color="#1b1b4b", marker="o" if x.size == 1 else None, label="best decoder")
    axes.fill_between(x, columns["distortion_lower"][finite], upper, color="#1b1b4b", alpha=0.3, linewidth=0)
    for value in columns["distortion"][np.isinf(level)][:1]:
        axes.axhline(value, color="#d1495b", linestyle="--", label="best decoder without realism")
    axes.set_xlabel(f"largest {divergence.replace('_', ' ')}")
    axes.set_ylabel("distortion")
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
