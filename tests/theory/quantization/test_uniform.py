import jax
import numpy as np
import pytest

from theory.quantization import uniform

WIDTH = 3.0
LEVELS = np.arange(1, 11)


def test_equal_cells_lie_on_the_hull():
    distortion = WIDTH**2 / (12 * LEVELS**2)
    np.testing.assert_allclose(uniform.entropy_coded_distortion_rate(np.log2(LEVELS), WIDTH), distortion, rtol=1e-13)
    np.testing.assert_allclose(uniform.entropy_coded_rate_distortion(distortion, WIDTH), np.log2(LEVELS), atol=1e-13)
    np.testing.assert_allclose(uniform.single_quantizer_rate(distortion, WIDTH), np.log2(LEVELS), atol=1e-7)


def test_no_random_partition_lies_below_the_hull_or_the_single_quantizer_curve():
    # Second route: 3000 random partitions of the unit interval and their own rate and distortion.
    rng = np.random.default_rng(0)
    rates, distortions = [], []
    for _ in range(3000):
        w = rng.dirichlet(np.full(rng.integers(2, 8), rng.choice([0.5, 3.0, 100.0])))
        w = w[w > 0]
        rates.append(-np.sum(w * np.log2(w)))
        distortions.append(np.sum(w**3) / 12)
    rates, distortions = np.array(rates), np.array(distortions)
    hull = np.asarray(uniform.entropy_coded_distortion_rate(rates))
    single = np.asarray(uniform.single_quantizer_rate(distortions))
    assert np.all(distortions >= hull - 1e-14) and np.all(rates >= single - 1e-9)
    assert np.min(rates - single) < 0.01  # the bound is nearly met by some of them
    assert np.all(single >= np.asarray(uniform.entropy_coded_rate_distortion(distortions)) - 1e-9)


def test_the_single_quantizer_has_equal_cells_and_a_shorter_one():
    # Second route: k = 2 cells of length m and one of 1 - 2m, by hand.
    m = 0.42
    w = np.array([m, m, 1 - 2 * m])
    found = uniform.single_quantizer_rate(np.full(10, np.sum(w**3) / 12), 1.0)
    assert float(found[3]) == pytest.approx(-np.sum(w * np.log2(w)), abs=1e-12)


def test_hull_derivative_inverse_and_edges():
    rate = np.linspace(0.1, 3.05, 10)
    distortion = uniform.entropy_coded_distortion_rate(rate, WIDTH)
    np.testing.assert_allclose(uniform.entropy_coded_rate_distortion(distortion, WIDTH), rate, rtol=1e-12)
    slope = jax.vmap(jax.grad(uniform.entropy_coded_distortion_rate), (0, None))(rate, WIDTH)
    h = 1e-6
    difference = (np.asarray(uniform.entropy_coded_distortion_rate(rate + h, WIDTH))
                  - np.asarray(uniform.entropy_coded_distortion_rate(rate - h, WIDTH))) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-7)
    np.testing.assert_array_equal(uniform.entropy_coded_rate_distortion(np.array([0.0, 1 / 12, 5.0])), [np.inf, 0, 0])
    assert jax.grad(uniform.entropy_coded_rate_distortion)(5.0) == 0.0
    assert np.isnan(jax.jit(uniform.entropy_coded_distortion_rate)(-1.0))
    with pytest.raises(ValueError, match="rate must be"):
        uniform.entropy_coded_distortion_rate(-1.0)
    with pytest.raises(ValueError, match="width must be > 0"):
        uniform.entropy_coded_rate_distortion(1.0, 0.0)


def test_the_high_rate_gap_is_that_of_the_cells():
    rate = 20.0
    distortion = float(uniform.entropy_coded_distortion_rate(rate))
    assert rate - (0 - 0.5 * np.log2(2 * np.pi * np.e * distortion)) == pytest.approx(uniform.high_rate_gap(), abs=1e-9)


@pytest.mark.parametrize("cells", [2, 3, 6])
def test_derivative_where_a_cell_appears_is_that_of_the_right_side(cells):
    at = 1 / (12 * cells**2)
    step = 1e-8 * at
    gradient = jax.grad(uniform.single_quantizer_rate)(at)
    one_sided = (uniform.single_quantizer_rate(at + step) - uniform.single_quantizer_rate(at)) / step
    np.testing.assert_allclose(gradient, one_sided, rtol=2e-4)
    np.testing.assert_allclose(gradient, -(cells**2) / (6 / 12 * np.log(2)), rtol=1e-9)


def test_very_many_cells_have_the_smooth_curves_value_and_slope():
    d = np.array([1.1e-20, 0.9e-20, 1e-40, 1e-100]) / 12  # one quantizer changes to it at 1e10 cells
    value, slope = jax.vmap(jax.value_and_grad(uniform.single_quantizer_rate))(d)
    np.testing.assert_allclose(value, -0.5 * np.log2(12 * d), rtol=0, atol=1e-10)
    np.testing.assert_allclose(slope[1:] * d[1:], -0.5 / np.log(2), rtol=1e-12)
    d = np.array([1.01, 0.99, 1e-30]) * 4.0**-26 / 12  # the hull at 26 bits
    value, slope = jax.vmap(jax.value_and_grad(uniform.entropy_coded_rate_distortion))(d)
    np.testing.assert_allclose(value, -0.5 * np.log2(12 * d), rtol=1e-14)
    np.testing.assert_allclose(slope * d, -0.5 / np.log(2), rtol=1e-7)
    rate = np.array([25.999, 26.001, 50.0])
    value, slope = jax.vmap(jax.value_and_grad(uniform.entropy_coded_distortion_rate))(rate)
    np.testing.assert_allclose(value, 4**-rate / 12, rtol=1e-13)
    np.testing.assert_allclose(slope / value, -2 * np.log(2), rtol=1e-7)


def test_derivatives_by_the_width_where_the_rate_is_infinite_or_zero():
    for f in (uniform.entropy_coded_rate_distortion, uniform.single_quantizer_rate):
        slopes = jax.vmap(jax.grad(f, argnums=1), (0, None))(np.array([0.0, 1.0, np.inf]), 1.0)
        np.testing.assert_array_equal(slopes, 0.0)


def test_slope_at_zero_distortion_is_infinite():
    assert jax.grad(uniform.entropy_coded_rate_distortion)(0.0) == -np.inf
    assert jax.grad(uniform.single_quantizer_rate)(0.0) == -np.inf
