"""Sources whose denoisers are known exactly: Gaussian vectors and processes, and finite mixtures of Gaussians.

Denoisers compute in float64 and in a fixed order (`rdr.codecs.diffusion.arithmetic`), so that what they decide is the
same on every machine. Samplers are the encoder's and the experimenter's, and draw from a NumPy generator.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rdr.codecs.diffusion import arithmetic


@dataclasses.dataclass(frozen=True, eq=False)
class ExactSource:
    """A source of vectors, and what is known about it given a noisy sample x_t = sqrt(1 - t) x_0 + sqrt(t) n.

    Two of them are equal only if they are one object, so that a codec can be made once for each.

    Attributes:
      name: what it is called.
      dimension: of a vector.
      identity: tree of arrays that its denoiser is made of: what encoder and decoder must both have.
      mean: float64 [dimension].
      covariance: float64 [dimension, dimension].
      sample: `sample(rng, count) -> [count, dimension]`.
      denoise: `denoise(x_t, t) -> E[x_0 | x_t]`, [.., dimension] both; t in [0, 1].
      posterior_sample: `posterior_sample(rng, x_t, t)`: an exact sample of x_0 given x_t; None if only the steps of
        `rdr.codecs.diffusion.process.ancestral` lead there.
      flow: `flow(x_t, t)`: where the probability flow ends, exactly; None if only steps lead there.
      arithmetic: what the denoiser computes with. "float64": in a fixed order, the same everywhere; anything else is
        the name of the only place where its messages can be decoded, such as a kind of device.
      basis: float64 [dimension, dimension], orthonormal columns in whose coordinates codecs send, where components are
        independent or nearly so; None for those of the vectors. Round Gaussian noise is the same in all of them.
      largest: size of numbers that its denoiser takes; larger ones are refused.
    """

    name: str
    dimension: int
    identity: Any
    mean: np.ndarray
    covariance: np.ndarray
    sample: Callable[[np.random.Generator, int], np.ndarray]
    denoise: Callable[[np.ndarray, float], np.ndarray]
    posterior_sample: Callable[[np.random.Generator, np.ndarray, float], np.ndarray] | None
    flow: Callable[[np.ndarray, float], np.ndarray] | None
    arithmetic: str = "float64"
    basis: np.ndarray | None = None
    largest: float = np.inf


def _positive(name: str, values: ArrayLike, rank: int) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != rank or not values.size or not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"{name} must be positive and finite numbers of rank {rank}, got {values}")
    return values


@functools.cache
def gaussian_vector(eigenvalues: tuple[float, ...] = (4.0, 1.0, 0.25)) -> ExactSource:
    """Independent Gaussian components, N(0, diag(eigenvalues)).

    With w = (1 - t) lam + t, E[x_0 | x_t] = sqrt(1 - t) lam / w x_t, of variance lam t / w, and the probability flow
    leads to sqrt(lam / w) x_t.

    Args:
      eigenvalues: variances of the components, > 0.

    Returns:
      The source.

    Raises:
      ValueError: if an eigenvalue is not positive, or there is none.
    """
    lam = _positive("eigenvalues", eigenvalues, 1)
    return ExactSource("gaussian_vector", lam.size, {"eigenvalues": lam}, np.zeros(lam.size), np.diag(lam),
                       *_gaussian_functions(lam))


class _Functions(NamedTuple):
    """The functions of an `ExactSource`."""

    sample: Callable[..., np.ndarray]
    denoise: Callable[..., np.ndarray]
    posterior_sample: Callable[..., np.ndarray]
    flow: Callable[..., np.ndarray]


def _gaussian_functions(lam: np.ndarray) -> _Functions:
    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        return np.sqrt(1.0 - t) * lam / ((1.0 - t) * lam + t) * x

    def posterior_sample(rng: np.random.Generator, x: np.ndarray, t: float) -> np.ndarray:
        return denoise(x, t) + np.sqrt(lam * t / ((1.0 - t) * lam + t)) * rng.standard_normal(x.shape)

    def flow(x: np.ndarray, t: float) -> np.ndarray:
        return np.sqrt(lam / ((1.0 - t) * lam + t)) * x

    def sample(rng: np.random.Generator, count: int) -> np.ndarray:
        return np.sqrt(lam) * rng.standard_normal((count, lam.size))

    return _Functions(sample, denoise, posterior_sample, flow)


@functools.cache
def gaussian_process(coefficient: float = 0.9, length: int = 8, *, variance: float = 1.0) -> ExactSource:
    """Stretches of a first-order autoregressive process, Cov(X_i, X_j) = variance coefficient^|i - j|.

    The Gaussian vector of the covariance's eigenvalues, turned by its eigenvectors.

    Args:
      coefficient: in (-1, 1).
      length: of a stretch.
      variance: of the process, > 0.

    Returns:
      The source.

    Raises:
      ValueError: if an argument is out of its range.
    """
    if not -1.0 < coefficient < 1.0:
        raise ValueError(f"coefficient must be in (-1, 1), got {coefficient}")
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    covariance = float(_positive("variance", [variance], 1)[0]) * coefficient ** np.abs(
        np.subtract.outer(np.arange(length), np.arange(length)))
    eigenvalues, vectors = np.linalg.eigh(covariance)

    def turned(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def outer(*arguments: Any) -> np.ndarray:
            *first, x, t = arguments
            return arithmetic.transform(function(*first, arithmetic.transform(x, vectors), t), vectors.T)

        return outer

    inner = _gaussian_functions(eigenvalues)
    return ExactSource("gaussian_process", length, {"eigenvalues": eigenvalues, "vectors": vectors}, np.zeros(length),
                       covariance, lambda rng, count: inner.sample(rng, count) @ vectors.T, turned(inner.denoise),
                       turned(inner.posterior_sample), turned(inner.flow), basis=vectors)


def mixture(weights: ArrayLike, means: ArrayLike, variances: ArrayLike, *, name: str = "mixture") -> ExactSource:
    """A mixture of Gaussians with independent components.

    x_t is a mixture, too, of N(sqrt(1 - t) m_k, (1 - t) v_k + t), and given the component everything is Gaussian.

    Args:
      weights: [k], > 0; they are normalized.
      means: [k, dimension].
      variances: [k, dimension], > 0.
      name: what it is called.

    Returns:
      The source.

    Raises:
      ValueError: if shapes do not fit, or weights or variances are not positive.
    """
    weights, variances = _positive("weights", weights, 1), _positive("variances", variances, 2)
    means = np.asarray(means, np.float64)
    if means.shape != variances.shape or len(weights) != len(means) or not np.isfinite(means).all():
        raise ValueError(f"weights, means and variances must be finite, [k], [k, d] and [k, d], got shapes "
                         f"{weights.shape}, {means.shape} and {variances.shape}")
    weights = weights / weights.sum()
    mean = weights @ means
    covariance = (weights[:, None] * (means - mean)).T @ (means - mean) + np.diag(weights @ variances)

    def shares(x: np.ndarray, t: float) -> np.ndarray:
        """Probabilities of the components given x_t, [.., k]."""
        spread = (1.0 - t) * variances + t
        away = arithmetic.total(np.square(x[..., None, :] - np.sqrt(1.0 - t) * means) / spread)
        scale = weights / np.sqrt(np.prod(spread, -1))
        likelihood = scale * arithmetic.exp(-0.5 * (away - away.min(-1, keepdims=True)))
        return likelihood / arithmetic.total(likelihood)[..., None]

    def moments(x: np.ndarray, t: float, k: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of x_0 given x_t and the component."""
        spread = (1.0 - t) * variances[k] + t
        root = np.sqrt(1.0 - t)
        return means[k] + root * variances[k] / spread * (x - root * means[k]), variances[k] * t / spread

    def denoise(x: np.ndarray, t: float) -> np.ndarray:
        x = np.asarray(x, np.float64)
        given = shares(x, t)
        result = given[..., :1] * moments(x, t, 0)[0]
        for k in range(1, len(weights)):
            result = result + given[..., k : k + 1] * moments(x, t, k)[0]
        return result

    def posterior_sample(rng: np.random.Generator, x: np.ndarray, t: float) -> np.ndarray:
        below = np.cumsum(shares(x, t), -1)
        k = np.minimum((below < rng.random(x.shape[:-1])[..., None]).sum(-1), len(weights) - 1)
        center, spread = moments(x, t, k)
        return center + np.sqrt(spread) * rng.standard_normal(x.shape)

    def sample(rng: np.random.Generator, count: int) -> np.ndarray:
        k = rng.choice(len(weights), count, p=weights)
        return means[k] + np.sqrt(variances[k]) * rng.standard_normal((count, means.shape[1]))

    identity = {"weights": weights, "means": means, "variances": variances}
    return ExactSource(name, means.shape[1], identity, mean, covariance, sample, denoise, posterior_sample, None)


@functools.cache
def swirl(components: int = 48, *, turns: float = 1.5, deviation: float = 0.12) -> ExactSource:
    """A two-dimensional swirl: equally likely round Gaussians along a spiral, evenly spaced along its length.

    Args:
      components: how many.
      turns: of the spiral, whose radius grows from 0.3 to 2 in proportion to the angle.
      deviation: of each Gaussian.

    Returns:
      The source, a mixture.

    Raises:
      ValueError: if a number is not positive.
    """
    if components < 1 or not 0.0 < turns < np.inf:
        raise ValueError(f"components and turns must be positive, got {components} and {turns}")
    fine = np.linspace(0.0, 1.0, 4097)
    angle, radius = 2.0 * np.pi * turns * fine, 0.3 + 1.7 * fine
    curve = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    places = (np.arange(components) + 0.5) / components * length[-1]
    means = np.stack([np.interp(places, length, curve[:, i]) for i in range(2)], -1)
    return mixture(np.ones(components), means - means.mean(0), np.full((components, 2), deviation**2), name="swirl")
