"""One encoder for several pairs: the joint program of a cone solver, everything measured in NumPy, the Gaussian."""

import pathlib

import numpy as np
import pytest
from scipy.special import rel_entr

from theory import gaussian
from theory.closed_form import fixed_representation
from theory.discrete import universal_rate

RECORDED = np.load(pathlib.Path(__file__).parent / "data" / "universality.npz")
LN2 = np.log(2.0)
HAMMING = 1 - np.eye(4)


def check(k):
    """The bracket of a recorded instance, everything measured again."""
    p, limits, levels = (RECORDED[f"pair_{name}"][k] for name in ("pmf", "distortions", "perceptions"))
    found = universal_rate(p, HAMMING, distortions=limits, perceptions=levels, divergence="tv")
    truth = RECORDED["pair_nats"][k] / LN2
    assert found.rate_lower - 1e-8 <= truth <= found.rate + 1e-8
    assert found.rate_lower <= found.rates.max() <= found.rate + 1e-12
    joint = p[:, None] * np.asarray(found.encoder)
    rate = rel_entr(joint, np.outer(p, joint.sum(0))).sum() / LN2
    np.testing.assert_allclose(rate, found.rate, atol=1e-8)  # the rate is raised to its lower bound where solvers round
    for decoder, limit, level in zip(np.asarray(found.decoders), limits, levels):
        pair = joint @ decoder
        assert (pair * HAMMING).sum() <= limit * (1 + 1e-12)
        assert 0.5 * np.abs(pair.sum(0) - p).sum() <= level + 1e-13
    return float(found.rate) - truth, truth - float(found.rate_lower)


def test_brackets_hold_the_optimum_of_the_joint_program():
    loose, penalty = np.array([check(k) for k in range(4)]).T
    # Most pairs have no penalty, and the search finds an encoder that shows it.
    assert np.median(loose) < 1e-6 and np.median(penalty) < 1e-6


@pytest.mark.stress
def test_all_brackets_hold_the_optimum_of_the_joint_program():
    loose, penalty = np.array([check(k) for k in range(500)]).T
    assert loose.max() < 0.06 and penalty.max() < 0.023 and np.median(penalty) < 1e-6


def test_one_pair_has_no_penalty():
    p = RECORDED["pair_pmf"][0]
    found = universal_rate(p, HAMMING, distortions=[0.2], perceptions=[0.05], divergence="tv")
    assert 0 <= found.penalty < 1e-6


def test_gaussian_representations_are_universal():
    # One representation at rate R has D(R, P) for all P: the squared error of E[X|Z], and its W2 from the source.
    rate, p = np.array([0.1, 1.0, 3.0])[:, None], np.array([0.0, 0.01, 0.3, 2.0])
    mse = gaussian.distortion_rate(rate, 2.0)
    w2sq = (np.sqrt(2.0) - np.sqrt(2.0 - np.asarray(mse))) ** 2
    np.testing.assert_allclose(
        fixed_representation.distortion_perception(p, mse, w2sq),
        gaussian.distortion_rate_perception(rate, p, 2.0), rtol=1e-12)


def test_what_makes_no_sense_is_refused():
    p = np.full(4, 0.25)
    for distortions, perceptions, said in [
        ([0.1, 0.2], [0.1], "one shape"), ([], [], "one shape"), ([-0.1], [0.1], "distortions must be"),
        ([0.1], [-0.1], "perceptions must be"),
    ]:
        with pytest.raises(ValueError, match=said):
            universal_rate(p, HAMMING, distortions=distortions, perceptions=perceptions, divergence="tv")
    with pytest.raises(ValueError, match="distortion must be at least"):
        universal_rate([0.5, 0.5], [[0.1, 1.0], [1.0, 0.1]], distortions=[0.05], perceptions=[0.1], divergence="tv")
