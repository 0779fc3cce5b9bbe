"""The power divergences (Cressie and Read; Amari's alpha), one family that contains most named ones.

    D_alpha(q || p) = (sum_y q^alpha p^(1 - alpha) - 1) / (alpha (alpha - 1)),   p the source, q the output:

KL(q || p) as alpha -> 1, KL(p || q) as alpha -> 0. Per letter, with r = q / p, the terms that sum to it are

    f / p = (r^alpha - 1 - alpha (r - 1)) / (alpha (alpha - 1)),   df/dq = (r^(alpha - 1) - 1) / (alpha - 1),

and the conjugate at a slope is p (r^alpha - 1) / alpha with the r where df/dq is that slope. The order may be traced:
one program serves the whole family, and costs what that of one divergence does.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.discrete.perception.divergences import Separable
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats, nats_to_bits

NAME = "alpha"
_TERMS = 18


class PowerDivergence(NamedTuple):
    """A member of the family, to be given as a divergence.

    Attributes:
      order: alpha; scalar, may be traced.
    """

    order: jax.Array


def alpha_divergence(alpha: ArrayLike) -> PowerDivergence:
    """Names the power divergence of order alpha, measured in bits.

    D_alpha(p_Y || p_X) = (sum_y p_Y^alpha p_X^(1 - alpha) - 1) / (alpha (alpha - 1) ln 2). Members by other names:

        alpha = 1: "kl", KL(p_Y || p_X) in bits           alpha = 0: "reverse_kl", KL(p_X || p_Y) in bits
        alpha = 1/2: 4 / ln 2 times "hellinger2"          alpha = -1: 1 / (2 ln 2) times "chi2"
        alpha = 2: 1 / (2 ln 2) times sum (p_X - p_Y)^2 / p_X

    For alpha >= 1 the output may not use letters that the source lacks; for alpha <= 0 it must use all that it has.

    Args:
      alpha: the order, any real number; scalar. Values inside a trace need no new compilation.

    Returns:
      A `divergence` for `rate_distortion_perception` and its kin.

    Raises:
      ValueError: if alpha is not one finite number (outside of a trace).

    Reference: [cressie1984multinomial] Cressie and Read, "Multinomial goodness-of-fit tests", 1984: their power
      divergence with lambda = alpha - 1, divided by 2 n.
    """
    check_domain("alpha", alpha, finite=True)
    order = jnp.asarray(alpha, jnp.float64)
    if order.ndim != 0:
        raise ValueError(f"alpha must be one number, got shape {order.shape}")
    return PowerDivergence(order)


def parse(name: str) -> PowerDivergence | None:
    """Reads "alpha=NUMBER", as a command line gives it.

    Args:
      name: of a divergence.

    Returns:
      The divergence, or None if the name is of another kind.

    Raises:
      ValueError: if what follows "alpha=" is no finite number.
    """
    start = f"{NAME}="
    if not name.startswith(start):
        return None
    try:
        return alpha_divergence(float(name[len(start):]))
    except ValueError:
        raise ValueError(f"divergence must be 'alpha=' and a finite number, got {name!r}") from None


def _slope_of_power(z: jax.Array) -> jax.Array:
    """(e^z - 1) / z, 1 at 0, with its derivative."""
    small = jnp.abs(z) < 1e-2
    near, far = jnp.where(small, z, 0.0), jnp.where(small, 1.0, z)
    return jnp.where(small, 1 + near * (1 / 2 + near * (1 / 6 + near * (1 / 24 + near * (1 / 120 + near / 720)))),
                     jnp.expm1(far) / far)


def _power(x: jax.Array, order: jax.Array) -> jax.Array:
    """(e^(order x) - 1) / order: x at order 0; at x = -inf, -1 / order or -inf."""
    finite = jnp.isfinite(x)
    at_zero = jnp.where(order > 0, -1.0 / jnp.where(order > 0, order, 1.0), -jnp.inf)
    inner = jnp.where(finite, x, 0.0)
    return jnp.where(finite, inner * _slope_of_power(order * inner), jnp.where(x < 0, at_zero, jnp.inf))


def _log_ratio(slope: jax.Array, order: jax.Array) -> jax.Array:
    """The x at which (e^(order x) - 1) / order is the slope: -inf below what it reaches."""
    moved = order * slope
    reached = moved > -1
    inner = jnp.where(reached, moved, 0.0)
    small = jnp.abs(inner) < 1e-2
    near, far = jnp.where(small, inner, 0.0), jnp.where(small, 1.0, inner)
    series = 1 + near * (-1 / 2 + near * (1 / 3 + near * (-1 / 4 + near * (1 / 5 + near * (-1 / 6 + near * (
        1 / 7 - near / 8))))))
    x = slope * jnp.where(small, series, jnp.log1p(far) / far)
    return jnp.where(reached, x, jnp.where(order > 0, -jnp.inf, jnp.inf))


def _terms_per_probability(x: jax.Array, order: jax.Array) -> jax.Array:
    """f / p at q = p e^x, which is x^2 times the divided difference of exp at 0, x and order x.

    Near 0 by the series of that, sum over k of x^k (1 + order + .. + order^k) / (k + 2)!; else by whichever of two
    forms does not cancel.
    """
    small = jnp.abs(x) * jnp.maximum(1.0, jnp.abs(order)) < 1.0
    near = jnp.where(small, x, 0.0)
    total, homogeneous, factor = jnp.zeros_like(near), jnp.ones_like(order), jnp.full_like(near, 0.5)
    for k in range(_TERMS):
        total = total + factor * homogeneous
        homogeneous = 1.0 + order * homogeneous
        factor = factor * near / (k + 3.0)
    far = jnp.where(small, 1.0, x)
    ratio = jnp.exp(far)
    middle = jnp.abs(order) < 0.5
    low, high = jnp.where(middle, order, 0.0), jnp.where(middle, 1.0, order)
    by_power = (_power(far, low) - (ratio - 1.0)) / (low - 1.0)
    by_ratio = (ratio * _power(far, high - 1.0) - (ratio - 1.0)) / high
    at_zero = jnp.where(order > 0, 1.0 / jnp.where(order > 0, order, 1.0), jnp.inf)
    return jnp.where(small, near**2 * total, jnp.where(x == -jnp.inf, at_zero, jnp.where(middle, by_power, by_ratio)))


def _log(p: jax.Array, q: jax.Array) -> jax.Array:
    """ln(q / p) where p > 0, without cancellation where they are close; -inf at q = 0."""
    safe = jnp.where(p > 0, p, 1.0)
    change = (q - p) / safe
    near = jnp.abs(change) < 0.5
    positive = (p > 0) & (q > 0)
    far = jnp.where(positive, jnp.log(jnp.where(positive, q, 1.0) / safe), -jnp.inf)
    return jnp.where(p > 0, jnp.where(near, jnp.log1p(jnp.where(near, change, 0.0)), far), 0.0)


def separable(order: jax.Array) -> Separable:
    """Builds what the solver needs of a power divergence, in nats.

    Args:
      order: alpha; scalar, may be traced.

    Returns:
      The divergence; `largest_slope` and `forbids_new_letters` are arrays, traced if the order is.
    """
    order = jnp.asarray(order, jnp.float64)
    rest = order - 1.0
    below = rest < 0
    # A letter that the source lacks costs 1 / (1 - alpha) a unit for alpha < 1, and may not be used for alpha >= 1.
    new_letter = jnp.where(below, 1.0 / jnp.where(below, -rest, 1.0), jnp.inf)

    def terms(p, q):
        inside = jnp.where(p > 0, p, 1.0) * _terms_per_probability(_log(p, q), order)
        # 0 times what a letter that is not used would cost is 0.
        outside = (p == 0) & (q > 0)
        return jnp.where(p > 0, inside, jnp.where(outside, q * jnp.where(outside, new_letter, 1.0), 0.0))

    def slope(p, q):
        return jnp.where(p > 0, _power(_log(p, q), rest), new_letter)

    def curvature(p, q):
        ratio = q / jnp.where(p > 0, p, 1.0)
        return jnp.where(p > 0, ratio**rest / q, 0.0)

    def conjugate_terms(p, a):
        return jnp.where(p > 0, p * _power(_log_ratio(a, rest), order), 0.0)

    def maximizer(p, a):
        return jnp.where(p > 0, p * jnp.exp(_log_ratio(a, rest)), 0.0)

    def maximizer_change(p, a):
        return jnp.where(p > 0, p * jnp.expm1(_log_ratio(a, rest)), 0.0)

    return Separable(terms, slope, curvature, conjugate_terms, maximizer, maximizer_change, new_letter, ~below, True)


def power_from_renyi(perception: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """Converts a bound on the Rényi divergence into that on the power divergence of the same order.

    The Rényi divergence ln(sum p_Y^alpha p_X^(1 - alpha)) / (alpha - 1), R nats, grows with the power divergence:
    D = (e^((alpha - 1) R) - 1) / (alpha (alpha - 1)), R itself at alpha = 1. So R(D, P) under the one is that under the
    other at the converted P.

    Args:
      perception: Rényi divergence >= 0, bits; any shape; inf becomes the largest power divergence.
      alpha: order > 0; broadcasts.

    Returns:
      The power divergence, bits, as `alpha_divergence` measures it. NaN inside a trace for arguments outside the
      domain.

    Raises:
      ValueError: if an argument lies outside its domain (outside of a trace).

    Reference: [vanerven2014renyi] van Erven and Harremoës, "Rényi divergence and Kullback-Leibler divergence", 2014.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("alpha", alpha, minimum=0.0, open_minimum=True, finite=True)
    return _power_from_renyi(*broadcast(perception, alpha))


