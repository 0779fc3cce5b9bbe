"""Gaussian, Laplace, logistic and mixed densities: the information in an interval, exact to rounding however far out.

With u and l the standardized ends of an interval and w = u - l > 0 its width, computed as such, never as a difference:

    logistic:  F(u) - F(l) = s(u) s(-l) (1 - e^{-w}),  s the sigmoid;
    Laplace:   e^{-|near end|} (1 - e^{-w}) / 2 on one side of 0; 1 - e^{-u}/2 - e^{l}/2 across it;
    Gaussian:  the interval is mirrored to the smaller tail, where log F(u) + log(1 - e^{log F(l) - log F(u)}); narrow
               ones, in which the difference would cancel, by the density at the middle times an average over the width.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.typing import ArrayLike

from rdr.quantize.scalar import soft_round_inverse
from rdr.units import nats_to_bits

FAMILIES = ("gaussian", "laplace", "logistic")
# A name, or a function of an interval's standardized right end and width, of any shape, to its log probability in nats.
Family = str | Callable[[jax.Array, jax.Array], jax.Array]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_HALF_LOG_2_PI = 0.5 * float(np.log(2.0 * np.pi))


def log_logistic_interval(upper: jax.Array, lower: jax.Array, width: jax.Array) -> jax.Array:
    """Takes the logarithm of the probability of an interval under the standard logistic distribution.

    With u, l the ends and s the sigmoid, s(u) - s(l) = s(u) s(-l) (1 - e^{l-u}): a product, so that nothing cancels in
    either tail.

    Args:
      upper: u, any shape, floating.
      lower: l, same shape.
      width: u - l > 0, same shape, computed as such where it can be.

    Returns:
      log(s(u) - s(l)), in nats, same shape.
    """
    return jax.nn.log_sigmoid(upper) + jax.nn.log_sigmoid(-lower) + jnp.log(-jnp.expm1(-width))


def _log1mexp(x: jax.Array) -> jax.Array:
    """log(1 - e^{-x}) for x > 0, without cancellation on either side of log 2."""
    near = x < 0.6931472
    return jnp.where(near, jnp.log(-jnp.expm1(-jnp.where(near, x, 0.5))), jnp.log1p(-jnp.exp(-jnp.where(near, 1.0, x))))


def _gaussian(upper: jax.Array, width: jax.Array) -> jax.Array:
    middle = jnp.abs(upper - 0.5 * width)
    half = 0.5 * width
    # The average of exp(-m h t - h^2 t^2 / 2) over t in (-1, 1); eight nodes are exact to rounding while m h <= 2.
    narrow = (half < 0.5) & (middle * half < 2.0)
    m, h = (jnp.where(narrow, part, 0.25) for part in (middle, half))
    nodes, weights = (jnp.asarray(part, upper.dtype) for part in (_NODES, 0.5 * _WEIGHTS))
    shape = (*h.shape, len(_NODES))
    step = h[..., None] * jnp.broadcast_to(nodes, shape)
    mean = jnp.sum(jnp.broadcast_to(weights, shape) * jnp.exp(-m[..., None] * step - 0.5 * step**2), axis=-1)
    by_density = -0.5 * m**2 - _HALF_LOG_2_PI + jnp.log(2.0 * h) + jnp.log(mean)
    # The mirror image in the left tail: ends -middle + half and -middle - half.
    m, h = (jnp.where(narrow, 1.0, part) for part in (middle, half))
    top, bottom = log_ndtr(h - m), log_ndtr(-h - m)
    return jnp.where(narrow, by_density, top + _log1mexp(jnp.maximum(top - bottom, jnp.finfo(upper.dtype).tiny)))


def _laplace(upper: jax.Array, width: jax.Array) -> jax.Array:
    middle = jnp.abs(upper - 0.5 * width)
    near, far = middle - 0.5 * width, middle + 0.5 * width  # mirrored to the right
    aside = near >= 0
    side = -jnp.where(aside, near, 0.0) + jnp.log(0.5) + _log1mexp(width)
    inside = jnp.where(aside, -1.0, near)
    across = jnp.log(-0.5 * jnp.expm1(-jnp.where(aside, 1.0, far)) - 0.5 * jnp.expm1(inside))
    return jnp.where(aside, side, across)


def _logistic(upper: jax.Array, width: jax.Array) -> jax.Array:
    return jax.nn.log_sigmoid(upper) + jax.nn.log_sigmoid(width - upper) + _log1mexp(width)


_LOG_PROBABILITY = {"gaussian": _gaussian, "laplace": _laplace, "logistic": _logistic}


def _log_probability(family: Family, upper: jax.Array, width: ArrayLike, location: ArrayLike, scale: ArrayLike):
    if not callable(family) and family not in _LOG_PROBABILITY:
        raise ValueError(f"family must be one of {', '.join(map(repr, FAMILIES))}, or a function, got {family!r}")
    upper = jnp.asarray(upper)
    upper = upper.astype(jnp.promote_types(upper.dtype, jnp.float32))
    location, scale, width = (jnp.asarray(part, upper.dtype) for part in (location, scale, width))
    shape = jnp.broadcast_shapes(upper.shape, location.shape, scale.shape, width.shape)
    upper, location, scale, width = (jnp.broadcast_to(part, shape) for part in (upper, location, scale, width))
    log_probability = family if callable(family) else _LOG_PROBABILITY[family]
    return log_probability((upper - location) / scale, width / scale)


def interval_bits(upper: ArrayLike, location: ArrayLike, scale: ArrayLike, *, family: Family = "gaussian",
                  width: ArrayLike = 1.0) -> jax.Array:
    """Information in the interval (upper - width, upper) under a distribution of given location and scale.

    Args:
      upper: right end, any shape, floating.
      location: mean (and median); broadcasts by numpy's rules.
      scale: > 0; standard deviation of the Gaussian, b of the Laplace density e^{-|x|/b}/(2b), s of the logistic
        cumulative 1/(1 + e^{-x/s}); broadcasts.
      family: "gaussian", "laplace", "logistic", or a function of the standardized right end and width.
      width: > 0; broadcasts.

    Returns:
      -log2 of the probability, bits, broadcast shape; finite as long as squares of the standardized ends are.

    Raises:
      ValueError: if the family is unknown.

    Reference: Ballé et al. (balle2018variational), for the use.
    """
    return -nats_to_bits(_log_probability(family, jnp.asarray(upper), width, location, scale))


def mixture_bits(upper: ArrayLike, log_weights: ArrayLike, location: ArrayLike, scale: ArrayLike, *,
                 family: Family = "logistic", width: ArrayLike = 1.0) -> jax.Array:
    """Information in the interval (upper - width, upper) under a mixture; components lie along the last axis.

    Args:
      upper: [...], floating.
      log_weights: [..., components], logits: normalized here.
      location: [..., components].
      scale: [..., components], > 0.
      family: of the components, as of `interval_bits`.
      width: > 0, a number or [...].

    Returns:
      Bits [...].

    Raises:
      ValueError: if the family is unknown.

    Reference: Salimans et al. (salimans2017pixelcnn), for logistic mixtures of integers.
    """
    parts = _log_probability(family, jnp.asarray(upper)[..., None], jnp.asarray(width)[..., None], location, scale)
    weights = jax.nn.log_softmax(jnp.asarray(log_weights, parts.dtype), axis=-1)
    return -nats_to_bits(jax.nn.logsumexp(parts + jnp.broadcast_to(weights, parts.shape), axis=-1))


def soft_rounded_upper(value: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """Right end of the unit interval whose probability is that of a soft-rounded value with uniform noise.

    c = soft_round(x, T) + noise has the density F(u) - F(u - 1) with u = soft_round_inverse(c + 1/2, T), F the
    cumulative of x: what an interval's information must be taken of so that the rate is exact under soft rounding.

    Args:
      value: c, any shape.
      temperature: T > 0; broadcasts. As T -> 0 u tends to c + 1/2 for integers c.

    Returns:
      u, the shape of `value`.

    Reference: Agustsson and Theis (agustsson2020universally), section 4.
    """
    return soft_round_inverse(jnp.asarray(value) + 0.5, temperature)
