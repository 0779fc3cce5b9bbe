"""Unseen parts of a source, and parts that the decoder already knows: remote sources and side information.

    python -m experiments.bounds.side_information --preset=quick --workdir=runs/side_information/quick

Writes `side_information.csv`, computed from `theory` alone:

* series "as_is", "denoised_after", "denoised_before": squared error per component of a Gaussian vector of 64
  components with variances proportional to 1/k^2 (mean 1) in white noise of variance 0.1, by rate per component;
* series "binary_decoder", "binary_both" and "binary_solver": rate by distortion of a fair coin beside a copy with
  crossover 1/4; the first two in closed form, the last the bounds of the solver over strategies;
* series "joint", "marginal_both" and "marginal_decoder": distortion by common randomness of a Gaussian source of
  variance 1 under strong realism at 1 bit with side information of correlation 0.8; the last is a bracket.

Half a minute for every preset; they differ in the number of points.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables
from theory import discrete
from theory.closed_form import bernoulli
from theory.closed_form import side_information as closed_form
from theory.gaussian import remote, side_information

COLUMNS = ("series", "x", "lower", "upper")
CROSSOVER, CORRELATION, RATE, COMPONENTS, NOISE = 0.25, 0.8, 1.0, 64, 0.1


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the table; each field says what it is."""

    points: int = option(60, "points of each curve")
    certified: int = option(9, "points of the solver")


PRESETS = {"smoke": Config(points=6, certified=2), "quick": Config(), "full": Config(points=200, certified=20)}


def rows(config: Config) -> list[tuple]:
    """Computes the table.

    Args:
      config: its settings.

    Returns:
      Rows in the order of `COLUMNS`.
    """
    table = []

    def add(series, x, lower, upper=None):
        upper = lower if upper is None else upper
        table.extend((series, float(a), float(b), float(c)) for a, b, c in zip(x, lower, upper))

    source = 1.0 / np.arange(1, COMPONENTS + 1) ** 2
    source *= COMPONENTS / source.sum()
    rates = np.linspace(0.0, 3.0, config.points)
    codecs = remote.noisy_source_codecs(rates * COMPONENTS, source, NOISE)
    for series, errors in zip(codecs._fields, codecs):
        add(series, rates, np.asarray(errors) / COMPONENTS)

    distortions = np.linspace(0.0, 0.3, config.points)
    add("binary_decoder", distortions, closed_form.binary_wyner_ziv_rate(distortions, CROSSOVER))
    add("binary_both", distortions, bernoulli.rate_distortion(distortions, CROSSOVER))
    joint = np.array([[1 - CROSSOVER, CROSSOVER], [CROSSOVER, 1 - CROSSOVER]]) / 2
    some = np.linspace(0.02, 0.24, config.certified)
    results = [discrete.wyner_ziv_rate_distortion(joint, 1.0 - np.eye(2), distortion=d) for d in some]
    add("binary_solver", some, [r.rate_lower for r in results], [r.rate for r in results])

    shared = np.linspace(0.0, 2.0, config.points)
    add("joint", shared, side_information.joint_realism_distortion(RATE, shared, CORRELATION))
    for known_to in side_information.KNOWN_TO:
        bounds = side_information.marginal_realism_distortion(RATE, shared, CORRELATION, known_to=known_to)
        add(f"marginal_{known_to}", shared, bounds.lower, bounds.upper)
    return table


def run(config: Config, workdir: pathlib.Path) -> dict[str, Any]:
    """Writes the table.

    Args:
      config: its settings.
      workdir: an existing directory.

    Returns:
      The columns by name.
    """
    start = time.monotonic()
    columns = dict(zip(COLUMNS, map(list, zip(*rows(config)))))
    header = {
        "table": "remote sources and side information, from theory.gaussian, theory.closed_form and theory.discrete",
        "units": "as_is, denoised_*: x bits per component, mean squared error per component; binary_*: x probability "
                 "of an error, bits per symbol; joint, marginal_*: x common randomness in bits per sample, mean "
                 "squared error",
    }
    tables.write_table(pathlib.Path(workdir) / "side_information.csv", columns, header)
    duration = time.monotonic() - start
    tables.write_run_record(workdir, name="side_information", config=config, duration_seconds=duration)
    return columns


def main(argv: list[str] | None = None) -> int:
    """Runs the module from a command line.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
