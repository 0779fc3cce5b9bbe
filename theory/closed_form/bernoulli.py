"""Bernoulli and uniform M-ary sources: closed forms for Hamming and erasure distortion, in bits.

Hamming distortion is the probability of an error, perception the total variation between the two
marginals, |P(Y=1) - P(X=1)|. The functions are even about probability 1/2: relabeling the two symbols
changes nothing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import rel_entr, xlog1py, xlogy
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast
from theory.numerics.units import nats_to_bits


def _entropy(probability: jax.Array) -> jax.Array:
    """Binary entropy in nats; its derivative at 0 is +inf and at 1 is -inf, as it should be."""
    # log1p keeps the second term, and with it the sum, accurate for a tiny probability. xlogy has value 0
    # but derivative nan at 0, hence the inner `where`, which leaves -x log(x) with a derivative of +inf.
    inside = (probability > 0) & (probability < 1)
    safe = jnp.where(inside, probability, 0.5)
    edge = jnp.where(probability < 0.5, probability, 1.0 - probability)
    # sqrt has the wanted edge: value 0 and derivative infinite, with the sign of the side it is on.
    at_edge = jnp.sqrt(jnp.where(inside, 1.0, edge)) - jnp.where(inside, 1.0, 0.0)
    return jnp.where(inside, -xlogy(safe, safe) - xlog1py(1.0 - safe, -safe), at_edge)


def binary_entropy(probability: ArrayLike) -> jax.Array:
    """Entropy of a biased coin: h(p) = -p log2 p - (1-p) log2(1-p).

    Args:
      probability: p in [0, 1]; any shape.

    Returns:
      Entropy in bits; same shape. NaN outside of [0, 1] inside a trace.

    Raises:
      ValueError: if p is outside of [0, 1] (outside of a trace).
    """
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    probability = jnp.asarray(probability, jnp.float64)
    valid = (probability >= 0) & (probability <= 1)
    return jnp.where(valid, nats_to_bits(_entropy(jnp.where(valid, probability, 0.5))), jnp.nan)


def rate_distortion(distortion: ArrayLike, probability: ArrayLike = 0.5) -> jax.Array:
    """Rate-distortion function of a Bernoulli(p) source under Hamming distortion (exact).

    R(D) = h(p) - h(D) for 0 <= D < min(p, 1-p), else 0. At the kink D = min(p, 1-p) the derivative is
    that of the right side, 0.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      probability: p in [0, 1], broadcast against `distortion`.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0 or p is outside of [0, 1] (outside of a trace).

    Reference: [cover2006elements] Cover and Thomas, Elements of Information Theory, 2nd ed., Theorem 10.3.1.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    return _rate_distortion(*broadcast(distortion, probability))


@jax.jit
def _rate_distortion(distortion: jax.Array, probability: jax.Array) -> jax.Array:
    valid = (distortion >= 0) & (probability >= 0) & (probability <= 1)
    rarer = jnp.minimum(probability, 1.0 - probability)
    codes = valid & (distortion < rarer)
    rate = _entropy(jnp.where(codes, rarer, 0.5)) - _entropy(jnp.where(codes, distortion, 0.5))
    return jnp.where(valid, nats_to_bits(jnp.where(codes, rate, _certain(distortion, probability))), jnp.nan)


def _certain(distortion: jax.Array, probability: jax.Array) -> jax.Array:
    """0, with the infinite derivative that h(p) has at p = 0 and 1 where D = 0 and the source is certain."""
    at = (distortion == 0) & ((probability == 0) | (probability == 1))
    return jnp.where(at, _entropy(jnp.where(at, probability, 0.5)), 0.0)


