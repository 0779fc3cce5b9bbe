"""Operational figures of a codec for a standard normal source: bytes, decoded samples, and their errors."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from scipy.special import ndtri


class Measurement(NamedTuple):
    """What one codec did to one set of samples.

    Attributes:
      message_bytes: length of the message.
      rate: 8 * bytes / samples, bits per sample.
      cross_entropy: ideal code length under the codec's tables, bits per sample.
      distortion: mean squared error.
      perception: exact W2^2 between the empirical distribution of the decoded samples and N(0,1).
      bits: ideal code length of each sample [n].
      errors: squared error of each sample [n].
      influence: how much each sample contributes to `perception`, less its mean [n]; the variance of `perception`
        is that of the influence divided by n.
    """

    message_bytes: int
    rate: float
    cross_entropy: float
    distortion: float
    perception: float
    bits: np.ndarray
    errors: np.ndarray
    influence: np.ndarray


def normal_w2_squared(samples: np.ndarray) -> tuple[float, np.ndarray]:
    """Exact W2^2 between the empirical distribution of numbers and N(0,1), and the influence of each number.

    The monotone map sends the i-th smallest number to the slice (z_{i-1}, z_i) of N(0,1), z_i the quantile of i/n:
    W2^2 = mean y^2 + 1 - 2 sum_i y_(i) (pdf(z_{i-1}) - pdf(z_i)). Its derivative with respect to the distribution is
    the Kantorovich potential, whose increments between neighbors a < b are b^2 - a^2 - 2 z (b - a).

    Args:
      samples: [n], n >= 2.

    Returns:
      W2^2, and the centered potential at each sample [n].

    Reference: Villani (villani2003topics), sections 2.1 and 2.2.
    """
    samples = np.asarray(samples, np.float64)
    order = np.argsort(samples, kind="stable")
    y, n = samples[order], samples.size
    quantiles = ndtri(np.arange(1, n) / n)
    density = np.concatenate([[0.0], np.exp(-0.5 * quantiles**2) / np.sqrt(2.0 * np.pi), [0.0]])
    distance = float(np.mean(y * y) + 1.0 - 2.0 * np.sum(y * (density[:-1] - density[1:])))
    step = np.diff(y)
    potential = np.concatenate([[0.0], np.cumsum(step * (y[1:] + y[:-1] - 2.0 * quantiles))])
    influence = np.empty(n)
    influence[order] = potential - potential.mean()
    return max(distance, 0.0), influence


def empirical_bias(count: int, draws: int, seed: int) -> float:
    """Mean of W2^2 between `count` draws of N(0,1) and N(0,1) itself, where the truth is 0.

    Args:
      count: samples in a draw.
      draws: how many draws are averaged.
      seed: of the draws.

    Returns:
      The finite-sample bias of `normal_w2_squared` at perfect realism, its largest value up to O(1/n).
    """
    rng = np.random.default_rng(seed)
    return float(np.mean([normal_w2_squared(rng.standard_normal(count))[0] for _ in range(draws)]))


def gap_and_error(measurement: Measurement, bound: Callable[[jax.Array, jax.Array], jax.Array]
                  ) -> tuple[float, float, float]:
    """The bound at a measurement, the gap to it, and the gap's standard error.

    gap = R - bound(D, P) is a smooth function of three means over the same samples, so to first order its error is
    that of the mean of bits_i - bound_D error_i - bound_P influence_i.

    Args:
      measurement: of a codec.
      bound: rate in bits as a differentiable function of (distortion, perception).

    Returns:
      Bound, gap and standard error, in bits per sample.
    """
    at = (measurement.distortion, measurement.perception)
    value, (slope_d, slope_p) = jax.value_and_grad(bound, argnums=(0, 1))(*at)
    samples = measurement.bits - float(slope_d) * measurement.errors - float(slope_p) * measurement.influence
    return float(value), measurement.rate - float(value), float(samples.std() / np.sqrt(samples.size))
