"""Oracles: tabulated values, squares of autoregressive correlations, periodic grids, and a scheme's measured loss."""

import jax
import numpy as np
import pytest

from theory import wasserstein_distortion as wd
from theory.gaussian import process

LEVELS = np.array([0.5, 0.1, 0.01])


def test_white_fields_have_the_tabulated_values():
    line = wd.asymptotic_white_field_water_filling(LEVELS, 8.0, dimension=1)
    np.testing.assert_allclose(line.distortion, [0.0426227787, 0.0134928082, 0.0018165833], atol=5e-11)
    np.testing.assert_allclose(line.rate, [0.0110420985, 0.1059237944, 0.3371482545], atol=5e-11)
    plane = wd.asymptotic_white_field_water_filling(LEVELS, 4.0)
    np.testing.assert_allclose(plane.distortion, [0.006697307598, 0.002940399016, 0.000523082276], atol=5e-13)
    np.testing.assert_allclose(plane.rate, [0.000861857813, 0.014157355929, 0.065495969008], atol=1e-12)


@pytest.mark.parametrize("dimension", [pytest.param(1, marks=pytest.mark.stress), 2])
def test_rates_invert_levels_and_agree_with_a_periodic_grid(dimension):
    point = wd.asymptotic_white_field_water_filling(LEVELS, 4.0, dimension=dimension)
    np.testing.assert_allclose(
        wd.asymptotic_white_field_rate(point.distortion, 4.0, dimension=dimension), point.rate, rtol=1e-10)
    size = 4096 if dimension == 1 else 256
    power = np.exp(-((4.0 * 2 * np.pi * np.fft.fftfreq(size)) ** 2))
    power = power if dimension == 1 else np.outer(power, power)
    np.testing.assert_allclose(
        wd.asymptotic_field_rate(point.distortion, np.ones_like(power), power), point.rate, rtol=3e-3)
    assert wd.asymptotic_white_field_rate(1.0, 4.0, dimension=dimension) == 0.0
    assert wd.asymptotic_white_field_rate(0.0, 4.0, dimension=dimension) == np.inf


def test_squared_correlations_of_autoregressions_are_autoregressions():
    frequencies = np.fft.fftfreq(512)
    found = wd.second_order_spectrum(3.0 * process.autoregressive_spectrum(frequencies, 0.8))
    np.testing.assert_allclose(found, process.autoregressive_spectrum(frequencies, 0.64), rtol=1e-10)
    np.testing.assert_allclose(wd.second_order_spectrum(np.ones((4, 4))), np.ones((4, 4)), rtol=1e-13)


def test_distortion_scales_with_the_variance():
    frequencies = np.fft.fftfreq(256)
    spectrum = np.array(process.autoregressive_spectrum(frequencies, 0.5))
    power = np.exp(-((4.0 * 2 * np.pi * frequencies) ** 2))
    np.testing.assert_allclose(
        wd.asymptotic_field_rate(0.08, 4 * spectrum, power), wd.asymptotic_field_rate(0.02, spectrum, power),
        rtol=1e-10)


def _transform_channel(field, power, theta, rng):
    """The Gaussian test channel of reverse water-filling on a periodic line, frequency by frequency."""
    size = field.shape[-1]
    share = np.clip(theta / np.maximum(power, 1e-300), 0, 1)
    noise = np.fft.rfft(rng.standard_normal(field.shape))
    values = (1 - share) * np.fft.rfft(field) + np.sqrt(share * (1 - share) * power) * noise
    return np.fft.irfft(values, size)


def test_a_scheme_reaches_the_formula_at_sigma_16():
    """x' = x_L + g cos(pi t): test channels of means and of deviations, an alternating sign as the carrier."""
    size, sigma, theta = 1 << 17, 16.0, 0.1
    rng = np.random.default_rng(0)
    w = 2 * np.pi * np.fft.rfftfreq(size)
    q = np.exp(-0.5 * (sigma * w) ** 2)

    def pool(x):
        return np.fft.irfft(q * np.fft.rfft(x), size)

    def moments(x):
        mean = pool(x)
        return mean, np.sqrt(np.maximum(pool(x**2) - mean**2, 0))

    x = rng.standard_normal((4, size))
    mean, deviation = moments(x)
    taps = np.arange(-96, 97)
    window = np.exp(-(taps**2) / (2 * sigma**2))
    expected = float(wd.local_moments(window / window.sum()).deviation_mean)
    coded_mean = _transform_channel(mean, q**2, theta, rng)
    coded_deviation = _transform_channel(deviation - expected, q**2 / 2, theta, rng)
    # Divide by Q on the active bands, where it is not small.
    inverse = 1 / np.maximum(q, 1e-100)
    low = np.fft.irfft(np.fft.rfft(coded_mean) * np.where(q**2 > theta, inverse, 0), size)
    lifted = np.fft.irfft(np.fft.rfft(coded_deviation) * np.where(q**2 / 2 > theta, inverse, 0), size)
    gain = np.maximum(0, expected**2 + 2 * expected * lifted - low**2 + coded_mean**2)
    image = low + np.sqrt(gain) * np.where(np.arange(size) % 2, -1.0, 1.0)
    found_mean, found_deviation = moments(image)
    measured = np.mean((mean - found_mean) ** 2 + (deviation - found_deviation) ** 2, 1)
    formula = float(wd.asymptotic_white_field_water_filling(theta, sigma, dimension=1).distortion)
    assert abs(measured.mean() / formula - 1) < 0.04  # a standard error is one per cent


def test_derivatives_and_refusals():
    slope, h = jax.grad(lambda d: wd.asymptotic_white_field_rate(d, 4.0))(0.003), 1e-8
    above, below = (wd.asymptotic_white_field_rate(d, 4.0) for d in (0.003 + h, 0.003 - h))
    difference = (above - below) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
    with pytest.raises(ValueError, match="sigma must be > 0"):
        wd.asymptotic_white_field_rate(0.1, 0.0)
    with pytest.raises(ValueError, match="window_power must have the shape"):
        wd.asymptotic_field_rate(0.1, np.ones(4), np.ones(5))
    with pytest.raises(ValueError, match="spectrum must have shape"):
        wd.second_order_spectrum(np.ones((2, 2, 2)))
