"""Oracles: the inverse, hand values, convex minimization by SLSQP, limits."""

import jax
import numpy as np
import pytest
from scipy import optimize

from theory.gaussian.process import autoregressive_spectrum, rate_distortion, uniform_frequencies
from theory.sequential import gauss_markov as sequential


def test_hand_values_and_inverse():
    # a = 1/2, w = 3/4 (unit variance): D = 1/4 takes 1/2 log2(1/4 + 3) bits.
    np.testing.assert_allclose(sequential.sequential_rate(0.25, 0.5, 0.75), 0.5 * np.log2(3.25), rtol=1e-14)
    np.testing.assert_allclose(sequential.sequential_rate(np.inf, 4.0), 2.0, rtol=1e-14)  # an unstable source: log2 |a|
    assert sequential.sequential_rate(1.0, 0.5, 0.75) == 0 and np.isinf(sequential.sequential_rate(0.0, 0.5))
    rate = np.array([0.1, 1.0, 3.0, 30.0])
    for a in (0.0, 0.9, -1.0, 1.05):
        distortion = sequential.sequential_distortion(rate, a, 2.0)
        np.testing.assert_allclose(sequential.sequential_rate(distortion, a, 2.0), rate, rtol=1e-12)
    assert np.isinf(sequential.sequential_distortion(0.5, 2.0))


def test_the_price_of_causality():
    """Below the least of the spectrum the two differ by 1/2 log2(1 + a^2 D/w)."""
    a, d = 0.8, np.array([0.01, 0.05, 0.1])
    spectrum = autoregressive_spectrum(uniform_frequencies(128), a, 1.0)
    w = 1 - a**2
    price = sequential.sequential_rate(d, a, w) - rate_distortion(d, spectrum)
    np.testing.assert_allclose(price, 0.5 * np.log2(1 + a**2 * d / w), rtol=1e-9)


def test_the_price_of_causality_is_below_half_a_bit():
    """Derpich and Ostergaard 2012: under 0.5 bit a sample at all rates, and 0.254 more for a dithered scalar."""
    worst = 0.0
    for a in (0.5, 0.8, 0.9):
        spectrum = autoregressive_spectrum(uniform_frequencies(128), a, 1.0)
        for d in (np.array([1e-3, 0.05, 0.1]), np.array([0.2, 0.5, 0.9])):
            price = sequential.sequential_rate(d, a, 1 - a**2) - rate_distortion(d, spectrum)
            assert (price > -1e-12).all() and (price < 0.5).all()
            worst = max(worst, price.max())
    assert worst > 0.2
    np.testing.assert_allclose(0.5 * np.log2(2 * np.pi * np.e / 12), 0.254, atol=1e-3)


def test_frames_with_limits_of_their_own():
    rates, kept = sequential.frame_rates([0.5, 0.1, 9.0], [0.0, 0.5, 1.0], [1.0, 2.0, 0.3])
    unknown = [1.0, 0.25 * 0.5 + 2.0, 0.1 + 0.3]
    np.testing.assert_allclose(kept, [0.5, 0.1, 0.4], rtol=1e-14)
    np.testing.assert_allclose(rates, 0.5 * np.log2(np.array(unknown) / [0.5, 0.1, 0.4]), atol=1e-15)
    # Equal limits on a stationary source: the closed form from the second frame on.
    rates, _ = sequential.frame_rates(np.full(3, 0.2), np.full(3, 0.9), [1.0, 0.19, 0.19])
    np.testing.assert_allclose(rates[1:], np.full(2, sequential.sequential_rate(0.2, 0.9, 0.19)), rtol=1e-13)


