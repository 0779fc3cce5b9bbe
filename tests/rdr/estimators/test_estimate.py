import numpy as np
import pytest
from scipy import stats

from rdr.estimators.estimate import Estimate, mean_estimate


def test_an_estimate_is_the_mean_of_held_out_samples_with_its_standard_error():
    rates, distortions = np.asarray([[1.0, 2.0, 3.0, 6.0]]), np.asarray([[0.5, 0.5, 0.1, 0.1]])
    found = mean_estimate(rates, distortions, shape=(), estimator="test", assumptions="none")
    np.testing.assert_allclose([found.rate, found.distortion], [3.0, 0.3])
    np.testing.assert_allclose([found.rate_se, found.distortion_se], stats.sem([*rates, *distortions], axis=1))
    assert np.isnan(found.perception) and np.isnan(found.perception_se)
    assert found[6:] == ("upper", 4, "test", "none")


def test_intervals_are_normal_and_rates_not_negative():
    found = Estimate(0.1, 2.0, -0.3, 0.1, 0.2, 0.4, "upper", 9)
    np.testing.assert_allclose(found.interval("distortion", level=0.9), stats.norm.interval(0.9, 2.0, 0.2))
    np.testing.assert_allclose(found.rate_interval, [0.0, stats.norm.ppf(0.975, 0.1, 0.1)])
    np.testing.assert_allclose(found.perception_interval, stats.norm.interval(0.95, -0.3, 0.4))
    assert found.distortion_interval == found.interval("distortion")


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Estimate(1, 1, 1, 0, 0, 0, "upper", 2).interval("lambda"), "quantity must be one of 'rate'"),
    (lambda: Estimate(1, 1, 1, 0, 0, 0, "upper", 2).interval(level=1.0), r"level must be in \(0, 1\), got 1.0"),
    (lambda: mean_estimate([[1.0]], [[1.0]], shape=(), estimator=""), "at least 2 held-out samples, got 1"),
    (lambda: mean_estimate([[1.0, 1.0]], [[1.0, np.nan]], shape=(), estimator=""), "distortions must be finite, got 1"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
