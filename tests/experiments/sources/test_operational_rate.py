import numpy as np
import pytest
from scipy import stats

from experiments.sources import operational_rate
from theory import gaussian

SAMPLES = 5000  # of each of 200 runs


@pytest.mark.parametrize("samples, expected", [
    (np.full(1000, 0.3), 1 + 0.09),  # a point mass: E(Z - 0.3)^2
    (np.tile([-0.8, 0.8], 500), 1 + 0.64 - 2 * 0.8 * np.sqrt(2 / np.pi)),  # two atoms: E|Z| = sqrt(2/pi)
])
def test_w2_of_atoms_has_a_closed_form(samples, expected):
    np.testing.assert_allclose(operational_rate.normal_w2_squared(samples)[0], expected, rtol=1e-9)


def test_w2_of_many_numbers_equals_quadrature():
    """Oracle: integral of (F^-1(t) - z(t))^2 over each slice, by Gauss-Legendre quadrature."""
    y = np.sort(np.random.default_rng(0).standard_normal(50) * 1.3 + 0.2)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    total = 0.0
    for i in range(50):
        t = (i + 0.5 * (nodes + 1)) / 50
        total += np.sum(weights * (y[i] - stats.norm.ppf(t)) ** 2) / 100
    np.testing.assert_allclose(operational_rate.normal_w2_squared(y)[0], total, rtol=2e-4)  # singular at both ends


def test_the_influence_is_the_derivative_of_the_distance():
    """Oracle: the distance of the distribution in which one number has slightly more weight."""
    rng = np.random.default_rng(1)
    y = rng.standard_normal(40) * 0.7 + 0.1
    distance, influence = operational_rate.normal_w2_squared(np.repeat(y, 500))
    for i in (3, 17, 30):
        heavier = np.concatenate([np.repeat(y, 500), np.full(20, y[i])])
        slope = (operational_rate.normal_w2_squared(heavier)[0] - distance) / (20 / heavier.size)
        np.testing.assert_allclose(slope, influence[500 * i], rtol=0.02, atol=0.02)
    np.testing.assert_allclose(influence.mean(), 0.0, atol=1e-12)


def test_the_influence_predicts_the_spread_of_the_estimate():
    """Monte Carlo: 300 estimates of W2^2 for N(0.3, 0.8^2); the ratio of variances has an error of sqrt(2/300)."""
    rng = np.random.default_rng(2)
    found = [operational_rate.normal_w2_squared(0.3 + 0.8 * rng.standard_normal(2000)) for _ in range(300)]
    predicted = np.mean([influence.var() / 2000 for _, influence in found])
    assert 1 - 5 * np.sqrt(2 / 300) < np.var([d for d, _ in found]) / predicted < 1 + 5 * np.sqrt(2 / 300)
    # The truth is 0.09 + 0.04; what is left is the finite-sample bias, of order 1/n.
    np.testing.assert_allclose(np.mean([d for d, _ in found]), 0.13, atol=0.004)


def test_the_bias_at_perfect_realism_falls_like_one_over_n():
    assert 0 < operational_rate.empirical_bias(4000, 8, 0) < 10 / 4000
    assert operational_rate.empirical_bias(40_000, 8, 0) < 0.3 * operational_rate.empirical_bias(4000, 8, 0)


def ideal_measurement(seed):
    """A Gaussian test channel in place of a codec: D = 0.3 + 0.05, P known, bits with the right mean and spread."""
    rng = np.random.default_rng(seed)
    n = SAMPLES
    x, w = rng.standard_normal((2, n))
    y = 0.7 * x + np.sqrt(0.21) * w
    bits = 1.0 + 0.3 * rng.standard_normal(n) + 0.2 * x
    distance, influence = operational_rate.normal_w2_squared(y)
    errors = (x - y) ** 2
    return operational_rate.Measurement(0, bits.mean(), bits.mean(), errors.mean(), distance, bits, errors, influence)


def test_the_error_of_the_gap_is_its_spread():
    """Monte Carlo: the standard error that one run states against the spread over 200 runs."""
    found = [operational_rate.gap_and_error(ideal_measurement(s), gaussian.rate_distortion_perception)
             for s in range(200)]
    gaps, errors = np.array([f[1] for f in found]), np.array([f[2] for f in found])
    assert 1 - 5 / np.sqrt(400) < gaps.std() / errors.mean() < 1 + 5 / np.sqrt(400)
    np.testing.assert_allclose(found[0][0] + found[0][1], ideal_measurement(0).rate, rtol=1e-12)


def test_the_error_of_the_gap_knows_how_perception_goes_with_the_rate():
    """A bound 5 P, and bits that rise with 4 times the influence of a sample on P: its part in the gap nearly cancels.

    The influence is the potential y^2 - (y - 0.3)^2 / 0.8 of the map (y - 0.3) / 0.8 from N(0.3, 0.8^2) to N(0, 1).
    """
    def one(seed):
        rng = np.random.default_rng(seed)
        y = 0.3 + 0.8 * rng.standard_normal(SAMPLES)
        distance, influence = operational_rate.normal_w2_squared(y)
        bits = 1.0 + 4.0 * (y**2 - (y - 0.3) ** 2 / 0.8)
        m = operational_rate.Measurement(0, bits.mean(), bits.mean(), 1.0, distance, bits, np.zeros_like(y), influence)
        return operational_rate.gap_and_error(m, lambda d, p: 5.0 * p + 0.0 * d), m

    found = [one(s)[0] for s in range(200)]
    gaps, errors = np.array([f[1] for f in found]), np.array([f[2] for f in found])
    assert 1 - 5 / np.sqrt(400) < gaps.std() / errors.mean() < 1 + 5 / np.sqrt(400)
    _, m = one(0)
    flipped, dropped = ((m.bits + sign * m.influence).std() / np.sqrt(SAMPLES) for sign in (5.0, 0.0))
    assert min(abs(gaps.std() / flipped - 1), abs(gaps.std() / dropped - 1)) > 5 / np.sqrt(400)  # the test has power
