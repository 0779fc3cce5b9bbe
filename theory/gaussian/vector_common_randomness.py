"""Gaussian vectors and spectra at perfect realism with limited common randomness: how rate and seed are divided.

Encoder and decoder share C bits per vector, independent of the source; the reconstruction of a long sequence of
vectors must have the source's distribution. The answer is a water-filling with two levels, one for the bits that are
sent and one for those that are shared. docs/derivations/vector_common_randomness.md proves it.

Conventions and weights are those of `theory.gaussian.vector`; with the weights of `theory.gaussian.process` everything
is per sample of a stationary process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian import vector, vector_realism
from theory.gaussian.vector import broadcast_arguments
from theory.numerics.checks import check_domain
from theory.numerics.units import bits_to_nats, nats_to_bits

_MAX_NATS = 300.0  # more than this per component, sent or shared, changes a distortion by less than 1e-250 of itself


class RandomnessSplit(NamedTuple):
    """The optimal division of rate and common randomness over the components of a Gaussian vector.

    Attributes:
      distortion: squared error summed over components, of the code that the fields below describe; [...].
      distortion_lower: no code has less: the Lagrange dual function at the two prices, less rounding; [...].
      rates: bits sent about each component, before weighting; [..., n].
      common_randomness: shared bits that each component uses, before weighting; [..., n].
      distortions: squared error of each component, before weighting; [..., n].
      rate_price: -dD/dR at fixed C, squared error per bit; [...].
      randomness_price: -dD/dC at fixed R, squared error per bit; [...]. randomness_price / rate_price is the number of
        bits of rate that one more shared bit saves at equal distortion: between 0 and 1/2.
    """

    distortion: jax.Array
    distortion_lower: jax.Array
    rates: jax.Array
    common_randomness: jax.Array
    distortions: jax.Array
    rate_price: jax.Array
    randomness_price: jax.Array


def strong_realism_split(
    rate: ArrayLike, common_randomness: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> RandomnessSplit:
    """Divides rate and common randomness over the components, at perfect realism of whole blocks (exact).

    D(R, C) = 2 sum_i lam_i - 2 max sum_i lam_i sqrt((1 - e^{-2 r_i})(1 - e^{-2 t_i})) over sum r_i <= R,
    sum t_i <= R + C, in nats. The sum is jointly concave, and for prices mu >= nu the best split is
    r_i = 1/2 [asinh((mu - nu)/(2 lam_i)) + ln(lam_i/mu)], t_i = 1/2 [ln(lam_i/nu) - asinh((mu - nu)/(2 lam_i))]
    where lam_i^2 > mu nu, and 0 elsewhere: with limited common randomness weak components are left to the decoder.
    C = 0 is reverse water-filling at twice its distortion, C = inf (nu = 0) `theory.gaussian.vector_realism`.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      common_randomness: C >= 0, bits per vector, may be inf; shape [...], broadcast with `rate`.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      A `RandomnessSplit`; NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [saldi2015output] for one component; docs/derivations/vector_common_randomness.md for vectors.
    """
    return _split(*_arguments("rate", rate, common_randomness, eigenvalues, weights))


def strong_realism_distortion(
    rate: ArrayLike, common_randomness: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Least distortion of a Gaussian vector at perfect realism with C bits of common randomness per vector (exact).

    `strong_realism_split(..).distortion`, with the derivatives of the dual function: those by R, C, and each lam_i.

    Args:
      rate: R >= 0, bits per vector; shape [...].
      common_randomness: C >= 0, bits per vector, may be inf; shape [...], broadcast with `rate`.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Squared error summed over components; shape [...]. At R = 0 < C its slope is -inf. NaN inside a trace for
      arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: as `strong_realism_split`.
    """
    return _distortion(*_arguments("rate", rate, common_randomness, eigenvalues, weights))


