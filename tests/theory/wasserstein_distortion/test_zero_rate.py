"""Oracles: quadrature over eigenvalues, Monte Carlo of local moments, rdr's loss between independent images."""

import jax
import numpy as np
import pytest
from scipy import integrate

from rdr.losses import wasserstein_distortion
from theory import wasserstein_distortion as wd

# AR coefficient, sigma: Var m, E v, Var v, 2 D0; all digits right. An older table had eight, the last of them off by
# up to one: ours agrees with the rule of `_trapezoids` to 3e-13.
TABLE = {
    (0.0, 2): (0.14104739596, 0.89303855665, 0.06143474037, 0.40496427267),
    (0.0, 8): (0.03526184906, 0.97347566653, 0.01708327761, 0.10469025334),
    (0.0, 32): (0.00881546227, 0.99338345303, 0.00437385296, 0.02637863048),
    (0.5, 2): (0.35749047579, 0.76862171520, 0.05173018312, 0.81844131783),
    (0.5, 8): (0.10420744805, 0.93400270815, 0.02343149312, 0.25527788234),
    (0.5, 32): (0.02642063869, 0.98317390356, 0.00694843667, 0.06673815073),
    (0.9, 2): (0.80295752697, 0.41824930611, 0.02210999097, 1.65013503588),
    (0.9, 8): (0.47527145566, 0.69792569429, 0.03762826959, 1.02579945049),
    (0.9, 32): (0.16093879263, 0.90102385483, 0.02721722040, 0.37631202605),
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
    np.testing.assert_allclose(found, TABLE[case], atol=6e-12)


@pytest.mark.stress
@pytest.mark.parametrize("case", [case for case in TABLE if case[1] == 32])
def test_moments_of_wide_windows_have_the_tabulated_values(case):
    moments = wd.local_moments(*_line(*case))
    found = [*moments, 2 * (moments.mean_variance + moments.deviation_variance)]
    np.testing.assert_allclose(found, TABLE[case], atol=6e-12)


def _trapezoids(lam):
    """E v = (1/2 sqrt pi) int (1 - prod(1 + 2 t lam_i)^-1/2) t^-3/2 dt with t = e^x: converges geometrically."""
    x = np.arange(-80, 80, 0.2)
    parts = -np.expm1(-0.5 * np.log1p(2 * np.exp(x)[:, None] * lam).sum(1)) * np.exp(-x / 2)
    return 0.2 * parts.sum() / (2 * np.pi**0.5)


@pytest.mark.parametrize("case", [(0.0, 8), (0.5, 2), (0.9, 2)])
def test_moments_agree_with_two_quadratures(case):
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
    np.testing.assert_allclose(moments.deviation_mean, _trapezoids(lam), rtol=1e-11)
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


# By `_trapezoids` over all windows (an older table was wrong by up to 4e-8).
SIXTEEN = {0.0: 1.0, 1.0: 0.157785560748, 15**0.5 / 2: 0.044172959304, 3.0: 0.031444228710, np.inf: 0.005857456426}


@pytest.mark.parametrize("sigma", SIXTEEN)
def test_images_of_16_by_16_pixels_with_their_edges(sigma):
    found = wd.pyramid_zero_rate_distortion(np.full((16, 16), sigma))
    np.testing.assert_allclose(found, SIXTEEN[sigma], atol=6e-13)


def test_independent_images_have_twice_the_distortion_under_rdrs_loss():
    sigma = np.random.default_rng(1).uniform(0, 4, (8, 8))
    images = jax.random.normal(jax.random.key(0), (2, 4000, 8, 8, 1))
    loss = jax.jit(lambda a, b: wasserstein_distortion.wasserstein_distortion(a, b, sigma))(*images)
    loss = np.array(loss, np.float64)
    error = loss.std() / len(loss) ** 0.5
    expected = 2 * wd.pyramid_zero_rate_distortion(sigma)
    assert abs(loss.mean() - expected) < 4 * error and error < 0.01 * expected


def test_interiors_of_levels_have_the_tabulated_values():
    for level, expected in ((1, 0.140597667059), (2, 0.029804509795), (3, 0.007176317619)):
        line = wd.axis_windows(64, level)[32 // 2 ** (level - 1)]
        line = line[line > 0]
        windows = np.outer(line, line).reshape(1, -1)
        np.testing.assert_allclose(wd.zero_rate_distortion(windows, np.ones(1)), expected, atol=6e-13)


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
