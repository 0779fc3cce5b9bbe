"""Sequential rate-distortion functions of Gauss-Markov sources: what causal coding costs, in closed form or bracketed.

X_t = a X_{t-1} + W_t with Var W_t = w. The reconstruction of each frame depends on this and earlier frames only, and
the rate is that of the directed information. docs/derivations/sequential_coding.md has the proofs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, infinite_at_zero, nan_unless
from theory.numerics.units import bits_to_nats, nats_to_bits


class HorizonRate(NamedTuple):
    """Bounds on the least total rate of T frames, and the distortions of the code that reaches the upper one.

    Attributes:
      lower: no causal code has a smaller total rate, bits; [...].
      upper: bits of the code below; [...]. Equal to `lower` up to rounding where no frame is left uncoded.
      distortions: squared error of each frame, [..., T].
    """

    lower: jax.Array
    upper: jax.Array
    distortions: jax.Array


def sequential_rate(
    distortion: ArrayLike, coefficient: ArrayLike, innovation_variance: ArrayLike = 1.0
) -> jax.Array:
    """Sequential rate-distortion function of a scalar Gauss-Markov source, long after its start (exact).

    R(D) = [1/2 log2(a^2 + w/D)]_+ bits per frame. For |a| < 1 it is 0 from the variance w/(1 - a^2) on; for |a| >= 1 it
    never falls below log2 |a|. Without causality it is 1/2 log2(w/D) at small D: the price is 1/2 log2(1 + a^2 D/w).

    Args:
      distortion: D >= 0, mean squared error of each frame; any shape.
      coefficient: a, any real number; broadcast.
      innovation_variance: w > 0; broadcast.

    Returns:
      Bits per frame; the broadcast shape; inf at D = 0. NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [gorbunov1974prognostic, tatikonda2004stochastic] Gorbunov and Pinsker 1974; Tatikonda, Sahai, Mitter
      2004.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("coefficient", coefficient, finite=True)
    check_domain("innovation_variance", innovation_variance, minimum=0.0, open_minimum=True, finite=True)
    d, a, w = broadcast(distortion, coefficient, innovation_variance)
    inside = d > 0
    ratio = a**2 + w / jnp.where(inside, d, 1.0)
    coded = inside & (ratio > 1.0)
    value = 0.5 * nats_to_bits(jnp.log(jnp.where(coded, ratio, 1.0))) + infinite_at_zero(d)
    return nan_unless((d >= 0) & (w > 0), value)


