"""Distances from samples: known values, directions of bias, standard errors against what repetitions spread."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theory.estimation import distances


def pairs(repetitions, number, dimension, shift=0.0, seed=0):
    x = np.random.default_rng(seed).normal(size=(2, repetitions, number, dimension))
    return jnp.asarray(x[0]), jnp.asarray(x[1] + shift)


def test_wasserstein_on_the_line_is_biased_upward_and_its_error_is_what_repetitions_spread():
    run = jax.jit(jax.vmap(lambda a, b: distances._sliced_with_error(a, b, jnp.ones((1, 1)), groups=10)))
    value, se = (np.asarray(each) for each in run(*pairs(1000, 40, 1, shift=1.0)))
    # N(0, 1) to N(1, 1): W2^2 is 1. Of the means alone it is 1 + 2 / n in expectation.
    assert value.mean() > 1.0 + 2 / 40 + 4 * stats.sem(value)
    assert se.mean() == pytest.approx(value.std(), rel=0.1)
    # Where the two are the same, the error errs upward.
    value, se = (np.asarray(each) for each in run(*pairs(1000, 40, 1)))
    assert value.mean() > 0.05 and value.std() < se.mean() < 3 * value.std()
    # Samples in pairs: |x - y| = 1 always. Nothing is uncertain.
    x, _ = pairs(1000, 40, 1)
    value, se = (np.asarray(each) for each in run(x, x + 1.0))
    np.testing.assert_allclose(value, 1.0, rtol=1e-12)
    np.testing.assert_allclose(se, 0.0, atol=1e-12)


def test_the_sliced_distance_is_the_mean_over_directions_of_sorted_samples():
    (x,), (y,) = pairs(1, 83, 2, shift=0.5)
    directions = np.array([[1.0, 0.0], [0.6, 0.8]])
    found = distances.sliced_wasserstein_squared(x, y, directions=directions, groups=4)
    x, y = np.asarray(x), np.asarray(y)

    def distance(rows):
        return np.mean([((np.sort(x[rows] @ u) - np.sort(y[rows] @ u)) ** 2).mean() for u in directions])

    whole = np.arange(83)
    assert float(found.value) == pytest.approx(distance(whole), rel=1e-12) and found.bias == "upward"
    without = np.array([distance(whole[:80][whole[:80] % 4 != j]) for j in range(4)])
    assert float(found.se) == pytest.approx(3 * stats.sem(without), rel=1e-10)
    one = distances.wasserstein_squared(x @ directions[1], y @ directions[1], groups=4)
    assert float(one.value) == pytest.approx(stats.wasserstein_distance(x @ directions[1], y @ directions[1]) ** 2,
                                             rel=0.2)
    cost = distances.coupled_bound(x, y)
    np.testing.assert_allclose(cost[:2], [((x - y) ** 2).sum(1).mean(), stats.sem(((x - y) ** 2).sum(1))], rtol=1e-12)
    assert cost.bias == "upward" and float(cost.value) > 2 * float(found.value)  # W2^2 >= d times the sliced one


def test_mmd_is_unbiased_and_its_error_is_right():
    x, y = pairs(600, 40, 2, shift=0.7)
    run = jax.jit(jax.vmap(lambda a, b: distances._mmd(a, b, jnp.asarray(1.0))))
    value, se = (np.asarray(each) for each in run(x, y))
    # E k(X, X') of Gaussians: (1 + 2)^(-d/2) exp(-|difference of means|^2 / (2 (1 + 2))).
    truth = 2.0 / 3.0 * (1.0 - np.exp(-2 * 0.7**2 / 6.0))
    assert value.mean() == pytest.approx(truth, abs=3 * stats.sem(value))
    assert 3 * stats.sem(value) < 0.1 * truth  # so that the test can fail
    assert se.mean() == pytest.approx(value.std(), rel=0.1)
    same, error = (np.asarray(each) for each in run(x, y - 0.7))
    assert abs(same.mean()) < 3 * stats.sem(same) and same.min() < 0 and same.std() < error.mean() < 3 * same.std()
    # Samples in pairs have no bias, either: of a source and itself it is 0.
    np.testing.assert_allclose(run(x, x)[0], 0.0, atol=1e-14)

    def kernel(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 2)

    x, y = np.asarray(x[0]), np.asarray(y[0])
    h = kernel(x, x) + kernel(y, y) - kernel(x, y) - kernel(y, x)
    found = distances.mmd_squared(x, y, bandwidth=1.0)
    assert float(found.value) == pytest.approx((h.sum() - np.trace(h)) / (40 * 39), rel=1e-10)
    assert found.bias == "none"


def test_the_frechet_distance_loses_its_bias_which_is_upward():
    x, y = pairs(600, 50, 2, shift=0.3)
    plain, without = jax.jit(jax.vmap(lambda a, b: distances._frechet(a, b, groups=10)))(x, y)
    plain, without, truth = np.asarray(plain), np.asarray(without), 2 * 0.3**2
    values, se = (np.asarray(each) for each in jax.vmap(distances.jackknife)(jnp.asarray(plain), jnp.asarray(without)))
    bound = 3 * stats.sem(values)
    assert plain.mean() > truth + 4 / 50 and 2 * bound < 4 / 50  # the means alone add tr(S_x + S_y) / n
    assert values.mean() == pytest.approx(truth, abs=bound)
    assert se.mean() == pytest.approx(values.std(), rel=0.15)


def test_the_frechet_distance_and_those_without_a_group_are_those_of_numpy_s_moments():
    (x,), (y,) = (np.asarray(each) for each in pairs(1, 47, 3, shift=0.3, seed=1))
    y = y[:41] * [1.0, 2.0, 0.5]
    plain, without = distances._frechet(jnp.asarray(x), jnp.asarray(y), groups=5)

    def distance(a, b):
        s, t = np.cov(a.T), np.cov(b.T)
        cross = np.sqrt(np.linalg.eigvals(s @ t).real).sum()
        return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * cross

    assert float(plain) == pytest.approx(distance(x, y), rel=1e-10)
    expected = [distance(x[np.arange(47) % 5 != j], y[np.arange(41) % 5 != j]) for j in range(5)]
    np.testing.assert_allclose(without, expected, rtol=1e-10)
    found = distances.frechet_distance(x, y, groups=5)
    pseudo = 5 * float(plain) - 4 * np.array(expected)
    np.testing.assert_allclose(found[:2], [pseudo.mean(), stats.sem(pseudo)], rtol=1e-9)
    assert found.bias == "second order"


@pytest.mark.parametrize("call, message", [
    (lambda x: distances.coupled_bound(x, x[:5]), "as many samples"),
    (lambda x: distances.mmd_squared(x, x, bandwidth=0.0), "bandwidth"),
    (lambda x: distances.mmd_squared(x[:3], x[:3], bandwidth=1.0), "n >= 4"),
    (lambda x: distances.wasserstein_squared(x, x), "x must have shape"),
    (lambda x: distances.wasserstein_squared(x[:, 0], x[:, 0], groups=1), "groups"),
    (lambda x: distances.sliced_wasserstein_squared(x, x, directions=np.ones((1, 2))), "length 1"),
    (lambda x: distances.sliced_wasserstein_squared(x, x, directions=np.ones((1, 3))), "directions must have shape"),
    (lambda x: distances.sliced_wasserstein_squared(x, x[:45], directions=np.eye(2)), "as many samples"),
    (lambda x: distances.sliced_wasserstein_squared(x * np.nan, x, directions=np.eye(2)), "x must be finite"),
    (lambda x: distances.frechet_distance(np.tile(x, 20), np.tile(x, 20)), "twice as many samples as components")])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0).normal(size=(60, 2)))
