"""The realism tax from samples: rate, distortion and realism of particles, and of one codec with several decoders.

    python -m experiments.sources.sample_realism --preset=quick --data=fashion_mnist --folder=FOLDER \\
        --workdir=runs/sample_realism/fashion_mnist

Sources are those of `experiments.sources.sample_bounds`. Perception P is the mean over directions of W2 squared between
projections of reproductions and of samples (sliced W2), whose estimate errs upwards. Five series:

* `particles`: achievable points (R, D, P) of particles whose distribution is drawn to the source's, at three weights of
  realism: upper bounds on R(D, P);
* `universal`: one encoder of particles of least distortion, and decoders with randomness of their own;
* `nothing`: no message at all, the mean and training samples drawn at random;
* `codec`: principal components with dithered scalars in real bytes, one message for all decoders, which differ in how
  far they go from least error to the components' own variances;
* `trained`: learned transforms around dithered scalars, likewise; decoders go along the optimal transport of Gaussians
  from decoded vectors to the source's.

`realism.csv` has a row for each point. An upper bound has no side from which a codec could contradict it; what has to
hold is checked: more realism costs distortion at a rate. `curves.csv` has R(D, P) at the perceptions `levels`, as
mixtures of the first three series reach it, the codecs' messages at the same perceptions, and lower bounds from
projections: what a figure shows.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np
from scipy.optimize import linprog

from experiments.sources import harness, sample_bounds_sources, sample_realism_codecs
from experiments.sources.harness import Schedule
from experiments.sources.sample_bounds_sources import SOURCES
from rdr import command_line
from rdr.command_line import option
from rdr.data.samples import CHANNELS, Samples
from rdr.estimators import fit_particles, realism_particles, universal_decoders
from rdr.evaluation.estimate_tables import vector_slopes
from rdr.evaluation.tables import write_run_record, write_table
from theory.estimation import curves, projections, realism_bound

CODECS = ("codec", "trained")
_PROJECTIONS, _ATOMS = 6, 64  # planes of the lower bounds, and atoms of their fits
COLUMNS = ("source", "series", "weight", "rate_bits", "distortion", "perception", "rate_se", "distortion_se",
           "perception_se")
CURVE_COLUMNS = ("source", "series", "perception", "rate_bits", "distortion", "distortion_se")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per vector; each field says what it is."""

    data: str = option("fashion_mnist", "the source", choices=SOURCES, first=True)
    folder: str = option("", "of its files; of an array the file", first=True)
    patch: int = option(8, "side of the patches of photographs")
    channels: str = option("luma", "of photographs", choices=CHANNELS)
    dimension: int = option(40, "of the Gaussian and the noisy sphere")
    samples: int = option(4000, "vectors to fit to")
    held_out: int = option(2000, "held-out vectors that are used")
    rates: tuple[float, ...] = option((1.0, 2.0, 4.0, 8.0), "where curves are looked for")
    ratios: tuple[float, ...] = option((0.0, 1.0, 8.0), "weights of realism, in units of that of distortion")
    decoders: tuple[float, ...] = option((0.0, 0.5, 1.0), "realism of the universal decoders")
    num_particles: int = option(500, "particles")
    steps: int = option(400, "steps of their training")
    levels: tuple[float, ...] = option((0.05, 0.2, 1.0), "perceptions of curves, in units of that of the mean alone")
    codec_steps: int = option(2000, "training steps of the trained codec")
    codec_hidden: tuple[int, ...] = option((64,), "widths of its hidden layers")
    batch: int = option(256, "vectors per step")
    brackets: str = option("coarse", "how well the banana's R(D) is bracketed")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "rates", "num_particles", "steps", "batch", "samples", "levels", "codec_steps")
        if not self.ratios or min(self.ratios) < 0 or not np.isfinite(self.ratios).all():
            raise ValueError(f"ratios must be non-negative numbers, got {self.ratios}")
        if not self.decoders or not all(0.0 <= a <= 1.0 for a in self.decoders):
            raise ValueError(f"decoders must lie in [0, 1], got {self.decoders}")
        if self.held_out < 100:
            raise ValueError(f"held_out must be at least 100, got {self.held_out}")
        harness.check_seed(self.seed)


PRESETS = {
    "smoke": Config(data="gaussian", dimension=4, samples=500, held_out=200, rates=(2.0,), num_particles=32, steps=10,
                    batch=64, codec_steps=20, codec_hidden=(8,)),
    "quick": Config(),
    "full": Config(samples=60_000, held_out=10_000, rates=(1.0, 2.0, 4.0, 6.0, 8.0, 10.0),
                   ratios=(0.0, 0.5, 1.0, 2.0, 8.0, 32.0), num_particles=4000, steps=5000,
                   codec_steps=20_000, codec_hidden=(256, 256)),
}


