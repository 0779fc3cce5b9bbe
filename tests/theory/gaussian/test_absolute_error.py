import jax
import numpy as np
import pytest
from scipy import stats

from theory.closed_form import shannon_lower_bound
from theory.gaussian import absolute_error


@pytest.mark.parametrize("end", [0.3, 1.3, 2.5])
def test_the_gaussian_curve_carries_its_optimality_certificate(end):
    # Second route: the claimed Y has density p - p'' / beta^2 on [-m, m] and atoms p'(m) / beta^2 + p(m) / beta
    # at the ends. Rate and distortion of its channel by quadrature, and c(y) <= 1 for all y (Csiszar 1974).
    # Midpoint rules: errors below 10 (beta h)^2.
    point = absolute_error.gaussian_point(end)
    beta = stats.norm.pdf(end) / stats.norm.sf(end)
    n = 2001
    grid = ((np.arange(n) + 0.5) / n * 2 - 1) * end
    density = stats.norm.pdf(grid) * (1 - (grid**2 - 1) / beta**2)
    atom = stats.norm.pdf(end) * (1 / beta - end / beta**2)
    assert float(point.atom) == pytest.approx(atom, rel=1e-11)
    assert np.all(density > 0)
    y, q = np.r_[grid, -end, end], np.r_[density * 2 * end / n, atom, atom]
    tolerance = 10 * (beta * 2 * max(end, 8.0) / n) ** 2
    assert q.sum() == pytest.approx(1, abs=tolerance)
    x = ((np.arange(n) + 0.5) / n * 2 - 1) * 8
    p = stats.norm.pdf(x) * 16 / n
    distance = np.abs(x[:, None] - y[None])
    kernel = np.exp(-beta * distance)
    partition = kernel @ q
    distortion = p @ ((kernel * distance) @ q / partition)
    rate = -p @ np.log(partition) - beta * distortion
    assert float(point.distortion) == pytest.approx(distortion, abs=tolerance)
    assert float(point.rate) * np.log(2) == pytest.approx(rate, abs=tolerance)
    assert float(point.slope) * np.log(2) == pytest.approx(beta, rel=1e-12)
    probe = np.linspace(-8, 8, 161)
    c = (p / partition) @ np.exp(-beta * np.abs(x[:, None] - probe[None]))
    assert np.max(c) <= 1 + tolerance
    np.testing.assert_allclose(c[np.abs(probe) < end], 1.0, rtol=0, atol=tolerance)


def test_the_curve_is_convex_and_tends_to_the_shannon_lower_bound():
    d = np.r_[np.geomspace(1e-9, 0.1, 5), np.linspace(0.2, 0.79, 5)]
    rate = np.asarray(absolute_error.gaussian_rate_distortion(d))
    entropy = 0.5 * np.log2(2 * np.pi * np.e)
    bound = np.asarray(shannon_lower_bound.norm_power_error(d, entropy, power=1.0))
    assert np.all(rate >= bound - 1e-13)
    assert abs(rate[0] - bound[0]) < 1e-12
    assert np.all(np.diff(rate) < 0) and np.all(np.diff(np.diff(rate) / np.diff(d)) > 0)


def test_inverse_scaling_and_derivatives():
    d = np.linspace(0.05, 1.55, 10)
    rate = absolute_error.gaussian_rate_distortion(d, 4.0)
    np.testing.assert_allclose(rate, absolute_error.gaussian_rate_distortion(d / 2), rtol=1e-12)
    np.testing.assert_allclose(absolute_error.gaussian_distortion_rate(rate, 4.0), d, rtol=1e-11)
    slope = jax.jit(jax.vmap(jax.grad(absolute_error.gaussian_rate_distortion), (0, None)))(d, 4.0)
    h = 1e-5
    difference = (np.asarray(absolute_error.gaussian_rate_distortion(d + h, 4.0))
                  - np.asarray(absolute_error.gaussian_rate_distortion(d - h, 4.0))) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
    inverse = jax.jit(jax.vmap(jax.grad(absolute_error.gaussian_distortion_rate), (0, None)))(rate, 4.0)
    np.testing.assert_allclose(inverse * slope, 1.0, rtol=1e-8)


def test_edges_and_refusals():
    largest = np.sqrt(2 / np.pi)
    d = np.array([0.0, largest, 9.0, -1.0, largest * (1 - 1e-8)])
    rate, gradient = jax.jit(jax.vmap(jax.value_and_grad(absolute_error.gaussian_rate_distortion)))(d)
    np.testing.assert_array_equal(rate[:4], [np.inf, 0.0, 0.0, np.nan])
    np.testing.assert_array_equal(gradient[:3], [-np.inf, 0.0, 0.0])
    just_below = float(rate[4])
    # Slope at zero rate: the hazard rate at 0, sqrt(2 / pi) nats.
    assert just_below == pytest.approx(largest**2 * 1e-8 / np.log(2), rel=1e-4)
    at_zero, slope = jax.jit(jax.value_and_grad(absolute_error.gaussian_distortion_rate))(0.0)
    assert float(at_zero) == pytest.approx(largest, rel=1e-15)
    assert float(slope) == pytest.approx(-np.log(2) / largest, rel=1e-14)
    # By the variance, where the rate is infinite or zero.
    by_variance = jax.jit(jax.vmap(jax.grad(absolute_error.gaussian_rate_distortion, argnums=1), (0, None)))
    np.testing.assert_allclose(by_variance(np.array([0.0, 9.0, np.inf]), 1.0), [0.5 / np.log(2), 0, 0], rtol=1e-14)
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        absolute_error.gaussian_rate_distortion(-1.0)
    with pytest.raises(ValueError, match="end must be >= 0"):
        absolute_error.gaussian_point(-1.0)
    with pytest.raises(ValueError, match="rate must be >= 0"):
        absolute_error.gaussian_distortion_rate(40.0)
