import jax
import numpy as np
import pytest

from theory.closed_form import shannon_lower_bound, uniform

WIDTH = 3.0
HALF = WIDTH / 2


def kernel_law(z):
    """The claimed optimal Y at z = 1 / (a beta): points and weights, a fine midpoint rule and the two atoms."""
    m = HALF * (1 - z)
    n = 4000
    grid = (np.arange(n) + 0.5) / n * 2 * m - m
    return np.r_[grid, -m, m], np.r_[np.full(n, (1 - z) / n), z / 2, z / 2]


@pytest.mark.parametrize("z", [0.9, 0.5, 0.1])
def test_the_absolute_error_curve_carries_its_optimality_certificate(z):
    # Second route: rate and distortion of the claimed channel by quadrature, and Csiszar's condition c(y) <= 1
    # for all y, which proves that no channel does better. Midpoint rules: error below (beta h)^2.
    beta = 1 / (HALF * z)
    y, q = kernel_law(z)
    n = 2000
    x = (np.arange(n) + 0.5) / n * WIDTH - HALF
    kernel = np.exp(-beta * np.abs(x[:, None] - y[None, :]))
    partition = kernel @ q
    rate = np.mean((kernel * q[None] / partition[:, None] * -beta * np.abs(x[:, None] - y[None])).sum(1)
                   - np.log(partition))
    distortion = np.mean((kernel * q[None] * np.abs(x[:, None] - y[None])).sum(1) / partition)
    tolerance = 2 * (beta * WIDTH / n) ** 2
    assert float(uniform.absolute_error_rate_distortion(distortion, WIDTH)) * np.log(2) == pytest.approx(
        rate, abs=tolerance)
    probe = np.linspace(-HALF, HALF, 301)
    c = np.mean(np.exp(-beta * np.abs(x[:, None] - probe[None])) / partition[:, None], axis=0)
    assert np.max(c) <= 1 + tolerance
    inside = np.abs(probe) < HALF * (1 - z)
    np.testing.assert_allclose(c[inside], 1.0, rtol=0, atol=tolerance)


def test_the_curve_tends_to_the_shannon_lower_bound_and_stays_above_it():
    d = np.geomspace(1e-7, WIDTH / 4, 10)
    rate = np.asarray(uniform.absolute_error_rate_distortion(d, WIDTH))
    bound = np.asarray(shannon_lower_bound.norm_power_error(d, uniform.differential_entropy(WIDTH), power=1.0))
    assert np.all(rate >= bound)
    assert rate[0] - bound[0] < 1e-6  # ln(1 / (2 D beta)) + z, of order D / a
    assert np.all(np.diff(rate) < 0) and np.all(np.diff(np.diff(rate) / np.diff(d)) > 0)


def test_inverse_and_derivatives():
    d = np.linspace(0.01, 0.74, 10)
    rate = uniform.absolute_error_rate_distortion(d, WIDTH)
    np.testing.assert_allclose(uniform.absolute_error_distortion_rate(rate, WIDTH), d, rtol=1e-12)
    slope = jax.vmap(jax.grad(uniform.absolute_error_rate_distortion), (0, None))(d, WIDTH)
    inverse = jax.vmap(jax.grad(uniform.absolute_error_distortion_rate), (0, None))(rate, WIDTH)
    # Oracle: the slope is -beta = -1 / (a z) nats.
    z = 1 - np.sqrt(1 - 2 * d / HALF)
    np.testing.assert_allclose(slope, -1 / (HALF * z) / np.log(2), rtol=1e-12)
    np.testing.assert_allclose(inverse * slope, 1.0, rtol=1e-9)


def test_edges_and_refusals():
    d = np.array([0.0, WIDTH / 4, 9.0])
    np.testing.assert_array_equal(uniform.absolute_error_rate_distortion(d, WIDTH), [np.inf, 0.0, 0.0])
    gradient = jax.vmap(jax.grad(uniform.absolute_error_rate_distortion), (0, None))(d, WIDTH)
    np.testing.assert_array_equal(gradient, [-np.inf, 0.0, 0.0])
    assert uniform.absolute_error_distortion_rate(0.0, WIDTH) == WIDTH / 4
    assert uniform.absolute_error_distortion_rate(np.inf, WIDTH) == 0.0
    # dD/dR at zero rate is -1 / beta with beta = 1 / a.
    at_zero = jax.grad(uniform.absolute_error_distortion_rate)(0.0, WIDTH)
    assert float(at_zero) == pytest.approx(-HALF * np.log(2), rel=1e-14)
    assert np.isnan(jax.jit(uniform.absolute_error_rate_distortion)(-1.0))
    for call in (uniform.absolute_error_rate_distortion, uniform.squared_error_lower_bound):
        with pytest.raises(ValueError, match="distortion must be >= 0"):
            call(-0.1)
        with pytest.raises(ValueError, match="width must be > 0"):
            call(0.1, -1.0)


def test_squared_error_bounds_have_the_printed_values_and_lie_below_the_solver():
    # Oracle: optimized atoms with a continuous dual certificate (nats), width 1; Shannon lower bounds beside them.
    table = np.array([  # D, R, printed bound (negative ones are clipped here)
        (0.073120685, 0.063721652, -0.111117), (0.053618289, 0.203500989, 0.043994),
        (0.033987787, 0.391244508, 0.271938), (0.027820675, 0.475645921, 0.372049),
        (0.022932253, 0.564864695, 0.468667), (0.015218459, 0.750342468, 0.673685),
        (0.009377032, 0.975738267, 0.915807), (0.004787450, 1.294598351, 1.251940),
    ])
    bound = np.asarray(uniform.squared_error_lower_bound(table[:, 0])) * np.log(2)
    np.testing.assert_allclose(bound, np.maximum(table[:, 2], 0), rtol=0, atol=0.6e-6)
    assert np.all(bound < table[:, 1])
    # Oracle: Sinkhorn at P = 0.
    table = np.array([(0.02106803, 0.6614043, 0.5437064), (0.0595297, 0.2531183, 0.0900673),
                      (0.0046483, 1.335714, 1.273706)])
    bound = np.asarray(uniform.perfect_realism_lower_bound(table[:, 0])) * np.log(2)
    np.testing.assert_allclose(bound, table[:, 2], rtol=0, atol=6e-6)  # D is printed to 5 to 7 digits
    assert np.all(bound < table[:, 1])
