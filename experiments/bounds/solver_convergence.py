"""Certificate gap against time for the solvers of R(D): interior point and the two Blahut-Arimoto methods.

    python -m experiments.bounds.solver_convergence --preset=quick --workdir=runs/solver_convergence/quick

Each method solves the same problems to a sequence of tolerances; every solve is timed after compilation
(median of `repeats`), and its gap is the certificate's: rate of the returned channel minus proved lower bound.
`solver_convergence.csv` has one row per source, method and tolerance. Times depend on the machine; gaps and
iterations do not. quick: about two minutes on 2 cores.
"""

import dataclasses
import pathlib
import sys
import time

import jax
import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables
from theory.discrete import rate_distortion

METHODS = ("interior_point", "blahut_arimoto", "constrained_blahut_arimoto")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    letters: int = option(100, "size of the alphabets")
    exponents: tuple[float, ...] = option(
        (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0), "the tolerances are 10^-k bit for these k")
    max_updates: int = option(4_000, "bound on the updates of the Blahut-Arimoto methods")
    repeats: int = option(2, "solves that the median time is taken of")
    seed: int = option(0, "random seed of the random source")


PRESETS = {
    "smoke": Config(letters=20, exponents=(2.0, 6.0), max_updates=100, repeats=1),
    "quick": Config(),
    "full": Config(letters=1000, max_updates=200_000),
}


def sources(config: Config) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """The problems: pmf, distortion matrix and slope in bits per unit of distortion.

    Args:
      config: settings.

    Returns:
      By name: a Gaussian on a grid of the line under squared error near one bit, and a random source.
    """
    x = np.linspace(-6.0, 6.0, config.letters)
    gaussian = np.exp(-0.5 * x**2)
    rng = np.random.default_rng(config.seed)
    uniform = rng.random((config.letters, config.letters))
    return {
        # Squared error at D = 1/4: the slope is 1 / (2 D ln 2).
        "gaussian": (gaussian / gaussian.sum(), (x[:, None] - x) ** 2, 2.0 / np.log(2.0)),
        "random": (rng.dirichlet(np.ones(config.letters)), uniform, 10.0),
    }


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Solves, times and writes the table.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `solver_convergence.csv`.
    """
    started = time.monotonic()
    names = ("source", "letters", "method", "tolerance_bits", "gap_bits", "iterations", "seconds")
    table = {name: [] for name in names}
    for source, (pmf, matrix, slope) in sources(config).items():
        target = rate_distortion(pmf, matrix, slope=slope).distortion
        for method in METHODS:
            limit = 100 if method == "interior_point" else config.max_updates
            given = {"distortion": target} if method == "constrained_blahut_arimoto" else {"slope": slope}
            for exponent in config.exponents:
                options = {"method": method, "tolerance": 10.0**-exponent, "max_iterations": limit, **given}
                jax.block_until_ready(rate_distortion(pmf, matrix, **options))
                seconds = []
                for _ in range(config.repeats):
                    begin = time.perf_counter()
                    answer = jax.block_until_ready(rate_distortion(pmf, matrix, **options))
                    seconds.append(time.perf_counter() - begin)
                row = (source, config.letters, method, 10.0**-exponent, float(answer.rate - answer.rate_lower),
                       int(answer.iterations), float(np.median(seconds)))
                for name, value in zip(names, row):
                    table[name].append(value)
                if not bool(answer.converged):
                    break
    header = {
        "experiment": "solver_convergence", "units": "gaps and tolerances in bits; seconds per solve, compiled",
        "seed": config.seed, "max_updates": config.max_updates,
    }
    tables.write_table(workdir / "solver_convergence.csv", table, header)
    tables.write_run_record(workdir, name="experiments.bounds.solver_convergence", config=config,
                             duration_seconds=time.monotonic() - started)
    print(tables.render(table, digits=12))
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
