"""Oracles: recorded values, the functions these invert, Monte Carlo of an explicit test channel, limits."""

import functools

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import common_randomness as shared

RATES = np.array([0.0, 0.3, 1.0, 4.0, 12.0])[:, None, None]
COMMON = np.array([0.0, 0.4, 3.0, np.inf])[None, :, None]
PERCEPTION = np.array([0.0, 0.01, 0.3, 2.0])[None, None, :]


def test_recorded_rates():
    common = np.array([0.0, 1.0, np.inf])
    np.testing.assert_allclose(
        shared.strong_realism_rate(0.5, common), [1.0, 0.700475088, 0.596322539], atol=6e-10)
    np.testing.assert_allclose(
        shared.strong_realism_rate(0.25, common), [1.5, 1.178805820, 1.046554702], atol=6e-10)


def test_rate_inverts_distortion():
    variance = 2.5
    distortion = gaussian.strong_realism_distortion(RATES, COMMON, variance * PERCEPTION, variance)
    found = shared.strong_realism_rate(distortion, COMMON, variance * PERCEPTION, variance)
    np.testing.assert_allclose(found, np.broadcast_to(RATES, found.shape), rtol=1e-12, atol=1e-13)


def test_rate_meets_the_functions_of_no_and_of_unlimited_common_randomness():
    distortion, perception = np.linspace(0.01, 2.2, 12)[:, None], np.array([[0.0, 0.02, 0.5]])
    np.testing.assert_allclose(
        shared.strong_realism_rate(distortion, np.inf, perception),
        gaussian.rate_distortion_perception(distortion, perception), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(
        shared.strong_realism_rate(distortion, 0.0, perception),
        gaussian.conditional_rate_distortion_perception(distortion, perception), rtol=1e-11, atol=1e-13)
    # At P = 0 the bisection agrees with the quadratic equation of the prescribed output.
    np.testing.assert_allclose(
        shared.strong_realism_rate(distortion, 0.7), shared.output_constrained_rate(distortion, 0.7),
        rtol=1e-11, atol=1e-13)


def test_common_randomness_never_hurts_and_neither_does_distortion_or_perception():
    rng = np.random.default_rng(0)
    d, c, p = (np.sort(rng.uniform(low, high, 12)) for low, high in ((0.01, 2.2), (0, 4), (0, 1)))
    table = np.asarray(shared.strong_realism_rate(
        d[:, None, None], c[None, :, None], p[None, None, :]))
    for axis in range(3):
        assert (np.diff(table, axis=axis) <= 1e-12).all()
    assert (table[:, 0] - table[:, -1]).max() > 0.1
    np.testing.assert_allclose(shared.strong_realism_rate(4 * d, 0.5, 4 * p, 4.0),
                               shared.strong_realism_rate(d, 0.5, p), atol=1e-13)
    assert (shared.strong_realism_rate(np.array([2.0, 3.0, np.inf]), c[:3]) == 0).all()


def test_gradients_equal_finite_differences_and_are_right_at_the_edges():
    gradient = jax.jit(jax.grad(shared.strong_realism_rate, argnums=(0, 1, 2, 3)))
    for point in [(0.5, 1.0, 0.05, 1.0), (0.5, 1.0, 0.5, 1.2), (1.3, 0.2, 0.01, 1.0)]:
        found = gradient(*point)
        for i in range(4):
            up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-6, -1e-6))
            numeric = (shared.strong_realism_rate(*up) - shared.strong_realism_rate(*down)) / 2e-6
            np.testing.assert_allclose(found[i], numeric, rtol=1e-6, atol=1e-8)
    at_zero = gradient(0.5, 1.0, 0.0, 1.0)
    assert at_zero[2] == -np.inf and np.isfinite([at_zero[0], at_zero[1], at_zero[3]]).all()
    one_sided = (shared.strong_realism_rate(0.5, 1e-7, 0.05) - shared.strong_realism_rate(0.5, 0.0, 0.05)) / 1e-7
    np.testing.assert_allclose(gradient(0.5, 0.0, 0.05, 1.0)[1], one_sided, rtol=1e-6)
    assert shared.strong_realism_rate(0.0, 1.0) == np.inf and gradient(0.0, 1.0, 0.1, 1.0)[0] == -np.inf
    assert (np.array(gradient(2.5, 1.0, 0.1, 1.0)) == 0).all()


