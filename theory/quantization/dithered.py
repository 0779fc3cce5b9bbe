"""Subtractively dithered uniform scalar quantization of any density, with ideal entropy coding.

Encoder and decoder share U, uniform on a step s; the decoder knows Z = X + N, where N is uniform on
[-s/2, s/2] and independent of X. The index costs H(Q | U) = I(X; Z) = h(Z) - log2 s (Zamir and Feder 1992).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits
from theory.quantization import tabulated_density
from theory.quantization.tabulated_density import ScalarDensity

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_BISECTIONS = 55


class DitheredQuantizer(NamedTuple):
    """What dithered quantization reaches with different decoders; fields have the shape of the step.

    Attributes:
      rate: bits per sample.
      distortion: E(X - Z)^2 = step^2 / 12, the decoder that outputs Z as it is.
      distortion_wiener: of the best linear decoder, Var(X) s^2 / (12 Var(X) + s^2).
      distortion_mmse: of the best decoder, E[X | Z].
      distortion_realism: of T(Z), the increasing map that gives the output the source's own distribution: the least
        mean squared error at perfect realism if E[X | Z] increases in Z, as it does for log-concave densities.
    """

    rate: jax.Array
    distortion: jax.Array
    distortion_wiener: jax.Array
    distortion_mmse: jax.Array
    distortion_realism: jax.Array


def _quantile(density, below, above):
    """The point with given mass below and above it; the smaller of the two masses decides."""
    lower_half = below <= above

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        tails = tabulated_density.tail_moments(density, middle)
        short = jnp.where(lower_half, tails[0][..., 0] < below, tails[1][..., 0] > above)
        return jnp.where(short, middle, low), jnp.where(short, high, middle)

    ends = jnp.full_like(below, density.edges[0]), jnp.full_like(below, density.edges[-1])
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, ends)
    return (low + high) / 2


def _at_step(density, step):
    # Z's density has its kinks where a panel's edge meets an end of the noise: panels between all of these.
    breaks = jnp.sort(jnp.concatenate([density.edges - step / 2, density.edges + step / 2]))
    half = jnp.diff(breaks) / 2
    z = ((breaks[1:] + breaks[:-1])[:, None] / 2 + half[:, None] * _NODES[None, :]).ravel()
    weight = (half[:, None] * _WEIGHTS[None, :]).ravel()
    low, high = z - step / 2, z + step / 2
    tails_low, tails_high = (tabulated_density.tail_moments(density, t) for t in (low, high))
    window = tabulated_density.difference_of_tails(density, tails_low, tails_high, low, high)
    mass, first = window[:, 0], window[:, 1]
    occupied = mass > 0
    safe = jnp.where(occupied, mass, 1.0)
    height = mass / step
    entropy = jnp.sum(weight * jnp.where(occupied, -height * jnp.log(safe), 0.0))  # h(Z) - ln s
    estimate = first / safe
    explained = jnp.sum(weight * jnp.where(occupied, height * estimate**2, 0.0))
    # P(Z < z) = P(X < low) + E[(high - X) / s; low < X < high], and likewise above.
    centered = z - density.mean
    below = tails_low[0][:, 0] + ((centered + step / 2) * mass - first) / step
    above = tails_high[1][:, 0] + (first - (centered - step / 2) * mass) / step
    matched = _quantile(density, jnp.maximum(below, 0.0), jnp.maximum(above, 0.0)) - density.mean
    correlation = jnp.sum(weight * jnp.where(occupied, height * estimate * matched, 0.0))
    noise = step**2 / 12
    variance = density.variance
    return DitheredQuantizer(
        rate=nats_to_bits(entropy),
        distortion=noise,
        distortion_wiener=variance * noise / (variance + noise),
        distortion_mmse=variance - explained,
        distortion_realism=2 * (variance - correlation),
    )


@jax.jit
def _at_steps(density, steps):
    return jax.lax.map(lambda step: _at_step(density, step), steps)


def dithered_scalar_quantizer(density: ScalarDensity, step: ArrayLike) -> DitheredQuantizer:
    """Rate and distortions of entropy-coded dithered scalar quantization.

    For every source the rate exceeds R(D) by at most (1/2) log2(4 pi e / 12) = 0.7546 bit without a filter, and for
    a Gaussian with linear decoder by at most (1/2) log2(2 pi e / 12) = 0.2546 bit at every rate. Needs common
    randomness.

    Args:
      density: the source.
      step: s > 0, any shape; the width of the support or less.

    Returns:
      The performance, exact up to quadrature (about 1e-13 of the variance). Inside a trace a step that is not
      positive gives NaN.

    Raises:
      ValueError: if `step` is not positive and finite.

    Reference:
      [theis2021advantages, zamir2014lattice, zamir1992universal, ziv1985universal] Ziv, IEEE T-IT 31(3), 1985; Zamir
      and Feder, IEEE T-IT 38(2), 1992; Zamir, "Lattice Coding for Signals and Networks", 2014, chapter 5. The
      realistic decoder: Theis and Agustsson 2021 (arXiv 2102.09270).
    """
    check_domain("step", step, minimum=0.0, open_minimum=True, finite=True)
    step = jnp.asarray(step, jnp.float64)
    valid = step > 0
    result = _at_steps(density, jnp.where(valid, step, 1.0).ravel())
    return DitheredQuantizer(*(jnp.where(valid, field.reshape(step.shape), jnp.nan) for field in result))
