"""Lower bounds that hold with a stated probability, at the number of samples that there are."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.estimation.csiszar_dual import DualFunction, evaluate_dual
from theory.estimation.estimate import Estimate
from theory.estimation.intervals import bernstein_radius
from theory.estimation.kernel_supremum import kernel_supremum, lattice, lattice_values
from theory.estimation.samples import check_samples
from theory.numerics.checks import check_domain
from theory.numerics.units import nats_to_bits

_EXCESS = 0.01  # s |h|^2 of the boxes of a bounded support


def certificate(
    function: DualFunction, held_out: ArrayLike, *, confidence: float = 0.95, distortion: ArrayLike | None = None,
    support: tuple[ArrayLike, ArrayLike] | None = None,
) -> Estimate:
    """Lower bounds on R(D) that hold with at least a given probability over the held-out samples, at any number.

    nu is bounded by construction, between shift - ln(1 + floor) and shift - ln(floor), so its mean is within
    `bernstein_radius` of E nu, and w(x) = exp(nu(x)) <= B. The largest c(y) = E w(X) exp(-s |X - y|^2) over all y
    is bounded with what samples say, either

    * without assumptions: c(y) = <mu, phi(y)> in the Hilbert space of the Gaussian kernel, where |phi(y)| = 1, so that
      sup c - sup c_m <= |mu - mu_m| <= sqrt(E w^2 / m) + B sqrt(ln(1 / doubt) / m) (McDiarmid), or
    * where the source is in a box: at the corners of a lattice, each mean with its Bernstein radius at a share of the
      doubt, and c <= exp(s |h|^2) max over corners between them.

    Args:
      function: from `fit_dual`, of other samples.
      held_out: [m, d], independent samples of one distribution.
      confidence: probability with which each line's bound holds, in (0, 1).
      distortion: D, [j]: for each of them the line that training samples prefer; None for a point on each line.
      support: lower and upper corner, [d] each, of a box that contains X with certainty.

    Returns:
      `Estimate` of shape [k] or [j], kind "lower" with `rate_se` 0; what is assumed is in `assumptions`. At least 0.

    Raises:
      ValueError: if an argument lies outside of its domain, or a sample outside of the support.

    Reference:
      [maurer2009empirical, mcdiarmid1989method]; docs/derivations/bounds_from_samples.md.
    """
    held_out = check_samples("held_out", held_out, dimension=function.reproduction.atoms.shape[-1])
    check_domain("confidence", confidence, minimum=0.0, maximum=1.0, open_minimum=True)
    if confidence == 1.0:
        raise ValueError("confidence must be below 1, got 1")
    doubt, points = 1.0 - confidence, np.asarray(held_out)
    box = None if support is None else _check_support(support, points)
    nu = np.asarray(evaluate_dual(held_out, function))
    intercepts = []
    for k, slope in enumerate(np.asarray(function.slope)):
        floor, shift = float(function.floor[k]), float(function.shift[k])
        spread = math.log1p(floor) - math.log(floor)
        if box is None:
            largest = _anywhere(points, nu[:, k], slope, math.exp(shift) / floor, 2.0 * doubt / 3.0)
        else:
            largest = _within(box, points, nu[:, k], slope, math.exp(shift) / floor, 2.0 * doubt / 3.0)
        lost = float(bernstein_radius(nu[:, k], spread, doubt / 3.0))
        intercepts.append(nu[:, k].mean() - lost - math.log(largest))
    intercept, slopes = jnp.asarray(nats_to_bits(np.array(intercepts))), nats_to_bits(function.slope)
    if distortion is None:
        places, rate = function.distortion, intercept - slopes * function.distortion
    else:
        check_domain("distortion", distortion, minimum=0.0, finite=True)
        places = jnp.atleast_1d(jnp.asarray(distortion, jnp.float64))
        chosen = jnp.argmax(nats_to_bits(function.value)[None] - places[:, None] * slopes[None], axis=-1)
        rate = intercept[chosen] - places * slopes[chosen]
    nan, zero = jnp.full(places.shape, jnp.nan), jnp.zeros(places.shape)
    words = f"holds with probability {confidence:g} for each point; samples are independent"
    if box is not None:
        words += f"; the source is in the box from {box[0].tolist()} to {box[1].tolist()}"
    return Estimate(jnp.maximum(rate, 0.0), places, nan, zero, zero, nan, "lower", len(points), "dual", words)


def _check_support(support, points):
    low, high = (np.broadcast_to(np.asarray(end, np.float64), points.shape[1:]) for end in support)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise ValueError(f"support must be a lower and a higher finite corner, got {low} and {high}")
    if (points < low).any() or (points > high).any():
        raise ValueError("support must contain every sample, got one outside of it")
    return low, high


def _anywhere(points, nu, slope, most, doubt):
    """Upper bound of sup c over all of space, with probability 1 - doubt."""
    m = len(nu)
    found = kernel_supremum(points, nu - math.log(m), slope, tolerance=2e-3).upper
    squares = np.exp(2.0 * nu)
    second = squares.mean() + float(bernstein_radius(squares, most**2, doubt / 2.0))
    return found + math.sqrt(min(second, most**2) / m) + most * math.sqrt(math.log(2.0 / doubt) / m)


def _within(box, points, nu, slope, most, doubt):
    """Upper bound of sup c over a box, with probability 1 - doubt."""
    m = len(nu)
    axes, factor = lattice(box[0], box[1], slope, excess=_EXCESS, name="support")
    corners = math.prod(len(axis) for axis in axes)
    first = lattice_values(axes, points, nu - math.log(m), slope)
    second = lattice_values(axes, points, 2.0 * nu - math.log(m), 2.0 * slope)
    variance = np.maximum(second - first**2, 0.0) * m / (m - 1)
    radius = np.asarray(bernstein_radius(nu, most, doubt / corners, variance=variance))
    return factor * float((first + radius).max())