def test_prescribed_output_by_monte_carlo_of_its_test_channel():
    """X - U - Y with corr(X,U) = sqrt(1-e^-2R), corr(U,Y) = sqrt(1-e^-2(R+C)): D and distributions as stated."""
    rate, common, v, v_out, m_out = 0.8, 0.5, 2.0, 0.6, 0.4
    n = 400_000
    u, e, f = np.asarray(jax.random.normal(jax.random.key(1), (3, n)))
    a2, b2 = 1 - 4.0**-rate, 1 - 4.0 ** -(rate + common)
    x = np.sqrt(v) * (np.sqrt(a2) * u + np.sqrt(1 - a2) * e)
    y = m_out + np.sqrt(v_out) * (np.sqrt(b2) * u + np.sqrt(1 - b2) * f)
    errors = (x - y) ** 2
    found = shared.output_constrained_distortion(
        rate, common, source_variance=v, output_mean=m_out, output_variance=v_out)
    assert abs(errors.mean() - found) < 4.5 * errors.std() / np.sqrt(n)
    assert abs(y.var() / v_out - 1) < 4.5 * np.sqrt(2 / n)


def test_prescribed_output_rate_inverts_its_distortion():
    distributions = {"source_mean": 0.3, "source_variance": 2.0, "output_mean": -0.1, "output_variance": 0.5}
    distortion = shared.output_constrained_distortion(RATES, COMMON, **distributions)
    found = shared.output_constrained_rate(distortion, COMMON, **distributions)
    np.testing.assert_allclose(found, np.broadcast_to(RATES, found.shape), rtol=1e-7, atol=1e-12)
    w2sq = 0.4**2 + (np.sqrt(2.0) - np.sqrt(0.5)) ** 2
    assert shared.output_constrained_rate(w2sq * (1 - 1e-12), 1.0, **distributions) == np.inf
    assert shared.output_constrained_rate(0.4**2 + 2.5 + 1e-12, 1.0, **distributions) == 0.0
    np.testing.assert_allclose(  # equal distributions
        shared.output_constrained_distortion(RATES, COMMON, source_variance=3.0, output_variance=3.0),
        gaussian.strong_realism_distortion(RATES, COMMON, 0.0, 3.0), rtol=1e-12)


def test_prescribed_output_gradients():
    def distortion(r, c):
        return shared.output_constrained_distortion(r, c, output_variance=0.5)

    slope = jax.jit(jax.grad(distortion, argnums=(0, 1)))
    for point in [(0.7, 0.3), (0.7, 0.0)]:
        step = 1e-6
        numeric = [(distortion(point[0] + step, point[1]) - distortion(point[0] - step, point[1])) / (2 * step),
                   (distortion(point[0], point[1] + step) - distortion(*point)) / step]
        np.testing.assert_allclose(slope(*point), numeric, rtol=5e-6)
    assert slope(0.0, 0.5)[0] == -np.inf
    np.testing.assert_allclose(slope(0.0, 0.0)[0], -2 * np.sqrt(0.5) * 2 * np.log(2), rtol=1e-14)


def test_bounds_for_independent_outputs_enclose_and_meet():
    rate, perception = np.linspace(0.1, 3, 6)[:, None], np.array([[0.0, 0.02, 0.3]])
    for divergence in ("w2sq", "kl"):
        bounds = shared.iid_output_distortion(rate, 0.5, perception, 1.5, divergence=divergence)
        assert (bounds.lower <= bounds.upper + 1e-12).all()
        np.testing.assert_allclose(bounds.lower[:, 0], bounds.upper[:, 0], rtol=1e-9)  # P = 0
        unlimited = shared.iid_output_distortion(rate, np.inf, perception, 1.5, divergence=divergence)
        exact = gaussian.distortion_rate_perception(rate, perception, 1.5, divergence=divergence)
        np.testing.assert_allclose(unlimited.upper, exact, rtol=1e-12)
        np.testing.assert_allclose(unlimited.lower, exact, rtol=1e-9)
        block = gaussian.strong_realism_distortion(rate, 0.5, perception, 1.5)
        if divergence == "w2sq":
            assert (bounds.upper >= block - 1e-12).all() and (bounds.upper > block + 0.01).any()


