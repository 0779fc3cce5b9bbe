import jax
import numpy as np
import pytest
from scipy import optimize, stats

from theory import quantization as q
from theory.quantization import entropy_coded
from theory.quantization import tabulated_density as sd

OPTIMIZED = True
# Oracle: Lloyd's iteration, confirmed by BFGS on the thresholds; both printed to 8 digits.
GAUSSIAN = {0.1: 0.90851953, 0.25: 0.78944572, 0.5: 0.61733616, 0.75: 0.47093142, 1.0: 0.34826128,
            1.5: 0.17760839, 2.0: 0.08892346, 2.5: 0.04447404, 3.0: 0.02223844, 4.0: 0.00555972}
RATES = np.array(list(GAUSSIAN))
HALF_DIGIT = 0.6e-8
PANELS = 512  # one shape is one compilation
QUARTER_BIT = 0.5 * np.log2(2 * np.pi * np.e / 12)


@pytest.fixture(scope="module")
def gaussian():
    return sd.gaussian_density(panels=PANELS)


@pytest.fixture(scope="module")
def curve(gaussian):
    return q.entropy_coded_distortion_rate(gaussian, RATES)


def test_the_gaussian_values_are_reproduced_to_their_digits(curve):
    np.testing.assert_allclose(curve.lower, list(GAUSSIAN.values()), rtol=0, atol=HALF_DIGIT)


def test_the_two_sides_meet(curve):
    assert np.all(curve.gap >= 0)
    np.testing.assert_array_equal(curve.gap, curve.upper - curve.lower)
    np.testing.assert_allclose(curve.upper, curve.lower, rtol=3e-12)


class NormalMixture:
    """Oracle: performance of thresholds for a mixture of Gaussians, by scipy's normal distribution."""

    def __init__(self, weights, means, stds):
        self.weights, self.means, self.stds = (np.asarray(v, float)[:, None] for v in (weights, means, stds))

    def cells(self, thresholds):
        z = (np.concatenate([[-np.inf], thresholds, [np.inf]]) - self.means) / self.stds
        mass, minus_first = np.diff(stats.norm.cdf(z)), np.diff(stats.norm.pdf(z))
        edge = np.diff(np.where(np.isfinite(z), z, 0) * stats.norm.pdf(z))
        first = self.means * mass - self.stds * minus_first
        second = (self.means**2 + self.stds**2) * mass - 2 * self.means * self.stds * minus_first
        return [np.sum(self.weights * m, 0) for m in (mass, first, second - self.stds**2 * edge)]

    def used(self, quantizer):
        """Thresholds with mass above them that a distribution function can still tell from 1."""
        thresholds = np.asarray(quantizer.thresholds)
        above = np.sum(self.weights * stats.norm.sf((thresholds - self.means) / self.stds), 0)
        return thresholds[above > 1e-13]

    def performance(self, thresholds):
        mass, first, second = self.cells(thresholds)
        return -np.sum(mass * np.log2(mass)), np.sum(second - first**2 / mass)


def test_a_generic_optimizer_on_the_thresholds_finds_the_same_gaussian_quantizer(gaussian):
    # Oracle: BFGS on D + s R over the thresholds; moments in closed form.
    slope, oracle = 0.4, NormalMixture([1.0], [0.0], [1.0])
    ours = q.entropy_coded_scalar_quantizer(gaussian, slope)

    def lagrangian(t):
        return np.dot(oracle.performance(t), (slope, 1.0))

    def gradient(t):
        mass, first, _ = oracle.cells(t)
        centroid, length = first / mass, -np.log2(mass)
        change = (t - centroid[:-1]) ** 2 - (t - centroid[1:]) ** 2 + slope * (length[:-1] - length[1:])
        return stats.norm.pdf(t) * change

    # Threshold at 0 or codeword at 0; a fifth threshold would lie at 7.3 and change 1e-13.
    starts = [1.9 * (np.arange(n) - (n - 1) / 2) for n in (3, 4)]
    best = min(optimize.minimize(lagrangian, t, jac=gradient, options={"gtol": 1e-12}).fun for t in starts)
    assert float(ours.distortion + slope * ours.rate) == pytest.approx(best, abs=1e-12)
    np.testing.assert_allclose(oracle.performance(oracle.used(ours)), (ours.rate, ours.distortion), rtol=1e-11)
    assert ours.residual < 1e-9


def test_no_quantizer_of_a_mixture_beats_the_optimum():
    # Oracles: 2000 random quantizers, and every shift of one threshold.
    weights, means, stds = [0.3, 0.7], [-1.0, 1.5], [0.5, 1.0]
    oracle = NormalMixture(weights, means, stds)
    density = sd.gaussian_mixture_density(weights, means, np.square(stds), panels=PANELS)
    rng = np.random.default_rng(0)
    random = [np.sort(rng.uniform(-3, 4, rng.integers(1, 8))) for _ in range(2000)]
    performances = np.array([oracle.performance(t) for t in random])
    for slope in (0.05, 0.4, 1.5, 4.0):
        best = q.entropy_coded_scalar_quantizer(density, slope)
        optimum = float(best.distortion + slope * best.rate)
        assert np.min(performances @ [slope, 1.0]) >= optimum
        thresholds = oracle.used(best)
        np.testing.assert_allclose(np.dot(oracle.performance(thresholds), (slope, 1.0)), optimum, rtol=1e-11)
        for i in range(len(thresholds)):
            for shift in (-1e-3, 1e-3):
                moved = oracle.performance(thresholds + shift * (np.arange(len(thresholds)) == i))
                assert np.dot(moved, (slope, 1.0)) >= optimum - 1e-13


