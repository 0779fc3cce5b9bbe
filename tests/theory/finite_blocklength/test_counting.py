"""Oracles: whole numbers of Python, scipy's binomial distribution, and formulas in extended precision."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from theory.finite_blocklength import counting


@pytest.mark.parametrize("letters", [2, 3])
def test_balls_hold_the_words_that_there_are(letters):
    table = counting.log_factorials(2048)
    for n in (1, 7, 2000):
        radii = np.array([-1, 0, 1, n // 4, n // 2 - 1, n // 2, n // 2 + 1, 2 * n // 3, n - 1, n, n + 1])
        exact = [sum(math.comb(n, j) * (letters - 1) ** j for j in range(int(r) + 1)) for r in radii]
        expected = [-np.inf if count == 0 else _log(count) for count in exact]
        found = counting.log_ball(table, jnp.full(radii.shape, n), jnp.asarray(radii), letters)
        # n ln n = 15,000, with 2e-16 of it a few times
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-11)


def _log(count):
    shift = max(count.bit_length() - 60, 0)
    return math.log(count >> shift) + shift * math.log(2)


def test_windows_are_binomial_and_leave_out_less_than_they_say():
    table = counting.log_factorials(131072)
    for n, p in ((1, 0.3), (40, 0.0), (40, 1.0), (300, 0.02), (100_000, 0.5)):
        width = counting.window_width(np.asarray(n), p * (1 - p))
        values, mass = counting.binomial_window(table, jnp.asarray(n), jnp.asarray(p), width)
        # Logarithms of up to 10^6 with errors of 2e-16 of them
        np.testing.assert_allclose(mass, scipy.stats.binom.pmf(values, n, p), rtol=2e-9, atol=1e-300)
        assert values[0] >= 0
        if values[0] > 0:
            assert scipy.stats.binom.cdf(int(values[0]) - 1, n, p) < counting.BEYOND / 2
        if values[-1] < n:
            assert scipy.stats.binom.sf(int(values[-1]), n, p) < counting.BEYOND / 2


def test_logarithms_of_misses():
    hits = np.array([1e-300, 1e-12, 1e-9, 0.3, 0.999])
    expected = np.log(-np.log1p(-hits))
    np.testing.assert_allclose(counting.log_miss_exponent(jnp.log(hits)), expected, rtol=1e-13)
    edges = counting.log_miss_exponent(jnp.array([-jnp.inf, 0.0]))
    assert edges[0] == -np.inf and edges[1] == np.inf


def test_codes_have_whole_words():
    n = jnp.asarray(3)
    size = jnp.log(jnp.array([1.0, 4.0, 4.3, 1e12]))
    np.testing.assert_allclose(3 * counting.rate_of_size(size, n, achieved=False), np.log2([1, 4, 5, 1e12]), atol=2e-8)
    np.testing.assert_allclose(3 * counting.rate_of_size(size, n, achieved=True), np.log2([1, 5, 5, 1e12]), atol=3e-8)
    assert counting.rate_of_size(jnp.asarray(-2.0), n, achieved=False) == 0
    assert counting.rate_of_size(jnp.asarray(jnp.inf), n, achieved=True) == np.inf


def test_errors_that_a_distortion_allows_survive_rounding():
    n = np.arange(1, 2001)
    for hundredths in (7, 11, 29, 57):
        expected = n * hundredths // 100
        np.testing.assert_array_equal(counting.whole_errors(jnp.asarray(n), jnp.asarray(hundredths / 100)), expected)


def test_what_has_no_derivative_and_no_meaning_is_refused():
    with pytest.raises(ValueError, match="step functions"):
        jax.grad(lambda x: counting.step_function((x,))[0])(0.1)
    for arguments, said in [
        ((0, 0.1, 0.1), "blocklength"), ((1.5, 0.1, 0.1), "blocklength must be whole"), ((4, -0.1, 0.1), "distortion"),
        ((4, 0.1, 0.0), "excess_probability"), ((4, 0.1, 1.0), "excess_probability must be below 1"),
        ((4, [0.1, 0.2], 0.1), "distortion must be a scalar"),
    ]:
        with pytest.raises(ValueError, match=said):
            counting.check_blocks(*arguments)
    with pytest.raises(ValueError, match="blocklength must be known"):
        jax.jit(lambda n: counting.check_blocks(n, 0.1, 0.1).sum())(4)
