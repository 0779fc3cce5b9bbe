"""Oracles: covariances of explicit chains, the functions of single stages, brute force over couplings."""

import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import successive_refinement as refinement
from theory.gaussian import vector, vector_realism


def information(covariance, first, second):
    """Mutual information of two groups of jointly Gaussian variables, bits."""
    det = [np.linalg.det(covariance[np.ix_(group, group)]) for group in (first, second, first + second)]
    return 0.5 * np.log2(det[0] * det[1] / det[2])


def test_stages_at_perfect_realism_are_a_chain_without_loss():
    distortions = np.array([1.2, 0.5, 0.1])
    code = refinement.staged_code(distortions, 0.0)
    a = np.asarray(code.correlations)
    # X, Y_1, Y_2, Y_3 of unit variance with X - Y_3 - Y_2 - Y_1.
    covariance = np.eye(4)
    covariance[0, 1:] = covariance[1:, 0] = a
    for i in range(3):
        for j in range(i + 1, 3):
            covariance[i + 1, j + 1] = covariance[j + 1, i + 1] = a[i] / a[j]
    assert np.linalg.eigvalsh(covariance).min() > 0
    np.testing.assert_allclose(2 - 2 * a, distortions, rtol=1e-13)
    for k in range(3):
        total = information(covariance, [0], list(range(1, k + 2)))
        np.testing.assert_allclose(code.rates[: k + 1].sum(), total, rtol=1e-12)
        np.testing.assert_allclose(total, gaussian.rate_distortion_perception(distortions[k], 0.0), rtol=1e-12)


def test_demands_may_change_and_falling_ones_are_free():
    code = refinement.staged_code([0.5, 0.9, 0.2], [np.inf, 0.0, 0.05], 1.0)
    single = gaussian.rate_distortion_perception(np.array([0.5, 0.9, 0.2]), np.array([np.inf, 0.0, 0.05]))
    assert single[1] < single[0] and code.rates[1] == 0
    np.testing.assert_allclose(np.cumsum(code.rates)[::2], single[::2], rtol=1e-13)


def test_vectors_pay_only_where_realism_changes():
    lam = np.array([4.0, 1.0, 0.25])
    free = refinement.refinement_price([3.0, 0.8], [np.inf, np.inf], lam)
    np.testing.assert_allclose([free.total_lower, free.total_upper], [vector.rate_distortion(0.8, lam)] * 2, rtol=1e-9)
    np.testing.assert_allclose(free.first_rate, vector.rate_distortion(3.0, lam), rtol=1e-9)
    free = refinement.refinement_price([3.0, 0.8], [0.0, 0.0], lam)
    np.testing.assert_allclose(
        [free.total_lower, free.total_upper], [vector_realism.perfect_realism_rate_distortion(0.8, lam)] * 2, rtol=1e-9)
    # The same rate twice, first for the least error, then for realism: the strongest component was sent too finely.
    rate = float(vector.rate_distortion(1.5, lam))
    second = float(vector_realism.perfect_realism_distortion_rate(rate, lam))
    price = refinement.refinement_price([1.5, second], [np.inf, 0.0], lam)
    np.testing.assert_allclose([price.first_rate, price.total_lower], [rate, rate], rtol=1e-8)
    change = np.asarray(price.component_rates[1] - price.component_rates[0])
    assert change[0] < -1e-3 and change[2] > 1e-3
    np.testing.assert_allclose(price.total_upper - price.total_lower, np.maximum(-change, 0).sum(), rtol=1e-6)


def test_correlations_multiply_along_a_binary_chain():
    """The claim on Bernoulli sources at P = 0, by multiplying channels."""
    p, rho = 0.3, np.array([0.8, 0.5])
    pmf = np.array([1 - p, p])

    def channel(r):
        return r * np.eye(2) + (1 - r) * pmf[None]

    np.testing.assert_allclose(channel(rho[0]) @ channel(rho[1]), channel(rho.prod()), rtol=1e-14)
    np.testing.assert_allclose(2 * p * (1 - p) * (1 - rho[0]), pmf[0] * channel(rho[0])[0, 1] * 2, rtol=1e-14)


def test_refused():
    with pytest.raises(ValueError, match="distortions"):
        refinement.staged_code([0.0], 0.0)
    with pytest.raises(ValueError, match="K"):
        refinement.staged_code(0.5, 0.0)
