"""Trained scalar codecs against the Gaussian rate-distortion-perception bounds, in real bits.

    python -m experiments.sources.gaussian_rdp --preset=quick --workdir=runs/gaussian_rdp/quick

Source N(0,1), squared error D, perception P = W2^2 to N(0,1). Three families of codecs differ only in who knows
which randomness: `deterministic` (nobody), `private` (the decoder has noise of its own), `dithered` (encoder and
decoder share a dither). Each is trained on rate + lambda_D D + lambda_P W2^2 over a grid of weights at once, then
262,144 fresh samples are encoded to bytes, decoded from them, and held against the bound for what is shared:

* nothing shared: `theory.gaussian.conditional_rate_distortion_perception`, the bound without common randomness under
  realism of blocks; these codecs are memoryless, so that W2^2 of a block per sample is that of the marginal;
* a dither: `theory.gaussian.rate_distortion_perception`, the bound with unlimited common randomness.

`points.csv` has one row per codec; `summary.txt` is the same for reading. quick: minutes on 2 cores; full: for a GPU.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from experiments.sources import harness, operational_rate
from rdr import command_line
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.scalar import scalar_codec
from rdr.command_line import option
from rdr.losses.wasserstein_1d import normal_slice_means, sorted_w2_squared
from rdr.randomness import shared_key
from theory import gaussian
from theory.quantization.entropy_coded import entropy_coded_rate_distortion
from theory.quantization.tabulated_density import gaussian_density

FAMILIES = ("deterministic", "private", "dithered")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per sample; each field says what it is."""

    target_rates: tuple[float, ...] = option(
        (0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0), "where on the rate axis the grid of rate weights aims: lambda_D = "
        "2^{2R} / (2 ln 2 c), the slope of scalar quantization at high rate, where D = c 2^{-2R} with c = 2 pi e / 12")
    realism_ratios: tuple[float, ...] = option(
        (0.0, 1.0, 4.0, 16.0), "lambda_P / lambda_D of the codecs that have randomness")
    deterministic_ratios: tuple[float, ...] = option(
        (0.0, 1.0), "the same for the deterministic family, whose W2^2 equals its distortion (a monotone quantizer is "
        "its own optimal transport), so that a ratio only shifts its rate")
    dither_levels: int = option(64, "values of the shared dither")
    hidden: int = option(24, "width of the two hidden layers of each transform")
    steps: int = option(2500, "training steps")
    chunk: int = option(100, "steps between checkpoints")
    batch: int = option(1024, "samples per step")
    learning_rate: float = option(0.01, "learning rate of Adam, decayed by a cosine in each stage")
    hard_fraction: float = option(
        0.5, "last part of the training of undithered codecs in which rounding is hard and the analysis rests")
    temperature_start: float = option(0.3, "temperature start of soft rounding, at the beginning")
    temperature_end: float = option(0.1, "temperature end of soft rounding, when hard rounding takes over")
    samples: int = option(2**18, "for evaluation")
    seed: int = option(0, "random seed of samples, initialization and noise")

    def __post_init__(self):
        for name in ("target_rates", "realism_ratios", "deterministic_ratios"):
            values = getattr(self, name)
            if not values or min(values) < 0 or not np.isfinite(values).all():
                raise ValueError(f"{name} must be non-negative numbers, got {values}")
        for name in ("hidden", "dither_levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.dither_levels > 2**16 or self.dither_levels & (self.dither_levels - 1):
            raise ValueError(f"dither_levels must be a power of two up to 2^16, got {self.dither_levels}")
        if not 0.0 < self.hard_fraction <= 1.0:
            raise ValueError(f"hard_fraction must be in (0, 1], got {self.hard_fraction}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        self.schedule("private")

    def schedule(self, family: str) -> harness.Schedule:
        """The schedule of a family's training: a dither needs no soft stage."""
        return harness.Schedule(
            self.steps, self.chunk, self.batch, self.learning_rate,
            hard_fraction=1.0 if family == "dithered" else self.hard_fraction, temperature_start=self.temperature_start,
            temperature_end=self.temperature_end, soft_decay=0.05, temperature_dtype="float64")


PRESETS = {
    "smoke": Config(target_rates=(1.0, 2.0), realism_ratios=(0.0, 16.0), deterministic_ratios=(0.0,), steps=60,
                    chunk=20, batch=256),
    "quick": Config(),
    "full": Config(target_rates=tuple(np.arange(0.25, 4.01, 0.25).tolist()),
                   realism_ratios=(0.0, 0.25, 1.0, 4.0, 16.0, 64.0), dither_levels=256, hidden=64, steps=20_000,
                   chunk=1000, batch=8192, learning_rate=0.005, samples=2**20),
}


def make_codec(config: Config, family: str) -> VectorCodec:
    """The codec of a family.

    Args:
      config: settings.
      family: one of `FAMILIES`.

    Returns:
      The codec.
    """
    return scalar_codec(dither_levels=config.dither_levels if family == "dithered" else 0,
                        private_noise=family == "private", hidden=(config.hidden, config.hidden))


def weights(config: Config, family: str) -> tuple[np.ndarray, np.ndarray]:
    """The grid of weights of a family.

    Args:
      config: settings.
      family: one of `FAMILIES`.

    Returns:
      lambda_D and lambda_P of each codec, float32 [codecs], in bits per unit of D and of W2^2.
    """
    ratios = config.deterministic_ratios if family == "deterministic" else config.realism_ratios
    slope = 4.0 ** np.array(config.target_rates) / (2.0 * np.log(2.0) * 2.0 * np.pi * np.e / 12.0)
    distortion = np.repeat(slope, len(ratios))
    return distortion.astype(np.float32), (distortion * np.tile(ratios, len(config.target_rates))).astype(np.float32)


def encoder_weights(family: str, weight_d: np.ndarray, weight_p: np.ndarray) -> np.ndarray:
    """The weight of squared error under which an encoder serves the realism-weighted objective.

    With g the squared error of the best deterministic decoder, which of a monotone quantizer is its W2^2 as well, and
    r = lambda_P / lambda_D: the best decoder with noise has D = g + [sqrt(g) - sqrt(P)]_+^2 (Freirich, Michaeli, Meir
    2021), and the least lambda_D D + lambda_P P is lambda_D g (1 + r / (1 + r)). A decoder without noise has P = D = g.

    Args:
      family: one of `FAMILIES`.
      weight_d: lambda_D.
      weight_p: lambda_P, of the same shape.

    Returns:
      The weight of g: lambda_D (1 + r / (1 + r)) for "private", lambda_D (1 + r) for "deterministic"; for "dithered",
      whose encoder sees the whole objective, lambda_D.
    """
    ratio = weight_p / weight_d
    return weight_d * {"private": 1.0 + ratio / (1.0 + ratio), "deterministic": 1.0 + ratio, "dithered": 1.0}[family]


def train_family(config: Config, family: str, directory: pathlib.Path) -> Any:
    """Trains the whole grid of a family at once.

    Undithered codecs are trained in two stages. The encoder that is best for the realism-weighted objective is best for
    squared error at a larger weight (`encoder_weights`): it is trained so while rounding is soft; then it rests,
    rounding is hard, and the decoder and the prior are trained with both weights.

    Args:
      config: settings.
      family: one of `FAMILIES`.
      directory: of checkpoints and metrics.

    Returns:
      Parameters; every leaf has a leading axis over the grid.
    """
    codec = make_codec(config, family)
    weight_d, weight_p = (jnp.asarray(w) for w in weights(config, family))
    target = normal_slice_means(config.batch)
    encoder_weight = encoder_weights(family, weight_d, weight_p)
    key = jax.random.fold_in(jax.random.key(config.seed), FAMILIES.index(family))

    def loss(params, entry, x, key, temperature):
        encoder, weight_d, weight_p = entry
        if temperature is not None:
            weight_d, weight_p = encoder, jnp.zeros_like(weight_p)
        y, bits = codec.forward(params, x, key=key, temperature=temperature, spread=True)
        rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y))
        w2 = sorted_w2_squared(y[:, 0], target)
        return rate + weight_d * distortion + weight_p * w2, {"rate": rate, "distortion": distortion, "w2sq": w2}

    params = jax.vmap(codec.init)(jax.random.split(key, weight_d.size))
    # The step of high-rate theory: rate -log2(step) + weight step^2 / 12 is least at step^2 = 6 / (weight ln 2).
    log_slope = 0.5 * jnp.log(encoder_weight * jnp.float32(np.log(2.0) / 6.0))
    params["analysis"]["log_slope"], params["synthesis"]["log_slope"] = log_slope, -log_slope
    return harness.train_grid(config.schedule(family), params, (encoder_weight, weight_d, weight_p), loss=loss,
                              sample=harness.stratified_normal, key=key, directory=directory, description=family,
                              frozen_when_hard=() if family == "dithered" else ("analysis",))


