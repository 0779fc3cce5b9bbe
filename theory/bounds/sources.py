"""Sources of random data: sampler, density, moments, entropy.

A sample has shape [*shape, dimension], also for scalar sources (dimension 1), and distortion and W2^2 of a sample
are sums over its components. Sawbridge and ramp are sampled at the midpoints of a grid and divided by the square
root of the number of points, so that sums of squares are the squared L^2([0, 1]) norm.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from theory.closed_form import manifolds
from theory.numerics.checks import check_domain


class Source(NamedTuple):
    """A source of independent samples.

    Attributes:
      name: "gaussian", "gaussian_vector", "laplace", "uniform", "bernoulli", "banana", "sawbridge", "ramp", "circle".
      dimension: number of components of a sample, an int.
      parameters: what the distribution depends on, by name.
      sample: (key, shape) -> samples, float64 [*shape, dimension]; `key` is the source's own.
      log_density: x [..., dimension] -> natural logarithm of the density, of the probability for "bernoulli", [...];
        None where the distribution lies on a curve and has no density.
      mean: [dimension].
      covariance: [dimension, dimension].
      entropy: differential entropy, of "bernoulli" the entropy, bits; -inf where there is no density.
    """

    name: str
    dimension: int
    parameters: Mapping[str, Any]
    sample: Callable[[jax.Array, Sequence[int]], jax.Array]
    log_density: Callable[[jax.Array], jax.Array] | None
    mean: np.ndarray
    covariance: np.ndarray
    entropy: float


def _scalar(name, parameters, sample, log_density, mean, variance, entropy):
    def sample_scalar(key, shape=()):
        return sample(key, (*shape, 1)).astype(jnp.float64)

    def log_density_scalar(x):
        return log_density(jnp.asarray(x, jnp.float64)[..., 0])

    return Source(name, 1, parameters, sample_scalar, log_density_scalar, np.array([float(mean)]),
                  np.array([[float(variance)]]), float(entropy))


def gaussian(mean: float = 0.0, variance: float = 1.0) -> Source:
    """The Gaussian source N(mean, variance).

    Args:
      mean: the mean.
      variance: the variance, > 0.

    Returns:
      The source.

    Raises:
      ValueError: if `variance` is not positive.
    """
    check_domain("mean", mean, finite=True)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _scalar(
        "gaussian", {"mean": float(mean), "variance": float(variance)},
        lambda key, shape: mean + np.sqrt(variance) * jax.random.normal(key, shape, jnp.float64),
        lambda x: -((x - mean) ** 2) / (2 * variance) - 0.5 * np.log(2 * np.pi * variance),
        mean, variance, 0.5 * np.log2(2 * np.pi * np.e * variance),
    )


def gaussian_vector(eigenvalues: Sequence[float] = (4.0, 1.0, 0.25)) -> Source:
    """Independent Gaussian components, N(0, diag(eigenvalues)): any Gaussian vector in its own coordinates.

    Args:
      eigenvalues: variances of the components, > 0.

    Returns:
      The source.

    Raises:
      ValueError: if there is no eigenvalue, or one is not positive.
    """
    check_domain("eigenvalues", eigenvalues, minimum=0.0, open_minimum=True, finite=True)
    variances = np.asarray(eigenvalues, np.float64)
    if variances.ndim != 1 or not variances.size:
        raise ValueError(f"eigenvalues must have shape [n] with n >= 1, got shape {variances.shape}")
    n = variances.size

    def sample(key, shape=()):
        normal = jax.random.normal(key, (math.prod(shape) * n,), jnp.float64).reshape(*shape, n)  # compiles faster
        return normal * np.sqrt(variances).reshape((1,) * len(shape) + (n,))

    def log_density(x):
        x = jnp.asarray(x, jnp.float64)
        scaled = x**2 / variances.reshape((1,) * (x.ndim - 1) + (n,))
        return -0.5 * jnp.sum(scaled, -1) - 0.5 * np.sum(np.log(2 * np.pi * variances))

    return Source("gaussian_vector", n, {"eigenvalues": variances}, sample, log_density, np.zeros(n),
                  np.diag(variances), float(0.5 * np.sum(np.log2(2 * np.pi * np.e * variances))))


def laplace(scale: float = 1.0) -> Source:
    """The centered Laplacian source, density exp(-|x| / scale) / (2 scale), variance 2 scale^2.

    Args:
      scale: > 0.

    Returns:
      The source.

    Raises:
      ValueError: if `scale` is not positive.
    """
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    return _scalar(
        "laplace", {"scale": float(scale)},
        lambda key, shape: scale * jax.random.laplace(key, shape, jnp.float64),
        lambda x: -jnp.abs(x) / scale - np.log(2 * scale), 0.0, 2 * scale**2, np.log2(2 * np.e * scale),
    )


def uniform(low: float = -0.5, high: float = 0.5) -> Source:
    """The uniform source on [low, high].

    Args:
      low: lower end.
      high: upper end, above `low`.

    Returns:
      The source.

    Raises:
      ValueError: if the interval is empty.
    """
    check_domain("high - low", high - low, minimum=0.0, open_minimum=True, finite=True)
    width = high - low

    def log_density(x):
        return jnp.where((x >= low) & (x <= high), -np.log(width), -jnp.inf)

    return _scalar(
        "uniform", {"low": float(low), "high": float(high)},
        lambda key, shape: jax.random.uniform(key, shape, jnp.float64, low, high), log_density,
        (low + high) / 2, width**2 / 12, np.log2(width),
    )


def bernoulli(probability: float = 0.5) -> Source:
    """The Bernoulli source on {0, 1}.

    Args:
      probability: of 1, in [0, 1].

    Returns:
      The source; its samples are 0.0 and 1.0.

    Raises:
      ValueError: if `probability` lies outside of [0, 1].
    """
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    p = float(probability)
    masses = np.array([1 - p, p])
    with np.errstate(divide="ignore"):
        log_masses = np.log(masses)

    def log_density(x):
        return jnp.where(x == 0, log_masses[0], jnp.where(x == 1, log_masses[1], -jnp.inf))

    positive = masses[masses > 0]
    return _scalar(
        "bernoulli", {"probability": p}, lambda key, shape: jax.random.bernoulli(key, p, shape), log_density, p,
        p * (1 - p), -np.sum(positive * np.log2(positive)),
    )


def banana() -> Source:
    """The banana in the plane: a Gaussian bent by a parabola, rotated and shifted.

    x = R(240 degrees)^T (y1, y2 - 0.1 y1^2) - 1 with y ~ N(0, diag(9, 0.25)).

    Returns:
      The source.

    Reference:
      [balle2021nonlinear] Balle et al. 2021, "Nonlinear transform coding" (arXiv 2007.03034).
    """
    angle = np.deg2rad(240.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def sample(key, shape=()):
        y = jax.random.normal(key, (*shape, 2), jnp.float64)
        long, short = 3.0 * y[..., 0], 0.5 * y[..., 1]
        return jnp.stack([long, short - 0.1 * long**2], axis=-1) @ rotation - 1.0

    def log_density(x):
        bent = (jnp.asarray(x, jnp.float64) + 1.0) @ rotation.T
        long, short = bent[..., 0], bent[..., 1] + 0.1 * bent[..., 0] ** 2
        return -0.5 * ((long / 3.0) ** 2 + (short / 0.5) ** 2) - np.log(2 * np.pi * 3.0 * 0.5)

    mean, covariance = manifolds.banana_moments()
    return Source("banana", 2, {}, sample, log_density, mean, covariance, manifolds.banana_entropy())


def circle() -> Source:
    """A uniform point of the unit circle in the plane.

    Returns:
      The source; it has no density.
    """
    def sample(key, shape=()):
        turn = 2 * np.pi * jax.random.uniform(key, tuple(shape), jnp.float64)
        return jnp.stack([jnp.cos(turn), jnp.sin(turn)], axis=-1)

    return Source("circle", 2, {}, sample, None, np.zeros(2), np.eye(2) / 2, -np.inf)


def _process(name, points, realize, covariance):
    check_domain("points", points, minimum=1)
    times = (np.arange(points) + 0.5) / points

    def sample(key, shape=()):
        u = jax.random.uniform(key, (*shape, 1), jnp.float64)
        grid = times.reshape((1,) * len(shape) + (points,))
        return realize(grid, u) / np.sqrt(points)

    return Source(name, points, {"points": points}, sample, None, np.zeros(points),
                  covariance(times[:, None], times[None, :]) / points, -np.inf)


def sawbridge(points: int = 1024) -> Source:
    """The sawbridge X(t) = t - 1{t >= U}, U uniform on [0, 1]: a line with one jump.

    Args:
      points: number of samples on [0, 1], the dimension.

    Returns:
      The source; it has no density. Its covariance is that of a Brownian bridge.

    Raises:
      ValueError: if `points` is below 1.

    Reference:
      [wagner2021neural, donoho1998data] Donoho, Vetterli, DeVore and Daubechies 1998 ("ramp" there); Wagner and Balle
      2021 (arXiv 2011.05065).
    """
    return _process("sawbridge", points, lambda t, u: t - (t >= u), lambda s, t: np.minimum(s, t) - s * t)


def ramp(points: int = 1024) -> Source:
    """The ramp Y(t) = (t + V mod 1) - 1/2, V uniform on [0, 1]: a saw tooth of random phase, stationary.

    Args:
      points: number of samples on [0, 1], the dimension.

    Returns:
      The source; it has no density.

    Raises:
      ValueError: if `points` is below 1.

    Reference:
      [bhadane2022ramp, wagner2021neural] Bhadane, Wagner and Balle 2022 (arXiv 2205.08518).
    """
    def covariance(s, t):
        gap = np.abs(s - t)
        return 1 / 12 - gap * (1 - gap) / 2

    return _process("ramp", points, lambda t, u: (t + u) % 1.0 - 0.5, covariance)


SOURCES = {
    source.__name__: source
    for source in (gaussian, gaussian_vector, laplace, uniform, bernoulli, banana, circle, sawbridge, ramp)
}
