"""Codecs of `experiments.sources.sample_realism`: one message at a rate, several decoders, in real bytes.

* `codec`: principal components with dithered scalars; weight a takes every component from the decoder of least error to
  one that has the component's own variance, by a gain where it was coded and by noise where it was not;
* `trained`: learned transforms around dithered scalars; weight a goes along the optimal transport of the decoded
  vectors' Gaussian to the source's, both measured on training samples.
"""

import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.sources import harness, sample_bounds_codecs
from experiments.sources.harness import Schedule
from experiments.sources.sample_bounds_codecs import principal_axes
from rdr.codecs.vectors import water_filling
from rdr.data.samples import Samples
from rdr.estimators import perception_of_groups
from rdr.evaluation.estimate_tables import vector_slopes
from rdr.randomness import shared_key

_RANK = 1e-7  # eigenvalues below this fraction of the largest count as 0


class Transport(NamedTuple):
    """The map y -> target_mean + matrix (y - mean) + noise n, n standard normal, of one Gaussian to another.

    Attributes:
      mean: of what is mapped, [d].
      target_mean: of the target, [d].
      matrix: [d, d], symmetric.
      noise: [d, d].
    """

    mean: np.ndarray
    target_mean: np.ndarray
    matrix: np.ndarray
    noise: np.ndarray


def gaussian_transport(decoded: np.ndarray, target: np.ndarray) -> Transport:
    """Fits the coupling of least squared error between Gaussians with the moments of two sets.

    With covariances B of the decoded and A of the target vectors, r = A^1/2 and M = r B r, the map is
    y -> r M^(+1/2) r y + N(0, r (I - P) r), P the projection on the range of M: noise where nothing was decoded.

    Args:
      decoded: [n, d].
      target: [m, d].

    Returns:
      The map.

    Reference: freirich2021theory, theorem 4: between the decoder of least error and this one, decoders that interpolate
      are best for Gaussians.
    """
    mean, target_mean = decoded.mean(0, dtype=np.float64), target.mean(0, dtype=np.float64)
    covariances = [(x - m).T @ (x - m) / len(x) for x, m in ((decoded.astype(np.float64), mean),
                                                             (target.astype(np.float64), target_mean))]
    values, vectors = np.linalg.eigh(covariances[1])
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    values, vectors = np.linalg.eigh(root @ covariances[0] @ root)
    used = values > _RANK * values[-1]
    middle = (vectors[:, used] / np.sqrt(values[used])) @ vectors[:, used].T
    rest = vectors[:, ~used] @ vectors[:, ~used].T
    return Transport(mean, target_mean, root @ middle @ root, root @ rest)


def transported(made: Transport, decoded: np.ndarray, weight: float, *, seed: int) -> np.ndarray:
    """Takes decoded vectors part of the way to the target.

    Args:
      made: the map.
      decoded: [n, d].
      weight: a, in [0, 1]: 0 leaves them, 1 maps them.
      seed: of the decoder's own noise.

    Returns:
      [n, d].
    """
    noise = np.random.default_rng([seed, 7]).standard_normal(decoded.shape) @ made.noise.T
    real = made.target_mean + (decoded - made.mean) @ made.matrix.T + noise
    return (1.0 - weight) * decoded + weight * real


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


def row(series: str, weight: float, message: bytes, bits: np.ndarray, x: np.ndarray, y: np.ndarray, seed: int
        ) -> tuple[Any, ...]:
    """Measures decoded vectors.

    Args:
      series: its name.
      weight: of realism.
      message: what was sent.
      bits: ideal code length of each vector, [n].
      x: vectors, [n, d].
      y: decoded ones, [n, d].
      seed: of the directions.

    Returns:
      A row of `realism.csv` without the source.
    """
    errors, root = np.square(x - y).sum(-1), np.sqrt(len(x))
    perception, perception_se, _ = perception_of_groups(
        y.astype(np.float32), x.astype(np.float32), measure="sliced_w2", key=jax.random.key(seed))
    return (series, weight, 8 * len(message) / len(x), float(errors.mean()), perception, float(bits.std() / root),
            float(errors.std() / root), perception_se)


def codec_rows(samples: Samples, *, rates: tuple[float, ...], decoders: tuple[float, ...], seed: int
               ) -> list[tuple[Any, ...]]:
    """Codes held-out vectors by principal components once a rate, decodes them by several decoders, and measures.

    Args:
      samples: the source.
      rates: bits per vector to aim at.
      decoders: weights of realism.
      seed: of dither and noise.

    Returns:
      Rows of `realism.csv` without the source.
    """
    mean, variances, axes = principal_axes(samples.vectors)
    variances = np.where(variances > 1e-9 * variances[0], variances, 0.0)
    z = (samples.held_out.astype(np.float64) - mean) @ axes
    rows = []
    for slope in vector_slopes(samples.vectors, rates)[0]:
        made = water_filling.plan(variances, float(0.5 / (slope * np.log(2.0))))
        message, bits = water_filling.encode(made, z[None], shared_key=shared_key(seed))
        harness.check_length(message, bits, streams=max(len(made.bands), 1))
        plain = water_filling.decode(made, message, shared_key=shared_key(seed))[0]
        rows += [row("codec", weight, message, bits[0], z @ axes.T,
                      decode_universally(made, plain, weight, seed=seed) @ axes.T, seed) for weight in decoders]
    return rows


def trained_rows(samples: Samples, *, rates: tuple[float, ...], decoders: tuple[float, ...], schedule: Schedule,
                 hidden: tuple[int, ...], seed: int, directory: pathlib.Path) -> list[tuple[Any, ...]]:
    """The same of a trained codec: learned transforms around dithered scalars, trained for squared error alone.

    Args:
      samples: the source.
      rates: bits per vector to aim at.
      decoders: weights of realism.
      schedule: of the training.
      hidden: widths of the transforms' hidden layers.
      seed: of everything random.
      directory: of checkpoints.

    Returns:
      Rows of `realism.csv` without the source.
    """
    codec, grid, unit = sample_bounds_codecs.train("scalar_dither", samples, rates, schedule, hidden=hidden, seed=seed,
                                                   directory=directory)
    rows = []
    for i in range(len(rates)):
        params, decoded = codec.finalize(harness.entry(grid, i)), []
        for part, vectors in enumerate((samples.vectors, samples.held_out)):
            key, x = shared_key(seed + part), vectors / np.float32(unit)
            message = codec.encode(params, x, shared_key=key)
            decoded.append(unit * np.asarray(codec.decode(message, params=params, shared_key=key), np.float64))
        bits = codec.code_lengths(params, x, shared_key=key).sum(-1)
        harness.check_length(message, bits)
        made = gaussian_transport(decoded[0], samples.vectors)
        rows += [row("trained", weight, message, bits, samples.held_out.astype(np.float64),
                      transported(made, decoded[1], weight, seed=seed), seed) for weight in decoders]
    return rows
