"""Oracles: Gaussian formulas derived elsewhere, a convex program over outputs, a simulated mixture source."""

import jax
import numpy as np
import pytest
from scipy import optimize

from theory import gaussian
from theory.closed_form import fixed_representation as fixed


def test_a_gaussian_representation_gives_the_gaussian_function():
    """MSE s^2 e^{-2R}, W2 = s (1 - a): the trade-off of one representation is the whole of D(R,P)."""
    rate, p = np.linspace(0.1, 3, 7)[:, None], np.array([[0.0, 0.01, 0.2, 3.0]])
    mse, a = 2.0 * 4.0**-rate, np.sqrt(1 - 4.0**-rate)
    found = fixed.distortion_perception(p, mse, 2.0 * (1 - a) ** 2)
    np.testing.assert_allclose(found, gaussian.distortion_rate_perception(rate, p, 2.0), rtol=1e-12)


def test_recorded_values():
    a = np.sqrt(0.5)
    found = fixed.distortion_perception(np.array([0.0, 0.01, 0.04]), 0.5, (1 - a) ** 2)
    np.testing.assert_allclose(found, [0.585786438, 0.537207794, 0.508629150], atol=6e-10)


def skewed_source(n):
    """A skewed source, quantized to three cells: sorted samples, their conditional means."""
    x = np.sort(np.random.default_rng(0).exponential(size=n))
    cell = np.searchsorted([0.4, 1.5], x)
    means = np.array([x[cell == k].mean() for k in range(3)])
    return x, means[cell]


def test_no_output_distribution_beats_the_formula_on_a_skewed_source():
    """Oracle: SLSQP over outputs, coupled to both the source and the estimate by rank (optimal in one dimension)."""
    x, estimate = skewed_source(40)
    mse, w2sq = ((x - estimate) ** 2).mean(), ((x - estimate) ** 2).mean()
    for p in (0.3 * w2sq, 0.02 * w2sq):
        found = optimize.minimize(
            lambda y: ((y - estimate) ** 2).mean(), x, jac=lambda y: 2 * (y - estimate) / len(x), method="SLSQP",
            constraints=[{"type": "ineq", "fun": lambda y, p=p: p - ((y - x) ** 2).mean(),
                          "jac": lambda y: -2 * (y - x) / len(x)}], options={"ftol": 1e-13, "maxiter": 300})
        np.testing.assert_allclose(fixed.distortion_perception(p, mse, w2sq), mse + found.fun, rtol=1e-6)


def test_interpolation_attains_it():
    """The decoder draws X^ by an optimal plan (within the cell, by rank) and interpolates."""
    x, estimate = skewed_source(30_000)
    mse = w2sq = ((x - estimate) ** 2).mean()
    # Within a cell the decoder cannot know x: it draws another sample of the same cell.
    rng = np.random.default_rng(1)
    perfect = x.copy()
    for value in np.unique(estimate):
        members = np.flatnonzero(estimate == value)
        perfect[members] = x[rng.permutation(members)]
    for p in (0.0, 0.1 * w2sq, 2 * w2sq):
        weight = float(fixed.interpolation_weight(p, w2sq))
        y = (1 - weight) * estimate + weight * perfect
        assert ((np.sort(y) - x) ** 2).mean() <= p + 1e-9
        errors = (x - y) ** 2
        error = 4.5 * errors.std() / np.sqrt(len(x))
        assert abs(errors.mean() - fixed.distortion_perception(p, mse, w2sq)) < error


def test_perception_inverts_distortion_and_ends_are_right():
    p = np.array([0.0, 0.01, 0.2, 0.5])
    d = fixed.distortion_perception(p, 1.3, 0.5)
    np.testing.assert_allclose(fixed.perception_distortion(d, 1.3, 0.5), p, rtol=1e-12, atol=1e-15)
    assert fixed.perception_distortion(1.2, 1.3, 0.5) == np.inf
    assert fixed.perception_distortion(9.0, 1.3, 0.5) == 0.0
    assert fixed.distortion_perception(np.inf, 1.3, 0.5) == 1.3
    assert fixed.interpolation_weight(0.0, 0.0) == 0.0 and fixed.interpolation_weight(0.0, 0.5) == 1.0
    # MSE of a perfectly realistic output is at most twice the least one: W2^2 <= MSE.
    np.testing.assert_allclose(fixed.distortion_perception(0.0, 1.3, 1.3), 2.6, rtol=1e-15)


def test_recorded_values_of_a_linear_program():
    # A decoder that knows a message of error 1/4 and must be near N(0, 1/4): .1600, .07647, .03383 on a grid.
    found = fixed.distortion_perception(np.array([0.01, 0.05, 0.1]), 0.0, 0.25)
    np.testing.assert_allclose(found, [0.16, 0.076393202, 0.033772234], rtol=0, atol=6e-10)
    np.testing.assert_allclose(found, [0.16, 0.07647, 0.03383], rtol=0, atol=1e-4)  # the grid's own error
    # A Gaussian at 1/2 and 1 bit: E[X|Z] has error 4^-R and variance a^2, at W2 = 1 - a.
    mse = np.array([[0.5], [0.25]])
    away = 1 - np.sqrt(1 - mse)
    found = fixed.distortion_perception(np.array([[0.0, 0.01, 0.04], [0.0, 0.01, 0.05]]), mse, away**2)
    np.testing.assert_allclose(found, [
        [0.585786438, 0.537207794, 0.508629150], [0.267949192, 0.251154273, 0.25]], rtol=0, atol=6e-10)


def test_gradients():
    f = fixed.distortion_perception
    for point in [(0.1, 1.3, 0.5), (0.7, 1.3, 0.5)]:
        for i in range(3):
            up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-6, -1e-6))
            np.testing.assert_allclose(jax.grad(f, argnums=i)(*point), (f(*up) - f(*down)) / 2e-6, atol=1e-8)
    slope = jax.grad(f, argnums=(0, 1, 2))
    assert slope(0.0, 1.3, 0.5)[0] == -np.inf and slope(0.0, 1.3, 0.5)[2] == 1.0
    assert slope(0.5, 1.3, 0.5)[0] == 0.0 and slope(0.0, 1.3, 0.0) == (0.0, 1.0, 1.0)
    assert jax.grad(fixed.perception_distortion)(1.3, 1.3, 0.5) == -np.inf


def test_arguments_outside_their_domain_are_refused_or_nan():
    for call, said in [
        (lambda: fixed.distortion_perception(-1.0, 1.0, 1.0), "perception"),
        (lambda: fixed.distortion_perception(1.0, -1.0, 1.0), "mse"),
        (lambda: fixed.perception_distortion(1.0, 1.0, np.nan), "w2sq"),
        (lambda: fixed.interpolation_weight(-1.0, 1.0), "perception"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    assert np.isnan(jax.jit(fixed.distortion_perception)(-1.0, 1.0, 1.0))
    assert np.isnan(jax.jit(fixed.interpolation_weight)(-1.0, 1.0))
