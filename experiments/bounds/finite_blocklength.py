"""Limits of blocks of n letters: Bernoulli and Gaussian bounds, our codecs beside them, and realism by simulation.

    python -m experiments.bounds.finite_blocklength --preset=full --workdir=runs/finite_blocklength/full

Writes `finite_blocklength.csv`, computed from `theory`, and from the measured table of lattice and trellis codecs:

* panels "bernoulli" and "gaussian", series "converse", "achievability" and "normal": excess over R(D) of fixed-length
  codes whose distortion exceeds D with probability `excess_probability`;
* panel "gaussian", series "ball": what entropy-coded quantizers of a dimension lose in mean distortion at high
  resolution, at least; series "codec": measured excess over R(D) at `codec_rate` bits, by dimension or block;
* panel "realism": excess over R(D, 0) of exact channel simulation with shared randomness ("length": a prefix code per
  block, "entropy": messages coded together), and of the codecs with shared dither and the source's power ("codec").

Seconds for every preset; they differ in the number of blocklengths.
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
from theory import finite_blocklength, gaussian
from theory.closed_form import bernoulli
from theory.quantization import lattices

COLUMNS = ("panel", "series", "name", "blocklength", "excess_bits", "excess_se")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the table; each field says what it is."""

    blocklengths: int = option(61, "number of blocklengths from 1 to 10^5, evenly on a logarithmic axis")
    excess_probability: float = option(0.01, "of a block with more than the distortion")
    probability: float = option(0.11, "of a one of the Bernoulli source")
    hamming: float = option(0.05, "its distortion")
    squared_error: float = option(0.25, "distortion of the Gaussian source, variance 1")
    realism: float = option(0.26794919243, "distortion at perfect realism")
    codecs: str = option("paper_figures/data/gaussian_lattice.csv", "table of experiments.sources.gaussian_lattice")
    codec_rate: float = option(1.0, "bits per sample that codecs aimed at")


PRESETS = {"smoke": Config(blocklengths=6), "quick": Config(blocklengths=31), "full": Config()}


def codec_rows(config: Config) -> list[tuple]:
    """Reads the measured codecs.

    Args:
      config: settings of the table.

    Returns:
      Rows in the order of `COLUMNS`; trellises have the length of their blocks.
    """
    header, names, cells = tables.read_rows(config.codecs)
    found = []
    for cell in cells:
        row = dict(zip(names, cell))
        if float(row["target_rate_bits"]) != config.codec_rate:
            continue
        use = (row["shared"], float(row["weight"]))
        panel = {("none", 0.0): "gaussian", ("dither", 1.0): "realism"}.get(use)
        if panel is not None:
            block = int(row["dimension"]) or int(header["trellis_block"])
            found.append((panel, "codec", row["codec"], block, float(row["controlled_gap_bits"]),
                          float(row["controlled_gap_se"])))
    return found


def rows(config: Config) -> list[tuple]:
    """Computes the table.

    Args:
      config: its settings.

    Returns:
      Rows in the order of `COLUMNS`.
    """
    n = np.unique(np.round(np.geomspace(1, 1e5, config.blocklengths)).astype(int))
    asked = {"blocklength": n, "excess_probability": config.excess_probability}
    p, d = config.probability, config.hamming
    sources = {
        "bernoulli": (bernoulli.rate_distortion(d, p), finite_blocklength.bernoulli_dispersion(p, d),
                      finite_blocklength.bernoulli_bounds(p, d, **asked)),
        "gaussian": (gaussian.rate_distortion(config.squared_error),
                     finite_blocklength.gaussian_dispersion(config.squared_error),
                     finite_blocklength.gaussian_bounds(config.squared_error, **asked)),
    }
    table = []

    def add(panel, series, blocklengths, excess):
        table.extend((panel, series, "", int(k), float(e), 0.0) for k, e in zip(blocklengths, np.asarray(excess)))

    for panel, (rate, dispersion, bounds) in sources.items():
        add(panel, "converse", n, bounds.converse - rate)
        add(panel, "achievability", n, bounds.achievability - rate)
        normal = finite_blocklength.normal_approximation(rate, dispersion, n, config.excess_probability)
        add(panel, "normal", n, normal - rate)
    add("gaussian", "ball", n, lattices.space_filling_loss(lattices.sphere_bound(n)))
    realism = finite_blocklength.gaussian_realism_rates(config.realism, 0.0, blocklength=n)
    add("realism", "length", n, realism.length - realism.lower)
    add("realism", "entropy", n, realism.entropy - realism.lower)
    return table + codec_rows(config)


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
        "table": "excess rates of blocks over R(D) and R(D P=0), from theory.finite_blocklength",
        "units": "excess_bits and its standard error excess_se: bits per letter; blocklength: letters",
        "bernoulli": f"p {config.probability:g}; Hamming distortion {config.hamming:g}",
        "gaussian": f"variance 1; squared error {config.squared_error:g}",
        "realism": f"Gaussian; perception 0; squared error {config.realism:g}",
        "excess_probability": f"{config.excess_probability:g}",
        "codecs": f"mean distortion and mean rate at {config.codec_rate:g} bit from {pathlib.Path(config.codecs).name}",
    }
    tables.write_table(pathlib.Path(workdir) / "finite_blocklength.csv", columns, header)
    duration = time.monotonic() - start
    tables.write_run_record(workdir, name="finite_blocklength", config=config, duration_seconds=duration)
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
