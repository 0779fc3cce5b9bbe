"""The command `rdr bound`: the rate-distortion(-perception) curve of a source, bracketed, as tables and a plot."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Sequence

import numpy as np

from rdr import command_line, files
from rdr.cli import bound_blocks, bound_files, bound_problems, bound_samples, bound_tables
from rdr.cli.bound_problems import Problem
from rdr.cli.outcome import Outcome, show_json
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation.tables import render, write_run_record, write_table

DESCRIPTION = """
Brackets the rate-distortion(-perception) curve of your own source.

    rdr bound --pmf=pmf.csv --distortion=hamming --workdir=out
    rdr bound --pmf=pmf.npy --distortion=cost.csv --workdir=out --divergence=tv --perceptions=0,0.05,inf
    rdr bound --pmf=pmf.csv --workdir=out --distortions=0.05 --blocklength=100,1000 --excess_probability=0.01
    rdr bound --side_information=joint.csv --workdir=out
    rdr bound --pmf=pmf.csv --encoder=encoder.csv --divergence=kl --workdir=out
    rdr bound --samples=vectors.npy --distortion=mse --workdir=out
    rdr bound --samples=PHOTOGRAPHS --distortion=mse --patch=8 --channels=luma --workdir=out

Rates and KL-like divergences are in bits. bound.csv holds rate_lower_bits and rate_bits: the truth lies between.
bound.tex is the same as a LaTeX table, its rates rounded outwards; bound.png and bound.pdf draw it. A command that is
called again shows what is there. With --encoder the truth between distortion_lower and distortion is a distortion.

With --samples the source is known by its samples alone, and points.csv holds what several estimators say of R(D): bits
of a vector, squared error summed over its components, and standard errors; of kind upper (a channel reaches it, in
expectation), lower (no code needs less) or asymptotic (no bound). An interrupted run goes on.
"""
DIVERGENCES = ("none", "tv", "kl", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to bound; each field says what it is."""

    pmf: str = option("", "probabilities of the n source letters: a .csv file (commas, blanks or lines) or a .npy file",
                      first=True, metavar="FILE")
    distortion: str = option(
        "hamming", "d(x, y): hamming, squared (or mse), absolute, with letters at 0, 1, ..; or a .csv or .npy file "
        "with n rows", first=True)
    divergence: str = option(
        "none", f"the measure of perception that --perceptions bounds: {', '.join(DIVERGENCES[1:])}, or alpha=0.5 and "
        "the like for power divergences (1 is kl, 0 reverse_kl)", first=True)
    perceptions: tuple[float, ...] = option(
        (), "values of P, a curve each: 0 is perfect realism, inf the classical curve; none: 0,inf", first=True)
    distortions: tuple[float, ...] = option((), "values of D; none: a grid over the whole curve")
    num_points: int = option(24, "points of that grid")
    blocklength: tuple[int, ...] = option(
        (), "letters in a block, a number or several: adds what fixed-length codes of such blocks need, by the normal "
        "approximation (no bound), and bounds for two or equally likely letters under hamming")
    excess_probability: float = option(0.01, "how often a block may have more than the distortion, with --blocklength")
    observation: str = option(
        "", "instead of --pmf: joint probabilities of the source's letters (rows) and of what the encoder sees of them "
        "(columns); distortion and perception are the source's", metavar="FILE")
    side_information: str = option(
        "", "instead of --pmf: joint probabilities of the source's letters (rows) and of what is known beside the "
        "message (columns)", metavar="FILE")
    side_information_at: str = option("decoder", "who knows it", choices=bound_problems.PLACES)
    realism: str = option(
        "marginal", "what --perceptions compares where there is side information: reproductions alone, or together "
        "with it", choices=bound_problems.REALISM)
    encoder: str = option(
        "", "probabilities of the message (columns) given the letter (rows): bounds the least distortion of its "
        "decoders at each perception, instead of a rate", metavar="FILE")
    samples: str = option(
        "", "instead of --pmf: a .npy file of samples [samples, ...], a folder of photographs or of a data set of "
        "MNIST's kind, or digits (those of scikit-learn)", first=True, metavar="FILE")
    estimators: tuple[str, ...] = option(
        (), f"of --samples: among {', '.join(bound_samples.ESTIMATORS)}; none: the first five, and the dual up to 3 "
        "dimensions")
    max_rate: float = option(0.0, "of --samples: where the curve ends, bits a vector; 0: 2 a component, at most 60")
    num_particles: int = option(1000, "of --samples: points that the estimator particles moves, draws of generator")
    steps: int = option(2000, "of --samples: training steps of networks; particles take a fifth, mixtures a 50th")
    patch: int = option(8, "of --samples: side of the patches of photographs, 2 to 64")
    channels: str = option("luma", "of --samples: what of photographs", choices=bound_samples.CHANNELS)
    count: int = option(0, "of --samples: vectors to fit to; 0: all, 20000 patches of photographs")
    seed: int = option(0, "of --samples: random seed")

    def __post_init__(self):
        if self.divergence not in DIVERGENCES and not self.divergence.startswith("alpha="):
            raise ValueError(f"--divergence must be one of {', '.join(DIVERGENCES)}, or alpha= and the order of a "
                             f"power divergence, got {self.divergence!r}")
        if self.divergence.startswith("alpha="):
            _check_order(self.divergence)
        bound_samples.check(self)
        for name in ("perceptions", "distortions"):
            if any(not value >= 0.0 for value in getattr(self, name)):
                raise ValueError(f"--{name} must be >= 0, got {min(getattr(self, name))}")
        if self.num_points < 1:
            raise ValueError(f"--num_points must be >= 1, got {self.num_points}")
        if self.perceptions and self.divergence == "none":
            raise ValueError("--perceptions need a divergence: say which, for example --divergence=tv")
        bound_blocks.check(self.blocklength, self.excess_probability, self.divergence)
        kind = self.kind
        if self.blocklength and kind != "source":
            raise ValueError(f"--blocklength cannot be given with --{kind}")
        for name, usual in (("side_information_at", "decoder"), ("realism", "marginal")):
            if getattr(self, name) != usual and kind != "side_information":
                raise ValueError(f"--{name} is about --side_information, which is not given")
        if self.distortions and kind == "encoder":
            raise ValueError("--distortions cannot be given with --encoder, which bounds distortions")

    @property
    def kind(self) -> str:
        """Which kind of `Problem` the flags ask for."""
        return bound_problems.check(self.observation, self.side_information, self.encoder, self.pmf, self.divergence)


