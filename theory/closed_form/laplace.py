"""The Laplacian source, density exp(-|x|/b) / (2b): exact for absolute error, bounded for squared error."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.closed_form import shannon_lower_bound
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits


class ReproductionDistribution(NamedTuple):
    """The optimal output distribution of a Laplacian under absolute error; fields have the broadcast argument shape.

    Attributes:
      mass_at_zero: probability of Y = 0, (D/b)^2.
      scale: scale of the Laplacian that Y follows otherwise, b.
    """

    mass_at_zero: jax.Array
    scale: jax.Array


def _check_scale(scale):
    check_domain("scale", scale, minimum=0.0, open_minimum=True, finite=True)


def differential_entropy(scale: ArrayLike = 1.0) -> jax.Array:
    """Differential entropy log2(2 e b).

    Args:
      scale: b > 0.

    Returns:
      Bits, of the shape of `scale`. Inside a trace a scale that is not positive gives NaN.

    Raises:
      ValueError: if `scale` is not positive.
    """
    _check_scale(scale)
    scale = jnp.asarray(scale, jnp.float64)
    return nan_unless(scale > 0, nats_to_bits(jnp.log(2 * np.e * jnp.where(scale > 0, scale, 1.0))))


def absolute_error_rate_distortion(distortion: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Rate-distortion function under E|X - Y| <= D: exactly [log2(b / D)]_+.

    The Shannon lower bound is tight: X is the sum of a Laplacian of scale D and an independent Y (see
    `absolute_error_reproduction_distribution`).

    Args:
      distortion: mean absolute error D >= 0.
      scale: b > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample; inf at D = 0, with derivative -inf. Inside a trace an argument outside its domain
      gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [berger1971rate] Berger, "Rate Distortion Theory", 1971, section 4.3.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_scale(scale)
    return _absolute_error_rate_distortion(distortion, scale)


@jax.jit
def _absolute_error_rate_distortion(distortion, scale):
    distortion, scale = broadcast(distortion, scale)
    inside = (distortion < scale) & (scale > 0)
    d, b = jnp.where(inside, distortion, 1.0), jnp.where(inside, scale, 1.0)
    return nan_unless((distortion >= 0) & (scale > 0), nats_to_bits(jnp.log(b) - jnp.log(d)))


def absolute_error_distortion_rate(rate: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Distortion-rate function under mean absolute error: exactly b 2^{-R}.

    Args:
      rate: bits per sample, >= 0.
      scale: b > 0; broadcasts with `rate`.

    Returns:
      Mean absolute error. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      The inverse of `absolute_error_rate_distortion`.
    """
    check_domain("rate", rate, minimum=0.0)
    _check_scale(scale)
    rate, scale = broadcast(rate, scale)
    return nan_unless((rate >= 0) & (scale > 0), scale * jnp.exp(-bits_to_nats(rate)))


def absolute_error_reproduction_distribution(distortion: ArrayLike, scale: ArrayLike = 1.0) -> ReproductionDistribution:
    """The distribution of Y that attains R(D) under absolute error: (D/b)^2 delta_0 + (1 - (D/b)^2) Laplace(b).

    Args:
      distortion: mean absolute error, 0 <= D <= b.
      scale: b > 0; broadcasts with `distortion`.

    Returns:
      Its two parameters. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [berger1971rate] Berger 1971, section 4.3.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check_scale(scale)
    distortion, scale = broadcast(distortion, scale)
    check_domain("distortion / scale", distortion / scale, maximum=1.0)
    valid = (distortion >= 0) & (distortion <= scale) & (scale > 0)
    return ReproductionDistribution(nan_unless(valid, (distortion / scale) ** 2), nan_unless(valid, scale))


def squared_error_lower_bound(distortion: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Shannon lower bound under squared error: [log2(2 e b) - (1/2) log2(2 pi e D)]_+ (a lower bound, not tight).

    Args:
      distortion: mean squared error D >= 0.
      scale: b > 0, variance 2 b^2; broadcasts with `distortion`.

    Returns:
      Lower bound on the rate, bits per sample. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      Shannon 1959; `theory.closed_form.shannon_lower_bound.squared_error`.
    """
    _check_scale(scale)
    return shannon_lower_bound.squared_error(distortion, differential_entropy(scale))


def perfect_realism_lower_bound(distortion: ArrayLike, scale: ArrayLike = 1.0) -> jax.Array:
    """Lower bound on the rate at squared error D when Y must have the source's own distribution.

    Args:
      distortion: mean squared error D >= 0.
      scale: b > 0; broadcasts with `distortion`.

    Returns:
      Lower bound on R(D, P = 0), bits per sample. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      `theory.closed_form.shannon_lower_bound.perfect_realism_squared_error`.
    """
    _check_scale(scale)
    variance = 2 * jnp.asarray(scale, jnp.float64) ** 2
    return shannon_lower_bound.perfect_realism_squared_error(distortion, differential_entropy(scale), variance)
