"""Shannon lower bounds: h(X) less the largest entropy that the error may have."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jax.typing import ArrayLike

from theory.gaussian.upper_bounds import rate_at_second_moment
from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, decreasing_root, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits


def _positive_part(bits):
    """[x]_+ whose gradient is that of x where x > 0 and 0 elsewhere; NaN stays NaN."""
    return jnp.where(bits <= 0, 0.0, bits)


def maximum_entropy(distortion: ArrayLike, *, power: float = 2.0, dimension: int = 1) -> jax.Array:
    """Largest differential entropy of a vector N in R^n with E |N|^r <= D (Euclidean norm).

    It is attained by the density proportional to exp(-beta |x|^r), beta = n / (r D):
    h = ln(V_n Gamma(n/r + 1)) + (n/r) ln(r D e / n) nats, V_n the volume of the unit ball.

    Args:
      distortion: D >= 0, of the whole vector.
      power: r > 0; 2 for squared error, 1 for the norm itself.
      dimension: n >= 1.

    Returns:
      Bits, of the shape of `distortion`; -inf at D = 0. Inside a trace a negative distortion gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [cover2006elements] Cover and Thomas, "Elements of Information Theory", chapter 12.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("power", power, minimum=0.0, open_minimum=True, finite=True)
    check_domain("dimension", dimension, minimum=1)
    d = jnp.asarray(distortion, jnp.float64)
    n, r = dimension, power
    log_ball = n / 2 * np.log(np.pi) - gammaln(n / 2 + 1)
    valid = d >= 0
    log_d = jnp.log(jnp.where(valid, d, 1.0))
    return nan_unless(valid, nats_to_bits(log_ball + gammaln(n / r + 1) + n / r * (log_d + np.log(r * np.e / n))))


def squared_error(distortion: ArrayLike, entropy: ArrayLike, *, dimension: int = 1) -> jax.Array:
    """Shannon lower bound R(D) >= [h(X) - (n/2) log2(2 pi e D / n)]_+.

    Args:
      distortion: squared error D >= 0, summed over the components.
      entropy: differential entropy h(X), bits, -inf where there is no density; broadcasts with `distortion`.
      dimension: n, the number of components.

    Returns:
      Lower bound on the rate, bits per vector; inf at D = 0. Tight where X is the sum of white Gaussian noise
      and an independent vector. Inside a trace a negative distortion gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [linder1994asymptotic, shannon1959coding] Shannon 1959; Linder and Zamir, IEEE T-IT 40(6), 1994: asymptotically
      tight as D -> 0.
    """
    return norm_power_error(distortion, entropy, power=2.0, dimension=dimension)


