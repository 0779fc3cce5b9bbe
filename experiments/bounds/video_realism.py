"""Realism of a Gauss-Markov video, of its frames or of all of it: the squared error of each frame, and of the second.

    python -m experiments.bounds.video_realism --preset=quick --workdir=runs/video_realism

`frames.csv` has the errors of a video whose first frame is coded badly, `second.csv` those of the second frame against
its rate. Closed forms, a second of computing, nothing random. Expected: joint realism keeps an error as long as the
source remembers, and costs nothing in the long run.
"""

import dataclasses
import pathlib
import sys
import time

import numpy as np

from rdr import command_line
from rdr.command_line import option
from rdr.evaluation import tables as results
from theory.sequential.video_realism import video_distortions


@dataclasses.dataclass(frozen=True)
class Config:
    """What is tabulated; each field says what it is."""

    seed: int = option(0, "unused, for nothing is random; written to the results like every experiment's")
    frames: int = option(31, "length of the video")
    grid: int = option(81, "rates of the second frame")


PRESETS = {"smoke": Config(frames=4, grid=5), "quick": Config(), "full": Config(frames=101, grid=401)}
COEFFICIENTS = (0.8, 0.95)
FIRST_RATES = (0.05, 1.0)
RATE = 1.0


def _columns(found) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in found._asdict().items()}


def frame_table(config: Config) -> dict[str, np.ndarray]:
    """Errors of each frame of a video whose first frame has a low rate and the others one bit.

    Args:
      config: settings.

    Returns:
      Columns coefficient, frame, rate_bits, plain, framewise, joint.
    """
    rates = np.full(config.frames, RATE)
    rates[0] = FIRST_RATES[0]
    rows = [{"coefficient": np.full(config.frames, a), "frame": np.arange(1, config.frames + 1), "rate_bits": rates,
             **_columns(video_distortions(rates, a))} for a in COEFFICIENTS]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def second_table(config: Config) -> dict[str, np.ndarray]:
    """Error of the second frame against its rate, for two rates of the first.

    Args:
      config: settings.

    Returns:
      Columns coefficient, first_rate_bits, rate_bits, plain, framewise, joint.
    """
    second, rows = np.linspace(0.0, 4.0, config.grid), []
    for first in FIRST_RATES:
        found = _columns(video_distortions(np.stack([np.full(config.grid, first), second], -1), COEFFICIENTS[1]))
        rows.append({"coefficient": np.full(config.grid, COEFFICIENTS[1]),
                     "first_rate_bits": np.full(config.grid, first), "rate_bits": second,
                     **{name: value[:, 1] for name, value in found.items()}})
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def run(config: Config, workdir: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Computes and writes the tables.

    Args:
      config: settings.
      workdir: an existing directory.

    Returns:
      The tables' columns by name.
    """
    started = time.monotonic()
    tables = {"frames": frame_table(config), "second": second_table(config)}
    for name, columns in tables.items():
        header = {"experiment": "video_realism", "table": name, "seed": config.seed,
                  "units": "Gauss-Markov frames of variance 1; mean squared error; perfect realism; rates in bits"}
        results.write_table(workdir / f"{name}.csv", columns, header)
        print(f"{workdir / name}.csv: {len(columns['rate_bits'])} rows")
    results.write_run_record(workdir, name="experiments.bounds.video_realism", config=config,
                             duration_seconds=time.monotonic() - started)
    return tables


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
