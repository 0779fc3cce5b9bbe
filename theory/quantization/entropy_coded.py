"""The optimal entropy-coded scalar quantizer of a density: least E(X - Xhat)^2 at a given output entropy."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.units import bits_to_nats, nats_to_bits
from theory.quantization import threshold_search as search
from theory.quantization.tabulated_density import ScalarDensity

_CHORD_STEPS = 60


class ScalarQuantizer(NamedTuple):
    """A scalar quantizer with its performance; leading axes are those of the slope.

    Attributes:
      thresholds: cell boundaries in increasing order, the unused ones at the upper end of the support,
        shape [..., cells - 1], cells = panels // 2 + 2.
      codewords: reconstruction of each cell, its centroid, shape [..., cells]; unused cells: the upper end.
      probabilities: probability of each cell, shape [..., cells]; unused cells have 0.
      rate: entropy of the cell index, bits per sample.
      distortion: mean squared error.
      slope: the Lagrangian weight, distortion per bit.
      residual: largest derivative of distortion + slope * rate by a threshold; 0 at a stationary point.
    """

    thresholds: jax.Array
    codewords: jax.Array
    probabilities: jax.Array
    rate: jax.Array
    distortion: jax.Array
    slope: jax.Array
    residual: jax.Array


class OperationalBounds(NamedTuple):
    """A point of the lower convex hull of entropy-coded scalar quantizers, from both sides.

    Attributes:
      lower: no quantizer lies below it (granted that each Lagrangian was minimized globally).
      upper: two quantizers used in turn, which are at hand, reach it.
      slope: -dD/dR there, distortion per bit.
    """

    lower: jax.Array
    upper: jax.Array
    slope: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`upper - lower`, in units of both."""
        return self.upper - self.lower


def _quantizer(density, pairs, weight):
    """The quantizer at Lagrangian weight `weight` (distortion per nat)."""
    starts = search.starts(density, *pairs, weight=weight)
    refined, residuals, values = jax.vmap(lambda t: search.refine(density, t, weight))(starts)
    best = jnp.argmin(values)
    thresholds, residual = refined[best], residuals[best]
    mass, centroid, moments = search.cells(density, thresholds)
    spread, entropy = search.spread_and_entropy(moments)
    return ScalarQuantizer(
        thresholds=thresholds,
        codewords=jnp.where(mass > 0, density.mean + centroid, density.edges[-1]),
        probabilities=mass,
        rate=nats_to_bits(jnp.sum(entropy)),
        distortion=jnp.sum(spread),
        slope=bits_to_nats(weight),
        residual=residual,
    )


@jax.jit
def _quantizers(density, slopes):
    pairs = search.pairs(density)
    return jax.lax.map(lambda slope: _quantizer(density, pairs, nats_to_bits(slope)), slopes)


def entropy_coded_scalar_quantizer(density: ScalarDensity, slope: ArrayLike) -> ScalarQuantizer:
    """The scalar quantizer that minimizes distortion + slope * rate for an ideally entropy-coded index.

    The Lagrangian is a sum over cells, and an optimal quantizer has intervals as cells, so the optimum among
    thresholds on the panel edges is a shortest path, found exactly by dynamic programming. Newton's method
    then moves the thresholds off the grid to a stationary point (`residual` says how stationary). What is not
    proved is that no other stationary point is lower by less than the grid can tell.

    Args:
      density: the source.
      slope: Lagrangian weight, distortion per bit, > 0, any shape. Where the rate is high, cells are about
        sqrt(6 slope / ln 2) wide; they must span three panels.

    Returns:
      The quantizer; every field has the leading axes of `slope`. Inside a trace too small a slope gives NaN.

    Raises:
      ValueError: if `slope` is infinite or smaller than the tabulated density resolves.

    Reference:
      [chou1989entropy, gyorgy2002structure, muresan2008quantization] Muresan and Effros, "Quantization as histogram
      segmentation", IEEE T-IT 54(1), 2008 (shortest path); Chou, Lookabaugh and Gray, "Entropy-constrained vector
      quantization", IEEE T-ASSP 37(1), 1989 (necessary conditions); Gyorgy and Linder, IEEE T-IT 48(2), 2002 (cells
      are intervals).
    """
    check_domain("slope", slope, minimum=0.0, open_minimum=True, finite=True)
    slope = jnp.asarray(slope, jnp.float64)
    finest = bits_to_nats(_finest_weight(density))
    if is_concrete(finest):
        check_domain("slope (at this number of panels)", slope, minimum=float(finest))
    flat = _quantizers(density, slope.ravel())

    def shaped(field):
        valid = (slope >= finest).reshape((-1,) + (1,) * (field.ndim - 1))
        return jnp.where(valid, field, jnp.nan).reshape(slope.shape + field.shape[1:])

    return jax.tree.map(shaped, flat)


def _finest_weight(density):
    """Slope (per nat) below which cells, sqrt(6 weight) wide at high rate, span fewer than three panels."""
    return (3 * jnp.max(jnp.diff(density.edges))) ** 2 / 6


def _finest(density):
    """Rate and distortion of the finest quantizer that the panels resolve, shape [2]."""
    density = jax.lax.stop_gradient(density)
    best = _quantizers(density, bits_to_nats(_finest_weight(density))[None])
    return jnp.concatenate([best.rate, best.distortion])


