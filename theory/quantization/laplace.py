"""The optimal entropy-coded scalar quantizer of a Laplacian, in closed form up to two scalar equations.

For the density exp(-|x|/b) / (2b) it has a dead zone [-t, t] with codeword 0, and beyond it cells of one
length s whose codewords lie the same offset above their lower ends: the tail of a Laplacian beyond any threshold
is the same exponential distribution. (Unit scale below; lengths times b, squares times b^2.)
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, infinite_at_zero, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

# Steps from 1e-9 scales (31 bits) to 600 (a rate below 1e-250 bits).
_LOG_STEPS = (-20.7, 6.396)


class LaplaceQuantizer(NamedTuple):
    """The optimal entropy-coded scalar quantizer of a Laplacian; fields have the broadcast shape of the arguments.

    Attributes:
      dead_zone: the first threshold t > 0; the cell [-t, t] is reproduced as 0.
      step: the length s of all other cells.
      offset: distance of a codeword from the end of its cell that is nearer to 0.
      rate: entropy of the cell index, bits per sample.
      distortion: mean squared error.
      slope: -d distortion / d rate, distortion per bit.
    """

    dead_zone: jax.Array
    step: jax.Array
    offset: jax.Array
    rate: jax.Array
    distortion: jax.Array
    slope: jax.Array


def _x_coth_x_minus_1(x):
    """x coth(x) - 1 for x > 0, without cancellation at small x."""
    small = jnp.minimum(x, 0.5)
    # Bernoulli numbers: sum of 2^{2k} B_{2k} x^{2k} / (2k)!; the next term is below 1e-16 at x = 1/2.
    series = (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875, 4 / 18243225, -3617 / 162820783125,
              87734 / 38979295480125, -349222 / 1531329465290625)
    value = jnp.zeros_like(x)
    for coefficient in reversed(series):
        value = (value + coefficient) * small**2
    large = jnp.maximum(x, 0.5)
    return jnp.where(x < 0.5, value, large / jnp.tanh(large) - 1)


def _one_minus_x_over_sinh_x_squared(x):
    """1 - (x / sinh x)^2 for x > 0, without cancellation at small x or overflow at large x."""
    small = jnp.minimum(x, 1.0)
    excess = jnp.zeros_like(x)  # (sinh x - x) / x^3 by its Taylor series
    for k in range(9, 0, -1):
        excess = excess * small**2 / ((2 * k + 2) * (2 * k + 3)) + 1.0
    excess = excess / 6
    ratio = 1 + small**2 * excess  # sinh x / x
    near = small**2 * excess * (ratio + 1) / ratio**2
    large = jnp.maximum(x, 1.0)
    return jnp.where(x < 1.0, near, 1 - (2 * large * jnp.exp(-large) / -jnp.expm1(-2 * large)) ** 2)


def _quantizer(step):
    """Dead zone, offset, slope per nat, rate in nats, distortion at a step, unit scale."""
    coth = _x_coth_x_minus_1(step / 2)
    weight, offset = 2 * coth, step / 2 - coth
    log_mass = jnp.log(-jnp.expm1(-step) / 2)

    def indifference(t):
        # At t both codewords cost the same: t^2 - weight ln P(0) against offset^2 - weight ln P(1).
        return t**2 - offset**2 + weight * (log_mass - t - jnp.log(-jnp.expm1(-t)))

    def newton(_, t):
        slope = 2 * t - weight * (1 + jnp.exp(-t) / -jnp.expm1(-t))
        return t - indifference(t) / jnp.where(slope > 0, slope, jnp.inf)

    # A convex function, descended from the right of its larger root.
    start = weight + jnp.sqrt(offset**2 - weight * log_mass)
    t = jax.lax.stop_gradient(jax.lax.fori_loop(0, 40, newton, jax.lax.stop_gradient(start)))
    slope = jax.lax.stop_gradient(2 * t - weight * (1 + jnp.exp(-t) / -jnp.expm1(-t)))
    t = t - indifference(t) / jnp.where(slope > 0, slope, jnp.inf)

    tail = jnp.exp(-t)
    inner_entropy = step / jnp.expm1(step) - jnp.log(-jnp.expm1(-step))
    rate = t * tail + jnp.expm1(-t) * jnp.log(-jnp.expm1(-t)) + tail * (jnp.log(2.0) + inner_entropy)
    distortion = 2 * gammainc(3.0, t) + tail * _one_minus_x_over_sinh_x_squared(step / 2)
    return t, offset, weight, rate, distortion


def entropy_coded_scalar_quantizer(step: ArrayLike, scale: ArrayLike = 1.0) -> LaplaceQuantizer:
    """The optimal entropy-coded scalar quantizer of a Laplacian whose outer cells have a given length.

    With unit scale and s the step: offset = 1 - s / (e^s - 1); slope per nat = s - 2 offset; the dead zone is the
    larger root of t^2 - slope ln(1 - e^{-t}) = offset^2 - slope ln(e^{-t} (1 - e^{-s}) / 2).

    Args:
      step: length of the cells outside of the dead zone, > 0.
      scale: b > 0 of the density exp(-|x|/b) / (2b); broadcasts with `step`.

    Returns:
      The quantizer. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument is not positive.

    Reference:
      [sullivan1996efficient] Sullivan, "Efficient scalar quantization of exponential and Laplacian random variables",
      IEEE T-IT 42(5), 1996. Derived in docs/derivations/entropy_coded_laplacian.md.
    """
    check_domain("step", step, minimum=0.0, open_minimum=True, finite=True)
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    return _at_step(*broadcast(step, scale))


@jax.jit
def _at_step(step, scale):
    valid = (step > 0) & (scale > 0)
    unit = jnp.where(scale > 0, scale, 1.0)
    dead_zone, offset, weight, rate, distortion = _quantizer(jnp.where(valid, step / unit, 1.0))
    fields = (dead_zone * unit, step, offset * unit, nats_to_bits(rate), distortion * unit**2,
              bits_to_nats(weight) * unit**2)
    return LaplaceQuantizer(*(nan_unless(valid, field) for field in fields))


def _solve(function, target):
    return jnp.exp(decreasing_root(lambda log_step: function(_quantizer(jnp.exp(log_step))), target, *_LOG_STEPS))


def entropy_coded_distortion_rate(rate: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Least mean squared error of scalar quantizers of a Laplacian whose index has at most a given entropy.

    Args:
      rate: bits per sample, >= 0 (up to 30).
      scale: b > 0, the variance is 2 b^2; broadcasts with `rate`.

    Returns:
      Mean squared error: exact. The derivative by `rate` is minus the slope, -inf at rate 0. Inside a trace
      an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      As `entropy_coded_scalar_quantizer`. Optimality among all scalar quantizers: Sullivan 1996.
    """
    check_domain("rate", rate, minimum=0.0, maximum=30.0)
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    return _distortion_rate(*broadcast(rate, scale))


