"""Stationary Gaussian processes: bits per sample from a power spectral density.

The components of a long block of a stationary process are its frequencies, with variances S(f): every
result for Gaussian vectors becomes an integral over frequency, that is, a sum over quadrature nodes whose
weights sum to 1. A spectrum is an array of S at such nodes, S >= 0, normalized so that its (weighted) mean
is the variance of one sample. Rate, distortion and perception are per sample, or per pixel.

The seven functions below are those of `theory.gaussian.vector`, `vector_realism`, `vector_common_randomness` and
`vector_perception` with weights 1/n, the averages over frequency; `weights` [..., n] replaces them, to sum to 1. All
take D, R and P >= 0 per sample, of any shape [...], and the spectrum S >= 0, [..., n]; arguments outside of the domain
are refused, or give NaN inside a trace.

For a spectrum that is smooth and periodic, `uniform_frequencies` (the trapezoid rule) converges faster
than any power as long as no frequency is dropped; the kink of min(theta, S) slows it to second order.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_common_randomness as gaussian_vector_common_randomness
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.gaussian import vector_realism as gaussian_vector_realism
from theory.gaussian.vector_perception import VectorRateDistortionPerception
from theory.numerics.checks import check_domain


def uniform_frequencies(count: int) -> jax.Array:
    """Midpoints of `count` equal intervals of [0, 1/2], in cycles per sample.

    A real process has an even spectrum, so that half of the band, with equal weights, suffices. The nodes
    are the trapezoid rule of the full period, shifted by half a step.

    Args:
      count: number of nodes, >= 1.

    Returns:
      Frequencies, shape [count].

    Raises:
      ValueError: if count < 1.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, got {count}")
    return (jnp.arange(count, dtype=jnp.float64) + 0.5) / (2.0 * count)


