"""Losses of quantizers against the rate-distortion function of a Gaussian, by dimension and by rate.

    python -m experiments.bounds.quantization_gaps --preset=full --workdir=runs/quantization_gaps/full

Writes `quantization_gaps.csv`, computed from `theory.quantization` alone (no codec is run):

* series "lattice" and "sphere_bound": excess at high rate over R(D), per dimension, by dimension;
* series "entropy_coded", "dithered" and "dithered_realism": excess of scalar quantizers by rate, the last over
  R(D, P = 0), the first two over R(D).

Seconds for every preset; they differ in the number of rates.
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
from theory import gaussian, quantization
from theory.quantization import dithered, lattices
from theory.quantization.tabulated_density import gaussian_density

COLUMNS = ("series", "name", "dimension", "rate_bits", "distortion", "normalized_second_moment", "excess_bits")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the table; each field says what it is."""

    rates: int = option(40, "number of rates (entropy-coded) and of steps (dithered) in the curves")
    lowest_rate: float = option(0.05, "bits per sample")
    highest_rate: float = option(4.0, "bits per sample, at most 5")
    largest_step: float = option(12.0, "largest step of the dithered quantizer, in standard deviations")
    smallest_step: float = option(0.25, "the same")
    largest_dimension: int = option(24, "largest dimension of the sphere bound")


PRESETS = {"smoke": Config(rates=6), "quick": Config(), "full": Config()}


def rows(config: Config) -> list[tuple]:
    """Computes the table.

    Args:
      config: its settings.

    Returns:
      Rows in the order of `COLUMNS`.
    """
    nan, inf = float("nan"), float("inf")
    table = []
    for lattice in lattices.LATTICES.values():
        g = lattice.normalized_second_moment
        loss = float(lattices.space_filling_loss(g))
        table.append(("lattice", lattice.name, lattice.dimension, inf, 0.0, g, loss))
    dimensions = np.arange(1, config.largest_dimension + 1)
    moments = np.asarray(lattices.sphere_bound(dimensions))
    losses = np.asarray(lattices.space_filling_loss(moments))
    table += [("sphere_bound", "ball", int(n), inf, 0.0, float(g), float(loss))
              for n, g, loss in zip(dimensions, moments, losses)]

    rates = np.linspace(config.lowest_rate, config.highest_rate, config.rates)
    density = gaussian_density()
    # The upper side: what quantizers that are at hand reach.
    distortions = np.asarray(quantization.entropy_coded_distortion_rate(density, rates).upper)
    excess = rates - np.asarray(gaussian.rate_distortion(distortions))
    table += [("entropy_coded", "Z", 1, float(r), float(d), nan, float(e))
              for r, d, e in zip(rates, distortions, excess)]

    steps = np.geomspace(config.largest_step, config.smallest_step, config.rates)
    result = dithered.dithered_scalar_quantizer(density, steps)
    cases = (("dithered", result.distortion_wiener, gaussian.rate_distortion(result.distortion_wiener)),
             ("dithered_realism", result.distortion_realism,
              gaussian.rate_distortion_perception(result.distortion_realism, 0.0)))
    for series, distortion, bound in cases:
        table += [(series, "Z", 1, float(r), float(d), nan, float(r - b))
                  for r, d, b in zip(result.rate, distortion, bound)]
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
        "table": "excess rate of quantizers over the Gaussian bound, from theory.quantization",
        "units": "rate_bits and excess_bits: bits per dimension; distortion: mean squared error per dimension, "
                 "variance 1; rate_bits inf: the limit of high rate",
        "bounds": "R(D); for dithered_realism R(D P=0) with unlimited common randomness",
    }
    tables.write_table(pathlib.Path(workdir) / "quantization_gaps.csv", columns, header)
    duration = time.monotonic() - start
    tables.write_run_record(workdir, name="quantization_gaps", config=config, duration_seconds=duration)
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
