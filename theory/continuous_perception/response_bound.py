"""A lower bound on R(D, P) of a density on the line from any multipliers, by one-dimensional integrals alone.

For a function nu, s >= 0 and h(y) = ln int p(x) exp(nu(x) - s d(x, y)) dx, in nats,

    R(D, P) >= E nu(X) - s D - max over q with delta(p, q) <= P of E_q h.

The maximum over q has a dual with one multiplier t of perception. What it needs of h is an upper bound at every y,
not at nodes alone: on each panel h is at most a parabola (squared error) or a line (absolute error), made of values
at the panel's ends, because of convexity. Everything else is closed form. The proofs are in
docs/derivations/perception_of_densities.md.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

_STEPS = 40  # of the golden section for t
_RATIO = 0.6180339887498949
_SPAN = (-16.0, 16.0)  # of log t, in nats per unit of KL or units of the slope


class Envelope(NamedTuple):
    """An upper bound of h: on panel k it is value_k + slope_k (y - e_k) - curvature y^2.

    Attributes:
      value: [m].
      slope: [m].
      curvature: [] >= 0.
    """

    value: jax.Array
    slope: jax.Array
    curvature: jax.Array


def envelope(
    multiplier: jax.Array, slope: jax.Array, edges: jax.Array, nodes: jax.Array, weights: jax.Array, cost: str
) -> tuple[jax.Array, Envelope]:
    """Integrates nu, and bounds h from above on all panels.

    Squared error: h(y) + s y^2 is a logarithm of a sum of exponentials of lines, so convex, and at most its chord.
    Absolute error: for y in a panel, what lies on either side contributes A exp(-s (y - e_k)) + B exp(s (y - e_k)) to
    exp(h), what lies in the panel at most its whole integral C; the logarithm of the sum is convex.

    Args:
      multiplier: nu at the edges, nats, [m + 1]; between them it is linear.
      slope: s >= 0, nats per unit of distortion; scalar.
      edges: [m + 1], increasing.
      nodes: [m, k].
      weights: [m, k], a pmf.
      cost: "squared" or "absolute".

    Returns:
      E nu(X) and the envelope.
    """
    width = jnp.diff(edges)
    offset = nodes - edges[:-1, None]
    nu = multiplier[:-1, None] + (jnp.diff(multiplier) / width)[:, None] * offset
    mean = jnp.sum(weights * nu)
    log_weights = jnp.log(weights) + nu
    if cost == "squared":
        logits = (log_weights - slope * nodes**2).ravel()
        convex = logsumexp(logits[None] + 2.0 * slope * jnp.outer(edges, nodes.ravel()), axis=1)
        return mean, Envelope(convex[:-1], jnp.diff(convex) / width, slope)
    within = logsumexp(log_weights, axis=1)
    # Each panel's integrals against exp(-s |x - e|) for its own two ends; from there on every panel is a factor.
    to_left = logsumexp(log_weights - slope * offset, axis=1)
    to_right = logsumexp(log_weights - slope * (width[:, None] - offset), axis=1)
    decay = slope * width

    def accumulate(before, panel):
        own, loss = panel
        return jnp.logaddexp(before - loss, own), before

    nothing = jnp.asarray(-jnp.inf)
    # A at each panel's left end, B at its right end.
    below = jax.lax.scan(accumulate, nothing, (to_right, decay))[1]
    above = jax.lax.scan(accumulate, nothing, (to_left, decay), reverse=True)[1]
    low = logsumexp(jnp.stack([below, above - decay, within]), axis=0)
    high = logsumexp(jnp.stack([below - decay, above, within]), axis=0)
    return mean, Envelope(low, (high - low) / width, jnp.zeros(()))


def _at(bound: Envelope, edges: jax.Array, points: jax.Array) -> jax.Array:
    """The envelope at points [m, k] of the panels."""
    inside = bound.value[:, None] + bound.slope[:, None] * (points - edges[:-1, None])
    return inside - bound.curvature * points**2


def _moved(bound: Envelope, edges: jax.Array, t: jax.Array) -> jax.Array:
    """max over y of envelope(y) - t (x - y)^2 at every edge x, [m + 1]; the best y of a panel is known."""
    x, low, high = edges[:, None], edges[None, :-1], edges[None, 1:]
    value, slope = bound.value[None], bound.slope[None]
    y = jnp.clip((slope + 2.0 * t * x) / (2.0 * (bound.curvature + t)), low, high)
    gain = value + slope * (y - low) - bound.curvature * y**2 - t * (x - y) ** 2
    return gain.max(axis=1)


def _highest(bound: Envelope, edges: jax.Array) -> jax.Array:
    """max over y of the envelope."""
    low, high = edges[:-1], edges[1:]
    curved = jnp.where(bound.curvature > 0, bound.curvature, 1.0)
    inside = jnp.clip(bound.slope / (2.0 * curved), low, high)
    y = jnp.where(bound.curvature > 0, inside, jnp.where(bound.slope > 0, high, low))
    return (bound.value + bound.slope * (y - low) - bound.curvature * y**2).max()


def _by_transport(bound, edges, nodes, weights, t):
    """Upper bound on int p(x) max over y [h(y) - t (x - y)^2] dx."""
    moved = _moved(bound, edges, t)
    offset, width = nodes - edges[:-1, None], jnp.diff(edges)[:, None]
    # Plus t x^2 it is a maximum of lines in x, so at most its chord; the chord of t x^2 exceeds t x^2 by the last term.
    chord = moved[:-1, None] + jnp.diff(moved)[:, None] * offset / width
    return jnp.sum(weights * (chord + t * offset * (width - offset)))


def _by_information(bound, edges, nodes, weights, t):
    """Upper bound on t ln int p(y) exp(h(y) / t) dy."""
    h = _at(bound, edges, nodes)
    mean = jnp.sum(weights * h)
    exponent = (h - mean) / t
    small = jnp.abs(exponent).max() < 0.5
    # Where t is large nothing but this form keeps the digits.
    near = jnp.log1p(jnp.sum(weights * jnp.expm1(jnp.where(small, exponent, 0.0))))
    return mean + t * jnp.where(small, near, logsumexp(jnp.log(weights) + exponent))


@partial(jax.jit, static_argnames=("divergence", "cost"))
def response_bound(
    multiplier: jax.Array,
    slope: jax.Array,
    distortion: jax.Array,
    perception: jax.Array,
    edges: jax.Array,
    nodes: jax.Array,
    weights: jax.Array,
    *,
    divergence: str,
    cost: str,
) -> jax.Array:
    """Computes what nu and s prove about R(D, P), with the best multiplier of perception.

    Args:
      multiplier: nu at the edges, nats, [m + 1]; any numbers.
      slope: s >= 0, nats per unit of distortion; scalar.
      distortion: D; scalar.
      perception: P >= 0, 0 and inf included, nats for "kl"; scalar.
      edges: of the panels, [m + 1], increasing.
      nodes: [m, k].
      weights: [m, k], a pmf.
      divergence: "kl" (of the reconstruction from the source) or "w2sq".
      cost: "squared" or "absolute".

    Returns:
      The bound in nats, rounded outwards, perhaps negative; scalar.
    """
    mean, bound = envelope(multiplier, slope, edges, nodes, weights, cost)
    dual = _by_information if divergence == "kl" else _by_transport
    unit = 1.0 if divergence == "kl" else jnp.maximum(slope, 1e-6)
    budget = jnp.where(jnp.isfinite(perception), perception, 0.0)

    def value(log_t):
        t = unit * jnp.exp(log_t)
        found = t * budget + dual(bound, edges, nodes, weights, t)
        return found + 1e-15 * (t * (1.0 + budget) + jnp.abs(found))

    def shrink(_, state):
        low, high, left, right, at_left, at_right = state
        lower = at_left <= at_right
        low, high = jnp.where(lower, low, left), jnp.where(lower, right, high)
        kept, at_kept = jnp.where(lower, left, right), jnp.where(lower, at_left, at_right)
        new = jnp.where(lower, high - _RATIO * (high - low), low + _RATIO * (high - low))
        at_new = value(new)
        left, right = jnp.where(lower, new, kept), jnp.where(lower, kept, new)
        return low, high, left, right, jnp.where(lower, at_new, at_kept), jnp.where(lower, at_kept, at_new)

    low, high = (jnp.asarray(end) for end in _SPAN)
    left, right = high - _RATIO * (high - low), low + _RATIO * (high - low)
    *_, at_left, at_right = jax.lax.fori_loop(
        0, _STEPS, shrink, (low, high, left, right, value(left), value(right)))
    highest = _highest(bound, edges)
    between = jnp.minimum(jnp.minimum(at_left, at_right), highest)
    unmoved = jnp.sum(weights * _at(bound, edges, nodes))
    expected = jnp.where(perception == 0, unmoved, jnp.where(jnp.isinf(perception), highest, between))
    size = jnp.abs(mean) + slope * distortion + jnp.abs(expected) + jnp.abs(bound.value).max()
    return mean - slope * distortion - expected - 1e-13 * size