def test_the_lower_bound_under_kl_is_the_minimum_over_the_outputs_variance():
    """Oracle: a grid fifty times as fine."""
    r, c, p = 0.7, 0.4, 0.1
    t = np.linspace(1e-6, 1.0, 2_000_001)
    k = -np.log(t) + t**2 / 2 - 0.5
    allowed = k <= p
    a2, b2 = 1 - np.exp(-2 * r), 1 - np.exp(-2 * (r + c + np.maximum(p - k, 0)))
    best = (1 + t**2 - 2 * t * np.sqrt(a2 * b2))[allowed].min()
    bits = np.array([r, c, p]) / np.log(2)
    np.testing.assert_allclose(shared.iid_output_distortion(*bits, divergence="kl").lower, best, rtol=1e-11)


@pytest.mark.parametrize("call, said", [
    (lambda: shared.strong_realism_rate(-1.0, 0.0), "distortion"),
    (lambda: shared.strong_realism_rate(1.0, -1.0), "common_randomness"),
    (lambda: shared.strong_realism_rate(1.0, 0.0, -1.0), "perception"),
    (lambda: shared.strong_realism_rate(1.0, 0.0, 0.0, 0.0), "variance"),
    (lambda: shared.output_constrained_distortion(1.0, 0.0, output_variance=0.0), "output_variance"),
    (lambda: shared.output_constrained_rate(1.0, 0.0, source_mean=np.inf), "source_mean"),
    (lambda: shared.iid_output_distortion(1.0, 0.0, 0.1, divergence="tv"), "divergence"),
])
def test_arguments_outside_their_domain_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_inside_a_trace_they_give_nan():
    assert np.isnan(jax.jit(shared.strong_realism_rate)(-1.0, 0.0))
    assert np.isnan(jax.jit(shared.strong_realism_rate)(1.0, -1.0))
    assert np.isnan(jax.jit(shared.output_constrained_distortion)(-1.0, 0.0))
    assert np.isnan(jax.jit(shared.output_constrained_rate)(-1.0, 0.0))


@functools.cache
def iid_gradients(divergence):
    def value(side, *arguments):
        return shared.iid_output_distortion(*arguments, divergence=divergence)[side]

    return jax.jit(lambda *arguments: [jax.grad(value, argnums=(1, 2, 3, 4))(side, *arguments) for side in (0, 1)])


@pytest.mark.parametrize("divergence", ["w2sq", "kl"])
@pytest.mark.parametrize("at", [(0.0, 0.5, 0.1), (0.0, 0.0, 0.2), (0.0, 0.5, 1.5), (1.0, 0.0, 0.0), (1.0, 0.5, 0.1),
                                (np.inf, 0.5, 0.0), (0.7, 0.2, 0.6), (0.0, 0.5, np.inf)])
def test_gradients_of_the_iid_bounds_at_edges_and_inside(at, divergence):
    def value(*arguments):
        return shared.iid_output_distortion(*arguments, divergence=divergence)

    arguments = (*at, 1.5)
    gradients = iid_gradients(divergence)(*arguments)
    for index, gradient in enumerate(np.array(gradients).T):
        assert not np.isnan(gradient).any()
        if np.isinf(arguments[index]):
            np.testing.assert_array_equal(gradient, 0.0)
            continue
        moved = []
        for step in (1e-6, 2e-6):
            changed = list(arguments)
            changed[index] += step
            moved.append(np.asarray(value(*changed)))
        base = np.asarray(value(*arguments))
        first, second = (moved[0] - base) / 1e-6, (moved[1] - base) / 2e-6
        for side in (0, 1):
            if np.isinf(gradient[side]):
                # Like -sqrt: the quotient grows as the step shrinks.
                assert gradient[side] < 0 and first[side] < 1.3 * second[side] < 0
            else:
                # One-sided, as R, C and P >= 0; its error is a step times a second derivative.
                np.testing.assert_allclose(gradient[side], 2 * first[side] - second[side], rtol=2e-3, atol=2e-5)
