"""A Gaussian source under strong realism with Gaussian side information Z: what Z is worth, and to whom.

X ~ N(0, s^2) and Z have correlation r; encoder and decoder share C bits of common randomness per sample, independent
of (X, Z); rates are in bits, distortion is E(X - Y)^2. Realism of whole blocks is asked for, up to a total variation
that vanishes with the block length:

* "joint": (Y^n, Z^n) is distributed as (X^n, Z^n), for an observer who sees the side information;
* "marginal": Y^n is distributed as X^n.

With g = 2^(-2R), v = s^2 (1 - r^2) and rho^2 = 1 - (1 - r^2) g: rho is the largest correlation of X with anything that
a decoder of R bits and Z can make. docs/derivations/side_information.md proves what is stated here.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian.common_randomness import DistortionBounds
from theory.gaussian.scalar import strong_realism_distortion
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast
from theory.numerics.units import bits_to_nats, nats_to_bits

KNOWN_TO = ("both", "decoder")


def _check(rate, correlation, variance):
    check_domain("rate", rate, minimum=0.0)
    check_domain("correlation", correlation, minimum=-1.0, maximum=1.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)


def joint_realism_distortion(
    rate: ArrayLike, common_randomness: ArrayLike, correlation: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """Least distortion when source and output look alike to one who sees the side information (exact).

    D = 2 v (1 - sqrt((1 - 2^(-2R)) (1 - 2^(-2(R + C))))), v = s^2 (1 - r^2): that of the part of X that Z does not
    tell, whether or not the encoder knows Z. Z gives no randomness: the output must be random given Z.

    Args:
      rate: R >= 0, bits per sample; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      correlation: r in [-1, 1] of source and side information; broadcast.
      variance: s^2 > 0 of the source; broadcast.

    Returns:
      Mean squared error; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [hamdi2025side, saldi2015output] the setting of Hamdi, Wagner, Gunduz 2025 (arXiv 2507.14825; its
      abstract was read, the formula is derived in `docs/derivations/side_information.md`) and the function of Saldi et
      al. 2015.
    """
    _check(rate, correlation, variance)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    rate, shared, correlation, variance = broadcast(rate, common_randomness, correlation, variance)
    valid = (jnp.abs(correlation) <= 1) & (variance > 0)
    share = jnp.where(valid, (1.0 - correlation) * (1.0 + correlation), 1.0)
    unit = strong_realism_distortion(rate, shared, 0.0, 1.0)
    return jnp.where(valid, variance * share * unit, jnp.nan)


def marginal_realism_distortion(
    rate: ArrayLike,
    common_randomness: ArrayLike,
    correlation: ArrayLike,
    variance: ArrayLike = 1.0,
    *,
    known_to: str = "both",
) -> DistortionBounds:
    """Bounds on the least distortion when the output's blocks shall look like the source's, with side information.

    Lower, for every code:  2 s^2 (1 - rho),  rho^2 = 1 - (1 - r^2) 2^(-2R). Known to both ends, Z's fine digits are
    common randomness without end, and this is attained at every C: the bounds are equal. Known to the decoder alone,
    it is attained from C = `sufficient_common_randomness` on; below, a Gaussian code gives

      2 s^2 (1 - c b - e sqrt(1 - b^2)),  c^2 = (1 - g) / (1 - r^2 g), e^2 = rho^2 - c^2, b^2 = 1 - 2^(-2C) (1 - c^2).

    Args:
      rate: R >= 0, bits per sample; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      correlation: r in [-1, 1] of source and side information; broadcast.
      variance: s^2 > 0 of the source; broadcast.
      known_to: "both" or "decoder": who knows Z.

    Returns:
      `DistortionBounds`; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [hamdi2025side, saldi2015output] the setting of Hamdi, Wagner, Gunduz 2025 (arXiv 2507.14825; its
      abstract was read); bounds derived in `docs/derivations/side_information.md`; at r = 0 and "decoder" the upper
      one is the exact value of Saldi et al. 2015.
    """
    check_choice("known_to", known_to, KNOWN_TO)
    _check(rate, correlation, variance)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    rate, shared, correlation, variance = broadcast(rate, common_randomness, correlation, variance)
    return DistortionBounds(*_marginal(rate, shared, correlation, variance, known_to))


def _marginal(rate, shared, correlation, variance, known_to):
    valid = (rate >= 0) & (shared >= 0) & (jnp.abs(correlation) <= 1) & (variance > 0)
    nats, shared = bits_to_nats(jnp.where(valid, rate, 1.0)), bits_to_nats(jnp.where(valid, shared, 1.0))
    r2 = jnp.where(valid, correlation, 0.5) ** 2
    g = jnp.exp(-2.0 * nats)
    unexplained = (1.0 - r2) * g
    # At r = 0 and R = 0 rho is 0, and its root has no derivative.
    nothing = lax.stop_gradient(unexplained) >= 1.0
    rho = jnp.where(nothing, 0.0, jnp.sqrt(jnp.where(nothing, 1.0, 1.0 - unexplained)))

    def unlimited(edge):
        # At the edge the derivative of rho by R is inf; the root is 0 there, and adds nothing else.
        root = jnp.sqrt(2.0 * jnp.where(edge, nats, 1.0)) - jnp.where(edge, 0.0, jnp.sqrt(2.0))
        return jnp.where(valid, 2.0 * variance * (unexplained / (1.0 + rho) - root), jnp.nan)

    lower = unlimited(nothing)
    if known_to == "both":
        return lower, lower

    def parts(size, nats, shared):
        # The plane of the message V and what Z adds to it: X has components c and e there, and Y may have b along V.
        g = jnp.exp(-2.0 * nats)
        rest = 1.0 - size**2 * g
        c2 = -jnp.expm1(-2.0 * nats) / rest
        beside = size * g * jnp.sqrt((1.0 - size) * (1.0 + size) / rest)
        return c2, beside, jnp.exp(-2.0 * shared) * (1.0 - size) * (1.0 + size) * g / rest

    size = jnp.abs(jnp.where(valid, correlation, 0.5))
    safe = [jnp.where(nothing, 0.5, x) for x in (size, nats, shared)]
    # At |r| = 1 and R = 0 there is nothing to send.
    safe[0] = jnp.where(safe[0] == 1.0, 0.5, safe[0])
    c2, _, leftover = (lax.stop_gradient(x) for x in parts(*safe))
    explained = lax.stop_gradient(1.0 - (1.0 - safe[0] ** 2) * jnp.exp(-2.0 * safe[1]))
    binds = valid & ~nothing & (size < 1.0) & (c2 > explained * (1.0 - leftover)) & (nats > 0) & jnp.isfinite(nats)
    c2, beside, leftover = parts(*(jnp.where(binds, x, 0.5) for x in (size, nats, shared)))
    product = jnp.sqrt(c2 * (1.0 - leftover)) + beside * jnp.sqrt(leftover)
    # At R = 0 without any randomness the output starts to follow the source at a finite pace.
    return lower, jnp.where(binds, 2.0 * variance * (1.0 - product), unlimited(nothing & (shared > 0)))


def sufficient_common_randomness(rate: ArrayLike, correlation: ArrayLike) -> jax.Array:
    """Common randomness from which on a decoder that alone knows Z does as well as if the encoder knew it, too.

    Under marginal realism C = 1/2 log2((1 - (1 - r^2) 2^(-2R)) / (r^2 2^(-2R))) suffices: 0 at R = 0, where the decoder
    shows a multiple of Z, about R - log2 |r| at high rates, and inf without side information.

    Args:
      rate: R >= 0, bits per sample; any shape.
      correlation: r in [-1, 1]; broadcast.

    Returns:
      C in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [hamdi2025side] who show that sufficient common randomness is needed (arXiv 2507.14825, abstract);
      `docs/derivations/side_information.md` derives this amount.
    """
    _check(rate, correlation, 1.0)
    rate, correlation = broadcast(rate, correlation)
    valid = (rate >= 0) & (jnp.abs(correlation) <= 1)
    g, r2 = jnp.exp(-2.0 * bits_to_nats(rate)), jnp.where(valid, correlation, 1.0) ** 2
    none = r2 == 0
    # (1 - (1 - r^2) g) / (r^2 g) = 1 + (1 - g) / (r^2 g).
    ratio = -jnp.expm1(-2.0 * bits_to_nats(rate)) / (jnp.where(none, 1.0, r2) * g)
    needed = nats_to_bits(0.5 * jnp.log1p(ratio))
    return jnp.where(valid, jnp.where(none, jnp.where(rate > 0, jnp.inf, 0.0), needed), jnp.nan)


def marginal_realism_rate(distortion: ArrayLike, correlation: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Least rate under marginal realism with side information and enough randomness, in closed form (exact).

    R(D) = [1/2 log2((1 - r^2) / (1 - rho^2))]_+ with rho = 1 - D / (2 s^2) the correlation of source and output:
    with Z at both ends, or at the decoder and C at least `sufficient_common_randomness`.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      correlation: r in [-1, 1] of source and side information; broadcast.
      variance: s^2 > 0 of the source; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape; inf at D = 0 unless |r| = 1. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [hamdi2025side] the setting (arXiv 2507.14825); derived in `docs/derivations/side_information.md`.
    """
    check_domain("distortion", distortion, minimum=0.0)
    _check(0.0, correlation, variance)
    d, correlation, variance = broadcast(distortion, correlation, variance)
    valid = (d >= 0) & (jnp.abs(correlation) <= 1) & (variance > 0)
    share = jnp.where(valid, (1.0 - correlation) * (1.0 + correlation), 1.0)
    # 1 - rho^2 = (D / 2 s^2)(2 - D / 2 s^2), and nothing is gained beyond D = 2 s^2.
    half = jnp.where(valid, d / (2.0 * variance), 1.0)
    missing = jnp.where(half < 1.0, half * (2.0 - half), 1.0)
    coded = missing < share
    impossible = coded & (missing <= 0)
    safe = coded & ~impossible
    nats = 0.5 * (jnp.log(jnp.where(safe, share, 1.0)) - jnp.log(jnp.where(safe, missing, 1.0)))
    nats -= 0.5 * jnp.where(impossible, jnp.log(jnp.where(impossible, half, 1.0)), 0.0)
    return jnp.where(valid, nats_to_bits(nats), jnp.nan)
