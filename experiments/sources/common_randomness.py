"""The worth of a few shared bits: trained codecs whose dither takes M values against D(R, C, P) with C = log2 M.

    python -m experiments.sources.common_randomness --preset=quick --workdir=runs/common_randomness/quick

Source N(0, 1), squared error D, perception P = W2^2 of the decoded samples to N(0, 1). Encoder and decoder share
C = log2 M bits per sample, a dither of M values, and the decoder has noise of its own; M = 1 is a codec without common
randomness. Codecs are memoryless, so that W2^2 of a block per sample is that of the marginal, and the bound is
`theory.gaussian.common_randomness.strong_realism_rate`. For every M the same grid of weights is trained, all at once:
the dither of training takes exactly the M values of coding.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import harness, operational_rate
from experiments.sources.harness import Schedule
from rdr import command_line, quantize
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.block import block_codec
from rdr.command_line import option
from rdr.losses.wasserstein_1d import normal_slice_means, sorted_w2_squared
from rdr.randomness import shared_key
from theory.gaussian import common_randomness


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per sample; each field says what it is."""

    dither_values: tuple[int, ...] = option((1, 2, 4, 8, 16), "M, powers of two")
    target_rates: tuple[float, ...] = option(
        (1.0, 1.5, 2.0, 2.5), "where the grid aims: lambda_D = 2^{2R} / (2 ln 2 c), the slope of scalar quantization "
        "at high rate, where D = c 2^{-2R} with c = 2 pi e / 12")
    realism_ratio: float = option(16.0, "lambda_P / lambda_D")
    hidden: int = option(16, "width of the two hidden layers of each transform")
    steps: int = option(1200, "training steps")
    chunk: int = option(200, "steps between checkpoints")
    batch: int = option(512, "samples per step")
    learning_rate: float = option(0.01, "learning rate of Adam")
    samples: int = option(2**17, "for evaluation")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "dither_values", "target_rates", "hidden")
        for m in self.dither_values:
            if m > 2**16 or m & (m - 1):
                raise ValueError(f"dither_values must be powers of two up to 2^16, got {self.dither_values}")
        if not 0.0 <= self.realism_ratio < np.inf:
            raise ValueError(f"realism_ratio must be non-negative and finite, got {self.realism_ratio}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        self.schedule()

    def schedule(self) -> Schedule:
        """How the grid is trained."""
        return Schedule(self.steps, self.chunk, self.batch, self.learning_rate)


PRESETS = {
    "smoke": Config(dither_values=(1, 4), target_rates=(1.5,), hidden=8, steps=100, chunk=50, batch=256,
                    samples=2**15),
    "quick": Config(),
    "full": Config(dither_values=(1, 2, 4, 8, 16, 32, 64), target_rates=tuple(np.arange(0.75, 3.1, 0.25).tolist()),
                   hidden=64, steps=20_000, chunk=1000, batch=8192, learning_rate=0.005, samples=2**20),
}


def make_codec(config: Config, values: int) -> VectorCodec:
    """The codec with a dither of so many values."""
    return block_codec(dimension=1, dither_levels=values, private_noise=True,
                              hidden=(config.hidden, config.hidden))


def grid(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """M and lambda_D of each codec, float32 [codecs]."""
    slope = 4.0 ** np.array(config.target_rates) / (2.0 * np.log(2.0) * 2.0 * np.pi * np.e / 12.0)
    values = np.repeat(np.array(config.dither_values, np.float32), len(slope))
    return values, np.tile(slope, len(config.dither_values)).astype(np.float32)


def finite_dither(noise: jax.Array, values: jax.Array) -> jax.Array:
    """Turns noise that is uniform on [-1/2, 1/2) into a dither of M values; M may be traced."""
    return (jnp.floor((noise + 0.5) * values) + 0.5) / values - 0.5


def train(config: Config, directory: pathlib.Path) -> Any:
    """Trains the whole grid at once, in two stages.

    In the first, quantization is soft and the encoder is trained for squared error alone, at the weight that serves the
    realism-weighted objective: with g the distortion of the best decoder, that objective is at best
    lambda_D g (1 + r / (1 + r)) without common randomness (see `gaussian_rdp.encoder_weights`) and close to lambda_D g
    with much of it; the first is taken for all M. In the second, quantization is hard, the encoder rests, and decoder
    and prior are trained with realism.

    Args:
      config: settings.
      directory: of checkpoints and metrics.

    Returns:
      Parameters with a leading axis over the grid.
    """
    values, price = (jnp.asarray(part) for part in grid(config))
    ratio = config.realism_ratio
    codec, target = make_codec(config, 2), normal_slice_means(config.batch)  # parameters are the same for every M
    key = jax.random.key(config.seed)

    def loss(params, one, x, key, temperature):
        values, price = one
        keys = jax.random.split(key, 3)
        # Evenly spread over the batch, in an order that has nothing to do with that of the codec's own noises.
        u = jax.random.permutation(keys[0], finite_dither(quantize.low_discrepancy_noise(keys[1], x.shape), values))
        y, bits = codec.forward(params, x, key=keys[2], temperature=temperature, dither=u, spread=True)
        rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y))
        w2 = sorted_w2_squared(y[:, 0], target)
        if temperature is None:
            total = rate + price * (distortion + ratio * w2)
        else:
            total = rate + price * (1.0 + ratio / (1.0 + ratio)) * distortion
        return total, {"rate": rate, "distortion": distortion, "w2sq": w2}

    params = jax.vmap(codec.init)(jax.random.split(key, price.size))
    # The step of high-rate theory: rate -log2(step) + weight step^2 / 12 is least at step^2 = 6 / (weight ln 2).
    weight = price * jnp.float32(1.0 + ratio / (1.0 + ratio))
    params["log_step"] = 0.5 * jnp.log(jnp.float32(6.0 / np.log(2.0)) / weight)
    params["analysis"]["line"] = jnp.ones_like(params["analysis"]["line"])
    params["synthesis"]["line"] = jnp.ones_like(params["synthesis"]["line"])
    return harness.train_grid(
        config.schedule(), params, (values, price), loss=loss, sample=harness.stratified_normal, key=key,
        directory=directory, description="common randomness", frozen_when_hard=("analysis", "log_step"))


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
    trained = train(config, workdir / "training")
    x = np.random.default_rng(config.seed + 1).standard_normal((config.samples, 1)).astype(np.float32)
    table: dict[str, list] = {}
    for i, (values, price) in enumerate(zip(*grid(config))):
        codec = make_codec(config, int(values))
        params = codec.finalize(harness.entry(trained, i))
        m = harness.measure(codec, params, x, shared_key=shared_key(config.seed),
                                   private_key=jax.random.key(config.seed + 1),
                                   perception=harness.normal_marginals(np.ones(1)))
        bits = float(np.log2(values))

        def bound(d, p, bits=bits):
            return common_randomness.strong_realism_rate(d, bits, p)

        harness.add_row(
            table, m, source="normal", dimension=1, codec="dithered", shared=f"dither of {int(values)} values",
            bound_kind="R(D;C;P)", lower=bound, upper=bound, seed=config.seed, common_randomness_bits=bits,
            distortion_weight=price, perception_weight=config.realism_ratio * price,
            unlimited_bits=float(common_randomness.strong_realism_rate(m.distortion, np.inf, m.perception)),
            none_bits=float(common_randomness.strong_realism_rate(m.distortion, 0.0, m.perception)))
    bias = operational_rate.empirical_bias(config.samples, 4, config.seed)
    harness.write(
        workdir, "common_randomness", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per sample; distortion: mean squared error; perception: W2^2 to N(0 1) after decoding",
        shown=("common_randomness_bits", "none_bits", "unlimited_bits"),
        perception_bias=f"{bias:.3g} (mean W2^2 of as many draws of N(0 1) itself; P is not corrected for it)")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
