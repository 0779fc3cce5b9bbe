"""Oracles: adaptive quadrature of spectra, periodic grids, the Lambert W function, incomplete gamma functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from theory import wasserstein_distortion as wd
from theory.gaussian import process as gaussian_process
from theory.gaussian import vector as gaussian_vector

LEVELS = np.array([0.5, 0.1, 0.01])


def _white_rate(distortion, sigma, dimension):
    """Rates of white fields, twelve points at a time: one shape is one compilation."""
    d, s = np.broadcast_arrays(distortion, sigma)
    count = -(-d.size // 12)
    d, s = (np.resize(x, 12 * count).reshape(count, 12) for x in (d, s))
    rates = [wd.white_field_rate(*points, dimension=dimension) for points in zip(d, s)]
    shape = np.broadcast_shapes(np.shape(distortion), np.shape(sigma))
    return np.concatenate(rates)[: int(np.prod(shape))].reshape(shape)


def _grid_spectrum(sigma, size=512):
    """|Q|^2 of the sampled window by summing its taps, at the frequencies of a periodic line."""
    taps = np.arange(-60, 61)
    window = np.exp(-(taps**2) / (2.0 * sigma**2)) if sigma else (taps == 0) * 1.0
    frequencies = 2 * np.pi * (np.arange(size // 2) + 0.5) / size
    return frequencies, ((window / window.sum()) @ np.cos(np.outer(taps, frequencies))) ** 2


def test_white_fields_have_the_tabulated_values():
    line = wd.white_field_water_filling(LEVELS, 8.0, dimension=1)
    np.testing.assert_allclose(line.distortion, [0.0249918542, 0.0071616465, 0.0009387111], atol=5e-11)
    np.testing.assert_allclose(line.rate, [0.0110420985, 0.0668554717, 0.1890958297], atol=5e-11)
    plane = wd.white_field_water_filling(LEVELS, 4.0)
    np.testing.assert_allclose(plane.distortion, [0.004210511612, 0.001642571070, 0.000278778294], atol=5e-13)
    np.testing.assert_allclose(plane.rate, [0.000861857813, 0.009510778741, 0.038043114963], atol=5e-13)
    np.testing.assert_allclose(wd.gaussian_window_energy(8.0, dimension=1), 0.0352618490, atol=5e-11)
    np.testing.assert_allclose(wd.gaussian_window_energy(4.0), 0.004973591972, atol=5e-13)


def test_sampled_windows_have_the_tabulated_energy():
    sigma = np.array([0.5, 0.7, 1.0, 2.0])
    energy = wd.gaussian_window_energy(sigma, dimension=1)
    np.testing.assert_allclose(energy, [0.6413571490, 0.4092872307, 0.2821239704, 0.1410473959], atol=5e-11)
    taps = np.arange(-40, 41)
    windows = np.exp(-(taps**2) / (2 * sigma[:, None] ** 2))
    np.testing.assert_allclose(energy, (windows**2).sum(1) / windows.sum(1) ** 2, rtol=1e-13)
    np.testing.assert_allclose(wd.gaussian_window_energy(sigma), energy**2, rtol=1e-14)


@pytest.mark.parametrize("dimension", [pytest.param(1, marks=pytest.mark.stress), 2])
def test_closed_forms_agree_with_quadrature_of_the_sampled_window(dimension):
    for sigma, tolerance in ((2.0, 1e-9), (4.0, 1e-11), (32.0, 1e-11)):
        point = wd.white_field_water_filling(LEVELS, sigma, dimension=dimension)
        rate = _white_rate(point.distortion, sigma, dimension)
        np.testing.assert_allclose(rate, point.rate, rtol=tolerance)


@pytest.mark.parametrize("sigma", [0.7, 1.6, *(pytest.param(s, marks=pytest.mark.stress) for s in (0.3, 1.0))])
@pytest.mark.parametrize("dimension", [1, 2])
def test_it_is_reverse_water_filling_of_the_windows_taps(sigma, dimension):
    """Oracle: the spectrum on a periodic grid, whose kink costs a few parts in 10^6."""
    frequencies, line = _grid_spectrum(sigma)
    np.testing.assert_allclose(jnp.exp(wd.gaussian_window_log_power(frequencies, sigma)), line, rtol=1e-9, atol=1e-13)
    spectrum = line if dimension == 1 else np.outer(line, line).ravel()
    distortion = spectrum.mean() * np.array([0.9, 0.5, 0.1, 0.01])
    np.testing.assert_allclose(
        _white_rate(distortion, sigma, dimension),
        gaussian_process.rate_distortion(distortion, spectrum), rtol=1e-5, atol=2e-7)


def test_a_single_pixel_is_the_rate_distortion_function_and_a_wide_window_costs_nothing():
    distortion = np.array([1e-6, 0.1, 0.5, 0.999])
    for dimension in (1, 2):
        np.testing.assert_allclose(
            _white_rate(distortion, 0.0, dimension),
            gaussian_process.rate_distortion(distortion, np.ones(8)), rtol=1e-13)
        np.testing.assert_allclose(  # and the limit is reached continuously
            _white_rate(distortion, 1e-3, dimension),
            gaussian_process.rate_distortion(distortion, np.ones(8)), rtol=1e-13)
        assert _white_rate(1e-6, 1e5, dimension) < 1e-4
    np.testing.assert_array_equal(_white_rate(np.array([0.0, 1.0, 2.0]), 0.0, 2), [np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(_white_rate(np.array([0.0, 0.005]), 4.0, 2), [np.inf, 0.0])


@pytest.mark.parametrize("dimension", [pytest.param(1, marks=pytest.mark.stress), 2])
def test_it_falls_with_distortion_and_sigma_and_is_convex(dimension):
    distortion = np.geomspace(1e-7, 1.0, 24)
    rates = _white_rate(distortion, np.array([0.0, 0.4, 0.99, 1.01, 3.0, 12.0])[:, None], dimension)
    assert (np.diff(rates, axis=1) <= 0).all() and (np.diff(rates, axis=0) <= 1e-12).all()
    slopes = np.diff(rates, axis=1) / np.diff(distortion)
    assert (np.diff(slopes, axis=1) >= -1e-9 * np.abs(slopes[:, 1:])).all()


@pytest.mark.parametrize("dimension", [1, pytest.param(2, marks=pytest.mark.stress)])
def test_derivatives_are_those_of_finite_differences(dimension):
    d, s, h = np.array([0.02, 0.01, 2e-3]), np.array([0.8, 1.3, 4.0]), 1e-5

    def rate(d, s):
        return wd.white_field_rate(d, s, dimension=dimension)

    traced = jax.jit(jax.vmap(jax.value_and_grad(rate, (0, 1))))
    values, (by_d, by_s) = traced(np.append(d, -0.1), np.append(s, 1.0))
    ends = _white_rate(
        np.stack([d * (1 + h), d * (1 - h), d, d]), np.stack([s, s, s * (1 + h), s * (1 - h)]), dimension)
    np.testing.assert_allclose(by_d[:3], (ends[0] - ends[1]) / (2 * h * d), rtol=1e-6)
    np.testing.assert_allclose(by_s[:3], (ends[2] - ends[3]) / (2 * h * s), rtol=1e-6)
    np.testing.assert_allclose(values[:3], _white_rate(d, s, dimension), rtol=1e-12)
    assert np.isnan(values[3])  # what would be refused


POWER_LAWS = np.array([  # exponent, sigma, theta, v, D, R
    (1.0, 4.0, 0.4, 1.964871634, 0.0055817813, 0.0104502043),
    (2.0, 4.0, 1.6, 1.745528003, 0.0194556665, 0.0117280165),
    (2.0, 4.0, 0.16, 3.385630140, 0.0033334720, 0.0327085083),
    (2.0, 8.0, 1.6, 2.696809899, 0.0068979103, 0.0056803883),
    (2.4, 4.0, 1.6, 2.015852323, 0.0214843763, 0.0159682732)])


def test_power_laws_have_the_tabulated_values():
    a, sigma, theta, v, distortion, rate = POWER_LAWS.T
    point = wd.power_law_water_filling(theta, sigma, exponent=a)
    np.testing.assert_allclose(point.distortion, distortion, atol=5e-11)
    np.testing.assert_allclose(point.rate, rate, atol=5e-11)
    lambert = a / 2 * special.lambertw(2 / a * (sigma**a / theta) ** (2 / a)).real
    np.testing.assert_allclose(lambert, v, atol=5e-10)
    np.testing.assert_allclose(point.rate, (lambert**2 + a * lambert) / (16 * np.pi * sigma**2 * np.log(2)), rtol=1e-12)
    np.testing.assert_allclose(wd.power_law_field_rate(point.distortion, sigma, exponent=a), point.rate, rtol=1e-11)
    for row in POWER_LAWS[1:4]:  # exponent 2: an exponential integral
        w = special.lambertw(row[1] ** 2 / row[2]).real
        closed = (np.exp(-w) + special.exp1(w)) / (4 * np.pi)
        np.testing.assert_allclose(
            wd.power_law_water_filling(row[2], row[1]).distortion, closed, rtol=1e-12)


@pytest.mark.parametrize("row", [0, 2, 4])
def test_power_laws_agree_with_quadrature_over_the_radius(row):
    a, sigma, theta = POWER_LAWS[row, :3]

    def spectrum(w):
        return w**-a * np.exp(-((sigma * w) ** 2))

    edge = np.sqrt(POWER_LAWS[row, 3]) / sigma
    rate = integrate.quad(lambda w: 0.5 * np.log2(spectrum(w) / theta) * w / (2 * np.pi), 0, edge, epsabs=1e-13)[0]
    distortion = theta * edge**2 / (4 * np.pi) + integrate.quad(
        lambda w: spectrum(w) * w / (2 * np.pi), edge, 30 / sigma, epsabs=1e-14)[0]
    point = wd.power_law_water_filling(theta, sigma, exponent=a)
    np.testing.assert_allclose([point.distortion, point.rate], [distortion, rate], rtol=1e-8)


def test_no_exponent_is_white_and_scale_is_a_unit_of_distortion():
    white = wd.white_field_water_filling(LEVELS, 4.0)
    flat = wd.power_law_water_filling(LEVELS, 4.0, exponent=0.0)
    np.testing.assert_allclose(flat.distortion, white.distortion, rtol=1e-12)
    np.testing.assert_allclose(flat.rate, white.rate, rtol=1e-12)
    np.testing.assert_allclose(
        wd.power_law_field_rate(white.distortion, 4.0, exponent=0.0), white.rate, rtol=1e-10)
    np.testing.assert_allclose(
        wd.power_law_field_rate(0.03, 4.0, scale=3.0), wd.power_law_field_rate(0.01, 4.0), rtol=1e-12)
    assert wd.power_law_field_rate(0.1, 4.0, exponent=1.0) == 0.0  # beyond Gamma(1/2) / (16 pi)
    slope = jax.grad(lambda d: wd.power_law_field_rate(d, 4.0))(0.01)
    h = 1e-6
    np.testing.assert_allclose(
        slope, (wd.power_law_field_rate(0.01 + h, 4.0) - wd.power_law_field_rate(0.01 - h, 4.0)) / (2 * h), rtol=1e-6)


def test_a_grid_of_a_power_law_image_approaches_the_closed_form():
    """Oracle: all frequencies of a periodic 512 x 512 image; the kink and the grid cost a per cent."""
    size, sigma, theta = 512, 4.0, 0.16
    w = 2 * np.pi * np.fft.fftfreq(size)
    squared = (w[:, None] ** 2 + w**2).ravel()[1:]
    spectrum = np.exp(-(sigma**2) * squared) / squared
    point = wd.power_law_water_filling(theta, sigma)
    rate = gaussian_vector.rate_distortion(point.distortion * size**2, spectrum) / size**2
    np.testing.assert_allclose(rate, point.rate, rtol=0.01)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        wd.white_field_rate(-0.1, 1.0)
    with pytest.raises(ValueError, match="sigma must be >= 0 and finite"):
        wd.white_field_rate(0.1, np.inf)
    with pytest.raises(ValueError, match="dimension must be 1 or 2, got 3"):
        wd.white_field_rate(0.1, 1.0, dimension=3)
    with pytest.raises(ValueError, match="water_level"):
        wd.white_field_water_filling(1.5, 1.0)
    with pytest.raises(ValueError, match="exponent"):
        wd.power_law_water_filling(0.5, 1.0, exponent=-1.0)
    assert np.isnan(wd.white_field_water_filling(1e-5, 0.5).rate)  # the band would leave the grid's
