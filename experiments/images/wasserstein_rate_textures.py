"""The overfitted codec on Gaussian textures, held against the rate that Wasserstein distortion takes.

    python -m experiments.images.wasserstein_rate_textures --preset=quick --workdir=OUT

Textures of a known Gaussian distribution, x = 0.449 + 0.1 X, are fitted for Wasserstein distortion with shared noise.
Rates are those of whole files and of the latents alone; distortion is that of X, proxy and exact, in windows of one
pyramid level, whose standard deviation is sigma. Windows, weights and covariance are products over the two axes, so
the converse by pooled means is reverse water-filling of products of eigenvalues, exact with edges and at every size.
`points.csv` has a row for each texture, lambda and loss. A rate of latents below the converse would be no
contradiction (weights tell of the texture, too), a rate of files would.
"""

import dataclasses
import math
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.images.foveated_glance import latent_bytes
from rdr import command_line
from rdr.codecs import overfitted
from rdr.command_line import option
from rdr.evaluation import tables
from rdr.files import write_bytes
from rdr.losses.wasserstein_distortion import exact as definition
from rdr.losses.wasserstein_distortion import pooling, wasserstein_distortion
from theory.gaussian.vector import rate_distortion

MIDDLE, DEVIATION = 0.449, 0.1  # of pixels
EXTRA_COLUMNS = ("family", "loss", "sigma", "level", "distortion_se", "message_bytes", "latent_bits", "samples")


@dataclasses.dataclass(frozen=True)
class Config:
    """What is fitted and how."""

    correlations: tuple[float, ...] = option(
        (0.0, 0.9), "of neighbors along each axis, one for each kind of texture; 0 is white")
    size: int = option(64, "side")
    level: int = option(3, "of the pyramid, whose standard deviation is sigma")
    textures: int = option(4, "of each kind")
    rd_lambdas: tuple[float, ...] = option((10.0, 100.0), "bits per pixel for a unit of the objective")
    steps: int = option(300, "of a fit")
    noise_levels: int = option(4, "resolutions with shared noise")
    seed: int = option(0, "of textures, fits and noise")

    def __post_init__(self):
        if not all(0 <= r < 1 for r in self.correlations):
            raise ValueError(f"--correlations must lie in [0, 1), got {self.correlations}")
        if self.textures < 2:
            raise ValueError(f"--textures must be at least 2, got {self.textures}")
        if self.level < 1 or 2**self.level > self.size:
            raise ValueError(f"--level must be from 1 to log2(size), got {self.level}")


PRESETS = {
    "smoke": Config(correlations=(0.9,), size=32, level=2, textures=2, rd_lambdas=(10.0,), steps=6, noise_levels=2),
    "quick": Config(),
    "full": Config(size=128, rd_lambdas=(10.0, 100.0, 1000.0), steps=2000),
}


def line(correlation: float, size: int) -> np.ndarray:
    """Covariance of size neighbors along an axis [size, size]."""
    return correlation ** np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)


def converse_eigenvalues(correlation: float, size: int, level: int) -> np.ndarray:
    """Eigenvalues of Sigma^1/2 M Sigma^1/2 for windows of one level.

    Args:
      correlation: of neighbors along each axis.
      size: side of the texture.
      level: of the pyramid.

    Returns:
      [size^2].
    """
    window = definition._pooling_matrix(size, level)
    # One axis of the weights of `window_weights`: the transpose of what interpolates windows to pixels.
    weight = np.full(size, 1.0 / size)
    for step in range(level):
        matrix = pooling.interpolation_matrix if step < level - 1 else pooling.dense_interpolation_matrix
        weight = matrix(weight.size).T @ weight
    half = np.sqrt(weight)[:, None] * window @ np.linalg.cholesky(line(correlation, size))
    one = np.maximum(np.linalg.eigvalsh(half.T @ half), 0.0)
    return np.outer(one, one).ravel()