def evaluate_codec(config: Config, family: str, params: Any, x: np.ndarray) -> operational_rate.Measurement:
    """Runs one codec on fresh samples, through bytes.

    Args:
      config: settings.
      family: one of `FAMILIES`.
      params: finalized parameters of one codec.
      x: [samples, 1].

    Returns:
      The measurement.
    """
    return harness.measure(
        make_codec(config, family), params, x, perception=harness.normal_marginals(np.ones(1)),
        shared_key=shared_key(config.seed) if family == "dithered" else None,
        private_key=jax.random.key(config.seed + 1) if family == "private" else None)


def add_row(table: dict[str, list], family: str, m: operational_rate.Measurement, **extra: Any) -> None:
    """Appends a codec's row: what was measured, its bound, and the bounds that it is compared with."""
    if family == "dithered":
        kind, bound = "R(D;P) with unlimited common randomness", gaussian.rate_distortion_perception
    else:
        kind, bound = "R(D;P) without common randomness", gaussian.conditional_rate_distortion_perception
    harness.add_row(
        table, m, source="normal", dimension=1, codec=family, shared="dither" if family == "dithered" else "nothing",
        bound_kind=kind, lower=bound, upper=bound, **extra)
    for name, value in (
        ("rate_distortion_bits", gaussian.rate_distortion(m.distortion)),
        ("unlimited_randomness_bits", gaussian.rate_distortion_perception(m.distortion, m.perception)),
        ("perfect_realism_bits", gaussian.rate_distortion_perception(m.distortion, 0.0)),
    ):
        table.setdefault(name, []).append(float(value))


