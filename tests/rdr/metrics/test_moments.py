"""Moments of feature vectors: merged, they are those computed at once."""

import numpy as np
import pytest

from rdr.metrics.moments import feature_pair, merge, moments


def test_merged_moments_are_those_of_the_union_also_far_from_the_origin():
    rng = np.random.default_rng(0)
    values = 1e6 + rng.normal(size=(60, 4))
    parts = merge([moments(values[:7]), moments(values[7:8]), moments(values[8:])])
    assert parts.count == 60
    np.testing.assert_allclose(parts.mean, values.mean(0), rtol=1e-15)
    # Values of 1e6 are known to 1e-10, so are deviations of order 1.
    np.testing.assert_allclose(parts.covariance, np.cov(values.T), rtol=1e-8, atol=1e-9)


def test_sets_that_are_no_vectors_are_refused():
    good = np.zeros((5, 3))
    with pytest.raises(ValueError, match=r"features must be numbers of shape \[samples, dimension\]"):
        feature_pair(np.zeros(5), good)
    with pytest.raises(ValueError, match="reference must be finite"):
        feature_pair(good, np.full((5, 3), np.nan))
    with pytest.raises(ValueError, match="reference must have vectors of length 3, got 2"):
        feature_pair(good, np.zeros((5, 2)))
    with pytest.raises(ValueError, match="a covariance needs at least 2 samples"):
        moments(good[:1]).covariance  # noqa: B018