def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Fits, decodes, measures and writes the table; fits that an interrupted run has made are not made again.

    Args:
      config: settings.
      workdir: an existing directory that belongs to this configuration.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if a file beats the converse.
    """
    started, rows = time.time(), []
    sigma = pooling.pooling_std(config.level)
    for correlation in config.correlations:
        root = np.linalg.cholesky(line(correlation, config.size))
        white = np.random.default_rng([config.seed, 11]).standard_normal((config.textures, config.size, config.size))
        x = root @ white @ root.T
        images = [np.clip(MIDDLE + DEVIATION * one, 0.0, 1.0).astype(np.float32) for one in x]
        eigenvalues = converse_eigenvalues(correlation, config.size, config.level)
        for rd_lambda in config.rd_lambdas:
            options = overfitted.Options(
                objective="wd", features="pixels", sigma=sigma, rd_lambda=rd_lambda, noise_levels=config.noise_levels,
                schedule=overfitted.Schedule(steps=config.steps), seed=config.seed)
            stem = f"{correlation:g}-{rd_lambda:g}"
            paths = [workdir / f"{stem}-{i}.rdr" for i in range(config.textures)]
            if not all(path.exists() for path in paths):
                made = overfitted.encode_batch(images, options, seeds=range(config.textures),
                                               directory=workdir / f"progress-{stem}")
                for path, message in zip(paths, made):
                    write_bytes(path, message)
            rows += _rows(config, x, [path.read_bytes() for path in paths], eigenvalues, correlation, rd_lambda)
    table = {name: [row[name] for row in rows] for name in (*tables.POINT_COLUMNS, *EXTRA_COLUMNS)}
    tables.write_points(workdir / "points.csv", table, {
        "experiment": "wasserstein_rate_textures", "units": "bits per pixel of whole files; distortion of X per pixel",
        "steps": config.steps, "size": config.size, "textures": config.textures})
    tables.write_run_record(workdir, name="experiments.images.wasserstein_rate_textures", config=config,
                            duration_seconds=time.time() - started)
    wrong = tables.violations(table)
    if wrong:
        raise ValueError(f"rows {wrong} of {workdir / 'points.csv'} lie below their bound by more than 3 standard "
                         "errors: a codec that beats a bound is a mistake until explained")
    return table


def _rows(config: Config, x: np.ndarray, messages: Sequence[bytes], eigenvalues: np.ndarray, correlation: float,
          rd_lambda: float) -> list[dict[str, Any]]:
    """A row for each loss, averaged over textures."""
    pixels = config.size**2
    decoded = np.stack([overfitted.decode(message)[..., 0] for message in messages])
    y = (decoded / 255.0 - MIDDLE) / DEVIATION
    sigma = pooling.pooling_std(config.level)
    pair = [jnp.asarray(a[..., None], jnp.float32) for a in (x, y)]
    bits = np.array([8.0 * len(message) for message in messages])
    latents = np.mean([8.0 * latent_bytes(message) for message in messages])
    rows = []
    for exact in (False, True):
        each = np.asarray(wasserstein_distortion(*pair, sigma, exact=exact), np.float64)
        distortion = float(each.mean())
        lower, slope = (float(f) for f in jax.value_and_grad(rate_distortion)(distortion, eigenvalues))
        noise = (bits - slope * each) / pixels
        rows.append({
            "source": "white" if not correlation else f"ar1 {correlation:g}", "dimension": 2, "codec": "overfitted",
            "shared": "none", "rate_bits": bits.mean() / pixels, "distortion": distortion, "perception": math.nan,
            "bound_kind": "pooled means", "bound_lower_bits": lower / pixels, "bound_upper_bits": math.nan,
            "gap_bits": (bits.mean() - lower) / pixels, "gap_se": noise.std(ddof=1) / math.sqrt(len(x)),
            "seed": config.seed, "family": "overfitted", "loss": "exact" if exact else "proxy", "sigma": sigma,
            "level": rd_lambda, "distortion_se": each.std(ddof=1) / math.sqrt(len(x)),
            "message_bytes": float(np.mean([len(message) for message in messages])),
            "latent_bits": latents / pixels, "samples": pixels * len(x)})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
