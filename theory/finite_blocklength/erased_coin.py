"""A fair coin that the encoder sees through erasures: bounds on codes of a given blocklength.

With probability delta a letter is erased before the encoder sees it; distortion is the fraction of wrong letters of the
coin itself. With k letters erased, j of which the decoder's word has wrong (a fair coin each, whatever the code does),
r = floor(n D) - j errors are left for the other n - k letters, and h = 2^-(n-k) sum_(i <= r) C(n - k, i) is the part of
all words that one codeword then serves. Hence for the best code of M words

    E [1 - M h]_+  <=  P(excess distortion)  <=  E (1 - h)^M.

ln h is collected in 2^14 bins and rounded outwards, which costs at most 2^-14 = 6.1e-5 bit per letter on either side.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from theory.finite_blocklength import counting
from theory.finite_blocklength.counting import BlockRates
from theory.numerics.checks import check_domain, is_concrete

_BINS = 2**14


def erased_coin_bounds(
    erasure_probability: ArrayLike,
    distortion: ArrayLike,
    *,
    blocklength: ArrayLike,
    excess_probability: ArrayLike,
) -> BlockRates:
    """Rates of the best block codes of a fair coin seen through erasures, under Hamming distortion, from both sides.

    Args:
      erasure_probability: delta in [0, 1] of a letter; scalar.
      distortion: D >= 0, fraction of wrong letters allowed; below delta / 2 the rates are infinite from some n on.
      blocklength: n, whole, up to 10^6; any shape; not traced.
      excess_probability: epsilon in (0, 1), of more than n D wrong letters; scalar.

    Returns:
      `BlockRates` of the shape of `blocklength`, bits per letter, rounded outwards by at most 6.1e-5 bit; inf where no
      code has so little excess probability. No derivatives. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the erased fair coin: both bounds; the bins are ours.
    """
    n = counting.check_blocks(blocklength, distortion, excess_probability)
    check_domain("erasure_probability", erasure_probability, minimum=0.0, maximum=1.0)
    if np.ndim(erasure_probability) != 0:
        raise ValueError(f"erasure_probability must be a scalar, got shape {np.shape(erasure_probability)}")
    most = int(np.max(n, initial=1))
    if is_concrete(erasure_probability):  # the most erasures that the window has: the fewer, the smaller the arrays
        delta = float(np.asarray(erasure_probability))
        most = min(most, int(most * delta + 9 * np.sqrt(most * delta * (1 - delta)) + 43))
    sizes = {"length": counting.padded_length(n), "width": counting.window_width(np.asarray(max(most, 1)))}
    arguments = (jnp.asarray(x, jnp.float64) for x in (erasure_probability, distortion, excess_probability))
    return BlockRates(*(rate.reshape(n.shape) for rate in _erased_coin(jnp.asarray(n.ravel()), *arguments, **sizes)))


@partial(jax.jit, static_argnames=("length", "width"))
def _erased_coin(n, delta, distortion, epsilon, *, length, width):
    delta, distortion, epsilon = counting.step_function((delta, distortion, epsilon))
    valid = (delta >= 0) & (delta <= 1) & (distortion >= 0) & (epsilon > 0) & (epsilon < 1)
    table = counting.log_factorials(length)
    radius = counting.whole_errors(n, distortion)
    edges = jnp.append(jnp.arange(_BINS + 1.0) / _BINS, jnp.inf)

    def sizes(arguments):
        n, radius = arguments
        mass = _mass_of_hits(table, n, radius, delta, width)
        high = counting.bits_in(n) + 60.0
        more, less = (-counting.bits_in(n) * edge for edge in (edges[:-1], edges[1:]))
        exponent, slack = counting.log_miss_exponent(less), 2 * counting.BEYOND

        def below(log_size):
            # No code does better than this: hits are rounded up, and what was left out counts as served.
            served = jnp.minimum(jnp.exp(jnp.minimum(log_size + more, 0.0)), 1.0)
            served = served.at[-1].set(0.0)
            return jnp.where(epsilon <= 0.5, jnp.sum(mass * (1.0 - served)), 1.0 - jnp.sum(mass * served)) - slack

        def above(log_size):
            return counting.excess_probability(mass, log_size + exponent, epsilon) + slack

        return (counting.smallest_log_size(below, epsilon, high), counting.smallest_log_size(above, epsilon, high),
                _all_words_serve(table, n, radius, delta, epsilon, width))

    needed, random, all_serve = lax.map(sizes, (n, radius))
    enough = counting.rate_of_size(random, n, achieved=True)
    # All words are enough where any code is, whatever rounding up says.
    rates = (counting.rate_of_size(needed, n, achieved=False), jnp.where(all_serve, jnp.minimum(enough, 1.0), enough))
    return counting.nan_rates(valid, BlockRates(*rates))


def _mass_of_hits(table, n, radius, delta, width):
    """Probabilities of ln h in bins of n ln 2 / 2^14 below 0; the last one is h = 0."""
    reach = counting.bernstein_reach(n * delta * (1.0 - delta))
    low = jnp.maximum(jnp.floor(n * delta - reach), 0).astype(jnp.int64)
    high = jnp.minimum(jnp.ceil(n * delta + reach), n).astype(jnp.int64)

    def add(k, mass):
        erased = jnp.exp(counting.log_choose(table, n, k) + _times_log(k, delta) + _times_log(n - k, 1.0 - delta))
        wrong, probability = counting.binomial_window(table, k, jnp.asarray(0.5), width)
        seen = jnp.broadcast_to(n - k, wrong.shape)
        hit = counting.log_ball(table, seen, radius - wrong) - counting.bits_in(seen)
        place = jnp.floor(-jnp.minimum(hit, 0.0) / counting.bits_in(n) * _BINS + 1e-9)
        place = jnp.where(jnp.isfinite(hit), jnp.clip(place, 0, _BINS - 1), _BINS).astype(jnp.int32)
        return mass.at[place].add(erased * probability)

    mass = lax.fori_loop(low, high + 1, add, jnp.zeros(_BINS + 1))
    return mass / jnp.sum(mass)  # as `binomial_window`


def _times_log(count, probability):
    """count * ln probability, 0 for none of what cannot be."""
    return jnp.where(count > 0, count * jnp.log(probability), 0.0)


def _all_words_serve(table, n, radius, delta, epsilon, width):
    """Whether the code of all words is one: the erased letters alone are wrong more often with probability <= eps."""
    wrong, probability = counting.binomial_window(table, n, delta / 2, width)
    return jnp.sum(jnp.where(wrong > radius, probability, 0.0)) + counting.BEYOND <= epsilon
