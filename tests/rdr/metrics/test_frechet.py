"""Fréchet distance: closed forms, honest errors, singular covariances."""

import numpy as np
import pytest
from scipy import linalg, stats

from rdr.metrics.frechet import extrapolated_frechet_distance, frechet_distance, gaussian_frechet
from rdr.metrics.moments import moments

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(4, 4)) / 2 + np.eye(4)
MEAN, COVARIANCE = np.array([0.5, -0.3, 0.0, 0.2]), MIXING @ MIXING.T
TRUTH = gaussian_frechet(MEAN, COVARIANCE, np.zeros(4), np.eye(4))


def test_the_distance_of_gaussians_is_the_closed_form():
    # To the standard normal: the root of the product is that of the covariance.
    eigenvalues = np.linalg.eigvalsh(COVARIANCE)
    np.testing.assert_allclose(TRUTH, MEAN @ MEAN + np.sum((np.sqrt(eigenvalues) - 1) ** 2), rtol=1e-13)
    a, b = (x @ x.T for x in RNG.normal(size=(2, 5, 7)))
    root = linalg.sqrtm(a)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(linalg.sqrtm(root @ b @ root)).real
    np.testing.assert_allclose(gaussian_frechet(np.zeros(5), a, np.zeros(5), b), expected, rtol=1e-9)
    np.testing.assert_allclose(gaussian_frechet(np.zeros(5), b, np.zeros(5), a), expected, rtol=1e-9)
    # Numbers: (m - m')^2 + (s - s')^2.
    np.testing.assert_allclose(gaussian_frechet([1.0], [[4.0]], [3.0], [[0.25]]), 4.0 + 1.5**2, rtol=1e-14)


def test_singular_covariances_need_no_help():
    # Ranks 2 and 3 of 40 in different planes, and the zero matrix.
    a, b = RNG.normal(size=(40, 2)), RNG.normal(size=(40, 3))
    expected = np.sum(a**2) + np.sum(b**2) - 2 * np.linalg.svd(a.T @ b, compute_uv=False).sum()
    zero = np.zeros(40)
    np.testing.assert_allclose(gaussian_frechet(zero, a @ a.T, zero, b @ b.T), expected, rtol=1e-10)
    assert gaussian_frechet(zero, a @ a.T, zero, a @ a.T) < 1e-12 * np.sum(a**2)
    np.testing.assert_allclose(gaussian_frechet(zero, a @ a.T, zero, 0 * a @ a.T), np.sum(a**2), rtol=1e-12)


def test_equal_sets_are_no_distance_apart_and_order_does_not_matter():
    x = RNG.normal(size=(50, 6))
    assert frechet_distance(x, x[::-1]) < 1e-12
    y = RNG.normal(size=(40, 6)) @ np.diag(np.arange(1.0, 7.0)) + 1
    np.testing.assert_allclose(frechet_distance(x, y), frechet_distance(y, x), rtol=1e-12)
    a, b = moments(x), moments(y)
    assert frechet_distance(x, y) == gaussian_frechet(a.mean, a.covariance, b.mean, b.covariance)


def draw(rng, count):
    return MEAN + rng.normal(size=(count, 4)) @ MIXING.T, rng.normal(size=(count + 100, 4))


def draw_equal(rng, count):
    return rng.normal(size=(count, 4)), rng.normal(size=(count + 100, 4))


@pytest.mark.parametrize("sample,truth", [(draw, TRUTH), (draw_equal, 0.0)], ids=["far apart", "equal distributions"])
def test_the_extrapolation_is_unbiased_and_its_error_honest(sample, truth):
    trials, folds = 200, 16
    found = []
    for trial in range(trials):
        x, y = sample(np.random.default_rng(trial), 200)
        found.append(extrapolated_frechet_distance(x, y, seed=trial, num_folds=folds))
    estimates, errors = (np.array([getattr(f, name) for f in found]) for name in ("extrapolated", "standard_error"))
    plain = np.array([f.value for f in found])
    assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(trials)
    # What it corrects: the bias of the plain figure stands out of the same noise.
    assert plain.mean() - truth > 4 * plain.std() / np.sqrt(trials)
    # 95 % intervals with as many degrees of freedom as folds less one, within four binomial standard errors.
    covered = np.mean(np.abs(estimates - truth) < stats.t.ppf(0.975, folds - 1) * errors)
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / trials)
    # And not by being too wide: a standard deviation of 200 values is off by 5 %, and the mean of the errors by less.
    # At equal distributions the distance is of second order, where a jackknife overstates.
    ratio = np.sqrt(np.mean(errors**2)) / estimates.std()
    assert 0.8 < ratio < (1.2 if truth else 1.5)


