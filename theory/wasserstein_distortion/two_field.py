"""The two-field rate function: what proxy Wasserstein distortion tends to cost as windows grow (asymptotic, no bound).

For wide windows the fields of local means m and local standard deviations v become jointly Gaussian and independent,
with spectra |Q|^2 S and |Q|^2 S_2 / 2, where S_2 is the transform of the squared correlation. The proxy loss is the
squared error of the pair, so that reverse water-filling over both,

    R = sum_{k = 1, 2} int 1/2 log2(|Q|^2 S_k / (k theta))_+,    D = sum_k int min(theta, |Q|^2 S_k / k),

is the limit of its rate-distortion function, scaled by the window's size (docs/derivations/wasserstein_rate.md). It
needs a Gaussian source with summable correlation and windows that are wide beside it; 1/f^2 fields have none. At any
finite sigma it is neither a lower nor an upper bound.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.gaussian import process
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, infinite_at_zero, nan_unless
from theory.wasserstein_distortion.fields import FieldPoint, check_dimension, white_field_water_filling


def asymptotic_white_field_water_filling(
    water_level: ArrayLike, sigma: ArrayLike, *, dimension: int = 2
) -> FieldPoint:
    """Computes the two-field function of white Gaussian fields and Gaussian windows at a water level (asymptotic).

    With D_1 and R_1 of `white_field_water_filling`, whose spectra are here |Q|^2 and |Q|^2 / 2:
    D = D_1(theta) + D_1(2 theta) / 2 and R = R_1(theta) + R_1(2 theta), 2 theta being limited to 1.

    Args:
      water_level: theta in (0, 1], relative to |Q(0)|^2 = 1; any shape.
      sigma: > 0, pixels; broadcasts.
      dimension: 1 or 2.

    Returns:
      `FieldPoint`: distortion and bits per pixel; NaN where the active band would leave the grid's.

    Raises:
      ValueError: if theta is not in (0, 1] or sigma <= 0 (outside of a trace), or the dimension is neither 1 nor 2.
    """
    first = white_field_water_filling(water_level, sigma, dimension=dimension)
    doubled = jnp.minimum(2.0 * jnp.asarray(water_level, jnp.float64), 1.0)
    second = white_field_water_filling(doubled, sigma, dimension=dimension)
    return FieldPoint(first.distortion + 0.5 * second.distortion, first.rate + second.rate)


def asymptotic_white_field_rate(distortion: ArrayLike, sigma: ArrayLike, *, dimension: int = 2) -> jax.Array:
    """Computes the two-field function of white Gaussian fields and Gaussian windows (asymptotic).

    Args:
      distortion: D >= 0, proxy Wasserstein distortion, mean over pixels, for variance 1; any shape.
      sigma: > 0, pixels; broadcasts.
      dimension: 1 or 2.

    Returns:
      Bits per pixel; the broadcast shape. NaN where the active band would leave the grid's.

    Raises:
      ValueError: if D < 0 or sigma <= 0 (outside of a trace), or the dimension is neither 1 nor 2.

    Reference: derived in docs/derivations/wasserstein_rate.md with breuer1983.
    """
    check_dimension(dimension)
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("sigma", sigma, minimum=0.0, open_minimum=True, finite=True)
    d, s = broadcast(distortion, sigma)
    valid = (d >= 0.0) & (s > 0.0)
    safe = jnp.where(valid, s, 1.0)

    def relative(level):  # D of theta = e^-level over that at rate 0
        point = asymptotic_white_field_water_filling(jnp.exp(-level), safe, dimension=dimension)
        return point.distortion / limit

    limit = asymptotic_white_field_water_filling(1.0, safe, dimension=dimension).distortion
    widest = jnp.minimum(700.0, 0.999 * (np.pi * safe) ** 2)
    some = valid & (d > 0.0) & (d < limit)
    reached = relative(widest) <= jnp.where(some, d / limit, 1.0)
    level = decreasing_root(relative, jnp.where(some & reached, d / limit, 0.5), 0.0, widest)
    rate = asymptotic_white_field_water_filling(jnp.exp(-level), safe, dimension=dimension).rate
    rate = jnp.where(some, rate, 0.0) + infinite_at_zero(d)
    return nan_unless(valid & (reached | ~some), rate)


def second_order_spectrum(spectrum: ArrayLike) -> jax.Array:
    """Computes S_2, the transform of the squared correlation, of a periodic field of variance 1.

    Args:
      spectrum: S at all frequencies of a periodic line [n] or image [height, width], in the order of the fast Fourier
        transform (`numpy.fft.fftfreq`); its mean is the variance.

    Returns:
      S_2 in the same order, for S divided by its mean.

    Raises:
      ValueError: if it has another number of axes, or a negative value (outside of a trace).
    """
    check_domain("spectrum", spectrum, minimum=0.0, finite=True)
    spectrum = jnp.asarray(spectrum, jnp.float64)
    if spectrum.ndim not in (1, 2) or not spectrum.size:
        raise ValueError(f"spectrum must have shape [n] or [height, width], got {spectrum.shape}")
    correlation = jnp.fft.ifftn(spectrum / jnp.mean(spectrum)).real
    return jnp.maximum(jnp.fft.fftn(jnp.square(correlation)).real, 0.0)


def asymptotic_field_rate(distortion: ArrayLike, spectrum: ArrayLike, window_power: ArrayLike) -> jax.Array:
    """Computes the two-field function of a periodic Gaussian field for any window (asymptotic).

    Args:
      distortion: D >= 0, proxy Wasserstein distortion, mean over pixels; shape [...].
      spectrum: S at all frequencies, as for `second_order_spectrum`.
      window_power: |Q|^2 at the same frequencies, 1 at frequency 0.

    Returns:
      Bits per pixel; shape [...].

    Raises:
      ValueError: if shapes do not fit, or a value is negative (outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md with breuer1983.
    """
    spectrum, power = jnp.asarray(spectrum, jnp.float64), jnp.asarray(window_power, jnp.float64)
    if spectrum.shape != power.shape:
        raise ValueError(f"window_power must have the shape {spectrum.shape} of spectrum, got {power.shape}")
    variance = jnp.mean(spectrum)
    first = (power * spectrum).reshape(-1)
    second = (0.5 * variance * power * second_order_spectrum(spectrum)).reshape(-1)
    both = jnp.concatenate([first, second])
    return process.rate_distortion(distortion, both, weights=jnp.full(both.shape, 1.0 / spectrum.size))
