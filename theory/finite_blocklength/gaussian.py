"""The Gaussian source under squared error: bounds on codes of a given blocklength.

A code of M words of length n has excess-distortion probability P(no word within sqrt(n D) of X) <= epsilon, X n
letters of N(0, s^2).

* converse: M balls of radius sqrt(n D) have at most the volume of one ball of radius sqrt(n D) M^(1/n), and of all sets
  of that volume the ball about 0 is the likeliest: M >= (r / sqrt(n D))^n with P(|X| > r) = epsilon;
* achievability: for M words drawn independently, uniformly on a sphere, E (1 - h(|X|))^M bounds the excess probability
  of the best code; h is the part of the sphere, a cap, within sqrt(n D) of X. The best of several radii, and of
  mixtures of spheres, is taken;
* achievability at small n: a cubic grid of step 2 sqrt(D), which for n = 1 is optimal.

The expectation is a sum over 2^12 shells, each with its own probability and its worse edge, so that what is returned
is enough and not an estimate. See docs/derivations/finite_blocklength.md.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammainc, gammaincc, gammaln, logsumexp, ndtri
from jax.typing import ArrayLike

from theory.finite_blocklength import counting
from theory.finite_blocklength.counting import BlockRates
from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits

_SHELLS = 2**12
_REACH = 9.2  # of |X| about its mean, with deviation below 1: P(further) <= 2 exp(-9.2^2 / 2) = 8e-19
_BEYOND = 1e-16
# Source radii that spheres of codewords are made for, between sqrt(n) (0) and the largest to be covered (1), and -1 as
# far on the other side; a code draws from one sphere or from a mixture of them (logarithms of probabilities). The last
# mixture has spheres close by each other, which small distortions and small epsilon need.
_FEW = np.array([-1.0, -0.6, -0.2, 0.2, 0.4, 0.6, 0.8, 1.0])
_DENSE = np.linspace(-1.0, 1.05, 24)
_PLACES = np.concatenate([_FEW, _DENSE])
_SETS = np.array([[0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1],
                  [0, 0, 1, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1, 1], [0] * 8])
_SETS = np.hstack([_SETS, np.repeat([[0]] * 6 + [[1]], _DENSE.size, axis=1)])
_MIXTURES = np.where(_SETS > 0, -np.log(_SETS.sum(1, keepdims=True)), -np.inf)
_GAUSS_NODES, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(6)


def gaussian_bounds(
    distortion: ArrayLike,
    variance: ArrayLike = 1.0,
    *,
    blocklength: ArrayLike,
    excess_probability: ArrayLike,
) -> BlockRates:
    """Rates of the best block codes of a Gaussian source under squared error, from both sides.

    Args:
      distortion: D > 0, largest squared error per letter; scalar.
      variance: s^2 > 0; scalar.
      blocklength: n, whole, up to 10^6; any shape; not traced.
      excess_probability: epsilon in (0, 1), of a squared error above n D in a block; scalar.

    Returns:
      `BlockRates` of the shape of `blocklength`, bits per letter; no derivatives. NaN inside a trace for arguments
      outside the domain.

    Raises:
      ValueError: if an argument lies outside its domain.

    Reference: [kostina2012fixed] Kostina and Verdu 2012, the Gaussian source: the converse by volumes, and random codes
      on a sphere, with the exact size of caps instead of a bound on it, and several spheres instead of one.
    """
    n = counting.check_blocks(blocklength, distortion, excess_probability)
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True, finite=True)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    if np.ndim(variance) != 0:
        raise ValueError(f"variance must be a scalar, got shape {np.shape(variance)}; use jax.vmap for several")
    arguments = (jnp.asarray(x, jnp.float64) for x in (distortion, variance, excess_probability))
    return BlockRates(*(rate.reshape(n.shape) for rate in _bounds(jnp.asarray(n.ravel()), *arguments)))


@jax.jit
def _bounds(n, distortion, variance, epsilon):
    distortion, variance, epsilon = counting.step_function((distortion, variance, epsilon))
    valid = (distortion > 0) & (variance > 0) & (epsilon > 0) & (epsilon < 1)
    normalized = jnp.where(valid, distortion / variance, 1.0)
    square = _chi_square_quantile(n.astype(jnp.float64), epsilon)  # of |X|^2
    needed = n / 2 * jnp.log(square / (n * normalized))
    random = lax.map(lambda a: _random_words(a[0], a[1], normalized, epsilon), (n.astype(jnp.float64), square))
    # One letter of n may be beyond the grid with probability 1 - (1 - eps)^(1/n), both tails together.
    outside = -jnp.expm1(jnp.log1p(-epsilon) / n)
    steps = jnp.ceil(-ndtri(outside / 2) / jnp.sqrt(normalized) * (1 + 1e-9))
    grid = n * jnp.log(jnp.maximum(steps, 1.0))
    random = jnp.where(square <= n * normalized, 0.0, random)
    rates = (counting.rate_of_size(needed, n, achieved=False),
             jnp.minimum(counting.rate_of_size(random, n, achieved=True), nats_to_bits(grid) / n))
    return counting.nan_rates(valid, BlockRates(*rates))


def _chi_square_quantile(n, epsilon):
    """x with P(chi^2_n > x) = epsilon, by bisection on the regularized incomplete gamma function."""
    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        # At n = 10^6 both tails carry a relative error of 1e-10: the smaller one is compared.
        enough = jnp.where(epsilon <= 0.5, gammaincc(n / 2, middle / 2) <= epsilon,
                           gammainc(n / 2, middle / 2) >= 1.0 - epsilon)
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    nats = -jnp.log(epsilon)  # P(chi^2 > n + 2 sqrt(n t) + 2 t) <= e^-t
    high = n + 2 * jnp.sqrt(n * nats) + 2 * nats
    low, high = lax.fori_loop(0, 55, halve, (jnp.zeros_like(n), high))
    return low


def _log_cap(n, cosine):
    """ln of the part of a sphere in n >= 2 dimensions within an angle, from below; its half beyond a right angle."""
    square = jnp.clip(1.0 - cosine**2, 0.0, 1.0)
    a = (n - 1.0) / 2
    inside = (cosine > 0) & (cosine < 1)
    x = jnp.where(inside, square, 0.5)

    def step(state):
        term, total, k = state
        term = term * x * (a + 0.5 + k) / (a + 1.0 + k)
        return term, total + term, k + 1.0

    one = jnp.ones_like(x)
    _, total, _ = lax.while_loop(lambda s: jnp.any(s[0] > 1e-17 * s[1]) & (s[2] < 500), step, (one, one, 0.0))
    beta = gammaln(a) + gammaln(0.5) - gammaln(a + 0.5)
    log_half = jnp.log(0.5)
    log_part = log_half + a * jnp.log(x) + 0.5 * jnp.log1p(-x) - jnp.log(a) - beta + jnp.log(total)
    beyond = jnp.where(cosine <= -1, 0.0, jnp.where(cosine <= 0, log_half, -jnp.inf))
    return jnp.where(inside, jnp.minimum(log_part, log_half), beyond)


def _shells(n):
    """Edges of shells of |X|, [s + 1], and their probabilities, [s]."""
    low = jnp.maximum(jnp.sqrt(n) - 1.0 - _REACH, 0.0)
    edges = jnp.linspace(low, jnp.sqrt(n) + _REACH, _SHELLS + 1)
    half = 0.5 * (edges[1] - edges[0])
    nodes = (0.5 * (edges[1:] + edges[:-1]))[:, None] + half * jnp.asarray(_GAUSS_NODES)[None]
    log_density = (n - 1) * jnp.log(nodes) - nodes**2 / 2 - (n / 2 - 1) * jnp.log(2.0) - gammaln(n / 2)
    mass = half * (jnp.exp(log_density) @ _GAUSS_WEIGHTS)
    return edges, mass / jnp.sum(mass)  # at n = 10^6 logarithms carry a common error of 1e-9


def _random_words(n, square, distortion, epsilon):
    """ln of the least size at which random words, and the word 0, are enough (variance 1); inf if they never are."""
    edges, mass = _shells(n)
    largest = jnp.sqrt(square)
    sources = jnp.maximum(jnp.sqrt(n) + jnp.asarray(_PLACES) * (largest - jnp.sqrt(n)), 0.0)
    radii = jnp.sqrt(jnp.maximum(sources**2 - n * distortion, 1e-6 * n))

    def caps(radius):
        cosine = (edges**2 + radius**2 - n * distortion) / (2 * jnp.maximum(edges, 1e-9) * radius)
        hit = _log_cap(jnp.maximum(n, 2.0), cosine)
        return jnp.minimum(hit[1:], hit[:-1])  # rises and falls once: least at an edge

    hits = lax.map(caps, radii)
    far = edges[1:] ** 2 > n * distortion  # the word 0 has the others within its radius

    def size(mixture):
        exponent = counting.log_miss_exponent(jnp.minimum(logsumexp(hits + mixture[:, None], axis=0), 0.0))

        def excess(log_size):
            served = jnp.where(far, log_size + exponent, jnp.inf)
            return counting.excess_probability(mass, served, epsilon) + _BEYOND

        return counting.smallest_log_size(excess, epsilon, 4.0 * n + n * jnp.log(1 + 1 / distortion) + 60.0)

    best = jnp.min(lax.map(size, jnp.asarray(_MIXTURES)))
    # A sphere in one dimension is two points, which the cubic grid does better than.
    return jnp.where(n > 1, jnp.logaddexp(best, 0.0), jnp.inf)
