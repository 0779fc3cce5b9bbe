"""Oracles: the functions that are looked up, and the order of bounds."""

import numpy as np
import pytest

from theory import finite_blocklength
from theory.bounds import block_bounds_of, dispersion_of, interval, sources


def test_bounds_and_the_approximation_are_those_of_their_functions():
    asked = {"blocklength": 50, "excess_probability": 0.1}
    d = np.array([0.05, 0.1])
    found = block_bounds_of(sources.bernoulli(0.3), distortion="hamming", **asked)
    assert [bound.kind for bound in found] == ["lower", "upper", "asymptotic"]
    expected = [finite_blocklength.bernoulli_bounds(0.3, x, **asked) for x in d]
    lower, upper = interval(found, d)
    np.testing.assert_array_equal(lower, [bounds.converse for bounds in expected])
    np.testing.assert_array_equal(upper, [bounds.achievability for bounds in expected])
    spread = dispersion_of(sources.bernoulli(0.3), distortion="hamming")(d)
    np.testing.assert_array_equal(spread, finite_blocklength.bernoulli_dispersion(0.3, d))
    assert "0.1 may exceed" in found[0].conditions and np.all(np.asarray(found[2].rate(d)) > lower - 0.1)


def test_gaussians():
    asked = {"blocklength": 100, "excess_probability": 0.01}
    (found,) = block_bounds_of(sources.gaussian_vector([4.0, 1.0]), **asked)
    expected = finite_blocklength.normal_approximation(
        0.5 * np.log2(4.0 / 0.25**2), finite_blocklength.gaussian_vector_dispersion(0.5, [4.0, 1.0]), 100, 0.01)
    assert found.kind == "asymptotic"
    np.testing.assert_allclose(found.rate(0.5), expected, rtol=1e-12)
    scalar = block_bounds_of(sources.gaussian(variance=2.0), **asked)
    assert [bound.kind for bound in scalar] == ["lower", "upper", "asymptotic"]
    np.testing.assert_allclose(
        scalar[0].rate(0.5), finite_blocklength.gaussian_bounds(0.5, 2.0, **asked).converse, rtol=1e-12)


def test_what_is_not_known_is_said():
    for call, said in [
        (lambda: dispersion_of(sources.laplace()), "nothing is known of blocks of source 'laplace'"),
        (lambda: dispersion_of("gaussian"), "source must be made by"),
        (lambda: dispersion_of(sources.gaussian(), distortion="mse"), "distortion must be one of"),
        (lambda: block_bounds_of(sources.gaussian(), blocklength=[1, 2], excess_probability=0.1), "a single number"),
        (lambda: block_bounds_of(sources.gaussian(), blocklength=10, excess_probability=1.5), "excess_probability"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
