"""Kernel distances between sets of samples: maximum mean discrepancy and energy distance."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import sample_pair
from rdr.distances import squared_distances
from rdr.gradients import safe_sqrt

KERNELS = ("gaussian", "polynomial", "energy")


def mmd_squared(
    samples: ArrayLike,
    reference: ArrayLike,
    *,
    kernel: str | Callable[[jax.Array, jax.Array], jax.Array] = "gaussian",
    bandwidths: tuple[float, ...] = (1.0,),
    degree: int = 3,
    unbiased: bool = False,
) -> jax.Array:
    """Computes the squared maximum mean discrepancy of two sets.

        MMD^2 = E k(X, X') - 2 E k(X, Y) + E k(Y, Y'),

    with k(x, y) = the mean over bandwidths h of exp(-|x - y|^2 / (2 h^2)) ("gaussian"),
    (x . y / dimension + 1)^degree ("polynomial"), or -|x - y| ("energy").

    Args:
      samples: [samples, dimension], or [samples] for numbers.
      reference: [other samples, dimension], or [other samples].
      kernel: "gaussian", "polynomial" or "energy"; or a function of sets [m, dimension] and [n, dimension] to
        [m, n], positive definite.
      bandwidths: bandwidths h of the Gaussian kernel, in units of the samples.
      degree: degree of the polynomial kernel.
      unbiased: leave pairs of a sample with itself out. The estimate is then unbiased and may be negative
        (needs two samples each); otherwise it is the distance of the two empirical distributions, 0 for equal sets.

    Returns:
      A scalar; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes do not fit, the kernel is unknown, a bandwidth or the degree is not positive, or a set
        is too small to be unbiased.

    Reference:
      Gretton, Borgwardt, Rasch, Schölkopf, Smola (gretton2012kernel), A kernel two-sample test, JMLR 13 (2012).
      "polynomial" with degree 3 and unbiased=True is the kernel of KID (Bińkowski et al. 2018, arXiv 1801.01401).
    """
    x, y = sample_pair(samples, reference)
    if not callable(kernel) and kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(map(repr, KERNELS))}, got {kernel!r}")
    if kernel == "gaussian" and not (bandwidths and all(0 < h < float("inf") for h in bandwidths)):
        raise ValueError(f"bandwidths must be one or more positive numbers, got {bandwidths}")
    if kernel == "polynomial" and degree < 1:
        raise ValueError(f"degree must be >= 1, got {degree}")
    if unbiased and min(x.shape[0], y.shape[0]) < 2:
        raise ValueError(f"an unbiased estimate needs two samples each, got {x.shape[0]} and {y.shape[0]}")

    def gram(a, b):
        if callable(kernel):
            return kernel(a, b)
        if kernel == "polynomial":
            product = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
            return (product / a.shape[1] + 1.0) ** degree
        squared = squared_distances(a, b)
        if kernel == "energy":
            return -safe_sqrt(squared)
        return sum(jnp.exp(-squared / (2.0 * h**2)) for h in bandwidths) / len(bandwidths)

    def within(a):
        n = a.shape[0]
        values = gram(a, a)
        if not unbiased:
            return jnp.mean(values)
        return jnp.sum(jnp.where(jnp.eye(n, dtype=bool), 0.0, values)) / (n * (n - 1))

    return within(x) - 2.0 * jnp.mean(gram(x, y)) + within(y)


def energy_distance(samples: ArrayLike, reference: ArrayLike, *, unbiased: bool = False) -> jax.Array:
    """Computes the energy distance of two sets.

    2 E|X - Y| - E|X - X'| - E|Y - Y'|. For numbers it is 2 int (F - G)^2, F and G the distribution functions.
    Where samples coincide, the gradient of their distance is taken as 0.

    Args:
      samples: [samples, dimension], or [samples] for numbers.
      reference: [other samples, dimension], or [other samples].
      unbiased: leave pairs of a sample with itself out (see `mmd_squared`).

    Returns:
      A scalar in units of the samples; float32, or float64 if an argument is.

    Raises:
      ValueError: if the shapes do not fit, or a set is too small to be unbiased.

    Reference:
      Székely, Rizzo (szekely2013energy), Energy statistics, Journal of Statistical Planning and Inference 143 (2013).
    """
    return mmd_squared(samples, reference, kernel="energy", unbiased=unbiased)
