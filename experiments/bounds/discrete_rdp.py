"""R(D, P) of a discrete source under three divergences, certified.

    python -m experiments.bounds.discrete_rdp --preset=quick --workdir=runs/discrete_rdp/quick

The source has two unequal humps on the integers, so that realism and distortion pull apart: under squared error
a cheap reconstruction sits between the humps, where the source hardly ever is. `discrete_rdp.csv` has one row per
divergence, distortion and perception, with the rate of a channel that meets both and the proved lower bound.
quick: under a minute on 2 cores.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables
from theory.discrete import rate_distortion_perception_surface

DIVERGENCES = ("tv", "kl", "w2sq")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings; each field says what it is."""

    letters: int = option(16, "number of integers that the source lives on")
    distortions: int = option(120, "number of distortions, from 0.02 to 1.15 of the largest that is of interest")
    perceptions: int = option(12, "number of perceptions, from 0 to the largest that matters")
    seed: int = option(0, "not used: nothing is random")


PRESETS = {
    "smoke": Config(letters=6, distortions=3, perceptions=3),
    "quick": Config(),
    "full": Config(letters=64, distortions=60, perceptions=60),
}


def source(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """The source and its distortion.

    Args:
      config: settings.

    Returns:
      Pmf [n] and squared distances of the letters, scaled to a unit interval, [n, n].
    """
    x = np.arange(config.letters) / (config.letters - 1)
    pmf = 0.65 * np.exp(-0.5 * ((x - 0.22) / 0.09) ** 2) + 0.35 * np.exp(-0.5 * ((x - 0.78) / 0.07) ** 2) + 2e-3
    return pmf / pmf.sum(), (x[:, None] - x) ** 2


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Solves the surfaces and writes the table.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The columns of `discrete_rdp.csv`.

    Raises:
      ValueError: if a point misses its certificate.
    """
    started = time.monotonic()
    pmf, matrix = source(config)
    points = np.arange(config.letters) / (config.letters - 1)
    zero_rate = float((pmf @ matrix).min())
    distortions = zero_rate * np.linspace(0.02, 2.1, config.distortions)
    largest = {"tv": 0.6, "kl": 2.0, "w2sq": 0.06}
    names = ("divergence", "distortion", "perception", "rate_lower_bits", "rate_upper_bits", "used_perception",
             "slope_bits", "perception_slope_bits", "iterations")
    table = {name: [] for name in names}
    for divergence in DIVERGENCES:
        # Quadratic spacing: everything happens near perfect realism.
        perceptions = largest[divergence] * np.linspace(0.0, 1.0, config.perceptions) ** 2
        # At P = inf the perception used is that of the classical optimum: beyond it realism is free.
        perceptions = np.append(perceptions, np.inf)
        options = {"points": points} if divergence == "w2sq" else {}
        surface = rate_distortion_perception_surface(
            pmf, matrix, distortions=distortions, perceptions=perceptions, divergence=divergence, **options
        )
        if not bool(surface.converged.all()):
            raise ValueError(f"{divergence}: a point misses its certificate")
        grid = np.meshgrid(distortions, perceptions, indexing="ij")
        columns = ([divergence] * grid[0].size, *grid, surface.rate_lower, surface.rate, surface.perception,
                   surface.slope, surface.perception_slope, surface.iterations)
        for name, column in zip(names, columns):
            table[name].extend(column if isinstance(column, list) else np.asarray(column).ravel().tolist())
    header = {
        "experiment": "discrete_rdp", "units": "rates in bits per sample; distortion: squared error, letters on the "
        "unit interval; perception: tv plain, kl in bits, w2sq squared distance", "letters": config.letters,
        "pmf": " ".join(f"{p:.6g}" for p in pmf),
    }
    tables.write_table(workdir / "discrete_rdp.csv", table, header)
    tables.write_run_record(workdir, name="experiments.bounds.discrete_rdp", config=config,
                             duration_seconds=time.monotonic() - started)
    gap = np.max(np.array(table["rate_upper_bits"]) - np.array(table["rate_lower_bits"]))
    print(f"{len(table['distortion'])} points, largest certified gap {gap:.1e} bit, "
          f"{time.monotonic() - started:.1f} s with compilation: {workdir / 'discrete_rdp.csv'}")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
