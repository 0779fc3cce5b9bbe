"""Foveation: bits per octave of eccentricity when the window grows in proportion to it.

For white noise on the plane, sigma = c r and distortion integrated over area, pooling commutes with dilations (and
rotations) about the fixation: Mellin modes r^(-1 + i s) e^(i l phi) diagonalize it, and the converse is the same number
of bits in every octave. `bits_per_octave` is that number; functions called `asymptotic_...` are local approximations
(the window changes little within its own size) and no bounds.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import nats_to_bits

_RADII = 1024
_NODES, _WEIGHTS = (0.5 * x for x in np.polynomial.legendre.leggauss(40))
_NODES = _NODES + 0.5
_REACH = 9.0  # standard deviations after which the window is nothing
_ORDERS_IN_TRACES, _ANGLES_IN_TRACES = 64, 512


class OctavePoint(NamedTuple):
    """A point of the rate-distortion curve of one octave.

    Attributes:
      bits: per octave of eccentricity.
      relative_distortion: D / D0, D0 being that of the pooled means at rate 0.
    """

    bits: jax.Array
    relative_distortion: jax.Array


def mellin_gains(slope: ArrayLike, frequencies: ArrayLike, *, orders: int, angles: int = 512) -> jax.Array:
    """Computes the gains of pooling with sigma = c r on the modes r^(-1 + i s) e^(i l phi).

    alpha_l(s) = c^-2 int_0^inf rho^(is) e^(-(rho^2 + 1)/(2 c^2)) I_l(rho / c^2) d rho, computed as the Fourier
    transform of the window over (ln rho, phi); sum_l int |alpha_l|^2 ds / 2 pi = 1 / (2 c^2).

    Args:
      slope: c > 0; a scalar.
      frequencies: s, shape [orders, m].
      orders: how many angular orders l = 0, 1, ..
      angles: quadrature nodes of the half circle; more than orders + 9/c.

    Returns:
      |alpha_l(s)|, shape [orders, m].
    """
    x, profiles = _profiles(jnp.asarray(slope, jnp.float64), orders, angles)
    return _gains(x, profiles, jnp.asarray(frequencies, jnp.float64))


def _profiles(c, orders, angles):
    """Computes ln rho and the window's angular Fourier coefficients there: [radii], [orders, radii]."""
    fixed = lax.stop_gradient(c)
    low = jnp.log(jnp.maximum(1.0 - _REACH * fixed, math.exp(-40.0)))
    step = (jnp.log1p(_REACH * fixed) - low) / _RADII
    x = low + step * (np.arange(_RADII) + 0.5)
    phi = np.pi * (np.arange(angles) + 0.5) / angles
    # |rho e^{i phi} - 1|^2 without cancellation.
    distance = jnp.expm1(x)[:, None] ** 2 + 4.0 * jnp.exp(x)[:, None] * np.sin(0.5 * phi[None]) ** 2
    window = jnp.exp(x[:, None] - distance / (2.0 * c**2)) * (step / c**2)
    return x, jnp.asarray(np.cos(np.outer(np.arange(orders), phi)) / angles) @ window.T


def _gains(x, profiles, frequencies):
    def one_order(pair):
        phase = pair[0][:, None] * x[None]
        return jnp.sqrt(jnp.square(jnp.cos(phase) @ pair[1]) + jnp.square(jnp.sin(phase) @ pair[1]))

    return lax.map(one_order, (frequencies, profiles))


