"""Oracles: numerical integrals over the chi density, discretized rate-distortion, Monte Carlo with rdr's loss."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import jax
import numpy as np
import pytest
from scipy import integrate, stats

from rdr.losses import wasserstein_distortion
from theory import gaussian
from theory import wasserstein_distortion as wd
from theory.gaussian import vector

SIZES = np.array([4, 16, 64])


def test_moments_have_the_tabulated_values():
    moments = wd.tile_moments(SIZES)
    np.testing.assert_allclose(moments.deviation_variance, [0.113380228, 0.030712634, 0.007781254], atol=5e-10)
    np.testing.assert_allclose(moments.deviation_entropy_power, [0.107328288, 0.030516454, 0.007770615], atol=5e-10)
    wide = wd.tile_moments(np.array([2, 4, 16, 64, 256]))
    np.testing.assert_allclose(
        0.5 * np.log2(wide.deviation_variance / wide.deviation_entropy_power),
        [0.269776, 0.039569, 0.004622, 0.000987, 0.000238], atol=5e-7)
    np.testing.assert_allclose(
        wd.tile_zero_rate_distortion(np.array([2, 4, 9, 16, 28, 64, 256, 1024])),
        [0.6816901138, 0.3633802276, 0.1648326822, 0.0932126341, 0.0534030995, 0.0234062545, 0.0058574564,
         0.0014647244], atol=5e-11)


@pytest.mark.parametrize("pixels", [2, 3, 16, 101, 300])
def test_moments_are_those_of_the_chi_distribution(pixels):
    moments = wd.tile_moments(pixels)
    chi = stats.chi(pixels - 1, scale=pixels**-0.5)
    ends = max(0.0, chi.mean() - 12 * chi.std()), chi.mean() + 12 * chi.std()
    mean = integrate.quad(lambda v: v * chi.pdf(v), *ends, epsabs=1e-13)[0]
    variance = integrate.quad(lambda v: (v - mean) ** 2 * chi.pdf(v), *ends, epsabs=1e-14)[0]
    entropy = integrate.quad(lambda v: -chi.pdf(v) * chi.logpdf(v) if v else 0.0, *ends, epsabs=1e-12)[0]
    np.testing.assert_allclose(moments.deviation_mean, mean, rtol=1e-9)
    np.testing.assert_allclose(moments.deviation_variance, variance, rtol=1e-7)
    np.testing.assert_allclose(
        moments.deviation_entropy_power, np.exp(2 * entropy) / (2 * np.pi * np.e), rtol=1e-7)


def test_large_tiles_lose_no_digits():
    """Oracle: for n = 2k + 1 the ratio of gamma functions is sqrt(pi) times a rational number; 50 digits of pi."""
    pi = Decimal("3.14159265358979323846264338327950288419716939937510")
    for k, tolerance in ((40, 1e-10), (51, 2e-12), (200, 1e-13)):
        root = Fraction(math.factorial(2 * k), 4**k * math.factorial(k) * math.factorial(k - 1))
        with localcontext() as context:
            context.prec = 50
            squared = pi * Decimal((root**2).numerator) / Decimal((root**2).denominator)
            expected = 2 * (k - squared) / (2 * k + 1)
        np.testing.assert_allclose(wd.tile_moments(2 * k + 1).deviation_variance, float(expected), rtol=tolerance)
    moments = wd.tile_moments(np.array([101.0, 1e4, 1e8]))
    assert (moments.deviation_entropy_power <= moments.deviation_variance).all()
    np.testing.assert_allclose(2e8 * moments.deviation_variance[2], 1 - 1 / 4e8, rtol=1e-12)


def test_rates_have_the_tabulated_values():
    total = np.array([0.5, 0.1, 0.02])
    for pixels, lower, upper in (
        (16, [1.482866, 3.804794, 6.126722], [1.487488, 3.809416, 6.131344]),
        (64, [1.496122, 3.818050, 6.139978], [1.497109, 3.819037, 6.140965]),
    ):
        found = wd.tile_rate_bounds(total / pixels, pixels)
        np.testing.assert_allclose(found[0], lower, atol=5e-7)
        np.testing.assert_allclose(found[1], upper, atol=5e-7)
    # Perfect realism without common randomness: the same rates at twice the distortion.
    found = wd.realistic_tile_rate_bounds(0.2 / 64, 64)
    np.testing.assert_allclose(found, [3.818050, 3.819037], atol=5e-7)


def test_a_discretized_deviation_lies_between_the_bounds():
    """Oracle: Blahut-Arimoto on 400 points of chi_3 / 2 (n = 4), by slope; the mean's part is exact."""
    chi = stats.chi(3, scale=0.5)
    v = np.linspace(0.005, 2.6, 400)
    pmf = chi.pdf(v) / chi.pdf(v).sum()
    for theta in (0.01, 0.05):
        kernel = np.exp(-np.square(v[:, None] - v) / (2 * theta))
        output = np.full(400, 1 / 400)
        for _ in range(3000):
            output = output * (pmf / (kernel @ output)) @ kernel
        channel = kernel * output / (kernel @ output)[:, None]
        joint = pmf[:, None] * channel
        rate = np.sum(joint * np.log2(np.maximum(channel, 1e-300) / np.maximum(output, 1e-300)))
        distortion = np.sum(joint * np.square(v[:, None] - v))
        # The Lagrangian of the pair: min over (D1, D2) at slope 1/(2 theta) each.
        lower, upper = wd.tile_rate_bounds(distortion + theta, 4)
        total = rate + 0.5 * np.log2(0.25 / theta)
        assert lower < total < upper + 1e-3