def strong_realism_rate(
    distortion: ArrayLike, common_randomness: ArrayLike, eigenvalues: ArrayLike, *, weights: ArrayLike | None = None
) -> jax.Array:
    """Least rate of a Gaussian vector at perfect realism with C bits of common randomness per vector (exact).

    The inverse in R of `strong_realism_distortion`, which is convex in R: Newton's iteration rises to it from the rate
    with unlimited common randomness. -dR/dC at fixed D is nu/(mu + nu) <= 1/2: a shared bit saves at most half a bit,
    and the first one does save half a bit.

    Args:
      distortion: D >= 0, squared error summed over components; shape [...].
      common_randomness: C >= 0, bits per vector, may be inf; shape [...], broadcast with `distortion`.
      eigenvalues: lam_i >= 0; shape [..., n].
      weights: multiplicity of each component; shape [..., n], default 1.

    Returns:
      Bits per vector; shape [...]; inf at D = 0, 0 for D >= 2 sum lam. NaN inside a trace for arguments outside of the
      domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: as `strong_realism_split`.
    """
    return _rate(*_arguments("distortion", distortion, common_randomness, eigenvalues, weights))


def _arguments(name: str, first: ArrayLike, shared: ArrayLike, eigenvalues: ArrayLike, weights: ArrayLike | None):
    check_domain("common_randomness", shared, minimum=0.0)
    first, shared = jnp.broadcast_arrays(jnp.asarray(first, jnp.float64), jnp.asarray(shared, jnp.float64))
    first, eigenvalues, weights = broadcast_arguments(first, eigenvalues, weights, name=name)
    return first, jnp.broadcast_to(shared, first.shape), eigenvalues, weights


def decreasing_zero(
    function: Callable[[jax.Array], tuple[jax.Array, jax.Array]], low: jax.Array, high: jax.Array, start: jax.Array,
    *, rounding: float = 1e-15,
) -> jax.Array:
    """Finds where decreasing functions vanish: Newton's steps, and halving where these leave the bracket.

    Args:
      function: returns values and slopes at points of shape [...].
      low: where the value is >= 0; [...].
      high: where it is <= 0; [...].
      start: the first point; [...].
      rounding: halvings to this size, relative to the point or to 1, end the search; so do Newton steps of 1e-9.

    Returns:
      The zeros, [...]; not differentiable.
    """

    def go_on(state):
        return jnp.any(state[4]) & (state[3] < 120)

    def step(state):
        low, high, point, count, moving = state
        value, slope = function(point)
        low, high = jnp.where(value >= 0, point, low), jnp.where(value <= 0, point, high)
        newton = point - value / slope
        usable = (newton >= low) & (newton <= high) & (count % 4 != 3)  # no slow creep along a kink
        following = jnp.where(usable, newton, 0.5 * (low + high))
        following = jnp.where(moving & (value != 0), following, point)
        # What is left after a Newton step is about its square; a step of halving says nothing of the kind.
        small = jnp.where(usable, 1e-9, rounding) * jnp.maximum(jnp.abs(point), 1.0)
        far = jnp.abs(following - point) > small
        return low, high, following, count + 1, far & moving

    state = (low, high, start, jnp.zeros((), jnp.int32), jnp.ones(low.shape, bool))
    return lax.while_loop(go_on, step, state)[2]


class _Nats(NamedTuple):
    """Best nats sent and known per component at two prices, and their slopes in the prices' logarithms."""

    sent: jax.Array
    known: jax.Array
    slopes: tuple[jax.Array, jax.Array, jax.Array, jax.Array]


