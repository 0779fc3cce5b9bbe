"""Trained codecs of the sawbridge against the hull of deterministic quantizers, where linear transforms fail.

    python -m experiments.sources.sawbridge --preset=quick --workdir=runs/sawbridge/quick

X(t) = t - 1{t >= U} on 1024 points, squared error as in L^2([0, 1]). The hull's vertices are N equal cells of U:
D = 1/(6N) at log2 N bits. For each N an entropy-coded vector quantizer is trained
(`experiments.sources.manifold_codecs`), then fresh realizations are encoded to bytes, decoded from them, and held
against the hull; `linear_bits` is the rate of reverse water-filling over the Karhunen-Loeve eigenvalues at the same
distortion.
"""

import dataclasses
import pathlib
import sys
import time

from experiments.sources import harness, manifold_codecs
from experiments.sources.harness import Schedule
from rdr import command_line
from rdr.command_line import option


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; each field says what it is."""

    cells: tuple[int, ...] = option((2, 3, 4, 5, 6, 7, 8), "N of the vertices that training aims at")
    points: int = option(1024, "samples of a realization")
    starts: int = option(3, "starts of each codec; start j has room for N + j codewords")
    steps: int = option(1200, "training steps")
    chunk: int = option(100, "steps between checkpoints")
    batch: int = option(128, "realizations per step")
    learning_rate: float = option(0.03, "learning rate of Adam")
    samples: int = option(2**15, "realizations for evaluation")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "cells", "points", "starts", "learning_rate")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        manifold_codecs.vertex_prices("sawbridge", self.cells)
        self.schedule()

    def schedule(self) -> Schedule:
        """How the grid is trained: from the test channel of R(D) at T = 1 to hard cells."""
        return Schedule(self.steps, self.chunk, self.batch, self.learning_rate, hard_fraction=0.3,
                        temperature_start=1.0, temperature_end=0.02)


PRESETS = {
    "smoke": Config(cells=(2, 4), points=64, starts=2, steps=200, samples=2**12),
    "quick": Config(),
    "full": Config(cells=tuple(range(2, 17)), starts=6, steps=4000, batch=512, samples=2**16),
}


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Trains, evaluates and writes the results.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if an operating point beats its bound, or a message is longer than its tables explain.
    """
    started = time.monotonic()
    shared = {"points": config.points, "starts": config.starts, "seed": config.seed}
    params, retained = manifold_codecs.train(
        config.schedule(), "sawbridge", config.cells, directory=workdir / "training", **shared)
    table: dict[str, list] = {}
    manifold_codecs.evaluate(table, params, "sawbridge", config.cells, retained, samples=config.samples, **shared)
    harness.write(
        workdir, "sawbridge", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per realization; distortion: squared error of a realization; perception: not measured",
        shown=("target_cells", "target_distortion", "used_codewords", "linear_bits"),
        choice="of several starts the one of least training objective is kept")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
