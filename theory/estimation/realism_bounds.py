"""Lower bounds on R(D, P) from samples: what lines of R(D) of projections, and second moments, leave to realism."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.estimation.csiszar_dual import DualLines
from theory.estimation.estimate import Estimate
from theory.estimation.intervals import mean
from theory.estimation.projections import check_projections
from theory.estimation.samples import check_both
from theory.numerics.checks import check_domain

_PRICES = np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 91)])  # t: squared error for a unit of W2 squared
_LARGEST_SHARE = 0.999  # of the variance that a distortion is taken to have, where a line hopes for more


def realism_bound(
    lines: Sequence[DualLines], training: ArrayLike, held_out: ArrayLike, projections: Sequence[ArrayLike], *,
    rate: ArrayLike, perception: ArrayLike,
) -> Estimate:
    """Lower bound on the distortion at a rate and a perception P >= W2^2(X, Y), in expectation over held-out samples.

    For a projection A of second moment v = E|AX|^2 (about any point), L <= D_AX(R), Y any reproduction of rate R with
    second moment u = E|AY|^2: every scaled k AY is a reproduction, too, so E|AX - k AY|^2 >= L, and

        E|AX - AY|^2 >= v (1 - 1/k) + L/k + (1 - k) u   for 0 < k <= 1,      u >= a v - a/(1 - a) W2^2(AX, AY)

    for 0 < a < 1. Both are linear in what held-out samples estimate. With (1 - k) a = t (1 - a) in all projections
    that are orthogonal to each other, whose squared errors and W2^2 add up to those of X at most,

        D_X(R, P) >= sum_j [v_j (1 - 1/k_j + (1 - k_j) a_j) + L_j / k_j] - t P.

    Training samples choose t, k and a: the best are a = u^1/2 / v^1/2, k = (v - L)^1/2 / u^1/2 and
    u^1/2 = ((v - L)^1/2 + t v^1/2) / (1 + t). For a Gaussian on the line, and lines that touch its R(D), that is its
    R(D, P).
    At P = 0 the bound holds for every measure of realism that is 0 for equal distributions alone.

    Args:
      lines: of each projection, from `projection_lines`.
      training: [n, d], the samples that they were fitted to.
      held_out: [m, d], the samples that they were measured on.
      projections: matrices A_j, [k_j, d], that they are of.
      rate: R >= 0, bits; shape [..].
      perception: P >= 0, W2 squared of the vectors; of a shape that broadcasts with `rate`.

    Returns:
      `Estimate` of the broadcast shape, kind "lower": no channel of rate R and perception P has less distortion.

    Raises:
      ValueError: if lines, projections and samples do not fit each other, or a rate or perception is negative.

    Reference:
      docs/derivations/bounds_from_samples.md.
    """
    training, held_out = check_both(training, held_out)
    matrices = check_projections(projections, training.shape[1])
    check_domain("rate", rate, minimum=0.0, finite=True)
    check_domain("perception", perception, minimum=0.0, finite=True)
    if len(lines) != len(matrices) or any(one.influence.shape[0] != held_out.shape[0] for one in lines):
        raise ValueError(f"lines must be of the {len(matrices)} projections and {held_out.shape[0]} held-out samples, "
                         f"got {len(lines)} of {[one.influence.shape[0] for one in lines]} samples")
    rates, perceptions = jnp.broadcast_arrays(jnp.asarray(rate, jnp.float64), jnp.asarray(perception, jnp.float64))
    center = training.mean(0, keepdims=True)
    squares = [[jnp.sum(((each - center) @ matrix.T) ** 2, -1) for matrix in matrices] for each in (training, held_out)]
    found = [_distortion(lines, squares[0], squares[1], float(r), float(p))
             for r, p in zip(rates.ravel(), perceptions.ravel())]
    value, se = (jnp.stack([getattr(one, name) for one in found]).reshape(rates.shape) for name in ("value", "se"))
    zero = jnp.zeros(rates.shape)
    return Estimate(rates, value, perceptions, zero, se, zero, "lower", held_out.shape[0], "projections")


def _distortion(lines, fitted, measured, rate, perception):
    """Mean and standard error of the bound at one rate and perception."""
    hoped, terms = jnp.zeros(len(_PRICES)), jnp.zeros((measured[0].shape[0], len(_PRICES)))
    for one, square_fitted, square in zip(lines, fitted, measured):
        places = (one.expected - rate) / one.slope
        best = jnp.argmax(places)
        variance = square_fitted.mean()
        share = jnp.clip(places[best] / jnp.maximum(variance, 1e-300), 0.0, _LARGEST_SHARE)
        if not float(share) > 0:
            continue  # nothing is known but that the distortion is at least 0
        plain = jnp.sqrt(1.0 - share)  # in units of the standard deviation
        a = (plain + _PRICES) / (1.0 + _PRICES)
        k = plain / a
        moment = 1.0 - 1.0 / k + (1.0 - k) * a
        hoped = hoped + variance * (moment + share / k)
        gain = (one.influence[:, best] - rate) / one.slope[best]
        terms = terms + square[:, None] * moment[None] + gain[:, None] / k[None]
    chosen = jnp.argmax(hoped - _PRICES * perception)
    return mean(terms[:, chosen] - _PRICES[chosen] * perception)
