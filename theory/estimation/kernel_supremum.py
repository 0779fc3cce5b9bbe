"""A certified maximum, over all of R^d, of a weighted sum of Gaussian kernels: branch and bound for few dimensions.

The dual of the rate-distortion problem needs the largest value over *every* reproduction y of

    c(y) = sum_i r_i exp(-s |x_i - y|^2),   r_i >= 0.

ln c(y) + s |y|^2 is convex in y (the logarithm of a sum of exponentials of lines). On a box with corners v and half
sides h, write y as a mean of corners, coordinate by coordinate: the mean of |v|^2 exceeds |y|^2 by at most |h|^2, so

    c(y) <= exp(s |h|^2) max_v c(v).

Values on a lattice of corners are products of matrices, since kernels factorize. Boxes whose bound exceeds the largest
value found are cut again. Moving y to the nearest point of the convex hull of the x_i brings it closer to all of them,
so a box around the x_i stands for the whole space. `theory.continuous.supremum` does the same for the line and the
plane by expansions of order 7.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from theory.numerics.checks import check_domain

_CUT = 4  # parts that each side of a box is cut into
_FIRST_EXCESS = 0.25  # s |h|^2 of the first boxes
_BYTES = 64 * 2**20  # of one table of factors


class KernelSupremum(NamedTuple):
    """Bounds on max_y c(y).

    Attributes:
      upper: proved: no y has a larger c(y), up to the rounding of sums of n terms.
      lower: c at `location`.
      location: [d], the best corner found.
      corners: how many corners were looked at.
    """

    upper: float
    lower: float
    location: np.ndarray
    corners: int


def lattice(
    low: ArrayLike, high: ArrayLike, slope: float, *, excess: float, max_corners: float = 2e7, name: str = "points"
) -> tuple[list[np.ndarray], float]:
    """Corners of boxes that fill a box, and the factor by which c within may exceed its largest corner.

    Args:
      low: [d], lower corner.
      high: [d], upper corner.
      slope: s, nats per unit of squared distance.
      excess: largest s |h|^2 of a box.
      max_corners: the most that are made.
      name: what messages call what the box is around.

    Returns:
      Coordinates along each axis, a list of [m_k], and exp(s |h|^2).

    Raises:
      ValueError: if there are more corners than that.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    width = 2.0 * math.sqrt(excess / (slope * len(low)))
    cells = [max(1, math.ceil((b - a) / width - 1e-9)) for a, b in zip(low, high)]
    corners = math.prod(float(count + 1) for count in cells)
    if corners > max_corners:
        raise ValueError(
            f"{name} must have few dimensions and lie close together for branch and bound, got {len(low)} dimensions "
            f"and {corners:.2g} corners of first boxes at the slope {slope:g} nats, more than {max_corners:.2g}")
    halves = [0.5 * (b - a) / count for a, b, count in zip(low, high, cells)]
    axes = [np.linspace(a, b, count + 1) for a, b, count in zip(low, high, cells)]
    return axes, math.exp(slope * sum(half**2 for half in halves))


