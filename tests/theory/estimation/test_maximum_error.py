"""Errors of maxima: one clear maximizer, and several that are equal, against simulation."""

import numpy as np
import pytest
from scipy import stats

from theory.estimation.kernel_supremum import kernel_supremum
from theory.estimation.maximum_error import maximum_influence


def groups(rng, m, centers, shares):
    return np.array(centers)[rng.choice(len(centers), size=m, p=shares)][:, None]


def test_one_clear_maximizer_has_the_standard_error_of_its_mean():
    x = groups(np.random.default_rng(0), 500, [0.0, 100.0], [0.8, 0.2])
    found = kernel_supremum(x, np.full(500, -np.log(500)), 1.0)
    influence = maximum_influence(x, np.zeros(500), 1.0, found)
    assert influence.mean() == pytest.approx(0.0, abs=1e-12)
    assert stats.sem(influence) == pytest.approx(stats.sem((x[:, 0] == 0).astype(float)), rel=0.35)


def test_equal_ones_lie_between_their_maximum_and_one_of_them():
    rng, m = np.random.default_rng(1), 400
    centers, shares = [0.0, 30.0, 60.0, 90.0], np.full(4, 0.25)
    largest = rng.multinomial(m, shares, size=20_000).max(1) / m
    errors = []
    for _ in range(5):
        x = groups(rng, m, centers, shares)
        found = kernel_supremum(x, np.full(m, -np.log(m)), 1.0)
        errors.append(stats.sem(maximum_influence(x, np.zeros(m), 1.0, found)))
    alone = np.sqrt(0.25 * 0.75 / m)
    assert 0.9 * largest.std() < np.mean(errors) < 1.1 * alone and alone > 1.3 * largest.std()
