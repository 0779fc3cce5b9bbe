import math

import numpy as np
import pytest
from scipy import stats

from experiments.sources import wasserstein_rate_tiles as tiles


def sources(count=64, pixels=16):
    return np.random.default_rng(1).standard_normal((8, count, pixels))


def test_loss_of_tiles_is_the_squared_error_of_mean_and_deviation():
    x = sources()
    y = tiles.moments_codec(x, 0.01, "dither", 0).decoded
    expected = np.square(x.mean(-1) - y.mean(-1)) + np.square(x.std(-1) - y.std(-1))
    np.testing.assert_allclose(tiles.loss(x, y, False), expected.mean(-1), rtol=1e-4)
    sorted_error = np.square(np.sort(x, -1) - np.sort(y, -1)).mean(-1)
    np.testing.assert_allclose(tiles.loss(x, y, True), sorted_error.mean(-1), rtol=1e-4)


@pytest.mark.parametrize("pixels", [4, 16])
def test_realistic_tiles_are_the_source_at_twice_the_distortion(pixels):
    x = sources(512, pixels)
    level = 0.1 / pixels
    made = tiles.realistic_codec(x, level, 3)
    flat = made.decoded.reshape(-1, pixels)
    assert stats.kstest(flat.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(flat.mean(-1) * math.sqrt(pixels), "norm").pvalue > 1e-3
    assert stats.kstest(pixels * flat.var(-1), stats.chi2(pixels - 1).cdf).pvalue > 1e-3
    least = tiles.moments_codec(x, level, "rounding", 3)
    ratio = tiles.loss(x, made.decoded, False).mean() / tiles.loss(x, least.decoded, False).mean()
    assert ratio == pytest.approx(2.0, abs=0.08) and made.message == least.message


def test_bounds_of_the_exact_loss_hold_between_tiles_and_order_statistics():
    lower, upper = tiles.bounds(0.02 / 4, 4, True)
    # At high rate the two differ by what the order statistics lack of a Gaussian vector.
    assert lower == pytest.approx(-2 * math.log2(0.005) - math.log2(24)) and lower < upper < lower + 1.2
    assert tiles.bounds(0.1 / 16, 16, False) == pytest.approx((3.804794, 3.809416), abs=1e-6)