def idle_rows(samples: Samples, *, decoders: tuple[float, ...], seed: int) -> list[tuple[Any, ...]]:
    """What decoders without any message reach: (1 - a) times the mean plus a times a training sample of their own.

    Args:
      samples: the source.
      decoders: weights of realism a.
      seed: of the decoder's choice.

    Returns:
      Rows of `realism.csv` without the source, series "nothing", rate 0.
    """
    drawn = np.random.default_rng([seed, 3]).integers(len(samples.vectors), size=len(samples.held_out))
    others, mean = samples.vectors[drawn].astype(np.float64), samples.vectors.mean(0, dtype=np.float64)
    nothing = np.zeros(len(samples.held_out))
    return [sample_realism_codecs.row("nothing", a, b"", nothing, samples.held_out, (1 - a) * mean + a * others, seed)
            for a in decoders]


def lower_bounds(samples: Samples, rates: np.ndarray) -> list[tuple[Any, ...]]:
    """What no channel can do less than: least distortions at rates, whatever the realism and with perfect realism.

    Args:
      samples: the source.
      rates: bits per vector.

    Returns:
      Series "lower bound", perception (inf: any; 0: equal distributions, whatever the measure), rate, distortion, and
      its standard error.
    """
    axes = projections.principal_projections(samples.vectors, size=min(2, samples.dimension))[:_PROJECTIONS]
    lines = []
    for each in axes:
        slopes, _ = curves.gaussian_slopes(samples.vectors @ np.asarray(each).T, rates)
        lines += projections.projection_lines(samples.vectors, samples.held_out, [each], slopes=slopes, atoms=_ATOMS,
                                              iterations=60)
    free = projections.projection_bound(lines, rate=rates)
    real = realism_bound(lines, samples.vectors, samples.held_out, axes, rate=rates, perception=0.0)
    return [("lower bound", p, *map(float, row)) for p, found in ((np.inf, free), (0.0, real)) for row in zip(
        rates, np.asarray(found.distortion), np.asarray(found.distortion_se))]


def envelope(points: np.ndarray, *, perception: float, distortions: np.ndarray | None = None) -> np.ndarray:
    """Least rates of mixtures of achievable points at a perception and distortions.

    Sharing time between channels, by randomness that both sides know, reaches convex combinations: rates and
    distortions of mixtures are means, and a perception that is convex is at most the mean.

    Args:
      points: (rate, distortion, perception), [n, 3].
      perception: the most that is allowed.
      distortions: the most that are allowed, [k]; None for the least distortion at any rate instead.

    Returns:
      Rates [k], or the least distortion [1]; NaN where no mixture is there.
    """
    rate, distortion, realism = np.asarray(points, np.float64).T
    objective = distortion if distortions is None else rate
    limits = [None] if distortions is None else [float(d) for d in distortions]
    found = []
    for limit in limits:
        rows = [(realism, perception)] + ([] if limit is None else [(distortion, limit)])
        solved = linprog(objective, A_ub=np.stack([row for row, _ in rows]), b_ub=[most for _, most in rows],
                         A_eq=np.ones((1, rate.size)), b_eq=[1.0], method="highs")
        found.append(solved.fun if solved.status == 0 else np.nan)
    return np.asarray(found)


def curve_rows(rows: list[tuple[Any, ...]], levels: np.ndarray) -> list[tuple[Any, ...]]:
    """R(D, P) at levels of perception, from all points of channels, and each codec's message at those levels.

    Args:
      rows: of `realism.csv` without the source.
      levels: of perception.

    Returns:
      Series ("upper bound", or a codec), perception, rate, distortion and the largest standard error of the distortions
      that are mixed.
    """
    found: list[tuple[Any, ...]] = []
    errors = {name: max(row[6] for row in rows if (row[0] in CODECS) == codec) for name, codec in (
        ("upper bound", False), ("codec", True))}
    channels = np.array([row[2:5] for row in rows if row[0] not in CODECS])
    places = np.geomspace(channels[:, 1].min(), channels[:, 1].max(), 40)
    for level in levels:
        least = envelope(channels, perception=level, distortions=places)
        found += [("upper bound", level, r, d, errors["upper bound"]) for r, d in zip(least, places) if np.isfinite(r)]
        for codec in CODECS:
            of_codec = np.array([row[2:5] for row in rows if row[0] == codec])
            for rate in np.unique(of_codec[:, 0]):
                d, = envelope(of_codec[of_codec[:, 0] == rate], perception=level)
                found += [(codec, level, rate, d, errors["codec"])] if np.isfinite(d) else []
    return found


