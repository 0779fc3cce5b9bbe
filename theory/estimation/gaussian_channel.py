"""Upper bounds from second moments: a Gaussian channel measured on held-out samples, and the plug-in with its bias."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.estimation.estimate import Estimate
from theory.estimation.intervals import jackknife, mean
from theory.estimation.samples import check_both, check_samples
from theory.gaussian import vector
from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits


def gaussian(training: ArrayLike, held_out: ArrayLike, *, distortion: ArrayLike) -> Estimate:
    """Rate and distortion of the Gaussian channel of reverse water-filling, on samples that it was not fitted to.

    With mean, eigenvectors and eigenvalues lam_i of the training samples' covariance and the water level theta at D,
    component z_i of x is reconstructed as a_i z_i + N(0, a_i theta), a_i = 1 - theta / lam_i, where lam_i > theta, else
    as 0. Against the marginal N(0, lam_i - theta) the rate of a sample x is

        sum_i KL(N(a_i z_i, a_i theta) || N(0, lam_i - theta)) = sum_i 1/2 log2(lam_i / theta)
            + (a_i / 2) (z_i^2 / lam_i - 1) / ln 2,

    and its squared error has the mean sum_i (1 - a_i)^2 z_i^2 + a_i theta. Means of both over the held-out samples are
    unbiased, whatever the source is, and R(E distortion) <= E rate given the training samples: an upper bound in
    expectation, also where n is less than the dimension. It is at most R_G(D) as training samples grow, which is
    R(D) for a Gaussian source.

    Args:
      training: [n, d], n >= 2.
      held_out: [m, d], independent of `training`, m >= 2.
      distortion: D > 0 that the water level is set for, squared error summed over components; shape [...]. Beyond the
        trace of the covariance nothing is sent.

    Returns:
      `Estimate` of shape [...], kind "upper"; its distortion is the one measured, close to the one asked for. Standard
      errors are those of the held-out means; rate and distortion err together.

    Raises:
      ValueError: if samples are not finite real [n, d] with n >= 2, or a distortion is not positive.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    training, held_out = check_both(training, held_out)
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    budget = jnp.asarray(distortion, jnp.float64)
    rate, error = _gaussian_channel(training, held_out, budget.ravel())
    rate, error = mean(rate), mean(error)
    nan = jnp.full(budget.shape, jnp.nan)
    return Estimate(
        rate.value.reshape(budget.shape), error.value.reshape(budget.shape), nan, rate.se.reshape(budget.shape),
        error.se.reshape(budget.shape), nan, "upper", held_out.shape[0], "gaussian")


@jax.jit
def _gaussian_channel(training, held_out, budget):
    """Bits and squared error of each held-out sample at each distortion, [m, k] each."""
    center = training.mean(0, keepdims=True)
    eigenvalues, vectors = _spectrum(training - center)
    squares = ((held_out - center) @ vectors) ** 2
    outside = jnp.sum((held_out - center) ** 2, -1) - squares.sum(-1)  # of the span of fewer samples than components
    filled = jax.vmap(lambda each: vector.water_filling(each, eigenvalues))(budget)
    level = filled.water_level[:, None]
    active = eigenvalues[None] > level
    lam = jnp.where(active, eigenvalues[None], 1.0)
    share = jnp.where(active, level / lam, 1.0)  # 1 - a
    slope = 0.5 * (1.0 - share) / lam
    nats = squares @ slope.T + jnp.sum(-0.5 * jnp.log(share) - 0.5 * (1.0 - share), -1)[None]
    error = squares @ (share**2).T + jnp.sum((1.0 - share) * level, -1)[None] + jnp.maximum(outside, 0.0)[:, None]
    return nats_to_bits(nats), error


def _spectrum(centered):
    """Eigenvalues and eigenvectors, [d, r] with r = min(n, d), of the covariance of centered samples."""
    n, d = centered.shape
    if n > d:  # the same singular values and vectors, without the n left ones
        centered = jnp.linalg.qr(centered, mode="r")
    _, values, rows = jnp.linalg.svd(centered, full_matrices=False)
    return values**2 / (n - 1), rows.T


def gaussian_plug_in(samples: ArrayLike, *, distortion: ArrayLike, groups: int = 20) -> Estimate:
    """R_G(D) of the samples' covariance, by the jackknife rid of its bias of order 1/n.

    R_X(D) <= R_G(D), the rate-distortion function of the Gaussian with the covariance of X. The value at the covariance
    of the samples errs on either side: where all components are coded it is a concave function of the covariance and
    too small in the mean (for Gaussian samples by half of sum_i [psi((n - i) / 2) - ln((n - 1) / 2)] nats, i = 1..d),
    where the water level is between nearly equal eigenvalues it is too large, since eigenvalues of samples are spread
    out. Delete-a-group jackknife removes the term of order 1/n on either side; the rest is no bound.

    Args:
      samples: [n, d], n >= 2 `groups`.
      distortion: D > 0, squared error summed over components; shape [...].
      groups: number of groups that are left out in turn, at least 2.

    Returns:
      `Estimate` of shape [...], kind "asymptotic", at the distortion asked for.

    Raises:
      ValueError: if samples are not finite real [n, d], are fewer than two a group or than 2 d, or a distortion is not
        positive: with n of the order of d an expansion in 1/n says nothing (`gaussian` holds there).

    Reference:
      docs/derivations/bounds_from_samples.md; the jackknife: [efron1981jackknife].
    """
    check_domain("groups", groups, minimum=2, finite=True)
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    samples = check_samples("samples", samples, minimum=2 * int(groups))
    n, d = samples.shape
    if n < 2 * d:
        raise ValueError(f"samples must be at least twice as many as components, got {n} of dimension {d}; "
                         "gaussian(training, held_out) needs no more than two")
    budget = jnp.asarray(distortion, jnp.float64)
    found = jackknife(*_plug_in(samples, budget, int(groups)))
    nan, zero = jnp.full(budget.shape, jnp.nan), jnp.zeros(budget.shape)
    return Estimate(found.value, budget, nan, found.se, zero, nan, "asymptotic", 0, "gaussian_plug_in",
                    "n large against the dimension")


@partial(jax.jit, static_argnames="groups")
def _plug_in(samples, budget, groups):
    """R_G(D) of all samples, and without each group (samples number j, j + groups, ..)."""
    centered = samples - samples.mean(0, keepdims=True)
    n, d = centered.shape
    pad = -n % groups
    parts = jnp.pad(centered, ((0, pad), (0, 0))).reshape(-1, groups, d)
    count = n // groups + (jnp.arange(groups) < n % groups)
    sums, products = parts.sum(0), jnp.einsum("agi,agj->gij", parts, parts)

    def rate(number, total, product):
        covariance = (product - jnp.outer(total, total) / number) / (number - 1)
        eigenvalues = jnp.maximum(jnp.linalg.eigvalsh(covariance), 0.0)
        return vector.rate_distortion(budget, eigenvalues)

    without = jax.vmap(rate)(n - count, sums.sum(0, keepdims=True) - sums,
                             products.sum(0, keepdims=True) - products)
    return rate(n, sums.sum(0), products.sum(0)), without
