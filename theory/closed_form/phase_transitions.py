"""The slope at which R(D) under squared error becomes positive: the optimal reproduction leaves a single point.

Slopes are -dR/dD in bits per unit of squared error.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.gaussian.vector import eigenvalues_of
from theory.numerics.checks import check_domain, check_pmf, is_concrete, normalized_pmf
from theory.numerics.elementwise import nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

_GRID = 4096
_REFINEMENTS = 60


class CriticalSlope(NamedTuple):
    """The slope up to which one reproduction point is optimal.

    Attributes:
      slope: bits per unit of squared error, scalar.
      point: the reproduction, less the mean, that enters there, scalar; near 0 where the transition is continuous.
      local_slope: where the single point stops being a local optimum, bits per unit; never below `slope`.
    """

    slope: jax.Array
    point: jax.Array
    local_slope: jax.Array


def local_critical_slope(covariance: ArrayLike) -> jax.Array:
    """The slope at which a single reproduction point loses local stability: log2(e) / (2 lambda_max(Cov X)).

    Below it the reproduction at the mean is a local optimum of R + slope * D; at it the point splits along the
    leading eigenvector. For Gaussian and uniform sources it is also the slope at which R(D) leaves zero; for
    skewed or heavy-tailed sources that happens earlier, see `critical_slope`.

    Args:
      covariance: a variance (scalar) or covariance matrices, shape [..., n, n].

    Returns:
      Slope, bits per unit of squared error, shape [...]. NaN inside a trace for an argument outside of the domain.

    Raises:
      ValueError: if a variance is not positive, or a matrix is not square or not symmetric.

    Reference:
      [rose1994mapping, rose1998annealing] Rose, IEEE T-IT 40(6), 1994; Rose, Proc. IEEE 86(11), 1998.
    """
    covariance = jnp.asarray(covariance, jnp.float64)
    if covariance.ndim == 0:
        check_domain("covariance", covariance, minimum=0.0, open_minimum=True, finite=True)
        return _slope_of(covariance)
    if covariance.ndim == 1 or covariance.shape[-1] != covariance.shape[-2]:
        raise ValueError(f"covariance must be a scalar or have shape [..., n, n], got shape {covariance.shape}")
    largest = eigenvalues_of(covariance)[..., -1]
    check_domain("the largest eigenvalue of covariance", largest, minimum=0.0, open_minimum=True, finite=True)
    return _slope_of(largest)


def _slope_of(variance):
    valid = (variance > 0) & (variance < jnp.inf)
    return nan_unless(valid, nats_to_bits(1 / (2 * jnp.where(valid, variance, 1.0))))


def _certificate(points, log_pmf, beta):
    """sup_y ln E exp(2 beta x y - beta y^2) for centered points, and where; it is 0 at y = 0."""
    def value(y):
        return jax.scipy.special.logsumexp(log_pmf + 2 * beta * points * y) - beta * y**2

    # The supremum lies in the convex hull of the points: its stationarity makes y a mean of them.
    grid = jnp.linspace(jnp.min(points), jnp.max(points), _GRID)
    best = grid[jnp.argmax(jax.lax.map(value, grid, batch_size=256))]
    step = grid[1] - grid[0]

    def section(_, ends):
        low, high = ends
        left, right = low + (high - low) / 3, high - (high - low) / 3
        keep_left = value(left) > value(right)
        return jnp.where(keep_left, low, left), jnp.where(keep_left, right, high)

    low, high = jax.lax.fori_loop(0, _REFINEMENTS, section, (best - step, best + step))
    y = (low + high) / 2
    return value(y), y


@jax.jit
def _single_point_excess(points, log_pmf, beta):
    return _certificate(points, log_pmf, beta)[0]


def _source(points: ArrayLike, pmf: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Checks a scalar source. Values that never occur neither count nor bound the hull of those that do."""
    check_pmf("pmf", pmf)
    if is_concrete(pmf) and is_concrete(points):
        pmf, points = normalized_pmf("pmf", pmf), np.asarray(points, np.float64)
        pmf, points = pmf[pmf > 0], points[pmf > 0]
    return jnp.asarray(points, jnp.float64), jnp.asarray(pmf, jnp.float64)


