"""The realism tax from samples: rate, distortion and realism of particles, and of one codec with several decoders.

    python -m experiments.sources.sample_realism --preset=quick --data=fashion_mnist --folder=FOLDER \\
        --workdir=runs/sample_realism/fashion_mnist

Sources are those of `experiments.sources.sample_bounds`. Perception P is the mean over directions of W2 squared between
projections of reproductions and of samples (sliced W2), whose estimate errs upwards. Three series:

* `particles`: achievable points (R, D, P) of particles whose distribution is drawn to the source's, at three weights of
  realism: upper bounds on R(D, P);
* `universal`: one encoder of particles of least distortion, and decoders with randomness of their own;
* `codec`: principal components with dithered scalars in real bytes, one message for all decoders: weight a takes every
  component from the decoder of least error to one that has the component's own variance, by a gain where it was coded
  and by noise of the decoder's own where it was not.

`realism.csv` has a row for each point. An upper bound has no side from which a codec could contradict it; what has to
hold is checked: more realism costs distortion at a rate.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np

from experiments.sources import harness, sample_bounds_sources
from experiments.sources.sample_bounds_codecs import principal_axes
from experiments.sources.sample_bounds_sources import SOURCES
from rdr import command_line
from rdr.codecs.vectors import water_filling
from rdr.command_line import option
from rdr.data.samples import CHANNELS, Samples
from rdr.estimators import fit_particles, perception_of_groups, realism_particles, universal_decoders
from rdr.evaluation.estimate_tables import vector_slopes
from rdr.evaluation.tables import write_run_record, write_table
from rdr.randomness import shared_key

COLUMNS = ("source", "series", "weight", "rate_bits", "distortion", "perception", "rate_se", "distortion_se",
           "perception_se")


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
    batch: int = option(256, "vectors per step")
    brackets: str = option("coarse", "how well the banana's R(D) is bracketed")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "rates", "num_particles", "steps", "batch", "samples")
        if not self.ratios or min(self.ratios) < 0 or not np.isfinite(self.ratios).all():
            raise ValueError(f"ratios must be non-negative numbers, got {self.ratios}")
        if not self.decoders or not all(0.0 <= a <= 1.0 for a in self.decoders):
            raise ValueError(f"decoders must lie in [0, 1], got {self.decoders}")
        if self.held_out < 100:
            raise ValueError(f"held_out must be at least 100, got {self.held_out}")
        harness.check_seed(self.seed)


PRESETS = {
    "smoke": Config(data="gaussian", dimension=4, samples=500, held_out=200, rates=(2.0,), num_particles=32, steps=10,
                    batch=64),
    "quick": Config(),
    "full": Config(samples=60_000, held_out=10_000, rates=(1.0, 2.0, 4.0, 6.0, 8.0, 10.0),
                   ratios=(0.0, 0.5, 1.0, 2.0, 8.0, 32.0), num_particles=4000, steps=5000),
}


def decode_universally(made: water_filling.Plan, decoded: np.ndarray, weight: float, *, seed: int) -> np.ndarray:
    """Takes decoded components towards their own variance.

    With lam_i and D_i = lam_i - E y_i^2 of a coded component, y_i becomes (1 - a + a sqrt(lam_i / (lam_i - D_i))) y_i;
    a component that was not coded becomes a N(0, lam_i).

    Args:
      made: the plan, with the variances.
      decoded: of least error, [samples, components].
      weight: a, in [0, 1].
      seed: of the decoder's own noise.

    Returns:
      [samples, components].

    Reference: zhang2021universal.
    """
    power = np.square(decoded).mean(0)
    coded = power > 1e-9 * np.maximum(made.variances, 1e-30)
    gain = np.where(coded, np.sqrt(made.variances / np.where(coded, power, 1.0)), 0.0)
    noise = np.random.default_rng([seed, 7]).standard_normal(decoded.shape) * np.sqrt(made.variances)
    return (1.0 - weight + weight * gain) * decoded + weight * np.where(coded, 0.0, noise)


def codec_rows(config: Config, samples: Samples) -> list[tuple[Any, ...]]:
    """Codes held-out vectors once a rate, decodes them by several decoders, and measures.

    Args:
      config: settings.
      samples: the source.

    Returns:
      Rows of `realism.csv` without the source.
    """
    mean, variances, axes = principal_axes(samples.vectors)
    variances = np.where(variances > 1e-9 * variances[0], variances, 0.0)
    x = samples.held_out.astype(np.float64)
    z, root = (x - mean) @ axes, np.sqrt(len(x))
    rows = []
    for slope in vector_slopes(samples.vectors, config.rates)[0]:
        made = water_filling.plan(variances, float(0.5 / (slope * np.log(2.0))))
        message, bits = water_filling.encode(made, z[None], shared_key=shared_key(config.seed))
        harness.check_length(message, bits, streams=max(len(made.bands), 1))
        plain = water_filling.decode(made, message, shared_key=shared_key(config.seed))[0]
        for weight in config.decoders:
            y = decode_universally(made, plain, weight, seed=config.seed)
            errors = np.square(z - y).sum(-1)
            perception, perception_se, _ = perception_of_groups(
                (y @ axes.T).astype(np.float32), (z @ axes.T).astype(np.float32), measure="sliced_w2",
                key=jax.random.key(config.seed))
            rows.append(("codec", weight, 8 * len(message) / len(x), errors.mean(), perception,
                         bits[0].std() / root, errors.std() / root, perception_se))
    return rows


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Computes all series and writes `realism.csv`.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.

    Returns:
      The columns of `realism.csv`.

    Raises:
      ValueError: if the samples cannot be used, or more realism of one message has less distortion.
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
    rows += codec_rows(config, samples)
    table = {name: list(cells) for name, cells in zip(COLUMNS, zip(*((samples.name, *row) for row in rows)))}
    wrong = [i for i in range(1, len(rows)) if rows[i][0] == rows[i - 1][0] == "codec" and rows[i][1] > rows[i - 1][1]
             and rows[i][3] < rows[i - 1][3] - 3 * np.hypot(rows[i][6], rows[i - 1][6])]
    if wrong:
        raise ValueError(f"rows {wrong} have more realism and less distortion than the row before, at the same message")
    write_table(workdir / "realism.csv", table, {
        "experiment": "sample_realism", "seed": config.seed, "dimension": samples.dimension,
        "samples": len(samples.vectors), "held_out_samples": len(samples.held_out),
        "units": "rates: bits per vector; distortion: squared error of a vector; perception: sliced W2 squared; it "
                 "errs upwards"})
    write_run_record(workdir, name="experiments.sources.sample_realism", config=config,
                     duration_seconds=time.monotonic() - started)
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