def _best(log_mu: jax.Array, log_nu: jax.Array, log_lam: jax.Array) -> _Nats:
    """Maximizes lam f(r, t) - mu r - nu t for each component; log prices [...], log_lam [..., n]."""
    x, y = log_mu[..., None] - log_lam, log_nu[..., None] - log_lam
    m, n = jnp.exp(jnp.minimum(x, 690.0)), jnp.exp(jnp.minimum(y, 690.0))
    gain = jnp.maximum(-jnp.expm1(jnp.minimum(x + y, 1.0)), 0.0)  # 1 - m n
    root = jnp.hypot(2.0, m - n)
    total = root + m + n
    sent = 0.5 * jnp.log1p(2.0 * gain / (m * total))
    known = 0.5 * jnp.log1p(2.0 * gain / (n * total))
    half = jnp.where(gain > 0, 0.5, 0.0) / root
    # m - root and n - root without cancellation.
    by_mu = half * (n * (2.0 * m - n) - 4.0) / (m + root)
    by_nu = half * (m * (2.0 * n - m) - 4.0) / (n + root)
    return _Nats(sent, known, (by_mu, -half * n, -half * m, by_nu))


def _prices(nats: jax.Array, known: jax.Array, unlimited: jax.Array, log_lam: jax.Array, w: jax.Array):
    """Log prices at which sum r = nats and, unless unlimited, sum t = known >= nats > 0."""
    top = jnp.max(jnp.where(w > 0, log_lam, -jnp.inf), -1)
    heaviest = jnp.min(jnp.where((w > 0) & (log_lam >= top[..., None]), w, jnp.inf), -1)
    dimension = jnp.sum(w, -1)

    def add(values):
        return jnp.sum(w * values, -1)

    def without_seed(log_nu):
        excess = log_lam - log_nu[..., None]
        return 0.5 * add(jnp.maximum(excess, 0.0)) - nats, -0.5 * add(jnp.where(excess > 0, 1.0, 0.0))

    even_low = top - 2.0 * nats / heaviest
    even = decreasing_zero(without_seed, even_low, top, jnp.maximum(even_low, top - 1.0))

    def mu_at(log_nu):
        def sent(log_mu):
            best = _best(log_mu, log_nu, log_lam)
            return add(best.sent) - nats, add(best.slopes[0])

        beyond = top + jnp.maximum(0.5 * jnp.log(dimension / (2.0 * nats)), 0.0) + 1.0
        low = jnp.where(unlimited, even_low, log_nu)
        high = jnp.where(unlimited, beyond, jnp.minimum(2.0 * top - log_nu, beyond))
        return decreasing_zero(sent, low, high, jnp.clip(even, low, high))

    def learned(log_nu):
        log_mu = mu_at(log_nu)
        best = _best(log_mu, log_nu, log_lam)
        by_sent, cross, other, by_known = (add(slope) for slope in best.slopes)
        return add(best.known) - known, by_known - other * cross / by_sent

    def widen(state):
        low, step, _ = state
        short = learned(low)[0] < 0
        return jnp.where(short, low - step, low), 2.0 * step, jnp.any(short)

    first = even - 2.0 * (known - nats) / dimension
    low, _, _ = lax.while_loop(lambda state: state[2], widen, (first, jnp.ones_like(first), jnp.asarray(True)))
    log_nu = decreasing_zero(learned, low, even, low)
    log_nu = jnp.where(unlimited, -jnp.inf, log_nu)
    return mu_at(log_nu), log_nu


def _lost(sent: jax.Array, known: jax.Array) -> jax.Array:
    """1 - sqrt((1 - e^{-2r})(1 - e^{-2t})) without cancellation."""
    a, b = jnp.exp(-2.0 * sent), jnp.exp(-2.0 * known)
    return (a + b - a * b) / (1.0 + jnp.sqrt(jnp.expm1(-2.0 * sent) * jnp.expm1(-2.0 * known)))


class _Solution(NamedTuple):
    """What both results are made of, in nats, and which arguments need a solver."""

    coded: jax.Array
    lossless: jax.Array
    mu: jax.Array
    nu: jax.Array
    best_sent: jax.Array
    best_known: jax.Array
    sent: jax.Array
    known: jax.Array


