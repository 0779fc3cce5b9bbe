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
from jax.scipy.special import rel_entr, xlogy


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
      largest_slope: the domain is a < largest_slope.
      forbids_new_letters: whether q(y) > 0 needs p(y) > 0.
      information: whether the value is an information quantity.
    """

    terms: Callable[[jax.Array, jax.Array], jax.Array]
    slope: Callable[[jax.Array, jax.Array], jax.Array]
    curvature: Callable[[jax.Array, jax.Array], jax.Array]
    conjugate_terms: Callable[[jax.Array, jax.Array], jax.Array]
    maximizer: Callable[[jax.Array, jax.Array], jax.Array]
    largest_slope: float
    forbids_new_letters: bool
    information: bool


def _js_terms(p, q):
    return 0.5 * (rel_entr(p, 0.5 * (p + q)) + rel_entr(q, 0.5 * (p + q)))


def _ratio(p, q):
    return p / jnp.where(q > 0, q, 1.0)


def _within(a, bound, value):
    """The value where a < bound, else +inf; safe to evaluate on both sides."""
    return jnp.where(a < bound, value(jnp.where(a < bound, a, bound - 1.0)), jnp.inf)


# Each f is chosen with f(p, p) = 0 and df/dq = 0 at q = p, by adding a multiple of q - p, which sums to zero.
SEPARABLE = {
    "kl": Separable(
        terms=lambda p, q: rel_entr(q, p) - q + p,
        slope=lambda p, q: jnp.where(p > 0, jnp.log(q / jnp.where(p > 0, p, 1.0)), 0.0),
        curvature=lambda p, q: 1.0 / q,
        conjugate_terms=lambda p, a: jnp.where(p > 0, p * jnp.expm1(a), 0.0),
        maximizer=lambda p, a: p * jnp.exp(a),
        largest_slope=jnp.inf,
        forbids_new_letters=True,
        information=True,
    ),
    "reverse_kl": Separable(
        terms=lambda p, q: rel_entr(p, q) + q - p,
        slope=lambda p, q: 1.0 - p / q,
        curvature=lambda p, q: p / q**2,
        conjugate_terms=lambda p, a: _within(a, 1.0, lambda b: -xlogy(p, 1.0 - b)),
        maximizer=lambda p, a: p / (1.0 - a),
        largest_slope=1.0,
        forbids_new_letters=False,
        information=True,
    ),
    "js": Separable(
        terms=_js_terms,
        slope=lambda p, q: 0.5 * jnp.log(2.0 * q / (p + q)),
        curvature=lambda p, q: 0.5 * p / (q * (p + q)),
        conjugate_terms=lambda p, a: _within(
            a, 0.5 * jnp.log(2.0), lambda b: -0.5 * xlogy(p, 2.0 - jnp.exp(2.0 * b))
        ),
        maximizer=lambda p, a: p * jnp.exp(2.0 * a) / (2.0 - jnp.exp(2.0 * a)),
        largest_slope=0.34657359027997264,
        forbids_new_letters=False,
        information=True,
    ),
    "chi2": Separable(
        terms=lambda p, q: jnp.where(p > 0, _ratio(p, q), 0.0) * p - 2.0 * p + q,
        slope=lambda p, q: 1.0 - (p / q) ** 2,
        curvature=lambda p, q: 2.0 * p**2 / q**3,
        conjugate_terms=lambda p, a: _within(a, 1.0, lambda b: 2.0 * p * (1.0 - jnp.sqrt(1.0 - b))),
        maximizer=lambda p, a: p / jnp.sqrt(1.0 - a),
        largest_slope=1.0,
        forbids_new_letters=False,
        information=False,
    ),
    "hellinger2": Separable(
        terms=lambda p, q: 0.5 * (jnp.sqrt(p) - jnp.sqrt(q)) ** 2,
        slope=lambda p, q: 0.5 - 0.5 * jnp.sqrt(p / q),
        curvature=lambda p, q: 0.25 * jnp.sqrt(p / q) / q,
        conjugate_terms=lambda p, a: _within(a, 0.5, lambda b: p * b / (1.0 - 2.0 * b)),
        maximizer=lambda p, a: p / (1.0 - 2.0 * a) ** 2,
        largest_slope=0.5,
        forbids_new_letters=False,
        information=False,
    ),
}

TRANSPORT = ("w1", "w2sq")
NAMES = ("tv", *SEPARABLE, *TRANSPORT)


def total_variation(p: jax.Array, q: jax.Array) -> jax.Array:
    """Half the L1 distance of two pmfs, scalar."""
    return 0.5 * jnp.abs(p - q).sum()


def separable_value(name: str, p: jax.Array, q: jax.Array) -> jax.Array:
    """sum_y f(p(y), q(y)) of a named divergence, in nats where it is one; scalar."""
    terms = SEPARABLE[name].terms(p, q)
    if name in ("reverse_kl", "chi2"):
        terms = jnp.where((p > 0) & (q <= 0), jnp.inf, terms)
    return jnp.maximum(terms.sum(), 0.0)


def separable_conjugate(name: str, p: jax.Array, critic: jax.Array) -> jax.Array:
    """max over pmfs q of <q, critic> - delta(p, q), by a scalar search; scalar.

    By duality it is the minimum over tau of tau + sum_y f*(p(y), critic(y) - tau), and every tau gives an
    upper bound, so the value returned is one whether or not the search has converged.
    """
    divergence = SEPARABLE[name]
    top = jnp.where(p > 0, critic, -jnp.inf).max() if divergence.forbids_new_letters else critic.max()

    def mass(tau):
        return jnp.where(p > 0, divergence.maximizer(p, critic - tau), 0.0).sum() - 1.0

    # The mass decreases in tau. At tau = max critic no letter has slope above f'(p, p) = 0: mass <= 0.
    spread = jnp.where(
        jnp.isinf(divergence.largest_slope),
        top - jnp.where(p > 0, critic, jnp.inf).min(),
        divergence.largest_slope,
    )
    low, high = top - spread, top

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        heavy = mass(middle) > 0
        return jnp.where(heavy, middle, low), jnp.where(heavy, high, middle)

    _, tau = lax.fori_loop(0, 60, halve, (low, high))
    return tau + jnp.where(p > 0, divergence.conjugate_terms(p, critic - tau), 0.0).sum()


def total_variation_conjugate(p: jax.Array, critic: jax.Array) -> jax.Array:
    """max over pmfs q of <q, critic> - TV(p, q) = sum_y p(y) max(critic(y), max critic - 1); scalar."""
    return p @ jnp.maximum(critic, critic.max() - 1.0)


def transport_conjugate(p: jax.Array, critic: jax.Array, cost: jax.Array) -> jax.Array:
    """max over pmfs q of <q, critic> - W_c(p, q) = sum_x p(x) max_y (critic(y) - c(x, y)); scalar."""
    return jnp.where(p > 0, p, 0.0) @ jnp.max(critic[None] - cost, -1)


def line_transport(points: jax.Array, p: jax.Array, q: jax.Array, power: int) -> jax.Array:
    """Optimal transport cost |x - y|^power, power >= 1, of two pmfs on the same points of the line; scalar.

    The monotone coupling is optimal: the integral over u in (0, 1) of the cost between the u-quantiles.
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