@jax.jit
def _distortion_rate(rate, scale):
    inside = (rate > 0) & (rate <= 30)
    nats = bits_to_nats(jnp.where(inside, rate, 1.0))
    # Compared as logarithms, in which the rate is nearly linear at both ends.
    step = _solve(lambda q: jnp.log(q[3]), jnp.log(nats))
    # The infinite slope at rate 0 is carried by a square root that is 0 there.
    zero = jnp.where(rate == 0, rate, 0.0)
    at_zero = 2.0 - jnp.where(rate == 0, jnp.sqrt(zero), 0.0)
    value = scale**2 * jnp.where(inside, _quantizer(step)[4], at_zero)
    return nan_unless((rate >= 0) & (rate <= 30) & (scale > 0), value)


def entropy_coded_rate_distortion(distortion: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Least index entropy of scalar quantizers of a Laplacian of at most a given mean squared error.

    Args:
      distortion: mean squared error, >= 0.
      scale: b > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample: exact; 0 from the variance 2 b^2 on, inf at 0. Inside a trace an argument outside
      its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      The inverse of `entropy_coded_distortion_rate`.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)
    return _rate_distortion(*broadcast(distortion, scale))


@jax.jit
def _rate_distortion(distortion, scale):
    positive = (distortion > 0) & (distortion < 2 * scale**2) & (scale > 0)
    relative = jnp.where(positive, distortion, 2.0) / jnp.where(positive, scale, 1.0) ** 2
    tiny = positive & (relative <= 1e-12)
    inside = positive & (relative > 1e-12) & (relative < 2.0)
    # Distortion rises with the step.
    step = _solve(lambda q: -jnp.log(q[4]), -jnp.log(jnp.where(inside, relative, 1.0)))
    # Of fine steps the index has h(X) - (1/2) log2(12 D), up to a term of the order of D.
    high = 1.0 + jnp.log(2.0) - 0.5 * jnp.log(12.0 * jnp.where(tiny, relative, 1.0))
    nats = jnp.where(inside, _quantizer(step)[3], jnp.where(tiny, high, 0.0))
    return nan_unless((distortion >= 0) & (scale > 0), nats_to_bits(nats) + infinite_at_zero(distortion))
