"""Dispersion and d-tilted information of sources in closed form, and the normal approximation made of them.

The d-tilted information j(x) of a letter is what it costs at distortion D: with s = -R'(D) and Y* the optimal output,
j(x) = -log2 E 2^(s (D - d(x, Y*))). Its mean is R(D) and its variance V the dispersion: blocks of n letters need about
R + sqrt(V / n) Q^-1(eps) + log2(n) / 2n bits per letter if their distortion is to exceed D with probability eps only.
Solutions of `theory.discrete` have both as properties.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import ndtri
from jax.typing import ArrayLike

from theory.closed_form.bernoulli import binary_entropy
from theory.gaussian import vector
from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import nats_to_bits


def gaussian_dispersion(distortion: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Dispersion of a Gaussian source under squared error: V = 1/2 log2(e)^2 = 1.0407 for D < variance, else 0.

    Args:
      distortion: D >= 0; any shape.
      variance: of the source, > 0; broadcast.

    Returns:
      Bits squared; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012; [ingber2011dispersion] Ingber and Kochman 2011.
    """
    _check_gaussian(distortion, variance)
    distortion, variance = broadcast(distortion, variance)
    value = jnp.where(distortion < variance, 0.5 * nats_to_bits(1.0) ** 2, 0.0)
    return nan_unless((distortion >= 0) & (variance > 0), value)


def gaussian_tilted_information(
    letter: ArrayLike, distortion: ArrayLike, variance: ArrayLike = 1.0
) -> jax.Array:
    """The d-tilted information of a Gaussian letter: 1/2 log2(s^2 / D) + (x^2 / s^2 - 1) / 2 log2 e, 0 for D >= s^2.

    Args:
      letter: x; any shape.
      distortion: D >= 0, mean squared error; broadcast.
      variance: s^2 > 0 of the source; broadcast.

    Returns:
      Bits; the broadcast shape; inf at D = 0. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012.
    """
    check_domain("letter", letter, finite=True)
    _check_gaussian(distortion, variance)
    letter, distortion, variance = broadcast(letter, distortion, variance)
    coded = distortion < variance
    logs = [jnp.log(jnp.where(coded, value, 1.0)) for value in (variance, distortion)]
    nats = 0.5 * (logs[0] - logs[1]) + 0.5 * (letter**2 / variance - 1.0)
    valid = (distortion >= 0) & (variance > 0)
    return nan_unless(valid, nats_to_bits(jnp.where(coded, nats, 0.0)))


def _check_gaussian(distortion, variance):
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)


