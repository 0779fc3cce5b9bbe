"""Oracles: means and variances of the definition over letters, the certified solver's rates, finite differences."""

import jax
import numpy as np
import pytest
import scipy.stats

from theory.closed_form import bernoulli
from theory.finite_blocklength import dispersion
from theory.gaussian import rate_distortion, vector

LOG2E = 1 / np.log(2)


def test_gaussian_letters_have_the_rate_as_mean_and_the_dispersion_as_variance():
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)  # exact for x^4
    weights = weights / weights.sum()
    for variance, distortion in ((1.0, 0.25), (4.0, 3.9), (2.0, 2.0), (2.0, 7.0)):
        letters = np.sqrt(variance) * nodes
        j = np.asarray(dispersion.gaussian_tilted_information(letters, distortion, variance))
        np.testing.assert_allclose(weights @ j, rate_distortion(distortion, variance), atol=1e-13)
        spread = weights @ (j - weights @ j) ** 2
        np.testing.assert_allclose(dispersion.gaussian_dispersion(distortion, variance), spread, atol=1e-12)
        # The definition: the optimal output is N(0, s^2 - D), and s = 1 / 2D nats.
        if distortion < variance:
            total = distortion + variance - distortion  # E exp(-(x - Y)^2 / 2D) is a Gaussian density in x
            by_output = 0.5 * np.log(total / distortion) + letters**2 / (2 * total) - 0.5
            np.testing.assert_allclose(j, by_output * LOG2E, rtol=1e-12, atol=1e-13)
    assert dispersion.gaussian_dispersion(0.25) == pytest.approx(0.5 * LOG2E**2, rel=1e-15)
    assert dispersion.gaussian_tilted_information(1.0, 0.0) == np.inf and dispersion.gaussian_dispersion(0.0) > 1


def test_bernoulli_letters():
    p, d = np.array([0.11, 0.3, 0.3, 0.5, 0.9, 0.2, 0.0]), np.array([0.05, 0.0, 0.29, 0.2, 0.05, 0.2, 0.0])
    j = np.stack([dispersion.bernoulli_tilted_information(x, p, d) for x in (0, 1)])
    weights = np.stack([1 - p, p])
    mean = (weights * j).sum(0)
    np.testing.assert_allclose(mean, bernoulli.rate_distortion(d, p), atol=1e-14)
    found = dispersion.bernoulli_dispersion(p, d)
    np.testing.assert_allclose(found, (weights * (j - mean) ** 2).sum(0), atol=1e-14)
    assert found[0] == pytest.approx(0.11 * 0.89 * np.log2(0.89 / 0.11) ** 2, rel=1e-14)
    assert found[3] == found[5] == found[6] == 0
    assert np.all(np.asarray(dispersion.uniform_dispersion([0.1, 0.2], [2, 4])) == 0)
    slope = jax.grad(dispersion.bernoulli_dispersion)(0.11, 0.05)
    step = [float(dispersion.bernoulli_dispersion(0.11 + h, 0.05)) for h in (-1e-6, 1e-6)]
    np.testing.assert_allclose(slope, (step[1] - step[0]) / 2e-6, rtol=1e-7)


def test_erased_letters():
    for delta, d in ((0.1, 0.1), (0.3, 0.2), (0.2, 0.45), (0.0, 0.1)):
        seen, erased = (float(dispersion.erased_coin_tilted_information(e, d, delta)) for e in (False, True))
        rate = float(dispersion.erased_coin_rate_distortion(d, delta))
        np.testing.assert_allclose((1 - delta) * seen + delta * erased, rate, rtol=1e-13)
        slope = -float(jax.grad(dispersion.erased_coin_rate_distortion)(d, delta))
        spread = delta * (1 - delta) * (seen - erased) ** 2 + delta * slope**2 / 4
        np.testing.assert_allclose(dispersion.erased_coin_dispersion(d, delta), spread, rtol=1e-10)
    np.testing.assert_allclose(
        dispersion.erased_coin_rate_distortion(0.2, 0.0), bernoulli.rate_distortion(0.2), rtol=1e-14)
    at_edge = dispersion.erased_coin_rate_distortion(0.15, 0.3), dispersion.erased_coin_dispersion(0.15, 0.3)
    assert at_edge[0] == pytest.approx(0.7, rel=1e-14) and at_edge[1] == np.inf
    assert dispersion.erased_coin_rate_distortion(0.5, 0.3) == dispersion.erased_coin_dispersion(0.6, 0.3) == 0