def norm_power_error(distortion: ArrayLike, entropy: ArrayLike, *, power: float, dimension: int = 1) -> jax.Array:
    """Shannon lower bound for the distortion E |X - Y|^r: [h(X) - `maximum_entropy`]_+.

    Args:
      distortion: D >= 0, of the whole vector.
      entropy: differential entropy h(X), bits; broadcasts with `distortion`. -inf gives the bound 0.
      power: r > 0.
      dimension: n, the number of components.

    Returns:
      Lower bound on the rate, bits per vector; inf at D = 0. Inside a trace a negative distortion gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [yamada1980asymptotic] Yamada, Tazaki and Gray, IEEE T-IT 26(1), 1980.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("entropy", entropy)
    distortion, entropy = broadcast(distortion, entropy)
    # Without a density nothing is known, not even at D = 0, where -inf would be subtracted from -inf.
    known = entropy > -jnp.inf
    bound = entropy - maximum_entropy(jnp.where(known, distortion, 1.0), power=power, dimension=dimension)
    return nan_unless(distortion >= 0, jnp.where(known | jnp.isnan(entropy), _positive_part(bound), 0.0))


def difference_distortion(
    distortion: ArrayLike, entropy: ArrayLike, measure: Callable[[jax.Array], jax.Array], points: ArrayLike,
    weights: ArrayLike,
) -> jax.Array:
    """Shannon lower bound for a scalar difference distortion E rho(X - Y) <= D.

    R(D) >= h(X) - max_{E rho(N) <= D} h(N), and the maximum is min_{beta >= 0} ln int e^{-beta rho} + beta D. Any
    beta gives a valid bound, up to the quadrature of the integral.

    Args:
      distortion: D, between the least and the mean value of rho on the points; any shape.
      entropy: differential entropy h(X), bits; broadcasts with `distortion`.
      measure: rho >= 0, elementwise.
      points: quadrature nodes for the integral over the line, shape [n]; where they end rho counts as infinite.
      weights: their weights, shape [n].

    Returns:
      Lower bound on the rate, bits per sample. Inside a trace a negative distortion gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [berger1971rate] Berger 1971, section 4.3.
    """
    check_domain("distortion", distortion, minimum=0.0, open_minimum=True)
    check_domain("entropy", entropy)
    check_domain("weights", weights, minimum=0.0)
    distortion, entropy = broadcast(distortion, entropy)
    points, log_weights = jnp.asarray(points, jnp.float64), jnp.log(jnp.asarray(weights, jnp.float64))
    rho = measure(points)
    check_domain("measure(points)", rho, minimum=0.0)

    def log_integral(beta):
        return jax.scipy.special.logsumexp(log_weights - beta * rho)

    mean = jnp.vectorize(lambda log_beta: -jax.grad(log_integral)(jnp.exp(log_beta)))
    valid = distortion > 0
    safe = jnp.where(valid, distortion, 1.0)
    beta = jnp.exp(decreasing_root(mean, safe, -60.0, 60.0))
    maximum = jnp.vectorize(log_integral)(beta) + beta * safe
    return nan_unless(valid, _positive_part(entropy - nats_to_bits(maximum)))


def perfect_realism_squared_error(distortion: ArrayLike, entropy: ArrayLike, variance: ArrayLike) -> jax.Array:
    """Lower bound on R(D, P = 0) of a scalar source: [h(X) - (1/2) log2(2 pi e (D - D^2 / (4 Var X)))]_+.

    If Y has the distribution of X, the linear estimate of X from Y errs by D - D^2 / (4 Var X), which bounds h(X | Y).
    Common randomness is unlimited. The bound is tight for a Gaussian; from D = 2 Var X on an independent Y will do.

    Args:
      distortion: mean squared error D >= 0.
      entropy: differential entropy h(X), bits; broadcasts with `distortion`.
      variance: Var X > 0; broadcasts with `distortion`.

    Returns:
      Lower bound on the rate, bits per sample; inf at D = 0, and 0 for D >= 2 Var X. Inside a trace an argument
      outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      [serra2024computation] Derived in docs/derivations/perfect_realism_lower_bound.md; cf. Serra, Stavrou and
      Kountouris 2024 (copula form of the same problem).
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("entropy", entropy)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _perfect_realism_squared_error(distortion, entropy, variance)


@jax.jit
def _perfect_realism_squared_error(distortion, entropy, variance):
    distortion, entropy, variance = broadcast(distortion, entropy, variance)
    valid = (distortion >= 0) & (variance > 0)
    inside = valid & (distortion < 2 * variance)
    d, v = jnp.where(inside, distortion, 1.0), jnp.where(inside, variance, 1.0)
    known = entropy > -jnp.inf
    d, v = jnp.where(known, d, 1.0), jnp.where(known, v, 1.0)
    bound = bits_to_nats(entropy) - 0.5 * (np.log(2 * np.pi * np.e) + jnp.log(d) + jnp.log1p(-d / (4 * v)))
    return nan_unless(valid, jnp.where(inside & (known | jnp.isnan(entropy)), _positive_part(nats_to_bits(bound)), 0.0))


