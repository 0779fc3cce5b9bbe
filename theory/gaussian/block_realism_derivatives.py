"""Derivatives of the least distortion under block realism: those of its Lagrangian at the split that was found."""

import jax
import jax.numpy as jnp
from jax import lax

from theory.numerics.units import bits_to_nats


def explained(sent: jax.Array, known: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes A = 1 - e^{-2 r} and B = 1 - e^{-2 t}.

    Args:
      sent: r, nats, any shape.
      known: t, nats, the same shape.

    Returns:
      Both, of that shape.
    """
    return -jnp.expm1(-2.0 * sent), -jnp.expm1(-2.0 * known)


def errors(sent: jax.Array, known: jax.Array, lam: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes E and G of a split, summed over the last axis.

    Args:
      sent: r, nats, [..., n].
      known: t, nats, [..., n]; may be inf.
      lam: variances, [..., n].
      w: multiplicities, [..., n].

    Returns:
      E and G, [...].
    """
    a, b = explained(sent, known)
    gap = jnp.sqrt(a) - jnp.sqrt(b)
    return jnp.sum(w * lam * jnp.exp(-2.0 * sent), -1), jnp.sum(w * lam * (gap**2 + jnp.exp(-2.0 * known)), -1)


def moving(
    split: tuple[jax.Array, jax.Array], rate: jax.Array, shared: jax.Array, p: jax.Array, lam: jax.Array, w: jax.Array
) -> jax.Array:
    """Evaluates the Lagrangian at a held split and its prices, whose derivatives are those of the least distortion.

    L = E + [sqrt(G) - sqrt(P)]_+^2 + 2 mu (sum w r - R) + 2 nu (sum w t - R - C), in nats, with mu and nu from
    stationarity by r and t at the split.

    Args:
      split: bits r and t of each component, before weighting, as in `BlockRealism`; t may be inf; held, [..., n].
      rate: R, bits, [...].
      shared: C, bits, [...]; may be inf.
      p: P, [...].
      lam: variances, [..., n].
      w: multiplicities, [..., n].

    Returns:
      L, [...].
    """
    sent, known = bits_to_nats(split[0]), bits_to_nats(split[1])
    error, gap = errors(sent, known, lam, w)
    slack = lax.stop_gradient((gap <= p) | (gap <= 0))
    roots = [jnp.sqrt(jnp.where(slack, 1.0, x)) for x in (gap, p)]
    value = error + jnp.where(slack, 0.0, (roots[0] - roots[1]) ** 2)
    # Prices of a nat about X and of one that the output depends on, where the split is stationary.
    strength = lax.stop_gradient(jnp.where(slack, 0.0, 1.0 - roots[1] / roots[0]))
    (a, b), held = explained(sent, known), lax.stop_gradient(lam)
    both = (a > 0) & (b > 0)
    ratio = jnp.sqrt(jnp.where(both, b, 1.0) / jnp.where(both, a, 1.0))
    price = held * jnp.exp(-2.0 * sent) * (1.0 - strength[..., None] * (1.0 - jnp.where(both, ratio, 0.0)))
    seed_price = jnp.where(both, strength[..., None] * held / ratio * jnp.exp(-2.0 * known), 0.0)
    limited = jnp.all(jnp.isfinite(known), -1)
    parts = [jnp.where(jnp.isfinite(x), w * x, 0.0) for x in (sent, known)]
    shares = [lax.stop_gradient(x / jnp.maximum(x.sum(-1, keepdims=True), 1e-300)) for x in parts]
    mu, nu = jnp.sum(shares[0] * price, -1), jnp.where(limited, jnp.sum(shares[1] * seed_price, -1), 0.0)
    nats, seed = bits_to_nats(rate), jnp.where(jnp.isfinite(shared), bits_to_nats(shared), 0.0)
    value = value + 2.0 * mu * (parts[0].sum(-1) - nats) + 2.0 * nu * (parts[1].sum(-1) - nats - seed)
    # From R = 0 the largest component is coded; what a seed explains of it goes like the root of R.
    start = lax.stop_gradient(rate == 0)
    steep = start & (strength > 0) & (lax.stop_gradient(shared) > 0)
    linear = 2.0 * jnp.max(jnp.where(lax.stop_gradient(w) > 0, held, 0.0), -1) * (1.0 + strength) * nats
    return value - jnp.where(steep, jnp.sqrt(jnp.where(steep, rate, 1.0)), jnp.where(start, linear, 0.0))


def slope_by_rate(
    split: tuple[jax.Array, jax.Array], rate: jax.Array, shared: jax.Array, p: jax.Array, lam: jax.Array, w: jax.Array
) -> jax.Array:
    """Computes dD/dR.

    Args:
      split, rate, shared, p, lam, w: as in `moving`.

    Returns:
      Units of the distortion per bit, [...].
    """
    return jax.grad(lambda x: moving(split, x, shared, p, lam, w).sum())(rate)