def _check_order(divergence: str) -> None:
    try:
        order = float(divergence.removeprefix("alpha="))
    except ValueError:
        order = float("nan")
    if not np.isfinite(order):
        raise ValueError(f"--divergence must be alpha= and a finite number, got {divergence!r}")


@dataclasses.dataclass(frozen=True)
class Extra:
    """What is printed."""

    json: bool = option(False, "print one line of JSON: seconds, points, largest gap in bits, and the columns")


PRESETS = {
    "quick": Config(), "smoke": Config(num_points=5, num_particles=100, steps=50),
    "full": Config(num_points=100, num_particles=10_000, steps=5000),
}


def load_problem(config: Config) -> Problem:
    """Reads and checks what is bounded.

    Args:
      config: names the files.

    Returns:
      The problem, with pmf [n] and distortion matrix [n, m].

    Raises:
      ValueError: if a file is missing or unreadable, or a value or shape is not admissible.
    """
    kind = config.kind
    if kind in ("source", "encoder"):
        if not config.pmf:
            raise UsageError("--pmf is missing: name a .csv or .npy file with the probabilities of the letters")
        pmf, table = bound_files.read_pmf(config.pmf), np.zeros((0, 0))
    else:
        table = bound_problems.joint_pmf(kind, bound_files.read_array(kind, getattr(config, kind)))
        pmf = table.sum(1)
    matrix = bound_files.read_distortion(config.distortion, pmf.size, square=config.divergence != "none")
    if kind == "encoder":
        table = bound_problems.encoder_table(bound_files.read_array(kind, config.encoder), pmf.size)
    return Problem(kind, pmf, matrix, table)


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
    return bound_problems.without_infeasible(columns)


