"""Scalar Gaussian source with limited common randomness: rates, prescribed outputs, i.i.d. outputs.

Encoder and decoder share C bits of randomness per sample, independent of the source, and each may use
randomness of its own. `theory.gaussian.strong_realism_distortion` is the distortion when the distribution of whole
blocks must be near the source's; here are its inverse in R and its relatives. docs/derivations/
limited_common_randomness.md proves them.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.gaussian.scalar import shrinkage, strong_realism_distortion
from theory.numerics.checks import check_choice, check_domain
from theory.numerics.elementwise import broadcast, decreasing_root
from theory.numerics.units import bits_to_nats, nats_to_bits


class DistortionBounds(NamedTuple):
    """A lower and an upper bound on a distortion.

    Attributes:
      lower: no code does better; shape [...].
      upper: a code that does as well exists; shape [...].
    """

    lower: jax.Array
    upper: jax.Array

    @property
    def gap(self) -> jax.Array:
        """`upper - lower`, in units of the distortion."""
        return self.upper - self.lower


def strong_realism_rate(
    distortion: ArrayLike,
    common_randomness: ArrayLike,
    perception: ArrayLike = 0.0,
    variance: ArrayLike = 1.0,
) -> jax.Array:
    """Least rate under realism of whole blocks with C bits of common randomness (exact).

    The inverse in R of `theory.gaussian.strong_realism_distortion`,
    D(R,C,P) = s^2 e^{-2R} + [s sqrt(1 + a^2 - 2ab) - sqrt(P)]_+^2, which decreases from
    s^2 + [s - sqrt(P)]_+^2 at R = 0. It lies between 1/2 log2(s^2/D) and 1/2 log2(2 s^2/D), an interval that
    is bisected to rounding; the derivative is that of the implicit function.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      perception: P >= 0, W2^2 per sample of the block; broadcast.
      variance: s^2 > 0; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape; inf at D = 0. At P = 0 the derivative with respect to P is
      -inf. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [saldi2015output, qu2025limited] P = 0: Saldi, Linder, Yuksel, IEEE T-IT 2015, arXiv 1411.5767; P > 0:
      the setting of Qu, Chen, Yu, Xu 2025, arXiv 2504.17236.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _strong_realism_rate(*broadcast(distortion, common_randomness, perception, variance))


