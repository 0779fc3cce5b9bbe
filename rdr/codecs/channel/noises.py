"""Additive noise with a symmetric unimodal density, as a mixture of uniform noises, and models of sources.

A symmetric unimodal density f is a mixture of uniform densities on [-a, a]: the half-width A of a layer has the density
-2 a f'(a). A layer is drawn by its quantile function from a shared 32-bit word V: A = quantile((V + 1/2) / 2^32).
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, gammainccinv, gammaincinv, ndtr

Source = Callable[[np.ndarray], np.ndarray]

_CELL_BITS = 12
_DEGREE = 5
_TOLERANCE = 2.0**-34  # of interpolation, relative: a quarter of what 32 bits resolve


class Noise(NamedTuple):
    """Noise of scale 1.

    Attributes:
      name: in words, ASCII.
      quantile: `quantile(below, above) -> half-width` of a layer from the probabilities of smaller and of larger ones,
        which add up to 1 (both are given, since one is exact where the other is rounded); None for uniform noise on
        [-1, 1], whose half-width is always 1.
    """

    name: str
    quantile: Callable[[np.ndarray, np.ndarray], np.ndarray] | None


def _chosen(below, lower, upper):
    """Of two inverses, of a distribution function and of its complement, the one that is exact."""
    return np.where(below < 0.5, lower, upper)


@functools.cache
def gaussian_noise() -> Noise:
    """Gaussian noise; its scale is the standard deviation.

    Layers are sqrt(2 T) with T ~ Gamma(3/2): a chi distribution of three degrees of freedom.

    Returns:
      The noise.
    """
    def quantile(below, above):
        return np.sqrt(2 * _chosen(below, gammaincinv(1.5, below), gammainccinv(1.5, above)))

    return Noise("gaussian", quantile)


@functools.cache
def laplace_noise() -> Noise:
    """Laplace noise exp(-|z| / b) / (2 b); its scale is b. Layers are Gamma(2).

    Returns:
      The noise.
    """
    return Noise("laplace", lambda below, above: _chosen(below, gammaincinv(2.0, below), gammainccinv(2.0, above)))


@functools.cache
def student_t_noise(degrees: float) -> Noise:
    """Student-t noise, proportional to (1 + z^2 / nu)^(-(nu + 1) / 2); its scale multiplies z.

    Layers are sqrt(nu B / (1 - B)) with B ~ Beta(3/2, nu/2).

    Args:
      degrees: nu, from 0.5 on: below, words of 32 bits would not resolve the tail.

    Returns:
      The noise.

    Raises:
      ValueError: if `degrees` is smaller or not finite.
    """
    if not 0.5 <= degrees < np.inf:
        raise ValueError(f"degrees must be finite and at least 0.5, got {degrees}")

    def quantile(below, above):
        b = _chosen(below, betaincinv(1.5, degrees / 2, below), 1.0)
        rest = _chosen(below, 1.0 - b, betaincinv(degrees / 2, 1.5, above))
        return np.sqrt(degrees * np.where(below < 0.5, b, 1.0 - rest) / rest)

    return Noise(f"student-t-{degrees:g}", quantile)


@functools.cache
def uniform_noise() -> Noise:
    """Uniform noise; its scale is the half-width.

    Returns:
      The noise.
    """
    return Noise("uniform", None)


class LayerSampler(NamedTuple):
    """A noise's quantile function as a table of polynomials, with the function itself where those are not exact.

    Attributes:
      coefficients: float64 [degree + 1, 2^12], of the fraction in [0, 1) of a cell of V, highest power first.
      direct: bool [2^12], cells in which the function is evaluated.
      quantile: the function.
    """

    coefficients: np.ndarray
    direct: np.ndarray
    quantile: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _probabilities(cell, fraction):
    """Probabilities below and above a place in a cell, without rounding near either end."""
    cells = 2**_CELL_BITS
    return (cell + fraction) / cells, (cells - 1 - cell + (1 - fraction)) / cells


@functools.cache
def layer_sampler(noise: Noise) -> LayerSampler:
    """Tabulates a noise's layers.

    Args:
      noise: not the uniform one.

    Returns:
      The sampler.

    Raises:
      ValueError: if the noise is uniform, or the quantile function does not increase or is not positive.
    """
    quantile = noise.quantile
    if quantile is None:
        raise ValueError(f"noise must have layers of more than one width, got {noise.name!r}")
    cell = np.arange(2**_CELL_BITS, dtype=np.float64)[:, None]
    nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    checks = np.linspace(0.005, 0.995, 23)
    values = quantile(*_probabilities(cell, nodes))
    exact = quantile(*_probabilities(cell, checks))
    if not (np.isfinite(exact).all() and (exact > 0).all() and (np.diff(exact.ravel()) >= 0).all()):
        raise ValueError(f"the layers of noise {noise.name!r} must have a positive, increasing quantile function")
    coefficients = np.linalg.solve(np.vander(nodes), values.T)
    error = np.abs(np.vander(checks, _DEGREE + 1) @ coefficients - exact.T) / exact.T
    return LayerSampler(coefficients, error.max(0) > _TOLERANCE, quantile)


def half_widths(sampler: LayerSampler, words: np.ndarray) -> np.ndarray:
    """Draws the half-widths of layers.

    Args:
      sampler: of the noise.
      words: uint32 [n], shared.

    Returns:
      float64 [n]: quantile((V + 1/2) / 2^32) up to 2^-34.
    """
    cell = (words >> np.uint32(32 - _CELL_BITS)).astype(np.int32)
    fraction = ((words & np.uint32(2 ** (32 - _CELL_BITS) - 1)) + 0.5) * 2.0 ** (_CELL_BITS - 32)
    result = sampler.coefficients[0].take(cell)
    for row in sampler.coefficients[1:]:
        result *= fraction
        result += row.take(cell)
    direct = np.flatnonzero(sampler.direct.take(cell))
    result[direct] = sampler.quantile(*_probabilities(cell[direct], fraction[direct]))
    return result


def gaussian_source(mean: float = 0.0, scale: float = 1.0) -> Source:
    """A Gaussian as the model of a source.

    Args:
      mean: its mean.
      scale: its standard deviation, > 0.

    Returns:
      Its cumulative distribution function.

    Raises:
      ValueError: if the scale is not positive.
    """
    return mixture_source([1.0], [mean], [scale])


def mixture_source(weights: Sequence[float], means: Sequence[float], scales: Sequence[float]) -> Source:
    """A mixture of Gaussians as the model of a source.

    Args:
      weights: non-negative, at least one positive; they are normalized.
      means: of the components.
      scales: their standard deviations, > 0.

    Returns:
      Its cumulative distribution function.

    Raises:
      ValueError: if lengths differ, a weight is negative or a scale is not positive.
    """
    w, m, s = (np.asarray(v, np.float64) for v in (weights, means, scales))
    if w.ndim != 1 or w.shape != m.shape or w.shape != s.shape:
        raise ValueError(f"weights, means and scales must be of one length, got {w.shape}, {m.shape} and {s.shape}")
    if not (np.isfinite([w, m, s]).all() and (w >= 0).all() and w.sum() > 0 and (s > 0).all()):
        raise ValueError("weights must be finite and non-negative with a positive sum, scales finite and positive")

    def cdf(x):
        return np.asarray(sum(a * ndtr((x - b) / c) for a, b, c in zip(w / w.sum(), m, s)))

    return cdf
