import numpy as np
import pytest

from experiments.sources import brackets
from theory import bounds, continuous


def gaussian_bracket(variance, points, dimension):
    """Exact points and tangents of a white Gaussian vector's R(D) = (n/2) log2(v n / D)."""
    d = np.asarray(points)
    rate = 0.5 * dimension * np.log2(variance * dimension / d)
    slope = 0.5 * dimension / (d * np.log(2.0))
    return brackets.Bracket(slope, rate + slope * d, d, rate)


@pytest.mark.parametrize("dimension", [1, 2])
def test_a_gaussian_is_bracketed_tightly_where_it_is_solved_and_below(dimension):
    """Oracle: R(D) in closed form; refining a Gaussian successively loses nothing, so the upper bound is exact."""
    found = gaussian_bracket(2.0, [0.5, 1.0], dimension)
    lower, upper = brackets.bracketing_bounds(found, dimension=dimension)
    d = np.array([0.01, 0.2, 0.5, 0.8, 1.0, 1.5])
    exact = np.maximum(0.5 * dimension * np.log2(2.0 * dimension / d), 0.0)
    assert (lower.rate(d, 0.0) <= exact + 1e-12).all() and (upper.rate(d, 0.0) >= exact - 1e-12).all()
    np.testing.assert_allclose(upper.rate(d, 0.0)[:3], exact[:3], rtol=1e-12)
    np.testing.assert_allclose(lower.rate(d, 0.0)[2:5:2], exact[2:5:2], rtol=1e-12)
    assert (lower.kind, upper.kind) == ("lower", "upper")
    joined = bounds.interval((lower, upper), 0.5)
    np.testing.assert_allclose([joined.lower, joined.upper], exact[2], rtol=1e-12)


def test_between_solved_points_the_upper_bound_is_their_chord():
    """Oracle: a line's worth of Gaussian in the plane, R = (1/2) log2(2 / D): refining as if it filled the plane is
    loose, the chord is off by at most (ln 2)^2 / (16 ln 2) = 0.0433 bit and a quarter more for the third order."""
    points = np.array([1.0, 0.5])  # in any order
    found = gaussian_bracket(2.0, points, 1)
    _, upper = brackets.bracketing_bounds(found, dimension=2)
    d = np.linspace(0.5, 1.0, 21)
    exact = 0.5 * np.log2(2.0 / d)
    excess = np.asarray(upper.rate(d, 0.0)) - exact
    assert (excess > -1e-12).all() and 0.02 < excess.max() < 1.25 * 0.0433
    np.testing.assert_allclose(upper.rate(1.5, 0.0), 0.5, rtol=1e-12)


def test_solving_is_done_once(tmp_path, monkeypatch):
    path = tmp_path / "bracket.npz"
    found = brackets.solve(continuous.uniform(), (8.0,), (12,), tolerance=1e-3, path=path)
    assert found.rate.shape == (1,) and found.intercept[0] - found.slope[0] * found.distortion[0] <= found.rate[0]
    monkeypatch.setattr(continuous, "rate_distortion_curve", None)
    for before, after in zip(found, brackets.solve(None, (), (), tolerance=0.0, path=path)):
        np.testing.assert_array_equal(before, after)