@jax.jit
def _strong_realism_rate(d: jax.Array, shared: jax.Array, p: jax.Array, v: jax.Array) -> jax.Array:
    valid = (d >= 0) & (shared >= 0) & (p >= 0) & (v > 0)
    idle = lax.stop_gradient(strong_realism_distortion(0.0, shared, p, v)) <= d
    coded = valid & ~idle & (d > 0)
    d_in, shared, p, v = (jnp.where(coded, x, safe) for x, safe in ((d, 0.5), (shared, 1.0), (p, 0.1), (v, 1.0)))
    frozen = lax.stop_gradient((d_in, shared, p, v))

    def bisect(_: jax.Array, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        middle = 0.5 * (ends[0] + ends[1])
        low = strong_realism_distortion(middle, *frozen[1:]) > frozen[0]
        return jnp.where(low, middle, ends[0]), jnp.where(low, ends[1], middle)

    least = jnp.maximum(nats_to_bits(0.5 * jnp.log(frozen[3] / frozen[0])), 0.0)
    limit = nats_to_bits(0.5 * jnp.log(2.0 * frozen[3] / frozen[0]))
    low, high = lax.fori_loop(0, 56, bisect, (least, jnp.maximum(limit, least)))
    rate = 0.5 * (low + high)
    reached, slope = jax.jvp(
        lambda r: strong_realism_distortion(r, *frozen[1:]), (rate,), (jnp.ones_like(rate),))
    # The value is the bisection's; the added term is 0 and carries the derivatives.
    moving = strong_realism_distortion(rate, shared, p, v) - reached - (d_in - frozen[0])
    rate = jnp.where(coded, rate - moving / slope, 0.0)
    infinite = valid & (d == 0)
    rate = rate - 0.5 * jnp.where(infinite, nats_to_bits(jnp.log(jnp.where(infinite, d, 1.0))), 0.0)
    return jnp.where(valid, rate, jnp.nan)


def _correlation(rate: jax.Array, shared: jax.Array) -> jax.Array:
    """sqrt((1 - e^{-2R})(1 - e^{-2(R+C)})), in nats."""
    none = (rate == 0) & (shared == 0)
    a2 = -jnp.expm1(-2.0 * jnp.where(none, 1.0, rate))
    b2 = -jnp.expm1(-2.0 * jnp.where(none, 1.0, rate + shared))
    return jnp.where(none, -jnp.expm1(-2.0 * rate), jnp.sqrt(a2) * jnp.sqrt(b2))


def _check_output(source_variance: ArrayLike, output_variance: ArrayLike, means: tuple) -> None:
    check_domain("source_variance", source_variance, minimum=0.0, open_minimum=True, finite=True)
    check_domain("output_variance", output_variance, minimum=0.0, open_minimum=True, finite=True)
    check_domain("source_mean", means[0], finite=True)
    check_domain("output_mean", means[1], finite=True)


def output_constrained_distortion(
    rate: ArrayLike,
    common_randomness: ArrayLike,
    *,
    source_mean: ArrayLike = 0.0,
    source_variance: ArrayLike = 1.0,
    output_mean: ArrayLike = 0.0,
    output_variance: ArrayLike = 1.0,
) -> jax.Array:
    """Least distortion of a Gaussian source whose output must be i.i.d. of another Gaussian distribution (exact).

    For X ~ N(m_X, s_X^2) and output N(m_Y, s_Y^2), with R and C in nats,
      D = (m_X - m_Y)^2 + s_X^2 + s_Y^2 - 2 s_X s_Y eps,  eps = sqrt((1 - e^{-2R})(1 - e^{-2(R+C)})).
    Equal distributions give `theory.gaussian.strong_realism_distortion` at P = 0.

    Args:
      rate: R >= 0, bits per sample; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      source_mean: m_X; broadcast.
      source_variance: s_X^2 > 0; broadcast.
      output_mean: m_Y; broadcast.
      output_variance: s_Y^2 > 0; broadcast.

    Returns:
      Mean squared error; the broadcast shape. At R = 0 its derivative is -inf unless C = 0. NaN inside a
      trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: [saldi2015output, xie2024output] Saldi, Linder, Yuksel, Output constrained lossy source coding with
      limited common randomness, IEEE T-IT 2015, arXiv 1411.5767; Xie, Li, Chen, Zhang 2024, arXiv 2403.14849, for
      unequal distributions.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    _check_output(source_variance, output_variance, (source_mean, output_mean))
    return _output_constrained_distortion(*broadcast(
        rate, common_randomness, source_mean, source_variance, output_mean, output_variance))


@jax.jit
def _output_constrained_distortion(
    rate: jax.Array, shared: jax.Array, m: jax.Array, v: jax.Array, m_out: jax.Array, v_out: jax.Array
) -> jax.Array:
    valid = (rate >= 0) & (shared >= 0) & (v > 0) & (v_out > 0)
    correlation = _correlation(bits_to_nats(rate), bits_to_nats(shared))
    # (s_X - s_Y)^2 + 2 s_X s_Y (1 - eps), and 1 - eps = (1 - eps^2)/(1 + eps) without cancellation.
    left, left_both = jnp.exp(-2.0 * bits_to_nats(rate)), jnp.exp(-2.0 * bits_to_nats(rate + shared))
    less = (left + left_both - left * left_both) / (1.0 + correlation)
    deviations = jnp.sqrt(v), jnp.sqrt(v_out)
    spread = (deviations[0] - deviations[1]) ** 2 + 2.0 * deviations[0] * deviations[1] * less
    return jnp.where(valid, (m - m_out) ** 2 + spread, jnp.nan)


def output_constrained_rate(
    distortion: ArrayLike,
    common_randomness: ArrayLike,
    *,
    source_mean: ArrayLike = 0.0,
    source_variance: ArrayLike = 1.0,
    output_mean: ArrayLike = 0.0,
    output_variance: ArrayLike = 1.0,
) -> jax.Array:
    """Least rate of a Gaussian source whose output must be i.i.d. of another Gaussian distribution (exact).

    The inverse in R of `output_constrained_distortion`, in closed form: with 1 - eps =
    (D - (m_X - m_Y)^2 - (s_X - s_Y)^2)/(2 s_X s_Y) and k = e^{-2C}, g = e^{-2R} solves
    k g^2 - (1 + k) g + 1 - eps^2 = 0. R = inf where D is not above (m_X - m_Y)^2 + (s_X - s_Y)^2, the W2 squared
    between the two distributions, and 0 where eps <= 0.

    Args:
      distortion: D >= 0, mean squared error; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      source_mean: m_X; broadcast.
      source_variance: s_X^2 > 0; broadcast.
      output_mean: m_Y; broadcast.
      output_variance: s_Y^2 > 0; broadcast.

    Returns:
      Rate in bits per sample; the broadcast shape. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: as `output_constrained_distortion`.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    _check_output(source_variance, output_variance, (source_mean, output_mean))
    return _output_constrained_rate(*broadcast(
        distortion, common_randomness, source_mean, source_variance, output_mean, output_variance))


@jax.jit
def _output_constrained_rate(
    d: jax.Array, shared: jax.Array, m: jax.Array, v: jax.Array, m_out: jax.Array, v_out: jax.Array
) -> jax.Array:
    valid = (d >= 0) & (shared >= 0) & (v > 0) & (v_out > 0)
    s, s_out = jnp.sqrt(v), jnp.sqrt(v_out)
    least = (m - m_out) ** 2 + (s - s_out) ** 2
    beyond = valid & (lax.stop_gradient(d - least - 2.0 * s * s_out) >= 0.0)
    s, s_out, d, least = (jnp.where(beyond, 1.0, x) for x in (s, s_out, d, least))
    less = jnp.where(beyond, 1.0, (d - least) / (2.0 * s * s_out))  # 1 - eps
    impossible, idle = valid & (less <= 0), less >= 1.0
    coded = valid & ~impossible & ~idle
    less = jnp.where(coded, less, 0.5)
    k = jnp.exp(-2.0 * bits_to_nats(jnp.where(coded, shared, 1.0)))
    unexplained = less * (2.0 - less)  # 1 - eps^2
    # With g = 1 - A: (1+k)^2 - 4k(1 - eps^2) = (1-k)^2 + 4k eps^2.
    root = jnp.sqrt((1.0 - k) ** 2 + 4.0 * k * (1.0 - less) ** 2)
    g = 2.0 * unexplained / (1.0 + k + root)
    explained = 2.0 * (1.0 - less) ** 2 / (1.0 - k + root)
    near = explained < 0.5
    nats = -0.5 * jnp.where(near, jnp.log1p(-jnp.where(near, explained, 0.0)), jnp.log(g))
    value = jnp.where(coded, nats_to_bits(nats), jnp.where(impossible, jnp.inf, 0.0))
    return jnp.where(valid, value, jnp.nan)


def iid_output_distortion(
    rate: ArrayLike,
    common_randomness: ArrayLike,
    perception: ArrayLike,
    variance: ArrayLike = 1.0,
    *,
    divergence: str = "w2sq",
) -> DistortionBounds:
    """Bounds on the least distortion when the output must be i.i.d., of a distribution at divergence P; both proved.

    With eps = sqrt((1 - e^{-2R})(1 - e^{-2(R+C)})) and t_P the least Gaussian deviation that P allows:
      upper: a Gaussian output, min over t in [t_P, s] of s^2 + t^2 - 2 s t eps;
      lower, w2sq: `theory.gaussian.strong_realism_distortion`, which does not ask for an i.i.d. output;
      lower, kl: min over t in [t_P, s] of s^2 + t^2 - 2 s t sqrt(1 - e^{-2R}) sqrt(1 - e^{-2(R+C+P-k(t))}),
        k(t) = ln(s/t) + t^2/(2s^2) - 1/2, because an output of variance t^2 with KL(output || source) <= P
        has an entropy of at least that of N(0,t^2) less P - k(t), which limits how well U predicts it.
    They meet at P = 0 and for C = inf, not in general.

    Args:
      rate: R >= 0, bits per sample; any shape.
      common_randomness: C >= 0, bits per sample, may be inf; broadcast.
      perception: P >= 0, W2 squared or KL(output || source) in bits; broadcast.
      variance: s^2 > 0; broadcast.
      divergence: "w2sq" or "kl".

    Returns:
      `DistortionBounds`, mean squared errors. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is outside of its domain, or the divergence unknown (outside of a trace).

    Reference: [xie2024output] Xie, Li, Chen, Zhang 2024, arXiv 2403.14849.
    """
    check_choice("divergence", divergence, ("w2sq", "kl"))
    check_domain("rate", rate, minimum=0.0)
    check_domain("common_randomness", common_randomness, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    return _iid_output(*broadcast(rate, common_randomness, perception, variance), divergence)


@partial(jax.jit, static_argnames="divergence")
def _iid_output(
    rate: jax.Array, shared: jax.Array, p: jax.Array, v: jax.Array, divergence: str
) -> DistortionBounds:
    r, c = bits_to_nats(rate), bits_to_nats(shared)
    correlation, s = _correlation(r, c), jnp.sqrt(v)
    fixed = lax.stop_gradient
    least = fixed(s - shrinkage(p, v, divergence))

    def only(where: jax.Array, *values: jax.Array) -> list[jax.Array]:
        # Elsewhere any point inside of the domain: an infinite derivative must not meet a zero there.
        return [jnp.where(where, value, 0.5) for value in values]

    # Upper bound: t = s eps where P allows it, and then D = s^2 (1 - eps^2); else t_P.
    binds = least > fixed(s * correlation)
    left, left_both = jnp.exp(-2.0 * r), jnp.exp(-2.0 * (r + c))
    free = v * (left + left_both - left * left_both)
    upper = jnp.where(binds, _at_least_deviation(*only(binds, r, c, p, v), divergence=divergence), free)
    if divergence == "w2sq":
        return DistortionBounds(strong_realism_distortion(rate, shared, p, v), upper)

    def distortion(t: jax.Array, s: jax.Array, r: jax.Array, c: jax.Array, nats: jax.Array) -> jax.Array:
        ratio = jnp.maximum(t / s, 1e-300)
        excess = jnp.maximum(nats - (0.5 * (ratio**2 - 1.0) - jnp.log(ratio)), 0.0)
        return s**2 + t**2 - 2.0 * s * t * _correlation(r, c + excess)

    # A grid finds the valley, and its cells are then divided again; the value is quadratic in the step.
    nats_p = bits_to_nats(p)
    constants = [fixed(x)[..., None] for x in (s, r, c, nats_p)]
    low, high = least, fixed(s)
    for _ in range(4):
        grid = jnp.linspace(low, high, 257, axis=-1)
        best = jnp.argmin(distortion(grid, *constants), -1)
        step = (high - low) / 256.0
        center = jnp.take_along_axis(grid, best[..., None], -1)[..., 0]
        low, high = jnp.maximum(center - step, least), jnp.minimum(center + step, fixed(s))
    # By the envelope theorem the derivative is that at the best t, which moves only where the least one binds.
    unlimited = jnp.isinf(p)
    binds = (center <= least) & (least > fixed(s * correlation)) & ~unlimited
    inside = ~binds & ~unlimited
    lower = jnp.where(inside, distortion(*only(inside, center, s, r, c, nats_p)), v * left)
    lower = jnp.where(binds, _at_least_deviation(*only(binds, r, c, p, v), divergence=divergence), lower)
    return DistortionBounds(lower, upper)


def _at_least_deviation(
    r: jax.Array, c: jax.Array, p: jax.Array, v: jax.Array, divergence: str
) -> jax.Array:
    s = jnp.sqrt(v)
    t = s - shrinkage(p, v, divergence)
    return (s - t) ** 2 + 2.0 * s * t * (1.0 - _correlation(r, c))

def iid_output_rate_bound(
    distortion: ArrayLike, perception: ArrayLike, common_randomness: ArrayLike, variance: ArrayLike, kind: str
) -> jax.Array:
    """Inverts a bound of `iid_output_distortion` for "kl": the rate at which it meets a distortion.

    Args:
      distortion: D >= 0; any shape.
      perception: P >= 0, KL(output || source), bits; broadcast.
      common_randomness: C >= 0, bits per sample; broadcast.
      variance: s^2 > 0; broadcast.
      kind: "lower" or "upper".

    Returns:
      Bits per sample, moved to the side on which it is proved; broadcast shape.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).
    """
    check_choice("kind", kind, ("lower", "upper"))
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("perception", perception, minimum=0.0)
    return _invert_iid_output(*broadcast(distortion, perception, common_randomness, variance), kind)


@partial(jax.jit, static_argnames="kind")
def _invert_iid_output(distortion, perception, shared, variance, kind):
    # At perfect realism both bounds are the exact rate, which no larger P needs more of.
    limit = strong_realism_rate(distortion, shared, 0.0, variance)
    finite = jnp.isfinite(limit)

    def bound(rate):
        return getattr(iid_output_distortion(rate, shared, perception, variance, divergence="kl"), kind)

    rate = decreasing_root(bound, jnp.where(finite, distortion, variance), 0.0, jnp.where(finite, limit, 1.0))
    rate = jnp.minimum(rate + 1e-12, limit) if kind == "upper" else jnp.maximum(rate - 1e-12, 0.0)
    return jnp.where(finite, rate, jnp.inf)