def uniform_rate_distortion(distortion: ArrayLike, alphabet_size: ArrayLike) -> jax.Array:
    """Rate-distortion function of a uniform source on M symbols under Hamming distortion (exact).

    R(D) = log2 M - h(D) - D log2(M-1) for 0 <= D < 1 - 1/M, else 0. M = 2 is the fair coin. The slope at
    D = 1 - 1/M is 0, so there is no kink.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      alphabet_size: M >= 1, broadcast against `distortion`.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0 or M is not a whole number >= 1 (outside of a trace).

    Reference: [cover2006elements] Cover and Thomas, Elements of Information Theory, 2nd ed., Problem 10.5.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("alphabet_size", alphabet_size, minimum=1.0, finite=True)
    if is_concrete(alphabet_size) and np.any(np.asarray(alphabet_size) % 1 != 0):
        raise ValueError(f"alphabet_size must be whole, got {alphabet_size}")
    return _uniform_rate_distortion(distortion, alphabet_size)


@jax.jit
def _uniform_rate_distortion(distortion, alphabet_size):
    distortion, size = broadcast(distortion, alphabet_size)
    valid = (distortion >= 0) & (size >= 1)
    codes = valid & (distortion < 1.0 - 1.0 / size)
    size = jnp.where(codes, size, 2.0)
    distortion = jnp.where(codes, distortion, 0.5)
    rate = jnp.log(size) - _entropy(distortion) - distortion * jnp.log(size - 1.0)
    return jnp.where(valid, nats_to_bits(jnp.where(codes, rate, 0.0)), jnp.nan)


def erasure_rate_distortion(distortion: ArrayLike) -> jax.Array:
    """Rate-distortion function of a fair coin under erasure distortion (exact): R(D) = [1 - D]_+.

    The reproduction is 0, 1 or an erasure: a right symbol costs 0, an erasure 1, a wrong symbol infinity.
    At the kink D = 1 the derivative is that of the right side, 0.

    Args:
      distortion: D >= 0, the fraction of erasures; any shape.

    Returns:
      Rate in bits per symbol; same shape. NaN inside a trace for D < 0.

    Raises:
      ValueError: if D < 0 (outside of a trace).

    Reference: [cover2006elements] Cover and Thomas, Elements of Information Theory, 2nd ed., Problem 10.7.
    """
    check_domain("distortion", distortion, minimum=0.0)
    distortion = jnp.asarray(distortion, jnp.float64)
    return jnp.where(distortion >= 0, jnp.where(distortion < 1.0, 1.0 - distortion, 0.0), jnp.nan)


def rate_distortion_perception(
    distortion: ArrayLike, perception: ArrayLike, probability: ArrayLike = 0.5
) -> jax.Array:
    """Rate-distortion-perception function of a Bernoulli(p) source, Hamming and total variation (exact).

    With p <= 1/2, D1 = P/(1-2p+2P) and D2 = 2p(1-p) - (1-2p)P, for P < p:
      D < D1:        the constraint on perception is idle, R = h(p) - h(D);
      D1 <= D < D2:  both are active, Y has P(Y=1) = p - P and R = I(X;Y) of the joint distribution with
                     P(X=0,Y=1) = (D-P)/2 and P(X=1,Y=0) = (D+P)/2;
      D >= D2:       R = 0, an independent Y will do.
    For P >= p it is `rate_distortion`. R is continuously differentiable across D1 and D2; the one kink is
    at D = p when P >= p (the derivative returned there is 0).

    Args:
      distortion: D >= 0, probability of an error; any shape.
      perception: P >= 0, total variation, |P(Y=1) - P(X=1)| <= P; broadcast.
      probability: p in [0, 1]; broadcast.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, P < 0 or p is outside of [0, 1] (outside of a trace).

    Reference: [blau2019rethinking] Blau and Michaeli, Rethinking Lossy Compression: The Rate-Distortion-Perception
      Tradeoff, ICML 2019, arXiv 1901.07821 (who state it with logarithms to any base; here to base 2).
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    return _rate_distortion_perception(*broadcast(distortion, perception, probability))


@jax.jit
def _rate_distortion_perception(
    distortion: jax.Array, perception: jax.Array, probability: jax.Array
) -> jax.Array:
    valid = (distortion >= 0) & (perception >= 0) & (probability >= 0) & (probability <= 1)
    rarer = jnp.minimum(probability, 1.0 - probability)
    constrained = valid & (perception < rarer)
    p = jnp.where(constrained, rarer, 0.25)
    perc = jnp.where(constrained, perception, 0.1)
    # At p = 1/2, P = 0 the first threshold is 0/0; there D1 = D2 = 1/2 and only the first region is left.
    denominator = 1.0 - 2.0 * p + 2.0 * perc
    first = jnp.where(denominator > 0, perc / jnp.where(denominator > 0, denominator, 1.0), 0.5)
    second = 2.0 * p * (1.0 - p) - (1.0 - 2.0 * p) * perc
    # D = 0 belongs to the first region even at P = 0, where D1 = 0: R = h(p) with slope -inf.
    middle = constrained & (distortion >= first) & (distortion < second) & (distortion > 0)
    zero = constrained & (distortion >= second)
    p, perc = jnp.where(middle, p, 0.25), jnp.where(middle, perc, 0.1)
    information = _mutual_information(jnp.where(middle, distortion, 0.2), perc, p)
    codes = valid & (distortion < rarer) & ~middle & ~zero
    idle = _entropy(jnp.where(codes, rarer, 0.5)) - _entropy(jnp.where(codes, distortion, 0.5))
    rate = jnp.where(middle, information, jnp.where(codes, idle, _certain(distortion, probability)))
    return jnp.where(valid, nats_to_bits(rate), jnp.nan)


def _mutual_information(distortion: jax.Array, perception: jax.Array, p: jax.Array) -> jax.Array:
    """I(X;Y) in nats of the 2x2 distribution of the middle region, as a sum of four non-negative terms."""
    q = p - perception
    wrong_one, wrong_zero = 0.5 * (distortion - perception), 0.5 * (distortion + perception)
    joint = [wrong_one, wrong_zero, p - wrong_zero, 1.0 - p - wrong_one]
    independent = [(1.0 - p) * q, p * (1.0 - q), p * q, (1.0 - p) * (1.0 - q)]
    # j log(j/m) - j + m >= 0 term by term, so that R near D2 is small without ever being negative.
    return jnp.asarray(sum(rel_entr(j, m) - j + m for j, m in zip(joint, independent)))


