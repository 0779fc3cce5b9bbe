"""Zero rate: local moments of Gaussian images, and the distortion that no bits at all leave.

For a window q and X ~ N(0, Sigma), the local mean m = q^T X and the local variance v^2 = X^T W X, W = diag(q) - q q^T,
with lam = eig(Sigma^1/2 W Sigma^1/2), satisfy

    Var m = q^T Sigma q,    E v = 1/(2 sqrt(pi)) int_0^inf [1 - prod_i (1 + 2 t lam_i)^-1/2] t^-3/2 dt,
    Var v = tr(W Sigma) - (E v)^2.

An image X' that is independent of X has E WD >= D0 = sum_c w_c (Var m + Var v), under the proxy loss, and a realization
drawn afresh has exactly 2 D0.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.wasserstein_distortion.pyramid import pyramid_levels

_STEP, _STEPS = 0.125, 304  # nodes on both sides: e^-38 is nothing


class LocalMoments(NamedTuple):
    """Moments of the local mean and the local standard deviation in a window.

    Attributes:
      mean_variance: Var m.
      deviation_mean: E v.
      deviation_variance: Var v.
    """

    mean_variance: jax.Array
    deviation_mean: jax.Array
    deviation_variance: jax.Array


def _expected_root(log_determinant, trace):
    """E v from t -> ln prod (1 + 2 t lam) by the trapezoid rule in ln t, which converges exponentially."""
    some = trace > 1e-14
    scale = jnp.where(some, trace, 1.0)
    x = _STEP * np.arange(-_STEPS, _STEPS + 1)
    values = -jnp.expm1(-0.5 * lax.map(log_determinant, jnp.exp(2.0 * x) / (2.0 * scale)))
    # t = e^(2x) / (2 trace): dt t^-3/2 = 2 sqrt(2 trace) e^-x dx.
    return jnp.where(some, jnp.sqrt(2.0 * scale / np.pi) * _STEP * jnp.sum(values * np.exp(-x)), 0.0)


@jax.jit
def _white_moments(window):
    energy = jnp.sum(jnp.square(window))

    def log_determinant(t):  # of I + 2 t (diag q - q q^T), sum q = 1
        grown = 2.0 * t * window
        lost = jnp.sum(grown * window / (1.0 + grown))
        left = jnp.sum(window / (1.0 + grown))
        small = lost < 0.5
        tail = jnp.where(small, jnp.log1p(-jnp.where(small, lost, 0.0)), jnp.log(jnp.where(small, 1.0, left)))
        return jnp.sum(jnp.log1p(grown)) + tail

    mean = _expected_root(log_determinant, 1.0 - energy)
    return LocalMoments(energy, mean, jnp.maximum(1.0 - energy - mean**2, 0.0))


@jax.jit
def _colored_moments(window, covariance):
    root = jnp.linalg.cholesky(covariance)
    pooled = root.T @ window
    trace = jnp.sum(window * jnp.diagonal(covariance)) - jnp.sum(jnp.square(pooled))
    quadratic = (root.T * window[None]) @ root - jnp.outer(pooled, pooled)
    eigenvalues = jnp.maximum(jnp.linalg.eigvalsh(quadratic), 0.0)
    mean = _expected_root(lambda t: jnp.sum(jnp.log1p(2.0 * t * eigenvalues)), trace)
    return LocalMoments(jnp.sum(jnp.square(pooled)), mean, jnp.maximum(trace - mean**2, 0.0))


def local_moments(window: ArrayLike, covariance: ArrayLike | None = None) -> LocalMoments:
    """Computes the moments of local mean and deviation of a Gaussian image in one window (exact up to quadrature).

    Args:
      window: q >= 0, summing to 1; shape [N].
      covariance: Sigma, positive definite, shape [N, N]; the identity by default, for which no eigenvalues are needed.

    Returns:
      `LocalMoments`. Inside a trace a covariance that is not positive definite gives NaN.

    Raises:
      ValueError: if shapes do not fit, the window is negative or does not sum to 1, or the covariance is not positive
        definite (outside of a trace).
    """
    check_domain("window", window, minimum=0.0, finite=True)
    window = jnp.asarray(window, jnp.float64)
    if window.ndim != 1 or not window.size:
        raise ValueError(f"window must have shape [N], got {window.shape}")
    total = jnp.sum(window)
    if not isinstance(total, jax.core.Tracer) and abs(float(total) - 1.0) > 1e-9:
        raise ValueError(f"window must sum to 1, got {float(total):g}")
    if covariance is None:
        return _white_moments(window)
    covariance = jnp.asarray(covariance, jnp.float64)
    if covariance.shape != (window.size, window.size):
        raise ValueError(f"covariance must have shape {(window.size,) * 2}, got {covariance.shape}")
    check_domain("covariance", covariance, finite=True)
    moments = _colored_moments(window, covariance)
    if not isinstance(moments.deviation_mean, jax.core.Tracer) and not bool(jnp.isfinite(moments.mean_variance)):
        raise ValueError("covariance must be positive definite, got one that is not")
    return moments


def zero_rate_distortion(windows: ArrayLike, weights: ArrayLike, covariance: ArrayLike | None = None) -> jax.Array:
    """Computes D0 = sum_c w_c (Var m + Var v), the least proxy distortion without any bits (exact).

    Args:
      windows: q_c, shape [c, N].
      weights: w_c >= 0; shape [c].
      covariance: Sigma, positive definite, shape [N, N]; the identity by default.

    Returns:
      D0; a realization that is independent of the image has 2 D0.

    Raises:
      ValueError: if shapes do not fit.
    """
    windows, weights = jnp.asarray(windows, jnp.float64), jnp.asarray(weights, jnp.float64)
    if windows.ndim != 2 or weights.shape != windows.shape[:1]:
        raise ValueError(f"windows must have shape [c, N] and weights [c], got {windows.shape} and {weights.shape}")
    if covariance is None:
        moments = lax.map(_white_moments, windows)
    else:
        covariance = jnp.asarray(covariance, jnp.float64)
        if covariance.shape != (windows.shape[1],) * 2:
            raise ValueError(f"covariance must have shape {(windows.shape[1],) * 2}, got {covariance.shape}")
        moments = lax.map(lambda q: _colored_moments(q, covariance), windows)
    return jnp.sum(weights * (moments.mean_variance + moments.deviation_variance))


def pyramid_zero_rate_distortion(sigma: ArrayLike) -> jax.Array:
    """Computes D0 of white images of variance 1 for a map of sigma pooled by the pyramid's windows (exact).

    Windows that are reflections of each other have the same moments and are evaluated once.

    Args:
      sigma: standard deviation asked for at each pixel, 0 to infinity; shape [height, width].

    Returns:
      D0; between two independent white images the loss is 2 D0.

    Raises:
      ValueError: if sigma has another shape, or is negative (outside of a trace).
    """
    total = jnp.asarray(0.0)
    for rows, columns, weights in pyramid_levels(sigma):
        (row_kinds, row_of), (column_kinds, column_of) = (_kinds(windows) for windows in (rows, columns))
        merged = np.eye(len(row_kinds))[:, row_of] @ weights @ np.eye(len(column_kinds))[:, column_of].T
        windows = np.einsum("ah,bw->abhw", row_kinds, column_kinds).reshape(merged.size, -1)
        total = total + zero_rate_distortion(windows, merged.reshape(-1))
    return total


def _kinds(windows):
    """Windows that differ by more than the order of their taps, and which of them each one is."""
    ordered = np.sort(windows, 1)
    _, first, which = np.unique(np.round(ordered, 14), axis=0, return_index=True, return_inverse=True)
    kinds = ordered[first]
    return kinds[:, kinds.max(0) > 0], which.reshape(-1)
