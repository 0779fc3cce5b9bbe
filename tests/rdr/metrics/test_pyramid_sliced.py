"""Sliced distance on pyramids: places are shared, the distance is the loss's, its error is honest."""

import jax
import numpy as np
import pytest

from rdr.features.laplacian_pyramid import laplacian_pyramid
from rdr.losses.sliced_wasserstein import sliced_w2_squared
from rdr.metrics.pyramid_sliced import pyramid_neighborhoods, sliced_distance

KEY = jax.random.key(0)


def test_neighborhoods_are_cut_out_of_the_levels_at_the_same_places():
    rng = np.random.default_rng(0)
    images = rng.random((2, 40, 36, 3))
    cut = jax.jit(lambda x: pyramid_neighborhoods(x, key=KEY, num_levels=2, size=5, count=9))
    found, other = cut(images), cut(images + 0.25)
    levels = laplacian_pyramid(images, num_levels=2)
    for pieces, level in zip(found, levels):
        assert pieces.shape == (2, 9, 75)
        level = np.asarray(level)
        windows = np.lib.stride_tricks.sliding_window_view(level, (5, 5), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        for image in range(2):
            candidates = windows[image].reshape(-1, 75)
            for piece in np.asarray(pieces[image]):
                assert np.abs(candidates - piece).max(1).min() < 1e-12
    # A brighter image has the same details and a brighter residual, if the places are the same.
    np.testing.assert_allclose(other[0], found[0], atol=1e-12)
    np.testing.assert_allclose(other[1], found[1] + 0.25, atol=1e-12)
    with pytest.raises(ValueError, match="images must be larger for 4 levels: level 3 of"):
        pyramid_neighborhoods(images, key=KEY)


def test_the_distance_is_that_of_the_loss():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(64, 5)), 0.3 + 1.5 * rng.normal(size=(64, 5))
    value, _ = sliced_distance(x, y, key=KEY, seed=0, num_projections=32)
    np.testing.assert_allclose(value, sliced_w2_squared(x, y, key=KEY, num_projections=32), rtol=1e-6)
    same, error = sliced_distance(x, x[::-1], key=KEY, seed=0)
    assert same == 0.0 and error >= 0.0


def test_the_error_is_the_spread_over_draws():
    # Far apart, so that the distance is that of the means: its spread is nearly normal.
    values, errors = [], []
    for trial in range(60):
        rng = np.random.default_rng(trial)
        x, y = rng.normal(size=(2, 128, 3)) + np.array([[[0.0] * 3], [[2.0] * 3]])
        value, error = sliced_distance(x, y, key=KEY, seed=trial)
        values.append(value)
        errors.append(error)
    # A standard deviation of 60 values is off by 9 %, the mean jackknife error by 3 %.
    np.testing.assert_allclose(np.mean(errors), np.std(values), rtol=0.4)


def test_sets_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="reference must have the shape of samples"):
        sliced_distance(np.zeros((40, 3)), np.zeros((41, 3)), key=KEY, seed=0)
    with pytest.raises(ValueError, match="num_projections must be at least 1"):
        sliced_distance(np.zeros((40, 3)), np.zeros((40, 3)), key=KEY, seed=0, num_projections=0)