def test_components_below_the_water_spread_too():
    """A sample of j, summed over components as the definition says, with its standard error."""
    eigenvalues, distortion = np.array([4.0, 1.0, 0.25, 0.0]), 1.5
    level = float(vector.water_filling(distortion, eigenvalues).water_level)  # 0.625
    # Var of (x^2 / lam - 1) / 2 above it and of (x^2 - lam) / (2 theta) below: 1/2 and (lam / theta)^2 / 2 nats^2.
    x, weights = np.polynomial.hermite_e.hermegauss(8)
    weights = weights / weights.sum()
    expected = 0.0
    for lam in eigenvalues[:3]:
        j = 0.5 * np.log(lam / level) + (x**2 - 1) / 2 if lam > level else (lam * x**2 - lam) / (2 * level)
        expected += weights @ (j - weights @ j) ** 2
    found = dispersion.gaussian_vector_dispersion(distortion, eigenvalues)
    np.testing.assert_allclose(found, expected * LOG2E**2, rtol=1e-12)
    np.testing.assert_allclose(found, 0.5 * LOG2E**2 * (2 + 0.16), rtol=1e-12)  # (0.25 / 0.625)^2 = 0.16
    many = dispersion.gaussian_vector_dispersion([0.0, 0.5, 5.25, 9.0], eigenvalues)
    np.testing.assert_allclose(many, [1.5 * LOG2E**2, 1.5 * LOG2E**2, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(
        dispersion.gaussian_vector_dispersion(1.5, [4.0, 1.0], weights=[2.0, 3.0]), 2.5 * LOG2E**2, rtol=1e-12)
    slope = jax.grad(dispersion.gaussian_vector_dispersion)(distortion, eigenvalues)
    step = dispersion.gaussian_vector_dispersion([distortion - 1e-6, distortion + 1e-6], eigenvalues)
    np.testing.assert_allclose(slope, (step[1] - step[0]) / 2e-6, rtol=1e-7)


def test_the_normal_approximation_is_its_formula():
    arguments = (0.5, 0.9, 500.0, 0.01)
    expected = 0.5 + np.sqrt(0.9 / 500) * scipy.stats.norm.isf(0.01) + np.log2(500) / 1000
    np.testing.assert_allclose(dispersion.normal_approximation(*arguments), expected, rtol=1e-13)
    found = jax.grad(dispersion.normal_approximation, argnums=(0, 1, 2, 3))(*arguments)
    for i, slope in enumerate(found):
        step = 1e-6 * arguments[i]
        ends = [dispersion.normal_approximation(*(a + s * step * (k == i) for k, a in enumerate(arguments)))
                for s in (-1, 1)]
        np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * step), rtol=1e-6)
    # Nothing spreads: no dependence on epsilon or n but for the logarithm, and no NaN.
    flat = jax.grad(dispersion.normal_approximation, argnums=(0, 2, 3))(0.5, 0.0, 100.0, 0.1)
    np.testing.assert_allclose(flat, [1, (LOG2E - np.log2(100)) / 2 / 100**2, 0], atol=1e-15)
    middle = jax.grad(dispersion.normal_approximation, argnums=(1, 3))(0.5, 0.9, 100.0, 0.5)
    np.testing.assert_allclose(middle, [0, -np.sqrt(0.9 / 100) * np.sqrt(2 * np.pi)], rtol=1e-12)


def test_arguments_outside_their_domain_are_refused():
    for call, said in [
        (lambda: dispersion.gaussian_dispersion(-0.1), "distortion"),
        (lambda: dispersion.gaussian_tilted_information(0.1, 0.1, 0.0), "variance"),
        (lambda: dispersion.bernoulli_dispersion(1.1, 0.1), "probability"),
        (lambda: dispersion.bernoulli_tilted_information(0.5, 0.2, 0.1), "letter must be 0 or 1"),
        (lambda: dispersion.uniform_dispersion(0.1, 0.5), "alphabet_size"),
        (lambda: dispersion.erased_coin_dispersion(0.1, 0.3), "distortion must be at least half"),
        (lambda: dispersion.gaussian_vector_dispersion(-1.0, [1.0]), "distortion"),
        (lambda: dispersion.normal_approximation(0.5, 0.1, 10, 1.0), "excess_probability"),
        (lambda: dispersion.normal_approximation(0.5, -0.1, 10, 0.1), "dispersion"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
    assert np.isnan(jax.jit(dispersion.bernoulli_dispersion)(1.1, 0.1))
    assert np.isnan(jax.jit(dispersion.erased_coin_rate_distortion)(0.1, 0.3))
    assert np.isnan(jax.jit(dispersion.normal_approximation)(0.5, 0.1, 10.0, 1.0))
