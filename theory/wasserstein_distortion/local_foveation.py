"""Local approximations of foveated rates: each place as if sigma were constant around it (asymptotic, no bound).

One water level theta for all places minimizes the rate at a given distortion averaged over area; bits are those of the
converse for pooled means. Good where sigma changes little within itself, |grad sigma| << 1; for white fields and
sigma = c r the exact number is `foveation.bits_per_octave`.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, nan_unless
from theory.numerics.units import nats_to_bits
from theory.wasserstein_distortion import separable
from theory.wasserstein_distortion.fields import FieldPoint, gaussian_window_log_power


def _check(**positive):
    for name, value in positive.items():
        check_domain(name, value, minimum=0.0, open_minimum=True, finite=True)


def asymptotic_bits_per_octave(slope: ArrayLike, theta: ArrayLike, *, two_fields: bool = False) -> jax.Array:
    """Computes L^2 / (8 c^2) bits per octave, L = ln(1/theta), for a white field and sigma = c r (asymptotic).

    With the field of local deviations: [L^2 + (L - ln 2)_+^2] / (8 c^2).

    Args:
      slope: c > 0; any shape.
      theta: water level in (0, 1]; broadcasts.
      two_fields: whether local deviations are coded, too.

    Returns:
      Bits per octave; the broadcast shape.

    Raises:
      ValueError: if slope <= 0 or theta is not in (0, 1] (outside of a trace).
    """
    _check(slope=slope, theta=theta)
    check_domain("theta", theta, maximum=1.0)
    c, level = broadcast(slope, theta)
    level = -jnp.log(level)
    second = jnp.maximum(level - jnp.log(2.0), 0.0) if two_fields else 0.0
    return nan_unless((c > 0) & (level >= 0), (level**2 + second**2) / (8.0 * c**2))


def asymptotic_foveated_bits(
    slope: ArrayLike, offset: ArrayLike, radius: ArrayLike, theta: ArrayLike
) -> jax.Array:
    """Computes the bits of one fixation on a white field with sigma = c (r + r0), r = 0 .. radius (asymptotic).

    L^2 / (8 c^2 ln 2) [ln(1 + x) - x / (1 + x)], x = radius / r0, L = ln(1/theta).

    Args:
      slope: c > 0; any shape.
      offset: r0 > 0, pixels; broadcasts. c r0 is sigma at the fixation, and should be at least a pixel.
      radius: of the image, > 0, pixels; broadcasts.
      theta: water level in (0, 1]; broadcasts.

    Returns:
      Bits in total; the broadcast shape.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    _check(slope=slope, offset=offset, radius=radius, theta=theta)
    check_domain("theta", theta, maximum=1.0)
    c, r0, radius, level = broadcast(slope, offset, radius, theta)
    x, level = radius / r0, -jnp.log(level)
    bits = nats_to_bits(level**2 / (8.0 * c**2) * (jnp.log1p(x) - x / (1.0 + x)))
    return nan_unless((c > 0) & (r0 > 0) & (radius > 0) & (level >= 0), bits)


