"""Common parts of the exact bounds: volumes of Hamming balls, windows of binomial weights, roots in the size of a code.

A code of M words has rate log2 M / n. Everything is computed with logarithms, since M is about 2^(n R). Blocklengths
are whole and bounds are step functions of D through floor(n D): nothing here is differentiable, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain, is_concrete
from theory.numerics.units import bits_to_nats, nats_to_bits

MAX_BLOCKLENGTH = 10**6
_WHOLE_BELOW = 20.0  # nats: codes of up to e^20 words are counted in whole words
_ROUNDING = 1e-8  # relative, of a number of words: logarithms near 10^6 carry errors of 1e-9


class BlockRates(NamedTuple):
    """Rates between which the best code of each blocklength lies; fields have the shape of the blocklengths.

    Attributes:
      converse: no code of this blocklength with at most this excess-distortion probability has less, bits per letter.
      achievability: some code has this rate, bits per letter.
    """

    converse: jax.Array
    achievability: jax.Array


def check_blocks(
    blocklength: ArrayLike, distortion: ArrayLike, excess_probability: ArrayLike
) -> np.ndarray:
    """Refuses what is no blocklength, distortion or excess probability.

    Args:
      blocklength: n, whole, from 1 to 10^6; any shape, not traced, as it decides about the sizes of arrays.
      distortion: D >= 0; scalar.
      excess_probability: epsilon in (0, 1); scalar.

    Returns:
      The blocklengths as whole numbers.

    Raises:
      ValueError: naming the argument, what it got and what it needs.
    """
    if not is_concrete(blocklength):
        raise ValueError("blocklength must be known outside of a trace, got a tracer: close over it")
    check_domain("blocklength", blocklength, minimum=1.0, maximum=MAX_BLOCKLENGTH)
    if np.any(np.asarray(blocklength) % 1 != 0):
        raise ValueError(f"blocklength must be whole, got {blocklength}")
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("excess_probability", excess_probability, minimum=0.0, maximum=1.0, open_minimum=True)
    if is_concrete(excess_probability) and np.any(np.asarray(excess_probability) == 1.0):
        raise ValueError("excess_probability must be below 1, got 1")
    for name, value in (("distortion", distortion), ("excess_probability", excess_probability)):
        if np.ndim(value) != 0:
            raise ValueError(f"{name} must be a scalar, got shape {np.shape(value)}; use jax.vmap for several")
    return np.asarray(blocklength).astype(np.int64)


@jax.custom_jvp
def step_function(arguments: Any) -> Any:
    """Passes arguments of a bound through, and refuses to be differentiated.

    Args:
      arguments: arrays, in any tree.

    Returns:
      The same.
    """
    return arguments


@step_function.defjvp
def _refuse(primals, tangents):
    raise ValueError(
        "bounds at a blocklength are step functions (of floor(n D), and of a whole number of codewords) and have no "
        "derivative here; the dispersion and the normal approximation do")


def whole_errors(blocklength: jax.Array, distortion: jax.Array) -> jax.Array:
    """Counts the errors that a distortion allows: floor(n D), up to rounding.

    Args:
      blocklength: n; any shape.
      distortion: D; scalar.

    Returns:
      Whole numbers, at most n. n D within 1e-9 (and rounding) below a whole number counts as that number.
    """
    product = blocklength * distortion
    allowed = jnp.floor(product * (1 + 1e-13) + 1e-9)
    return jnp.clip(allowed, 0, blocklength).astype(jnp.int64)


def padded_length(blocklength: np.ndarray) -> int:
    """The length of tables that serve all blocklengths.

    Args:
      blocklength: whole numbers, any shape.

    Returns:
      A power of two, at least the largest of them.
    """
    return 1 << int(np.max(blocklength, initial=1) - 1).bit_length()


def log_factorials(length: int) -> jax.Array:
    """Tabulates ln k!.

    Args:
      length: the largest k.

    Returns:
      Nats, [length + 1].
    """
    return gammaln(jnp.arange(length + 1.0) + 1.0)


def log_choose(table: jax.Array, n: jax.Array, k: jax.Array) -> jax.Array:
    """Computes ln of a binomial coefficient.

    Args:
      table: of `log_factorials`.
      n: whole; any shape.
      k: whole; the same shape.

    Returns:
      Nats; -inf unless 0 <= k <= n.
    """
    inside = (k >= 0) & (k <= n)
    k = jnp.where(inside, k, 0)
    return jnp.where(inside, table[n] - table[k] - table[n - k], -jnp.inf)


def log_ball(table: jax.Array, n: jax.Array, radius: jax.Array, letters: ArrayLike = 2) -> jax.Array:
    """Computes ln of the number of words within a Hamming distance: sum_(j <= r) C(n, j) (m - 1)^j.

    Terms fall at least geometrically away from the radius on one side of the largest, n (m - 1) / m; on its other side
    the complement is summed.

    Args:
      table: of `log_factorials`.
      n: length of words; any shape.
      radius: r, whole; the same shape; below 0 the ball is empty, beyond n it is everything.
      letters: m >= 2; scalar.

    Returns:
      Nats; same shape.
    """
    others = jnp.asarray(letters, jnp.float64) - 1.0
    everything = n * jnp.log1p(others)
    inside = (radius >= 0) & (radius < n)
    r = jnp.where(inside, radius, 0)
    outside = inside & (r * (others + 1.0) >= n * others)  # sum what lies beyond the radius
    start = jnp.where(outside, r + 1, r)

    def ratio(j):
        up = (n - j) * others / (j + 1)
        return jnp.where(outside, up, j / ((n - j + 1) * others))

    def step(state):
        term, total, j = state
        term = term * jnp.maximum(ratio(j), 0.0)
        return term, total + term, j + jnp.where(outside, 1, -1)

    one = jnp.ones(n.shape)
    _, total, _ = lax.while_loop(lambda s: jnp.any(s[0] > 1e-18 * s[1]), step, (one, one, start))
    part = log_choose(table, n, start) + start * jnp.log(others) + jnp.log(total)
    part = jnp.where(outside, everything + jnp.log1p(-jnp.exp(jnp.minimum(part - everything, -1e-300))), part)
    return jnp.where(radius < 0, -jnp.inf, jnp.where(inside, part, everything))


def bernstein_reach(variance: ArrayLike) -> ArrayLike:
    """A distance from the mean beyond which a binomial has probability of at most `BEYOND`, by Bernstein's inequality.

    Args:
      variance: n p (1 - p) or more; any shape.

    Returns:
      9 standard deviations and 40, for either side together; same shape.
    """
    return 9.0 * jnp.sqrt(variance) + 40.0


# P(|S - E S| > t) <= 2 exp(-t^2 / (2 (v + t / 3))) for t = 9 sqrt(v) + 40 is below 2 e^-40 for every v.
BEYOND = 1e-16


def binomial_window(
    table: jax.Array, n: jax.Array, probability: jax.Array, width: int
) -> tuple[jax.Array, jax.Array]:
    """Probabilities of a binomial near its mean.

    Args:
      table: of `log_factorials`.
      n: trials; scalar.
      probability: of a success; scalar.
      width: number of values; at least min(n + 1, 2 `bernstein_reach` + 2) for what is left out to be below `BEYOND`.

    Returns:
      Values [width] and their probabilities [width], 0 where a value is none.
    """
    low = jnp.clip(jnp.round(n * probability).astype(jnp.int64) - width // 2, 0, jnp.maximum(n + 1 - width, 0))
    values = low + jnp.arange(width)
    successes = jnp.where(values > 0, values * jnp.log(jnp.where(probability > 0, probability, 1.0)), 0.0)
    successes = jnp.where((probability == 0) & (values > 0), -jnp.inf, successes)
    failures = n - values
    rest = jnp.where(failures > 0, failures * jnp.log1p(-jnp.where(probability < 1, probability, 0.0)), 0.0)
    rest = jnp.where((probability == 1) & (failures > 0), -jnp.inf, rest)
    mass = jnp.exp(log_choose(table, n, values) + successes + rest)
    # Logarithms of factorials near 10^7 carry a common error of 1e-9, which near an excess of 1 would be everything.
    return values, mass / jnp.maximum(jnp.sum(mass), 1e-300)


def window_width(blocklength: np.ndarray, variance: float = 0.25) -> int:
    """The width that `binomial_window` needs.

    Args:
      blocklength: whole numbers, any shape.
      variance: the largest of p (1 - p).

    Returns:
      A multiple of 64.
    """
    longest = int(np.max(blocklength, initial=1))
    return -(-min(longest + 1, 2 * int(9 * np.sqrt(variance * longest) + 40) + 4) // 64) * 64


def log_miss_exponent(log_hit: jax.Array) -> jax.Array:
    """Computes ln(-ln(1 - h)): M words that each hit with probability h all miss with probability e^(-M e^this).

    Args:
      log_hit: ln h <= 0; any shape.

    Returns:
      Same shape; -inf for h = 0, inf for h = 1.
    """
    tiny = log_hit < -25.0
    hit = jnp.exp(jnp.where(tiny, -1.0, log_hit))
    large = jnp.log(-jnp.log1p(-jnp.where(hit < 1, hit, 0.5)))
    large = jnp.where(hit < 1, large, jnp.inf)
    return jnp.where(tiny, log_hit, large)


def excess_probability(mass: jax.Array, log_exponent: jax.Array, epsilon: jax.Array) -> jax.Array:
    """Computes sum of mass e^(-e^log_exponent), precisely also where it is nearly the whole.

    Args:
      mass: probabilities that sum to 1.
      log_exponent: same shape; inf for what is served in any case.
      epsilon: what the result will be compared with; scalar.

    Returns:
      The sum, or, for epsilon above 1/2, 1 less that of mass (1 - e^(-e^log_exponent)); scalar.
    """
    exponent = -jnp.exp(log_exponent)
    return jnp.where(epsilon <= 0.5, jnp.sum(mass * jnp.exp(exponent)), 1.0 + jnp.sum(mass * jnp.expm1(exponent)))


def smallest_log_size(excess: Callable[[jax.Array], jax.Array], target: jax.Array, high: jax.Array) -> jax.Array:
    """Finds where a decreasing excess probability comes down to a target.

    Args:
      excess: ln M, [...] -> probability, [...].
      target: epsilon; scalar.
      high: an upper end, [...].

    Returns:
      ln M with an excess of at most the target, within 2^-50 of the range above the least one; inf if there is none.
    """
    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        enough = excess(middle) <= target
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    _, found = lax.fori_loop(0, 50, halve, (jnp.zeros_like(high), high))
    at_once = excess(jnp.zeros_like(high)) <= target
    found = jnp.where(at_once, 0.0, found)
    return jnp.where(excess(found) <= target, found, jnp.inf)


def rate_of_size(log_size: jax.Array, n: jax.Array, *, achieved: bool) -> jax.Array:
    """Rate of a code of M words, M a whole number.

    Args:
      log_size: ln of a real number that M must be at least; any shape.
      n: blocklength; same shape.
      achieved: whether M must surely be enough (rounded up), or surely be needed (rounded down by less than 1e-8).

    Returns:
      Bits per letter; same shape.
    """
    log_size = jnp.maximum(log_size, 0.0)
    few = log_size < _WHOLE_BELOW
    slack = 1 + _ROUNDING if achieved else 1 - _ROUNDING
    # Exactly one word is one word.
    words = jnp.where(log_size == 0, 1.0, jnp.maximum(jnp.ceil(jnp.exp(jnp.where(few, log_size, 0.0)) * slack), 1.0))
    many = log_size + (2 * _ROUNDING if achieved else -_ROUNDING)
    return nats_to_bits(jnp.where(few, jnp.log(words), many)) / n


def nan_rates(valid: jax.Array, rates: BlockRates) -> BlockRates:
    """Puts NaN where an argument lies outside of its domain.

    Args:
      valid: boolean, scalar.
      rates: the rates.

    Returns:
      The rates, or NaN.
    """
    return BlockRates(*(jnp.where(valid, rate, jnp.nan) for rate in rates))


def bits_in(n: jax.Array) -> jax.Array:
    """Size of the set of all binary words.

    Args:
      n: their length; any shape.

    Returns:
      n ln 2, nats; same shape.
    """
    return bits_to_nats(jnp.asarray(n, jnp.float64))
