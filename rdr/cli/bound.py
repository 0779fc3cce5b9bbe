"""The command `rdr bound`: the rate-distortion(-perception) curve of a source, bracketed, as tables and a plot."""

import dataclasses
import hashlib
import pathlib
import time
from collections.abc import Sequence

import numpy as np

from rdr import command_line, files
from rdr.cli import bound_blocks, bound_tables
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation.tables import render, write_run_record, write_table

DESCRIPTION = """
Brackets the rate-distortion(-perception) curve of your own source.

    rdr bound --pmf=pmf.csv --distortion=hamming --workdir=out
    rdr bound --pmf=pmf.npy --distortion=cost.csv --workdir=out --divergence=tv --perceptions=0,0.05,inf
    rdr bound --pmf=pmf.csv --workdir=out --distortions=0.05 --blocklength=100,1000 --excess_probability=0.01

Rates and KL-like divergences are in bits. bound.csv holds rate_lower_bits and rate_bits: the truth lies between.
bound.tex is the same as a LaTeX table, its rates rounded outwards; bound.png and bound.pdf draw it. A command that is
called again shows what is there.
"""
DIVERGENCES = ("none", "tv", "kl", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq")
NAMED_DISTORTIONS = ("hamming", "squared", "absolute", "mse")
_SEPARATORS = str.maketrans({",": " ", ";": " ", '"': " "})  # and what spreadsheets put around cells
_ROUNDING = 1e-6  # text files hold rounded probabilities; sums this close to 1 are rescaled


@dataclasses.dataclass(frozen=True)
class Config:
    """What to bound; each field says what it is."""

    pmf: str = option("", "probabilities of the n source letters: a .csv file (commas, blanks or lines) or a .npy file",
                      first=True, metavar="FILE")
    distortion: str = option(
        "hamming", "d(x, y): hamming, squared (or mse), absolute, with letters at 0, 1, ..; or a .csv or .npy file "
        "with n rows", first=True)
    divergence: str = option("none", "the measure of perception that --perceptions bounds", choices=DIVERGENCES,
                             first=True)
    perceptions: tuple[float, ...] = option(
        (), "values of P, a curve each: 0 is perfect realism, inf the classical curve; none: 0,inf", first=True)
    distortions: tuple[float, ...] = option((), "values of D; none: a grid over the whole curve")
    num_points: int = option(24, "points of that grid")
    blocklength: tuple[int, ...] = option(
        (), "letters in a block, a number or several: adds what fixed-length codes of such blocks need, by the normal "
        "approximation (no bound), and bounds for two or equally likely letters under hamming")
    excess_probability: float = option(0.01, "how often a block may have more than the distortion, with --blocklength")

    def __post_init__(self):
        if self.divergence not in DIVERGENCES:
            raise ValueError(f"--divergence must be one of {', '.join(DIVERGENCES)}, got {self.divergence!r}")
        for name in ("perceptions", "distortions"):
            if any(not value >= 0.0 for value in getattr(self, name)):
                raise ValueError(f"--{name} must be >= 0, got {min(getattr(self, name))}")
        if self.num_points < 1:
            raise ValueError(f"--num_points must be >= 1, got {self.num_points}")
        if self.perceptions and self.divergence == "none":
            raise ValueError("--perceptions need a divergence: say which, for example --divergence=tv")
        bound_blocks.check(self.blocklength, self.excess_probability, self.divergence)


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: seconds, points, largest gap in bits, and the columns")


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
            lines = file.read_text(encoding="utf-8-sig").translate(_SEPARATORS).splitlines()
            rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            array = np.array([[float(cell) for cell in row] for row in rows], np.float64)
    except Exception as error:  # NumPy lets through whatever the parser of a header raises
        raise ValueError(f"{name}: {path!r} does not hold rows of numbers of one length "
                         f"({' '.join(str(error).split())})") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: {path!r} must hold one array, not an archive")
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
        raise UsageError("--pmf is missing: name a .csv or .npy file with the probabilities of the letters")
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
        matrix = {"hamming": np.minimum(difference, 1.0), "absolute": difference}.get(config.distortion, difference**2)
    elif not pathlib.Path(config.distortion).exists():
        raise ValueError(f"distortion: there is no file {config.distortion!r}, and no distortion of that name; there "
                         f"are {', '.join(NAMED_DISTORTIONS)}")
    else:
        matrix = read_array("distortion", config.distortion)
    if matrix.ndim != 2 or matrix.shape[0] != n:
        raise ValueError(f"distortion must have one row per letter, {n} rows, got shape {matrix.shape}")
    if np.isnan(matrix).any() or (matrix < 0.0).any():
        wrong = matrix[~(matrix >= 0.0)][0]
        raise ValueError(f"distortion must have entries >= 0, got {wrong:g}")
    if config.divergence != "none" and matrix.shape[1] != n:
        raise ValueError(f"a divergence needs a square distortion matrix, got shape {matrix.shape}")
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
    from theory.discrete import rate_distortion_curve, rate_distortion_perception_surface

    reached = {}
    if divergence == "none":
        perceptions = (float("inf"),)
        solution = rate_distortion_curve(pmf, matrix, distortions=distortions)
        reached["dispersion_bits2"] = np.asarray(solution.dispersion)
    else:
        solution = rate_distortion_perception_surface(
            pmf, matrix, distortions=distortions, perceptions=np.asarray(perceptions, np.float64), divergence=divergence
        )
        reached["perception"] = np.asarray(solution.perception).ravel()
    allowed, bound = np.meshgrid(distortions, np.asarray(perceptions, np.float64), indexing="ij")
    columns = {
        "max_distortion": allowed.ravel(),
        "max_perception": bound.ravel(),
        "rate_lower_bits": np.asarray(solution.rate_lower).ravel(),
        "rate_bits": np.asarray(solution.rate).ravel(),
        "gap_bits": np.asarray(solution.rate - solution.rate_lower).ravel(),
        "distortion": np.asarray(solution.distortion).ravel(),
        "slope_bits": np.asarray(solution.slope).ravel(),
        **reached,
    }
    infeasible = ~np.isfinite(columns["rate_bits"])
    columns["rate_lower_bits"] = np.where(infeasible, np.nan, columns["rate_lower_bits"])
    return columns


def compute(config: Config, pmf: np.ndarray, matrix: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Brackets the curves of a configuration.

    Args:
      config: what to bound.
      pmf: [n], of `load_source`.
      matrix: [n, m].

    Returns:
      The table's columns and its header.

    Raises:
      ValueError: on a distortion that cannot be reached, or a pair (D, P) that no channel meets.
    """
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
    if config.blocklength:
        columns |= bound_blocks.block_columns(pmf, matrix, columns, config.blocklength, config.excess_probability)
    header: dict[str, object] = {
        "units": "rates in bits per letter; KL, reverse KL and JS in bits; slope in bits per unit of distortion",
        "bounds": "the rate-distortion-perception function lies between rate_lower_bits and rate_bits",
        "divergence": config.divergence,
        "letters": pmf.size,
        "infeasible_grid_points_left_out": int(infeasible.sum()),
        "source_sha256": source_digest(pmf, matrix),
        **bound_blocks.explanation(config.blocklength, config.excess_probability),
    }
    return columns, header


def run(config: Config, workdir: pathlib.Path, extra: Extra = Extra()) -> dict[str, np.ndarray]:
    """Writes `bound.csv`, `bound.tex`, `bound.png`, `bound.pdf`, `config.json` and `run.json`, or shows them.

    Args:
      config: what to bound.
      workdir: where to; made where it does not exist, and left alone when the input is refused.
      extra: what is printed.

    Returns:
      The table's columns.

    Raises:
      ValueError: on input that cannot be used, a pair (D, P) that no channel meets, or a directory that holds the
        results of another configuration or of other files.
    """
    started, workdir = time.monotonic(), pathlib.Path(workdir)
    pmf, matrix = load_source(config)
    columns = None
    if command_line.check_workdir(workdir, config):
        columns = bound_tables.read_columns(workdir / "bound.csv", source_digest(pmf, matrix))
    if columns is None:
        computed, header = compute(config, pmf, matrix)
        with command_line.claim_workdir(workdir, config):
            files.write_text(workdir / "bound.tex", bound_tables.latex(computed, config.divergence))
            figure = bound_tables.make_figure(computed, config.divergence)
            files.write_figure(workdir / "bound.png", figure, dpi=200, metadata={"Software": None})
            files.write_figure(workdir / "bound.pdf", figure, metadata={"CreationDate": None})
            write_table(workdir / "bound.csv", computed, header)
            write_run_record(workdir, name="rdr bound", config=config, duration_seconds=time.monotonic() - started)
        columns = bound_tables.read_columns(workdir / "bound.csv", source_digest(pmf, matrix))  # as a later call will
    if columns is None:
        raise ValueError(f"workdir: {workdir / 'bound.csv'} was written, but cannot be read back")
    gap = float(np.max(columns["rate_bits"] - columns["rate_lower_bits"]))
    if extra.json:
        show_json(Outcome(seconds=time.monotonic() - started), points=len(columns["rate_bits"]), largest_gap_bits=gap,
                  workdir=str(workdir), **{name: list(column) for name, column in columns.items()})
    else:
        shown = [name for name in ("max_distortion", "max_perception", "rate_lower_bits", "rate_bits") if
                 config.divergence != "none" or name != "max_perception"] + bound_blocks.shown(columns)
        print(render({name: columns[name] for name in shown}, digits=6))
        print(f"{len(columns['rate_bits'])} points, largest gap {gap:.1e} bit, written to {workdir / 'bound.csv'}")
    return columns


def source_digest(pmf: np.ndarray, matrix: np.ndarray) -> str:
    """Computes a digest of the numbers that are bounded, so that a changed file is noticed.

    Args:
      pmf: [n].
      matrix: [n, m].

    Returns:
      64 hexadecimal digits.
    """
    parts = (f"{pmf.shape} {matrix.shape}".encode(), np.ascontiguousarray(pmf), np.ascontiguousarray(matrix))
    return hashlib.sha256(b"".join(bytes(part) for part in parts)).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(CommandLine("rdr bound", DESCRIPTION, PRESETS, Extra()), argv)
        run(parsed.config, parsed.required_workdir(), parsed.extra)

    return command_line.run_safely(call, interrupted="nothing was written")
