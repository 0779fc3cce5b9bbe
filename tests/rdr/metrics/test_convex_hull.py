"""Convex hulls, against scipy's and by their definition."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from rdr.metrics.convex_hull import lower_hull, upper_hull


def test_the_hull_lies_below_every_point_and_is_convex():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.random((2, 30))
        hull = lower_hull(x, y)
        assert (np.diff(x[hull]) > 0).all() and (np.diff(y[hull]) < 0).all()
        assert (np.diff(np.diff(y[hull]) / np.diff(x[hull])) > 0).all()
        assert x[hull[0]] == x.min() and y[hull[-1]] == y.min()
        inside = (x >= x[hull[0]]) & (x <= x[hull[-1]])
        assert (y[inside] >= np.interp(x[inside], x[hull], y[hull]) - 1e-12).all()
        assert set(hull) <= set(ConvexHull(np.stack([x, y], 1)).vertices)


def test_points_on_a_segment_equal_points_and_worse_points_are_left_out():
    x, y = [0.0, 1.0, 2.0, 0.0, 3.0, 2.0], [2.0, 1.0, 0.0, 2.0, 0.5, 0.0]
    assert lower_hull(x, y).tolist() == [0, 2]
    assert upper_hull([1.0, 2.0, 3.0], [1.0, 1.1, 2.0]).tolist() == [0, 2]
    assert lower_hull([1.0], [1.0]).tolist() == [0]


def test_no_points_and_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="one or more points"):
        lower_hull([], [])
    with pytest.raises(ValueError, match="finite"):
        upper_hull([1.0, np.inf], [1.0, 2.0])
