"""Oracles: quadrature over eigenvalues, Monte Carlo of local moments, rdr's loss between independent images."""

import jax
import numpy as np
import pytest
from scipy import integrate

from rdr.losses import wasserstein_distortion
from theory import wasserstein_distortion as wd

TABLE = {  # AR coefficient, sigma: Var m, E v, Var v, 2 D0
    (0.0, 2): (0.14104740, 0.89303856, 0.06143474, 0.40496428),
    (0.0, 8): (0.03526185, 0.97347567, 0.01708328, 0.10469026),
    (0.0, 32): (0.00881546, 0.99338345, 0.00437386, 0.02637864),
    (0.5, 2): (0.35749048, 0.76862171, 0.05173018, 0.81844132),
    (0.5, 8): (0.10420745, 0.93400271, 0.02343150, 0.25527789),
    (0.5, 32): (0.02642064, 0.98317390, 0.00694844, 0.06673816),
    (0.9, 2): (0.80295753, 0.41824931, 0.02210999, 1.65013504),
    (0.9, 8): (0.47527146, 0.69792569, 0.03762827, 1.02579945),
    (0.9, 32): (0.16093879, 0.90102385, 0.02721722, 0.37631203),
}


def _line(coefficient, sigma):
    taps = np.arange(-6 * sigma, 6 * sigma + 1)
    window = np.exp(-(taps**2) / (2 * sigma**2))
    covariance = coefficient ** np.abs(np.subtract.outer(taps, taps)) if coefficient else None
    return window / window.sum(), covariance


@pytest.mark.parametrize("case", [case for case in TABLE if case[1] < 32] + [(0.0, 32)])
def test_moments_have_the_tabulated_values(case):
    moments = wd.local_moments(*_line(*case))
    found = [*moments, 2 * (moments.mean_variance + moments.deviation_variance)]
    # The table's last digit is off by up to one (adaptive quadrature below agrees with ours to 1e-12).
    np.testing.assert_allclose(found, TABLE[case], atol=1.7e-8)


@pytest.mark.stress
@pytest.mark.parametrize("case", [case for case in TABLE if case[1] == 32])
def test_moments_of_wide_windows_have_the_tabulated_values(case):
    moments = wd.local_moments(*_line(*case))
    found = [*moments, 2 * (moments.mean_variance + moments.deviation_variance)]
    np.testing.assert_allclose(found, TABLE[case], atol=1.7e-8)


@pytest.mark.parametrize("case", [(0.0, 8), (0.5, 2), (0.9, 2)])
def test_moments_agree_with_adaptive_quadrature(case):
    window, covariance = _line(*case)
    covariance = np.eye(len(window)) if covariance is None else covariance
    root = np.linalg.cholesky(covariance)
    lam = np.linalg.eigvalsh(root.T @ (np.diag(window) - np.outer(window, window)) @ root)
    lam = lam[lam > 1e-18]

    def near(s):
        return -np.expm1(-0.5 * np.log1p(2 * s * s * lam).sum()) / s**2

    def far(u):
        return -np.expm1(-0.5 * np.log1p(2 / (u * u) * lam).sum())

    mean = sum(integrate.quad(f, 0, 1, epsabs=1e-13)[0] for f in (near, far)) / np.pi**0.5
    moments = wd.local_moments(window, covariance)
    np.testing.assert_allclose(moments.deviation_mean, mean, rtol=1e-11)
    np.testing.assert_allclose(moments.deviation_variance, lam.sum() - mean**2, atol=1e-11)


def test_moments_are_those_of_samples():
    window, covariance = _line(0.5, 2)
    x = np.random.default_rng(0).standard_normal((40_000, len(window))) @ np.linalg.cholesky(covariance).T
    mean = x @ window
    deviation = np.sqrt(np.maximum(x**2 @ window - mean**2, 0))
    moments = wd.local_moments(window, covariance)
    scale = 40_000**-0.5
    assert abs(mean.var() - moments.mean_variance) < 4 * scale * 1.5 * moments.mean_variance
    assert abs(deviation.mean() - moments.deviation_mean) < 4 * scale * deviation.std()
    assert abs(deviation.var() - moments.deviation_variance) < 4 * scale * 2 * moments.deviation_variance


def test_equal_weights_are_a_tile():
    for pixels in (2, 9, 64):
        moments = wd.local_moments(np.full(pixels, 1 / pixels))
        tile = wd.tile_moments(pixels)
        np.testing.assert_allclose(moments, tile[:3], rtol=1e-11)
    single = wd.local_moments(np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(single, (1.0, 0.0, 0.0), atol=1e-12)


SIXTEEN = {0.0: 1.0, 1.0: 0.1577855839, 15**0.5 / 2: 0.0441729862, 3.0: 0.0314442560, np.inf: 0.0058574846}


@pytest.mark.parametrize("sigma", SIXTEEN)
def test_images_of_16_by_16_pixels_with_their_edges(sigma):
    found = wd.pyramid_zero_rate_distortion(np.full((16, 16), sigma))
    np.testing.assert_allclose(found, SIXTEEN[sigma], atol=4e-8)  # the table's quadrature


def test_independent_images_have_twice_the_distortion_under_rdrs_loss():
    sigma = np.random.default_rng(1).uniform(0, 4, (8, 8))
    images = jax.random.normal(jax.random.key(0), (2, 4000, 8, 8, 1))
    loss = np.array(wasserstein_distortion.wasserstein_distortion(images[0], images[1], sigma), np.float64)
    error = loss.std() / len(loss) ** 0.5
    expected = 2 * wd.pyramid_zero_rate_distortion(sigma)
    assert abs(loss.mean() - expected) < 4 * error and error < 0.01 * expected


def test_interiors_of_levels_have_the_tabulated_values():
    for level, expected in ((1, 0.140597669), (2, 0.029804512), (3, 0.007176320)):
        line = wd.axis_windows(64, level)[32 // 2 ** (level - 1)]
        line = line[line > 0]
        windows = np.outer(line, line).reshape(1, -1)
        np.testing.assert_allclose(wd.zero_rate_distortion(windows, np.ones(1)), expected, atol=1e-8)


def test_no_image_beats_it_and_bad_arguments_are_named():
    """The best constant statistics (m = 0, v = E v) have D0; any other fixed ones more."""
    window = np.array([0.5, 0.3, 0.2])
    moments = wd.local_moments(window)
    least = float(moments.mean_variance + moments.deviation_variance)
    np.testing.assert_allclose(wd.zero_rate_distortion(window[None], np.ones(1)), least, rtol=1e-12)
    np.testing.assert_allclose(
        wd.zero_rate_distortion(window[None], np.ones(1), np.eye(3)), least, rtol=1e-11)
    with pytest.raises(ValueError, match="window must sum to 1, got 2"):
        wd.local_moments(np.ones(2))
    with pytest.raises(ValueError, match=r"covariance must have shape \(3, 3\)"):
        wd.local_moments(window, np.eye(2))
    with pytest.raises(ValueError, match="positive definite"):
        wd.local_moments(window, -np.eye(3))
    with pytest.raises(ValueError, match="weights"):
        wd.zero_rate_distortion(window[None], np.ones(2))
