"""Rank correlations, against scipy and by counting."""

import numpy as np
import pytest
from scipy import stats

from rdr.metrics.rank_correlation import fitted_agreement, forced_choice_accuracy, kendall, spearman

RNG = np.random.default_rng(0)
METRIC, OPINION = RNG.integers(0, 12, 40).astype(float), RNG.integers(0, 9, 40).astype(float)


def test_correlations_equal_scipy_also_with_ties():
    np.testing.assert_allclose(spearman(METRIC, OPINION), stats.spearmanr(METRIC, OPINION).statistic, rtol=1e-12)
    a, b = (np.sign(x[:, None] - x[None]) for x in (METRIC, OPINION))
    expected = np.sum(a * b) / np.sqrt(np.sum(a != 0) * np.sum(b != 0))
    np.testing.assert_allclose(kendall(METRIC, OPINION), expected, rtol=1e-12)


def test_forced_choices_by_counting():
    groups = np.arange(40) % 3
    agreed = pairs = 0
    for i in range(40):
        for j in range(40):
            if groups[i] == groups[j] and OPINION[i] > OPINION[j]:
                pairs += 1
                agreed += 1 if METRIC[i] > METRIC[j] else 0.5 * (METRIC[i] == METRIC[j])
    assert forced_choice_accuracy(METRIC, OPINION, groups) == agreed / pairs


def test_perfect_reversed_infinite_and_constant_metrics():
    metric = np.append(np.arange(9.0), np.inf)
    opinion = np.exp(np.arange(10.0))
    for sign, accuracy in ((1, 1.0), (-1, 0.0)):
        found = spearman(sign * metric, opinion), kendall(sign * metric, opinion)
        np.testing.assert_allclose(found, sign, rtol=1e-12)
        assert forced_choice_accuracy(sign * metric, opinion) == accuracy
    assert np.isnan(spearman(np.zeros(10), opinion)) and forced_choice_accuracy(np.zeros(10), opinion) == 0.5
    assert np.isnan(forced_choice_accuracy(metric, opinion, np.arange(10)))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="two or more pairs"):
        spearman([1.0], [1.0])
    with pytest.raises(ValueError, match="metric must be numbers"):
        kendall([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"groups must have shape \(2,\)"):
        forced_choice_accuracy([1.0, 2.0], [1.0, 2.0], [0])


def test_after_the_fit_a_monotone_metric_correlates_fully():
    """Fault 25: Pearson's correlation after a monotone fit, as the field reports it, was missing."""
    opinion = np.linspace(1, 5, 40)
    curved = np.log((opinion - 0.9) / (5.1 - opinion))  # the logistic's inverse
    correlation, error, fit = fitted_agreement(curved, opinion)
    assert correlation > 1 - 1e-9 and error < 1e-4 and fit.high > fit.low
    assert fitted_agreement(-curved, opinion)[0] < -1 + 1e-9
    noise = np.random.default_rng(0).normal(size=40)
    assert abs(fitted_agreement(noise, opinion)[0]) < 0.6
    assert fitted_agreement(noise, opinion)[1] <= opinion.std() + 1e-9
    assert np.isnan(fitted_agreement(curved, np.ones(40))[0])


def test_choices_within_groups_are_counted_without_all_pairs():
    rng = np.random.default_rng(0)
    metric, opinion = rng.integers(0, 9, (2, 3000)).astype(float)
    groups = rng.integers(0, 5, 3000)
    better = (opinion[:, None] > opinion[None]) & (groups[:, None] == groups[None])
    agreed = (metric[:, None] > metric[None]) + 0.5 * (metric[:, None] == metric[None])
    np.testing.assert_allclose(forced_choice_accuracy(metric, opinion, groups), agreed[better].mean(), rtol=1e-12)
    whole = opinion[:, None] > opinion[None]
    np.testing.assert_allclose(forced_choice_accuracy(metric, opinion), agreed[whole].mean(), rtol=1e-12)
