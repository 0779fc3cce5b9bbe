"""The channel-simulation divergence, and the functional information that is its average."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_pmf
from theory.numerics.elementwise import one_program
from theory.numerics.units import nats_to_bits


def _entropy_term(w):
    """-w ln w, 0 at 0 and at 1; the slope at 0 is infinite and that at 1 is -1."""
    positive = w > 0
    return jnp.where(positive, -w * jnp.log(jnp.where(positive, w, 1.0)), 0.0)


def channel_simulation_divergence(target: ArrayLike, proposal: ArrayLike) -> jax.Array:
    """D_CS(Q || P) = -int_0^inf w(h) log2 w(h) dh with w(h) = P(dQ/dP >= h), of finite distributions.

    Between neighboring values of the ratio q/p, sorted from the largest down, w is the P-mass of all letters so far.
    It is the least mean of -log2 P(A) over all ways to write Q as a mixture of P restricted to sets A, and
    KL <= D_CS <= KL + log2(KL + 1) + 1.

    Args:
      target: Q, shape [..., n]; the last axes broadcast.
      proposal: P, shape [..., n], positive wherever Q is.

    Returns:
      Bits, shape [...]; inf where Q has mass that P lacks. Differentiable where no two ratios are equal.

    Raises:
      ValueError: if either is no probability mass function.

    Reference:
      Goc and Flamich 2024 [goc2024causal]; the discrete form: Li and El Gamal 2018, proposition 1 [li2018strong].
    """
    check_pmf("target", target)
    check_pmf("proposal", proposal)
    return _divergence(jnp.asarray(target, jnp.float64), jnp.asarray(proposal, jnp.float64))


@one_program
def _divergence(target, proposal):
    q, p = jnp.broadcast_arrays(target, proposal)
    possible = p > 0
    ratio = jnp.where(possible, q / jnp.where(possible, p, 1.0), 0.0)
    order = jnp.argsort(-ratio, axis=-1)
    ratio = jnp.take_along_axis(ratio, order, axis=-1)
    below = jnp.concatenate([ratio[..., 1:], jnp.zeros_like(ratio[..., :1])], axis=-1)
    mass = jnp.minimum(jnp.cumsum(jnp.take_along_axis(p, order, axis=-1), axis=-1), 1.0)
    value = jnp.sum((ratio - below) * _entropy_term(mass), axis=-1)
    return nats_to_bits(jnp.where(jnp.any(~possible & (q > 0), axis=-1), jnp.inf, value))


def functional_information(joint: ArrayLike) -> jax.Array:
    """I_F = E_Y D_CS(P_{X|Y} || P_X): no exact one-shot simulation of the channel from X to Y has less entropy.

    I_F >= I(X; Y), with equality for singular channels (those where the ratio P_{X|Y} / P_X takes one value beside 0).

    Args:
      joint: P(x, y), shape [..., x, y].

    Returns:
      Bits, shape [...].

    Raises:
      ValueError: if it is no joint probability mass function.

    Reference:
      Li and El Gamal 2018 [li2018strong]; Flamich, Sriramu and Wagner 2025 [flamich2025].
    """
    joint = jnp.asarray(joint, jnp.float64)
    check_pmf("joint", joint.reshape(*joint.shape[:-2], -1))
    return _information(joint)


@one_program
def _information(joint):
    p_x, p_y = jnp.sum(joint, axis=-1), jnp.sum(joint, axis=-2)
    occupied = p_y > 0
    # An output that never occurs gets P_X itself, of divergence 0.
    given_y = jnp.where(occupied[..., None, :], joint / jnp.where(occupied, p_y, 1.0)[..., None, :], p_x[..., :, None])
    divergences = _divergence(jnp.swapaxes(given_y, -1, -2), p_x[..., None, :])
    return jnp.sum(p_y * divergences, axis=-1)