@jax.jit
def _power_from_renyi(renyi, alpha):
    valid = (renyi >= 0) & (alpha > 0)
    order = jnp.where(valid, alpha, 1.0)
    limit = jnp.where(order < 1, 1.0 / jnp.where(order < 1, 1.0 - order, 1.0), jnp.inf)
    unlimited = jnp.isinf(renyi)
    inner = _power(bits_to_nats(jnp.where(unlimited, 0.0, renyi)), order - 1.0)
    return jnp.where(valid, nats_to_bits(jnp.where(unlimited, limit, inner) / order), jnp.nan)


def renyi_from_power(perception: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """Converts a power divergence into the Rényi divergence of the same order: the inverse of `power_from_renyi`.

    Args:
      perception: power divergence >= 0, bits; any shape. From the largest one on, 1 / (alpha (1 - alpha) ln 2) for
        alpha < 1, the result is inf.
      alpha: order > 0; broadcasts.

    Returns:
      The Rényi divergence, bits. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain (outside of a trace).

    Reference: as `power_from_renyi`.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("alpha", alpha, minimum=0.0, open_minimum=True, finite=True)
    return _renyi_from_power(*broadcast(perception, alpha))


@jax.jit
def _renyi_from_power(power, alpha):
    valid = (power >= 0) & (alpha > 0)
    order = jnp.where(valid, alpha, 1.0)
    unlimited = jnp.isinf(power)
    inner = _log_ratio(order * bits_to_nats(jnp.where(unlimited, 0.0, power)), order - 1.0)
    return jnp.where(valid, nats_to_bits(jnp.where(unlimited, jnp.inf, inner)), jnp.nan)
