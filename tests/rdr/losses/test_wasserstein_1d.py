import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from rdr.losses.wasserstein_1d import normal_slice_means, sorted_w2_squared


def test_equals_the_best_assignment():
    """Oracle: scipy's linear assignment over all permutations."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 40))
    cost = np.square(x[:, None] - y)
    rows, columns = optimize.linear_sum_assignment(cost)
    np.testing.assert_allclose(sorted_w2_squared(x, y), cost[rows, columns].mean(), rtol=1e-12)


def test_trailing_dimensions_are_separate():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 16, 3, 2))
    whole = sorted_w2_squared(x, y)
    assert whole.shape == (3, 2)
    np.testing.assert_allclose(whole[2, 1], sorted_w2_squared(x[:, 2, 1], y[:, 2, 1]), rtol=1e-14)


def test_gradient_equals_finite_differences_and_respects_order():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 12))
    value, gradient = jax.jit(sorted_w2_squared), jax.jit(jax.grad(sorted_w2_squared))(x, y)
    for i in range(12):
        step = np.eye(12)[i] * 1e-6
        numeric = (value(x + step, y) - value(x - step, y)) / 2e-6
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-6, atol=1e-9)


def test_shifted_and_scaled_gaussian_has_the_closed_form():
    """Oracle: W2^2(N(m, s^2), N(0,1)) = m^2 + (s-1)^2; slices of a Gaussian are exact up to the spread inside them."""
    slices = np.asarray(normal_slice_means(100_000, jnp.float64))
    spread = 1.0 - np.mean(slices**2)
    found = jax.jit(sorted_w2_squared)(0.3 + 1.2 * slices, slices)
    np.testing.assert_allclose(found, 0.09 + 0.04 * (1 - spread), rtol=1e-9)


def test_slice_means_equal_quadrature():
    means = np.asarray(normal_slice_means(7, jnp.float64))
    edges = stats.norm.ppf(np.arange(8) / 7)
    expected = [7 * stats.norm.expect(lambda v: v, lb=a, ub=b) for a, b in zip(edges[:-1], edges[1:])]
    np.testing.assert_allclose(means, expected, atol=1e-8)
    assert jax.eval_shape(lambda: normal_slice_means(5)).dtype == jnp.float32
    np.testing.assert_allclose(normal_slice_means(1), [0.0])


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((0,), (0,)), ((), ())])
def test_wrong_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="samples and reference must have one shape"):
        sorted_w2_squared(np.zeros(shapes[0]), np.zeros(shapes[1]))