def test_a_gaussian_costs_at_most_a_quarter_bit_more_than_shannon_and_just_that_at_high_rate(curve):
    # Oracle: Gish and Pierce 1968: the excess tends to (1/2) log2(2 pi e / 12).
    assert -10 * np.log10(float(curve.lower[4])) == pytest.approx(4.5809, abs=6e-5)  # decibels at one bit
    excess = RATES - 0.5 * np.log2(1 / np.asarray(curve.lower))
    assert np.all(excess > 0) and np.all(excess < QUARTER_BIT + 1e-5)
    assert excess[-1] == pytest.approx(QUARTER_BIT, abs=1e-5)


def test_equal_cells_are_the_vertices_of_the_uniform_hull_and_chords_join_them():
    density = sd.uniform_density(1.0, 3.0, panels=PANELS)
    levels = np.array([2, 3, 4, 5, 6, 8, 10, 12, 15, 16])
    vertices = q.entropy_coded_distortion_rate(density, np.log2(levels))
    np.testing.assert_allclose(vertices.lower, 4 / (12 * levels**2), rtol=1e-12)
    np.testing.assert_allclose(vertices.upper, 4 / (12 * levels**2), rtol=1e-12)
    part = np.linspace(0.05, 0.95, 10)
    between = q.entropy_coded_distortion_rate(density, part * np.log2(3) + (1 - part) * np.log2(2))
    chord = part * 4 / (12 * 9) + (1 - part) * 4 / (12 * 4)
    np.testing.assert_allclose(between.lower, chord, rtol=1e-11)
    np.testing.assert_allclose(between.upper, chord, rtol=1e-11)


def test_rate_and_distortion_are_inverse_and_the_curve_is_convex(gaussian, curve):
    # Zero rate suffices from the variance on.
    beyond = [float(gaussian.variance), 7.0]
    back = q.entropy_coded_rate_distortion(gaussian, np.r_[curve.upper[:-2], beyond])
    # A distortion off by a relative 1e-12 moves the rate by D / slope times that, under 1e-11 bit.
    np.testing.assert_allclose(back.lower[:-2], RATES[:-2], rtol=0, atol=1e-11)
    np.testing.assert_allclose(back.upper[:-2], RATES[:-2], rtol=0, atol=1e-11)
    np.testing.assert_array_equal(back.lower[-2:], 0.0)
    np.testing.assert_array_equal(back.upper[-2:], 0.0)
    slopes = -np.diff(curve.lower) / np.diff(RATES)
    assert np.all(slopes > 0) and np.all(np.diff(slopes) < 0)


def test_variance_scales_distortion_and_a_shift_does_nothing_and_both_share_a_compilation(curve):
    before = entropy_coded._hull._cache_size()
    moved = q.entropy_coded_distortion_rate(sd.gaussian_density(3.0, 4.0, panels=PANELS), RATES)
    assert entropy_coded._hull._cache_size() == before
    np.testing.assert_allclose(moved.lower, 4 * np.asarray(curve.lower), rtol=1e-11)


def test_derivatives_by_rate_and_variance_zero_rate_and_nan_in_a_trace(gaussian, curve):
    def traced(rates, variance):
        density = sd.gaussian_density(0.0, variance, panels=PANELS)
        return q.entropy_coded_distortion_rate(density, rates).lower

    rates = np.r_[-1.0, RATES[1:-1], 50.0]
    values, pull_back = jax.vjp(traced, rates, 1.0)
    assert np.isnan(values[0]) and np.isnan(values[-1])
    np.testing.assert_allclose(values[1:-1], curve.lower[1:-1], rtol=1e-11)
    inside = np.r_[0.0, np.ones(8), 0.0]
    by_rate, by_variance = pull_back(inside)
    step = 1e-3
    at = RATES[[2, 4, 6, 8]]
    beside = q.entropy_coded_distortion_rate(gaussian, np.r_[at + step, at - step, 0.0, 0.0])
    above, below = beside.lower[:4], beside.lower[4:8]
    # The slope is known to about the square root of the gap; the difference quotient errs by under step^2.
    np.testing.assert_allclose(by_rate[2:9:2], (above - below) / (2 * step), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(beside.lower[8:], gaussian.variance)
    np.testing.assert_array_equal(beside.upper[8:], gaussian.variance)
    # The slope at zero rate is not computed, and says so.
    assert np.isnan(beside.slope[8:]).all()
    np.testing.assert_allclose(by_rate[1:-1], -np.asarray(curve.slope)[1:-1], rtol=1e-8)
    # D(R) is proportional to the variance.
    assert float(by_variance) == pytest.approx(float(np.dot(inside, curve.lower)), rel=1e-5)


def test_a_large_slope_takes_a_single_cell(gaussian):
    single = q.entropy_coded_scalar_quantizer(gaussian, 1e3)
    assert single.rate == 0 and float(single.distortion) == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("call, said", [
    (lambda d: q.entropy_coded_distortion_rate(d, -0.1), "rate must be >= 0 and not NaN, got -0.1"),
    (lambda d: q.entropy_coded_distortion_rate(d, 20.0), "rate .at this number of panels. must be <= 5.2"),
    (lambda d: q.entropy_coded_rate_distortion(d, 0.0), "distortion must be > 0"),
    (lambda d: q.entropy_coded_rate_distortion(d, 1e-9), "distortion .at this number of panels. must be >="),
    (lambda d: q.entropy_coded_scalar_quantizer(d, 0.0), "slope must be > 0"),
    (lambda d: q.entropy_coded_scalar_quantizer(d, 1e-9), "slope .at this number of panels. must be >= 0.0"),
])
def test_what_cannot_be_resolved_is_refused(gaussian, call, said):
    with pytest.raises(ValueError, match=said):
        call(gaussian)
