"""From sigma to windows: units, resizing, limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.wasserstein_distortion import window_weights as windows

MAP = np.zeros((1, 8, 12, 1))


def test_infinity_is_the_whole_image_and_its_average_with_zero_is_finite():
    sigma = np.where(np.arange(12) < 6, 0.0, np.inf) * np.ones((8, 1))
    variance, frame = windows.sigma_squared(sigma, [MAP], None)
    assert frame == (8, 12) and np.isfinite(variance).all()
    weights = windows.window_weights(variance, frame, 8, 12, None)
    assert weights[0].sum() == pytest.approx(0.5, rel=1e-14)
    assert weights[-1].sum() == pytest.approx(0.5, rel=1e-14)
    assert all(w is None for w in weights[1:-1])


def test_sigma_of_a_smaller_map_is_divided_by_the_ratio_and_averaged_in_the_square():
    sigma = np.random.default_rng(0).random((8, 12))
    variance, frame = windows.sigma_squared(sigma, [MAP], None)
    want = (sigma**2).reshape(4, 2, 6, 2).mean((1, 3)) / 4
    np.testing.assert_allclose(windows.variance_at(variance, frame, 4, 6)[0], want, rtol=1e-13)
    traced = jax.jit(lambda s: windows.variance_at(windows.sigma_squared(s, [MAP], None)[0], frame, 4, 6))(sigma)
    np.testing.assert_allclose(traced[0], want, rtol=1e-13)


def test_weights_are_the_same_whether_sigma_is_traced_or_not():
    sigma = np.random.default_rng(1).exponential(2.0, (2, 8, 12))
    variance, frame = windows.sigma_squared(sigma, [np.repeat(MAP, 2, 0)], None)
    known = windows.window_weights(variance, frame, 7, 5, None)
    traced = jax.jit(lambda v: windows.window_weights(v, frame, 7, 5, None))(variance)
    for a, b in zip(known, traced):
        np.testing.assert_allclose(0 if a is None else a, b, atol=1e-16)


def test_maps_are_brought_to_single_precision_at_least():
    assert windows.as_map("x", jnp.zeros((1, 2, 2, 1), jnp.bfloat16)).dtype == jnp.float32
    assert windows.as_map("x", np.zeros((0, 2, 2, 1))).dtype == jnp.float64  # an empty batch is a batch
    with pytest.raises(ValueError, match="x must have shape"):
        windows.as_map("x", np.zeros((1, 0, 2, 1)))


def test_one_number_per_image_is_a_constant_map_each():
    variance, frame = windows.sigma_squared(np.array([1.0, 3.0]).reshape(2, 1, 1), [np.repeat(MAP, 2, 0)], None)
    assert frame == (8, 12)
    np.testing.assert_allclose(windows.variance_at(variance, frame, 4, 6)[:, 0, 0], [0.25, 2.25], rtol=1e-14)