@jax.jit
def _hull(density, targets, given_rate, finest):
    """Bounds on the hull at given rates (bits), or distortions, between zero rate and the finest quantizer's.

    Two points (rate, distortion) bracket the target. The Lagrangian with the slope of their chord is
    minimized, which proves a lower bound on the hull and gives a point that replaces one of the two. The
    chord itself is an upper bound: its ends used in turn.
    """
    fixed = jax.lax.stop_gradient(density)
    pairs = search.pairs(fixed)
    coarsest = jnp.stack([0.0, fixed.variance])

    def bracket(target):
        def body(state):
            step, fine, coarse, *_ = state
            slope = (coarse[1] - fine[1]) / (fine[0] - coarse[0])
            result = _quantizer(fixed, pairs, nats_to_bits(slope))
            point = jnp.stack([result.rate, result.distortion])
            gap = coarse[1] + slope * coarse[0] - (point[1] + slope * point[0])
            inside = (point[0] < fine[0]) & (point[0] > coarse[0])
            finer = jnp.where(given_rate, point[0] >= target, point[1] <= target)
            done = ~inside | (gap <= 1e-12 * point[1])
            fine = jnp.where(inside & finer, point, fine)
            coarse = jnp.where(inside & ~finer, point, coarse)
            return step + 1, fine, coarse, slope, gap, result.thresholds, done

        unset = jnp.zeros(search.threshold_count(fixed))
        state = (0, finest, coarsest, jnp.asarray(0.0), jnp.asarray(0.0), unset, jnp.asarray(False))
        return jax.lax.while_loop(lambda s: ~s[-1] & (s[0] < _CHORD_STEPS), body, state)[3:6]

    slopes, gaps, thresholds = jax.lax.stop_gradient(jax.lax.map(bracket, jax.lax.stop_gradient(targets)))

    def bounds(target, slope, gap, thresholds):
        # By the envelope theorem this has the derivatives of the minimum, with thresholds and slope held.
        spread, entropy = search.spread_and_entropy(search.cells(density, thresholds)[2])
        value = jnp.sum(spread) + slope * nats_to_bits(jnp.sum(entropy))
        lower = jnp.where(given_rate, value - slope * target, (value - target) / slope)
        # By rounding the chord can lie below the bound.
        above = jnp.maximum(gap, 0.0) * jnp.where(given_rate, 1.0, 1 / slope)
        return OperationalBounds(lower, lower + above, slope)

    return jax.vmap(bounds)(targets, slopes, gaps, thresholds)


def entropy_coded_distortion_rate(density: ScalarDensity, rate: ArrayLike) -> OperationalBounds:
    """The least mean squared error of scalar quantizers whose index has at most a given entropy.

    The value is that of the lower convex hull, D(R) = max_s min_q D(q) + s (H(q) - R): the least distortion
    of one quantizer where that is convex in R, else of two that are used in turn.

    Args:
      density: the source.
      rate: bits per sample, >= 0, any shape; up to log2 of about a third of the panels that carry the source.

    Returns:
      Bounds on the distortion, of the shape of `rate`, relatively 1e-12 apart. The derivative by `rate` is
      -slope (to 1e-6). At rate 0 the value is the variance; its slope is not computed: NaN, as is the
      derivative. Inside a trace a rate outside of the domain gives NaN.

    Raises:
      ValueError: if `rate` is negative, or more than the tabulated density resolves.

    Reference:
      As `entropy_coded_scalar_quantizer`.
    """
    check_domain("rate", rate, minimum=0.0)
    rate = jnp.asarray(rate, jnp.float64)
    finest = _finest(density)
    if is_concrete(finest):
        check_domain("rate (at this number of panels)", rate, maximum=float(finest[0]))
    inside = (rate > 0) & (rate <= finest[0])
    bounds = _hull(density, jnp.where(inside, rate, finest[0] / 2).ravel(), True, finest)
    bounds = OperationalBounds(*(field.reshape(rate.shape) for field in bounds))
    # 0 with a derivative of NaN, 0 times inf: the slope at rate 0 may be infinite, and depends on the far tails.
    root = jnp.sqrt(jnp.where(rate == 0, rate, 1.0))
    variance = density.variance + jnp.where(rate == 0, root * root, 0.0)
    at_zero = OperationalBounds(variance, variance, jnp.asarray(jnp.nan))
    return OperationalBounds(*(
        jnp.where(inside, field, jnp.where(rate == 0, zero, jnp.nan)) for field, zero in zip(bounds, at_zero)
    ))


def entropy_coded_rate_distortion(density: ScalarDensity, distortion: ArrayLike) -> OperationalBounds:
    """The least index entropy of scalar quantizers of at most a given mean squared error (lower convex hull).

    Args:
      density: the source.
      distortion: mean squared error, > 0, any shape; zero rate suffices from the variance on.

    Returns:
      Bounds on the rate, bits per sample, of the shape of `distortion`. The derivative by `distortion` is
      -1 / slope. Inside a trace a distortion outside of the domain gives NaN.

    Raises:
      ValueError: if `distortion` is less than the tabulated density resolves.

    Reference:
      The inverse of `entropy_coded_distortion_rate`.
    """
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    distortion = jnp.asarray(distortion, jnp.float64)
    finest = _finest(density)
    if is_concrete(finest):
        check_domain("distortion (at this number of panels)", distortion, minimum=float(finest[1]))
    inside = (distortion < density.variance) & (distortion >= finest[1])
    bounds = _hull(density, jnp.where(inside, distortion, density.variance / 2).ravel(), False, finest)
    bounds = OperationalBounds(*(field.reshape(distortion.shape) for field in bounds))
    outside = jnp.where(distortion >= density.variance, 0.0, jnp.nan)
    return OperationalBounds(*(jnp.where(inside, field, outside) for field in bounds))