def _solve(rate: jax.Array, shared: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> _Solution:
    """Prices, and the nats of a split that keeps within both budgets."""
    nats, seed = bits_to_nats(rate), bits_to_nats(shared)
    w = jnp.where(eigenvalues > 0, weights, 0.0)
    dimension = jnp.sum(w, -1)
    lossless = (nats >= _MAX_NATS * dimension) & (dimension > 0) & (nats > 0)
    coded = (nats > 0) & ~lossless & (dimension > 0) & (seed >= 0)
    unlimited = ~(seed < _MAX_NATS * dimension)
    nats = jnp.where(coded, nats, 1.0)
    known = nats + jnp.where(unlimited | ~coded, 1.0, seed)
    safe = coded[..., None] & (eigenvalues > 0)
    log_lam = jnp.log(jnp.where(safe, eigenvalues, 1.0))
    w = jnp.where(coded[..., None], w, 1.0)
    # Components without variance must not move the highest level.
    log_lam = jnp.where((w > 0), log_lam, jnp.min(log_lam, -1, keepdims=True))
    log_mu, log_nu = _prices(nats, known, unlimited | ~coded, log_lam, w)
    best = _best(log_mu, log_nu, log_lam)

    def within(values, budget):
        total = jnp.sum(w * values, -1)
        return values * jnp.minimum(budget / jnp.where(total > 0, total, 1.0), 1.0)[..., None]

    known_within = jnp.where(unlimited[..., None], jnp.inf, within(jnp.where(
        unlimited[..., None], 1.0, best.known), known))
    return _Solution(coded, lossless, jnp.exp(log_mu), jnp.exp(log_nu), best.sent, best.known,
                     within(best.sent, nats), known_within)


def _dual(solution: _Solution, rate, shared, eigenvalues, weights) -> jax.Array:
    """The Lagrange dual function of D, whose derivatives are those of D; the solution is held."""
    found = lax.stop_gradient(solution)
    w = jnp.where(eigenvalues > 0, weights, 0.0)
    nats, seed = bits_to_nats(rate), bits_to_nats(shared)
    limited = found.nu > 0
    seed = jnp.where(limited, seed, 0.0)
    known = jnp.where(limited[..., None], found.best_known, 0.0)
    lost = _lost(found.best_sent, found.best_known)
    return (2.0 * jnp.sum(w * eigenvalues * lost, -1) + 2.0 * found.mu * (jnp.sum(w * found.best_sent, -1) - nats)
            + 2.0 * found.nu * (jnp.sum(w * known, -1) - nats - seed))


@jax.jit
def _split(rate: jax.Array, shared: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> RandomnessSplit:
    return _split_of(_solve(rate, shared, eigenvalues, weights), rate, shared, eigenvalues, weights)


def _split_of(found: _Solution, rate, shared, eigenvalues, weights) -> RandomnessSplit:
    positive, coded = eigenvalues > 0, found.coded[..., None]
    lossless = found.lossless[..., None] & positive
    sent = jnp.where(coded & positive, found.sent, jnp.where(lossless, jnp.inf, 0.0))
    known = jnp.where(coded & positive, found.known, jnp.where(lossless, jnp.inf, 0.0))
    errors = 2.0 * eigenvalues * _lost(sent, known)
    distortion = jnp.sum(weights * errors, -1)
    dual = _dual(found, rate, shared, eigenvalues, weights)
    scale = distortion + 2.0 * (found.mu + found.nu) * bits_to_nats(rate)
    scale += jnp.where(found.nu > 0, 2.0 * found.nu * bits_to_nats(shared), 0.0)
    lower = jnp.clip(dual - 64.0 * jnp.finfo(jnp.float64).eps * scale, 0.0, distortion)
    lower = jnp.where(found.coded, lower, distortion)
    idle = jnp.where(rate > 0, 0.0, jnp.where(shared > 0, jnp.inf, 4.0 * bits_to_nats(jnp.max(
        jnp.where(weights > 0, eigenvalues, 0.0), -1))))
    prices = (bits_to_nats(2.0 * (found.mu + found.nu)), bits_to_nats(2.0 * found.nu))
    valid = (rate >= 0) & (shared >= 0)
    fields = RandomnessSplit(
        distortion, lower, nats_to_bits(sent),
        nats_to_bits(jnp.where(jnp.isinf(known), jnp.where(lossless, 0.0, jnp.inf), known - sent)), errors,
        jnp.where(found.coded, prices[0], idle), jnp.where(found.coded, prices[1], 0.0))
    return jax.tree.map(lambda x: jnp.where(valid if x.ndim == valid.ndim else valid[..., None], x, jnp.nan), fields)


@jax.jit
def _distortion(rate: jax.Array, shared: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    found = _solve(*lax.stop_gradient((rate, shared, eigenvalues, weights)))
    return _distortion_of(found, rate, shared, eigenvalues, weights)


def _distortion_of(found: _Solution, rate, shared, eigenvalues, weights) -> jax.Array:
    arguments = (rate, shared, eigenvalues, weights)
    value = _split_of(found, *lax.stop_gradient(arguments)).distortion
    dual = _dual(found, *arguments)
    total = 2.0 * jnp.sum(weights * eigenvalues, -1)
    # At R = 0 the slope is -inf, as that of -sqrt(R), or with nothing shared twice that of reverse water-filling.
    zero = rate == 0
    strongest = jnp.max(jnp.where(weights > 0, eigenvalues, 0.0), -1)
    steep = total - jnp.sqrt(jnp.where(zero & (shared > 0), rate, 1.0)) + 1.0
    at_zero = jnp.where(shared > 0, steep - 1.0, total - 4.0 * strongest * bits_to_nats(rate))
    result = jnp.where(found.coded, dual + lax.stop_gradient(value - dual), jnp.where(zero, at_zero, 0.0))
    return jnp.where((rate >= 0) & (shared >= 0), result, jnp.nan)


@jax.jit
def _rate(distortion: jax.Array, shared: jax.Array, eigenvalues: jax.Array, weights: jax.Array) -> jax.Array:
    frozen = lax.stop_gradient((distortion, shared, eigenvalues, weights))
    target, seed, lam, w = frozen
    total = 2.0 * jnp.sum(w * lam, -1)
    coded = (target > 0) & (target < total) & (seed >= 0)
    target = jnp.where(coded, target, 0.5 * total)
    least = vector_realism.perfect_realism_rate_distortion(target, lam, weights=w)
    most = vector.rate_distortion(0.5 * target, lam, weights=w)

    # Newton's steps; the last pass stays and leaves the solution there, so that the program holds the solver once.
    def rise(state):
        rate, going, count, _, _ = state
        found = _solve(rate, seed, lam, w)
        split = _split_of(found, rate, seed, lam, w)
        following = jnp.clip(rate + (split.distortion - target) / split.rate_price, least, most)
        following = jnp.where(going, following, rate)
        more = (following > rate * (1.0 + 1e-9)) & (count < 40)  # the next step would be its square
        return following, more, count + 1, found, jnp.any(going)

    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(_solve, least, seed, lam, w))
    start = (least, coded, jnp.zeros((), jnp.int32), blank, jnp.asarray(True))
    rate, _, _, found, _ = lax.while_loop(lambda state: state[4], rise, start)
    price = _split_of(found, rate, seed, lam, w).rate_price
    moving = _distortion_of(found, rate, shared, eigenvalues, weights) - (distortion - frozen[0])
    rate = rate + (moving - lax.stop_gradient(moving)) / jnp.where(coded, price, 1.0)
    infinite = (distortion == 0) & (total > 0)
    # The slope at D = 0 is -inf, as that of the logarithm.
    rate = jnp.where(coded, rate, 0.0) - jnp.where(infinite, jnp.log(jnp.where(infinite, distortion, 1.0)), 0.0)
    return jnp.where((distortion >= 0) & (shared >= 0), rate, jnp.nan)
