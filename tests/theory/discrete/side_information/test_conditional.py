"""Side information at both ends: against the solvers of the alphabet of pairs, whose rate exceeds it by H(Y)."""

import numpy as np
import pytest
from scipy.special import rel_entr

from tests.theory.discrete.side_information import families
from theory import discrete


def entropy(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def pairs_of(joint, d):
    """Letters (x, y), reproductions (z, y'); another y' than y is forbidden."""
    same = np.eye(joint.shape[1], dtype=bool)[None, :, None, :]
    wide = np.where(same, d[:, None, :, None], np.inf)
    return joint.reshape(-1), wide.reshape(joint.size, -1)


def test_rates_are_those_of_pairs_less_what_both_know():
    problem, _, _ = families.recorded("conditional")
    result = families.solve("conditional", *problem)[0]
    for i in range(0, 500, 25):
        pmf, wide = pairs_of(problem[0][i], problem[1][i])
        alone = discrete.rate_distortion(pmf, wide, distortion=problem[2][i])
        known = entropy(problem[0][i].sum(0))
        assert alone.rate_lower - known - 1e-12 <= result.rate[i]
        assert result.rate_lower[i] <= alone.rate - known + 1e-12


@pytest.fixture(scope="module")
def example():
    problem, _, _ = families.recorded("conditional")
    return problem[0][0], problem[1][0], 0.6 * (problem[0][0].T @ problem[1][0]).min(1).sum()


@pytest.mark.parametrize("perception", [pytest.param(0.0, marks=pytest.mark.stress), 0.02])
def test_joint_realism_is_that_of_pairs(example, perception):
    joint, d, distortion = example
    result = discrete.conditional_rate_distortion_perception(
        joint, d, distortion=distortion, perception=perception, divergence="kl")
    pmf, wide = pairs_of(joint, d)
    other = discrete.rate_distortion_perception(
        pmf, wide, distortion=distortion, perception=perception, divergence="kl")
    known = entropy(joint.sum(0))
    problem = [x[None] for x in (joint, d, np.asarray(distortion), np.asarray(perception))]
    assert families.solve("conditional", *problem)[0].rate[0] + 1e-6 < result.rate
    assert result.converged and result.channel.shape == (3, 2, 3) and result.multiplier.shape == (3, 2)
    assert other.rate_lower - known - 1e-12 <= result.rate and result.rate_lower <= other.rate - known + 1e-12
    q = np.einsum("xy,xyz->zy", joint, np.asarray(result.channel))
    if perception == 0:
        np.testing.assert_allclose(q, joint, atol=1e-15)
    else:
        assert rel_entr(q, joint).sum() / np.log(2) <= perception * (1 + 1e-12)


@pytest.mark.stress  # three programs for 500 problems
def test_order_of_the_notions(example):
    """Nothing <= marginal <= joint realism, and both ends <= the decoder alone."""
    joint, d, distortion = example
    problem = [x[None] for x in (joint, d, np.asarray(distortion), np.asarray(0.02))]
    free, marginal = (families.solve(name, *problem)[0] for name in ("conditional", "conditional_marginal"))
    strict = discrete.conditional_rate_distortion_perception(
        joint, d, distortion=distortion, perception=0.02, divergence="kl")
    decoder = families.solve("wyner_ziv", *problem)[0]
    assert free.rate[0] + 1e-6 < marginal.rate[0] and marginal.rate[0] + 1e-6 < strict.rate
    assert free.rate[0] + 1e-6 < decoder.rate[0]


@pytest.mark.stress
def test_unlimited_perception_is_none(example):
    joint, d, distortion = example
    free = discrete.conditional_rate_distortion(joint, d, distortion=distortion)
    unlimited = discrete.conditional_rate_distortion_perception(
        joint, d, distortion=distortion, perception=np.inf, divergence="kl")
    np.testing.assert_allclose(unlimited.rate, free.rate, atol=1e-8)
    assert np.isnan(unlimited.perception)


@pytest.mark.stress
@pytest.mark.parametrize("divergence", ["tv", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq"])
@pytest.mark.parametrize("realism", ["joint", "marginal"])
def test_every_divergence(example, divergence, realism):
    joint, d, distortion = example
    result = discrete.conditional_rate_distortion_perception(
        joint, d, distortion=distortion, perception=0.01, divergence=divergence, realism=realism)
    perfect = discrete.conditional_rate_distortion_perception(
        joint, d, distortion=distortion, perception=0.0, divergence=divergence, realism=realism)
    assert result.converged and perfect.converged and result.perception <= 0.01
    assert result.rate <= perfect.rate + 1e-9


def test_tilted_information_is_the_derivative_by_the_pmf():
    """Differences of the rate along the simplex; its mean and spread; and nu(x, y) - s D on what occurs."""
    problem, _, _ = families.recorded("conditional")
    rng, size = np.random.default_rng(0), 1e-4
    few = [x[:4] for x in problem]
    result = families.solve("conditional", *few)[0]
    tilted, joint = result.tilted_information, few[0]
    np.testing.assert_allclose((joint * tilted).sum((1, 2)), result.rate, atol=1e-12)
    away = tilted - (result.multiplier - (result.slope * few[2])[:, None, None])
    assert ((joint * away**2).sum((1, 2)) < 1e-8).all()  # the gap, about
    np.testing.assert_allclose(
        result.dispersion, (joint * (tilted - result.rate[:, None, None]) ** 2).sum((1, 2)), rtol=1e-9)
    step = rng.uniform(-1, 1, joint.shape) * joint
    step -= joint * step.sum((1, 2), keepdims=True)
    ends = [families.solve("conditional", joint + sign * size * step, *few[1:])[0].rate for sign in (1, -1)]
    np.testing.assert_allclose((step * tilted).sum((1, 2)), (ends[0] - ends[1]) / (2 * size), atol=2e-4)
    assert (result.dispersion > 1e-3).any()
