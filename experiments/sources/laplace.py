"""Trained codecs of the Laplacian source under squared error against its certified R(D) and the best scalar quantizer.

    python -m experiments.sources.laplace --preset=quick --workdir=runs/laplace/quick

Density e^{-|x|}/2, variance 2. Families: `scalar` (rounding in a learned latent space), `codebook` (an entropy-coded
quantizer with learned values) and `dithered` (as `scalar`, with a shared dither). Each is trained on rate + lambda D
over a grid of lambda at once, then fresh samples go through bytes and are held against R(D), which `theory.continuous`
brackets; `scalar_quantizer_bits` is the least entropy of a scalar quantizer at the same distortion.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import brackets, harness
from experiments.sources.harness import Schedule
from rdr import command_line
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.block import block_codec
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.command_line import option
from rdr.quantize.codebook import annealed_cost
from rdr.randomness import shared_key
from theory import bounds, continuous
from theory.bounds import sources
from theory.quantization.laplace import entropy_coded_rate_distortion

FAMILIES = ("scalar", "codebook", "dithered")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per sample; each field says what it is."""

    target_rates: tuple[float, ...] = option(
        (0.5, 1.0, 1.5, 2.0, 3.0), "where the grid aims: lambda = 2^{2R} / (4 ln 2 c), the slope of scalar "
        "quantization at high rate, where D = 2 c 2^{-2R} with c = e^2 / 6")
    dither_levels: int = option(64, "values of the shared dither")
    hidden: int = option(16, "width of the two hidden layers of each transform")
    codewords: int = option(49, "room in the codebook")
    steps: int = option(1000, "training steps")
    chunk: int = option(200, "steps between checkpoints")
    batch: int = option(512, "samples per step")
    learning_rate: float = option(0.01, "learning rate of Adam")
    samples: int = option(2**17, "for evaluation")
    slopes: tuple[float, ...] = option(
        (0.4, 0.8, 1.6, 3.2, 6.4), "bits per unit of distortion at which R(D) is bracketed")
    atoms: tuple[int, ...] = option((100, 100, 100, 100, 100), "room for atoms of the channel at each")
    tolerance: float = option(1e-4, "tolerance of the brackets, bits")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "target_rates", "dither_levels", "hidden", "codewords", "slopes", "atoms",
                                      "tolerance")
        if self.dither_levels > 2**16 or self.dither_levels & (self.dither_levels - 1):
            raise ValueError(f"dither_levels must be a power of two up to 2^16, got {self.dither_levels}")
        if len(self.atoms) != len(self.slopes):
            raise ValueError(f"atoms must name a number for each of {len(self.slopes)} slopes, got {self.atoms}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        for family in FAMILIES:
            self.schedule(family)

    def schedule(self, family: str) -> Schedule:
        """How a family is trained."""
        if family == "codebook":
            return Schedule(self.steps, self.chunk, self.batch, 3 * self.learning_rate, hard_fraction=0.3,
                            temperature_start=0.3, temperature_end=0.02)
        return Schedule(self.steps, self.chunk, self.batch, self.learning_rate,
                        hard_fraction=1.0 if family == "dithered" else 0.5)


PRESETS = {
    "smoke": Config(target_rates=(1.5,), hidden=8, codewords=16, steps=60, chunk=30, batch=256, samples=2**14,
                    slopes=(1.0,), atoms=(40,), tolerance=1e-3),
    "quick": Config(),
    "full": Config(target_rates=tuple(np.arange(0.25, 4.1, 0.25).tolist()), hidden=64, codewords=129, steps=20_000,
                   chunk=1000, batch=8192, learning_rate=0.005, samples=2**20),
}


def make_codec(config: Config, family: str) -> VectorCodec:
    """The codec of a family."""
    if family == "codebook":
        return codebook_codec(dimension=1, codewords=config.codewords)
    return block_codec(dimension=1, hidden=(config.hidden, config.hidden), prior_scale=3.0,
                              dither_levels=config.dither_levels if family == "dithered" else 0)


def prices(config: Config) -> np.ndarray:
    """lambda of each codec, float32, bits per unit of distortion."""
    c = np.e**2 / 6.0
    return (4.0 ** np.array(config.target_rates) / (4.0 * np.log(2.0) * c)).astype(np.float32)


def train_family(config: Config, family: str, directory: pathlib.Path) -> Any:
    """Trains the grid of a family.

    Args:
      config: settings.
      family: one of `FAMILIES`.
      directory: of checkpoints and metrics.

    Returns:
      Parameters with a leading axis over the grid.
    """
    codec, price = make_codec(config, family), jnp.asarray(prices(config))
    key = jax.random.fold_in(jax.random.key(config.seed), FAMILIES.index(family))
    params = jax.vmap(codec.init)(jax.random.split(key, price.size))

    def sample(key, batch):
        level = harness.stratified_uniform(key, batch)
        away = -jnp.log(jnp.clip(1.0 - jnp.abs(2.0 * level - 1.0), 1e-7, 1.0))
        return (jnp.sign(level - 0.5) * away)[:, None]

    if family == "codebook":
        params["log_weight"] = jnp.log(price)
        params["points"] = jax.vmap(lambda k: sample(k, config.codewords))(jax.random.split(key, price.size))

        def loss(params, weight, x, key, temperature):
            d, bits = annealed_cost(x, params["points"], params["logits"], weight, temperature)
            return jnp.mean(bits + weight * d), {"rate": jnp.mean(bits), "distortion": jnp.mean(d)}
    else:
        # The step of high-rate theory: rate -log2(step) + lambda step^2 / 12 is least at step^2 = 6 / (lambda ln 2).
        params["log_step"] = 0.5 * jnp.log(jnp.float32(6.0 / np.log(2.0)) / price)
        for part in ("analysis", "synthesis"):
            params[part]["line"] = jnp.ones_like(params[part]["line"])

        def loss(params, weight, x, key, temperature):
            y, bits = codec.forward(params, x, key=key, temperature=temperature, spread=True)
            rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y))
            return rate + weight * distortion, {"rate": rate, "distortion": distortion}

    return harness.train_grid(
        config.schedule(family), params, price, loss=loss, sample=sample, key=key, directory=directory,
        description=family, frozen_when_hard=("analysis", "log_step") if family == "scalar" else (),
        frozen=("log_weight",) if family == "codebook" else ())


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
    result = bounds.bounds_of(sources.laplace()) + brackets.bracketing_bounds(brackets.solve(
        continuous.laplace(), config.slopes, config.atoms, tolerance=config.tolerance, path=workdir / "bracket.npz"),
        dimension=1)
    x = np.random.default_rng(config.seed + 1).laplace(size=(config.samples, 1)).astype(np.float32)
    table: dict[str, list] = {}
    for family in FAMILIES:
        codec, dithered = make_codec(config, family), family == "dithered"
        for i, price in enumerate(prices(config)):
            params = codec.finalize(harness.entry(trained[family], i))
            m = harness.measure(codec, params, x, shared_key=shared_key(config.seed) if dithered else None)
            harness.add_row(
                table, m, source="laplace", dimension=1, codec=family, shared="dither" if dithered else "nothing",
                bound_kind="R(D) without realism", lower=lambda d, _: bounds.interval(result, d).lower,
                upper=lambda d, _: bounds.interval(result, d).upper, seed=config.seed, distortion_weight=price,
                scalar_quantizer_bits=float(entropy_coded_rate_distortion(m.distortion, 1.0)))
    harness.write(
        workdir, "laplace", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per sample; distortion: mean squared error; perception: not measured",
        shown=("scalar_quantizer_bits",))
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
