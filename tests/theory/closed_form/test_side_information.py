"""Oracles: the conditional entropy of the joint table, and the Gaussian conditional variance by regression."""

import jax
import numpy as np
import pytest

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