def lattice_values(axes: list[np.ndarray], points: ArrayLike, log_weights: ArrayLike, slope: float) -> np.ndarray:
    """c at all points of a lattice: sums of n products of factors, one an axis.

    Args:
      axes: coordinates along each axis, [m_k], or [b, m_k] for b lattices of one shape.
      points: x_i, [n, d].
      log_weights: ln r_i, [n]; -inf leaves a point out.
      slope: s, nats per unit of squared distance.

    Returns:
      Values, [m_1, .., m_d], or [b, m_1, .., m_d].
    """
    points, log_weights = np.asarray(points), np.asarray(log_weights)
    single = axes[0].ndim == 1
    axes = [axis[None] if single else axis for axis in axes]
    number, shape = axes[0].shape[0], [axis.shape[1] for axis in axes]
    half = (len(axes) + 1) // 2
    left, right = math.prod(shape[:half]), math.prod(shape[half:])
    total = np.zeros((number, left, right))
    chunk = max(16, _BYTES // (8 * number * (left + right + max(shape))))
    for start in range(0, len(points), chunk):
        some, log_some = points[start : start + chunk], log_weights[start : start + chunk]
        factors = [np.exp(-slope * (axis[:, :, None] - some[None, None, :, k]) ** 2) for k, axis in enumerate(axes)]
        total += (_product(factors[:half]) * np.exp(log_some)) @ np.swapaxes(
            _product(factors[half:]) if right > 1 else np.ones((number, 1, len(some))), 1, 2)
    return total.reshape(*([] if single else [number]), *shape)


def _product(factors: list[np.ndarray]) -> np.ndarray:
    """Outer products over axes: [b, m_1 m_2 .., n] of [b, m_k, n]."""
    result = factors[0]
    for factor in factors[1:]:
        result = (result[:, :, None] * factor[:, None]).reshape(result.shape[0], -1, result.shape[2])
    return result


def _corner_maxima(values: np.ndarray) -> np.ndarray:
    """Largest of the 2^d corners of each cell; `values` [b, m_1, .., m_d]."""
    for axis in range(1, values.ndim):
        first = [slice(None)] * values.ndim
        second = list(first)
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        values = np.maximum(values[tuple(first)], values[tuple(second)])
    return values


def kernel_supremum(
    points: ArrayLike, log_weights: ArrayLike, slope: float, *, tolerance: float = 1e-2, max_corners: float = 2e7
) -> KernelSupremum:
    """Bounds max_y sum_i r_i exp(-s |x_i - y|^2) over all y in R^d, from above with proof.

    Args:
      points: x_i, [n, d].
      log_weights: ln r_i, [n]; -inf leaves a point out.
      slope: s > 0, nats per unit of squared distance.
      tolerance: relative gap between the bounds at which boxes are not cut any more, > 0.
      max_corners: corners after which boxes are not cut any more; the bound is proved all the same.

    Returns:
      A `KernelSupremum`.

    Raises:
      ValueError: if the first boxes alone have more corners than that (too many dimensions for this slope), or an
        argument lies outside of its domain.
    """
    check_domain("slope", slope, minimum=0.0, open_minimum=True, finite=True)
    check_domain("tolerance", tolerance, minimum=0.0, open_minimum=True)
    check_domain("points", points, finite=True)
    check_domain("log_weights", log_weights)
    points, log_weights, slope = np.asarray(points), np.asarray(log_weights), float(slope)
    used = log_weights > -np.inf
    if not used.any():
        return KernelSupremum(0.0, 0.0, np.zeros(points.shape[1]), 0)
    # Sums are made of terms at most 1.
    shift = log_weights[used].max()
    points, log_weights = points[used], log_weights[used] - shift
    axes, factor = lattice(points.min(0), points.max(0), slope, excess=_FIRST_EXCESS, max_corners=max_corners)
    corners = math.prod(len(axis) for axis in axes)
    values = lattice_values(axes, points, log_weights, slope)[None]
    best, at = -np.inf, np.zeros(len(axes))
    retired, lows = 0.0, [axis[None, :-1] for axis in axes]
    widths = np.array([axis[1] - axis[0] for axis in axes])
    while True:
        best, at = _improved(best, at, values, lows, widths)
        bounds = _corner_maxima(values) * factor
        open_boxes = bounds > best * (1.0 + tolerance)
        retired = max(retired, bounds[~open_boxes].max(initial=0.0))
        if not open_boxes.any():
            break
        which = np.nonzero(open_boxes)
        more = len(which[0]) * (_CUT + 1) ** len(axes)
        if corners + more > max_corners:
            retired = max(retired, bounds[open_boxes].max())
            break
        corners += more
        starts = [low[which[0] if low.shape[0] > 1 else 0, which[k + 1]] for k, low in enumerate(lows)]
        widths, factor = widths / _CUT, factor ** (1.0 / _CUT**2)
        lows = [start[:, None] + width * np.arange(_CUT) for start, width in zip(starts, widths)]
        values = _values_in_boxes(lows, widths, points, log_weights, slope)
    scale = math.exp(shift)
    return KernelSupremum(max(retired, best) * scale, best * scale, at, corners)


def _improved(best, at, values, lows, widths):
    """The best corner of a table of values, if it is better than the one known."""
    index = np.unravel_index(np.argmax(values), values.shape)
    if values[index] <= best:
        return best, at
    place = [low[index[0] if low.shape[0] > 1 else 0, 0] + width * index[k + 1]
             for k, (low, width) in enumerate(zip(lows, widths))]
    return float(values[index]), np.array(place)


def _values_in_boxes(lows, widths, points, log_weights, slope):
    """Values at the corners of the parts of each box, [boxes, cut + 1, .., cut + 1]."""
    axes = [np.concatenate([low, low[:, -1:] + width], 1) for low, width in zip(lows, widths)]
    size = max(1, _BYTES // (8 * 64 * (_CUT + 1) ** ((len(axes) + 1) // 2)))
    parts = [lattice_values([axis[i : i + size] for axis in axes], points, log_weights, slope)
             for i in range(0, len(axes[0]), size)]
    return np.concatenate(parts)
