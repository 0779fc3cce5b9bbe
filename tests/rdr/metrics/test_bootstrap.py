"""Bootstrap intervals: their coverage, against its exact value, and their refusals."""

import numpy as np
import pytest
from scipy import stats

from rdr.metrics.bootstrap import bootstrap_interval


def mean_of(values):
    return lambda index: values[index].mean()


def test_percentile_intervals_of_a_mean_cover_as_often_as_they_must():
    # For normal data the percentile interval is mean +- z s sqrt((n-1)/n) / sqrt(n), up to resampling noise.
    n, trials, confidence = 24, 400, 0.9
    z = stats.norm.ppf(0.5 + confidence / 2)
    expected = 1 - 2 * stats.t.sf(z * np.sqrt((n - 1) / n), n - 1)
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(trials):
        values = rng.normal(size=n)
        found = bootstrap_interval(
            mean_of(values), n, seed=trial, confidence=confidence, resamples=200, method="percentile"
        )
        covered += found.low <= 0.0 <= found.high
    # Four standard errors of a share, and 0.01 for the quantiles of 200 resamples, which lie 1/200 inside.
    assert abs(covered / trials - expected) < 4 * np.sqrt(expected * (1 - expected) / trials) + 0.01


def test_the_standard_error_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(1).exponential(size=50)
    found = bootstrap_interval(mean_of(values), 50, seed=0, resamples=4000)
    assert found.value == values.mean()
    # The standard deviation of 4,000 numbers is off by 1/sqrt(8,000); four of these.
    np.testing.assert_allclose(found.standard_error, values.std() / np.sqrt(50), rtol=0.045)
    # Skewed to the right: the corrected interval reaches further up than the percentiles, and agrees with scipy's.
    plain = bootstrap_interval(mean_of(values), 50, seed=0, resamples=4000, method="percentile")
    assert found.high > plain.high and found.low > plain.low
    other = stats.bootstrap((values,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(2))
    width = found.high - found.low
    # Quantiles of 4,000 resamples at 2.5 % are off by about 0.04 standard deviations, 0.01 widths; five of these.
    np.testing.assert_allclose(found[1:3], other.confidence_interval, atol=0.05 * width)


def test_a_seed_repeats_and_undefined_resamples_are_left_out():
    values = np.arange(10.0)

    def picky(index):
        if np.unique(index).size < 6:
            raise ValueError("too few")
        return values[index].mean()

    first, again = (bootstrap_interval(picky, 10, seed=3, resamples=200) for _ in range(2))
    assert first.low == again.low and first.samples.size < 200
    draws = iter([1.0, 2.0, np.nan])  # of two resamples one alone, which has no deviation
    with pytest.raises(ValueError, match="got a number on 1 of 2"):
        bootstrap_interval(lambda _: next(draws), 10, seed=3, resamples=2)
    # Defined on all images in order only.
    with pytest.raises(ValueError, match="defined on most resamples, got a number on 0 of 50"):
        bootstrap_interval(lambda i: 1.0 if (i == np.arange(10)).all() else np.nan, 10, seed=0, resamples=50)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="statistic must be a finite number on all images, got"):
            bootstrap_interval(lambda index, value=value: value, 10, seed=0, resamples=50)


def test_a_constant_statistic_has_an_interval_of_no_width():
    found = bootstrap_interval(lambda index: 3.0, 5, seed=0, resamples=50)
    assert found[:4] == (3.0, 3.0, 3.0, 0.0)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="count must be at least 2"):
        bootstrap_interval(lambda index: 0.0, 1, seed=0)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        bootstrap_interval(lambda index: 0.0, 5, seed=0, confidence=95)
    with pytest.raises(ValueError, match="resamples must be at least 2"):
        bootstrap_interval(lambda index: 0.0, 5, seed=0, resamples=1)
    with pytest.raises(ValueError, match="method must be one of"):
        bootstrap_interval(lambda index: 0.0, 5, seed=0, method="t")
