"""Oracles: the windows and weights of rdr's loss, the explicit spectrum with its aliases, tabulated values."""

import jax
import numpy as np
import pytest
from scipy import optimize

from rdr.losses.wasserstein_distortion import exact, window_weights
from theory import wasserstein_distortion as wd
from theory.gaussian import process, vector
from theory.wasserstein_distortion import pyramid


@pytest.mark.parametrize("size", [1, 2, 7, 13, 16])
def test_windows_are_those_of_the_loss(size):
    for level in range(5):
        np.testing.assert_allclose(pyramid.axis_windows(size, level), exact._pooling_matrix(size, level), atol=1e-15)


@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (1, 5), (1, 1)])
def test_weights_are_those_of_the_loss(shape):
    sigma = np.random.default_rng(0).uniform(0, 5, shape)
    sigma[0, 0] = np.inf if sigma.size > 1 else 0.0
    theirs = [w[0] for w in window_weights.window_weights(sigma[None].clip(max=max(shape)) ** 2, shape, *shape, None)
              if w is not None]
    ours = [level.weights for level in wd.pyramid_levels(sigma)]
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, atol=1e-14)


def test_windows_have_the_tabulated_energy_and_width():
    for level, line, plane in ((1, 0.3125, 0.09765625), (2, 0.1416015625, 0.0200510025),
                               (3, 0.0692443848, 0.0047947848), (4, 0.0344362259, 0.0011858537)):
        middle = pyramid.axis_windows(256, level)[128 // 2 ** (level - 1)]
        np.testing.assert_allclose([np.square(middle).sum(), np.square(middle).sum() ** 2], [line, plane], atol=5e-11)
        np.testing.assert_allclose(pyramid._lags(level)[0], line, atol=5e-11)
        place = np.arange(256) - middle @ np.arange(256)
        np.testing.assert_allclose((middle @ place**2) ** 0.5, pyramid.level_std(level), rtol=1e-12)


# Level: D and R at theta = .1 and .01 over the squared stride, all digits right: ours and `_by_quadrature` agree to
# 1e-15. An older table of nine digits was wrong by up to 9e-9 in D and 1.4e-7 in R at the first level.
POINTS = {
    1: (0.030095741959, 0.190241880494, 0.004646490942, 0.713092042746),
    2: (0.006318322686, 0.038843359504, 0.001004670746, 0.148645973126),
    3: (0.001515887157, 0.009281219836, 0.000242041659, 0.035625443776),
    4: (0.000375219586, 0.002294986532, 0.000059971784, 0.008815896729),
}


def _power(w, level):
    """P with its aliases, from Q = [sin(2^(i-1) w) / (2^i sin(w/2))]^3."""
    stride = 2 ** (level - 1)
    fold = (w[..., None] + 2 * np.pi * np.arange(stride)) / stride
    with np.errstate(invalid="ignore"):
        ratio = np.where(fold == 0, 1.0, np.sin(stride * fold) / (2**level * np.sin(fold / 2)))
    return np.mean(ratio**6, -1)


def _aliased(level, count):
    """P on a grid of the sampled means."""
    return _power(2 * np.pi * (np.arange(count) + 0.5) / count, level)


def _by_quadrature(theta, level, count=60):
    """D and R in two dimensions by Gauss-Legendre rules that end where P(w1) P(w2) = theta does, from `_power`."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    top = float(_power(np.array(0.0), level))

    def edge(power):
        return optimize.brentq(lambda w: float(_power(np.array(w), level)) - power, 0.0, np.pi, xtol=1e-15, rtol=1e-15)

    def integral(function, low, high):
        half = 0.5 * (high - low)[..., None]
        return (function(low[..., None] + half * (1.0 + nodes)) * weights).sum(-1) * half[..., 0]

    last = edge(theta / top)
    s = 0.5 * (1.0 + nodes)
    first, measure = last * (1.0 - s * s), last * s * weights  # inner integrals end like a root there
    power = _power(first, level)
    ends = np.array([edge(theta / p) for p in power])
    rates = integral(lambda w: 0.5 * np.log2(_power(w, level) * power[:, None] / theta), 0.0 * ends, ends)
    tails = integral(lambda w: _power(w, level), ends, np.full(count, np.pi))
    whole, tail = (integral(lambda w: _power(w, level), np.array(low), np.array(np.pi)) for low in (0.0, last))
    distortion = ((theta * ends + power * tails) * measure).sum() + tail * whole
    return distortion / np.pi**2, (rates * measure).sum() / np.pi**2 / 4 ** (level - 1)


# Each level is a program of its own.
@pytest.mark.parametrize("level", [n if n in (1, 3) else pytest.param(n, marks=pytest.mark.stress) for n in POINTS])
def test_interior_rates(level):
    stride = 2 ** (level - 1)
    theta = np.array([0.1, 0.01]) / stride**2
    point = wd.pyramid_field_water_filling(theta, level)
    expected = np.array(POINTS[level]).reshape(2, 2)
    np.testing.assert_allclose(point.distortion, expected[:, 0], atol=6e-13)
    np.testing.assert_allclose(point.rate, expected[:, 1], atol=6e-13)
    second = np.array([_by_quadrature(t, level) for t in theta])
    np.testing.assert_allclose(np.transpose(point), second, rtol=1e-11)
    line = _aliased(level, 1500)
    spectrum = np.outer(line, line)
    np.testing.assert_allclose(point.distortion, [np.minimum(spectrum, t).mean() for t in theta], rtol=1e-6)
    np.testing.assert_allclose(
        point.rate, [np.log2(np.maximum(spectrum / t, 1)).mean() / 2 / stride**2 for t in theta], rtol=1e-6)
    np.testing.assert_allclose(wd.pyramid_field_rate(point.distortion, level), point.rate, rtol=1e-10)


def test_a_line_too_and_level_0_is_the_rate_distortion_function():
    line = _aliased(3, 4000)
    distortion = line.mean() * np.array([0.7, 0.2, 0.01])
    np.testing.assert_allclose(
        wd.pyramid_field_rate(distortion, 3, dimension=1), process.rate_distortion(distortion, line) / 4, rtol=1e-5)
    distortion = np.array([0.001, 0.3, 0.9, 1.5])
    for dimension in (1, 2):
        np.testing.assert_allclose(
            wd.pyramid_field_rate(distortion, 0, dimension=dimension),
            process.rate_distortion(distortion, np.ones(2)), rtol=1e-12)
    np.testing.assert_array_equal(wd.pyramid_field_rate(np.array([0.0, 1.0]), 3), [np.inf, 0.0])


def test_the_rate_saturates_at_one_degree_of_freedom_per_window():
    """Between theta and theta / 4 a window costs one bit more."""
    peak = float(pyramid._peak(3, 2))
    point = wd.pyramid_field_water_filling(peak * np.array([1e-16, 2.5e-17]), 3)
    assert 0.95 < (point.rate[1] - point.rate[0]) * 16 < 1.0


SIXTEEN = {  # sigma: tr M, D at theta = .1 lam_1, bits per image
    0.0: (1.0, 0.1, 425.20679615), 1.0: (0.1108068625, 0.0332519761, 55.09972464),
    15**0.5 / 2: (0.0298776627, 0.0080958416, 14.73040107), 3.0: (0.0212245508, 0.0069550601, 10.25053565),
    np.inf: (0.0039062500, 0.0003906250, 1.66096405)}


@pytest.mark.parametrize("sigma", SIXTEEN)
def test_images_of_16_by_16_pixels_with_their_edges(sigma):
    trace, distortion, rate = SIXTEEN[sigma]
    lam = wd.pooled_eigenvalues(wd.pyramid_mean_matrix(np.full((16, 16), sigma)))
    np.testing.assert_allclose(lam.sum(), trace, atol=5e-11)
    np.testing.assert_allclose(lam[-1], 1 / 256, rtol=1e-12)  # the constant image: every pixel counts alike
    found = np.minimum(lam, 0.1 * lam[-1]).sum()
    np.testing.assert_allclose(found, distortion, atol=5e-11)
    np.testing.assert_allclose(vector.rate_distortion(found, lam), rate, atol=1e-8)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"sigma must have shape \[height, width\], got \(3,\)"):
        wd.pyramid_levels(np.ones(3))
    with pytest.raises(ValueError, match="sigma must be >= 0"):
        wd.pyramid_mean_matrix(-np.ones((2, 2)))
    with pytest.raises(ValueError, match="sigma must be >= 0"):
        wd.gaussian_windows(-np.ones((2, 2)))
    with pytest.raises(ValueError, match="level must be an integer from 0 to 15"):
        wd.pyramid_field_rate(0.1, 1.5)
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        wd.pyramid_field_rate(-0.1, 1)
    assert np.isnan(jax.jit(wd.pyramid_mean_matrix)(-np.ones((2, 2)))).any()
