"""Bounds on R(D) from samples of a source, with codecs in real bytes between them: how much is left to gain.

    python -m experiments.sources.sample_bounds --preset=quick --data=digits --workdir=runs/sample_bounds/digits

Sources: a Gaussian of 40 dimensions, a noisy sphere (the deconvolution benchmark) and the banana, whose R(D) is known;
scikit-learn's digits; Fashion-MNIST (`--data=fashion_mnist --folder=..`, four files of MNIST's kind); patches of a
folder of photographs (`--data=photographs --folder=.. --patch=8 --channels=luma`); a .npy file (`--data=array`).

Codecs: those of `sample_bounds_codecs`, made for the source, and of `sample_bounds_image_codecs`, where vectors are
images: the pretrained one, and one that is fitted to a mosaic of held-out images.

Upper bounds: the Gaussian channel, particles, a mixture of Gaussians, a generator with its cap of log2 m bits, and a
variational bound; lower bounds: the dual (up to 3 dimensions) and orthogonal projections. All are measured on held-out
samples. `bounds.csv` has a row for each point of an estimator, `curves.csv` all that a figure shows, `points.csv` a row
for each codec and rate: `gap_bits` is the rate less the best upper bound at the codec's distortion, `left_to_gain_bits`
the rate less the best lower one, and `gap_se` holds the errors of both. A lower bound above an upper one, or a codec
below a lower one, by more than three standard errors fails the run.
quick: 2 minutes for digits, an hour for Fashion-MNIST on 2 cores.
"""

import dataclasses
import functools
import hashlib
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from experiments.sources import (
    harness,
    operational_rate,
    sample_bounds_codecs,
    sample_bounds_image_codecs,
    sample_bounds_sources,
)
from experiments.sources.harness import Schedule
from experiments.sources.sample_bounds_sources import SOURCES, Source
from rdr import command_line
from rdr.command_line import option
from rdr.data.samples import CHANNELS, Samples
from rdr.evaluation import estimate_tables, sample_curves
from rdr.evaluation.tables import write_table
from theory.estimation import curves