def sequential_distortion(
    rate: ArrayLike, coefficient: ArrayLike, innovation_variance: ArrayLike = 1.0
) -> jax.Array:
    """Inverse of `sequential_rate`: D(R) = w/(2^{2R} - a^2), and inf where R does not exceed log2 |a| (exact).

    Args:
      rate: R >= 0, bits per frame; any shape.
      coefficient: a, any real number; broadcast.
      innovation_variance: w > 0; broadcast.

    Returns:
      Mean squared error of each frame; the broadcast shape. NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: as `sequential_rate`.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("coefficient", coefficient, finite=True)
    check_domain("innovation_variance", innovation_variance, minimum=0.0, open_minimum=True, finite=True)
    r, a, w = broadcast(rate, coefficient, innovation_variance)
    gap = jnp.expm1(2.0 * bits_to_nats(r)) + (1.0 - a) * (1.0 + a)
    value = jnp.where(gap > 0, w / jnp.where(gap > 0, gap, 1.0), jnp.inf)
    return nan_unless((r >= 0) & (w > 0), value)


def parallel_rate(total_distortion: ArrayLike, coefficients: ArrayLike, innovation_variances: ArrayLike) -> jax.Array:
    """Sequential rate-distortion function of independent stationary Gauss-Markov components (exact).

    R(D) = min sum_i 1/2 log2(a_i^2 + w_i/D_i) over sum D_i <= D, D_i <= w_i/(1 - a_i^2): at a price theta, in nats per
    unit of error, D_i = 1/(theta (1 + sqrt(1 + 2 a_i^2/(theta w_i)))) or the component's variance if that is less. It
    serves vector sources X_t = A X_{t-1} + W_t whose A and covariance of W_t are diagonal in one orthogonal basis; all
    others need a semidefinite program, and reverse water-filling of their eigenvalues is not exact.

    Args:
      total_distortion: D >= 0, squared error of each frame summed over components; [...].
      coefficients: a_i in (-1, 1); [..., n].
      innovation_variances: w_i > 0; [..., n].

    Returns:
      Bits per frame, [...]; inf at D = 0. NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain or the shapes do not fit.

    Reference: [tanaka2017semidefinite, stavrou2018optimal] the general problem.
    """
    check_domain("total_distortion", total_distortion, minimum=0.0)
    check_domain("coefficients", coefficients, minimum=-1.0, maximum=1.0, open_minimum=True)
    check_domain("-coefficients", -jnp.asarray(coefficients), minimum=-1.0, open_minimum=True)
    a, w = _check_frames(coefficients, innovation_variances)
    a, w = broadcast(a, w)
    shape = jnp.broadcast_shapes(jnp.shape(total_distortion), a.shape[:-1])
    total = jnp.broadcast_to(jnp.asarray(total_distortion, jnp.float64), shape)
    a, w = (jnp.broadcast_to(x, (*shape, x.shape[-1])) for x in (a, w))
    valid = (total >= 0) & jnp.all((jnp.abs(a) < 1) & (w > 0), -1)
    return nan_unless(valid, _parallel_rate(total, a, w))


@jax.jit
def _parallel_rate(total: jax.Array, a: jax.Array, w: jax.Array) -> jax.Array:
    variances = w / ((1.0 - a) * (1.0 + a))
    coded = (total > 0) & (total < jnp.sum(variances, -1))
    target = jnp.where(coded, total, 0.5 * jnp.sum(variances, -1))

    def errors(log_price):
        price = jnp.exp(log_price)[..., None]
        return jnp.minimum(1.0 / (price * (1.0 + jnp.sqrt(1.0 + 2.0 * a**2 / (price * w)))), variances)

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        much = jnp.sum(errors(middle), -1) > target
        return jnp.where(much, middle, ends[0]), jnp.where(much, ends[1], middle)

    # Every error is at most 1/(2 theta); at the price of which it is its variance, (1 - a^2)^2/(2 w), it is all of it.
    high = jnp.log(0.5 * a.shape[-1] / target)
    low = jnp.log(jnp.min(0.5 * (1.0 - a**2) / variances, -1)) - 1.0
    ends = lax.fori_loop(0, 64, halve, lax.stop_gradient((low, jnp.maximum(high, low))))
    best, price = lax.stop_gradient((errors(ends[1]), jnp.exp(ends[1])))
    # The Lagrangian at held errors has the value of R and, by the envelope theorem, its derivatives.
    idle = best >= variances * (1.0 - 1e-12)
    nats = 0.5 * jnp.sum(jnp.where(idle, 0.0, jnp.log(a**2 + w / jnp.where(idle, variances, best))), -1)
    slack = jnp.sum(jnp.where(idle, variances, best), -1) - target
    value = nats_to_bits(nats + price * slack)
    return jnp.where(coded, value, 0.0) + infinite_at_zero(total)


def _check_frames(coefficients: ArrayLike, innovation_variances: ArrayLike) -> tuple[jax.Array, jax.Array]:
    check_domain("coefficients", coefficients, finite=True)
    check_domain("innovation_variances", innovation_variances, minimum=0.0, open_minimum=True, finite=True)
    w = jnp.asarray(innovation_variances, jnp.float64)
    if w.ndim == 0 or w.shape[-1] == 0:
        raise ValueError(f"innovation_variances must have shape [..., T] with T >= 1, got {w.shape}")
    a = jnp.asarray(coefficients, jnp.float64)
    if a.ndim == 0 or a.shape[-1] != w.shape[-1]:
        raise ValueError(f"coefficients must have shape [..., {w.shape[-1]}] like innovation_variances, got {a.shape}")
    return a, w


def frame_rates(
    distortions: ArrayLike, coefficients: ArrayLike, innovation_variances: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Least causal rates of a time-varying scalar Gauss-Markov source when each frame has its own limit (exact).

    With X_0 = 0, Lambda_t = a_t^2 d_{t-1} + w_t is what is unknown of frame t, d_t = min(D_t, Lambda_t), and frame t
    takes 1/2 log2(Lambda_t/d_t). A larger error earlier is never worse for the total, so that all limits are used up.

    Args:
      distortions: D_t > 0, [..., T].
      coefficients: a_t, [..., T]; the first one is of no consequence.
      innovation_variances: w_t > 0, [..., T]; the first is the variance of X_1.

    Returns:
      Bits of each frame and squared error of each frame, [..., T].

    Raises:
      ValueError: if an argument is outside of its domain or the shapes do not fit.

    Reference: [tanaka2017semidefinite] for the vector problem, of which this is the scalar case.
    """
    check_domain("distortions", distortions, minimum=0.0, open_minimum=True)
    a, w = _check_frames(coefficients, innovation_variances)
    limits, a, w = broadcast(distortions, a, w)

    def step(before, frame):
        limit, a, w = frame
        unknown = a**2 * before + w
        kept = jnp.minimum(limit, unknown)
        return kept, (0.5 * nats_to_bits(jnp.log(unknown) - jnp.log(kept)), kept)

    frames = tuple(jnp.moveaxis(x, -1, 0) for x in (limits, a, w))
    _, (rates, kept) = lax.scan(step, jnp.zeros(limits.shape[:-1]), frames)
    return jnp.moveaxis(rates, 0, -1), jnp.moveaxis(kept, 0, -1)


