"""Sources that estimators are tested on: samplers, and rates that are known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import special

from theory.closed_form import shannon_lower_bound
from theory.continuous.panels import gauss_legendre
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits

SPHERE_NOISE = 0.1  # variance of each component of the noise of `noisy_sphere`


def decaying_gaussian_variances(dimension: int = 40) -> jax.Array:
    """Variances sigma_k^2 of the Gaussian vector with sigma_k = 2 exp(-k / 2), k = 1 .. dimension.

    Args:
      dimension: d >= 1.

    Returns:
      [d], decreasing; `theory.gaussian.vector.rate_distortion` has its R(D).

    Raises:
      ValueError: if the dimension is not positive.
    """
    check_domain("dimension", dimension, minimum=1, finite=True)
    return 4.0 * jnp.exp(-jnp.arange(1, dimension + 1, dtype=jnp.float64))


def gaussian_samples(key: jax.Array, number: int, variances: ArrayLike) -> jax.Array:
    """Samples of a Gaussian vector with mean 0 and independent components.

    Args:
      key: of the draws.
      number: of samples, n.
      variances: [d] >= 0.

    Returns:
      [n, d].

    Raises:
      ValueError: if a variance is negative.
    """
    check_domain("variances", variances, minimum=0.0, finite=True)
    deviations = jnp.sqrt(jnp.asarray(variances, jnp.float64))
    return deviations[None] * jax.random.normal(key, (number, deviations.shape[0]), jnp.float64)


def banana_samples(key: jax.Array, number: int) -> jax.Array:
    """Samples of the banana, whose density `theory.continuous.banana` has: R(240 degrees)^T (y1, y2 - y1^2 / 10) - 1.

    Args:
      key: of the draws y ~ N(0, diag(9, 1/4)).
      number: of samples, n.

    Returns:
      [n, 2].

    Reference:
      [balle2021nonlinear] Balle et al. 2021, "Nonlinear transform coding" (arXiv 2007.03034).
    """
    y = jax.random.normal(key, (number, 2), jnp.float64) * jnp.asarray([[3.0, 0.5]])
    angle = np.deg2rad(240.0)
    rotation = jnp.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return jnp.stack([y[:, 0], y[:, 1] - 0.1 * y[:, 0] ** 2], -1) @ rotation - 1.0


def noisy_sphere_samples(key: jax.Array, number: int, dimension: int) -> jax.Array:
    """Samples of X = U + N(0, I / 10), U uniform on the unit sphere of R^d: a deconvolution problem.

    Args:
      key: of the draws.
      number: of samples, n.
      dimension: d >= 1.

    Returns:
      [n, d].

    Raises:
      ValueError: if the dimension is not positive.

    Reference:
      [yang2023wasserstein] Yang, Eckstein, Nutz and Mandt 2023, section 5.
    """
    check_domain("dimension", dimension, minimum=1, finite=True)
    sphere_key, noise_key = jax.random.split(key)
    center = jax.random.normal(sphere_key, (number, dimension), jnp.float64)
    center = center / jnp.linalg.norm(center, axis=-1, keepdims=True)
    return center + SPHERE_NOISE**0.5 * jax.random.normal(noise_key, (number, dimension), jnp.float64)


def noisy_sphere_entropy(dimension: int) -> float:
    """Differential entropy of `noisy_sphere_samples`, by a quadrature over the radius.

    The density at radius r is (2 pi v)^(-d/2) exp(-(r^2 + 1) / (2 v)) E exp(r U_1 / v) with v = 1/10, and E exp(k U_1)
    = Gamma(d/2) (2/k)^(d/2 - 1) I_{d/2 - 1}(k).

    Args:
      dimension: d >= 1.

    Returns:
      Bits.

    Raises:
      ValueError: if the dimension is not positive.
    """
    check_domain("dimension", dimension, minimum=1, finite=True)
    d, v = int(dimension), SPHERE_NOISE
    reach = 1.0 + np.sqrt(v) * (np.sqrt(d) + 12.0)
    nodes, weights = gauss_legendre(np.linspace(0.0, reach, 101), 16)
    radius, weights = nodes.ravel(), weights.ravel()
    order, k = 0.5 * d - 1.0, radius / v
    log_mean = special.gammaln(0.5 * d) + order * np.log(2.0 / k) + np.log(special.ive(order, k)) + k
    log_density = -0.5 * d * np.log(2.0 * np.pi * v) - (radius**2 + 1.0) / (2.0 * v) + log_mean
    log_area = np.log(2.0) + 0.5 * d * np.log(np.pi) - special.gammaln(0.5 * d) + (d - 1.0) * np.log(radius)
    return float(nats_to_bits(-np.sum(weights * np.exp(log_area + log_density) * log_density)))


def noisy_sphere_rate(distortion: ArrayLike, dimension: int) -> jax.Array:
    """R(D) of `noisy_sphere_samples` for 0 < D <= d / 10, where Shannon's lower bound is reached.

    X = (U + N(0, (v - D/d) I)) + N(0, D/d I): the first term is the reproduction.

    Args:
      distortion: D, squared error summed over components; any shape.
      dimension: d >= 1.

    Returns:
      Bits per vector.

    Raises:
      ValueError: if a distortion lies outside of (0, d / 10].
    """
    check_domain("distortion", distortion, minimum=0.0, maximum=SPHERE_NOISE * dimension, open_minimum=True)
    return shannon_lower_bound.squared_error(distortion, noisy_sphere_entropy(dimension), dimension=dimension)


def noisy_sphere_value(dimension: int, *, slope: float | None = None) -> jax.Array:
    """Least rate plus slope times distortion, min R(D) + s D, of `noisy_sphere_samples`.

    At D = d / (2 s) in nats, where dR/dD = -s. The slope 5 nats (the default) is the least one whose D is at most d/10;
    in the units of the reference, |x - y|^2 / 2 and nats, the multiplier is 10 there, and the values are 2.540630,
    5.178030 and 8.448071 nats for d = 2, 5, 10.

    Args:
      dimension: d >= 1.
      slope: s, bits per unit of squared error, at least 5 / ln 2; None for that.

    Returns:
      Bits per vector.

    Raises:
      ValueError: if the slope is less than 5 / ln 2.

    Reference:
      [yang2023wasserstein] Yang, Eckstein, Nutz and Mandt 2023, section 5.
    """
    least = float(nats_to_bits(0.5 / SPHERE_NOISE))
    slope = least if slope is None else slope
    check_domain("slope", slope, minimum=least * (1.0 - 1e-12), finite=True)
    distortion = min(0.5 * dimension / float(bits_to_nats(slope)), SPHERE_NOISE * dimension)
    return noisy_sphere_rate(distortion, dimension) + slope * distortion
