"""Oracles: bounds of known values, joined by hand."""

import numpy as np
import pytest

from theory import bounds, gaussian
from theory.bounds import sources
from theory.bounds.bound import in_order, only_at_zero, plain, shared_bits


def test_a_certified_bracket_narrows_the_interval():
    # A bracket of known width about the Gaussian's R(D), alone and joined with the exact one.
    d = np.linspace(0.1, 0.9, 10)
    exact = np.asarray(gaussian.rate_distortion(d))
    sides = bounds.certified(lambda v: (exact - 1e-3, exact + 2e-3), name="bracket", reference="test")
    assert [bound.kind for bound in sides] == ["lower", "upper"]
    ends = bounds.interval(sides, d, 0.0)
    np.testing.assert_allclose(ends.lower, exact - 1e-3, rtol=1e-15)
    np.testing.assert_allclose(ends.upper, exact + 2e-3, rtol=1e-15)
    ends = bounds.interval((*sides, *bounds.bounds_of(sources.gaussian())[:1]), d, 0.0)
    np.testing.assert_array_equal(ends.lower, exact)
    np.testing.assert_array_equal(ends.upper, exact)


def test_rates_broadcast_and_are_silent_where_nothing_is_known():
    d, p = np.array([[1.0], [2.0]]), np.array([0.0, 0.1, 0.2])
    np.testing.assert_array_equal(plain(lambda d, k: k * d, 3.0)(d, p), np.broadcast_to(3.0 * d, (2, 3)))
    np.testing.assert_array_equal(only_at_zero(lambda d: d)(d, p), np.where(p == 0, d, np.nan))


def test_an_asymptotic_value_is_last_and_in_no_interval():
    made = [bounds.Bound(kind, kind, plain(lambda d, v=v: np.full(np.shape(d), v)), "", "test")
            for kind, v in (("asymptotic", 9.0), ("upper", 2.0), ("lower", 1.0))]
    found = in_order(made)
    assert [bound.kind for bound in found] == ["lower", "upper", "asymptotic"]
    assert bounds.interval(found, 0.1) == (1.0, 2.0)
    assert bounds.interval((), 0.1) == (0.0, np.inf)


def test_what_is_shared_is_read_from_words_and_numbers():
    assert [shared_bits(x) for x in ("nothing", "unlimited", 2, np.inf)] == [0.0, np.inf, 2.0, np.inf]
    for wrong, said in (("everything", "shared must be one of"), (-1.0, "shared must be >= 0")):
        with pytest.raises(ValueError, match=said):
            shared_bits(wrong)
