"""The rate-distortion(-perception) curve of your own source, bracketed, as a table and a plot.

    python -m rdr.cli.bound --pmf=pmf.csv --distortion=hamming --workdir=out
    python -m rdr.cli.bound --pmf=pmf.npy --distortion=cost.csv --workdir=out \\
        --divergence=tv --perceptions=0,0.05,inf

--pmf          probabilities of the n source letters, a .csv or .npy file
--distortion   d(x, y): a .csv or .npy file with n rows, or "hamming", "squared", "absolute" (letters at 0, 1, ..)
--divergence   none, tv, kl, reverse_kl, js, chi2, hellinger2, w1 or w2sq: what --perceptions bounds
--perceptions  values of P, one curve each; 0 is perfect realism, inf the classical curve
--distortions  values of D; a grid of --num_points over the whole curve when left out

Rates and KL-like divergences are in bits. `bound.csv` holds rate_lower_bits and rate_bits: the truth lies between.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np
from matplotlib.figure import Figure

from rdr import command_line, files
from rdr.evaluation.tables import write_run_record, write_table
from theory.discrete import rate_distortion_curve, rate_distortion_perception_surface

DIVERGENCES = ("none", "tv", "kl", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq")
NAMED_DISTORTIONS = ("hamming", "squared", "absolute")
_ROUNDING = 1e-6  # text files hold rounded probabilities; sums this close to 1 are rescaled


@dataclasses.dataclass(frozen=True)
class Config:
    """What to bound.

    Fields:
      pmf: file with the probabilities of n letters.
      distortion: file with an [n, m] matrix, or a name.
      divergence: measure of perception, or "none".
      perceptions: values of P.
      distortions: values of D; empty for a grid.
      num_points: points of that grid.
    """

    pmf: str = ""
    distortion: str = "hamming"
    divergence: str = "none"
    perceptions: tuple[float, ...] = ()
    distortions: tuple[float, ...] = ()
    num_points: int = 24


PRESETS = {"quick": Config(), "smoke": Config(num_points=5), "full": Config(num_points=100)}


def read_array(name: str, path: str) -> np.ndarray:
    """Reads numbers from a `.npy` file or from text with commas or blanks.

    Args:
      name: the flag, for messages.
      path: the file.

    Returns:
      A float64 array.

    Raises:
      ValueError: if it cannot be read or holds something else than finite-width rows of numbers.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"{name}: there is no file {path!r}")
    try:
        if file.suffix == ".npy":
            array = np.load(file, allow_pickle=False)
        else:
            lines = file.read_text(encoding="utf-8").replace(",", " ").splitlines()
            rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            array = np.array([[float(cell) for cell in row] for row in rows], np.float64)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{name}: {path!r} does not hold rows of numbers of one length ({error})") from None
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise ValueError(f"{name}: {path!r} must hold real numbers, got {array.size} of type {array.dtype}")
    return array.astype(np.float64)