def compute(config: Config, problem: Problem) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Brackets the curves of a configuration.

    Args:
      config: what to bound.
      problem: of `load_problem`.

    Returns:
      The table's columns and its header.

    Raises:
      ValueError: on a distortion that cannot be reached, or a pair (D, P) that no channel meets.
    """
    header: dict[str, object] = {
        "units": "rates in bits per letter; KL, reverse KL, JS and power divergences in bits; slope in bits per unit "
                 "of distortion",
        "bounds": bound_problems.MEANINGS[config.kind],
        "divergence": config.divergence,
        "letters": problem.pmf.size,
    }
    source = {"source_sha256": bound_files.digest(problem.pmf, problem.matrix, problem.table)}
    if config.kind == "encoder":
        columns, rate = bound_problems.solve_decoders(problem, config.divergence, config.perceptions, config.num_points)
        if np.isnan(columns["distortion"]).all():
            raise ValueError(f"no decoder has {config.divergence} <= {columns['max_perception'].max():g}")
        return columns, header | {"encoder_rate_bits": f"{rate:.10g}"} | source
    perceptions = config.perceptions or (0.0, float("inf"))
    given = bool(config.distortions)
    smallest, largest = bound_problems.ends(problem)
    if given:
        for value in config.distortions:
            if value < smallest:
                raise ValueError(f"distortions must be at least {smallest:g}, the smallest reachable, got {value:g}")
        distortions = np.asarray(config.distortions, np.float64)
    else:
        distortions = bound_problems.distortion_grid(smallest, largest, config.num_points)
    if config.kind == "source":
        columns = solve(problem.pmf, problem.matrix, config.divergence, perceptions, distortions)
    else:
        columns = bound_problems.solve(
            problem, config.divergence, perceptions, distortions, config.side_information_at, config.realism)
    infeasible = np.isnan(columns["rate_lower_bits"])
    if infeasible.any() and (given or infeasible.all()):
        first = int(np.argmax(infeasible))
        proved = columns[bound_problems.PROVED][first] or _refused(
            problem, config.divergence, columns["max_distortion"][first], columns["max_perception"][first])
        raise ValueError(
            f"no channel {'has' if proved else 'was found that has'} distortion <= "
            f"{columns['max_distortion'][first]:g} and {config.divergence} <= {columns['max_perception'][first]:g}"
        )
    columns = {name: column[~infeasible] for name, column in columns.items() if name != bound_problems.PROVED}
    if config.blocklength:
        columns |= bound_blocks.block_columns(
            problem.pmf, problem.matrix, columns, config.blocklength, config.excess_probability)
    return columns, header | {"infeasible_grid_points_left_out": int(infeasible.sum())} | source | (
        bound_blocks.explanation(config.blocklength, config.excess_probability))


def _refused(problem: Problem, divergence: str, distortion: float, perception: float) -> bool:
    """Whether it is proved that a source has no channel of a pair: a surface says only that none was found."""
    from theory.discrete import rate_distortion_perception

    if problem.kind != "source" or divergence == "none":
        return False
    try:
        rate_distortion_perception(problem.pmf, problem.matrix, distortion=distortion, perception=perception,
                                   divergence=divergence)
    except ValueError:
        return True
    return False


def run(config: Config, workdir: pathlib.Path, extra: Extra = Extra()) -> dict[str, np.ndarray]:
    """Writes `bound.csv`, `bound.tex`, `bound.png`, `bound.pdf`, `config.json` and `run.json`, or shows them.

    Of samples: see `rdr.cli.bound_samples.run`.

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
    if config.samples:
        found = bound_samples.run(config, workdir, json=extra.json)
        return {name: np.asarray(column) for name, column in found.items()}
    started, workdir = time.monotonic(), pathlib.Path(workdir)
    problem, columns = load_problem(config), None
    digest = bound_files.digest(problem.pmf, problem.matrix, problem.table)
    if command_line.check_workdir(workdir, config):
        columns = bound_tables.read_columns(workdir / "bound.csv", digest)
    if columns is None:
        computed, header = compute(config, problem)
        with command_line.claim_workdir(workdir, config):
            files.write_text(workdir / "bound.tex", bound_tables.latex(computed, config.divergence))
            figure = bound_tables.make_figure(computed, config.divergence)
            files.write_figure(workdir / "bound.png", figure, dpi=200, metadata={"Software": None})
            files.write_figure(workdir / "bound.pdf", figure, metadata={"CreationDate": None})
            write_table(workdir / "bound.csv", computed, header)
            write_run_record(workdir, name="rdr bound", config=config, duration_seconds=time.monotonic() - started)
        columns = bound_tables.read_columns(workdir / "bound.csv", digest)  # as a later call will
    if columns is None:
        raise ValueError(f"workdir: {workdir / 'bound.csv'} was written, but cannot be read back")
    show(config, columns, extra, workdir, time.monotonic() - started)
    return columns


def show(
    config: Config, columns: dict[str, np.ndarray], extra: Extra, workdir: pathlib.Path, seconds: float
) -> None:
    """Prints a table.

    Args:
      config: what was bounded.
      columns: of `bound.csv`.
      extra: how to print.
      workdir: where the table is.
      seconds: how long it took.
    """
    lower, upper = ("distortion_lower", "distortion") if config.kind == "encoder" else ("rate_lower_bits", "rate_bits")
    gap = float(np.nanmax(columns[upper] - columns[lower]))
    if extra.json:
        named = {"largest_gap" if config.kind == "encoder" else "largest_gap_bits": gap}
        show_json(Outcome(seconds=seconds), points=len(columns[upper]), **named, workdir=str(workdir),
                  **{name: list(column) for name, column in columns.items()})
        return
    wanted = ("max_perception", lower, upper) if config.kind == "encoder" else (
        "max_distortion", "max_perception", lower, upper)
    shown = [name for name in wanted if config.divergence != "none" or name != "max_perception"]
    print(render({name: columns[name] for name in shown + bound_blocks.shown(columns)}, digits=6))
    unit = "" if config.kind == "encoder" else " bit"
    print(f"{len(columns[upper])} points, largest gap {gap:.1e}{unit}, written to {workdir / 'bound.csv'}")


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

    return command_line.run_safely(call, interrupted=lambda: (
        "the same command resumes from what was saved" if any(word.startswith("--samples") for word in argv or sys.argv)
        else "nothing was written"))
