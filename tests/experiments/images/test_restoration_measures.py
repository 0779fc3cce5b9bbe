"""Measures of restoration: the line is attained by transport of patches and holds otherwise, and errors are honest."""

import numpy as np
import pytest

from experiments.images import restoration_measures as measures
from theory.gaussian import restoration

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 16, 16, 1)) @ np.array([[0.3]])
MEAN = 0.5 * X + 0.05 * RNG.normal(size=X.shape)  # no conditional mean, but E|X* - Y|^2 needs none
FOLDS = measures.folds_of(np.arange(48) // 2, seed=0)


def side(images):
    return measures.summarize(images, X, FOLDS)


def test_patches_are_where_they_were():
    images = np.arange(2 * 16 * 24, dtype=float).reshape(2, 16, 24, 1)
    np.testing.assert_array_equal(measures.cut(images)[4].reshape(8, 8), images[0, 8:16, 8:16, 0])
    assert measures.cut(images).shape == (12, 64)


def test_photographs_stay_in_one_fold_where_there_are_enough():
    assert len(set(zip(np.arange(48) // 2, FOLDS))) == 24
    assert np.unique(measures.folds_of(np.zeros(48), seed=0)).size == measures.FOLDS


def test_transport_of_patches_attains_the_line_up_to_the_term_across():
    """D = D* + E|X* - Y|^2 + 2 E(X - X*)(X* - Y): on the line but for the last term, 0 for a true mean."""
    before, after = measures.cut(MEAN), measures.cut(X)
    plan = restoration.transport(np.cov(before.T), np.cov(after.T))
    for alpha in (0.5, 1.0):
        moved = before + alpha * ((before - before.mean(0)) @ np.asarray(plan.matrix).T + after.mean(0) - before)
        images = moved.reshape(48, 2, 2, 8, 8).transpose(0, 1, 3, 2, 4).reshape(X.shape)
        found = measures.compare(side(images), side(MEAN), side(X))
        across = 2 * np.mean((X - MEAN) * (MEAN - images))
        np.testing.assert_allclose(found.gap, across, atol=2e-4)
        away = plan.w2sq + np.square(before.mean(0) - after.mean(0)).sum()
        np.testing.assert_allclose(found.perception, (1 - alpha) ** 2 * away / 64, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found.distortion, np.mean((X - images) ** 2), rtol=1e-12)


def test_the_estimate_lies_on_the_line_and_noise_above_it():
    at_mean = measures.compare(side(MEAN), side(MEAN), side(X))
    assert at_mean.gap == pytest.approx(0.0, abs=1e-12) and at_mean.gap_se < 1e-12
    assert measures.least_error([side(0.5 * MEAN), side(MEAN), side(2 * X)]).errors.sum() == side(MEAN).errors.sum()
    noisy = measures.compare(side(MEAN + 0.2 * np.random.default_rng(1).normal(size=X.shape)), side(MEAN), side(X))
    assert noisy.gap > 10 * noisy.gap_se > 0 and noisy.perception_se > 0
    gray = measures.compare(side(0.1 * MEAN), side(MEAN), side(X))  # less realistic than the estimate: its error bounds
    assert gray.perception > at_mean.perception
    np.testing.assert_allclose(gray.line, at_mean.distortion, rtol=1e-12)


def test_folds_of_other_sizes_weigh_by_their_patches():
    sides = (measures.summarize(images, X, np.maximum(np.arange(48) - 36, 0)) for images in (MEAN, MEAN, X))
    np.testing.assert_allclose(measures.compare(*sides).distortion, np.mean((X - MEAN) ** 2), rtol=1e-12)


def test_the_error_is_that_of_other_draws():
    draws = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = 0.3 * rng.normal(size=X.shape)
        mean = 0.5 * x
        y = 0.7 * x + 0.1 * rng.normal(size=X.shape)
        draws.append(measures.compare(*(measures.summarize(images, x, FOLDS) for images in (y, mean, x))))
    spread = np.std([it.gap for it in draws])
    assert 0.6 * spread < np.mean([it.gap_se for it in draws]) < 1.7 * spread
