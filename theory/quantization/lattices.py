"""Lattice quantizers: normalized second moments, their loss against R(D), and the sphere bound.

The normalized second moment of a lattice with Voronoi cell V in n dimensions is
G = int_V |x|^2 dx / (n vol(V)^{1 + 2/n}), the mean squared error per dimension at unit volume.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from theory import gaussian
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import nats_to_bits, power_to_db


class Lattice(NamedTuple):
    """A lattice quantizer.

    Attributes:
      name: the usual symbol.
      dimension: n.
      normalized_second_moment: G, per dimension, at unit volume.
      reference: who computed G; its digits are exact to float64 unless this says otherwise.
    """

    name: str
    dimension: int
    normalized_second_moment: float
    reference: str


LATTICES = {
    lattice.name: lattice
    for lattice in (
        Lattice("Z", 1, 1 / 12, "1/12"),
        Lattice("A2", 2, 5 / (36 * 3**0.5), "5 / (36 sqrt 3), Fejes Toth 1959: optimal in the plane"),
        Lattice("A3*", 3, 19 / (192 * 2 ** (1 / 3)), "19 / (192 2^(1/3)), Barnes and Sloane 1983: optimal lattice"),
        Lattice("D4", 4, 13 / (120 * 2**0.5), "13 / (120 sqrt 2), Conway and Sloane 1982"),
        Lattice("E8", 8, 929 / 12960, "929/12960, Conway and Sloane 1984"),
        Lattice("BW16", 16, 207049815983 * 2**0.5 / 4287303820800,
                "207049815983 sqrt 2 / 4287303820800, Pook-Kolb, Agrell and Allen 2023 (arXiv 2301.06092)"),
        Lattice("Leech", 24, 0.0657710, "Conway and Sloane 1984; six digits"),
    )
}


def space_filling_loss(normalized_second_moment: ArrayLike) -> jax.Array:
    """Rate lost at high resolution against R(D) under squared error: (1/2) log2(2 pi e G).

    Args:
      normalized_second_moment: G >= 1 / (2 pi e), which no quantizer in any dimension beats (Zador 1982).

    Returns:
      Bits per dimension, of the shape of the argument. Inside a trace a G that is not positive gives NaN.

    Raises:
      ValueError: if G is not positive.

    Reference:
      [conway1999sphere, gersho1979asymptotically] Gersho, IEEE T-IT 25(4), 1979; Conway and Sloane, "Sphere Packings,
      Lattices and Groups", chapter 2.
    """
    check_domain("normalized_second_moment", normalized_second_moment, minimum=0.0, open_minimum=True)
    g = jnp.asarray(normalized_second_moment, jnp.float64)
    valid = g > 0
    return nan_unless(valid, nats_to_bits(0.5 * jnp.log(2 * np.pi * np.e * jnp.where(valid, g, 1.0))))


def space_filling_loss_db(normalized_second_moment: ArrayLike) -> jax.Array:
    """The same loss as a distortion at equal rate: 10 log10(2 pi e G) dB.

    Args:
      normalized_second_moment: G > 0.

    Returns:
      Decibels, of the shape of the argument. Inside a trace a G that is not positive gives NaN.

    Raises:
      ValueError: if G is not positive.

    Reference:
      As `space_filling_loss`; 1.533 dB for the scalar quantizer.
    """
    check_domain("normalized_second_moment", normalized_second_moment, minimum=0.0, open_minimum=True)
    g = jnp.asarray(normalized_second_moment, jnp.float64)
    return nan_unless(g > 0, power_to_db(2 * np.pi * np.e * jnp.where(g > 0, g, 1.0)))


def sphere_bound(dimension: ArrayLike) -> jax.Array:
    """Least normalized second moment of any n-dimensional cell, that of a ball: Gamma(n/2 + 1)^{2/n} / ((n+2) pi).

    Args:
      dimension: n >= 1, any shape.

    Returns:
      A lower bound on G, of the shape of `dimension`; it decreases to 1 / (2 pi e). Attained by intervals (n = 1).

    Raises:
      ValueError: if `dimension` is below 1.

    Reference:
      [conway1999sphere, zador1982asymptotic] Zador, IEEE T-IT 28(2), 1982; Conway and Sloane, chapter 2.
    """
    check_domain("dimension", dimension, minimum=1)
    n = jnp.asarray(dimension, jnp.float64)
    return nan_unless(n >= 1, jnp.exp(2 / n * gammaln(n / 2 + 1)) / ((n + 2) * np.pi))


def dithered_rate_upper_bound(
    distortion: ArrayLike, normalized_second_moment: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """Upper bound on the rate of a dithered lattice with Wiener scaling on a Gaussian: R(D) + (1/2) log2(2 pi e G).

    It holds at every rate: the cell's noise of variance d = G vol^{2/n} gives D = s^2 d / (s^2 + d), and the rate
    is at most the Gaussian's differential entropy of variance s^2 + d less log2 of the cell's volume, per dimension.

    Args:
      distortion: mean squared error per dimension, 0 <= D <= variance.
      normalized_second_moment: G > 0 of a lattice whose dither is white, as that of an optimal one is.
      variance: of the source, > 0; all broadcast.

    Returns:
      Upper bound, bits per dimension. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [zamir1996lattice, zamir2014lattice] Zamir and Feder, IEEE T-IT 42(4), 1996; Zamir 2014, chapter 5.
    """
    distortion, g, variance = broadcast(distortion, normalized_second_moment, variance)
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    check_domain("distortion / variance", distortion / variance, maximum=1.0)
    valid = (distortion >= 0) & (distortion <= variance)
    d, v = jnp.where(valid, distortion, 1.0), jnp.where(valid, variance, 1.0)
    # R(D), without its kink at D = variance, where the bound ends.
    rate = nats_to_bits(0.5 * (jnp.log(v) - jnp.log(d))) + space_filling_loss(g)
    return nan_unless(valid & (variance > 0), rate)


def dithered_realism_rate_upper_bound(
    distortion: ArrayLike, normalized_second_moment: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """The same bound when the decoder scales to the source's variance instead: R(D, P=0) + (1/2) log2(2 pi e G).

    The output Z s / sqrt(s^2 + d) has the source's second moment, D = 2 s^2 (1 - s / sqrt(s^2 + d)); its
    distribution is the Gaussian's up to the non-Gaussianity of the dither, so realism is nearly, not exactly, perfect.

    Args:
      distortion: mean squared error per dimension, 0 <= D <= 2 variance.
      normalized_second_moment: G > 0 of a lattice whose dither is white.
      variance: of the source, > 0; all broadcast.

    Returns:
      Upper bound, bits per dimension. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [lei2025dithered] Derived in docs/derivations/dithered_lattices.md; cf. Lei, Hassani and Bidokhti 2025 (arXiv
      2503.17558).
    """
    distortion, g, variance = broadcast(distortion, normalized_second_moment, variance)
    check_domain("distortion / variance", distortion / variance, maximum=2.0)
    rate = gaussian.rate_distortion_perception(distortion, 0.0, variance) + space_filling_loss(g)
    return nan_unless(distortion <= 2 * variance, rate)


def universal_dithered_excess(normalized_second_moment: ArrayLike = 1 / 12) -> jax.Array:
    """Upper bound on the excess of dithered lattice quantization without filter over R(D), for every source.

    Args:
      normalized_second_moment: G > 0.

    Returns:
      (1/2) log2(4 pi e G) bits per dimension: 0.7546 for the scalar quantizer.

    Raises:
      ValueError: if G is not positive.

    Reference:
      [zamir1992universal, ziv1985universal] Ziv, IEEE T-IT 31(3), 1985; Zamir and Feder, IEEE T-IT 38(2), 1992.
    """
    return space_filling_loss(normalized_second_moment) + 0.5
