"""Rank correlations, against scipy and by counting."""

import numpy as np
import pytest
from scipy import stats

from rdr.metrics.rank_correlation import forced_choice_accuracy, kendall, spearman

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
