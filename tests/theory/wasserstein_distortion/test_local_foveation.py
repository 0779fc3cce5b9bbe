"""Oracles: tabulated values, quadrature of local rates over the plane, and eigenvalues of a foveated map."""

import numpy as np
import pytest
from scipy import integrate

from theory import wasserstein_distortion as wd


def _plane(rate, low, high):
    return integrate.quad(lambda r: 2 * np.pi * r * float(rate(r)), low, high, epsrel=1e-10)[0]


def test_totals_have_the_tabulated_values():
    np.testing.assert_allclose(
        wd.asymptotic_foveated_bits(np.array([0.2, 0.25]), 40, 400, 0.1), [35.58717968, 22.77579495], atol=5e-9)
    np.testing.assert_allclose(wd.asymptotic_flat_fovea_bits(0.2, 40, 400, 0.1), [8348.9159, 290.7956], atol=5e-5)
    np.testing.assert_allclose(
        wd.asymptotic_power_law_foveated_bits(0.25, 16, 256, 62.5), 608.15654275, atol=5e-9)
    np.testing.assert_allclose(
        wd.asymptotic_bits_per_octave(np.array([0.05, 0.1, 0.2, 0.25, 0.5]), 0.1),
        [265.09491, 66.27373, 16.56843, 10.60380, 2.65095], atol=5e-6)
    np.testing.assert_allclose(
        wd.asymptotic_bits_per_octave(np.array([0.05, 0.2]), 0.01), [1060.37962, 66.27373], atol=6e-6)


def test_totals_are_integrals_of_local_rates():
    level = np.log(10)

    def white(sigma):
        return level**2 / (16 * np.pi * sigma**2 * np.log(2))

    np.testing.assert_allclose(
        wd.asymptotic_foveated_bits(0.2, 40, 400, 0.1), _plane(lambda r: white(0.2 * (r + 40)), 0, 400), rtol=1e-9)
    np.testing.assert_allclose(
        wd.asymptotic_flat_fovea_bits(0.2, 40, 400, 0.1)[1], _plane(lambda r: white(0.2 * (r - 40)), 45, 400),
        rtol=1e-9)
    np.testing.assert_allclose(
        wd.asymptotic_power_law_foveated_bits(0.25, 16, 64, 62.5),
        _plane(lambda r: wd.power_law_water_filling(1 / 62.5, 0.25 * r).rate, 16, 64), rtol=1e-7)
    np.testing.assert_allclose(
        wd.asymptotic_bits_per_octave(0.2, 0.1), _plane(lambda r: white(0.2 * r), 10, 20), rtol=1e-9)
    sigma = 3.0  # weighted by 1 / sigma^2: the same everywhere, say where sigma = 3
    rate = float(wd.power_law_water_filling(0.5, sigma).rate)
    np.testing.assert_allclose(
        wd.asymptotic_power_law_bits_per_octave(0.2, sigma**2 / 0.5),
        2 * np.pi * np.log(2) * rate * sigma**2 / 0.2**2, rtol=1e-9)


def test_two_fields_cost_more_until_only_the_first_is_active():
    one, both = (wd.asymptotic_bits_per_octave(0.2, np.array([0.1, 0.6]), two_fields=flag) for flag in (False, True))
    level = np.log(10)
    np.testing.assert_allclose(both[0] - one[0], (level - np.log(2)) ** 2 / 0.32, rtol=1e-12)
    assert both[1] == one[1]


def test_maps_sum_local_rates():
    sigma = np.array([[0.0, 0.0], [2.0, 5.0]])
    point = wd.asymptotic_map_point(sigma, 0.1)
    closed = wd.white_field_water_filling(0.1, np.array([2.0, 5.0]))
    np.testing.assert_allclose(point.rate, np.log2(10) + closed.rate.sum(), rtol=1e-8)
    np.testing.assert_allclose(point.distortion, (0.2 + closed.distortion.sum()) / 4, rtol=1e-8)


def test_eigenvalues_of_foveated_maps_approach_it():
    """Gaussian windows cut off at the edges add a share of perimeter over area, which extrapolation takes away."""
    theta, excess = 0.1, []
    for size in (16, 32):
        rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
        sigma = 0.05 * (np.hypot(rows, columns) + 20)  # from 1 to 2.1
        windows = np.array(wd.gaussian_windows(sigma))
        lam = np.linalg.eigvalsh(windows.T @ windows)
        point = wd.asymptotic_map_point(sigma, theta)
        bits = 0.5 * np.log2(np.maximum(lam / theta, 1)).sum()
        excess.append([bits / point.rate - 1, np.minimum(lam, theta).sum() / size**2 / point.distortion - 1])
    excess = np.array(excess)
    assert (excess > 0).all() and (excess[1] < 0.13).all()
    np.testing.assert_allclose(2 * excess[1] - excess[0], 0.02, atol=0.02)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="offset must be > 0"):
        wd.asymptotic_foveated_bits(0.2, 0.0, 400, 0.1)
    with pytest.raises(ValueError, match="theta must be <= 1"):
        wd.asymptotic_bits_per_octave(0.2, 2.0)
    with pytest.raises(ValueError, match="scale must be > 0"):
        wd.asymptotic_power_law_bits_per_octave(0.2, -1.0)
    with pytest.raises(ValueError, match="sigma must be >= 0 and finite"):
        wd.asymptotic_map_point(np.array([np.inf]), 0.1)
    assert np.isnan(wd.asymptotic_flat_fovea_bits(0.2, 40, 42, 0.1)[1])