def gaussian_vector_dispersion(
    distortion: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Dispersion of a Gaussian vector under squared error: V = 1/2 log2(e)^2 sum_i min(1, (lam_i / theta)^2).

    theta is the water level. A component above it has j = 1/2 ln(lam / theta) + (x^2 / lam - 1) / 2 nats, one below
    (x^2 - lam) / (2 theta): what is not coded still makes distortion that varies. V is 0 for D >= sum lam, and jumps
    there.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      eigenvalues: lam_i >= 0, variances of the components; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Bits squared per vector; shape [...]. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012 (one component); docs/derivations/finite_blocklength.md.
    """
    distortion, eigenvalues, multiplicity = vector.broadcast_arguments(distortion, eigenvalues, weights)
    level = vector.water_filling(distortion, eigenvalues, weights=multiplicity).water_level[..., None]
    above = eigenvalues > level
    share = jnp.where(above, 1.0, (eigenvalues / jnp.where(level > 0, level, 1.0)) ** 2)
    total = jnp.sum(multiplicity * jnp.where(eigenvalues > 0, share, 0.0), axis=-1)
    coded = distortion < jnp.sum(multiplicity * eigenvalues, axis=-1)
    value = 0.5 * nats_to_bits(1.0) ** 2 * jnp.where(coded, total, 0.0)
    return jnp.where(jnp.isnan(level[..., 0]), jnp.nan, value)


def bernoulli_dispersion(probability: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """Dispersion of a Bernoulli(p) source under Hamming distortion.

    V = p (1 - p) log2((1 - p) / p)^2 for D < min(p, 1 - p), whatever D is, else 0.

    Args:
      probability: p in [0, 1]; any shape.
      distortion: D >= 0, probability of an error; broadcast.

    Returns:
      Bits squared; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012; [ingber2011dispersion] Ingber and Kochman 2011.
    """
    _check_bernoulli(probability, distortion)
    probability, distortion = broadcast(probability, distortion)
    coded = distortion < jnp.minimum(probability, 1.0 - probability)
    p = jnp.where(coded, probability, 0.5)
    value = p * (1.0 - p) * nats_to_bits(jnp.log1p(-p) - jnp.log(p)) ** 2
    valid = (probability >= 0) & (probability <= 1) & (distortion >= 0)
    return nan_unless(valid, jnp.where(coded, value, 0.0))


def bernoulli_tilted_information(
    letter: ArrayLike, probability: ArrayLike, distortion: ArrayLike
) -> jax.Array:
    """The d-tilted information of a Bernoulli(p) letter under Hamming distortion: -log2 P(x) - h(D).

    Args:
      letter: 0 or 1 (or booleans); any shape.
      probability: p = P(1) in [0, 1]; broadcast.
      distortion: D >= 0, probability of an error; broadcast. From min(p, 1 - p) on the value is 0.

    Returns:
      Bits; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012.
    """
    check_domain("letter", letter, minimum=0.0, maximum=1.0)
    if is_concrete(letter) and np.any(np.asarray(letter) % 1 != 0):
        raise ValueError(f"letter must be 0 or 1, got {letter}")
    _check_bernoulli(probability, distortion)
    letter, probability, distortion = broadcast(letter, probability, distortion)
    coded = distortion < jnp.minimum(probability, 1.0 - probability)
    p = jnp.where(coded, probability, 0.5)
    value = nats_to_bits(-jnp.where(letter > 0, jnp.log(p), jnp.log1p(-p)))
    value = value - binary_entropy(jnp.where(coded, distortion, 0.0))
    valid = (probability >= 0) & (probability <= 1) & (distortion >= 0) & ((letter == 0) | (letter == 1))
    return nan_unless(valid, jnp.where(coded, value, 0.0))


def _check_bernoulli(probability, distortion):
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    check_domain("distortion", distortion, minimum=0.0)


def uniform_dispersion(distortion: ArrayLike, alphabet_size: ArrayLike) -> jax.Array:
    """Dispersion of a uniform source on M letters under Hamming distortion: 0, as all letters cost the same.

    The same holds for a fair coin under erasure distortion, where (1 - eps) 2^(n - floor(n D)) words, rounded up, are
    exactly enough.

    Args:
      distortion: D >= 0; any shape.
      alphabet_size: M >= 1; broadcast.

    Returns:
      0, of the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("alphabet_size", alphabet_size, minimum=1.0, finite=True)
    distortion, size = broadcast(distortion, alphabet_size)
    return nan_unless((distortion >= 0) & (size >= 1), jnp.zeros(distortion.shape))


def _erased_coin(distortion, erasure_probability):
    """Whether anything is coded, slope in nats (of a stand-in where nothing is), delta and D broadcast, validity."""
    check_domain("erasure_probability", erasure_probability, minimum=0.0, maximum=1.0)
    check_domain("distortion", distortion, minimum=0.0)
    distortion, delta = broadcast(distortion, erasure_probability)
    wrong = np.asarray(distortion < delta / 2) if is_concrete(distortion) and is_concrete(delta) else np.zeros(())
    if wrong.any():
        raise ValueError("distortion must be at least half of erasure_probability, the errors that are made in any "
                         f"case, got {float(np.asarray(distortion)[wrong].flat[0]):g}")
    valid = (delta >= 0) & (delta <= 1) & (distortion >= delta / 2)
    coded = valid & (distortion < 0.5) & (delta < 1)
    d, delta = jnp.where(coded, distortion, 0.25), jnp.where(coded, delta, 0.25)
    return coded, jnp.log(1.0 - delta / 2 - d) - jnp.log(d - delta / 2), d, delta, valid


def erased_coin_rate_distortion(distortion: ArrayLike, erasure_probability: ArrayLike) -> jax.Array:
    """Rate-distortion function of a fair coin seen through erasures, Hamming distortion of the coin itself.

    R(D) = (1 - delta) (1 - h((D - delta / 2) / (1 - delta))) for delta / 2 <= D < 1/2, else 0.

    Args:
      distortion: D >= delta / 2, probability of an error; any shape.
      erasure_probability: delta in [0, 1]; broadcast.

    Returns:
      Bits per letter; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the erased fair coin.
    """
    coded, _, d, delta, valid = _erased_coin(distortion, erasure_probability)
    inner = (d - delta / 2) / (1.0 - delta)
    return nan_unless(valid, jnp.where(coded, (1.0 - delta) * (1.0 - binary_entropy(inner)), 0.0))


def erased_coin_tilted_information(
    erased: ArrayLike, distortion: ArrayLike, erasure_probability: ArrayLike
) -> jax.Array:
    """The d-tilted information of a letter of the erased coin, an erasure counting as half an error.

    1 - log2(1 + 2^-s) - s D for a letter that is seen, s / 2 - s D for one that is erased, with
    s = -R'(D) = log2((1 - delta / 2 - D) / (D - delta / 2)). Its mean is R(D). That half of the erased letters is wrong
    by chance adds delta s^2 / 4 to its variance: `erased_coin_dispersion`.

    Args:
      erased: whether the letter is erased; any shape.
      distortion: D > delta / 2; broadcast. From 1/2 on the value is 0.
      erasure_probability: delta in [0, 1]; broadcast.

    Returns:
      Bits; the broadcast shape. NaN inside a trace for arguments outside the domain, and inf at D = delta / 2.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the erased fair coin.
    """
    coded, slope, d, _, valid = _erased_coin(distortion, erasure_probability)
    certain = jnp.isinf(slope)
    s = jnp.where(certain, 1.0, slope)
    seen = jnp.where(certain, 0.0, -jnp.log1p(jnp.exp(-s)) - s * d)
    seen = jnp.where(certain, jnp.where(d > 0, -jnp.inf, 0.0), seen)
    value = jnp.where(jnp.asarray(erased, bool), nats_to_bits(slope * (0.5 - d)), 1.0 + nats_to_bits(seen))
    return nan_unless(valid, jnp.where(coded, value, 0.0))


def erased_coin_dispersion(distortion: ArrayLike, erasure_probability: ArrayLike) -> jax.Array:
    """Dispersion of a fair coin seen through erasures: V = delta (1 - delta) log2^2 cosh(s / 2) + delta s^2 / 4.

    s = -R'(D) (in the cosine: nats). The first term is the variance of the tilted information, from how many letters
    are erased, the second that of how many erased letters are wrong. 0 for D >= 1/2, inf at D = delta / 2.

    Args:
      distortion: D >= delta / 2; any shape.
      erasure_probability: delta in [0, 1]; broadcast.

    Returns:
      Bits squared; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the erased fair coin.
    """
    coded, slope, _, delta, valid = _erased_coin(distortion, erasure_probability)
    certain = jnp.isinf(slope)
    s = jnp.where(certain, 1.0, slope)
    log_cosh = jnp.logaddexp(s / 2, -s / 2) - jnp.log(2.0)
    value = delta * (1.0 - delta) * nats_to_bits(log_cosh) ** 2 + delta * nats_to_bits(s) ** 2 / 4
    value = jnp.where(certain, jnp.where(delta > 0, jnp.inf, 0.0), value)
    return nan_unless(valid, jnp.where(coded, value, 0.0))


def normal_approximation(
    rate: ArrayLike, dispersion: ArrayLike, blocklength: ArrayLike, excess_probability: ArrayLike
) -> jax.Array:
    """Approximates the rate that blocks need: R + sqrt(V / n) Q^-1(eps) + log2(n) / 2n.

    No bound: what is left out is of order 1/n for the sources here and at most log(n)/n in general; at small n it can
    be off on either side.

    Args:
      rate: R(D) >= 0, bits per letter; any shape.
      dispersion: V >= 0, bits squared; broadcast.
      blocklength: n >= 1; broadcast.
      excess_probability: epsilon in (0, 1), of a distortion of the block above D; broadcast.

    Returns:
      Bits per letter; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, Theorem 12 (there with O(log n / n) for the last term).
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("dispersion", dispersion, minimum=0.0)
    check_domain("blocklength", blocklength, minimum=1.0, finite=True)
    check_domain("excess_probability", excess_probability, minimum=0.0, maximum=1.0, open_minimum=True)
    if is_concrete(excess_probability) and np.any(np.asarray(excess_probability) == 1.0):
        raise ValueError("excess_probability must be below 1, got 1")
    rate, dispersion, n, epsilon = broadcast(rate, dispersion, blocklength, excess_probability)
    valid = (rate >= 0) & (dispersion >= 0) & (n >= 1) & (epsilon > 0) & (epsilon < 1)
    n, epsilon = jnp.where(valid, n, 1.0), jnp.where(valid, epsilon, 0.5)
    # The root of V by itself: its infinite slope at V = 0 must not meet the zero slope of V / n in n. At eps = 1/2
    # nothing depends on V.
    middle = epsilon == 0.5
    root = jnp.where(middle, lax.stop_gradient(jnp.sqrt(dispersion)), jnp.sqrt(jnp.where(middle, 1.0, dispersion)))
    return nan_unless(valid, rate - root * ndtri(epsilon) / jnp.sqrt(n) + nats_to_bits(jnp.log(n)) / (2.0 * n))
