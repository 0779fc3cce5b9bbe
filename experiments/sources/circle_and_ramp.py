"""Trained codecs of the circle and the ramp against the hull of deterministic quantizers.

    python -m experiments.sources.circle_and_ramp --preset=quick --workdir=runs/circle_and_ramp/quick

The circle is a uniform point of the unit circle; the ramp is (t + V mod 1) - 1/2 on 1024 points. Not every number N of
equal cells lies on the hull: N = 1, 3, 4, .. do for the circle, N = 1, 4, 5, .. for the ramp. Otherwise as
`experiments.sources.sawbridge`.
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

    circle_cells: tuple[int, ...] = option((3, 4, 5, 6, 7, 8), "N of the circle's vertices that training aims at")
    ramp_cells: tuple[int, ...] = option((4, 5, 6, 7, 8), "those of the ramp")
    points: int = option(1024, "samples of a ramp")
    starts: int = option(5, "starts of each codec; start j has room for N + j codewords")
    steps: int = option(2500, "training steps")
    chunk: int = option(100, "steps between checkpoints")
    batch: int = option(128, "realizations per step")
    learning_rate: float = option(0.03, "learning rate of Adam")
    samples: int = option(2**15, "realizations for evaluation")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "circle_cells", "ramp_cells", "points", "starts", "learning_rate")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        for source, cells in self.cells().items():
            manifold_codecs.vertex_prices(source, cells)
        self.schedule()

    def cells(self) -> dict[str, tuple[int, ...]]:
        """The vertices of each source."""
        return {"circle": self.circle_cells, "ramp": self.ramp_cells}

    def schedule(self) -> Schedule:
        """How a grid is trained: from the test channel of R(D) at T = 1 to hard cells."""
        return Schedule(self.steps, self.chunk, self.batch, self.learning_rate, hard_fraction=0.3,
                        temperature_start=1.0, temperature_end=0.02)


PRESETS = {
    "smoke": Config(circle_cells=(4,), ramp_cells=(5,), points=64, starts=2, steps=200, samples=2**12),
    "quick": Config(),
    "full": Config(circle_cells=tuple(range(3, 17)), ramp_cells=tuple(range(4, 17)), starts=6, steps=4000, batch=512,
                   samples=2**16),
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
    table: dict[str, list] = {}
    shared = {"points": config.points, "starts": config.starts, "seed": config.seed}
    for source, cells in config.cells().items():
        params, retained = manifold_codecs.train(
            config.schedule(), source, cells, directory=workdir / "training" / source, **shared)
        manifold_codecs.evaluate(table, params, source, cells, retained, samples=config.samples, **shared)
    harness.write(
        workdir, "circle_and_ramp", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per realization; distortion: squared error of a realization; perception: not measured",
        shown=("source", "target_cells", "target_distortion", "used_codewords", "linear_bits"),
        choice="of several starts the one of least training objective is kept")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
