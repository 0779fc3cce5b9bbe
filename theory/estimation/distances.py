"""Distances of distributions as perception, estimated from samples of both: errors, and the side of the bias."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.estimation.intervals import Measured, jackknife, mean
from theory.estimation.samples import check_samples
from theory.gaussian.restoration import w2_squared
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import squared_distances


class Distance(NamedTuple):
    """A distance of two distributions, from samples.

    Attributes:
      value: [].
      se: [], its standard error.
      bias: "upward" (the expectation is at least the distance), "none", or "second order" (what is left is of the order
        of 1/n^2, on either side).
    """

    value: jax.Array
    se: jax.Array
    bias: str


def coupled_bound(x: ArrayLike, y: ArrayLike) -> Distance:
    """Upper bound on W2 squared from samples in pairs: E |X - Y|^2 of any coupling is at least W2^2.

    Args:
      x: source, [n, d].
      y: reconstructions of the same rows, or any coupling of them, [n, d].

    Returns:
      `Distance`, an unbiased estimate of the coupling's cost, so biased upward for W2 squared.

    Raises:
      ValueError: if shapes differ or samples are refused.

    Reference:
      [villani2003topics] chapter 1 (the least cost of all couplings).
    """
    x, y = _check_equal(x, y, 2)
    return Distance(*mean(jnp.sum((x - y) ** 2, -1)), "upward")


def wasserstein_squared(x: ArrayLike, y: ArrayLike, *, groups: int = 20) -> Distance:
    """W2 squared of distributions on the line: that of the empirical ones, sorted; biased upward.

    W2^2 is convex in both distributions together, so by Jensen the expectation of the empirical value is at least the
    true one, whether the samples are in pairs or independent. The standard error is the jackknife's: where the two
    distributions are the same the value itself is of order 1/n, and so is its error, which then errs upward.

    Args:
      x: [n] or [n, 1].
      y: as many.
      groups: left out in turn for the standard error.

    Returns:
      `Distance`.

    Raises:
      ValueError: if numbers differ, or samples are refused.

    Reference:
      [villani2003topics] section 2.2 (the monotone coupling), section 7.4 (convexity).
    """
    x, y = (jnp.asarray(each)[:, None] if jnp.ndim(each) == 1 else each for each in (x, y))
    if jnp.shape(x)[1:] != (1,):
        raise ValueError(f"x must have shape [n] or [n, 1], got shape {jnp.shape(x)}")
    return sliced_wasserstein_squared(x, y, directions=np.ones((1, 1)), groups=groups)


def sliced_wasserstein_squared(x: ArrayLike, y: ArrayLike, *, directions: ArrayLike, groups: int = 20) -> Distance:
    """Mean of W2 squared along directions, of the empirical distributions; biased upward for those directions.

    The true value is at most W2^2 for any directions, and at most W2^2 / d in the mean over all of them. Drawn
    directions make it an unbiased estimate of the mean over all; their own error is not in `se`, which holds for the
    directions that are given.

    Args:
      x: [n, d].
      y: [n, d], as many.
      directions: unit vectors, [k, d].
      groups: left out in turn for the standard error, at least 2 and at most n / 2.

    Returns:
      `Distance`.

    Raises:
      ValueError: if shapes differ, directions are not of length 1, or samples are refused.

    Reference:
      [rabin2011barycenter, bonneel2015sliced].
    """
    check_domain("groups", groups, minimum=2, finite=True)
    x, y = _check_equal(x, y, 2 * int(groups))
    check_domain("directions", directions, finite=True)
    directions = jnp.asarray(directions, jnp.float64)
    if directions.ndim != 2 or directions.shape[0] < 1 or directions.shape[1] != x.shape[1]:
        raise ValueError(f"directions must have shape [k, {x.shape[1]}] with k >= 1, got shape {directions.shape}")
    worst = float(jnp.abs(jnp.sum(directions**2, -1) - 1.0).max())
    if worst > 1e-8:
        raise ValueError(f"directions must have length 1, got squared lengths off by {worst:g}")
    found = _sliced_with_error(x, y, directions, groups=int(groups))
    return Distance(found.value, found.se, "upward")


@partial(jax.jit, static_argnames="groups")
def _sliced_with_error(x, y, directions, *, groups):
    """The value of all samples, and the jackknife's error by groups of equal size."""
    size = x.shape[0] // groups
    first, second = x @ directions.T, y @ directions.T
    # Samples number j, j + groups, .. are a group; groups one after the other.
    grouped = [each[: size * groups].reshape(size, groups, -1).swapaxes(0, 1) for each in (first, second)]

    def without(j):
        return _sorted_distance(*(jnp.roll(each, -j, axis=0)[1:].reshape(-1, each.shape[-1]) for each in grouped))

    # The error does not depend on what the jackknife is centered on.
    error = jackknife(0.0, jax.lax.map(without, jnp.arange(groups))).se
    return Measured(_sorted_distance(first, second), error)


def _sorted_distance(first, second):
    return jnp.mean((jnp.sort(first, axis=0) - jnp.sort(second, axis=0)) ** 2)