def convex_minimum(total, a, w):
    """The minimum over sum d <= D and 0 < d_t <= a_t^2 d_{t-1} + w_t by SLSQP, bits."""
    def unknown(d):
        return np.concatenate([w[:1], a[1:] ** 2 * d[:-1] + w[1:]])

    limits = [{"type": "ineq", "fun": lambda d: total - d.sum()}, {"type": "ineq", "fun": lambda d: unknown(d) - d}]
    size = len(w)
    start = np.minimum(np.full(size, 0.5 * total / size), 0.5 * w.min())
    found = optimize.minimize(lambda d: 0.5 * np.log2(unknown(d) / d).sum(), start, method="SLSQP", constraints=limits,
                              bounds=[(1e-9, None)] * size, options={"ftol": 1e-13, "maxiter": 500})
    return found.fun


def check_horizon(count):
    rng = np.random.default_rng(0)
    a, w = rng.uniform(-1.3, 1.3, (count, 4)), 10 ** rng.uniform(-1, 0.5, (count, 4))
    total = w.sum(-1) * 10 ** rng.uniform(-1.5, 0.1, count)
    found = sequential.horizon_rate(total, a, w)
    assert (found.lower <= found.upper).all() and (found.distortions.sum(-1) <= total * (1 + 1e-12)).all()
    exact = np.isclose(found.lower, found.upper, atol=1e-9)
    assert 0.3 < exact.mean() < 1.0
    for row in range(count):
        reference = convex_minimum(total[row], a[row], w[row])
        assert found.lower[row] <= reference + 1e-6
        if exact[row]:  # SLSQP stops within about 1e-6
            np.testing.assert_allclose(found.upper[row], reference, atol=2e-6)


def test_a_limit_on_the_sum_is_bracketed():
    check_horizon(20)


@pytest.mark.stress
def test_many_limits_on_the_sum_are_bracketed():
    check_horizon(500)


def test_components_share_an_error_as_the_convex_program_says():
    a, w = np.array([0.9, -0.3, 0.0, 0.6]), np.array([0.19, 2.0, 0.05, 0.5])
    variances, totals = w / (1 - a**2), np.array([0.05, 0.4, 1.5, 3.0])
    found = sequential.parallel_rate(totals, a, w)
    for total, rate in zip(totals, found):
        reference = optimize.minimize(
            lambda d: 0.5 * np.log2(a**2 + w / d).sum(), variances * total / variances.sum() * 0.9, method="SLSQP",
            bounds=[(1e-9, v) for v in variances], options={"ftol": 1e-14, "maxiter": 500},
            constraints=[{"type": "ineq", "fun": lambda d, total=total: total - d.sum()}])
        np.testing.assert_allclose(rate, reference.fun, atol=2e-6)
    ends = sequential.parallel_rate(np.array([0.0, variances.sum(), 0.2, 9.0]), a, w)
    np.testing.assert_array_equal(np.asarray(ends)[[0, 1, 3]], [np.inf, 0.0, 0.0])
    # Equal components are copies of the scalar function; the gradient is that of differences.
    same = sequential.parallel_rate(np.full(4, 1.2), np.full(4, 0.7), np.full(4, 0.51))
    np.testing.assert_allclose(same, np.full(4, 4 * sequential.sequential_rate(0.3, 0.7, 0.51)), rtol=1e-12)

    def summed(x):
        return sequential.parallel_rate(totals, x[0], x[1]).sum()

    point, step = np.stack([a, w]), 1e-6
    grad = jax.grad(summed)(point)
    for index in ((0, 0), (1, 1), (0, 3), (1, 2)):
        moved = np.zeros_like(point)
        moved[index] = step
        np.testing.assert_allclose(grad[index], (summed(point + moved) - summed(point - moved)) / (2 * step), rtol=1e-5)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: sequential.parallel_rate(1.0, [1.0], [1.0]), "coefficients"),
    (lambda: sequential.sequential_rate(-0.1, 0.5), "distortion"),
    (lambda: sequential.sequential_rate(0.1, 0.5, 0.0), "innovation_variance"),
    (lambda: sequential.frame_rates([0.0], [0.5], [1.0]), "distortions"),
    (lambda: sequential.horizon_rate(1.0, [0.5, 0.5], [1.0]), "coefficients")])
def test_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
