"""Disjoint windows (tiles): the rate of Wasserstein distortion between closed-form bounds.

A white Gaussian image of variance 1 is cut into tiles of n pixels, each pooled with equal weights. With the tile's mean
m and standard deviation v (v^2 = mean of squares - m^2), the proxy loss (m - m')^2 + (v - v')^2 is the squared error of
the pair (m, v), whose two entries are independent; and every pair with v >= 0 is that of some tile if n >= 2. Hence

    n R(D) = min_{D1 + D2 = D} R_m(D1) + R_v(D2),    m ~ N(0, 1/n),   v ~ chi_{n-1} / sqrt(n),

where R_v lies between the Shannon bounds with the entropy power N_v and the variance of v.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln
from jax.typing import ArrayLike

from theory.gaussian import vector as gaussian_vector
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, nan_unless

# Gamma(z + 1/2) / Gamma(z) = sqrt(z) (1 - sum_k c_k z^-k), for z where the difference to sqrt(z) would cancel.
_RATIO = (1 / 8, -1 / 128, -5 / 1024, 21 / 32768, 399 / 262144, -869 / 4194304)
_LARGE = 50.0


class TileMoments(NamedTuple):
    """Mean and standard deviation of a tile of n independent standard normal pixels.

    Attributes:
      mean_variance: Var m = 1/n.
      deviation_mean: E v.
      deviation_variance: Var v.
      deviation_entropy_power: N_v = e^{2 h(v)} / (2 pi e), at most Var v.
    """

    mean_variance: jax.Array
    deviation_mean: jax.Array
    deviation_variance: jax.Array
    deviation_entropy_power: jax.Array


def tile_moments(pixels: ArrayLike) -> TileMoments:
    """Computes the moments of a tile's mean and standard deviation.

    E v = sqrt(2/n) Gamma(n/2) / Gamma((n-1)/2), Var v = (n-1)/n - (E v)^2, and
    h(v) = ln Gamma((n-1)/2) + ((n-1) - ln 2 - (n-2) psi((n-1)/2))/2 - (ln n)/2 nats.

    Args:
      pixels: n >= 1, pixels of a tile; any shape. With n = 1 the deviation is 0.

    Returns:
      `TileMoments`, each of the shape of `pixels`.

    Raises:
      ValueError: if n < 1 (outside of a trace).
    """
    check_domain("pixels", pixels, minimum=1.0, finite=True)
    (n,) = broadcast(pixels)
    several = n > 1.0
    z = 0.5 * (jnp.where(several, n, 2.0) - 1.0)
    n = nan_unless(n >= 1.0, n)
    small = jnp.minimum(z, _LARGE)
    squared = jnp.exp(2.0 * (gammaln(small + 0.5) - gammaln(small)))
    inverse = 1.0 / jnp.maximum(z, _LARGE)
    missing = sum(c * inverse ** (k + 1) for k, c in enumerate(_RATIO))
    # z - (Gamma ratio)^2, which tends to 1/4.
    lost = jnp.where(z < _LARGE, small - squared, missing * (2.0 - missing) / inverse)
    variance = jnp.where(several, 2.0 * lost / n, 0.0)
    mean = jnp.where(several, jnp.sqrt(2.0 * (z - lost) / n), 0.0)
    entropy = gammaln(z) + 0.5 * (2.0 * z - jnp.log(2.0) - (2.0 * z - 1.0) * digamma(z)) - 0.5 * jnp.log(n)
    power = jnp.where(several, jnp.exp(2.0 * entropy - 1.0) / (2.0 * jnp.pi), 0.0)
    return TileMoments(1.0 / n, mean, variance, jnp.minimum(power, variance))


def tile_rate_bounds(distortion: ArrayLike, pixels: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Bounds the least rate under proxy Wasserstein distortion of tiles (certified, both sides).

    RWF(1/n, N_v) <= n R(D) <= RWF(1/n, Var v), with RWF the reverse water-filling of two components. The lower bound
    holds for exact Wasserstein distortion as well (Gelbrich). They differ by at most 1/2 log2(Var v / N_v): .27 bits a
    tile at n = 2, .0010 at 64, and meet at n = 1, where the distortion is the squared error.

    Args:
      distortion: D >= 0, Wasserstein distortion averaged over pixels; any shape.
      pixels: n >= 1, pixels of a tile; broadcasts.

    Returns:
      (lower, upper), bits per *tile* (divide by n for bits per pixel), of the broadcast shape.

    Raises:
      ValueError: if D < 0 or n < 1 (outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md; gelbrich1990 for the proxy below the exact distance.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("pixels", pixels, minimum=1.0, finite=True)
    d, n = broadcast(distortion, pixels)
    return _tile_rates(d, n)


@jax.jit
def _tile_rates(d: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
    moments = tile_moments(n)
    deviations = moments.deviation_entropy_power, moments.deviation_variance
    lower, upper = (
        gaussian_vector.rate_distortion(d, jnp.stack([moments.mean_variance, second], -1)) for second in deviations
    )
    return lower, upper


def sliding_box_rate(distortion: ArrayLike, pixels: ArrayLike) -> jax.Array:
    """Computes a bound for windows of n equal weights around every pixel (certified lower bound).

    These windows fall into n sets of disjoint ones, of which one has at most the mean distortion: per pixel at least
    1/n of what a tile needs. Unlike pooled means it counts deviations; it is the larger of the two near D0 only.

    Args:
      distortion: D >= 0, exact or proxy, mean over pixels; any shape.
      pixels: n >= 1, pixels of a window that tiles the image; broadcasts.

    Returns:
      Bits per *pixel*, of the broadcast shape.

    Raises:
      ValueError: if D < 0 or n < 1 (outside of a trace).
    """
    return tile_rate_bounds(distortion, pixels)[0] / jnp.asarray(pixels, jnp.float64)


def realistic_tile_rate_bounds(distortion: ArrayLike, pixels: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Bounds the rate of tiles with perfect realism and no common randomness: R(D/2) (certified, both sides).

    A decoder that draws X' from P(X | message) is perfectly realistic and has twice the distortion, whose value without
    realism no such code can halve: D(R; realism, no common randomness) = 2 D(R), exactly, for the proxy loss.

    Args:
      distortion: D >= 0, Wasserstein distortion averaged over pixels; any shape.
      pixels: n >= 1; broadcasts.

    Returns:
      (lower, upper), bits per tile.

    Raises:
      ValueError: if D < 0 or n < 1 (outside of a trace).

    Reference: derived in docs/derivations/wasserstein_rate.md; for squared error blau2019rethinking, yan2021perceptual.
    """
    check_domain("distortion", distortion, minimum=0.0)
    return tile_rate_bounds(0.5 * jnp.asarray(distortion, jnp.float64), pixels)


def tile_zero_rate_distortion(pixels: ArrayLike) -> jax.Array:
    """Computes the least proxy distortion that a code of rate 0 reaches on tiles (exact).

    D0 = Var m + Var v = 1 - 2 Gamma(n/2)^2 / (n Gamma((n-1)/2)^2); an independent realization has exactly 2 D0.

    Args:
      pixels: n >= 1; any shape.

    Returns:
      D0, of the shape of `pixels`.

    Raises:
      ValueError: if n < 1 (outside of a trace).
    """
    moments = tile_moments(pixels)
    return moments.mean_variance + moments.deviation_variance