def horizon_rate(total_distortion: ArrayLike, coefficients: ArrayLike, innovation_variances: ArrayLike) -> HorizonRate:
    """Least total causal rate of T frames whose squared errors may add up to D (bracket, exact where all are coded).

    The total 1/2 log(Lambda_1/d_T) + sum_{t<T} 1/2 log(a_{t+1}^2 + w_{t+1}/d_t) is convex in the errors. Its minimum
    under sum d_t <= D alone, without d_t <= Lambda_t, is the lower bound: at a price theta, nats per unit of error,
    d_t = 1/(theta (1 + sqrt(1 + 2 a_{t+1}^2/(theta w_{t+1})))) and d_T = 1/(2 theta). The upper bound is the code with
    these errors, each cut to what is unknown of its frame.

    Args:
      total_distortion: D > 0, the sum over frames; [...].
      coefficients: a_t, [..., T]; the first one is of no consequence.
      innovation_variances: w_t > 0, [..., T]; the first is the variance of X_1.

    Returns:
      A `HorizonRate`.

    Raises:
      ValueError: if an argument is outside of its domain or the shapes do not fit.

    Reference: [stavrou2018optimal] for the dynamic reverse water-filling.
    """
    check_domain("total_distortion", total_distortion, minimum=0.0, open_minimum=True, finite=True)
    a, w = _check_frames(coefficients, innovation_variances)
    a, w = broadcast(a, w)
    total = jnp.broadcast_to(jnp.asarray(total_distortion, jnp.float64),
                             jnp.broadcast_shapes(jnp.shape(total_distortion), a.shape[:-1]))
    a, w = (jnp.broadcast_to(x, (*total.shape, x.shape[-1])) for x in (a, w))
    # After the last frame nothing is predicted from it.
    carried = jnp.concatenate([a[..., 1:] ** 2 / w[..., 1:], jnp.zeros((*total.shape, 1))], -1)

    def errors(log_price):
        price = jnp.exp(log_price)[..., None]
        return 1.0 / (price * (1.0 + jnp.sqrt(1.0 + 2.0 * carried / price)))

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        much = jnp.sum(errors(middle), -1) > total
        return jnp.where(much, middle, ends[0]), jnp.where(much, ends[1], middle)

    # d_t <= 1/(2 theta), and at least that much of it over 1 + sqrt(carried/(2 theta)).
    high = jnp.log(0.5 * a.shape[-1] / total)
    low = high - 2.0 * jnp.log(2.0 + jnp.max(carried, -1) * total) - 4.0
    _, log_price = lax.fori_loop(0, 60, halve, (low, high))
    best = errors(log_price)
    rates, kept = frame_rates(best, a, w)
    unknown = jnp.concatenate([w[..., :1], a[..., 1:] ** 2 * best[..., :-1] + w[..., 1:]], -1)
    free = 0.5 * jnp.sum(jnp.log(unknown) - jnp.log(best), -1)
    dual = nats_to_bits(free + jnp.exp(log_price) * (jnp.sum(best, -1) - total))
    upper = jnp.sum(rates, -1)
    return HorizonRate(jnp.clip(dual - 1e-13 * (1.0 + jnp.abs(dual)), 0.0, upper), upper, kept)
