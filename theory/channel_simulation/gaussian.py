"""Functional information of the Gaussian channel: the least entropy of exact Gaussian noise, one block at a time.

With X ~ N(0, I_n) and Y = X + N(0, s^2 I_n), and r = s chi_{n+2} the radius of a layer (the Gaussian density is a
mixture of uniform densities on balls of such radii),

    F_n = E[-log2 P_X(ball(Y, r))] = E h(X + r B_n) - E log2 Vol(r B_n),   B_n uniform on the unit ball,

which is E_Y D_CS(P_{X|Y} || P_X): no exact scheme for single blocks has less entropy, and for n = 1 the layered dither
has exactly that much. Proof: docs/derivations/layered_dither.md.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, erf, gammainc, gammaln, ndtr
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits

MAX_DIMENSION = 64
_REACH = 9.5  # standard deviations: P(|X| > 9.5) = 2e-21
_ASYMPTOTIC_BITS = 8.0  # per dimension, from where I + g(n) is used for n > 1: it is off by less than 1e-9 bit there


def _nodes(count):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


_LAYERS, _LAYER_WEIGHTS = _nodes(96)
_POINTS, _POINT_WEIGHTS = _nodes(128)
_SLICES, _SLICE_WEIGHTS = _nodes(96)
_FINE, _FINE_WEIGHTS = np.polynomial.legendre.leggauss(16)


def _noise_scale(information_nats, dimension):
    """s for I = (n / 2) ln(1 + 1 / s^2)."""
    return 1 / jnp.sqrt(jnp.expm1(2 * information_nats / dimension))


def _log_interval_mass(z, half):
    """ln P(|X - z| <= half) for z >= 0, X ~ N(0, 1), without cancellation: narrow intervals by the mean density."""
    narrow = half < 0.5
    offsets = jnp.where(narrow, half, 0.5) * _FINE
    density = jnp.dot(jnp.exp(-0.5 * ((z + offsets) ** 2 - z**2)), _FINE_WEIGHTS / 2)
    by_density = jnp.log(2 * half) + jnp.log(density) - 0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    wide = jnp.where(narrow, 1.0, half)
    mass = ndtr(wide - z) - ndtr(-wide - z)
    return jnp.where(narrow, by_density, jnp.log(jnp.maximum(mass, 1e-300)))


def _scalar(information_nats):
    scale = _noise_scale(information_nats, 1)
    # A layer's half-width in units of s has density sqrt(2 / pi) a^2 exp(-a^2 / 2); a = reach t^2 smooths a^2 ln a.
    width = _REACH * _LAYERS**2
    weight = _LAYER_WEIGHTS * 2 * _REACH * _LAYERS * np.sqrt(2 / np.pi) * width**2 * np.exp(-(width**2) / 2)

    def layer(half):
        # For z >= 0 in terms of t = half - z: nothing happens for t > reach, where the interval has mass 1.
        top = jnp.minimum(half, _REACH)
        z = half - (-_REACH + (top + _REACH) * _POINTS)
        log_mass = jax.vmap(_log_interval_mass, (0, None))(z, half)
        return jnp.sum(_POINT_WEIGHTS * (top + _REACH) * -log_mass * jnp.exp(log_mass)) / half

    return jnp.sum(weight * jax.vmap(layer)(scale * width))


def _slice_mass(squared_radius, dimension):
    """P(|X|^2 <= r^2), X ~ N(0, I_{n - 1}); in closed form for n = 2 and 3, an incomplete gamma function from 4 on."""
    x = jnp.maximum(squared_radius, 0.0) / 2
    if dimension == 2:
        return erf(jnp.sqrt(jnp.where(x > 0, x, 1.0))) * (x > 0)
    return -jnp.expm1(-x) if dimension == 3 else gammainc((dimension - 1) / 2, x)


def _ball_mass(distance, radius, dimension):
    """P(|X - z| <= radius), |z| = distance, X ~ N(0, I_n): slices across the line to the center."""
    top = jnp.minimum(radius, distance + _REACH)
    bottom = jnp.maximum(-radius, jnp.minimum(distance, radius) - _REACH - 1.5 * np.sqrt(dimension))
    angle = np.pi * (_SLICES - 0.5)
    t = (top + bottom) / 2 + (top - bottom) / 2 * np.sin(angle)
    weight = (top - bottom) / 2 * (_SLICE_WEIGHTS * np.pi * np.cos(angle))
    density = jnp.exp(-0.5 * (distance - t) ** 2) / np.sqrt(2 * np.pi)
    return jnp.sum(weight * density * _slice_mass(radius**2 - t**2, dimension))


def _ball(information_nats, dimension):
    scale = _noise_scale(information_nats, dimension)
    # r / s has the chi distribution with n + 2 degrees of freedom.
    low, high = max(0.0, np.sqrt(dimension + 2.0) - _REACH), np.sqrt(dimension + 2.0) + _REACH
    chi = low + (high - low) * _LAYERS
    log_chi = (dimension + 1) * np.log(chi) - chi**2 / 2 - dimension / 2 * np.log(2)
    weight = _LAYER_WEIGHTS * (high - low) * jnp.exp(log_chi - gammaln(dimension / 2 + 1))

    def layer(radius):
        near = jnp.maximum(radius - _REACH - np.sqrt(dimension), 0.0)
        width = radius + _REACH + np.sqrt(dimension) - near
        distance = near + width * _POINTS
        mass = jax.vmap(lambda d: _ball_mass(d, radius, dimension))(distance)
        log_mass = jnp.log(jnp.maximum(mass, 1e-300))
        # n |z|^(n-1) / r^n makes shells of the ball's volume; with the mass in logarithms, as it may overflow alone.
        density = jnp.exp(log_mass + (dimension - 1) * jnp.log(distance / radius)) * dimension / radius
        return jnp.sum(_POINT_WEIGHTS * width * density * -log_mass)

    return jnp.sum(weight * jax.lax.map(layer, scale * chi))


@functools.partial(jax.jit, static_argnums=1)
def _functional_information(information, dimension):
    nats = bits_to_nats(information)
    positive = nats > 0
    if dimension == 1:
        exact = jax.lax.map(_scalar, jnp.where(positive & (nats < jnp.inf), nats, 1.0).ravel())
        exact = jnp.where(nats.ravel() < jnp.inf, exact, jnp.inf)
    else:
        coarse = positive & (information <= _ASYMPTOTIC_BITS * dimension)
        excess = bits_to_nats(high_rate_excess(dimension))

        def block(given):
            inside, i = given
            return jax.lax.cond(inside, lambda i: _ball(i, dimension), lambda i: i + excess, i)

        # Nothing is integrated where the limit is used.
        exact = jax.lax.map(block, (coarse.ravel(), jnp.where(positive, nats, 1.0).ravel()))
    # At no information the value is 0 and the slope infinite, as that of a square root.
    value = jnp.where(positive, exact.reshape(nats.shape), jnp.sqrt(jnp.abs(nats)))
    return nan_unless(nats >= 0, nats_to_bits(value))


def gaussian_functional_information(mutual_information: ArrayLike, dimension: int = 1) -> jax.Array:
    """The least entropy of a message that lets a decoder draw one block of exactly Gaussian noise around a Gaussian.

    X ~ N(0, I_n), Y = X + N(0, s^2 I_n), I = (n / 2) log2(1 + 1 / s^2). Every exact scheme of one block, whatever is
    shared, has H(K | S) >= F_n(I) >= I. The layered dither attains it for n = 1; for n > 1 it is attained up to log2 e
    bits (`ring_toss_upper_bound`). Low rate, n = 1: F ~ 1.2241 sqrt(I); high rate: F - I -> g(n).

    Args:
      mutual_information: I(X; Y) >= 0 of the whole block, bits; any shape.
      dimension: n, numbers in a block, 1 .. 64.

    Returns:
      F_n, bits per block, same shape, exact up to quadrature (1e-10; above 8 bits per number and n > 1 by the limit of
      high rate, 1e-9). Inside a trace a negative information gives NaN.

    Raises:
      ValueError: if the information is negative, or the dimension out of range.

    Reference:
      Li and El Gamal 2018 [li2018strong]; Flamich, Sriramu and Wagner 2025 [flamich2025]; equality:
      docs/derivations/layered_dither.md.
    """
    check_domain("mutual_information", mutual_information, minimum=0.0)
    check_dimension(dimension)
    return _functional_information(jnp.asarray(mutual_information, jnp.float64), int(dimension))


def check_dimension(dimension: int) -> None:
    """Refuses what is no number of components of a block.

    Args:
      dimension: n.

    Raises:
      ValueError: if it is not an integer from 1 to 64.
    """
    if isinstance(dimension, bool) or int(dimension) != dimension or not 1 <= dimension <= MAX_DIMENSION:
        raise ValueError(f"dimension must be an integer from 1 to {MAX_DIMENSION}, got {dimension!r}")


def high_rate_excess(dimension: ArrayLike) -> jax.Array:
    """What F_n exceeds the mutual information by as the noise vanishes (asymptotic).

    g(n) = (n / 2) log2 e + log2 Gamma(n / 2 + 1) - (n / 2) psi(n / 2 + 1) / ln 2 = log2(pi n / e) / 2 + O(1 / n).

    Args:
      dimension: n >= 1; any shape, not limited to 64.

    Returns:
      g(n), bits per block, same shape.

    Raises:
      ValueError: if a dimension is below 1.

    Reference:
      docs/derivations/layered_dither.md; balls as layers: Ling and Li 2024 [ling2024].
    """
    check_domain("dimension", dimension, minimum=1.0, finite=True)
    half = jnp.asarray(dimension, jnp.float64) / 2
    return nats_to_bits(half + gammaln(half + 1) - half * digamma(half + 1))


def rejection_sampled_lattice_excess(dimension: ArrayLike, packing_density: ArrayLike) -> jax.Array:
    """What a rejection-sampled lattice exceeds the mutual information by as the noise vanishes (asymptotic).

    Spheres of the radius of a layer around its points touch; a dither uniform over a cell of the lattice is accepted
    with the probability p that is the lattice's packing density. Sent are the number of the accepted one, geometric,
    and the point, which given its dither costs log2(1 / p) less than the ball:

        g(n) - log2(1 / p) + h_b(p) / p = g(n) - (1 - p) / p log2(1 - p),

    h_b(p) = -p log2 p - (1 - p) log2(1 - p); at most g(n) + log2 e.

    Args:
      dimension: n >= 1; any shape, not limited to 64.
      packing_density: p, in (0, 1]; broadcasts.

    Returns:
      Bits per block.

    Raises:
      ValueError: if a dimension is below 1 or a density not in (0, 1].

    Reference:
      The scheme: Ling and Li 2024 [ling2024]; densities: Conway and Sloane [conway1999sphere].
    """
    check_domain("packing_density", packing_density, minimum=0.0, maximum=1.0, open_minimum=True)
    p = jnp.asarray(packing_density, jnp.float64)
    inside = jnp.where(p < 1, p, 0.5)
    overhead = jnp.where(p < 1, -(1 - inside) / inside * jnp.log1p(-inside), 0.0)
    return high_rate_excess(dimension) + nats_to_bits(nan_unless((p > 0) & (p <= 1), overhead))


def low_rate_constant() -> jax.Array:
    """The constant c of F_1(I) ~ c sqrt(I), I -> 0 (asymptotic): no exact scheme of single numbers avoids the root.

    c = sqrt(ln 2 / pi) J with J = int h_b(Phi(t)) dt = 2.606076490 bits: at low rate all of a layer's entropy is at the
    two ends of an interval, where X decides which of two cells it falls into.

    Returns:
      1.224122703, scalar, in square roots of bits.

    Reference:
      docs/derivations/layered_dither.md; the bound of which this is a limit: Flamich, Sriramu and Wagner 2025
      [flamich2025].
    """
    t = _REACH * _POINTS
    tail, rest = ndtr(-t), ndtr(t)
    entropy = -(tail * jnp.log(tail) + rest * jnp.log(rest))
    return jnp.sqrt(bits_to_nats(1.0) / np.pi) * nats_to_bits(2 * _REACH * jnp.sum(_POINT_WEIGHTS * entropy))