def asymptotic_flat_fovea_bits(
    slope: ArrayLike, fovea: ArrayLike, radius: ArrayLike, theta: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Computes the bits of one fixation on a white field with sigma = c (r - f)_+ (asymptotic).

    Inside of the fovea sigma = 0 and every pixel costs 1/2 log2(1/theta). Outside, from x1 = 1/c on, where sigma is a
    pixel, to x2 = radius - f: L^2 / (8 c^2 ln 2) [ln(x2/x1) + f (1/x1 - 1/x2)]. The ring between them, f < r < f + 1/c,
    is left out; `asymptotic_map_point` has it.

    Args:
      slope: c > 0; any shape.
      fovea: f > 0, pixels; broadcasts.
      radius: of the image, > f + 1/c, pixels; broadcasts.
      theta: water level in (0, 1]; broadcasts.

    Returns:
      Bits inside and bits outside, each of the broadcast shape. NaN where the radius is too small.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    _check(slope=slope, fovea=fovea, radius=radius, theta=theta)
    check_domain("theta", theta, maximum=1.0)
    c, f, radius, level = broadcast(slope, fovea, radius, theta)
    level, first, last = -jnp.log(level), 1.0 / c, radius - f
    valid = (c > 0) & (f > 0) & (last >= first) & (level >= 0)
    last = jnp.where(valid, last, first)
    inside = nats_to_bits(0.5 * np.pi * f**2 * level)
    outside = nats_to_bits(level**2 / (8.0 * c**2) * (jnp.log(last / first) + f * (1.0 / first - 1.0 / last)))
    return nan_unless(valid, inside), nan_unless(valid, outside)


def asymptotic_power_law_foveated_bits(
    slope: ArrayLike, inner: ArrayLike, outer: ArrayLike, scale: ArrayLike
) -> jax.Array:
    """Computes the bits of a ring on a field S = K |w|^-2 with sigma = c r and one water level (asymptotic).

    [v^3/3 + 3 v^2/2 + 2 v] between v(inner) and v(outer), over 16 c^2 ln 2, with v e^v = (K / theta) c^2 r^2: bits per
    octave grow with eccentricity.

    Args:
      slope: c > 0; any shape.
      inner: radius, > 0, pixels; broadcasts.
      outer: radius, >= inner, pixels; broadcasts.
      scale: K / theta > 0, per square pixel; broadcasts.

    Returns:
      Bits in total; the broadcast shape.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    _check(slope=slope, inner=inner, outer=outer, scale=scale)
    c, inner, outer, k = broadcast(slope, inner, outer, scale)

    def primitive(radius):
        v = _lambert(k * jnp.square(c * radius))
        return v**3 / 3.0 + 1.5 * v**2 + 2.0 * v

    bits = nats_to_bits((primitive(outer) - primitive(inner)) / (16.0 * c**2))
    return nan_unless((c > 0) & (inner > 0) & (outer >= inner) & (k > 0), bits)


def asymptotic_power_law_bits_per_octave(slope: ArrayLike, scale: ArrayLike) -> jax.Array:
    """Computes (v^2 + 2 v) / (8 c^2), the bits per octave of S = K |w|^-2 with distortion weighted by 1 / sigma^2.

    With that weight theta is proportional to sigma^2 and v e^v = K sigma^2 / theta is the same everywhere (asymptotic).

    Args:
      slope: c > 0; any shape.
      scale: K sigma^2 / theta > 0; broadcasts.

    Returns:
      Bits per octave; the broadcast shape.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    _check(slope=slope, scale=scale)
    c, k = broadcast(slope, scale)
    v = _lambert(k)
    return nan_unless((c > 0) & (k > 0), (v**2 + 2.0 * v) / (8.0 * c**2))


def asymptotic_map_point(sigma: ArrayLike, theta: ArrayLike) -> FieldPoint:
    """Sums the local converse over any map of sigma at one water level, on a white field in the plane (asymptotic).

    Args:
      sigma: >= 0 and finite, pixels; any shape, 0 included.
      theta: water level in (0, 1]; a number.

    Returns:
      `FieldPoint`: distortion averaged over the map, and bits in total, both numbers.

    Raises:
      ValueError: if sigma is negative or infinite, or theta not in (0, 1] (outside of a trace).
    """
    check_domain("sigma", sigma, minimum=0.0, finite=True)
    check_domain("theta", theta, minimum=0.0, maximum=1.0, open_minimum=True)
    distortion, rate = _map_points(jnp.asarray(theta, jnp.float64), jnp.asarray(sigma, jnp.float64).reshape(-1))
    return FieldPoint(jnp.mean(distortion), nats_to_bits(jnp.sum(rate)))


@functools.partial(jax.jit)
def _map_points(theta, sigma):
    return jax.vmap(lambda s: separable.water_filling(theta, gaussian_window_log_power, s, dimension=2))(sigma)


def _lambert(x: jax.Array) -> jax.Array:
    """Solves v e^v = x > 0."""
    x = jnp.where(x > 0, x, 1.0)
    return jnp.exp(-decreasing_root(lambda y: jnp.exp(-y) - y, jnp.log(x), -7.0, 700.0))
