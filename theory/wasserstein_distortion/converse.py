"""Converse for any windows, any map of sigma and any linear features, with edges (certified lower bound).

Let a Gaussian image X of covariance Sigma be pooled by windows q_c with weights w_c, and let

    M = sum_c w_c q_c q_c^T      (with linear features F_j of weight a_j: sum_j a_j F_j^T M F_j).

A code of Wasserstein distortion at most D, exact or proxy, has E (X - X')^T M (X - X') <= D, because W2^2 between two
local distributions is at least the squared difference of their means. So it needs at least

    sum_i 1/2 log2(lam_i / theta)_+ bits per image,    sum_i min(theta, lam_i) = D,    lam = eig(Sigma^1/2 M Sigma^1/2),

whatever its randomness and its decoder. sigma = 0 makes M = I/N, the ordinary rate-distortion function; an infinite
sigma leaves one eigenvalue.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.gaussian import vector
from theory.numerics.checks import check_domain, is_concrete


def mean_matrix(windows: ArrayLike, weights: ArrayLike) -> jax.Array:
    """Computes M = sum_c w_c q_c q_c^T.

    Args:
      windows: q_c >= 0, each summing to 1; shape [c, N].
      weights: w_c >= 0, summing to 1; shape [c].

    Returns:
      M, positive semi-definite, shape [N, N].

    Raises:
      ValueError: if shapes do not fit, or a value is negative (outside of a trace).
    """
    windows, weights = jnp.asarray(windows, jnp.float64), jnp.asarray(weights, jnp.float64)
    if windows.ndim != 2 or weights.shape != windows.shape[:1]:
        raise ValueError(f"windows must have shape [c, N] and weights [c], got {windows.shape} and {weights.shape}")
    check_domain("windows", windows, minimum=0.0, finite=True)
    check_domain("weights", weights, minimum=0.0, finite=True)
    return (windows * weights[:, None]).T @ windows


def feature_matrix(matrix: ArrayLike, features: ArrayLike, feature_weights: ArrayLike) -> jax.Array:
    """Computes sum_j a_j F_j^T M F_j for linear features pooled by the same windows.

    Several features are one joint source: their rates do not add up.

    Args:
      matrix: M of the features' positions, shape [N, N].
      features: F_j, shape [j, N, pixels].
      feature_weights: a_j >= 0; shape [j].

    Returns:
      Shape [pixels, pixels].

    Raises:
      ValueError: if shapes do not fit, or a weight is negative (outside of a trace).
    """
    matrix, features = jnp.asarray(matrix, jnp.float64), jnp.asarray(features, jnp.float64)
    a = jnp.asarray(feature_weights, jnp.float64)
    if features.ndim != 3 or matrix.shape != (features.shape[1],) * 2 or a.shape != features.shape[:1]:
        raise ValueError("matrix [N, N], features [j, N, pixels] and feature_weights [j] must fit, got "
                         f"{matrix.shape}, {features.shape} and {a.shape}")
    check_domain("feature_weights", a, minimum=0.0, finite=True)
    return jnp.einsum("j,jnp,nm,jmq->pq", a, features, matrix, features)


def pooled_eigenvalues(matrix: ArrayLike, covariance: ArrayLike | None = None) -> jax.Array:
    """Computes the eigenvalues of Sigma^1/2 M Sigma^1/2, ascending.

    Args:
      matrix: M, symmetric and positive semi-definite; shape [N, N].
      covariance: Sigma, symmetric and positive definite, shape [N, N]; the identity (white, variance 1) by default.

    Returns:
      lam >= 0, shape [N]; they sum to tr(M Sigma), the distortion of the pooled means at rate 0. Inside a trace a
      covariance that is not positive definite gives NaN.

    Raises:
      ValueError: if shapes do not fit, or the covariance is not positive definite (outside of a trace).
    """
    matrix = jnp.asarray(matrix, jnp.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix must have shape [N, N], got {matrix.shape}")
    if covariance is not None:
        factor = covariance_factor(covariance, matrix.shape[0])
        matrix = factor.T @ matrix @ factor
    matrix = 0.5 * (matrix + matrix.T)
    # Outside of a trace LAPACK is asked for values alone, which halves the time of large matrices.
    values = jnp.asarray(np.linalg.eigvalsh(matrix)) if is_concrete(matrix) else jnp.linalg.eigvalsh(matrix)
    return jnp.maximum(values, 0.0)


def covariance_factor(covariance: ArrayLike, size: int) -> jax.Array:
    """Factors a covariance, Sigma = L L^T, and refuses one that is none.

    Args:
      covariance: Sigma, shape [size, size].
      size: N, pixels.

    Returns:
      L, lower triangular, shape [size, size]; NaN inside a trace if Sigma is not positive definite.

    Raises:
      ValueError: if the shape does not fit, or the covariance is not positive definite (outside of a trace).
    """
    covariance = jnp.asarray(covariance, jnp.float64)
    if covariance.shape != (size, size):
        raise ValueError(f"covariance must have the shape {(size, size)}, got {covariance.shape}")
    check_domain("covariance", covariance, finite=True)
    factor = jnp.linalg.cholesky(covariance)  # NaN unless positive definite
    if is_concrete(factor) and not bool(jnp.isfinite(factor).all()):
        raise ValueError("covariance must be positive definite, got one that is not")
    return factor


def converse_rate(distortion: ArrayLike, eigenvalues: ArrayLike) -> jax.Array:
    """Computes the bits per image that Wasserstein distortion D costs at least (certified lower bound).

    Args:
      distortion: D >= 0, exact or proxy Wasserstein distortion of the image; shape [...].
      eigenvalues: from `pooled_eigenvalues`; shape [N].

    Returns:
      Bits per image; shape [...]. Differentiable in both.

    Raises:
      ValueError: if D or an eigenvalue is negative (outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md from kolmogorov1956shannon, gelbrich1990.
    """
    return vector.rate_distortion(distortion, eigenvalues)
