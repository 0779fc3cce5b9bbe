"""Folds keep groups together; the jackknife gives the error of a mean."""

import numpy as np
import pytest

from rdr.metrics.folds import jackknife_error, make_folds


def test_folds_are_even_and_keep_groups_together():
    folds = make_folds(23, 5, seed=0)
    assert np.bincount(folds).tolist() == [5, 5, 5, 4, 4]
    groups = np.repeat(np.arange(9), 4)
    folds = make_folds(36, 4, seed=1, groups=groups)
    assert all(np.unique(folds[groups == g]).size == 1 for g in range(9))
    assert (make_folds(36, 4, seed=1, groups=groups) == folds).all()
    with pytest.raises(ValueError, match="num_folds must be from 2 to the number of independent samples, 9, got 10"):
        make_folds(36, 10, seed=0, groups=groups)
    with pytest.raises(ValueError, match=r"groups must have shape \(36,\)"):
        make_folds(36, 4, seed=0, groups=groups[:5])


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=30)
    left_out = [np.delete(values, i).mean() for i in range(30)]
    np.testing.assert_allclose(jackknife_error(left_out), values.std(ddof=1) / np.sqrt(30), rtol=1e-12)
