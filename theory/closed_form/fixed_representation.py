"""Distortion against perception when the representation is fixed and only the decoder is free.

A decoder that sees a representation Z (a message, a degraded image) can trade the squared error of its
output for closeness in distribution to the source. For any source and any representation two numbers decide: the
least squared error D* = E|X - X*|^2 of X* = E[X|Z], and how far the distribution of X* is from that of X.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain
from theory.numerics.elementwise import broadcast


def distortion_perception(perception: ArrayLike, mse: ArrayLike, w2sq: ArrayLike) -> jax.Array:
    """Least squared error of a decoder with perception P and private randomness (exact).

    D(P) = D* + [W - sqrt(P)]_+^2 with D* the mean squared error of E[X|Z] and W = W2(p_X, p_{X*}). It is
    attained by `interpolation_weight`. Proof: E|X - Y|^2 = D* + E|X* - Y|^2 for any Y made from Z, and
    sqrt(E|X* - Y|^2) >= W2(p_{X*}, p_Y) >= W - sqrt(P); the interpolation meets both with equality.

    Args:
      perception: P >= 0, W2 squared between the distributions of X and Y; any shape.
      mse: D* >= 0, of the conditional mean; broadcast.
      w2sq: W^2 >= 0, W2 squared between the distributions of X and of the conditional mean; broadcast.

    Returns:
      Squared error, in the unit of `mse`; the broadcast shape. At P = 0 its derivative with respect to P
      is -inf if W > 0. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is negative (outside of a trace).

    Reference: [freirich2021theory] Freirich, Michaeli, Meir, A Theory of the Distortion-Perception Tradeoff in
      Wasserstein Space, NeurIPS 2021, arXiv 2107.02555, whose P is W2, not its square.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("mse", mse, minimum=0.0)
    check_domain("w2sq", w2sq, minimum=0.0)
    return _distortion_perception(perception, mse, w2sq)


@jax.jit
def _distortion_perception(perception, mse, w2sq):
    perception, mse, w2sq = broadcast(perception, mse, w2sq)
    valid = (perception >= 0) & (mse >= 0) & (w2sq >= 0)
    active = perception < w2sq
    gap = jnp.sqrt(jnp.where(active, w2sq, 1.0)) - jnp.sqrt(jnp.where(active, perception, 1.0))
    # At P = 0 it is D* + W^2, also where W = 0, in value and derivative.
    still = jnp.where((perception == 0) & (w2sq == 0), w2sq, 0.0)
    return jnp.where(valid, mse + jnp.where(active, gap**2, still), jnp.nan)


def perception_distortion(distortion: ArrayLike, mse: ArrayLike, w2sq: ArrayLike) -> jax.Array:
    """Least perception P of a decoder with squared error D: the inverse of `distortion_perception`.

    P(D) = [W - sqrt(D - D*)]_+^2 for D >= D*; no decoder has D < D* (then inf).

    Args:
      distortion: D >= 0, squared error; any shape.
      mse: D* >= 0, of the conditional mean; broadcast.
      w2sq: W^2 >= 0, W2 squared between the distributions of X and of the conditional mean; broadcast.

    Returns:
      W2 squared; the broadcast shape. At D = D* the derivative with respect to D is -inf. NaN inside a trace
      for arguments outside the domain.

    Raises:
      ValueError: if an argument is negative (outside of a trace).

    Reference: as `distortion_perception`.
    """
    check_domain("distortion", distortion, minimum=0.0)
    check_domain("mse", mse, minimum=0.0)
    check_domain("w2sq", w2sq, minimum=0.0)
    return _perception_distortion(distortion, mse, w2sq)


@jax.jit
def _perception_distortion(distortion, mse, w2sq):
    distortion, mse, w2sq = broadcast(distortion, mse, w2sq)
    valid = (distortion >= 0) & (mse >= 0) & (w2sq >= 0)
    spare = distortion - mse
    active = (spare >= 0) & (spare < w2sq)
    gap = jnp.sqrt(jnp.where(active, w2sq, 1.0)) - jnp.sqrt(jnp.where(active, spare, 1.0))
    # At D = D* it is W^2, also where W = 0, in value and derivative.
    still = jnp.where((spare == 0) & (w2sq == 0), w2sq, 0.0)
    value = jnp.where(active, gap**2, jnp.where(spare < 0, jnp.inf, still))
    return jnp.where(valid, value, jnp.nan)


def interpolation_weight(perception: ArrayLike, w2sq: ArrayLike) -> jax.Array:
    """How much of the perfectly realistic estimator the optimal decoder mixes in.

    Y = (1 - a) X* + a X^ with a = [1 - sqrt(P)/W]_+, where X^ has the distribution of the source and is coupled to X*
    by an optimal transport plan.

    Args:
      perception: P >= 0, W2 squared between the distributions of X and Y; any shape.
      w2sq: W^2 >= 0, W2 squared between the distributions of X and of the conditional mean; broadcast.

    Returns:
      a in [0, 1]; the broadcast shape. 0 where W = 0. NaN inside a trace for arguments outside the domain.

    Raises:
      ValueError: if an argument is negative (outside of a trace).

    Reference: as `distortion_perception`.
    """
    check_domain("perception", perception, minimum=0.0)
    check_domain("w2sq", w2sq, minimum=0.0)
    perception, w2sq = broadcast(perception, w2sq)
    valid = (perception >= 0) & (w2sq >= 0)
    active = perception < w2sq
    share = jnp.sqrt(jnp.where(active, perception, 1.0)) / jnp.sqrt(jnp.where(active, w2sq, 1.0))
    return jnp.where(valid, jnp.where(active, 1.0 - share, 0.0), jnp.nan)
