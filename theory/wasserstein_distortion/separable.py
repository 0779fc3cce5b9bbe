"""Reverse water-filling over a separable spectrum, by piecewise Gauss-Legendre quadrature.

The pooled means of white noise have the spectrum lam(w) = s(w_1) .. s(w_d), where s >= 0 is even, decreases on [0, pi]
and has s(0) = 1. With the set A = {lam > theta},

    D(theta) = theta |A| + int_{not A} lam,    R(theta) = 1/2 int_A ln(lam / theta)    (means over the band, nats).

Every piece on which the integrand is analytic is integrated by itself, so that the kink costs no digits. Roots and
nodes carry no derivative: the integrand of the dual function R + (D - D_0) / (2 theta) is continuous across the
boundary of A, and so moving that boundary does not change it to first order.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_NODES, _WEIGHTS = (0.5 * x for x in np.polynomial.legendre.leggauss(32))
_NODES = _NODES + 0.5
_BISECTIONS = 30
_NEWTON_STEPS = 10
_CUT = 40.0  # the tail is cut where the spectrum has fallen by e^-40 below the water level

LogPower = Callable[[jax.Array, jax.Array], jax.Array]


class _Pieces(NamedTuple):
    """What is integrated: measure of A, int_A ln(lam / theta), int_{not A} lam, as means over the band."""

    active: jax.Array
    logarithm: jax.Array
    inactive: jax.Array


def _reach(log_power: LogPower, level: jax.Array, parameters: jax.Array, limit: jax.Array | float = np.pi) -> jax.Array:
    """Finds the largest frequency in [0, limit] where log_power >= level (0 if there is none), without derivative."""
    level, parameters = lax.stop_gradient(level), lax.stop_gradient(parameters)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = log_power(middle, parameters) >= level
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    zero = jnp.zeros_like(level)
    low, high = lax.fori_loop(0, _BISECTIONS, halve, (zero, zero + limit))
    root = jnp.where(log_power(zero + limit, parameters) >= level, limit, 0.5 * (low + high))
    return jnp.where(log_power(zero, parameters) >= level, root, 0.0)


def _integral(function: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array) -> jax.Array:
    """Integrates over [low, high], both of shape [...]; the function gets nodes of shape [..., n]."""
    nodes, weights = (x.reshape((1,) * low.ndim + (-1,)) for x in (_NODES, _WEIGHTS))
    width = (high - low)[..., None]
    return jnp.sum(function(low[..., None] + width * nodes) * width * weights, -1)


def _line(log_theta: jax.Array, log_power: LogPower, parameters: jax.Array) -> _Pieces:
    edge = _reach(log_power, log_theta, parameters)
    end = _reach(log_power, log_theta - _CUT, parameters)
    logarithm = _integral(lambda w: log_power(w, parameters) - log_theta, jnp.zeros_like(edge), edge)
    inactive = _integral(lambda w: jnp.exp(log_power(w, parameters)), edge, end)
    return _Pieces(edge / np.pi, logarithm / np.pi, inactive / np.pi)


def _plane(log_theta: jax.Array, log_power: LogPower, parameters: jax.Array) -> _Pieces:
    def log_s(w):
        return log_power(w, parameters)

    def s(w):
        return jnp.exp(log_power(w, parameters))

    zero = jnp.zeros_like(log_theta)
    # Columns 0 .. first are active all along, first .. last in part, the others not at all.
    first = _reach(log_power, log_theta - log_power(zero + np.pi, parameters), parameters)
    last = _reach(log_power, log_theta, parameters)
    end = _reach(log_power, log_theta - _CUT, parameters)
    whole_log = _integral(log_s, zero, first) * np.pi + first * _integral(log_s, zero, zero + np.pi)
    logarithm = whole_log - log_theta * first * np.pi
    active = first * np.pi
    inactive = _integral(s, last, end) * _integral(s, zero, end)
    # sin^2 takes away the square roots at both ends of the boundary.
    angle = 0.5 * np.pi * _NODES
    x = first + (last - first) * np.sin(angle) ** 2
    dx = (last - first) * np.pi * np.sin(angle) * np.cos(angle) * _WEIGHTS
    log_x = log_s(x)
    y = _reach(log_power, log_theta - log_x, parameters, end)
    logarithm += jnp.sum(dx * (_integral(log_s, jnp.zeros_like(y), y) + y * (log_x - log_theta)))
    active += jnp.sum(dx * y)
    inactive += jnp.sum(dx * jnp.exp(log_x) * _integral(s, y, jnp.maximum(end, y)))
    return _Pieces(*(value / np.pi**2 for value in (active, logarithm, inactive)))


def _pieces(log_theta, log_power, parameters, dimension):
    return (_line if dimension == 1 else _plane)(log_theta, log_power, parameters)


def water_filling(
    water_level: jax.Array, log_power: LogPower, parameters: jax.Array, *, dimension: int
) -> tuple[jax.Array, jax.Array]:
    """Computes distortion and rate at a water level.

    Args:
      water_level: theta in (0, 1]; a scalar.
      log_power: (frequencies, parameters) -> ln s, elementwise in the frequencies.
      parameters: of the spectrum; differentiable.
      dimension: 1 or 2.

    Returns:
      D(theta) and R(theta) in nats, per sample. Their derivatives with respect to the level are not carried.
    """
    pieces = _pieces(jnp.log(water_level), log_power, parameters, dimension)
    return water_level * pieces.active + pieces.inactive, 0.5 * pieces.logarithm


def rate_distortion(
    distortion: jax.Array, log_power: LogPower, parameters: jax.Array, *, dimension: int
) -> jax.Array:
    """Computes R(D) as the maximum of the dual function over theta; it carries its derivatives.

    D(theta) is concave: after one step of Newton's method theta is at or below the root, whatever the start (here
    that of a Gaussian spectrum in the plane, D / D_0 = theta (1 + ln(1/theta))), and rises to it without
    overshooting. Any theta gives a lower bound on the rate (weak duality), and an error of theta counts squared.

    Args:
      distortion: D > 0 per sample, below int lam; a scalar.
      log_power: (frequencies, parameters) -> ln s, elementwise in the frequencies.
      parameters: of the spectrum; differentiable.
      dimension: 1 or 2.

    Returns:
      Rate in nats per sample.
    """
    target, fixed = lax.stop_gradient(distortion), lax.stop_gradient(parameters)

    def start(_, theta):
        rest = share - theta * (1.0 - jnp.log(theta))
        return jnp.clip(theta - rest / jnp.minimum(jnp.log(theta), -1e-9), share * 1e-3, 1.0)

    def step(_, theta):
        pieces = _pieces(jnp.log(theta), log_power, fixed, dimension)
        missing = target - theta * pieces.active - pieces.inactive
        return jnp.clip(theta + missing / jnp.maximum(pieces.active, 1e-300), target, 1.0)

    limit = _pieces(jnp.zeros_like(target), log_power, fixed, dimension).inactive
    share = jnp.clip(target / jnp.maximum(limit, 1e-300), 1e-300, 1.0)
    theta = lax.fori_loop(0, 12, start, 0.5 * share)
    theta = lax.stop_gradient(lax.fori_loop(0, _NEWTON_STEPS, step, jnp.maximum(theta, target)))
    pieces = _pieces(jnp.log(theta), log_power, parameters, dimension)
    slack = theta * pieces.active + pieces.inactive - distortion
    return jnp.maximum(0.5 * pieces.logarithm + slack / (2.0 * theta), 0.0)
