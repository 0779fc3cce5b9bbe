"""Divergences between the source's and the reconstruction's distribution, with their convex conjugates.

A divergence delta(p, q) is convex in q. Its conjugate over distributions,

    conjugate(p, phi) = max over pmfs q of sum_y q(y) phi(y) - delta(p, q),

turns any critic phi into a lower bound on a rate. Information quantities are in nats here.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import rel_entr, xlog1py


class Divergence(NamedTuple):
    """A convex function of the output pmf that vanishes at the source's pmf, and its conjugate.

    Attributes:
      value: (p [n], q [n]) -> delta(p, q), scalar; smooth for q > 0.
      conjugate: (p [n], phi [n]) -> max over pmfs q of <q, phi> - delta(p, q), or any upper bound on it.
        The tighter it is, the tighter the certificate.
    """

    value: Callable[[jax.Array, jax.Array], jax.Array]
    conjugate: Callable[[jax.Array, jax.Array], jax.Array]


class Separable(NamedTuple):
    """A divergence sum_y f(p(y), q(y)) and what Newton's method and the certificate need of it.

    Attributes:
      terms: (p, q) -> f(p, q), elementwise, with f(p, p) = 0.
      slope: (p, q) -> df/dq, with slope(p, p) = 0.
      curvature: (p, q) -> d2f/dq2, q > 0.
      conjugate_terms: (p, a) -> sup over q >= 0 of a q - f(p, q), elementwise; +inf outside of its domain.
      maximizer: (p, a) -> the q that attains it.
      maximizer_change: (p, a) -> maximizer - p, without cancellation at a = 0.
      largest_slope: the domain is a < largest_slope; may be traced.
      forbids_new_letters: whether q(y) > 0 needs p(y) > 0; may be traced.
      information: whether the value is an information quantity.
    """

    terms: Callable[[jax.Array, jax.Array], jax.Array]
    slope: Callable[[jax.Array, jax.Array], jax.Array]
    curvature: Callable[[jax.Array, jax.Array], jax.Array]
    conjugate_terms: Callable[[jax.Array, jax.Array], jax.Array]
    maximizer: Callable[[jax.Array, jax.Array], jax.Array]
    maximizer_change: Callable[[jax.Array, jax.Array], jax.Array]
    largest_slope: float | jax.Array
    forbids_new_letters: bool | jax.Array
    information: bool


def _ratio(p, q):
    return p / jnp.where(q > 0, q, 1.0)


def _relative_change(p, q):
    """(q - p) / p, or 0 where p is 0."""
    return jnp.where(p > 0, (q - p) / jnp.where(p > 0, p, 1.0), 0.0)


def _log_remainder(x):
    """x - ln(1 + x) for x > -1, without cancellation at 0."""
    small = jnp.abs(x) < 1e-2
    y = jnp.where(small, x, 0.0)
    series = y**2 * (1 / 2 + y * (-1 / 3 + y * (1 / 4 + y * (-1 / 5 + y * (1 / 6 + y * (-1 / 7 + y / 8))))))
    safe = jnp.where(small | (x <= -1), 0.0, x)
    return jnp.where(small, series, safe - jnp.log1p(safe))


def _kl_terms(p, q):
    # q ln(q/p) - q + p with x = p/q - 1: q (x - ln(1 + x)).
    x = _relative_change(q, p)
    usual = (p > 0) & (q > 0) & (jnp.abs(x) < 0.5)
    return jnp.where(usual, q * _log_remainder(jnp.where(usual, x, 0.0)), rel_entr(q, p) - q + p)


def _kl_slope(p, q):
    x = _relative_change(p, q)
    near = jnp.abs(x) < 0.5
    far = jnp.where(p > 0, jnp.log(q / jnp.where(p > 0, p, 1.0)), 0.0)
    return jnp.where(near, jnp.log1p(jnp.where(near, x, 0.0)), far)


def _reverse_kl_terms(p, q):
    return _kl_terms(q, p)


def _js_terms(p, q):
    middle = 0.5 * (p + q)
    return 0.5 * (_kl_terms(middle, p) + _kl_terms(middle, q))


def _chi2_terms(p, q):
    # p^2/q - 2 p + q = (p - q)^2 / q.
    return jnp.where(q > 0, (p - q) ** 2 / jnp.where(q > 0, q, 1.0), jnp.where(p > 0, jnp.inf, 0.0))


def _hellinger_terms(p, q):
    # (sqrt p - sqrt q)^2 / 2 = (p - q)^2 / (2 (sqrt p + sqrt q)^2).
    total = jnp.sqrt(p) + jnp.sqrt(q)
    return 0.5 * ((p - q) / jnp.where(total > 0, total, 1.0)) ** 2


def _within(a, bound, value):
    """The value where a < bound, else +inf; safe to evaluate on both sides."""
    return jnp.where(a < bound, value(jnp.where(a < bound, a, bound - 1.0)), jnp.inf)


# Each f is chosen with f(p, p) = 0 and df/dq = 0 at q = p, by adding a multiple of q - p, which sums to zero. All
# are written such that nothing cancels where q is near p, or a near 0: at a perception of 1e-20 they are still right.
SEPARABLE = {
    "kl": Separable(
        terms=_kl_terms,
        slope=_kl_slope,
        curvature=lambda p, q: 1.0 / q,
        conjugate_terms=lambda p, a: jnp.where(p > 0, p * jnp.expm1(a), 0.0),
        maximizer=lambda p, a: p * jnp.exp(a),
        maximizer_change=lambda p, a: p * jnp.expm1(a),
        largest_slope=jnp.inf,
        forbids_new_letters=True,
        information=True,
    ),
    "reverse_kl": Separable(
        terms=_reverse_kl_terms,
        slope=lambda p, q: (q - p) / q,
        curvature=lambda p, q: p / q**2,
        conjugate_terms=lambda p, a: _within(a, 1.0, lambda b: -xlog1py(p, -b)),
        maximizer=lambda p, a: p / (1.0 - a),
        maximizer_change=lambda p, a: p * a / (1.0 - a),
        largest_slope=1.0,
        forbids_new_letters=False,
        information=True,
    ),
    "js": Separable(
        terms=_js_terms,
        slope=lambda p, q: 0.5 * jnp.log1p((q - p) / (p + q)),
        curvature=lambda p, q: 0.5 * p / (q * (p + q)),
        conjugate_terms=lambda p, a: _within(a, 0.5 * jnp.log(2.0), lambda b: -0.5 * xlog1py(p, -jnp.expm1(2.0 * b))),
        maximizer=lambda p, a: p * jnp.exp(2.0 * a) / (2.0 - jnp.exp(2.0 * a)),
        maximizer_change=lambda p, a: 2.0 * p * jnp.expm1(2.0 * a) / (1.0 - jnp.expm1(2.0 * a)),
        largest_slope=0.34657359027997264,
        forbids_new_letters=False,
        information=True,
    ),
    "chi2": Separable(
        terms=_chi2_terms,
        slope=lambda p, q: (q - p) * (q + p) / q**2,
        curvature=lambda p, q: 2.0 * p**2 / q**3,
        conjugate_terms=lambda p, a: _within(a, 1.0, lambda b: 2.0 * p * b / (1.0 + jnp.sqrt(1.0 - b))),
        maximizer=lambda p, a: p / jnp.sqrt(1.0 - a),
        maximizer_change=lambda p, a: p * a / (jnp.sqrt(1.0 - a) * (1.0 + jnp.sqrt(1.0 - a))),
        largest_slope=1.0,
        forbids_new_letters=False,
        information=False,
    ),
    "hellinger2": Separable(
        terms=_hellinger_terms,
        slope=lambda p, q: 0.5 * (q - p) / (jnp.sqrt(q) * (jnp.sqrt(p) + jnp.sqrt(q))),
        curvature=lambda p, q: 0.25 * jnp.sqrt(p / q) / q,
        conjugate_terms=lambda p, a: _within(a, 0.5, lambda b: p * b / (1.0 - 2.0 * b)),
        maximizer=lambda p, a: p / (1.0 - 2.0 * a) ** 2,
        maximizer_change=lambda p, a: p * 4.0 * a * (1.0 - a) / (1.0 - 2.0 * a) ** 2,
        largest_slope=0.5,
        forbids_new_letters=False,
        information=False,
    ),
}

TRANSPORT = ("w1", "w2sq")
NAMES = ("tv", *SEPARABLE, *TRANSPORT)


def total_variation(p: jax.Array, q: jax.Array) -> jax.Array:
    """Computes half the L1 distance of two pmfs.

    Args:
      p: [n].
      q: [n].

    Returns:
      The distance, scalar, between 0 and 1.
    """
    return 0.5 * jnp.abs(p - q).sum()


def separable_value(divergence: str | Separable, p: jax.Array, q: jax.Array) -> jax.Array:
    """Computes sum_y f(p(y), q(y)).

    Args:
      divergence: itself, or its name in `SEPARABLE`.
      p: the source, [n].
      q: the output pmf, [n].

    Returns:
      The divergence, scalar, >= 0; in nats if it is an information quantity.
    """
    return jnp.maximum(_looked_up(divergence).terms(p, q).sum(), 0.0)


def _looked_up(divergence: str | Separable) -> Separable:
    return SEPARABLE[divergence] if isinstance(divergence, str) else divergence


def _separable_multiplier(divergence: Separable, p: jax.Array, critic: jax.Array) -> jax.Array:
    """The tau at which the letters' maximizers at critic - tau sum to one, by bisection; scalar."""
    top = jnp.where((p > 0) | ~jnp.asarray(divergence.forbids_new_letters), critic, -jnp.inf).max()

    def excess_mass(tau):
        return jnp.where(p > 0, divergence.maximizer_change(p, critic - tau), 0.0).sum()

    # The mass decreases in tau. At tau = max critic no letter has slope above f'(p, p) = 0: mass <= 0. At the least
    # critic none has a slope below that.
    spread = jnp.minimum(top - jnp.where(p > 0, critic, jnp.inf).min(), divergence.largest_slope)

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        heavy = excess_mass(middle) > 0
        return jnp.where(heavy, middle, low), jnp.where(heavy, high, middle)

    return lax.fori_loop(0, 60, halve, (top - spread, top))[1]


