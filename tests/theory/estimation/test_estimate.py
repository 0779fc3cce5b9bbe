"""The result that every estimator returns."""

import numpy as np
import pytest
from scipy import stats

from theory.estimation import KINDS, Estimate


def estimate(**changes):
    fields = dict(rate=np.array([3.0, 0.1]), distortion=0.5, perception=np.nan, rate_se=0.2, distortion_se=0.01,
                  perception_se=np.nan, kind="upper", held_out=10)
    return Estimate(**{**fields, **changes})


def test_intervals_are_those_of_a_normal():
    point = estimate()
    low, high = point.rate_interval
    np.testing.assert_allclose(high, stats.norm.ppf(0.975, [3.0, 0.1], 0.2), rtol=1e-12)
    np.testing.assert_allclose(low, [stats.norm.ppf(0.025, 3.0, 0.2), 0.0], rtol=1e-12)
    low, high = point.interval("distortion", level=0.8)
    np.testing.assert_allclose([low, high], stats.norm.interval(0.8, 0.5, 0.01), rtol=1e-12)
    np.testing.assert_allclose(point.distortion_interval, stats.norm.interval(0.95, 0.5, 0.01), rtol=1e-12)


def test_perception_that_was_not_asked_for_has_no_interval_and_one_below_zero_is_told():
    assert np.isnan(estimate().perception_interval).all()
    low, high = estimate(perception=0.0, perception_se=1.0).perception_interval
    np.testing.assert_allclose([low, high], [-stats.norm.ppf(0.975), stats.norm.ppf(0.975)], rtol=1e-12)


def test_fields_and_kinds_are_those_that_others_rely_on():
    assert Estimate._fields == (
        "rate", "distortion", "perception", "rate_se", "distortion_se", "perception_se", "kind", "held_out",
        "estimator", "assumptions")
    assert KINDS == ("upper", "lower", "asymptotic")


@pytest.mark.parametrize("arguments, message", [
    (dict(level=1.0), "level must be below 1"), (dict(level=0.0), "level must be > 0"),
    (dict(quantity="bits"), "quantity must be one of 'rate'")])
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        estimate().interval(**arguments)
