import numpy as np
import pytest

from experiments import brackets
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


def test_solving_is_done_once(tmp_path, monkeypatch):
    path = tmp_path / "bracket.npz"
    found = brackets.solve(continuous.uniform(), (8.0,), (12,), tolerance=1e-3, path=path)
    assert found.rate.shape == (1,) and found.intercept[0] - found.slope[0] * found.distortion[0] <= found.rate[0]
    monkeypatch.setattr(continuous, "rate_distortion_curve", None)
    for before, after in zip(found, brackets.solve(None, (), (), tolerance=0.0, path=path)):
        np.testing.assert_array_equal(before, after)
