"""Bernoulli and uniform M-ary sources, Hamming distortion: bounds on codes of a given blocklength, evaluated exactly.

A code of M words of length n has excess-distortion probability P(no word within floor(n D) errors of X) <= epsilon.
With S the number of words in a Hamming ball of that radius:

* converse: M balls hold at most M S words, and the least number of words that have probability 1 - epsilon, the most
  likely ones first, must fit in;
* achievability: for M words drawn independently from any distribution, E (1 - h(X))^M bounds the excess probability of
  the best code, h(x) the probability that one drawn word is within the radius of x. Words are drawn uniformly, or
  uniformly among those of one weight; the best of several weights is taken;
* achievability at small n: list the most likely words of n - floor(n D) letters, and give the other letters up.

See docs/derivations/finite_blocklength.md.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from theory.finite_blocklength import counting
from theory.finite_blocklength.counting import BlockRates
from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.units import nats_to_bits

_OVERLAPS = 96  # terms of the hypergeometric tail; leaving some out makes the bound larger
# Weights of random codewords: the best for source words between the mean weight (0) and the rarest to be covered (1),
# and on the other side of the mean. A code draws them from one of these mixtures (logarithms of probabilities).
# The last mixture has weights close by each other, which small distortions and small epsilon need.
_DENSE = np.linspace(-0.9, 1.1, 12)
_PLACES = np.concatenate([[-1.0, -0.6, -0.2, 0.2, 0.5, 0.75, 1.0, 1.25], _DENSE])
_SETS = np.array([[0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1, 0],
                  [0, 1, 0, 0, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1], [1] * 8])
_SETS = np.hstack([_SETS, np.repeat([[0]] * 6 + [[1]], _DENSE.size, axis=1)])
_MIXTURES = np.where(_SETS > 0, -np.log(_SETS.sum(1, keepdims=True)), -np.inf)


def uniform_bounds(
    alphabet_size: ArrayLike, distortion: ArrayLike, *, blocklength: ArrayLike, excess_probability: ArrayLike
) -> BlockRates:
    """Rates of the best block codes of a uniform source on M letters under Hamming distortion, from both sides.

    Converse: log2 |code| >= log2((1 - eps) M^n / S). Achievability: the smaller of ln eps / ln(1 - S / M^n) words drawn
    uniformly, and (1 - eps) M^(n - r) words that give r = floor(n D) letters up. M = 2 is the fair coin.

    Args:
      alphabet_size: M >= 2, whole; scalar.
      distortion: D >= 0, fraction of wrong letters allowed; scalar.
      blocklength: n, whole, up to 10^6; any shape; not traced.
      excess_probability: epsilon in (0, 1), of more than n D wrong letters; scalar.

    Returns:
      `BlockRates` of the shape of `blocklength`, bits per letter; no derivatives. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the equiprobable source; the words that give letters up are
      ours.
    """
    n = counting.check_blocks(blocklength, distortion, excess_probability)
    check_domain("alphabet_size", alphabet_size, minimum=2.0, finite=True)
    if is_concrete(alphabet_size) and np.any(np.asarray(alphabet_size) % 1 != 0):
        raise ValueError(f"alphabet_size must be whole, got {alphabet_size}")
    arguments = (jnp.asarray(x, jnp.float64) for x in (alphabet_size, distortion, excess_probability))
    return _uniform(jnp.asarray(n), *arguments, length=counting.padded_length(n))


@partial(jax.jit, static_argnames="length")
def _uniform(n, letters, distortion, epsilon, *, length):
    letters, distortion, epsilon = counting.step_function((letters, distortion, epsilon))
    valid = (letters >= 2) & (distortion >= 0) & (epsilon > 0) & (epsilon < 1)
    table = counting.log_factorials(length)
    needed, enough = _by_uniform_words(table, n, letters, distortion, epsilon)
    # All words are enough, whatever rounding up says.
    rates = (counting.rate_of_size(needed, n, achieved=False),
             jnp.minimum(counting.rate_of_size(enough, n, achieved=True), nats_to_bits(jnp.log(letters))))
    return counting.nan_rates(valid, BlockRates(*rates))


def _by_uniform_words(table, n, letters, distortion, epsilon):
    """ln of the words that a uniform source needs, and of those that are enough for any source."""
    radius = counting.whole_errors(n, distortion)
    everything = n * jnp.log(letters)
    hit = jnp.minimum(counting.log_ball(table, n, radius, letters) - everything, 0.0)
    enough = jnp.log(-jnp.log(epsilon)) - counting.log_miss_exponent(hit)
    return jnp.log1p(-epsilon) - hit, jnp.minimum(enough, jnp.log1p(-epsilon) + (n - radius) * jnp.log(letters))


def bernoulli_bounds(
    probability: ArrayLike, distortion: ArrayLike, *, blocklength: ArrayLike, excess_probability: ArrayLike
) -> BlockRates:
    """Rates of the best block codes of a Bernoulli(p) source under Hamming distortion, from both sides.

    Converse: the least number of words of probability 1 - eps (a part of a weight counts in proportion), over S.
    Achievability: E_k (1 - h(k))^M <= eps, k the weight of the source's word and h(k) the probability (a tail of a
    hypergeometric distribution) that a word of weight t is within floor(n D) of it; the least M over several t.

    Args:
      probability: p in [0, 1]; scalar.
      distortion: D >= 0, fraction of wrong letters allowed; scalar.
      blocklength: n, whole, up to 10^6; any shape; not traced.
      excess_probability: epsilon in (0, 1), of more than n D wrong letters; scalar.

    Returns:
      `BlockRates` of the shape of `blocklength`, bits per letter; no derivatives. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the binary memoryless source: the converse by covering and
      hypothesis testing, and random codes, where words of one weight are drawn instead of independent letters.
    """
    n = counting.check_blocks(blocklength, distortion, excess_probability)
    check_domain("probability", probability, minimum=0.0, maximum=1.0)
    if np.ndim(probability) != 0:
        raise ValueError(f"probability must be a scalar, got shape {np.shape(probability)}; use jax.vmap for several")
    arguments = (jnp.asarray(x, jnp.float64) for x in (probability, distortion, excess_probability))
    sizes = {"length": counting.padded_length(n), "width": counting.window_width(n)}
    return BlockRates(*(rate.reshape(n.shape) for rate in _bernoulli(jnp.asarray(n.ravel()), *arguments, **sizes)))


@partial(jax.jit, static_argnames=("length", "width"))
def _bernoulli(n, probability, distortion, epsilon, *, length, width):
    probability, distortion, epsilon = counting.step_function((probability, distortion, epsilon))
    valid = (probability >= 0) & (probability <= 1) & (distortion >= 0) & (epsilon > 0) & (epsilon < 1)
    p = jnp.minimum(probability, 1.0 - probability)
    table = counting.log_factorials(length)
    radius = counting.whole_errors(n, distortion)
    likely = jax.vmap(lambda n, eps: _likely_words(table, n, p, eps, width), (0, None))
    listed, rarest = likely(n, jnp.minimum(epsilon + counting.BEYOND, 1.0))
    needed = listed - counting.log_ball(table, n, radius)
    least = jnp.maximum(epsilon - 2 * counting.BEYOND, 0.0)
    kept = jnp.where(least > 0, likely(n - radius, least)[0], jnp.inf)
    _, uniform = _by_uniform_words(table, n, 2.0, distortion, epsilon)
    random = jax.vmap(
        lambda n, radius, rarest: _random_words(table, n, radius, p, distortion, epsilon, rarest, width)
    )(n, radius, rarest)
    enough = jnp.minimum(jnp.minimum(kept, uniform), random)
    rates = (counting.rate_of_size(needed, n, achieved=False),
             jnp.minimum(counting.rate_of_size(enough, n, achieved=True), 1.0))
    return counting.nan_rates(valid, BlockRates(*rates))


def _likely_words(table, n, p, epsilon, width):
    """ln of the least number of words of probability 1 - eps (p <= 1/2), and the weight of the rarest of them.

    Probability beyond the window counts as 0: with epsilon more by `BEYOND` the number is not too large, and with
    epsilon less by that not too small.
    """
    weights, mass = counting.binomial_window(table, n, p, width)
    none = jnp.zeros(1)
    beyond = jnp.append(jnp.flip(jnp.cumsum(jnp.flip(mass)))[1:], none)  # P(weight > k)
    below = jnp.append(none, jnp.cumsum(mass)[:-1])  # P(weight < k)
    rare = epsilon <= 0.5  # summed from the smaller end
    index = jnp.argmax(jnp.where(rare, beyond <= epsilon, below + mass >= 1.0 - epsilon))
    rarest = weights[index]
    wanted = jnp.where(rare, beyond[index] + mass[index] - epsilon, 1.0 - epsilon - below[index])
    part = jnp.clip(wanted / mass[index], 1e-300, 1.0)
    certain = counting.log_ball(table, n, rarest - 1)
    return jnp.logaddexp(certain, jnp.log(part) + counting.log_choose(table, n, rarest)), rarest


def _log_hit(table, n, radius, weight, codeword_weight):
    """ln P(a random word of one weight is within the radius of one of another): a hypergeometric tail, from below."""
    k, t = weight, codeword_weight
    least = jnp.maximum(jnp.maximum(-((radius - k - t) // 2), k + t - n), 0)  # ones in common
    first = (counting.log_choose(table, k, least) + counting.log_choose(table, n - k, t - least)
             - counting.log_choose(table, n, t))

    def add(j, state):
        term, total = state
        i = least + j
        term = term * jnp.maximum((k - i) * (t - i) / ((i + 1.0) * jnp.maximum(n - k - t + i + 1.0, 1.0)), 0.0)
        term = jnp.where((i < k) & (i < t), term, 0.0)
        return term, total + term

    one = jnp.ones(k.shape)
    _, total = lax.fori_loop(0, _OVERLAPS, add, (one, one))
    return jnp.minimum(first + jnp.log(total), 0.0)


def _random_words(table, n, radius, p, distortion, epsilon, rarest, width):
    """ln of the least size at which random words, and the word 0, are enough; inf if they never are."""
    weights, mass = counting.binomial_window(table, n, p, width)
    exists = weights <= n
    # The weight of outputs for a source of that weight: (k / n - D) / (1 - 2 D).
    center = n * p + jnp.asarray(_PLACES) * (rarest - n * p)
    tried = jnp.round((center - n * distortion) / jnp.maximum(1.0 - 2.0 * distortion, 0.05)).astype(jnp.int64)
    hits = lax.map(lambda t: _log_hit(table, n, radius, jnp.where(exists, weights, 0), t), jnp.clip(tried, 0, n))
    far = weights > radius  # the word 0 has the others within its radius

    def size(mixture):
        exponent = counting.log_miss_exponent(jnp.minimum(logsumexp(hits + mixture[:, None], axis=0), 0.0))

        def excess(log_size):
            served = jnp.where(far, log_size + exponent, jnp.inf)
            return counting.excess_probability(mass, served, epsilon) + counting.BEYOND

        return counting.smallest_log_size(excess, epsilon, counting.bits_in(n) + 60.0)

    random = jnp.logaddexp(jnp.min(lax.map(size, jnp.asarray(_MIXTURES))), 0.0)
    return jnp.where(jnp.sum(jnp.where(far, mass, 0.0)) + counting.BEYOND <= epsilon, 0.0, random)