def autoregressive_spectrum(
    frequencies: ArrayLike, coefficient: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """Spectrum of the autoregression X_t = a X_{t-1} + U_t with the given variance of X_t.

    S(f) = variance (1 - a^2) / (1 + a^2 - 2 a cos 2 pi f); its innovation variance is variance (1 - a^2).

    Args:
      frequencies: cycles per sample; shape [..., n].
      coefficient: a in (-1, 1); shape [...], broadcast.
      variance: of a sample, >= 0; shape [...], broadcast.

    Returns:
      S, shape [..., n]. Inside a trace a coefficient outside of (-1, 1) or a negative variance gives NaN.

    Raises:
      ValueError: if |a| >= 1 or the variance is negative (outside of a trace).
    """
    check_domain("coefficient", coefficient, minimum=-1.0, maximum=1.0, open_minimum=True)
    check_domain("-coefficient", -jnp.asarray(coefficient), minimum=-1.0, open_minimum=True)
    check_domain("variance", variance, minimum=0.0, finite=True)
    f = jnp.asarray(frequencies, jnp.float64)
    a = jnp.asarray(coefficient, jnp.float64)[..., None]
    v = jnp.asarray(variance, jnp.float64)[..., None]
    f, a, v = jnp.broadcast_arrays(f, a, v)
    # 1 + a^2 - 2 a cos = (1 - a)^2 + 4 a sin^2(half the angle), without cancellation at a = 1.
    spectrum = v * (1.0 - a**2) / ((1.0 - a) ** 2 + 4.0 * a * jnp.sin(jnp.pi * f) ** 2)
    return jnp.where((jnp.abs(a) < 1.0) & (v >= 0.0), spectrum, jnp.nan)


def image_spectrum(
    size: int, variance: ArrayLike = 1.0, *, exponent: ArrayLike = 2.0
) -> tuple[jax.Array, jax.Array]:
    """Power-law spectrum like that of natural images: S(f) proportional to |f|^-exponent on a square grid.

    The frequencies are those of a periodic image of size x size pixels, each of its Fourier components an
    independent Gaussian; the mean gray value, f = 0, is left out (it carries no power). exponent = 2 is the
    "1/f" law of natural images (amplitude 1/f). By symmetry only the quadrant 0 <= f_x, f_y <= 1/2 is
    returned, with weights that make up for it.

    Args:
      size: pixels along each side, >= 2.
      variance: of a pixel, > 0; a number.
      exponent: of the power law, >= 0; a number. 0 is white noise.

    Returns:
      Spectrum and weights, each of shape [(size // 2 + 1)^2 - 1]; the weights sum to 1 - 1/size^2, and the
      weighted sum of the spectrum is the variance. Inside a trace the spectrum is NaN for a variance or exponent
      outside of the domain.

    Raises:
      ValueError: if size < 2, variance <= 0 or exponent < 0 (the last two outside of a trace).

    Reference: [field1987relations] Field, Relations between the statistics of natural images and the response
      properties of cortical cells, 1987.
    """
    if size < 2:
        raise ValueError(f"size must be >= 2, got {size}")
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    check_domain("exponent", exponent, minimum=0.0, finite=True)
    index = jnp.arange(size // 2 + 1)
    # Every frequency but 0 and, for an even size, 1/2 stands for its mirror image as well.
    alone = (index == 0) | (2 * index == size)
    share = jnp.where(alone, 1.0, 2.0) / size
    f = index / size
    squared = (f[:, None] ** 2 + f[None, :] ** 2).reshape(-1)[1:]
    weights = (share[:, None] * share[None, :]).reshape(-1)[1:]
    variance, exponent = jnp.asarray(variance, jnp.float64), jnp.asarray(exponent, jnp.float64)
    shape = squared ** (-0.5 * exponent)
    spectrum = variance * shape / jnp.sum(weights * shape)
    return jnp.where((variance > 0) & (exponent >= 0), spectrum, jnp.nan), weights


def _equal_weights(spectrum: ArrayLike, weights: ArrayLike | None) -> jax.Array:
    spectrum = jnp.asarray(spectrum, jnp.float64)
    if spectrum.ndim == 0 or spectrum.shape[-1] == 0:
        raise ValueError(f"spectrum must have shape [..., n] with n >= 1, got {spectrum.shape}")
    return jnp.full_like(spectrum, 1.0 / spectrum.shape[-1]) if weights is None else jnp.asarray(weights)


def rate_distortion(
    distortion: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes R(D) = int [1/2 log2(S(f)/theta)]_+ df with D = int min(theta, S(f)) df.

    For D <= min S this is 1/2 log2(innovation variance / D), whatever the spectrum (Kolmogorov, Szego).

    Args:
      distortion: D, mean squared error per sample; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Bits per sample, [...].

    Reference: [berger1971rate, kolmogorov1956shannon] Kolmogorov 1956; Berger, Rate Distortion Theory, 1971, section
      4.5.
    """
    return gaussian_vector.rate_distortion(distortion, spectrum, weights=_equal_weights(spectrum, weights))


def distortion_rate(
    rate: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes D(R), the inverse of `rate_distortion`.

    The water level theta is solved for at the given rate.

    Args:
      rate: R, bits per sample; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Mean squared error per sample, [...].

    Reference: as `rate_distortion`.
    """
    return gaussian_vector.distortion_rate(rate, spectrum, weights=_equal_weights(spectrum, weights))


def perfect_realism_rate_distortion(
    distortion: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes R(D) of a process whose reconstruction has the same spectrum, with unlimited common randomness.

    R = int 1/2 log2((1 + sqrt(1 + 4 u^2))/2) df with u = S/theta, D = int 4 S/(1 + 2u + sqrt(1 + 4 u^2)) df. It is
    analytic in f if S is, since no frequency is dropped.

    Args:
      distortion: D, mean squared error per sample; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Bits per sample, [...].

    Reference: the limit of long blocks of `theory.gaussian.vector_realism`.
    """
    weights = _equal_weights(spectrum, weights)
    return gaussian_vector_realism.perfect_realism_rate_distortion(distortion, spectrum, weights=weights)


def perfect_realism_distortion_rate(
    rate: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes D(R) at perfect realism, the inverse of `perfect_realism_rate_distortion`.

    The level theta is solved for at the given rate.

    Args:
      rate: R, bits per sample; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Mean squared error per sample, [...].

    Reference: as `perfect_realism_rate_distortion`.
    """
    weights = _equal_weights(spectrum, weights)
    return gaussian_vector_realism.perfect_realism_distortion_rate(rate, spectrum, weights=weights)


def strong_realism_distortion(
    rate: ArrayLike, common_randomness: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes D(R, C) of a process whose blocks must keep their distribution, with C shared bits per sample.

    Frequencies where S(f)^2 is at most the product of the two prices are left to the decoder's own randomness.

    Args:
      rate: R, bits per sample; [...].
      common_randomness: C >= 0, bits per sample, may be inf; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Mean squared error per sample, [...].

    Reference: the limit of long blocks of `theory.gaussian.vector_common_randomness`.
    """
    weights = _equal_weights(spectrum, weights)
    return gaussian_vector_common_randomness.strong_realism_distortion(
        rate, common_randomness, spectrum, weights=weights)


def strong_realism_rate(
    distortion: ArrayLike, common_randomness: ArrayLike, spectrum: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Computes R(D, C), the inverse of `strong_realism_distortion` in R.

    A shared bit saves at most half a bit of rate, and the first one does.

    Args:
      distortion: D, mean squared error per sample; [...].
      common_randomness: C >= 0, bits per sample, may be inf; [...].
      spectrum: S, [..., n].
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      Bits per sample, [...].

    Reference: as `strong_realism_distortion`.
    """
    weights = _equal_weights(spectrum, weights)
    return gaussian_vector_common_randomness.strong_realism_rate(
        distortion, common_randomness, spectrum, weights=weights)


def rate_distortion_perception(
    distortion: ArrayLike,
    perception: ArrayLike,
    spectrum: ArrayLike,
    *,
    divergence: str = "w2sq",
    weights: ArrayLike | None = None,
) -> VectorRateDistortionPerception:
    """Computes R(D, P) per sample; P is the rate of the divergence between long blocks.

    W2 squared is int (sqrt(S) - sqrt(S_Y))^2 df; KL(reconstruction || source) is in bits.

    Args:
      distortion: D, mean squared error per sample; [...].
      perception: P per sample; [...], broadcast.
      spectrum: S, [..., n].
      divergence: "w2sq" or "kl".
      weights: quadrature weights, [..., n]; 1/n each when None.

    Returns:
      A `VectorRateDistortionPerception`, its rates in bits per sample, its components the frequencies.

    Reference: the limit of long blocks of `theory.gaussian.vector_perception`.
    """
    return gaussian_vector_perception.rate_distortion_perception(
        distortion, perception, spectrum, divergence=divergence, weights=_equal_weights(spectrum, weights))