CODECS = (*sample_bounds_codecs.CODECS, *sample_bounds_image_codecs.CODECS)
_FINER = 8  # points of lower bounds for each rate
ESTIMATORS = ("gaussian", "particles", "mixture", "variational", "generator", "dual", "projections")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per vector; each field says what it is."""

    data: str = option("gaussian", "the source", choices=SOURCES, first=True)
    folder: str = option("", "of its files; of an array the file", first=True)
    patch: int = option(8, "side of the patches of photographs")
    channels: str = option("luma", "of photographs", choices=CHANNELS)
    dimension: int = option(40, "of the Gaussian and the noisy sphere")
    samples: int = option(0, "vectors to fit to; 0 for all, or 20,000")
    held_out: int = option(10_000, "drawn vectors that are held out")
    estimators: tuple[str, ...] = option(
        ("gaussian", "particles", "mixture", "variational", "generator", "projections"),
        f"among {', '.join(ESTIMATORS)}; the dual is added where it can be, up to 3 dimensions")
    num_points: int = option(8, "points of each curve")
    max_rate: float = option(0.0, "rate at which the curve ends; 0: 2 a component, at most 60")
    num_particles: int = option(1000, "particles, and draws of the generator")
    particle_steps: int = option(200, "steps of particles")
    network_steps: int = option(2000, "steps of networks")
    components: int = option(32, "Gaussians of the mixture")
    mixture_steps: int = option(50, "its steps")
    hidden: tuple[int, ...] = option((64, 64), "widths of the networks' hidden layers")
    atoms: int = option(96, "of the fits of lower bounds")
    projections: int = option(12, "most projections")
    projection_size: int = option(2, "components of a projection, at most 3")
    codecs: tuple[str, ...] = option(CODECS, f"among {', '.join(CODECS)}; image codecs where vectors are images")
    codec_rates: tuple[float, ...] = option((), "where codecs aim; none: four rates of the curve")
    codec_steps: int = option(2000, "training steps of codecs")
    codec_hidden: tuple[int, ...] = option((64,), "widths of their hidden layers")
    chunk: int = option(200, "steps between checkpoints")
    batch: int = option(256, "vectors per step, of networks and codecs")
    learning_rate: float = option(0.003, "of codecs")
    image_samples: int = option(256, "held-out vectors that image codecs code")
    image_levels: tuple[float, ...] = option((0.0, 0.25, 0.5), "of the amortized codec's rate, of its highest")
    overfitted_steps: int = option(500, "of each fit of the overfitted codec")
    brackets: str = option("fine", "how well the banana's R(D) is bracketed",
                           choices=tuple(sample_bounds_sources.BRACKETS))
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "dimension", "num_points", "num_particles", "particle_steps", "network_steps",
                               "atoms", "projections")
        for name, known in (("estimators", ESTIMATORS), ("codecs", CODECS)):
            unknown = [word for word in getattr(self, name) if word not in known]
            if unknown:
                raise ValueError(f"{name} must be among {', '.join(known)}, got {unknown[0]!r}")
        if self.projection_size not in range(1, curves.MAX_DIMENSION + 1):
            raise ValueError(f"projection_size must be from 1 to {curves.MAX_DIMENSION}, got {self.projection_size}")
        if not self.estimators:
            raise ValueError("estimators must name at least one")
        if self.max_rate < 0 or not np.isfinite(self.max_rate):
            raise ValueError(f"max_rate must be 0 or more, got {self.max_rate}")
        if not all(0.0 <= level <= 1.0 for level in self.image_levels):
            raise ValueError(f"image_levels must be in [0, 1], got {self.image_levels}")
        if self.image_samples < 4 or self.overfitted_steps < 1:
            raise ValueError(f"image_samples must be at least 4 and overfitted_steps at least 1, got "
                             f"{self.image_samples}, {self.overfitted_steps}")
        if self.codec_rates:
            harness.check_positive(self, "codec_rates")
        if self.samples < 0 or self.held_out < 2:
            raise ValueError(f"samples must be 0 or more and held_out at least 2, got {self.samples}, {self.held_out}")
        harness.check_seed(self.seed)
        self.schedule()

    def schedule(self) -> Schedule:
        """How codecs are trained: a dither needs no soft stage."""
        return Schedule(self.codec_steps, self.chunk, self.batch, self.learning_rate, hard_fraction=1.0)

    def rates(self, dimension: int) -> np.ndarray:
        """Rates that the estimators aim at, rising."""
        largest = self.max_rate or min(2.0 * dimension, 60.0)
        return np.geomspace(largest / 50.0, largest, self.num_points)

    def budget(self) -> sample_curves.Budget:
        """What the training of estimators may take."""
        return sample_curves.Budget(self.num_particles, self.particle_steps, self.network_steps, self.components,
                                    self.mixture_steps, self.hidden, self.batch, self.seed)


PRESETS = {
    "smoke": Config(dimension=6, samples=2000, held_out=1000, num_points=3, max_rate=6.0, num_particles=64,
                    estimators=("gaussian", "particles", "mixture", "projections"), particle_steps=20, components=4,
                    mixture_steps=5, network_steps=60, hidden=(16,), atoms=24, projections=2, codec_rates=(4.0,),
                    codecs=("klt_dither", "scalar_dither"), codec_steps=40, codec_hidden=(8,), chunk=20, batch=64,
                    brackets="coarse"),
    "quick": Config(),
    "full": Config(num_points=16, num_particles=40_000, particle_steps=1000, network_steps=20_000, hidden=(512, 512),
                   atoms=192, projections=24, codec_steps=20_000, codec_hidden=(256, 256), chunk=1000, batch=1024,
                   learning_rate=0.001, image_samples=1024, image_levels=(0.0, 0.25, 0.5, 0.75, 1.0),
                   overfitted_steps=3000),
}


def make_estimators(config: Config, source: Source, directory: pathlib.Path) -> dict[str, Callable[[], Any]]:
    """Makes the estimators of a configuration, the dual where there are few enough dimensions.

    Args:
      config: settings.
      source: the source.
      directory: of checkpoints.

    Returns:
      Functions by name.
    """
    samples, rates = source.samples, config.rates(source.samples.dimension)
    names = list(config.estimators)
    if samples.dimension <= curves.MAX_DIMENSION and "dual" not in names:
        names.append("dual")
    made: dict[str, Callable[[], Any]] = {}
    for name in names:
        if name in sample_curves.TRAINED:
            slopes, _ = estimate_tables.vector_slopes(samples.vectors, rates.tolist())
            made[name] = functools.partial(sample_curves.trained_curve, name, samples, slopes, budget=config.budget(),
                                           directory=directory / name)
        else:
            # Where codecs of photographs are, far out, there is the Gaussian's curve at least.
            reached = np.append(rates, rates[-1] * np.array([2.0, 4.0, 8.0])) if name == "gaussian" else rates
            made[name] = functools.partial(curves.curve, name, samples.vectors, samples.held_out, rate=reached,
                                           count=config.projections, atoms=config.atoms,
                                           size=config.projection_size, finer=_FINER)
    return made


def known_rows(source: Source, distortions: Any) -> dict[str, list[Any]]:
    """What is known of R(D), as rows beside those of estimators.

    Args:
      source: the source.
      distortions: where, [k].

    Returns:
      Rows of kind "lower" and "upper" without errors; none where nothing is known.
    """
    places = np.unique(np.asarray(distortions, np.float64))
    table: dict[str, list[Any]] = {name: [] for name in estimate_tables.COLUMNS}
    if source.truth is None:
        return table
    for kind, value in zip(("lower", "upper"), source.truth(places)):
        for d, r in zip(places, value):
            if np.isfinite(r):
                row = ("known", kind, float(r), float(d), 0.0, 0.0, 0)
                for name, cell in zip(estimate_tables.COLUMNS, row):
                    table[name].append(cell)
    return table


def add_point(table: dict[str, list], m: operational_rate.Measurement, bounds: estimate_tables.Table, source: Source, *,
              codec: str, target: float, seed: int) -> None:
    """Appends a codec's row.

    Args:
      table: columns by name.
      m: the measurement.
      bounds: rows of estimators.
      source: the source.
      codec: its name.
      target: rate that it aimed at.
      seed: of the run.
    """
    d = m.distortion
    lower, upper = (curve(bounds, d) for curve in (estimate_tables.lower_curve, estimate_tables.upper_curve))
    low, high = float(lower.rate), float(upper.rate)
    if source.truth is not None:
        known = [float(side) for side in source.truth(np.array(d))]
        low, high = np.nanmax([low, known[0]]), np.nanmin([high, known[1]])
    step = 1e-3 * d
    rise = estimate_tables.upper_curve(bounds, np.array([d - step, d + step])).rate
    slope = float(np.nan_to_num((rise[0] - rise[1]) / (2 * step)))
    own = (m.bits + slope * m.errors).std() / np.sqrt(m.bits.size)
    error = float(np.hypot(own, np.nan_to_num(max(float(lower.se), float(np.nan_to_num(upper.se))))))
    row = {
        "source": source.samples.name, "dimension": source.samples.dimension, "codec": codec,
        "shared": "dither" if codec in sample_bounds_codecs.CODECS else "none",
        "rate_bits": m.rate, "distortion": d, "perception": float("nan"), "bound_kind": "R(D) from samples",
        "bound_lower_bits": low, "bound_upper_bits": high, "gap_bits": m.rate - high, "gap_se": error, "seed": seed,
        "left_to_gain_bits": m.rate - low, "target_rate_bits": target, "message_bytes": m.message_bytes,
        "cross_entropy_bits": m.cross_entropy}
    for name, cell in row.items():
        table.setdefault(name, []).append(cell)


def curve_rows(name: str, bounds: estimate_tables.Table, points: dict[str, list]) -> dict[str, list[Any]]:
    """All that a figure shows of a source: estimators, the best of them on both sides on a grid, and codecs.

    Args:
      name: of the source.
      bounds: rows of estimators.
      points: rows of codecs.

    Returns:
      Columns "source", "estimator" (of the best bounds "best"), "kind" ("codec" for codecs), rates, distortions and
      standard errors.
    """
    columns = ("estimator", "kind", "rate_bits", "distortion", "rate_se", "distortion_se")
    table = {column: list(bounds[column]) for column in columns}
    rows = [row for row, estimator in enumerate(bounds["estimator"]) if estimator != "known"]
    estimated = {column: [bounds[column][row] for row in rows] for column in bounds}
    upper = [(d, rate, estimator) for d, rate, estimator, kind in zip(*(estimated[key] for key in (
        "distortion", "rate_bits", "estimator", "kind"))) if kind == "upper" and d > 0]
    # The Gaussian's curve goes on to where nothing else is.
    most = max([rate for _, rate, estimator in upper if estimator != "gaussian"] + list(points.get("rate_bits", [])),
               default=np.inf)
    shown = [d for d, rate, _ in upper if rate <= 1.1 * most]
    places = np.geomspace(min(shown), max(shown), 60)
    for kind, curve in (("upper", estimate_tables.upper_curve), ("lower", estimate_tables.lower_curve)):
        for d, rate, se in zip(places, *curve(estimated, places)):
            for column, cell in zip(columns, ("best", kind, float(rate), float(d), float(se), 0.0)):
                table[column].append(cell)
    for codec, rate, d, se in zip(*(points.get(key, []) for key in ("codec", "rate_bits", "distortion", "gap_se"))):
        for column, cell in zip(columns, (codec, "codec", rate, d, se, 0.0)):
            table[column].append(cell)
    return {"source": [name] * len(table["kind"]), **table}


def measure_codecs(config: Config, samples: Samples, directory: pathlib.Path
                   ) -> Iterator[tuple[str, float, operational_rate.Measurement]]:
    """Codes held-out vectors by every codec that can.

    Args:
      config: settings.
      samples: the source.
      directory: of checkpoints.

    Yields:
      A codec's name, the rate that it aimed at or NaN, and its measurement.
    """
    rates = config.codec_rates or tuple(config.rates(samples.dimension)[1::2].tolist())
    for codec in config.codecs:
        if codec in sample_bounds_codecs.CODECS:
            measured = sample_bounds_codecs.measure(codec, samples, rates, config.schedule(), seed=config.seed,
                                                    hidden=config.codec_hidden, directory=directory / codec)
            yield from ((codec, target, m) for target, m in zip(rates, measured))
            continue
        reason = sample_bounds_image_codecs.why_not(codec, samples)
        if reason:
            print(f"{codec} is left out: {reason}", file=sys.stderr, flush=True)
            continue
        pairs = sample_bounds_image_codecs.measure(
            codec, samples, rates, levels=config.image_levels, count=config.image_samples,
            steps=config.overfitted_steps, seed=config.seed, directory=directory / codec)
        yield from ((codec, target, m) for target, m in pairs)


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Bounds, codes, compares, and writes the results.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if a lower bound lies above an upper one, or a codec below a lower one, beyond their errors, or the
        samples cannot be used.
    """
    started = time.monotonic()
    source = sample_bounds_sources.load(config, workdir)
    samples = source.samples
    digest = hashlib.sha256(samples.vectors.tobytes() + samples.held_out.tobytes()).hexdigest()
    estimators = make_estimators(config, source, workdir / "training" / digest[:12])
    bounds = estimate_tables.run_estimators(estimators, workdir / "estimators", header={"samples_sha256": digest},
                                            tell=lambda line: print(line, file=sys.stderr, flush=True))
    bounds = estimate_tables.joined([bounds, known_rows(source, bounds["distortion"])])
    words = samples.description.replace(",", ";")
    header = {"source": samples.name, "dimension": samples.dimension, "samples": len(samples.vectors),
              "held_out_samples": len(samples.held_out), "description": words}
    write_table(workdir / "bounds.csv", bounds, {
        "experiment": "sample_bounds", "seed": config.seed,
        "units": "rates: bits per vector; distortion: squared error summed over components", **header})
    wrong = estimate_tables.contradictions(bounds)
    if wrong:
        raise ValueError(f"rows {wrong} of {workdir / 'bounds.csv'} are lower bounds above an upper bound by more than "
                         "3 standard errors: estimators that contradict each other are a mistake until explained")
    table: dict[str, list] = {}
    for codec, target, measured in measure_codecs(config, samples, workdir / "codecs" / digest[:12]):
        add_point(table, measured, bounds, source, codec=codec, target=target, seed=config.seed)
    write_table(workdir / "curves.csv", curve_rows(samples.name, bounds, table), header)
    if table:
        harness.write(workdir, "sample_bounds", config, PRESETS, table, started=started,
                      units="rates: bits per vector; distortion: squared error of a vector",
                      shown=("left_to_gain_bits",), **header)
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