def compare(table: dict[str, list]) -> None:
    """Adds what is known of optimal codecs without shared randomness, at each row's rate.

    `scalar_quantizer_bits` is the least entropy of a scalar quantizer at the row's distortion (deterministic rows).
    `interpolated_distortion` is g + [sqrt(g) - sqrt(P)]_+^2 with g the distortion that the trained deterministic
    codecs reach at the row's rate (log-linear between neighbors) and P as measured (private rows): what
    interpolating between their decoder and a posterior sampler would give. Elsewhere the cells are nan.
    """
    family, rate, distortion, perception = (
        np.array(table[name]) for name in ("codec", "rate_bits", "distortion", "perception"))
    deterministic = family == "deterministic"
    scalar = np.full(len(family), np.nan)
    # Below a distortion of 1e-3 the tabulated density does not resolve the quantizer's cells.
    fine = deterministic & (distortion >= 1e-3)
    scalar[fine] = entropy_coded_rate_distortion(gaussian_density(), distortion[fine]).upper
    order = np.argsort(rate[deterministic])
    # Rate 0 costs a distortion of 1.
    known = [np.append(start, column[deterministic][order]) for start, column in ((0.0, rate), (1.0, distortion))]
    interpolated = np.full(len(family), np.nan)
    private = (family == "private") & (rate <= known[0][-1])
    g = np.exp(np.interp(rate[private], known[0], np.log(known[1])))
    interpolated[private] = g + np.square(np.maximum(np.sqrt(g) - np.sqrt(perception[private]), 0.0))
    table |= {"scalar_quantizer_bits": scalar.tolist(), "interpolated_distortion": interpolated.tolist()}


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
    trained = {family: train_family(config, family, workdir / "training" / family) for family in FAMILIES}
    rng = np.random.default_rng(config.seed + 1)
    x = rng.standard_normal((config.samples, 1)).astype(np.float32)
    table: dict[str, list] = {}
    grids = {family: weights(config, family) for family in FAMILIES}
    with tqdm(total=sum(len(grid[0]) for grid in grids.values()), desc="coding", unit="codec") as bar:
        for family in FAMILIES:
            codec = make_codec(config, family)
            for i, (weight_d, weight_p) in enumerate(zip(*grids[family])):
                params = codec.finalize(harness.entry(trained[family], i))
                add_row(table, family, evaluate_codec(config, family, params, x), seed=config.seed,
                        distortion_weight=weight_d, perception_weight=weight_p)
                bar.update()
    compare(table)
    bias = operational_rate.empirical_bias(config.samples, 4, config.seed)
    harness.write(
        workdir, "gaussian_rdp", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per sample; distortion: mean squared error; perception: W2^2 to N(0 1) after decoding",
        shown=("scalar_quantizer_bits", "interpolated_distortion"),
        perception_bias=f"{bias:.3g} (mean W2^2 of as many draws of N(0 1) itself; P is not corrected for it)")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
