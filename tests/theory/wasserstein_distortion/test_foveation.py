"""Oracles: Bessel functions with adaptive quadrature, a fine grid of gains, the limit of small slopes."""

import jax
import numpy as np
import pytest
from scipy import integrate, special

from theory import wasserstein_distortion as wd

TABLE = {  # slope: bits and D / D0 at theta .1, at theta .01
    0.05: (264.70090, 0.33100772, 1061.72218, 0.05646127),
    0.1: (65.87828, 0.33326472, 266.45525, 0.05762779),
    0.2: (16.22199, 0.34151807, 67.64197, 0.06161722),
    0.25: (10.26861, 0.34742528, 43.75682, 0.06417107),
    0.5: (2.43584, 0.38275365, 11.67786, 0.07970113),
}


# Each slope has as many orders as it needs: a program of its own.
@pytest.mark.parametrize("slope", [
    s if s == 0.1 else pytest.param(s, marks=pytest.mark.stress) for s in TABLE])
def test_octaves_have_the_tabulated_values(slope):
    point = wd.octave_water_filling(slope, np.array([0.1, 0.01]))
    expected = np.array(TABLE[slope]).reshape(2, 2)
    np.testing.assert_allclose(point.bits, expected[:, 0], atol=5e-6)
    np.testing.assert_allclose(point.relative_distortion, expected[:, 1], atol=5e-9)
    np.testing.assert_array_equal(wd.bits_per_octave(slope, np.array([0.1, 0.01])), point.bits)


@pytest.mark.parametrize("slope", [0.05, 0.2, 0.5, 1.5])
def test_gains_are_the_mellin_transform_of_bessel_functions(slope):
    orders = (0, 1, 5)
    frequencies = np.tile(np.array([0.0, 0.7, 1.5]) / slope, (6, 1))
    gains = np.array(wd.mellin_gains(slope, frequencies, orders=6, angles=256))
    for order in orders:
        for k, s in enumerate(frequencies[0]):
            def part(x, trigonometric, order=order, s=s):
                rho = np.exp(x)
                window = special.ive(order, rho / slope**2) * np.exp(-((rho - 1) ** 2) / (2 * slope**2))
                return rho * window * trigonometric(s * x) / slope**2

            low = max(-30.0, np.log(max(1 - 9 * slope, 1e-13)))
            real, imaginary = (
                integrate.quad(part, low, np.log1p(9 * slope), args=(f,), epsabs=1e-12, limit=400)[0]
                for f in (np.cos, np.sin))
            np.testing.assert_allclose(gains[order, k], np.hypot(real, imaginary), atol=1e-10)


@pytest.mark.parametrize("slope", [pytest.param(0.2, marks=pytest.mark.stress), 0.5])
def test_gains_have_the_windows_energy(slope):
    """sum_l int |alpha_l(s)|^2 ds / 2 pi = 1 / (2 c^2)."""
    orders = int(6 / slope) + 4
    s = (np.arange(200) + 0.5) * (16 / slope / 200)
    power = np.square(wd.mellin_gains(slope, np.tile(s, (orders, 1)), orders=orders, angles=256))
    total = (2 * power.sum() - power[0].sum()) * 2 * (s[1] - s[0]) / (2 * np.pi)
    np.testing.assert_allclose(total, 1 / (2 * slope**2), rtol=1e-9)
    # Where nothing is sent the whole energy is lost.
    assert wd.octave_water_filling(slope, 2.0) == (0.0, 1.0)


def test_water_filling_is_that_of_a_fine_grid_of_gains():
    slope, theta = 0.25, 0.03
    s = (np.arange(2000) + 0.5) * (12 / slope / 2000)
    power = np.square(wd.mellin_gains(slope, np.tile(s, (24, 1)), orders=24, angles=256))
    count = np.where(np.arange(24) == 0, 2.0, 4.0)[:, None] * (s[1] - s[0]) / (2 * np.pi)
    bits = np.log(2) * np.sum(count * 0.5 * np.log2(np.maximum(power / theta, 1.0)))
    distortion = np.sum(count * np.minimum(power, theta)) * 2 * slope**2
    point = wd.octave_water_filling(slope, theta)
    np.testing.assert_allclose([point.bits, point.relative_distortion], [bits, distortion], rtol=1e-5)


def beyond_the_local_formula(slope, bits, relative_distortion):
    """Relative errors of the local formula for bits and distortion at theta = .1."""
    level = np.log(10.0)
    local = level**2 / (8 * slope**2)
    return np.array([abs(bits / local - 1), abs(relative_distortion / (0.1 * (1 + level)) - 1)])


def test_small_slopes_tend_to_the_local_formula():
    # The table's values are those that the function was found to have, above.
    errors = [beyond_the_local_formula(slope, *TABLE[slope][:2]) for slope in (0.1, 0.05)]
    # Relative errors go with slope^2.
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.05)
    assert (errors[1] < 3e-3).all()


@pytest.mark.stress
def test_a_smaller_slope_still_is_nearer_to_the_local_formula():
    point = wd.octave_water_filling(0.03, 0.1)
    assert (beyond_the_local_formula(0.03, point.bits, point.relative_distortion) < 1e-3).all()


def test_bits_fall_with_slope_and_level_and_have_derivatives():
    bits = np.array(wd.bits_per_octave(np.array([0.1, 0.3, 1.0])[:, None], np.array([0.02, 0.2, 0.8, 2.0])))
    assert (np.diff(bits, axis=0)[:, :3] < 0).all() and (np.diff(bits, axis=1) < 0).all() and (bits[:, 3] == 0).all()
    slope, theta, h = 0.3, 0.1, 1e-5
    found = jax.grad(lambda c, t: wd.octave_water_filling(c, t, orders=16).bits, (0, 1))(slope, theta)
    expected = [(wd.bits_per_octave(slope + h, theta) - wd.bits_per_octave(slope - h, theta)) / (2 * h),
                (wd.bits_per_octave(slope, theta + h) - wd.bits_per_octave(slope, theta - h)) / (2 * h)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    traced = jax.jit(wd.bits_per_octave)(0.3, 0.1)
    np.testing.assert_allclose(traced, wd.bits_per_octave(0.3, 0.1), rtol=1e-11)


def test_too_few_orders_are_not_hidden_and_bad_arguments_are_named():
    assert np.isnan(wd.octave_water_filling(0.05, 0.01, orders=20).bits)
    assert np.isnan(jax.jit(wd.bits_per_octave)(0.01, 0.1))
    with pytest.raises(ValueError, match="slope must be > 0"):
        wd.bits_per_octave(0.0, 0.1)
    with pytest.raises(ValueError, match="theta must be > 0 and finite"):
        wd.bits_per_octave(0.2, 0.0)
    with pytest.raises(ValueError, match="orders must be >= 1"):
        wd.octave_water_filling(0.2, 0.1, orders=0)
