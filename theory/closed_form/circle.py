"""The uniform point of the unit circle under squared error: R(D) and R(D, 0) in closed form, parametrically.

Both are attained by one channel: the angle is sent with noise of the von Mises density exp(kappa cos) / 2 pi
I_0(kappa), independent of the angle. It costs R = kappa A - ln I_0(kappa) nats with A = I_1(kappa)/I_0(kappa) the
mean cosine of the noise. The point with the noisy angle is uniform on the circle, at D = 2 (1 - A): R(D, 0). On the
circle of radius A it is the conditional mean, at D = 1 - A^2: R(D). Proof: docs/derivations/diffusion_steps.md.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e, i1e
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits

_LOG_LOW, _LOG_HIGH = -20.0, 20.0  # ln kappa: beyond, D is that of no rate or below 1e-8
_HALVINGS = 64


def mean_cosine(kappa: ArrayLike) -> jax.Array:
    """A = I_1(kappa)/I_0(kappa), the mean cosine of a von Mises variable.

    Args:
      kappa: concentration >= 0; any shape.

    Returns:
      A in [0, 1), same shape.

    Raises:
      ValueError: if kappa is negative (outside of a trace).
    """
    check_domain("kappa", kappa, minimum=0.0)
    kappa = jnp.asarray(kappa, jnp.float64)
    return i1e(kappa) / i0e(kappa)


def _nats(kappa: jax.Array) -> jax.Array:
    """kappa A - ln I_0(kappa), where i0e takes e^kappa out of I_0."""
    return -kappa * _one_minus_cosine(kappa) - jnp.log(i0e(kappa))


def _one_minus_cosine(kappa: jax.Array) -> jax.Array:
    """1 - A, by its asymptotic series where A is next to 1."""
    safe = jnp.maximum(kappa, 1.0)
    series = (0.5 + (0.125 + (0.125 + 25.0 / 128.0 / safe) / safe) / safe) / safe
    return jnp.where(kappa > 3e3, series, 1.0 - i1e(kappa) / i0e(kappa))


def _invert(distortion: jax.Array, of_share: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """ln kappa at which a distortion, which falls with kappa, is reached."""
    def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low + high) / 2
        above = of_share(_one_minus_cosine(jnp.exp(middle))) > distortion
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    ends = jnp.full(distortion.shape, _LOG_LOW), jnp.full(distortion.shape, _LOG_HIGH)
    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    return jax.lax.stop_gradient((low + high) / 2)


def _rate(distortion: jax.Array, of_share: Callable[[jax.Array], jax.Array], slope: Callable[[jax.Array], jax.Array],
          most: float) -> jax.Array:
    inside = (distortion > 0) & (distortion < most)
    d = jnp.where(inside, distortion, most / 2)
    kappa = jnp.exp(_invert(jax.lax.stop_gradient(d), of_share))
    # The slope of the curve is known: it gives the derivative, and the value's last digits.
    nats = _nats(kappa) - slope(kappa) * (d - jax.lax.stop_gradient(of_share(_one_minus_cosine(kappa))))
    outside = jnp.where(distortion >= most, 0.0, jnp.where(distortion == 0, jnp.inf, jnp.nan))
    return jnp.where(inside, nats_to_bits(nats), outside)


@jax.jit
def _perfect_rate(distortion: jax.Array) -> jax.Array:
    return _rate(distortion, lambda share: 2.0 * share, lambda kappa: kappa / 2.0, 2.0)


@jax.jit
def _plain_rate(distortion: jax.Array) -> jax.Array:
    return _rate(distortion, lambda share: share * (2.0 - share),
                 lambda kappa: kappa / (2.0 * (1.0 - _one_minus_cosine(kappa))), 1.0)


def perfect_realism_rate_distortion(distortion: ArrayLike) -> jax.Array:
    """R(D, 0) of the circle with unlimited common randomness (exact).

    Args:
      distortion: D >= 0, squared error in the plane; any shape. 0 for D >= 2.

    Returns:
      Bits per point, same shape; dR/dD = -kappa / (2 ln 2).

    Raises:
      ValueError: if D is negative (outside of a trace).

    Reference: derived in docs/derivations/diffusion_steps.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    return _perfect_rate(jnp.asarray(distortion, jnp.float64))


def rate_distortion(distortion: ArrayLike) -> jax.Array:
    """R(D) of the circle (exact), reproductions anywhere in the plane.

    Args:
      distortion: D >= 0, squared error in the plane; any shape. 0 for D >= 1.

    Returns:
      Bits per point, same shape; dR/dD = -kappa / (2 A ln 2).

    Raises:
      ValueError: if D is negative (outside of a trace).

    Reference: derived in docs/derivations/diffusion_steps.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    return _plain_rate(jnp.asarray(distortion, jnp.float64))
