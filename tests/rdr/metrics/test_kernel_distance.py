"""Kernel distance: the closed form on Gaussians, brute force, honest errors, dependent samples."""

import numpy as np
import pytest
from scipy import stats

from rdr.losses.mmd import mmd_squared
from rdr.metrics.kernel_distance import kernel_distance

RNG = np.random.default_rng(0)
MIXING = 0.5 * RNG.normal(size=(3, 3)) + np.eye(3)
MEAN = np.array([0.4, -0.2, 0.1])


def moment_tensors(mean, covariance):
    """Raw moments of a Gaussian, of orders 1 to 3."""
    second = covariance + np.outer(mean, mean)
    third = np.einsum("i,j,k->ijk", mean, mean, mean)
    for axes in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"):
        third = third + np.einsum(axes, mean, covariance)
    return mean, second, third


def expected_kernel(a, b):
    """E (x.y / d + 1)^3 of independent vectors: the moments of x.y are inner products of moment tensors."""
    d = len(a[0])
    first, second, third = (np.sum(x * y) / d ** (k + 1) for k, (x, y) in enumerate(zip(a, b)))
    return third + 3 * second + 3 * first + 1


A, B = moment_tensors(MEAN, MIXING @ MIXING.T), moment_tensors(np.zeros(3), np.eye(3))
TRUTH = expected_kernel(A, A) - 2 * expected_kernel(A, B) + expected_kernel(B, B)


def test_it_equals_the_unbiased_estimate_of_the_loss():
    x, y = RNG.normal(size=(30, 4)), 0.5 + RNG.normal(size=(40, 4))
    expected = mmd_squared(x, y, kernel="polynomial", unbiased=True)
    for block in (7, 2048):
        np.testing.assert_allclose(kernel_distance(x, y, seed=0, num_folds=10, block=block).value, expected, rtol=1e-11)


def test_the_closed_form_on_gaussians_is_covered():
    trials, folds = 200, 20
    found = []
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        x, y = MEAN + rng.normal(size=(120, 3)) @ MIXING.T, rng.normal(size=(140, 3))
        found.append(kernel_distance(x, y, seed=trial, num_folds=folds))
    estimates, errors = np.array(found).T
    assert abs(estimates.mean() - TRUTH) < 4 * estimates.std() / np.sqrt(trials)
    covered = np.mean(np.abs(estimates - TRUTH) < stats.t.ppf(0.975, folds - 1) * errors)
    # Four binomial standard errors; the third power skews the estimate, which costs some coverage.
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / trials) - 0.03 < covered
    # A standard deviation of 200 skewed values is off by about 10 %.
    np.testing.assert_allclose(np.sqrt(np.mean(errors**2)), estimates.std(), rtol=0.35)


def test_pairs_within_an_image_are_left_out():
    # Equal distributions, each image's reference and candidate patches alike: counting those would bias the estimate.
    plain, grouped = [], []
    for trial in range(100):
        rng = np.random.default_rng(trial)
        images = np.repeat(rng.normal(size=(24, 2)), 5, 0)
        x, y = (images + 0.3 * rng.normal(size=images.shape) for _ in range(2))
        groups = np.repeat(np.arange(24), 5)
        options = {"seed": 0, "num_folds": 12}
        plain.append(kernel_distance(x, y + 0.0, **options).value)
        grouped.append(kernel_distance(x, y, groups=groups, reference_groups=groups, **options).value)
    noise = np.std(grouped) / 10
    assert abs(np.mean(grouped)) < 4 * noise
    assert abs(np.mean(plain)) > 4 * np.std(plain) / 10


def test_groups_by_brute_force():
    x, y = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2))
    groups, other = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 3, 3, 1])

    def mean(a, b, i, j):
        kernel = (a @ b.T / 2 + 1) ** 3
        return kernel[i[:, None] != j].mean()

    expected = mean(x, x, groups, groups) - 2 * mean(x, y, groups, other) + mean(y, y, other, other)
    found = kernel_distance(x, y, seed=0, num_folds=3, groups=groups, reference_groups=other)
    np.testing.assert_allclose(found.value, expected, rtol=1e-12)


def test_options_are_refused():
    x = np.zeros((10, 2))
    with pytest.raises(ValueError, match="groups and reference_groups must be given both"):
        kernel_distance(x, x, seed=0, groups=np.arange(10), num_folds=5)
    with pytest.raises(ValueError, match="num_folds must be from 2 to the number of independent samples, 10"):
        kernel_distance(x, x, seed=0)
    with pytest.raises(ValueError, match="degree must be >= 1"):
        kernel_distance(x, x, seed=0, num_folds=5, degree=0)
