"""The optimal reproduction of a uniform source: how its atoms appear and split as the slope grows.

    python -m experiments.bounds.optimal_support --preset=quick --workdir=runs/optimal_support

Below the critical slope 1 / (2 variance) (nats) one atom and no rate are best; above it the atom splits, and new ones
appear one after the other. `points.csv` has one row per slope and atom. All presets take seconds to a minute.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation.tables import write_run_record, write_table
from theory.continuous import rate_distortion_curve, uniform
from theory.numerics.units import nats_to_bits


@dataclasses.dataclass(frozen=True)
class Config:
    """Which slopes to solve; each field says what it is."""

    width: float = option(1.0, "length of the interval")
    num_slopes: int = option(240, "how many slopes")
    smallest: float = option(0.5, "first slope, in multiples of the critical slope")
    largest: float = option(40.0, "last slope, in the same")
    tolerance: float = option(1e-9, "gap in bits")


PRESETS = {"smoke": Config(num_slopes=6, largest=8.0), "quick": Config(), "full": Config(num_slopes=1200)}


def run(config: Config, workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Solves R(D) at every slope and writes `points.csv` and `run.json`.

    Args:
      config: which slopes.
      workdir: an existing, writable directory.

    Returns:
      The columns of the table.
    """
    started = time.monotonic()
    variance = config.width**2 / 12.0
    critical = float(nats_to_bits(0.5 / variance))
    slopes = critical * np.geomspace(config.smallest, config.largest, config.num_slopes)
    curve = rate_distortion_curve(uniform(config.width), slopes, tolerance=config.tolerance)
    point, slot = np.nonzero(np.asarray(curve.weights) > 0.0)
    order = np.lexsort((np.asarray(curve.atoms)[point, slot, 0], point))
    point, slot = point[order], slot[order]
    columns = {
        "slope_bits": np.asarray(curve.slope)[point],
        "slope_over_critical": slopes[point] / critical,
        "distortion": np.asarray(curve.distortion)[point],
        "rate_lower_bits": np.asarray(curve.rate_lower)[point],
        "rate_bits": np.asarray(curve.rate)[point],
        "gap_bits": np.asarray(curve.rate - curve.rate_lower)[point],
        # Beyond 12 digits a place that is 0 by symmetry is noise; adding 0 drops the sign of zero.
        "atom": np.round(np.asarray(curve.atoms)[point, slot, 0], 12) + 0.0,
        "weight": np.asarray(curve.weights)[point, slot],
    }
    header = {
        "source": f"uniform on an interval of length {config.width:g}",
        "units": "rates in bits, slope in bits per unit of squared error; one row per slope and atom",
        "bounds": "the rate at distortion lies between rate_lower_bits and rate_bits; gap_bits is their difference",
        "width": config.width,
        "made_with": f"python -m experiments.bounds.optimal_support --num_slopes={config.num_slopes} "
        f"--smallest={config.smallest:g} --largest={config.largest:g} --width={config.width:g}",
    }
    write_table(pathlib.Path(workdir) / "points.csv", columns, header)
    write_run_record(
        workdir, name="experiments.bounds.optimal_support", config=config, duration_seconds=time.monotonic() - started
    )
    print(f"{config.num_slopes} slopes, largest gap {columns['gap_bits'].max():.1e} bit")
    return columns


def main(argv: list[str] | None = None) -> int:
    """Runs from the command line; returns the exit status."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
