"""Oracles: the functions that are looked up, and the total variation of Gaussians. Vectors: test_lookup.py."""

import numpy as np
import pytest
from scipy import stats

from theory import bounds, gaussian
from theory.bounds import sources
from theory.gaussian import lower_bounds, upper_bounds


@pytest.mark.parametrize("perception", ["reverse_kl", "hellinger2", "tv"])
def test_divergences_of_which_gaussians_are_not_the_best_are_bracketed(perception):
    name = {"reverse_kl": "kl_source_reconstruction", "hellinger2": "squared_hellinger", "tv": "total_variation"}
    found = bounds.bounds_of(sources.gaussian(1.0, 2.0), perception=perception)
    assert [bound.kind for bound in found] == ["lower", "lower", "upper"]
    d, p = np.array([[0.2], [0.8], [1.9]]), np.array([0.0, 1e-3, 0.03, 0.4])
    lower, upper = bounds.interval(found, d, p)
    expected = lower_bounds.gaussian_rate_lower_bound(d, p, 2.0, divergence=name[perception])
    np.testing.assert_allclose(lower, np.maximum(expected, gaussian.rate_distortion(d, 2.0)), rtol=1e-14)
    assert np.all(lower <= upper * (1 + 1e-13)) and np.all(lower[1, :2] > gaussian.rate_distortion(0.8, 2.0))
    np.testing.assert_allclose(lower[:, 0], upper[:, 0], rtol=1e-9)  # R(D, 0)
    assert np.all(np.diff(upper) <= 1e-13) and np.all(np.diff(lower) <= 1e-13)


def test_reconstructions_within_a_total_variation_by_hellinger():
    """Oracle: the total variation of the Gaussian whose rate is the upper bound, by its two crossings."""
    p = np.array([0.02, 0.2, 0.7])
    squared = 1 - np.sqrt(1 - p**2)
    share = np.asarray(upper_bounds.least_gaussian_variance(squared, 1.0, divergence="squared_hellinger"))
    cross = np.sqrt(np.log(share) / (1 - 1 / share))
    total = 2 * (stats.norm.cdf(cross / np.sqrt(share)) - stats.norm.cdf(cross))
    assert np.all(total <= p) and np.all(total > 0.5 * p)
    rate = bounds.bounds_of(sources.gaussian(), perception="tv")[-1].rate
    np.testing.assert_allclose(
        rate(0.9, p), upper_bounds.gaussian_rate_upper_bound(0.9, squared, divergence="squared_hellinger"), rtol=1e-12)
    np.testing.assert_allclose(rate(0.4, np.array([1.0, 1.5])), gaussian.rate_distortion(0.4), rtol=1e-14)