def perception_squared_error(
    distortion: ArrayLike, second_moment: ArrayLike, entropy: ArrayLike, variance: ArrayLike
) -> jax.Array:
    """Lower bound on R(D, P) of a scalar source whose reconstructions keep a second moment: [R_G - D(X || G)]_+.

    If perception P implies E(Y - EX)^2 >= v, the linear estimate of X from Y errs by at most V (1 - rho^2) with
    rho = (V + v - D) / (2 sqrt(V v)) where v >= V - D, by D elsewhere; this bounds h(X | Y). So R(D, P) is at least
    that of a Gaussian of variance V at the second moment v, less (1/2) log2(2 pi e V) - h(X). Common randomness is
    unlimited.
    W2 squared P gives v = [sqrt(V) - sqrt(P)]_+^2, KL(Y || X) gives `least_second_moment`; for a Gaussian both
    bounds are R(D, P). v = V is `perfect_realism_squared_error`.

    Args:
      distortion: mean squared error D >= 0.
      second_moment: v, between 0 and the variance; broadcasts.
      entropy: differential entropy h(X), bits; broadcasts. -inf gives the bound 0.
      variance: V = Var X > 0; broadcasts.

    Returns:
      Lower bound on the rate, bits per sample; inf at D = 0. Inside a trace an argument outside its domain gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      docs/derivations/perfect_realism_lower_bound.md.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("second_moment", second_moment, minimum=0.0)
    check_domain("entropy", entropy)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _perception_squared_error(distortion, second_moment, entropy, variance)


@jax.jit
def _perception_squared_error(distortion, second_moment, entropy, variance):
    distortion, moment, entropy, variance = broadcast(distortion, second_moment, entropy, variance)
    valid = (distortion >= 0) & (variance > 0) & (moment >= 0)
    # What exceeds the variance by rounding, or because P says more than is used, is the variance.
    moment = jnp.minimum(moment, variance)
    gaussian = rate_at_second_moment(distortion, moment, jnp.where(variance > 0, variance, 1.0), lambda v, _: v)
    known = entropy > -jnp.inf
    safe = jnp.where(valid, variance, 1.0)
    excess = nats_to_bits(0.5 * (np.log(2 * np.pi * np.e) + jnp.log(safe))) - jnp.where(known, entropy, 0.0)
    return nan_unless(valid, jnp.where(known | jnp.isnan(entropy), _positive_part(gaussian - excess), 0.0))


def least_second_moment(perception: ArrayLike, points: ArrayLike, weights: ArrayLike) -> jax.Array:
    """Least E Y^2 of all distributions with KL(Y || X) <= P: max over tau > 0 of -tau (P + ln E exp(-X^2 / tau)).

    By the variational formula of relative entropy, E Y^2 >= -tau KL(Y || X) - tau ln E exp(-X^2 / tau) for every tau;
    at the best one it is attained, by the density of X times exp(-x^2 / tau). Every tau gives a valid bound; those that
    the nodes do not resolve, below four squared gaps between them, are left out: at large P the bound is weaker.

    Args:
      perception: P >= 0, bits; any shape.
      points: quadrature nodes less the mean of X, [n].
      weights: probabilities of the nodes, [n]; they sum to 1.

    Returns:
      The second moment, of the shape of `perception`. Inside a trace a negative perception gives NaN.

    Raises:
      ValueError: if an argument lies outside of its domain.

    Reference:
      docs/derivations/perfect_realism_lower_bound.md.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("points", points, finite=True)
    check_domain("weights", weights, minimum=0.0)
    return _least_second_moment(*(jnp.asarray(value, jnp.float64) for value in (perception, points, weights)))


@jax.jit
def _least_second_moment(perception, points, weights):
    squares, valid = points**2, perception >= 0
    variance = weights @ squares
    nats = bits_to_nats(jnp.where(valid & jnp.isfinite(perception), perception, 0.0))

    def proved(log_tau):
        tau = variance * jnp.exp(log_tau)
        exponents = -jnp.multiply.outer(1.0 / tau, squares)
        missing = jnp.expm1(exponents) @ weights
        large = missing > -0.5
        far = jax.scipy.special.logsumexp(exponents, axis=-1, b=jnp.broadcast_to(weights, exponents.shape))
        return -tau * (nats + jnp.where(large, jnp.log1p(jnp.where(large, missing, 0.0)), far))

    ratio = 0.6180339887498949

    def shrink(_, bracket):
        low, high = bracket
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        smaller = proved(left) >= proved(right)
        return jnp.where(smaller, low, left), jnp.where(smaller, right, high)

    # A rule of spacing g knows the integral over exp(-x^2 / tau) for tau >= 4 g^2: its error is of size exp(-4 pi^2).
    places = jnp.sort(points)
    gap = jnp.where(places[1:] ** 2 + places[:-1] ** 2 <= 2.0 * variance, jnp.diff(places), 0.0).max(initial=0.0)
    lowest = jnp.clip(jnp.log(4.0 * gap**2 / variance), -30.0, 0.0)
    ends = jax.lax.stop_gradient((jnp.full_like(nats, lowest), jnp.full_like(nats, 30.0)))
    low, high = jax.lax.fori_loop(0, 90, lambda i, x: jax.lax.stop_gradient(shrink(i, x)), ends)
    best = proved(jax.lax.stop_gradient(0.5 * (low + high)))
    return nan_unless(valid, jnp.where(jnp.isfinite(perception), jnp.maximum(best, 0.0), 0.0))