def separable_conjugate(divergence: str | Separable, p: jax.Array, critic: jax.Array) -> jax.Array:
    """Bounds max over pmfs q of <q, critic> - delta(p, q) from above, by a scalar search.

    By duality it is the minimum over tau of tau + sum_y f*(p(y), critic(y) - tau), and every tau gives an
    upper bound, so the value returned is one whether or not the search has converged.

    Args:
      divergence: itself, or its name in `SEPARABLE`.
      p: the source, [n].
      critic: phi, [n]; in nats if the divergence is an information quantity.

    Returns:
      The bound, scalar, in units of the critic.
    """
    divergence = _looked_up(divergence)
    tau = _separable_multiplier(divergence, p, critic)
    return tau + jnp.where(p > 0, divergence.conjugate_terms(p, critic - tau), 0.0).sum()


def separable_maximizer(divergence: str | Separable, p: jax.Array, critic: jax.Array) -> jax.Array:
    """Finds the pmf q that maximizes <q, critic> - delta(p, q).

    Args:
      divergence: itself, or its name in `SEPARABLE`.
      p: the source, [n].
      critic: phi, [n]; in nats if the divergence is an information quantity.

    Returns:
      q - p, [n]; sums to 0 up to the search's accuracy.
    """
    divergence = _looked_up(divergence)
    tau = _separable_multiplier(divergence, p, critic)
    change = jnp.where(p > 0, divergence.maximizer_change(p, critic - tau), 0.0)
    return change - p * change.sum()