@pytest.mark.parametrize("scale", [1.0, 2.0], ids=["equal distributions", "far apart"])
def test_four_samples_for_each_dimension_are_enough_to_extrapolate(scale):
    # A quarter then has as many samples as dimensions: the least that `set_distances` extrapolates from.
    dimension, trials = 24, 40
    widths = np.geomspace(1.0 / scale, scale, dimension)
    truth, found = np.sum((widths - 1) ** 2), []
    for trial in range(trials):
        x, y = np.random.default_rng(trial).normal(size=(2, 4 * dimension, dimension))
        found.append(extrapolated_frechet_distance(widths * x, y, seed=trial))
    estimates, errors, plain = (
        np.array([getattr(f, name) for f in found]) for name in ("extrapolated", "standard_error", "value")
    )
    assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(trials)
    assert plain.mean() - truth > 5 * estimates.std()
    assert 0.7 < errors.mean() / estimates.std() < 1.6


def test_groups_make_the_error_that_of_independent_images():
    # 32 images of 20 equal patches each: as certain as 32 samples, not as 640.
    trials, ratios, errors, estimates = 40, [], [], []
    for trial in range(trials):
        rng = np.random.default_rng(1000 + trial)
        x = np.repeat(0.5 + rng.normal(size=(32, 1)), 20, 0) + 0.1 * rng.normal(size=(640, 1))
        y = np.repeat(2.0 * rng.normal(size=(32, 1)), 20, 0) + 0.1 * rng.normal(size=(640, 1))
        groups = np.repeat(np.arange(32), 20)
        options = {"seed": trial, "num_folds": 16}
        with_groups = extrapolated_frechet_distance(x, y, groups=groups, reference_groups=groups, **options)
        ratios.append(with_groups.standard_error / extrapolated_frechet_distance(x, y, **options).standard_error)
        errors.append(with_groups.standard_error)
        estimates.append(with_groups.extrapolated)
    # sqrt(20) = 4.5 times as uncertain; and about as uncertain as the spread over trials.
    assert 3.0 < np.median(ratios) < 6.5
    assert 0.6 < np.std(estimates) / np.median(errors) < 1.8


def test_options_and_small_sets_are_refused():
    x, y = draw(np.random.default_rng(0), 60)
    with pytest.raises(ValueError, match="num_folds must be a multiple of 4 and at least 8, got 10"):
        extrapolated_frechet_distance(x, y, seed=0, num_folds=10)
    with pytest.raises(ValueError, match="num_folds must be from 2 to the number of independent samples, 6, got 8"):
        extrapolated_frechet_distance(x[:6], y, seed=0, num_folds=8)
    with pytest.raises(ValueError, match="covariance must be positive semidefinite, got an eigenvalue -1"):
        gaussian_frechet([0.0, 0.0], np.diag([1.0, -1.0]), [0.0, 0.0], np.eye(2))
    with pytest.raises(ValueError, match=r"covariance must have shape \(2, 2\), got \(3, 3\)"):
        gaussian_frechet([0.0, 0.0], np.eye(3), [0.0, 0.0], np.eye(2))
    with pytest.raises(ValueError, match="other_covariance must be finite"):
        gaussian_frechet([0.0], [[1.0]], [0.0], [[np.nan]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_singular_covariances_of_both_precisions_are_taken(dtype):
    """Fault 19: a rank-deficient covariance of float32 was refused for its rounding."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10, 64))
    left, right = (np.cov(z.astype(dtype).T, dtype=dtype) for z in (x, y))
    assert left.dtype == dtype
    exact = gaussian_frechet(np.zeros(64), np.cov(x.T), np.zeros(64), np.cov(y.T))
    np.testing.assert_allclose(gaussian_frechet(np.zeros(64), left, np.zeros(64), right), exact, rtol=1e-3)
    with pytest.raises(ValueError, match="positive semidefinite"):
        gaussian_frechet(np.zeros(64), left - np.eye(64, dtype=dtype), np.zeros(64), right)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e10, 1e14])
def test_roots_by_cholesky_and_by_eigenvectors_agree_with_the_formula(condition):
    """Fault 40: two eigendecompositions where none is needed."""
    scipy_linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    scale = np.geomspace(1, 1 / condition, 20)
    q, r = (np.linalg.qr(rng.normal(size=(20, 20)))[0] for _ in range(2))
    left, right = (q * scale) @ q.T, (r * scale[::-1]) @ r.T
    root = (q * np.sqrt(scale)) @ q.T
    expected = 2 * scale.sum() - 2 * np.sqrt(np.maximum(scipy_linalg.eigvalsh(root @ right @ root), 0)).sum()
    # The traces of 20 at condition 1 leave rounding where the distance is 0.
    rounding = 100 * np.finfo(float).eps * scale.sum()
    np.testing.assert_allclose(gaussian_frechet(np.zeros(20), left, np.zeros(20), right), expected, rtol=1e-6,
                               atol=rounding)
