"""Gradients at edges, against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.gradients import absolute, lower_bound, safe_sqrt


def test_roots_and_absolute_values_have_gradient_zero_at_zero():
    x = jnp.asarray([-1.0, 0.0, 4.0])
    np.testing.assert_array_equal(safe_sqrt(x), [0.0, 0.0, 2.0])
    np.testing.assert_array_equal(jax.grad(lambda x: safe_sqrt(x).sum())(x), [0.0, 0.0, 0.25])
    np.testing.assert_array_equal(absolute(x), [1.0, 0.0, 4.0])
    np.testing.assert_array_equal(jax.grad(lambda x: absolute(x).sum())(x), [-1.0, 0.0, 1.0])


def test_a_bound_lets_gradients_point_back():
    x = jnp.array([0.05, 0.05, 0.5])
    pull = jnp.array([-1.0, 1.0, 1.0])  # descent along -pull: the first wants up, the second further down
    gradient = jax.grad(lambda v: jnp.sum(pull * lower_bound(v, 0.1)))(x)
    np.testing.assert_array_equal(gradient, [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(lower_bound(x, 0.1), [0.1, 0.1, 0.5])
