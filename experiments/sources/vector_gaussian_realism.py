"""Trained codecs of a Gaussian vector with and without realism against water-filling: which components get rate.

    python -m experiments.sources.vector_gaussian_realism --preset=quick --workdir=runs/vector_gaussian_realism/quick

Independent components of variances 4, 1, 1/4 and 1/16, squared error summed over them, P the sum of the components'
W2^2 to their distributions. Without realism the optimum (reverse water-filling) leaves components below the water
level uncoded;
under perfect realism it codes every one. Block codecs whose transforms start as the identity, with a shared dither, are
trained at several water levels with two weights of realism; a component costs what its latent coordinate costs.
The bound is R(D, P) of `theory.gaussian.vector_perception`, for which realism of the components is enough: they are
independent, so that I(X; Y) is at least the sum of their informations.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import harness
from experiments.sources.harness import Schedule
from rdr import command_line
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.block import block_codec
from rdr.command_line import option
from rdr.losses.wasserstein_1d import normal_slice_means, sorted_w2_squared
from rdr.randomness import shared_key
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.gaussian import vector_realism as gaussian_vector_realism


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per vector; each field says what it is."""

    eigenvalues: tuple[float, ...] = option((4.0, 1.0, 0.25, 0.0625), "variances of the components")
    water_levels: tuple[float, ...] = option(
        (0.03, 0.12, 0.4, 0.9), "theta; lambda = 1 / (2 theta ln 2), the slope of reverse water-filling")
    realism_ratios: tuple[float, ...] = option((0.0, 16.0), "lambda_P / lambda")
    dither_levels: int = option(64, "values of the shared dither")
    hidden: int = option(24, "width of the hidden layer of each transform")
    steps: int = option(1500, "training steps")
    chunk: int = option(250, "steps between checkpoints")
    batch: int = option(512, "vectors per step")
    learning_rate: float = option(0.01, "learning rate of Adam")
    samples: int = option(2**16, "for evaluation")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "eigenvalues", "water_levels", "dither_levels", "hidden")
        if not self.realism_ratios or not (np.isfinite(self.realism_ratios).all() and min(self.realism_ratios) >= 0):
            raise ValueError(f"realism_ratios must be non-negative numbers, got {self.realism_ratios}")
        if self.dither_levels > 2**16 or self.dither_levels & (self.dither_levels - 1):
            raise ValueError(f"dither_levels must be a power of two up to 2^16, got {self.dither_levels}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        self.schedule()

    def schedule(self) -> Schedule:
        """How the grid is trained: a dither needs no soft stage."""
        return Schedule(self.steps, self.chunk, self.batch, self.learning_rate, hard_fraction=1.0)


PRESETS = {
    "smoke": Config(eigenvalues=(4.0, 0.25), water_levels=(0.4,), hidden=8, steps=60, chunk=30, batch=128,
                    samples=2**14),
    "quick": Config(),
    "full": Config(eigenvalues=tuple((4.0 * 2.0 ** -np.arange(8.0)).tolist()),
                   water_levels=(0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5), realism_ratios=(0.0, 1.0, 4.0, 16.0, 64.0),
                   hidden=64, steps=20_000, chunk=1000, batch=4096, learning_rate=0.005, samples=2**20),
}


def make_codec(config: Config) -> VectorCodec:
    """The codec."""
    return block_codec(dimension=len(config.eigenvalues), hidden=(config.hidden,), prior_scale=2.0,
                              dither_levels=config.dither_levels)


def weights(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """lambda and lambda_P of each codec, float32."""
    slope = np.repeat(1.0 / (2.0 * np.log(2.0) * np.array(config.water_levels)), len(config.realism_ratios))
    realism = slope * np.tile(config.realism_ratios, len(config.water_levels))
    return slope.astype(np.float32), realism.astype(np.float32)


def train(config: Config, directory: pathlib.Path) -> Any:
    """Trains the whole grid at once.

    Args:
      config: settings.
      directory: of checkpoints and metrics.

    Returns:
      Parameters with a leading axis over the grid.
    """
    codec, (price, realism) = make_codec(config), (jnp.asarray(w) for w in weights(config))
    deviations = jnp.sqrt(jnp.asarray(config.eigenvalues, jnp.float32))[None]
    target = normal_slice_means(config.batch)[:, None] * deviations
    key = jax.random.key(config.seed)

    def loss(params, weight, x, key, temperature):
        y, bits = codec.forward(params, x, key=key)
        rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y).sum(-1))
        w2 = jnp.sum(sorted_w2_squared(y, target))
        return rate + weight[0] * distortion + weight[1] * w2, {"rate": rate, "distortion": distortion, "w2sq": w2}

    def sample(key, batch):
        # Evenly spread in each component, in orders that have nothing to do with each other.
        level = (jnp.arange(batch, dtype=jnp.float32)[:, None] + jax.random.uniform(
            key, (batch, deviations.size), jnp.float32)) / batch
        level = jax.random.permutation(jax.random.fold_in(key, 1), level, axis=0, independent=True)
        return jax.scipy.special.ndtri(jnp.clip(level, 1e-7, 1.0 - 1e-7)) * deviations

    params = jax.vmap(codec.init)(jax.random.split(key, price.size))
    for part in ("analysis", "synthesis"):
        line = params[part]["line"]
        params[part]["line"] = jnp.broadcast_to(jnp.eye(line.shape[-1], dtype=jnp.float32), line.shape)
    params["log_step"] = 0.5 * jnp.log(jnp.float32(6.0 / np.log(2.0)) / price)
    return harness.train_grid(config.schedule(), params, (price, realism), loss=loss, sample=sample, key=key,
                                     directory=directory, description="vector Gaussian")


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
    eigenvalues = np.array(config.eigenvalues)
    rng = np.random.default_rng(config.seed + 1)
    x = (rng.standard_normal((config.samples, eigenvalues.size)) * np.sqrt(eigenvalues)).astype(np.float32)
    codec, table = make_codec(config), {}

    def bound(d, p):
        return gaussian_vector_perception.rate_distortion_perception(d, p, eigenvalues).rate

    for i, (price, weight) in enumerate(zip(*weights(config))):
        params = codec.finalize(harness.entry(trained, i))
        m = harness.measure(codec, params, x, shared_key=shared_key(config.seed),
                                   perception=harness.normal_marginals(np.sqrt(eigenvalues)))
        parts = codec.code_lengths(params, x, shared_key=shared_key(config.seed)).mean(0)
        plain = gaussian_vector.water_filling(m.distortion, eigenvalues)
        real = gaussian_vector_realism.perfect_realism_water_filling(m.distortion, eigenvalues)
        components = {
            f"{name}_{j + 1}": float(values[j])
            for name, values in (("rate", parts), ("plain_rate", plain.rates), ("realism_rate", real.rates))
            for j in range(eigenvalues.size)}
        harness.add_row(
            table, m, source="gaussian_vector", dimension=eigenvalues.size, codec="dithered", shared="dither",
            bound_kind="R(D;P) with unlimited common randomness", lower=bound, upper=bound, seed=config.seed,
            distortion_weight=price, perception_weight=weight, **components)
    harness.write(
        workdir, "vector_gaussian_realism", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per vector; distortion: squared error of a vector; perception: sum of the components' W2^2",
        shown=tuple(name for name in table if name.startswith(("rate_", "realism_rate")) and name != "rate_bits"),
        eigenvalues=" ".join(f"{v:g}" for v in eigenvalues))
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