def total_variation_conjugate(p: jax.Array, critic: jax.Array) -> jax.Array:
    """Computes max over pmfs q of <q, critic> - TV(p, q) = sum_y p(y) max(critic(y), max critic - 1).

    Args:
      p: the source, [n].
      critic: phi, [n].

    Returns:
      The conjugate, scalar.
    """
    return p @ jnp.maximum(critic, critic.max() - 1.0)


def transport_conjugate(p: jax.Array, critic: jax.Array, cost: jax.Array) -> jax.Array:
    """Computes max over pmfs q of <q, critic> - W_c(p, q) = sum_x p(x) max_y (critic(y) - c(x, y)).

    Args:
      p: the source, [n].
      critic: phi, [n], in units of the cost.
      cost: c(x, y), [n, n]; +inf leaves a pair out.

    Returns:
      The conjugate, scalar, in units of the cost.
    """
    return jnp.sum(jnp.where(p > 0, p * jnp.max(critic[None] - cost, -1), 0.0))


def line_transport(points: jax.Array, p: jax.Array, q: jax.Array, power: int) -> jax.Array:
    """Computes the optimal transport cost |x - y|^power of two pmfs on the same points of the line.

    The monotone coupling is optimal: the integral over u in (0, 1) of the cost between the u-quantiles.

    Args:
      points: positions, [n], in any order.
      p: [n].
      q: [n].
      power: >= 1.

    Returns:
      The cost, scalar, in units of the points to that power.
    """
    order = jnp.argsort(points)
    sorted_points = points[order]
    below_p, below_q = jnp.cumsum(p[order]), jnp.cumsum(q[order])
    levels = jnp.sort(jnp.concatenate([below_p, below_q]))
    widths = jnp.diff(levels, prepend=0.0)
    last = points.shape[0] - 1
    at_p = jnp.minimum(jnp.searchsorted(below_p, levels, side="left"), last)
    at_q = jnp.minimum(jnp.searchsorted(below_q, levels, side="left"), last)
    return widths @ jnp.abs(sorted_points[at_p] - sorted_points[at_q]) ** power
