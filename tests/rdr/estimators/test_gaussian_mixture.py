"""Mixtures against a Gaussian's R(D), numerical integrals, and two far clusters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from rdr.estimators import GaussianMixture, evaluate_mixture, fit_mixture, mixture
from rdr.estimators.gaussian_mixture import _Mixture, _value

KEY = jax.random.key(0)
SIGMA = np.asarray([3.0, 1.0, 0.1])
SLOPES = np.asarray([0.2, 2.0])  # levels 3.6 and .36: one and two of the components are above


def gaussian(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)) * SIGMA + 9.0


def test_one_component_is_the_gaussian_s_curve_by_water_filling():
    held_out = gaussian(4000, seed=1)
    found = mixture(gaussian(4000), held_out, slopes=SLOPES, key=KEY, components=1, steps=3)
    level = 1 / (2 * np.log(2) * SLOPES)[:, None]
    rate = (0.5 * np.log2(np.maximum(SIGMA**2 / level, 1))).sum(1)
    distortion = np.minimum(SIGMA**2, level).sum(1)
    np.testing.assert_allclose(found.rate, rate, atol=0.06)
    value = found.rate + SLOPES * found.distortion
    np.testing.assert_allclose(value, rate + SLOPES * distortion, atol=0.06)
    assert found.kind == "upper" and found.held_out == 4000
    assert fit_mixture(gaussian(50), slopes=SLOPES, key=KEY, components=1, steps=3).axes.shape == (3, 2)


def test_rate_and_distortion_of_a_sample_are_those_of_numerical_integrals():
    weights, means, spread, slope, x = np.asarray([0.3, 0.7]), np.asarray([-1.0, 0.5]), np.asarray([0.4, 0.8]), 1.7, 0.3
    of = _Mixture(*(jnp.asarray(a, jnp.float32) for a in (
        weights, means[:, None], np.ones((2, 1, 1)), (spread**2 + 0.5 / slope)[:, None])))
    nats, distortion = jax.jit(_value)(of, jnp.asarray([[x]], jnp.float32), jnp.float32(slope))

    def q(y):
        return weights @ stats.norm.pdf(y, means, spread)

    z = integrate.quad(lambda y: q(y) * np.exp(-slope * (x - y) ** 2), -9, 9)[0]
    mean = integrate.quad(lambda y: q(y) * np.exp(-slope * (x - y) ** 2) * (x - y) ** 2 / z, -9, 9)[0]
    np.testing.assert_allclose([distortion[0], nats[0]], [mean, -np.log(z) - slope * mean], rtol=1e-4)


def test_two_clusters_cost_a_bit_and_what_is_within_them(tmp_path):
    """Far apart, R(D) is H(cluster) = 1 bit and the Gaussian R(D) within, at unequal shapes."""
    def clusters(count, seed):
        rng = np.random.default_rng(seed)
        side = rng.integers(0, 2, size=count)[:, None]
        return side * 40.0 + rng.normal(size=(count, 2)) * np.where(side, [1.0, 3.0], [2.0, 0.5])
    settings = {"slopes": 1.5, "key": KEY, "components": 2, "steps": 10, "prior_samples": 0.0}
    found = mixture(clusters(3000, 0), clusters(4000, 1), workdir=tmp_path, **settings)
    level = 1 / (2 * np.log(2) * 1.5)
    within = np.asarray([[1.0, 3.0], [2.0, 0.5]]) ** 2
    expected = 1 + (0.5 * np.log2(np.maximum(within / level, 1))).sum(1).mean()
    expected += 1.5 * np.minimum(within, level).sum(1).mean()
    value = found.rate + 1.5 * found.distortion
    assert expected - 0.02 < value + 4 * (found.rate_se + 1.5 * found.distortion_se) and value < expected * 1.03
    again = mixture(clusters(3000, 0), clusters(4000, 1), workdir=tmp_path, **settings)
    assert again.rate == found.rate
    with pytest.raises(ValueError, match="holds the progress of other data"):
        mixture(clusters(3000, 2), clusters(40, 1), workdir=tmp_path, **settings)


@pytest.mark.stress
def test_samples_that_are_few_or_all_the_same_are_right():
    found = mixture(np.ones((4, 2)), np.ones((5, 2)), slopes=3.0, key=KEY, components=6, steps=2)
    np.testing.assert_allclose([found.rate, found.distortion], 0.0, atol=1e-5)
    few = mixture(gaussian(3), gaussian(30, seed=1), slopes=3.0, key=KEY, components=6, steps=2)
    assert np.isfinite(few.rate) and few.rate > 0


@pytest.mark.parametrize(("change", "message"), [
    ({"components": 0}, "components must be a whole number"), ({"steps": 0}, "steps must be"),
    ({"max_dimension": 0}, "max_dimension must be"), ({"prior_samples": -1.0}, "prior_samples must be at least 0"),
    ({"slopes": -1.0}, "slopes must be positive"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fit_mixture(gaussian(20), **{"slopes": 1.0, "key": KEY, **change})


def test_held_out_samples_are_checked():
    result = GaussianMixture(np.ones((1, 1)), np.zeros((1, 1, 2)), np.eye(2)[None, None], np.ones((1, 1, 2)),
                             np.ones(1), np.zeros(2), np.eye(2), ())
    with pytest.raises(ValueError, match="held_out must have vectors of dimension 2, got 3"):
        evaluate_mixture(result, np.ones((5, 3)))