def single_point_excess(points: ArrayLike, pmf: ArrayLike, slope: ArrayLike) -> jax.Array:
    """sup_y log2 E exp(beta (2 <x, y> - y^2)), X centered: zero if and only if one point is optimal at the slope.

    One reproduction point, the mean, minimizes R + slope * D exactly if adding any other y does not help, that
    is if E[exp(-beta (x - y)^2) / exp(-beta x^2)] <= 1 for all y; at y = 0 it equals 1.

    Args:
      points: values of X, shape [n].
      pmf: their probabilities, shape [n].
      slope: bits per unit of squared error, >= 0, scalar.

    Returns:
      The supremum, in bits, >= 0, scalar.

    Raises:
      ValueError: if `pmf` is no probability mass function or `slope` is negative.

    Reference:
      [csiszar1974extremum, rose1994mapping] Csiszar 1974 (optimality condition); Rose 1994.
    """
    points, pmf = _source(points, pmf)
    check_domain("slope", slope, minimum=0.0, finite=True)
    centered = points - jnp.sum(pmf * points)
    return nats_to_bits(jnp.maximum(_single_point_excess(centered, jnp.log(pmf), bits_to_nats(slope)), 0.0))


@jax.jit
def _critical(points, log_pmf, local):
    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        # Rounding leaves the supremum at y = 0 within 1e-13 of zero.
        positive = _certificate(points, log_pmf, middle)[0] > 1e-13
        return jnp.where(positive, low, middle), jnp.where(positive, middle, high)

    low, high = jax.lax.fori_loop(0, 40, halve, (jnp.zeros(()), local))
    return low, _certificate(points, log_pmf, high)[1]


def critical_slope(points: ArrayLike, pmf: ArrayLike) -> CriticalSlope:
    """The slope -dR/dD at which the rate-distortion function of a scalar source leaves zero rate.

    Args:
      points: values of X, shape [n], not all equal.
      pmf: their probabilities, shape [n]; values of probability 0 do not matter.

    Returns:
      The slope to about 1e-6 of the local one (where the transition is continuous the supremum leaves zero
      with the square of the distance, so that rounding hides it), and the point that enters.

    Raises:
      ValueError: if `pmf` is no probability mass function, or X is constant.

    Reference:
      As `single_point_excess`. For a Laplacian density the supremum is infinite at every slope: R(D) > 0 for all D
      below the variance, with slope 0 there.
    """
    points, pmf = _source(points, pmf)
    centered = points - jnp.sum(pmf * points)
    variance = jnp.sum(pmf * centered**2)
    check_domain("the variance of points", variance, minimum=0.0, open_minimum=True, finite=True)
    local = 1 / (2 * variance)
    slope, point = _critical(centered, jnp.log(pmf), local)
    return CriticalSlope(nats_to_bits(slope), point, nats_to_bits(jnp.asarray(local)))


def gaussian_critical_slopes(eigenvalues: ArrayLike) -> jax.Array:
    """The slopes at which the components of a Gaussian vector become active one after another.

    Component i has positive rate in reverse water-filling from slope log2(e) / (2 lambda_i) on.

    Args:
      eigenvalues: of the covariance, > 0, shape [..., n].

    Returns:
      Increasing slopes, bits per unit of squared error, shape [..., n]. NaN inside a trace for an eigenvalue that is
      not positive.

    Raises:
      ValueError: if an eigenvalue is not positive.

    Reference:
      [kolmogorov1956shannon, rose1998annealing] Rose 1998; Kolmogorov 1956 (water-filling).
    """
    check_domain("eigenvalues", eigenvalues, minimum=0.0, open_minimum=True, finite=True)
    eigenvalues = jnp.atleast_1d(jnp.asarray(eigenvalues, jnp.float64))
    return _slope_of(jnp.sort(eigenvalues, axis=-1)[..., ::-1])
