"""Oracles: the pair in closed form, Monte Carlo of sorted tiles, rdr's exact loss, sums of rows."""

import jax
import numpy as np
import pytest
from scipy import integrate, stats

from rdr.losses import wasserstein_distortion
from theory import wasserstein_distortion as wd

ZERO_RATE = {2: 0.6816901138, 4: 0.4260852901, 9: 0.2273427341, 16: 0.1406412583, 28: 0.0865194689, 64: 0.0412290046,
             256: 0.0114313158, 1024: 0.0030779313}


# Each size is a program of its own; those of other tests, and all of them under stress.
@pytest.mark.parametrize("sizes", [(2, 9, 16), pytest.param(tuple(ZERO_RATE), marks=pytest.mark.stress)])
def test_zero_rate_distortions_have_the_tabulated_values(sizes):
    np.testing.assert_allclose(
        [wd.order_statistic_zero_rate_distortion(n) for n in sizes], [ZERO_RATE[n] for n in sizes], atol=5e-11)
    np.testing.assert_allclose(wd.order_statistic_zero_rate_distortion(2), 1 - 1 / np.pi, rtol=1e-13)


def test_means_agree_with_adaptive_quadrature():
    for n, i in ((9, 0), (9, 4), (64, 60)):
        log_scale = stats.binom(n - 1, 0.5).logpmf(i) + (n - 1) * np.log(2) + np.log(n)

        def density(x, n=n, i=i, log_scale=log_scale):
            return np.exp(log_scale + i * stats.norm.logcdf(x) + (n - 1 - i) * stats.norm.logsf(x)
                          + stats.norm.logpdf(x))

        mean = integrate.quad(lambda x: x * density(x), -9, 9, epsabs=1e-12, limit=200)[0]
        np.testing.assert_allclose(wd.order_statistic_means(n)[i], mean, atol=1e-10)


def test_covariances_are_those_of_sorted_samples():
    pair = wd.order_statistic_covariance(2)
    np.testing.assert_allclose(pair, [[1 - 1 / np.pi, 1 / np.pi], [1 / np.pi, 1 - 1 / np.pi]], rtol=1e-11)
    ordered = np.sort(np.random.default_rng(0).standard_normal((200_000, 5)), 1)
    np.testing.assert_allclose(wd.order_statistic_covariance(5), np.cov(ordered.T), atol=0.008)
    # The diagonal is set so that rows sum to 1; the means give it by another way.
    for n in (5, 16):
        covariance = wd.order_statistic_covariance(n)
        np.testing.assert_allclose(np.trace(covariance) / n, wd.order_statistic_zero_rate_distortion(n), rtol=1e-10)
        np.testing.assert_allclose(covariance, covariance[::-1, ::-1], atol=1e-12)
        assert np.linalg.eigvalsh(covariance)[0] > 0


def test_independent_tiles_have_twice_the_distortion_under_rdrs_exact_loss():
    tiles = jax.random.normal(jax.random.key(1), (2, 3000, 4, 4, 1))
    loss = np.array(
        wasserstein_distortion.wasserstein_distortion(tiles[0], tiles[1], np.inf, exact=True), np.float64)
    error = loss.std() / len(loss) ** 0.5
    assert abs(loss.mean() - 2 * wd.order_statistic_zero_rate_distortion(16)) < 4 * error
    # The expected order statistics, in any order, reach half of that.
    means = np.random.default_rng(2).permutation(wd.order_statistic_means(16))
    fixed = np.broadcast_to(means.reshape(1, 4, 4, 1), tiles[0].shape).astype(np.float32)
    loss = np.array(wasserstein_distortion.wasserstein_distortion(tiles[0], fixed, np.inf, exact=True), np.float64)
    error = loss.std() / len(loss) ** 0.5
    assert abs(loss.mean() - wd.order_statistic_zero_rate_distortion(16)) < 4 * error


def test_savings_have_the_tabulated_values():
    np.testing.assert_allclose(
        wd.unordered_rate_saving(np.array([4, 16, 64])), [1.1462406252, 2.7656337794, 4.6249241241], atol=5e-11)


def test_bounds_are_in_order_and_bracket_what_is_known():
    distortion = np.array([1e-12, 1e-8, 1e-4, 0.01, 0.1, 0.3, 0.7, 1.0])
    for pixels in (1, 2, 4, 16, 100):
        lower, upper = wd.exact_tile_rate_bounds(distortion, pixels)
        assert (lower <= upper + 1e-12).all() and (np.diff(lower) <= 0).all() and (np.diff(upper) <= 0).all()
        assert (lower >= wd.tile_rate_bounds(distortion, pixels)[0] - 1e-9).all()  # the proxy is never above
    np.testing.assert_allclose(wd.exact_tile_rate_bounds(0.3, 1), 0.5 * np.log2(1 / 0.3), rtol=1e-12)
    # A pair's order is its mean and deviation: both losses are the same.
    np.testing.assert_allclose(
        wd.exact_tile_rate_bounds(distortion, 2)[1], wd.tile_rate_bounds(distortion, 2)[1], rtol=1e-9, atol=1e-9)
    # Rate 0 from D0 on, and not before.
    d0 = wd.order_statistic_zero_rate_distortion(16)
    assert wd.exact_tile_rate_bounds(d0 * 1.000001, 16)[1] == 0 < wd.exact_tile_rate_bounds(d0 * 0.99, 16)[1]


def test_a_discretized_pair_lies_between_the_bounds():
    """n = 2: R of the sorted pair is that of its mean (Gaussian) and of |X1 - X2|/2 (half normal), at one slope."""
    v = np.linspace(0.0025, 3.2, 500)
    pmf = np.exp(-(v**2))
    pmf /= pmf.sum()
    theta = 0.02
    kernel = np.exp(-np.square(v[:, None] - v) / (2 * theta))
    output = np.full(500, 1 / 500)
    for _ in range(2000):
        output = output * (pmf / (kernel @ output)) @ kernel
    channel = kernel * output / (kernel @ output)[:, None]
    rate = np.sum(pmf[:, None] * channel * np.log2(np.maximum(channel, 1e-300) / np.maximum(output, 1e-300)))
    distortion = theta + np.sum(pmf[:, None] * channel * np.square(v[:, None] - v))
    lower, upper = wd.exact_tile_rate_bounds(distortion, 2)
    total = rate + 0.5 * np.log2(0.5 / theta)
    assert lower < total < upper + 1e-3


def test_bad_arguments_are_named():
    for wrong in (0, 2.5, 1 << 20):
        with pytest.raises(ValueError, match="pixels must be an integer from 1 to"):
            wd.order_statistic_means(wrong)
    with pytest.raises(ValueError, match="pixels must be at most 64"):
        wd.order_statistic_covariance(65)
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        wd.exact_tile_rate_bounds(-1.0, 4)
    with pytest.raises(ValueError, match="pixels must be >= 1"):
        wd.unordered_rate_saving(0.5)