def mmd_squared(x: ArrayLike, y: ArrayLike, *, bandwidth: float) -> Distance:
    """Squared maximum mean discrepancy with the kernel k = exp(-|x - y|^2 / (2 b^2)): unbiased, so at times negative.

    The mean of h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i) over all i != j: a U-statistic, whether
    x_i and y_i depend on each other or not. Its error is that of a jackknife which leaves out one i at a time: where
    both distributions are the same it is of order 1/n, and errs upward.

    Args:
      x: [n, d], n >= 4.
      y: [n, d], as many.
      bandwidth: b > 0, in the unit of the samples.

    Returns:
      `Distance`.

    Raises:
      ValueError: if numbers differ, samples are refused or fewer than 4, or the bandwidth is not positive.

    Reference:
      [gretton2012kernel] Gretton et al. 2012, lemma 6; the jackknife's side: [efron1981jackknife].
    """
    check_domain("bandwidth", bandwidth, minimum=0.0, open_minimum=True, finite=True)
    x, y = _check_equal(x, y, 4)
    found = _mmd(x, y, jnp.asarray(bandwidth, jnp.float64))
    return Distance(found.value, found.se, "none")


@jax.jit
def _mmd(x, y, bandwidth):
    n, scale = x.shape[0], -0.5 / bandwidth**2

    def row(pair):
        """Sum of h_ij over j != i, for one i."""
        own = jnp.stack(pair)
        to_x, to_y = (jnp.exp(scale * squared_distances(own, each)).sum(-1) for each in (x, y))
        between = jnp.exp(scale * jnp.sum((own[0] - own[1]) ** 2))
        return to_x[0] + to_y[1] - to_y[0] - to_x[1] - 2.0 * (1.0 - between)

    rows = jax.lax.map(row, (x, y)) / (n - 1)
    value = rows.mean()
    return Measured(value, jackknife(0.0, (n * value - 2.0 * rows) / (n - 2)).se)


def frechet_distance(x: ArrayLike, y: ArrayLike, *, groups: int = 20) -> Distance:
    """W2 squared of the Gaussians with the samples' means and covariances, less its bias of order 1/n (jackknife).

    |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x^1/2 S_y S_x^1/2)^1/2), at most W2^2 of the distributions themselves. At the
    moments of samples it is too large in the mean, since it is convex in them. The means alone make it too large by
    tr S_x / n + tr S_y / m. The jackknife removes the term of order 1/n where covariances are regular; the rest is no
    bound.

    Args:
      x: [n, d].
      y: [m, d].
      groups: left out in turn, of both at once.

    Returns:
      `Distance`; it may be negative where the two are nearly the same.

    Raises:
      ValueError: if samples are refused, or are fewer than 2 `groups` or than 2 d (an expansion in 1/n says nothing
        there).

    Reference:
      [gelbrich1990] theorem 2.1, [heusel2017gans] (of features); the jackknife: [efron1981jackknife].
    """
    check_domain("groups", groups, minimum=2, finite=True)
    x = check_samples("x", x, minimum=2 * int(groups))
    y = check_samples("y", y, minimum=2 * int(groups), dimension=x.shape[1])
    if min(x.shape[0], y.shape[0]) < 2 * x.shape[1]:
        raise ValueError(f"x and y must each have at least twice as many samples as components, got {x.shape[0]} and "
                         f"{y.shape[0]} of dimension {x.shape[1]}")
    return Distance(*jackknife(*_frechet(x, y, groups=int(groups))), "second order")


@partial(jax.jit, static_argnames="groups")
def _frechet(x, y, *, groups):
    """Gaussian W2 squared at the moments of all samples, [], and without each group, [groups]."""
    values = jax.lax.map(lambda pair: _gelbrich(*pair), (_moments(x, groups), _moments(y, groups)))
    return values[0], values[1:]


def _moments(samples, groups):
    """Mean and covariance of all samples and without samples j, j + groups, ..: [1 + groups, ...]."""
    center = samples.mean(0)
    number, dimension = samples.shape
    padded = jnp.pad(samples - center[None], ((0, -number % groups), (0, 0))).reshape(-1, groups, dimension)
    sums, products = padded.sum(0), jnp.einsum("agi,agj->gij", padded, padded)
    sizes = jnp.asarray([number // groups + (j < number % groups) for j in range(groups)])
    sums, products, sizes = (
        jnp.concatenate([each.sum(0, keepdims=True), each.sum(0, keepdims=True) - each])
        for each in (sums, products, sizes))
    means = sums / sizes[:, None]
    covariances = (products - sizes[:, None, None] * means[:, :, None] * means[:, None, :]) / (sizes - 1)[:, None, None]
    return means + center[None], covariances


def _gelbrich(first, second):
    (mean_x, covariance_x), (mean_y, covariance_y) = first, second
    return jnp.sum((mean_x - mean_y) ** 2) + w2_squared(covariance_x, covariance_y)


def _check_equal(x, y, minimum):
    x = check_samples("x", x, minimum=minimum)
    y = check_samples("y", y, minimum=minimum, dimension=x.shape[1])
    if x.shape != y.shape:
        raise ValueError(f"y must have as many samples as x, got {y.shape[0]} and {x.shape[0]}")
    return x, y
