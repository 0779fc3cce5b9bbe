"""Gaussian upper bounds from samples: truth, sides, coverage, few samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from theory.estimation import gaussian, gaussian_plug_in, known_sources
from theory.estimation.gaussian_channel import _gaussian_channel, _plug_in
from theory.estimation.intervals import coverage, jackknife, mean
from theory.gaussian import vector

VARIANCES = known_sources.decaying_gaussian_variances(40)


def draw(seed, number):
    return known_sources.gaussian_samples(jax.random.key(seed), number, VARIANCES)


@pytest.mark.stress
def test_a_gaussian_of_40_dimensions_is_found_within_one_percent_or_the_interval():
    distortion = np.array([0.02, 0.1, 0.5, 1.0])
    point = gaussian(draw(0, 50_000), draw(1, 100_000), distortion=distortion)
    truth = np.asarray(vector.rate_distortion(point.distortion, VARIANCES))
    # Rate and distortion err together: at the slope of the curve their errors are put on the rate.
    slope = 0.5 / np.asarray(vector.water_filling(point.distortion, VARIANCES).water_level) / np.log(2)
    allowed = 1.96 * (np.asarray(point.rate_se) + slope * np.asarray(point.distortion_se))
    excess = np.asarray(point.rate) - truth
    assert (np.abs(excess) < np.maximum(0.01 * truth, allowed)).all()
    np.testing.assert_allclose(point.distortion, distortion, rtol=0.05)
    assert point.kind == "upper" and point.held_out == 100_000


def test_the_channel_is_what_a_simulation_of_it_says():
    """Rate and error of every sample by drawing the channel's noise, instead of its closed form."""
    x, y = np.asarray(draw(2, 30))[:, :3], np.asarray(draw(3, 40))[:, :3]
    rate, error = _gaussian_channel(jnp.asarray(x), jnp.asarray(y), jnp.asarray([0.5]))
    values, vectors = np.linalg.eigh(np.cov(x.T))
    z = (y - x.mean(0)) @ vectors
    level = float(vector.water_filling(0.5, values).water_level)
    a = np.maximum(1 - level / values, 0)
    noise = np.random.default_rng(0).normal(size=(20_000, *z.shape)) * np.sqrt(a * level)
    output = a * z + noise
    active = a > 0
    density = [(-0.5 * (output - center) ** 2 / np.where(active, var, 1) - 0.5 * np.log(np.where(active, var, 1)))
               for center, var in ((a * z, a * level), (0.0, values * a))]
    simulated = ((density[0] - density[1]) * active).sum(-1) / np.log(2)
    np.testing.assert_allclose(rate[:, 0], simulated.mean(0), atol=5 * simulated.std(0).max() / np.sqrt(20_000))
    squares = ((output - z) ** 2).sum(-1)
    np.testing.assert_allclose(error[:, 0], squares.mean(0), atol=5 * squares.std(0).max() / np.sqrt(20_000))


def test_fewer_samples_than_components_still_make_an_upper_bound():
    point = gaussian(draw(4, 10), draw(5, 2_000), distortion=[0.1, 1.0, 1e3])
    assert (np.asarray(point.rate) > np.asarray(vector.rate_distortion(point.distortion, VARIANCES)))[:2].all()
    # What lies outside of the span of ten samples is not coded, and is counted.
    centered = draw(5, 2_000) - draw(4, 10).mean(0, keepdims=True)
    np.testing.assert_allclose(point.distortion[2], (centered**2).sum(1).mean(), rtol=1e-9)
    assert float(point.rate[2]) == 0.0


def test_samples_that_are_all_the_same_cost_nothing():
    x = np.full((40, 3), 3.0)
    point = gaussian(x[:30], x, distortion=0.1)
    assert float(point.rate) == 0.0 and float(point.distortion) == 0.0
    assert float(gaussian_plug_in(x, distortion=0.1).rate) == 0.0


def test_the_plug_in_has_the_stated_bias_and_the_jackknife_removes_it():
    n, d, repetitions = 60, 3, 400
    x = jax.random.normal(jax.random.key(6), (repetitions, n, d))
    plain, without = jax.jit(jax.vmap(lambda each: _plug_in(each, jnp.asarray(0.03), 20)))(x)
    truth = float(vector.rate_distortion(0.03, np.ones(d)))
    # All components are coded: the bias is that of the logarithm of a Wishart determinant.
    i = np.arange(1, d + 1)
    bias = 0.5 * (special.digamma((n - i) / 2) - np.log((n - 1) / 2)).sum() / np.log(2)
    assert float(plain.mean()) - truth == pytest.approx(bias, abs=4 * float(plain.std()) / np.sqrt(repetitions))
    found = jax.vmap(jackknife)(plain, without)
    assert abs(float(found.value.mean()) - truth) < 3 * float(found.value.std()) / np.sqrt(repetitions)
    assert abs(bias) > 4 * float(plain.std()) / np.sqrt(repetitions)  # so that the test can fail


def check_coverage(repetitions, number, dimension):
    """Shares of held-out intervals with the channel's own expectation, and of the plug-in's with R_G(D)."""
    variances, budget = VARIANCES[:dimension], jnp.asarray([0.3])
    x = jax.vmap(lambda key: known_sources.gaussian_samples(key, number, variances))(
        jax.random.split(jax.random.key(7), repetitions))
    many = known_sources.gaussian_samples(jax.random.key(8), 20_000, variances)
    half = number // 2
    measured = jax.jit(jax.vmap(
        lambda each: tuple(mean(v) for v in _gaussian_channel(each[:half], each[half:], budget))))
    own = jax.jit(jax.vmap(lambda each: tuple(v.mean(0) for v in _gaussian_channel(each, many, budget))))(x[:, :half])
    shares = [coverage(found.value - 1.96 * found.se, found.value + 1.96 * found.se, truth).share
              for found, truth in zip(measured(x), own)]
    plain, without = jax.jit(jax.vmap(lambda each: _plug_in(each, budget[0], 20)))(x)
    found = jax.vmap(jackknife)(plain, without)
    truth = float(vector.rate_distortion(budget[0], variances))
    return [*shares, coverage(found.value - 1.96 * found.se, found.value + 1.96 * found.se, truth).share]


@pytest.mark.stress
def test_intervals_cover():
    shares = check_coverage(200, 200, 3)
    assert all(0.91 <= share <= 0.99 for share in shares), shares


@pytest.mark.stress
def test_intervals_cover_in_many_dimensions():
    shares = check_coverage(200, 1000, 12)
    print(f"coverage of rate, distortion, plug-in: {shares}")
    assert all(0.91 <= share <= 0.99 for share in shares), shares


@pytest.mark.parametrize("call, message", [
    (lambda x: gaussian(x, x, distortion=0.0), "distortion must be > 0"),
    (lambda x: gaussian(x[:1], x, distortion=1.0), "training must have shape"),
    (lambda x: gaussian(x, x[:, :1], distortion=1.0), "held_out must have shape"),
    (lambda x: gaussian_plug_in(x[:30], distortion=1.0), "samples must have shape"),
    (lambda x: gaussian_plug_in(np.tile(x, 30), distortion=1.0), "at least twice as many as components"),
    (lambda x: gaussian_plug_in(x * np.nan, distortion=1.0), "samples must be finite")])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0).normal(size=(50, 2)))
