"""Side information at the decoder in closed form: Slepian-Wolf; Wyner-Ziv of Gaussian, binary and erased symbols."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.closed_form.bernoulli import binary_entropy
from theory.closed_form.bernoulli import rate_distortion as bernoulli_rate_distortion
from theory.gaussian import rate_distortion
from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast


def binary_slepian_wolf_rate(crossover: ArrayLike) -> jax.Array:
    """Rate at which a fair coin X can be sent, without error, to a decoder that knows a noisy copy of it.

    R = H(X|Y) = h(q) for Y = X + Bernoulli(q) modulo 2, although the encoder does not know Y (exact).

    Args:
      crossover: q in [0, 1]; any shape.

    Returns:
      Rate in bits per symbol; same shape. NaN inside a trace for q outside of [0, 1].

    Raises:
      ValueError: if q is outside of [0, 1] (outside of a trace).

    Reference: [slepian1973noiseless] Slepian and Wolf, Noiseless coding of correlated information sources, IEEE T-IT
      1973.
    """
    check_domain("crossover", crossover, minimum=0.0, maximum=1.0)
    return binary_entropy(crossover)


def gaussian_wyner_ziv_rate(
    distortion: ArrayLike, variance: ArrayLike = 1.0, correlation: ArrayLike = 0.0
) -> jax.Array:
    """Rate-distortion function of a Gaussian source with jointly Gaussian side information at the decoder.

    R(D) = [1/2 log2(s^2 (1 - rho^2) / D)]_+, as if the encoder knew the side information too (exact).

    Args:
      distortion: D >= 0, mean squared error; any shape.
      variance: s^2 > 0 of the source; broadcast.
      correlation: rho in (-1, 1) of source and side information; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, the variance is not positive, or |rho| >= 1 (outside of a trace).

    Reference: [wyner1976rate, ziv1985universal] Wyner and Ziv, The rate-distortion function for source coding with
      side information at the decoder, IEEE T-IT 1976.
    """
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    if is_concrete(correlation):
        given = np.asarray(correlation, np.float64)
        if not np.all(np.abs(given) < 1.0):
            wrong = given[~(np.abs(given) < 1.0)].flat[0]
            raise ValueError(f"correlation must lie strictly between -1 and 1, got {wrong:g}")
    variance, correlation = broadcast(variance, correlation)
    rate = rate_distortion(distortion, variance * (1.0 - correlation) * (1.0 + correlation))
    return jnp.where(jnp.abs(correlation) < 1.0, rate, jnp.nan)


def _time_shared_from(crossover: jax.Array) -> jax.Array:
    """The distortion at which the tangent of h(q * d) - h(d) meets (q, 0), by bisection; q in (0, 1/2]."""

    def below(d):
        noisy = crossover + d - 2.0 * crossover * d
        slope = (1.0 - 2.0 * crossover) * jnp.log((1.0 - noisy) / noisy) - jnp.log((1.0 - d) / d)
        entropies = [-x * jnp.log(x) - (1.0 - x) * jnp.log1p(-x) for x in (noisy, d)]
        return entropies[0] - entropies[1] + (crossover - d) * slope < 0

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        left = below(middle)
        return jnp.where(left, middle, low), jnp.where(left, high, middle)

    ends = lax.fori_loop(0, 60, halve, (jnp.zeros_like(crossover), crossover))
    return 0.5 * (ends[0] + ends[1])


def binary_wyner_ziv_rate(distortion: ArrayLike, crossover: ArrayLike) -> jax.Array:
    """Rate-distortion function of a fair coin whose decoder knows a noisy copy, under Hamming distortion (exact).

    Y = X + Bernoulli(q) modulo 2. With g(d) = h(q * d) - h(d), q * d = q (1 - d) + d (1 - q), R is the lower convex
    envelope of g on [0, q] and the point (q, 0): R(D) = g(D) up to the d' whose tangent goes through (q, 0), then that
    line, g(d') (q - D) / (q - d'); 0 from D = q on, where the copy is shown. q and 1 - q are the same.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      crossover: q in [0, 1]; broadcast.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, or q is outside of [0, 1] (outside of a trace).

    Reference: [wyner1976rate] Wyner and Ziv, IEEE T-IT 1976, section II.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("crossover", crossover, minimum=0.0, maximum=1.0)
    return _binary_wyner_ziv(*broadcast(distortion, crossover))


@jax.jit
def _binary_wyner_ziv(distortion: jax.Array, crossover: jax.Array) -> jax.Array:
    valid = (distortion >= 0) & (crossover >= 0) & (crossover <= 1)
    q = jnp.where(crossover > 0.5, 1.0 - crossover, crossover)
    coded = valid & (distortion < q)
    q, d = jnp.where(coded, q, 0.25), jnp.where(coded, distortion, 0.1)
    start = lax.stop_gradient(_time_shared_from(lax.stop_gradient(q)))
    shared = d > start
    # By the envelope theorem the chord's derivative by q is that at a fixed d'.
    at = jnp.where(shared, start, d)
    height = binary_entropy(q + at - 2.0 * q * at) - binary_entropy(at)
    # At q = 1/2 the line has no length.
    chord = (q - d) / jnp.where(shared, q - at, 1.0)
    rate = jnp.where(shared, height * chord, height)
    return jnp.where(valid, jnp.where(coded, rate, 0.0), jnp.nan)


def erased_side_information_rate(
    distortion: ArrayLike, erasure: ArrayLike, probability: ArrayLike = 0.5
) -> jax.Array:
    """Rate-distortion function of a coin whose decoder sees it erased with probability e, Hamming distortion (exact).

    R(D) = e R_X(D / e) with R_X that of Bernoulli(p): where the coin is seen nothing is needed and no error made,
    although the encoder does not know where that is. The same holds of every source and distortion with d(x, x) = 0.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      erasure: e in [0, 1], probability that the side information is erased; broadcast.
      probability: p in [0, 1] of the source; broadcast.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain (outside of a trace).

    Reference: [wyner1976rate] the problem; `docs/derivations/side_information.md` has the two lines of proof.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("erasure", erasure, minimum=0.0, maximum=1.0)
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    distortion, erasure, probability = broadcast(distortion, erasure, probability)
    some = erasure > 0
    safe = jnp.where(some, erasure, 1.0)
    rate = safe * bernoulli_rate_distortion(distortion / safe, probability)
    valid = (erasure >= 0) & (erasure <= 1) & (distortion >= 0)
    return jnp.where(valid, jnp.where(some, rate, 0.0), jnp.nan)
