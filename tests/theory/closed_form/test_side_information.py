"""Oracles: the conditional entropy of the joint table, and the Gaussian conditional variance by regression."""

import jax
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from theory import gaussian
from theory.closed_form import side_information


def test_slepian_wolf_is_the_conditional_entropy():
    q = 0.11
    joint = np.array([[1 - q, q], [q, 1 - q]]) / 2
    conditional = -np.sum(joint * np.log2(joint / joint.sum(0)))
    np.testing.assert_allclose(side_information.binary_slepian_wolf_rate(q), conditional, rtol=1e-14)
    np.testing.assert_allclose(side_information.binary_slepian_wolf_rate(q), 0.499915958, atol=6e-10)
    np.testing.assert_allclose(side_information.binary_slepian_wolf_rate([0.0, 0.5, 1.0]), [0, 1, 0], atol=1e-15)


def test_wyner_ziv_is_the_rate_of_the_conditional_source():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(2, 2))
    covariance = factor @ factor.T
    rest = covariance[0, 0] - covariance[0, 1] ** 2 / covariance[1, 1]
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    found = side_information.gaussian_wyner_ziv_rate(rest / 8, covariance[0, 0], correlation)
    np.testing.assert_allclose(found, 1.5, rtol=1e-12)
    d = np.linspace(0.1, 2, 5)
    np.testing.assert_allclose(
        side_information.gaussian_wyner_ziv_rate(d, 1.5), gaussian.rate_distortion(d, 1.5), rtol=1e-15)


def test_arguments_outside_their_domain_are_refused():
    for call, said in [
        (lambda: side_information.binary_slepian_wolf_rate(1.5), "crossover"),
        (lambda: side_information.gaussian_wyner_ziv_rate(0.1, 1.0, 1.0), "correlation"),
        (lambda: side_information.gaussian_wyner_ziv_rate(0.1, -1.0), "variance"),
        (lambda: side_information.gaussian_wyner_ziv_rate(-0.1), "distortion"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()


def test_a_correlation_outside_of_its_range_is_named():
    for wrong in (1.0, -1.5, np.nan):
        with pytest.raises(ValueError, match="correlation must lie strictly between -1 and 1"):
            side_information.gaussian_wyner_ziv_rate(0.1, 1.0, wrong)
        assert np.isnan(jax.jit(side_information.gaussian_wyner_ziv_rate)(0.1, 1.0, wrong))


def test_binary_wyner_ziv_is_the_lower_envelope():
    """The convex hull of h(q * d) - h(d) on a fine grid and (q, 0), by scipy; symmetric in q; a tangent at the join."""
    for q in (0.03, 0.2, 0.25, 0.45):
        d = np.linspace(1e-9, q * (1 - 1e-9), 20_001)
        noisy = q + d - 2 * q * d
        entropy = [-(x * np.log2(x) + (1 - x) * np.log2(1 - x)) for x in (noisy, d)]
        points = np.r_[np.c_[d, entropy[0] - entropy[1]], [[q, 0.0], [0.0, 3.0], [q, 3.0]]]
        hull = points[ConvexHull(points).vertices]
        hull = hull[np.argsort(hull[:, 0])]
        hull = hull[hull[:, 1] < 3.0]
        at = np.linspace(0.001, 1.2 * q, 60)
        expected = np.interp(at, hull[:, 0], hull[:, 1])
        np.testing.assert_allclose(side_information.binary_wyner_ziv_rate(at, q), expected, atol=2e-7)
        np.testing.assert_allclose(side_information.binary_wyner_ziv_rate(at, 1 - q), expected, atol=2e-7)
    rate = side_information.binary_wyner_ziv_rate
    # R(0) = h(q), as Slepian and Wolf; q = 1/2 is no side information; q = 0 is all of it.
    np.testing.assert_allclose(rate(0.0, 0.25), side_information.binary_slepian_wolf_rate(0.25), rtol=1e-14)
    np.testing.assert_allclose(rate(0.11, 0.5), 1 - 0.499915958, atol=1e-9)
    np.testing.assert_array_equal(rate([0.0, 0.1, 0.25], [0.0, 1.0, 0.25]), 0.0)


def test_binary_wyner_ziv_gradients():
    rate = side_information.binary_wyner_ziv_rate
    for at in ((0.05, 0.25), (0.2, 0.25), (0.1, 0.7), (0.3, 0.25), (0.2, 0.5)):
        for k, by_gradient in enumerate(jax.grad(rate, argnums=(0, 1))(*at)):
            step = 1e-6 * (np.arange(2) == k)
            if at[1] == 0.5 and k == 1:
                continue  # the derivative changes its sign there
            numeric = (rate(*(np.array(at) + step)) - rate(*(np.array(at) - step))) / 2e-6
            np.testing.assert_allclose(by_gradient, numeric, rtol=1e-5, atol=1e-7)
    assert jax.grad(rate)(0.0, 0.25) == -np.inf
    assert np.isnan(jax.jit(rate)(-0.1, 0.25)) and np.isnan(jax.jit(rate)(0.1, 1.25))


def test_erased_side_information():
    """Against the two-line code: I(X; U | Y) of the test channel of R_X(D / e), from its joint table."""
    e, distortion, p = 0.4, 0.06, 0.3
    error = distortion / e
    q = (p - error) / (1 - 2 * error)  # P(U = 1), with X = U + Bernoulli(error)
    table = np.array([[(1 - q) * (1 - error), q * error], [(1 - q) * error, q * (1 - error)]])  # [x, u]
    information = (table * np.log2(table / np.outer(table.sum(1), table.sum(0)))).sum()
    np.testing.assert_allclose(table.sum(1), [1 - p, p])
    found = side_information.erased_side_information_rate(distortion, e, p)
    np.testing.assert_allclose(found, e * information, rtol=1e-12)
    np.testing.assert_array_equal(side_information.erased_side_information_rate([0.0, 0.2], [0.0, 0.4]), 0.0)
    with pytest.raises(ValueError, match="erasure"):
        side_information.erased_side_information_rate(0.1, 1.5)
    with pytest.raises(ValueError, match="crossover"):
        side_information.binary_wyner_ziv_rate(0.1, 1.5)
