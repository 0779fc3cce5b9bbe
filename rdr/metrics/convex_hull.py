"""Convex hulls of operating points: what a codec reaches if it may share its time between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def lower_hull(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Finds the points on the lower left convex hull: less of both is better (rate and distortion).

    By time sharing, every point of the segments between the points returned is reached too. The hull ends at the
    smallest y; points to the right of it, or above a segment, are left out.

    Args:
      x: [points], finite.
      y: [points], finite.

    Returns:
      Indices of the hull's points, x rising and y falling; at least one.

    Raises:
      ValueError: if there are no points or a number is not finite.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or x.size == 0:
        raise ValueError(f"x and y must be one or more points, got shapes {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite")
    result: list[int] = []
    for i in np.lexsort((y, x)).tolist():
        if result and y[i] >= y[result[-1]]:
            continue
        while len(result) > 1:
            a, b = result[-2:]
            # b stays if it lies strictly below the segment from a to i.
            if (x[b] - x[a]) * (y[i] - y[a]) - (y[b] - y[a]) * (x[i] - x[a]) > 0:
                break
            result.pop()
        result.append(i)
    return np.array(result, np.int64)


def upper_hull(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Finds the points on the upper left convex hull: less x and more y is better (rate and quality).

    Args:
      x: [points], finite.
      y: [points], finite.

    Returns:
      Indices of the hull's points, x and y rising; at least one.

    Raises:
      ValueError: if there are no points or a number is not finite.
    """
    return lower_hull(x, -np.asarray(y, np.float64))
