"""Squared and absolute error, against numpy."""

import jax
import numpy as np
import pytest

from rdr.losses import pointwise


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (2, 7), (0, 3, 3, 1)])
def test_errors_are_means_per_element_of_the_batch(shape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, *shape))
    axes = tuple(range(1, len(shape)))
    np.testing.assert_allclose(pointwise.squared_error(x, y), ((x - y) ** 2).mean(axes), rtol=1e-13)
    np.testing.assert_allclose(pointwise.absolute_error(x, y), np.abs(x - y).mean(axes), rtol=1e-13)


def test_gradient_of_the_absolute_error_is_zero_at_equality():
    x = np.ones((1, 2, 2, 1))
    gradient = jax.grad(lambda x: pointwise.absolute_error(x, x + np.eye(2)[None, :, :, None]).sum())
    np.testing.assert_array_equal(jax.grad(lambda z: pointwise.absolute_error(z, x).sum())(x), 0.0)
    np.testing.assert_array_equal(gradient(x), 0.0)


def test_charbonnier_is_quadratic_within_its_scale_and_absolute_beyond():
    x = np.array([[3.0], [1e-3], [0.0]])
    found = pointwise.charbonnier(x, np.zeros((3, 1)), scale=0.1)
    np.testing.assert_allclose(found, [np.hypot(3.0, 0.1) - 0.1, 1e-6 / 0.2, 0.0], rtol=1e-4)
    with pytest.raises(ValueError, match="scale must be positive"):
        pointwise.charbonnier(x, x, scale=0.0)


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"reference must have the shape of images, \(2, 3\), got \(2, 4\)"):
        pointwise.squared_error(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="images must have shape"):
        pointwise.squared_error(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="images must hold floating-point numbers"):
        pointwise.squared_error(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8))