def check_lower_bounds(rows: list[tuple[Any, ...]]) -> None:
    """Refuses codecs and mixtures of channels that a lower bound forbids.

    Args:
      rows: of `curves.csv` without the source.

    Raises:
      ValueError: if one has less distortion than the lower bound at its rate, by more than three standard errors.
    """
    bound = sorted(row[2:] for row in rows if row[0] == "lower bound" and np.isinf(row[1]))
    rates, least, errors = map(np.asarray, zip(*bound))
    for series, _, rate, distortion, error in (row for row in rows if row[0] != "lower bound"):
        at = np.searchsorted(rates, rate)  # distortions fall with rates: that of the next larger one is a bound, too
        if at < rates.size and distortion < least[at] - 3.0 * np.hypot(error, errors[at]):
            raise ValueError(f"{series} has a distortion of {distortion:g} at {rate:g} bits, and no channel has less "
                             f"than {least[at]:g} there")


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Computes all series and writes `realism.csv` and `curves.csv`.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.

    Returns:
      The columns of `realism.csv`.

    Raises:
      ValueError: if the samples cannot be used, more realism of one message has less distortion, or something is below
        a lower bound.
    """
    started, source = time.monotonic(), sample_bounds_sources.load(config, workdir)
    samples = source.samples._replace(held_out=source.samples.held_out[: config.held_out])
    slopes, _ = vector_slopes(samples.vectors, config.rates)
    key = jax.random.key(config.seed)
    found = realism_particles(
        samples.vectors, samples.held_out, slopes=slopes[:, None], perception_slopes=slopes[:, None] * config.ratios,
        key=key, num_particles=config.num_particles, steps=config.steps, batch=config.batch,
        workdir=workdir / "particles")
    fields = ("rate", "distortion", "perception", "rate_se", "distortion_se", "perception_se")
    rows: list[tuple[Any, ...]] = []
    for i in range(slopes.size):
        for j, ratio in enumerate(config.ratios):
            rows.append(("particles", ratio, *(float(np.asarray(getattr(found, name))[i, j]) for name in fields)))
    for i, slope in enumerate(slopes):
        fitted = fit_particles(samples.vectors, slopes=float(slope), key=key, num_particles=config.num_particles,
                               steps=max(config.steps // 4, 1), workdir=workdir / "encoders" / str(i))
        one = universal_decoders(fitted, samples.vectors, samples.held_out, realism=config.decoders, key=key)
        for j, weight in enumerate(config.decoders):
            rows.append(("universal", weight, *(float(np.broadcast_to(getattr(one, name), (len(config.decoders),))[j])
                                                for name in fields)))
    settings: dict[str, Any] = {"rates": config.rates, "decoders": config.decoders, "seed": config.seed}
    rows += idle_rows(samples, decoders=config.decoders, seed=config.seed)
    rows += sample_realism_codecs.codec_rows(samples, **settings)
    schedule = Schedule(config.codec_steps, min(200, config.codec_steps), config.batch, 0.003, hard_fraction=1.0)
    rows += sample_realism_codecs.trained_rows(samples, **settings, schedule=schedule, hidden=config.codec_hidden,
                                               directory=workdir / "trained")
    table = {name: list(cells) for name, cells in zip(COLUMNS, zip(*((samples.name, *row) for row in rows)))}
    wrong = [i for i in range(1, len(rows)) if rows[i][0] == rows[i - 1][0] in CODECS and rows[i][1] > rows[i - 1][1]
             and rows[i][3] < rows[i - 1][3] - 3 * np.hypot(rows[i][6], rows[i - 1][6])]
    if wrong:
        raise ValueError(f"rows {wrong} have more realism and less distortion than the row before, at the same message")
    header = {"experiment": "sample_realism", "seed": config.seed, "dimension": samples.dimension,
              "samples": len(samples.vectors), "held_out_samples": len(samples.held_out),
              "units": "rates: bits per vector; distortion: squared error of a vector; perception: sliced W2 squared; "
                       "it errs upwards"}
    write_table(workdir / "realism.csv", table, header)
    mean_alone = float(samples.held_out.var(0, dtype=np.float64).mean())  # the mean over directions
    shown = curve_rows(rows, mean_alone * np.asarray(config.levels))
    shown += lower_bounds(samples, np.geomspace(0.25, max(config.rates), 8))
    check_lower_bounds(shown)
    write_table(workdir / "curves.csv", dict(zip(CURVE_COLUMNS, map(list, zip(*((samples.name, *c) for c in shown))))),
                header | {"perception_of_the_mean": mean_alone})
    write_run_record(workdir, name="experiments.sources.sample_realism", config=config,
                     duration_seconds=time.monotonic() - started)
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
