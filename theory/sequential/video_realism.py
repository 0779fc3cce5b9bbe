"""Realism of a Gauss-Markov video at P = 0: of each frame, or of all frames together.

X_t = a X_{t-1} + sqrt(1 - a^2) W_t, all of variance s^2, coded causally with R_t bits for frame t and unlimited common
randomness. Framewise realism asks every reconstructed frame to have the distribution of a frame, joint realism the
video so far to have that of the source. docs/derivations/sequential_coding.md derives the formulas.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast, nan_unless
from theory.numerics.units import bits_to_nats


class VideoDistortions(NamedTuple):
    """Squared errors of the frames of one video under three demands.

    Attributes:
      plain: without realism: the least error of every frame at once, exact; [..., T].
      framewise: each frame has the source's distribution: the least error of every frame at once, exact; [..., T].
      joint: all frames so far have it: each frame as good as possible after its predecessors were; [..., T].
    """

    plain: jax.Array
    framewise: jax.Array
    joint: jax.Array


def video_distortions(rates: ArrayLike, coefficient: ArrayLike, variance: ArrayLike = 1.0) -> VideoDistortions:
    """Squared error of each frame at perfect realism, frame by frame and jointly, for given rates.

    In nats, per unit of variance: v_t = a^2 Delta_{t-1} + 1 - a^2 is what is unknown of frame t (v_1 = 1),
    Delta_t = v_t e^{-2 R_t}, framewise realism has 2 - 2 sqrt(1 - Delta_t), and joint realism 2 - 2 c_t with
      c_t = a^2 c_{t-1} + sqrt(1 - a^2) sqrt(v_t) sqrt(1 - e^{-2 R_t}),  c_1 = sqrt(1 - e^{-2 R_1}).
    The joint recursion remembers errors: after a first frame without rate, R_2 = inf still leaves 2 - 2 sqrt(1 - a^2).
    At constant rates both notions end at the same error: the price of joint realism decays like a^{2t}.

    Args:
      rates: R_t >= 0, bits of each frame, may be inf; [..., T].
      coefficient: a in [-1, 1], the correlation of neighboring frames; [...], broadcast.
      variance: s^2 > 0 of a frame; [...], broadcast.

    Returns:
      `VideoDistortions`; NaN inside a trace for arguments outside of the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace), or rates have no axis of frames.

    Reference: [salehkalaibar2023choice] the two notions and the Gauss-Markov model; the formulas are derived in
      docs/derivations/sequential_coding.md and were not compared with the paper's.
    """
    check_domain("rates", rates, minimum=0.0)
    check_domain("coefficient", coefficient, minimum=-1.0, maximum=1.0)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    r = jnp.asarray(rates, jnp.float64)
    if r.ndim == 0 or r.shape[-1] == 0:
        raise ValueError(f"rates must have shape [..., T] with T >= 1, got {r.shape}")
    a, s2 = (jnp.asarray(x, jnp.float64)[..., None] for x in (coefficient, variance))
    r, a, s2 = broadcast(r, a, s2)
    valid = (r >= 0) & (jnp.abs(a) <= 1) & (s2 > 0)
    left = jnp.exp(-2.0 * bits_to_nats(r))
    told = -jnp.expm1(-2.0 * bits_to_nats(r))
    square = a[..., 0] ** 2
    fresh = (1.0 - a[..., 0]) * (1.0 + a[..., 0])

    def root(x):
        return jnp.sqrt(jnp.where(x > 0, x, 1.0)) * (x > 0)

    def step(state, frame):
        before, lost, first = state  # Delta, and 1 - c
        left, told = frame
        unknown = jnp.where(first, 1.0, square * before + fresh)
        after = unknown * left
        plan = jnp.where(first, 1.0, root(fresh) * root(unknown))
        # 1 - c_t = a^2 (1 - c_{t-1}) + (1 - a^2) - plan sqrt(told), without cancellation where all is told.
        shrunk = jnp.where(first, 0.0, fresh - plan)
        lost = jnp.where(first, 0.0, square * lost) + shrunk + plan * left / (1.0 + root(told))
        frame_lost = after / (1.0 + root(1.0 - after))
        return (after, lost, jnp.zeros_like(first)), (after, 2.0 * frame_lost, 2.0 * lost)

    start = (jnp.ones_like(square), jnp.zeros_like(square), jnp.ones(square.shape, bool))
    _, found = lax.scan(step, start, (jnp.moveaxis(left, -1, 0), jnp.moveaxis(told, -1, 0)))
    return VideoDistortions(*(nan_unless(valid, s2 * jnp.moveaxis(x, 0, -1)) for x in found))


def steady_distortion(rate: ArrayLike, coefficient: ArrayLike, variance: ArrayLike = 1.0) -> jax.Array:
    """Squared error per frame of a long video at constant rate and perfect realism, of frames or of all of it (exact).

    D = 2 s^2 (1 - sqrt((1 - g)/(1 - a^2 g))), g = 2^{-2R}: the reconstruction s^2-scaled from the causal least squares
    estimate is itself a Gauss-Markov process with coefficient a, so that joint realism costs nothing in the long run.

    Args:
      rate: R >= 0, bits per frame; any shape.
      coefficient: a in (-1, 1); broadcast.
      variance: s^2 > 0 of a frame; broadcast.

    Returns:
      Mean squared error; the broadcast shape. At R = 0 its slope is -inf. NaN inside a trace for arguments outside of
      the domain.

    Raises:
      ValueError: if an argument is outside of its domain (outside of a trace).

    Reference: docs/derivations/sequential_coding.md.
    """
    check_domain("rate", rate, minimum=0.0)
    check_domain("coefficient", coefficient, minimum=-1.0, maximum=1.0, open_minimum=True)
    check_domain("-coefficient", -jnp.asarray(coefficient), minimum=-1.0, open_minimum=True)
    check_domain("variance", variance, minimum=0.0, open_minimum=True, finite=True)
    r, a, s2 = broadcast(rate, coefficient, variance)
    valid = (r >= 0) & (jnp.abs(a) < 1) & (s2 > 0)
    g, told = jnp.exp(-2.0 * bits_to_nats(r)), -jnp.expm1(-2.0 * bits_to_nats(r))
    fresh = (1.0 - a) * (1.0 + a)
    error = g * fresh / (1.0 - a**2 * g)  # Delta
    return nan_unless(valid, 2.0 * s2 * error / (1.0 + jnp.sqrt(told / (1.0 - a**2 * g))))