def octave_water_filling(slope: ArrayLike, theta: ArrayLike, *, orders: int | None = None) -> OctavePoint:
    """Computes bits and distortion of one octave for a white Gaussian field and sigma = slope * r (certified converse).

    bits = ln 2 sum_l int 1/2 log2(|alpha_l(s)|^2 / theta)_+ ds / 2 pi, D likewise with min(theta, |alpha_l|^2), for
    Gaussian windows in the continuous plane and distortion integrated over area. As c -> 0 they tend to
    L^2 / (8 c^2) bits and D / D0 = theta (1 + L), L = ln(1/theta).

    Args:
      slope: c > 0, sigma over eccentricity; any shape.
      theta: water level > 0, relative to the gain of a window of fixed size at frequency 0; broadcasts. Some bits are
        left at theta = 1, because windows that grow have |alpha_0(0)| > 1.
      orders: how many angular orders to sum; by default enough, or 64 inside a trace.

    Returns:
      `OctavePoint`, of the broadcast shape. NaN where `orders` are too few (inside a trace: slope under .02, too).

    Raises:
      ValueError: if slope <= 0 or theta <= 0 (outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md from kolmogorov1956shannon.
    """
    check_domain("slope", slope, minimum=0.0, open_minimum=True, finite=True)
    check_domain("theta", theta, minimum=0.0, open_minimum=True, finite=True)
    if orders is not None and orders < 1:
        raise ValueError(f"orders must be >= 1, got {orders}")
    angles = _ANGLES_IN_TRACES
    if is_concrete(slope) and is_concrete(theta) and np.size(slope) and np.size(theta):
        least = float(np.min(slope))
        needed = 8 + int(1.2 * math.sqrt(max(0.0, -math.log(float(np.min(theta))))) / least)
        orders = needed if orders is None else orders
        angles = 64 * (1 + (orders + int(_REACH / least)) // 64)
    orders = _ORDERS_IN_TRACES if orders is None else orders
    c, level = broadcast(slope, theta)
    valid = (c > 0.0) & (level > 0.0) & (orders + _REACH / c <= angles)
    points = _octaves(
        jnp.where(valid, c, 0.5).reshape(-1), jnp.where(valid, level, 0.5).reshape(-1), orders=orders, angles=angles)
    return OctavePoint(*(nan_unless(valid, value.reshape(c.shape)) for value in points))


def bits_per_octave(slope: ArrayLike, theta: ArrayLike) -> jax.Array:
    """Computes the bits of one octave of eccentricity: `octave_water_filling(slope, theta).bits`.

    Args:
      slope: c > 0 in sigma = c r; any shape.
      theta: water level > 0, relative to the gain of a window of fixed size at frequency 0; broadcasts.

    Returns:
      Bits per octave below which no code stays; the broadcast shape.

    Raises:
      ValueError: if slope <= 0 or theta <= 0 (outside of a trace).
    """
    return octave_water_filling(slope, theta).bits


@functools.partial(jax.jit, static_argnames=("orders", "angles"))
def _octaves(slope, theta, *, orders, angles):
    return jax.vmap(lambda c, level: _octave(c, level, orders, angles))(slope, theta)


def _octave(c, theta, orders, angles):
    x, profiles = _profiles(c, orders, angles)
    fixed = lax.stop_gradient((x, profiles))
    level = lax.stop_gradient(jnp.sqrt(theta))

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        above = _gains(*fixed, middle[:, None])[:, 0] > level
        return jnp.where(above, middle, ends[0]), jnp.where(above, ends[1], middle)

    low = jnp.zeros(orders)
    high = low + lax.stop_gradient(2.0 + 2.0 * jnp.sqrt(jnp.maximum(-jnp.log(theta), 0.0)) / c)
    low, high = lax.fori_loop(0, 32, halve, (low, high))
    at_zero = _gains(*fixed, jnp.zeros((orders, 1)))[:, 0]
    edge = jnp.where(at_zero > level, 0.5 * (low + high), 0.0)
    power = jnp.square(_gains(x, profiles, edge[:, None] * _NODES[None]))
    width = edge[:, None] * _WEIGHTS[None]
    # s and -s, l and -l: every order but 0 counts four times the half line.
    count = jnp.where(jnp.arange(orders) == 0, 2.0, 4.0) / (2.0 * np.pi)
    bits = nats_to_bits(0.5 * count @ jnp.sum(width * (jnp.log(power) - jnp.log(theta)), -1))
    energy = 1.0 / (2.0 * c**2)
    changed = count @ jnp.sum(width * (theta - power), -1)
    complete = at_zero[-1] <= level
    return jnp.where(complete, jnp.log(2.0) * bits, jnp.nan), jnp.where(complete, 1.0 + changed / energy, jnp.nan)
