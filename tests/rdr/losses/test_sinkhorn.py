"""Entropic transport and the Sinkhorn divergence, against Gaussian closed forms and exact assignments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from rdr.losses.sinkhorn import entropic_transport, sinkhorn_divergence


def gaussian_transport(mean, s, t, epsilon):
    """OT_e of N(0, s^2) and N(mean, t^2): the best jointly Gaussian coupling, in its correlation r.

    Minimizes mean^2 + s^2 + t^2 - 2 r s t - e/2 log(1 - r^2): 2 s t (1 - r^2) = e r.
    """
    r = (np.sqrt(epsilon**2 + 16 * s**2 * t**2) - epsilon) / (4 * s * t)
    return mean**2 + s**2 + t**2 - 2 * r * s * t - 0.5 * epsilon * np.log1p(-(r**2))


def gaussian_grid(mean, deviation):
    # The trapezoid rule is spectrally accurate for Gaussians: step deviation / 5 leaves 1e-20.
    z = np.arange(-40, 41) / 5.0
    weights = np.exp(-0.5 * z**2)
    return mean + deviation * z, weights / weights.sum()


@pytest.fixture(scope="module")
def divergence():
    return jax.jit(
        lambda x, y, epsilon, a, b: sinkhorn_divergence(
            x, y, epsilon=epsilon, weights=a, reference_weights=b, tolerance=1e-11
        )
    )


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_transport_and_divergence_of_gaussians_are_their_closed_forms(epsilon, divergence):
    (x, a), (y, b) = gaussian_grid(0.3, 1.0), gaussian_grid(1.5, 0.6)
    truth = gaussian_transport(1.2, 1.0, 0.6, epsilon)
    truth -= 0.5 * gaussian_transport(0.0, 1.0, 1.0, epsilon) + 0.5 * gaussian_transport(0.0, 0.6, 0.6, epsilon)
    # Entropic plans are smooth at the scale of the grid, so both sums are accurate to rounding.
    np.testing.assert_allclose(divergence(x, y, epsilon, a, b), truth, rtol=1e-9)


def test_a_small_epsilon_gives_the_best_assignment():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)) + 0.5
    cost = ((x[:, None] - y[None]) ** 2).sum(-1)
    exact = cost[linear_sum_assignment(cost)].mean()
    epsilon = 0.02
    out = jax.jit(lambda x, y: entropic_transport(x, y, epsilon=epsilon, tolerance=1e-5, max_iterations=30_000))(x, y)
    assert out.marginal_error <= 1e-5 and out.iterations < 30_000
    # Entropy relative to the product is between 0 and log n. A marginal error costs at most itself times the
    # range of the potentials.
    slack = 1e-5 * float(out.potential.max() - out.potential.min())
    assert exact - slack <= out.cost <= exact + epsilon * np.log(9)


def test_a_large_epsilon_gives_the_squared_distance_of_the_means(divergence):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=81), rng.normal(size=81) + 0.5
    equal = np.full(81, 1 / 81)
    # The correction is of order variance^2 / epsilon.
    np.testing.assert_allclose(
        divergence(x, y, 1e6, equal, equal), (x.mean() - y.mean()) ** 2, atol=20.0 / 1e6
    )


def test_gradients_are_those_of_the_optimum():
    rng = np.random.default_rng(2)
    x, y = jnp.asarray(rng.normal(size=(6, 2))), jnp.asarray(rng.normal(size=(5, 2)))
    weights = jnp.asarray(rng.dirichlet(np.ones(6)))

    def cost(x, y, epsilon, weights):
        out = entropic_transport(x, y, epsilon=epsilon, weights=weights / weights.sum(), tolerance=1e-13)
        return out.cost

    value_and_gradient = jax.jit(jax.value_and_grad(cost, argnums=(0, 1, 2, 3)))
    args = (x, y, jnp.asarray(0.4), weights)
    _, gradients = value_and_gradient(*args)
    directions = (rng.normal(size=(6, 2)), rng.normal(size=(5, 2)), 0.3, 0.1 * weights * rng.normal(size=6))
    for k, direction in enumerate(directions):
        h = 1e-5
        ahead, behind = (
            value_and_gradient(*args[:k], args[k] + sign * h * direction, *args[k + 1 :])[0] for sign in (1, -1)
        )
        # Central differences: h^2, and 1e-13 / h from where the iteration stops.
        np.testing.assert_allclose(jnp.sum(gradients[k] * direction), (ahead - behind) / (2 * h), rtol=1e-6)


def test_equal_sets_are_at_divergence_zero_and_others_above(divergence):
    rng = np.random.default_rng(3)
    x, equal = rng.normal(size=81), np.full(81, 1 / 81)
    assert divergence(x, x, 0.5, equal, equal) == 0.0
    np.testing.assert_allclose(divergence(x, x[::-1], 0.5, equal, equal), 0.0, atol=1e-9)
    assert divergence(x, x + 0.1, 0.5, equal, equal) > 1e-3


def test_arguments_that_do_not_fit_are_refused():
    x = np.zeros((3, 2))
    with pytest.raises(ValueError, match="epsilon must be > 0, got 0"):
        sinkhorn_divergence(x, x, epsilon=0.0)
    with pytest.raises(ValueError, match=r"weights must have shape \(3,\), got \(2,\)"):
        entropic_transport(x, x, epsilon=1.0, weights=np.ones(2))


@pytest.mark.parametrize("weights", [[0.5, 0.5, 0.5], [1.0, 0.0, 0.0], [1.5, -0.5, 0.0], [np.nan, 0.5, 0.5]])
def test_weights_that_are_no_probabilities_are_refused(weights):
    with pytest.raises(ValueError, match="weights must be positive and sum to 1"):
        entropic_transport(np.zeros((3, 2)), np.ones((3, 2)), epsilon=0.1, weights=np.array(weights))


@pytest.mark.parametrize("dimension, epsilon", [(2, 0.1), (1, 0.05), (8, 0.5)])
def test_over_relaxation_saves_half_of_the_iterations_and_ends_at_the_same_optimum(dimension, epsilon):
    """Fault 40: plain alternation, twice as many iterations as needed and more."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, dimension)), 0.8 * rng.normal(size=(50, dimension)) + 0.5
    out = jax.jit(lambda x, y: entropic_transport(x, y, epsilon=epsilon, tolerance=1e-8))(x, y)
    cost = ((x[:, None] - y[None]) ** 2).sum(-1)
    f, g, plain = np.zeros(60), np.zeros(50), 0
    while True:
        g = -epsilon * np.log(np.mean(np.exp((f[:, None] - cost) / epsilon), 0))
        new = -epsilon * np.log(np.mean(np.exp((g[None] - cost) / epsilon), 1))
        error, f, plain = np.mean(np.abs(np.expm1((f - new) / epsilon))), new, plain + 1
        if error <= 1e-8:
            break
    assert out.marginal_error <= 1e-8 and 2 * out.iterations < plain
    np.testing.assert_allclose(out.cost, f.mean() + g.mean(), rtol=1e-7)
    plan = np.exp((out.potential[:, None] + out.reference_potential[None] - cost) / epsilon) / (60 * 50)
    np.testing.assert_allclose(plan.sum(0), 1 / 50, atol=1e-8)
    np.testing.assert_allclose(plan.sum(1), 1 / 60, atol=1e-8)
