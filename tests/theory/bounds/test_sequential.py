"""Oracles: formulas by hand, and the same source without memory."""

import numpy as np
import pytest

from theory.bounds import bounds_of, interval, sequential_bounds_of, sources

COIN, VECTOR = sources.bernoulli(), sources.gaussian_vector((4.0, 1.0, 0.25))


def test_gaussian_sources_in_time():
    d = np.array([0.1, 0.5, 3.0])
    source = sources.gaussian(1.0, 2.0)
    causal = interval(sequential_bounds_of(source, coefficient=-0.9), d)
    np.testing.assert_array_equal(causal.lower, causal.upper)
    np.testing.assert_allclose(
        causal.lower, np.maximum(0.5 * np.log2(0.81 + 2.0 * 0.19 / d), 0.0), rtol=1e-13, atol=1e-15)
    assert np.all(causal.lower <= bounds_of(source)[0].rate(d) + 1e-14)
    # Components with a coefficient each: one frame's error is what reverse water-filling in time leaves.
    coefficients = (0.9, 0.0, -0.5)
    (vector,) = sequential_bounds_of(VECTOR, coefficient=coefficients)
    rate = float(vector.rate(np.array([0.1, 0.3, 3.0]))[1])  # of one shape with the others, compiled once
    within = [0.5 * np.log2(a * a + (1 - a * a) * v / 0.1) for v, a in zip((4.0, 1.0, 0.25), coefficients)]
    assert 0.9 * sum(within) < rate <= sum(within)
    memoryless = sequential_bounds_of(VECTOR, coefficient=0.0)
    np.testing.assert_allclose(memoryless[0].rate(d), bounds_of(VECTOR)[0].rate(d), rtol=1e-9)


def test_a_coin_in_time():
    def entropy(x):
        return -x * np.log2(x) - (1 - x) * np.log2(1 - x)

    (found,) = sequential_bounds_of(COIN, flip=0.2, distortion="hamming")
    np.testing.assert_allclose(found.rate(0.1), entropy(0.2 * 0.9 + 0.8 * 0.1) - entropy(0.1), rtol=1e-13)
    (none,) = sequential_bounds_of(COIN, flip=0.5, distortion="hamming")
    np.testing.assert_allclose(none.rate(0.1), 1 - entropy(0.1), rtol=1e-13)


def test_what_is_not_known_is_said():
    for source, options, said in [
        (sources.uniform(), {"coefficient": 0.5}, r"'uniform' .*known are .*\('gaussian_vector', 'squared_error',"),
        (sources.bernoulli(0.3), {"flip": 0.1, "distortion": "hamming"}, "a flip for a fair coin"),
        (COIN, {"flip": 1.5, "distortion": "hamming"}, "flip must be >= 0 and <= 1"),
        (VECTOR, {"coefficient": 1.0}, r"1 - \|coefficient\| must be > 0"),
        (VECTOR, {"coefficient": [0.1, 0.2]}, "for 3 components"),
        (VECTOR, {}, "one of coefficient and flip must .* got none"),
        (VECTOR, {"coefficient": 0.5, "flip": 0.1}, "got coefficient, flip"),
        (VECTOR, {"coefficient": 0.5, "distortion": "mse"}, "distortion must be one of"),
        ("gaussian", {"coefficient": 0.5}, "source must be made by"),
    ]:
        with pytest.raises(ValueError, match=said):
            sequential_bounds_of(source, **options)
