"""Standard errors and intervals against exact distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory.estimation import intervals


def test_mean_and_its_error():
    x = np.random.default_rng(0).normal(size=(50, 3))
    found = intervals.mean(x)
    np.testing.assert_allclose(found.value, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.se, stats.sem(x), rtol=1e-12)


def test_jackknife_makes_the_variance_unbiased_and_knows_the_error_of_a_mean():
    x = np.random.default_rng(1).normal(size=30)
    without = np.array([np.delete(x, j) for j in range(30)])
    np.testing.assert_allclose(intervals.jackknife(x.var(), without.var(1)).value, x.var(ddof=1), rtol=1e-10)
    found = intervals.jackknife(x.mean(), without.mean(1))
    np.testing.assert_allclose([found.value, found.se], [x.mean(), stats.sem(x)], rtol=1e-10)


def test_bootstrap_of_a_mean_agrees_with_its_standard_error_and_corrects_the_variance():
    x = jnp.asarray(np.random.default_rng(2).exponential(size=(400, 1)))
    found, ends = intervals.bootstrap(jax.random.key(0), jnp.mean, x, resamples=800)
    sem = float(stats.sem(x[:, 0]))
    assert abs(float(found.se) / sem - 1) < 4 / np.sqrt(2 * 800)
    np.testing.assert_allclose(ends, x.mean() + np.array([-1.96, 1.96]) * sem, atol=0.3 * sem)


def test_bernstein_radius_holds_and_is_the_formula():
    values = np.random.default_rng(3).uniform(size=(5, 200)) < 0.1
    radius = intervals.bernstein_radius(values[0].astype(float), 1.0, 0.05)
    expected = np.sqrt(2 * values[0].var(ddof=1) * np.log(40) / 200) + 7 * np.log(40) / (3 * 199)
    np.testing.assert_allclose(radius, expected, rtol=1e-12)
    draws = np.random.default_rng(4).uniform(size=(200, 2000)) < 0.1
    failed = 0.1 - draws.mean(0) > np.asarray(intervals.bernstein_radius(draws.astype(float), 1.0, 0.05))
    assert failed.mean() < 0.05


def test_coverage_counts():
    found = intervals.coverage(np.zeros(20), np.arange(20.0), 1.5)
    assert found.share == 0.9
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 18, 3)) and found.high < 1


@pytest.mark.parametrize("call, message", [
    (lambda: intervals.mean([1.0]), "n >= 2"), (lambda: intervals.mean([1.0, np.nan]), "values must be"),
    (lambda: intervals.jackknife(1.0, [1.0]), "g >= 2"),
    (lambda: intervals.bootstrap(jax.random.key(0), jnp.mean, np.zeros((3, 1)), resamples=3), "resamples")])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
