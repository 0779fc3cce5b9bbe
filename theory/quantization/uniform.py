"""Entropy-coded scalar quantization of a uniform source, exactly.

A quantizer that cuts [0, W] into cells of lengths w_i W has D = W^2 sum w_i^3 / 12 and entropy H(w).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, infinite_at_zero, nan_unless
from theory.numerics.units import nats_to_bits

# From so many bits on the polygon is the smooth curve through its vertices, to rounding.
_SMOOTH_BITS = 26.0
# With more than so many cells their number cannot be told from the distortion, and the rate is the smooth curve's.
_MAX_CELLS = 1e10


def _check(name, value, width):
    check_domain(name, value, minimum=0.0)
    check_domain("width", width, minimum=0.0, open_minimum=True, finite=True)
    return broadcast(value, width)


def entropy_coded_distortion_rate(rate: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Lower convex hull of D(R): the polygon through (log2 N, width^2 / (12 N^2)), N = 1, 2, ...

    By Jensen's inequality D >= width^2 2^{-2R} / 12 for every quantizer, with equality for N equal cells; between
    two of these points two quantizers are used in turn.

    Args:
      rate: bits per sample, >= 0 (up to 50).
      width: length of the interval, > 0; broadcasts with `rate`.

    Returns:
      Mean squared error: exact. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [gyorgy2000optimal] Gyorgy and Linder, "Optimal entropy-constrained scalar quantization of a uniform source",
      IEEE T-IT 46(7), 2000.
    """
    check_domain("rate", rate, maximum=50.0)
    return _distortion_rate(*_check("rate", rate, width))


@jax.jit
def _distortion_rate(rate, width):
    valid = (rate >= 0) & (rate <= 50.0) & (width > 0)
    fine = rate > _SMOOTH_BITS
    safe = jnp.where(valid & ~fine, rate, 1.0)
    # The small shift keeps log2(N), rounded down, in the piece above N; both pieces agree there.
    levels = jax.lax.stop_gradient(jnp.floor(jnp.exp2(safe) * (1 + 1e-15)))
    part = (safe - jnp.log2(levels)) / nats_to_bits(jnp.log1p(1 / levels))
    relative = (1 - part) / levels**2 + part / (levels + 1) ** 2
    relative = jnp.where(fine, jnp.exp2(-2 * jnp.where(fine, rate, 1.0)), relative)
    return nan_unless(valid, width**2 / 12 * relative)


def entropy_coded_rate_distortion(distortion: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Inverse of `entropy_coded_distortion_rate`: the least entropy at a mean squared error, with time sharing.

    Args:
      distortion: mean squared error, >= 0.
      width: length of the interval, > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample; 0 from width^2 / 12 on, inf at 0. Inside a trace an argument outside its domain
      gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [gyorgy2000optimal] Gyorgy and Linder 2000.
    """
    return _rate_distortion(*_check("distortion", distortion, width))


@jax.jit
def _rate_distortion(distortion, width):
    valid, inside, relative = _relative(distortion, width)
    fine = relative < 2.0 ** (-2 * _SMOOTH_BITS)
    safe = jnp.where(fine, 0.5, relative)
    levels = jax.lax.stop_gradient(jnp.floor((1 + 1e-15) / jnp.sqrt(safe)))
    ends = 1 / levels**2, 1 / (levels + 1) ** 2
    part = (ends[0] - safe) / (ends[0] - ends[1])
    rate = (1 - part) * jnp.log2(levels) + part * jnp.log2(levels + 1)
    rate = jnp.where(fine, -0.5 * jnp.log2(relative), rate)
    return nan_unless(valid, jnp.where(inside, rate, 0.0) + infinite_at_zero(distortion))


def _relative(distortion, width):
    """Which arguments are valid, where 0 < D < width^2 / 12, and 12 D / width^2 there, else 1/2."""
    valid = (distortion >= 0) & (width > 0)
    inside = valid & (distortion > 0) & (distortion < width**2 / 12)
    distortion, width = (jnp.where(inside, value, safe) for value, safe in ((distortion, 1 / 24), (width, 1.0)))
    return valid, inside, 12 * distortion / width**2


def single_quantizer_rate(distortion: ArrayLike, width: ArrayLike = 1.0) -> jax.Array:
    """Least entropy of *one* scalar quantizer at a mean squared error, without time sharing.

    The optimum has k cells of one length m and one shorter cell r = 1 - k m (lengths over width): with
    d = 12 D / width^2 and k = floor(d^{-1/2}), k m^3 + r^3 = d.

    Args:
      distortion: mean squared error, > 0.
      width: length of the interval, > 0; broadcasts with `distortion`.

    Returns:
      Rate, bits per sample; 0 from width^2 / 12 on, inf at 0. Neither convex nor smooth where a cell appears: at
      D = width^2 / (12 N^2) the slope is -inf on the left, and the derivative is that of the right side. Beyond 1e10
      cells value and derivative are those of -log2(d) / 2, from which the rate differs by less than 1 / (3N) bit.
      Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [gyorgy2000optimal] Gyorgy and Linder 2000, Theorem 1.
    """
    return _single_quantizer_rate(*_check("distortion", distortion, width))


@jax.jit
def _single_quantizer_rate(distortion, width):
    valid, inside, relative = _relative(distortion, width)
    fine = relative < _MAX_CELLS**-2
    safe = jnp.where(fine, 0.5, relative)
    frozen = jax.lax.stop_gradient(safe)
    # d^{-1/2} within rounding of an integer N counts as just below it: there k + 1 = N cells of one length.
    k = jnp.maximum(jnp.ceil((1 - 1e-13) / jnp.sqrt(frozen)) - 1, 1.0)
    rest = decreasing_root(
        lambda r: k * ((1 - r) / k) ** 3 + r**3, frozen, jnp.zeros_like(safe), 1 / (k + 1)
    )
    # Near equal cells the root is known to the square root of rounding only; there it is what it is at equality.
    rest = jnp.where(frozen * (k + 1) ** 2 <= 1 + 1e-13, 1 / (k + 1), rest)
    m = (1 - rest) / k
    positive = rest > 0
    share = jnp.where(positive, rest, 1.0)
    nats = -k * m * jnp.log(m) - jnp.where(positive, share * jnp.log(share), 0.0)
    # dH/dd = -ln(m/r) / (3 (m^2 - r^2)) with m = r (1 + u), without its 0/0 at equal cells.
    u = jnp.maximum(m - share, 0.0) / share
    near = u < 1e-6
    slope = -jnp.where(near, 1 - 0.5 * u, jnp.log1p(u) / jnp.where(near, 1.0, u)) / (3 * share * (m + share))
    nats = nats + jnp.where(positive, slope, -jnp.inf) * jnp.where(inside & ~fine, safe - frozen, 0.0)
    nats = jnp.where(fine, -0.5 * jnp.log(relative), nats)
    return nan_unless(valid, jnp.where(inside, nats_to_bits(nats), 0.0) + infinite_at_zero(distortion))


def high_rate_gap() -> float:
    """What entropy-coded uniform scalar quantization loses at high rate: (1/2) log2(2 pi e / 12) = 0.2546 bit.

    Returns:
      Bits per sample, for every source with a density, against R(D) under squared error.

    Reference:
      [gish1968asymptotically] Gish and Pierce, "Asymptotically efficient quantizing", IEEE T-IT 14(5), 1968.
    """
    return float(0.5 * np.log2(2 * np.pi * np.e / 12))