def test_zero_rate_and_independent_tiles_are_what_the_loss_measures():
    """rdr's loss with sigma infinite compares the whole tile: D0 at (0, E v), 2 D0 between independent tiles."""
    for side in (2, 4):
        pixels = side**2
        tiles = jax.random.normal(jax.random.key(side), (2, 20_000, side, side, 1))
        measured = np.array(wasserstein_distortion.wasserstein_distortion(tiles[0], tiles[1], np.inf), np.float64)
        error = measured.std() / len(measured) ** 0.5
        assert abs(measured.mean() - 2 * wd.tile_zero_rate_distortion(pixels)) < 4 * error
        assert error < 0.02 * measured.mean()
        # A fixed tile of mean 0 and deviation E v.
        pattern = np.where(np.arange(pixels) % 2, 1.0, -1.0).reshape(1, side, side, 1)
        fixed = np.broadcast_to(pattern * float(wd.tile_moments(pixels).deviation_mean), tiles[0].shape)
        measured = np.array(
            wasserstein_distortion.wasserstein_distortion(tiles[0], fixed.astype(np.float32), np.inf), np.float64)
        error = measured.std() / len(measured) ** 0.5
        assert abs(measured.mean() - wd.tile_zero_rate_distortion(pixels)) < 4 * error


def test_posterior_samples_have_exactly_twice_the_distortion():
    """Scalar posterior sampling of (m, v) on a grid of messages: E |Q - Q'|^2 = 2 E Var(Q | message)."""
    key_tile, _ = jax.random.split(jax.random.key(0))
    tiles = np.array(jax.random.normal(key_tile, (60_000, 4)))
    mean, deviation = tiles.mean(1), tiles.std(1)
    message = np.floor(mean / 0.5).astype(int) * 100 + np.floor(deviation / 0.4).astype(int)
    within, between = 0.0, []
    rng = np.random.default_rng(1)
    for k in np.unique(message):
        members = np.flatnonzero(message == k)
        if len(members) < 2:
            continue
        pair = np.stack([mean[members], deviation[members]], 1)
        within += len(members) * pair.var(0, ddof=1).sum()
        between.append(np.square(pair - pair[rng.permutation(len(members))]).sum(1))
    total = np.concatenate(between)
    error = total.std() / len(total) ** 0.5
    assert abs(total.mean() - 2 * within / len(total)) < 5 * error


def test_one_pixel_is_squared_error_and_rates_are_monotone_and_convex():
    distortion = np.linspace(0.02, 1.2, 60)
    for bound in wd.tile_rate_bounds(distortion, 1):
        np.testing.assert_allclose(bound, gaussian.rate_distortion(distortion), rtol=1e-12, atol=1e-14)
    for pixels in (2, 9, 1000):
        share = np.geomspace(1e-4, 1.0, 60) * float(wd.tile_zero_rate_distortion(pixels))
        lower, upper = wd.tile_rate_bounds(share, pixels)
        assert (lower <= upper).all() and abs(upper[-1]) < 1e-12
        for rate in (lower, upper):
            slopes = np.diff(rate) / np.diff(share)
            assert (slopes <= 0).all() and (np.diff(slopes) >= -1e-9 * np.abs(slopes[1:])).all()


def test_sliding_boxes_beat_pooled_means_near_zero_rate_only():
    """Oracle: reverse water-filling of the box's spectrum on a periodic line, the bound by pooled means."""
    pixels, size = 8, 512
    power = np.square(np.abs(np.fft.fft(np.ones(pixels) / pixels, size)))
    d0 = float(wd.tile_zero_rate_distortion(pixels))
    distortion = d0 * np.array([0.01, 0.7, 0.95])
    means = np.array(vector.rate_distortion(size * distortion, power)) / size
    boxes = np.array(wd.sliding_box_rate(distortion, pixels))
    assert boxes[0] < means[0] and boxes[1] > means[1] == 0 and boxes[2] > 0
    assert wd.sliding_box_rate(1.001 * d0, pixels) == 0


def test_derivatives_vmap_and_refusals():
    slope = jax.grad(lambda d: wd.tile_rate_bounds(d, 16)[1])(0.5 / 16)
    np.testing.assert_allclose(slope, -1 / (2 * 0.25 / 16 * np.log(2)), rtol=1e-12)
    sizes = np.array([4.0, 16.0])
    np.testing.assert_allclose(
        jax.vmap(lambda n: wd.tile_rate_bounds(0.01, n)[0])(sizes), wd.tile_rate_bounds(0.01, sizes)[0], rtol=1e-12)
    with pytest.raises(ValueError, match="pixels must be >= 1"):
        wd.tile_rate_bounds(0.1, 0)
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        wd.realistic_tile_rate_bounds(-0.1, 4)
    assert np.isnan(jax.jit(lambda n: wd.tile_rate_bounds(0.1, n)[0])(0.5))