def load_source(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Reads and checks the pmf and the distortion matrix.

    Args:
      config: names the files.

    Returns:
      The pmf [n] and the distortion matrix [n, m].

    Raises:
      ValueError: if a file is missing or unreadable, or a value or shape is not admissible.
    """
    if not config.pmf:
        raise ValueError("--pmf is missing: name a .csv or .npy file with the probabilities of the letters")
    pmf = read_array("pmf", config.pmf)
    if pmf.ndim == 2 and 1 in pmf.shape:
        pmf = pmf.reshape(-1)
    if pmf.ndim != 1:
        raise ValueError(f"pmf must be one row or one column of probabilities, got shape {pmf.shape}")
    if np.isnan(pmf).any() or (pmf < 0.0).any():
        wrong = int(np.flatnonzero(~(pmf >= 0.0))[0])
        raise ValueError(f"pmf must have entries >= 0, got {pmf[wrong]:g} for letter {wrong}")
    total = float(pmf.sum())
    if not abs(total - 1.0) <= _ROUNDING:
        raise ValueError(f"pmf must sum to 1, got a sum of {total:.9g}")
    pmf = pmf / total
    n = pmf.size

    letters = np.arange(n, dtype=np.float64)
    difference = np.abs(letters[:, None] - letters)
    if config.distortion in NAMED_DISTORTIONS:
        matrix = {"hamming": np.minimum(difference, 1.0), "squared": difference**2, "absolute": difference}[
            config.distortion
        ]
    else:
        matrix = read_array("distortion", config.distortion)
    if matrix.ndim != 2 or matrix.shape[0] != n:
        raise ValueError(f"distortion must have one row per letter, {n} rows, got shape {matrix.shape}")
    if np.isnan(matrix).any() or (matrix < 0.0).any():
        wrong = matrix[~(matrix >= 0.0)][0]
        raise ValueError(f"distortion must have entries >= 0, got {wrong:g}")
    if config.divergence not in DIVERGENCES:
        raise ValueError(f"divergence must be one of {', '.join(DIVERGENCES)}, got {config.divergence!r}")
    if config.divergence != "none" and matrix.shape[1] != n:
        raise ValueError(f"a divergence needs a square distortion matrix, got shape {matrix.shape}")
    for name, values in (("perceptions", config.perceptions), ("distortions", config.distortions)):
        if any(not value >= 0.0 for value in values):
            raise ValueError(f"{name} must be >= 0, got {min(values)}")
    if config.num_points < 1:
        raise ValueError(f"num_points must be >= 1, got {config.num_points}")
    if config.perceptions and config.divergence == "none":
        raise ValueError("perceptions need a divergence: say which, for example --divergence=tv")
    return pmf, matrix


def distortion_grid(pmf: np.ndarray, matrix: np.ndarray, num_points: int) -> np.ndarray:
    """Distortions from just above the smallest reachable one to where all rates are 0.

    Args:
      pmf: [n].
      matrix: [n, m].
      num_points: how many.

    Returns:
      [num_points] distortions.
    """
    used = pmf > 0.0
    smallest = float(pmf[used] @ matrix[used].min(axis=1))
    constant = pmf[used] @ matrix[used]
    largest = float(constant.min())
    if matrix.shape[0] == matrix.shape[1]:
        # At perfect realism the rate is 0 once an independent sample of the source is good enough.
        independent = float(constant[used] @ pmf[used])
        largest = independent if np.isfinite(independent) else largest
    if not np.isfinite(largest):
        largest = smallest + float(pmf[used] @ np.where(np.isfinite(matrix[used]), matrix[used], 0.0).max(axis=1))
    # Denser where the curve is steep.
    return smallest + (largest - smallest) * np.linspace(0.1, 1.0, num_points) ** 2


def solve(
    pmf: np.ndarray, matrix: np.ndarray, divergence: str, perceptions: tuple[float, ...], distortions: np.ndarray
) -> dict[str, np.ndarray]:
    """Brackets the rate at every pair of a distortion and a perception.

    Args:
      pmf: [n].
      matrix: [n, m].
      divergence: a name of `DIVERGENCES`.
      perceptions: values of P; ignored with "none".
      distortions: [k] values of D.

    Returns:
      Columns of a table; the rates of an infeasible pair are NaN.
    """
    if divergence == "none":
        perceptions = (float("inf"),)
        solution = rate_distortion_curve(pmf, matrix, distortions=distortions)
    else:
        solution = rate_distortion_perception_surface(
            pmf, matrix, distortions=distortions, perceptions=perceptions, divergence=divergence
        )
    allowed, bound = np.meshgrid(distortions, np.asarray(perceptions, np.float64), indexing="ij")
    columns = {
        "max_distortion": allowed.ravel(),
        "max_perception": bound.ravel(),
        "rate_lower_bits": np.asarray(solution.rate_lower).ravel(),
        "rate_bits": np.asarray(solution.rate).ravel(),
        "gap_bits": np.asarray(solution.rate - solution.rate_lower).ravel(),
        "distortion": np.asarray(solution.distortion).ravel(),
        "slope_bits": np.asarray(solution.slope).ravel(),
    }
    if divergence != "none":
        columns["perception"] = np.asarray(solution.perception).ravel()
    infeasible = ~np.isfinite(columns["rate_bits"])
    columns["rate_lower_bits"] = np.where(infeasible, np.nan, columns["rate_lower_bits"])
    return columns


def make_figure(columns: dict[str, np.ndarray], divergence: str) -> Figure:
    """Draws one curve per perception level, the bracket as a band.

    Args:
      columns: a table of `solve`.
      divergence: named in the legend.

    Returns:
      The figure.
    """
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
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
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if divergence != "none":
        axes.legend(frameon=False)
    return figure


def compute(config: Config) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Brackets the curves of a configuration.

    Args:
      config: what to bound.

    Returns:
      The table's columns and its header.

    Raises:
      ValueError: on input that cannot be used, or a pair (D, P) that no channel meets.
    """
    pmf, matrix = load_source(config)
    perceptions = config.perceptions or (0.0, float("inf"))
    given = bool(config.distortions)
    if given:
        used = pmf > 0.0
        smallest = float(pmf[used] @ matrix[used].min(axis=1))
        for value in config.distortions:
            if value < smallest:
                raise ValueError(f"distortions must be at least {smallest:g}, the smallest reachable, got {value:g}")
        distortions = np.asarray(config.distortions, np.float64)
    else:
        distortions = distortion_grid(pmf, matrix, config.num_points)
    columns = solve(pmf, matrix, config.divergence, perceptions, distortions)
    infeasible = np.isnan(columns["rate_lower_bits"])
    if infeasible.any() and (given or infeasible.all()):
        first = int(np.argmax(infeasible))
        raise ValueError(
            f"no channel has distortion <= {columns['max_distortion'][first]:g} and "
            f"{config.divergence} <= {columns['max_perception'][first]:g}"
        )
    columns = {name: column[~infeasible] for name, column in columns.items()}
    header = {
        "units": "rates in bits per letter; KL, reverse KL and JS in bits; slope in bits per unit of distortion",
        "bounds": "the rate-distortion-perception function lies between rate_lower_bits and rate_bits",
        "divergence": config.divergence,
        "letters": pmf.size,
        "infeasible_grid_points_left_out": int(infeasible.sum()),
    }
    return columns, header


def run(config: Config, workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Writes `bound.csv`, `bound.png`, `bound.pdf`, `config.json` and `run.json`.

    Args:
      config: what to bound.
      workdir: where to; made where it does not exist, and left alone when the input is refused.

    Returns:
      The table's columns.

    Raises:
      ValueError: on input that cannot be used, a pair (D, P) that no channel meets, or a directory that holds the
        results of another configuration.
    """
    started = time.monotonic()
    columns, header = compute(config)
    workdir = command_line.open_workdir(pathlib.Path(workdir), config)
    write_table(workdir / "bound.csv", columns, header)
    figure = make_figure(columns, config.divergence)
    files.write_figure(workdir / "bound.png", figure, dpi=200, metadata={"Software": None})
    files.write_figure(workdir / "bound.pdf", figure, metadata={"CreationDate": None})
    write_run_record(
        workdir, name="rdr.cli.bound", config=config, duration_seconds=time.monotonic() - started
    )
    gap = columns["rate_bits"] - columns["rate_lower_bits"]
    print(f"{gap.size} points, largest gap {gap.max():.1e} bit, written to {workdir / 'bound.csv'}")
    return columns


def main(argv: list[str] | None = None) -> int:
    """Runs from the command line; returns the exit status."""
    return command_line.run_safely(lambda: run(*command_line.parse(__doc__, PRESETS, argv)))


if __name__ == "__main__":
    sys.exit(main())
