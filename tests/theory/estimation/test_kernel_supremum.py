"""The certified maximum against another method, a search, and its edges."""

import numpy as np
import pytest
from scipy import optimize, special

from theory.continuous.supremum import certified_supremum
from theory.estimation.kernel_supremum import kernel_supremum, lattice, lattice_values


def log_sum(y, points, log_weights, slope):
    return special.logsumexp(log_weights - slope * ((points - y) ** 2).sum(-1))


@pytest.mark.parametrize("dimension, slope", [(1, 4.0), (2, 0.5), (3, 1.0)])
def test_the_maximum_lies_between_the_bounds(dimension, slope):
    rng = np.random.default_rng(dimension)
    points, log_weights = 2 * rng.normal(size=(200, dimension)), rng.normal(size=200)
    found = kernel_supremum(points, log_weights, slope, tolerance=5e-3)
    best = max(-optimize.minimize(lambda y: -log_sum(y, points, log_weights, slope), x, tol=1e-10).fun
               for x in points[::10])
    assert found.lower <= np.exp(best) * (1 + 1e-9) and found.upper >= np.exp(best) * (1 - 1e-9)
    assert found.upper <= found.lower * 1.005 * (1 + 1e-12)
    assert found.lower == pytest.approx(np.exp(log_sum(found.location, points, log_weights, slope)), rel=1e-10)


@pytest.mark.stress
def test_it_agrees_with_the_expansion_on_the_line():
    rng = np.random.default_rng(0)
    points, log_weights = 2 * rng.normal(size=(300, 1)), rng.normal(size=300)
    found = kernel_supremum(points, log_weights, 4.0, tolerance=1e-5)
    other = certified_supremum(points, log_weights, 4.0, low=points.min(0), high=points.max(0), cells=(120,),
                               subdivisions=32)
    assert found.lower <= float(other.upper) and float(other.lower) <= found.upper
    assert found.upper == pytest.approx(float(other.upper), rel=3e-5)


def test_no_point_of_a_box_exceeds_its_corners_by_more_than_the_factor():
    rng = np.random.default_rng(1)
    for dimension in (1, 2, 3):
        points = rng.normal(size=(20, dimension))
        axes, factor = lattice(np.zeros(dimension), np.full(dimension, 0.4), 3.0, excess=1.0)  # one box
        corners = lattice_values(axes, points, np.zeros(20), 3.0)
        inside = rng.uniform(0, 0.4, size=(500, dimension))
        values = np.exp([log_sum(y, points, np.zeros(20), 3.0) for y in inside])
        assert corners.shape == (2,) * dimension and values.max() <= factor * corners.max()
    # One point in the middle of its box attains the factor.
    axes, factor = lattice([0.0, 0.0], [0.4, 0.4], 3.0, excess=1.0)
    assert factor * lattice_values(axes, [[0.2, 0.2]], [0.0], 3.0).max() == pytest.approx(1.0, rel=1e-12)


def test_large_and_absent_weights():
    found = kernel_supremum([[0.0], [5.0]], [300.0, -np.inf], 1.0)
    assert found.lower == pytest.approx(np.exp(300.0)) and found.location == 0.0
    assert kernel_supremum([[0.0]], [-np.inf], 1.0).upper == 0.0
    assert kernel_supremum([[1.0, 2.0]] * 3, np.zeros(3), 1.0).upper == pytest.approx(3.0)


@pytest.mark.parametrize("arguments, message", [
    (dict(points=np.random.default_rng(0).normal(size=(50, 12))), "points must have few dimensions"),
    (dict(points=[[np.nan]]), "points must be finite"), (dict(slope=0.0), "slope must be"),
    (dict(log_weights=[np.nan]), "log_weights must be")])
def test_refuses(arguments, message):
    given = {"points": [[0.0]], "slope": 1.0, **arguments}
    given.setdefault("log_weights", np.zeros(len(given["points"])))
    with pytest.raises(ValueError, match=message):
        kernel_supremum(**given)
