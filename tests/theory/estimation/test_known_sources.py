"""Known sources: published values, moments, entropies by sampling."""

import jax
import numpy as np
import pytest

from theory.closed_form import manifolds
from theory.estimation import known_sources
from theory.numerics.units import bits_to_nats


@pytest.mark.parametrize("dimension, nats", [(2, 2.540630480), (5, 5.178030147), (10, 8.448071225)])
def test_the_noisy_sphere_has_its_published_values(dimension, nats):
    assert float(bits_to_nats(known_sources.noisy_sphere_value(dimension))) == pytest.approx(nats, abs=1e-8)


def test_the_noisy_sphere_s_entropy_is_that_of_its_samples():
    x = np.asarray(known_sources.noisy_sphere_samples(jax.random.key(0), 20_000, 2))
    angles = np.linspace(0, 2 * np.pi, 101)[:-1]
    centers = np.stack([np.cos(angles), np.sin(angles)], -1)
    v = known_sources.SPHERE_NOISE
    squares = (x**2).sum(1)[:, None] + 1.0 - 2.0 * x @ centers.T
    bits = -np.log2(np.exp(-squares / (2 * v)).mean(1) / (2 * np.pi * v))
    assert abs(bits.mean() - known_sources.noisy_sphere_entropy(2)) < 4 * bits.std() / np.sqrt(len(x))


def test_values_touch_rates():
    d, slope = 3, 12.0
    distortion = np.linspace(0.01, 0.3, 200)
    line = np.asarray(known_sources.noisy_sphere_rate(distortion, d)) + slope * distortion
    value = float(known_sources.noisy_sphere_value(d, slope=slope))
    assert line.min() >= value - 1e-12 and line.min() == pytest.approx(value, abs=1e-3)


def test_moments_of_samples():
    x = np.asarray(known_sources.banana_samples(jax.random.key(1), 20_000))
    mean, covariance = manifolds.banana_moments()
    np.testing.assert_allclose(x.mean(0), mean, atol=4 * np.sqrt(10.87 / 20_000))
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.3)
    variances = known_sources.decaying_gaussian_variances()
    np.testing.assert_allclose(variances[:2], [4 / np.e, 4 / np.e**2], rtol=1e-12)
    y = np.asarray(known_sources.gaussian_samples(jax.random.key(2), 20_000, variances[:3]))
    np.testing.assert_allclose(y.var(0), variances[:3], rtol=4 * np.sqrt(2 / 20_000))


@pytest.mark.parametrize("call, message", [
    (lambda: known_sources.noisy_sphere_rate(0.3, 2), "distortion"),
    (lambda: known_sources.noisy_sphere_value(2, slope=1.0), "slope"),
    (lambda: known_sources.decaying_gaussian_variances(0), "dimension"),
    (lambda: known_sources.gaussian_samples(jax.random.key(0), 2, [-1.0]), "variances")])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
