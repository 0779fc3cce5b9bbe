"""Oracles: recorded values, the definition of the divergences, SLSQP over Gaussian pairs, feasible better codes."""

import json
import pathlib

import jax
import numpy as np
import pytest
from scipy import optimize

from theory import gaussian
from theory.gaussian import upper_bounds as upper
from theory.numerics import units

VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())
KL, HELLINGER = upper.DIVERGENCES
LN2 = np.log(2.0)


@pytest.mark.parametrize("divergence, column, unit", [(KL, "KL_pq", LN2), (HELLINGER, "H2", 1.0)])
def test_recorded_deviations(divergence, column, unit):
    p, s = (np.array([row[k] for row in VALUES["sigma_P"]]) for k in ("P", column))
    found = upper.least_gaussian_variance(p / unit, divergence=divergence)
    np.testing.assert_allclose(np.sqrt(np.asarray(found)), s, rtol=1e-10)


def test_recorded_upper_bounds():
    found = upper.gaussian_rate_upper_bound(
        np.array([0.5, 1.0, 0.8]), np.array([0.05, 0.1, 0.1]) / LN2, divergence=KL)
    np.testing.assert_allclose(units.bits_to_nats(found), [0.356315, 0.076030, 0.149733], atol=6e-7)
    found = upper.gaussian_rate_upper_bound(np.array([0.5, 0.8]), 0.01, divergence=HELLINGER)
    np.testing.assert_allclose(units.bits_to_nats(found), [0.357334, 0.165740], atol=6e-7)


def gap(t2, divergence):
    if divergence == KL:
        return (0.5 * np.log(t2) + 0.5 / t2 - 0.5) / LN2
    return 1 - np.sqrt(2 * np.sqrt(t2) / (1 + t2))


@pytest.mark.parametrize("divergence", upper.DIVERGENCES)
def test_the_variance_solves_its_definition(divergence):
    p = np.array([1e-8, 1e-4, 0.03, 0.4, 0.9])
    t2 = np.asarray(upper.least_gaussian_variance(p, 2.0, divergence=divergence)) / 2.0
    # The definition itself cancels: it is known to 1e-16/P only.
    np.testing.assert_allclose(gap(t2, divergence)[1:], p[1:], rtol=1e-10)
    # To first order in sqrt(P), ln(t/s) is -sqrt(P) under KL in nats and -2 sqrt(P) under squared Hellinger.
    rate = {KL: np.sqrt(p[0] * LN2), HELLINGER: np.sqrt(4 * p[0])}[divergence]
    np.testing.assert_allclose(-0.5 * np.log(t2[0]), rate, rtol=5e-4)


def test_squared_hellinger_is_the_integral_it_says():
    x = np.linspace(-40, 40, 80001)
    t2 = float(upper.least_gaussian_variance(0.1, 2.0, divergence=HELLINGER))
    p, q = (np.exp(-x**2 / (2 * v)) / np.sqrt(2 * np.pi * v) for v in (2.0, t2))
    np.testing.assert_allclose(1 - np.sqrt(p * q).sum() * (x[1] - x[0]), 0.1, rtol=1e-10)
    t2 = float(upper.least_gaussian_variance(0.1, 2.0, divergence=KL))
    kl = np.sum(p * (0.5 * np.log(t2 / 2.0) - x**2 / 4 + x**2 / (2 * t2))) * (x[1] - x[0])
    np.testing.assert_allclose(kl / LN2, 0.1, rtol=1e-10)


@pytest.mark.parametrize("divergence", upper.DIVERGENCES)
def test_it_is_the_optimum_over_gaussian_pairs(divergence):
    for d, p in [(0.5, 0.03), (0.9, 0.1), (0.2, 0.001)]:
        found = optimize.minimize(
            lambda v: -0.5 * np.log2(1 - v[0] ** 2), x0=[0.7, 0.95], method="SLSQP",
            bounds=[(0, 0.9999), (0.05, 2.0)], options={"ftol": 1e-14, "maxiter": 500},
            constraints=[
                {"type": "ineq", "fun": lambda v, d=d: d - (1 + v[1] ** 2 - 2 * v[0] * v[1])},
                {"type": "ineq", "fun": lambda v, p=p: p - gap(v[1] ** 2, divergence)}])
        rate = upper.gaussian_rate_upper_bound(d, p, divergence=divergence)
        np.testing.assert_allclose(rate, found.fun, rtol=1e-5)


@pytest.mark.parametrize("divergence", upper.DIVERGENCES)
def test_rate_and_distortion_are_inverse_and_meet_the_exact_ends(divergence):
    rate, p = np.linspace(0.05, 5, 12)[:, None], np.array([[0.0, 1e-4, 0.05, 0.6]])
    d = upper.gaussian_distortion_upper_bound(rate, p, 2.0, divergence=divergence)
    back = upper.gaussian_rate_upper_bound(d, p, 2.0, divergence=divergence)
    np.testing.assert_allclose(back, np.broadcast_to(rate, back.shape), rtol=1e-9)
    np.testing.assert_allclose(d[:, 0], gaussian.distortion_rate_perception(rate[:, 0], 0.0, 2.0), rtol=1e-12)
    np.testing.assert_allclose(
        upper.gaussian_distortion_upper_bound(rate, np.inf, divergence=divergence),
        gaussian.distortion_rate(rate), rtol=1e-14)
    table = np.asarray(d)
    assert (np.diff(table, axis=0) < 0).all() and (np.diff(table, axis=1) <= 1e-14).all()
    np.testing.assert_allclose(
        table, 2 * upper.gaussian_distortion_upper_bound(rate, p, divergence=divergence), rtol=1e-13)


@pytest.mark.parametrize("divergence", upper.DIVERGENCES)
def test_gradients(divergence):
    def rate(d, p, v):
        return upper.gaussian_rate_upper_bound(d, p, v, divergence=divergence)

    def distortion(r, p, v):
        return upper.gaussian_distortion_upper_bound(r, p, v, divergence=divergence)

    by_rate, by_distortion = (jax.jit(jax.grad(f, argnums=(0, 1, 2))) for f in (rate, distortion))
    for f in (rate, distortion):
        gradient = by_rate if f is rate else by_distortion
        for point in [(0.5, 0.02, 1.0), (0.3, 0.7, 1.5)]:
            for i in range(3):
                up, down = ([v + s * (i == j) for j, v in enumerate(point)] for s in (1e-6, -1e-6))
                np.testing.assert_allclose(gradient(*point)[i], (f(*up) - f(*down)) / 2e-6, rtol=1e-6, atol=1e-8)
        assert gradient(0.5, 0.0, 1.0)[1] == -np.inf
    assert rate(0.0, 0.1, 1.0) == np.inf and rate(2.5, 0.0, 1.0) == 0.0
    assert (np.array(by_rate(2.5, 0.0, 1.0)) == 0).all()
    assert by_distortion(0.0, 0.1, 1.0)[0] == -np.inf


def test_arguments_outside_their_domain_are_refused_or_nan():
    for call, said in [
        (lambda: upper.gaussian_rate_upper_bound(-1.0, 0.1, divergence=KL), "distortion"),
        (lambda: upper.gaussian_rate_upper_bound(1.0, -0.1, divergence=KL), "perception"),
        (lambda: upper.gaussian_distortion_upper_bound(1.0, 0.1, 0.0, divergence=KL), "variance"),
        (lambda: upper.least_gaussian_variance(0.1, divergence="kl"), "divergence must be one of"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    nan = jax.jit(lambda d: upper.gaussian_rate_upper_bound(d, 0.1, divergence=HELLINGER))(-1.0)
    assert np.isnan(nan)
