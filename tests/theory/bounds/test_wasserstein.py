"""Oracles: the functions that are looked up, the order of all bounds, and the tangent's defining properties."""

import jax
import numpy as np
import pytest

from theory import bounds, gaussian
from theory import wasserstein_distortion as wd
from theory.bounds.wasserstein import squared_error_or_fresh_noise

D = np.array([1e-3, 0.003, 0.005, 0.01])  # always four points: one shape is one compilation
CASES = [("tiles", 16), ("gaussian", 0.0), ("gaussian", 2.0), ("pyramid", 2),
         pytest.param("tiles", 1, marks=pytest.mark.stress)]


@pytest.mark.parametrize(("windows", "size"), CASES)
def test_lower_bounds_stay_below_upper_ones(windows, size):
    distortion = np.array([1e-3, 0.01, 0.1, 0.5])
    for loss in ("proxy", "exact"):
        found = bounds.wasserstein_bounds_of(windows, size, loss=loss)
        kinds = [bounds.KINDS.index(bound.kind) for bound in found]
        assert kinds == sorted(kinds) and all(bound.conditions and bound.reference for bound in found)
        ends = bounds.interval(found, distortion)
        assert (ends.lower >= 0).all() and (ends.lower <= ends.upper + 1e-12).all()
        if size in (0.0, 1):  # single pixels: squared error
            np.testing.assert_allclose(ends.lower, gaussian.rate_distortion(distortion), rtol=1e-9)
            np.testing.assert_allclose(ends.upper, gaussian.rate_distortion(distortion), rtol=1e-9)


def test_the_asymptote_is_listed_and_is_no_bound():
    found = bounds.wasserstein_bounds_of("gaussian", 4.0)
    asymptote = found[-1]
    assert asymptote.kind == "asymptotic"
    np.testing.assert_allclose(asymptote.rate(D), wd.asymptotic_white_field_rate(D, 4.0), rtol=1e-12)
    with_it, without = bounds.interval(found, D), bounds.interval(found[:-1], D)
    np.testing.assert_array_equal(with_it, without)
    np.testing.assert_allclose(with_it.lower, wd.white_field_rate(D, 4.0), rtol=1e-12)
    assert bounds.wasserstein_bounds_of("gaussian", 4.0, loss="exact")[-1].kind == "upper"


def test_realism_without_common_randomness_costs_half_the_distortion():
    for loss in ("proxy", "exact"):
        free = bounds.wasserstein_bounds_of("tiles", 16, loss=loss)
        realistic = bounds.wasserstein_bounds_of("tiles", 16, loss=loss, perception="w2sq", shared="nothing")
        for a, b in zip(free, realistic):
            np.testing.assert_allclose(a.rate(D), b.rate(2 * D, 0.0), rtol=1e-12)
            assert np.isnan(b.rate(2 * D, 0.1)).all()
    lower = bounds.wasserstein_bounds_of("gaussian", 2.0, perception="w2sq", shared="nothing")
    np.testing.assert_allclose(lower[0].rate(D), wd.white_field_rate(D / 2, 2.0), rtol=1e-12)


def test_the_shared_line_is_the_tangent_from_fresh_noise():
    fresh = 0.3
    d = np.linspace(0.001, 0.5, 400)
    rate = np.array(squared_error_or_fresh_noise(d, fresh))
    plain = np.array(gaussian.rate_distortion(d))
    assert (rate <= plain + 1e-12).all() and (rate[d >= fresh] == 0).all()
    slopes = np.diff(rate) / np.diff(d)
    assert (np.diff(slopes) >= -1e-9).all()  # convex
    # A smooth curve: the slope at the point of contact is the line's.
    np.testing.assert_allclose(squared_error_or_fresh_noise(d, 1.0), plain, atol=1e-12)
    slope = jax.grad(lambda x: squared_error_or_fresh_noise(x, fresh))(0.2)
    assert slope < 0


def test_bad_arguments_are_named():
    for windows, size, needs in (("tiles", 0, "an integer >= 1"), ("gaussian", np.inf, ">= 0 and finite"),
                                 ("pyramid", 1.5, "an integer >= 0")):
        with pytest.raises(ValueError, match=f"size must be {needs}"):
            bounds.wasserstein_bounds_of(windows, size)
    with pytest.raises(ValueError, match="windows must be one of"):
        bounds.wasserstein_bounds_of("boxes", 3)
    with pytest.raises(ValueError, match="no bound is known"):
        bounds.wasserstein_bounds_of("pyramid", 2, perception="w2sq")