def one_shot_rate_common_randomness(
    distortion: ArrayLike, perception: ArrayLike, probability: ArrayLike = 0.5
) -> jax.Array:
    """Least H(K | seed) of one Bernoulli(p) symbol when encoder and decoder share a seed (exact).

    With t = min(p, 1-p) and T = 1 - t:
      D <= P:  h(t) [t - D]_+ / t;
      D > P:   h(t) [2tT - (T-t)P - D]_+ / (2tT).
    One symbol is coded at a time; K is the message, perception is total variation of Y's marginal. The
    optimum shares its time, by the seed, between sending the symbol and sending nothing. At a kink (the
    lines D = P and where the rate reaches 0) the derivative is that of one side.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      perception: P >= 0, total variation; broadcast.
      probability: p in [0, 1]; broadcast.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, P < 0 or p is outside of [0, 1] (outside of a trace).

    Reference: [xie2024output] Xie, Li, Chen and Zhang, Output-Constrained Lossy Source Coding With Application to
      Rate-Distortion-Perception Theory, 2024, arXiv 2403.14849.
    """
    return _one_shot_common(*_check_one_shot(distortion, perception, probability))


@jax.jit
def _one_shot_common(distortion: jax.Array, perception: jax.Array, probability: jax.Array) -> jax.Array:
    t, remaining, valid, tight = _one_shot(distortion, perception, probability)
    share = remaining / jnp.where(tight, 2.0 * t * (1.0 - t), t)
    certain = _certain(distortion, probability)
    return jnp.where(valid, nats_to_bits(share * _entropy(t) + certain), jnp.nan)


def one_shot_rate_private_randomness(
    distortion: ArrayLike, perception: ArrayLike, probability: ArrayLike = 0.5
) -> jax.Array:
    """Least H(K) of one Bernoulli(p) symbol when encoder and decoder share no randomness (exact).

    With t = min(p, 1-p) and T = 1 - t:
      D <= P:  h([t - D]_+);
      D > P:   h([2tT - (T-t)P - D]_+ / (2T + P - D)).
    Both sides may randomize privately. Never below `one_shot_rate_common_randomness`.

    Args:
      distortion: D >= 0, probability of an error; any shape.
      perception: P >= 0, total variation; broadcast.
      probability: p in [0, 1]; broadcast.

    Returns:
      Rate in bits per symbol; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if D < 0, P < 0 or p is outside of [0, 1] (outside of a trace).

    Reference: [xie2024output] Xie, Li, Chen and Zhang, Output-Constrained Lossy Source Coding With Application to
      Rate-Distortion-Perception Theory, 2024, arXiv 2403.14849.
    """
    return _one_shot_private(*_check_one_shot(distortion, perception, probability))


@jax.jit
def _one_shot_private(distortion: jax.Array, perception: jax.Array, probability: jax.Array) -> jax.Array:
    t, remaining, valid, tight = _one_shot(distortion, perception, probability)
    # In the tight region D < 2tT, so that the denominator stays positive.
    used = tight & (remaining > 0)
    corner = (distortion == 0) & (perception == 0)
    gap = jnp.where(used, jnp.where(corner, 0.0, perception) - distortion, 0.0)
    chance = remaining / jnp.where(used, 2.0 * (1.0 - t) + gap, 1.0)
    # Where nothing is left to send the rate is constant: its derivative is 0, not that of h at 0.
    certain = _certain(distortion, probability)
    rate = jnp.where(remaining > 0, _entropy(jnp.where(remaining > 0, chance, 0.5)), certain)
    return jnp.where(valid, nats_to_bits(rate), jnp.nan)


def _check_one_shot(
    distortion: ArrayLike, perception: ArrayLike, probability: ArrayLike
) -> list[jax.Array]:
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    return broadcast(distortion, perception, probability)


def _one_shot(
    distortion: jax.Array, perception: jax.Array, probability: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """t, what is left to send, the validity, and where perception binds (D > P, or both 0)."""
    valid = (distortion >= 0) & (perception >= 0) & (probability >= 0) & (probability <= 1)
    t = jnp.minimum(probability, 1.0 - probability)
    coded = valid & (t > 0)
    t = jnp.where(coded, t, 0.25)
    # At D = P = 0 D can only move into the tight region, and P only out of it, where it does not matter.
    corner = (distortion == 0) & (perception == 0)
    tight = (distortion > perception) | corner
    spent = jnp.where(tight & ~corner, perception, 0.0)
    left = jnp.where(tight, 2.0 * t * (1.0 - t) - (1.0 - 2.0 * t) * spent, t) - distortion
    remaining = jnp.where(coded & (left > 0), left, 0.0)
    return t, remaining, valid, tight
