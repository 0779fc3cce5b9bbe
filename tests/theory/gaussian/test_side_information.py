"""Strong realism with side information: against codes searched for among Gaussians, and converses by covariance."""

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import common_randomness, side_information

CASES = [(1.0, 0.0, 0.5), (1.0, 0.3, 0.5), (1.0, 3.0, 0.5), (0.2, 0.0, 0.9), (2.0, 1.0, 0.2), (1.0, 0.5, 0.0),
         (0.0, 0.0, 0.7)]


def searched(rate, shared, r):
    """Least distortion of a decoder that makes Y of V = X + noise and Z, by brute force over covariances.

    V with I(X; V | Z) <= R, any direction of Y in the space of V, Z and fresh noise with I(Y; V) - I(Z; V) <= R + C.
    """
    best = 0.0
    for noise in np.r_[np.geomspace(1e-4, 1e4, 400), (1 - r * r) / max(4.0**rate - 1, 1e-12)]:
        joint = np.array([[1.0, 1.0, r], [1.0, 1.0 + noise, r], [r, r, 1.0]])  # X, V, Z
        spent = 0.5 * np.log2(1 + (1 - r * r) / noise)
        if spent > rate + 1e-9:
            continue
        with_z = -0.5 * np.log2(1 - r * r / (1 + noise))
        most = np.sqrt(1 - 4.0 ** -(rate + shared + with_z))
        by_v = joint[0, 1] / np.sqrt(joint[1, 1])
        rest = joint[2, 2] - joint[1, 2] ** 2 / joint[1, 1]
        by_rest = (joint[0, 2] - joint[0, 1] * joint[1, 2] / joint[1, 1]) / np.sqrt(rest)
        p = np.linspace(0.0, most, 4001)
        best = max(best, (by_v * p + by_rest * np.sqrt(1 - p * p)).max())
    return 2 * (1 - best)


@pytest.mark.parametrize("rate, shared, r", CASES)
def test_the_decoders_code_is_the_best_among_gaussians(rate, shared, r):
    found = side_information.marginal_realism_distortion(rate, shared, r, known_to="decoder")
    np.testing.assert_allclose(found.upper, searched(rate, shared, r), atol=2e-6)
    assert found.lower <= found.upper + 1e-15
    enough = float(side_information.sufficient_common_randomness(rate, r))
    np.testing.assert_allclose(found.upper == found.lower, shared >= enough, atol=0)


def test_the_rate_inverts_and_the_joint_notion_is_stricter():
    rate, r, s2 = np.array([0.0, 0.3, 1.0, 4.0]), 0.6, 2.5
    both = side_information.marginal_realism_distortion(rate, 0.0, r, s2)
    np.testing.assert_array_equal(both.lower, both.upper)
    np.testing.assert_allclose(side_information.marginal_realism_rate(both.lower, r, s2), rate, atol=1e-12)
    for shared in (0.0, 0.5, np.inf):
        joint = side_information.joint_realism_distortion(rate, shared, r, s2)
        marginal = side_information.marginal_realism_distortion(rate, shared, r, s2, known_to="decoder")
        assert (marginal.upper <= joint + 1e-12).all() and (marginal.upper[1:] < joint[1:]).all()
        # That of the source given Z, and more than without realism.
        np.testing.assert_allclose(
            joint, common_randomness.output_constrained_distortion(
                rate, shared, source_variance=s2 * 0.64, output_variance=s2 * 0.64), rtol=1e-12)
    assert (both.lower >= s2 * 0.64 * 4.0**-rate).all()


def test_limits_in_the_correlation():
    """Without side information Saldi's problem for the decoder; with a perfect one nothing is lost."""
    rate, shared = np.array([0.0, 0.4, 2.0]), 0.7
    alone = gaussian.strong_realism_distortion(rate, shared)
    decoder = side_information.marginal_realism_distortion(rate, shared, 0.0, known_to="decoder")
    np.testing.assert_allclose(decoder.upper, alone, rtol=1e-12)
    np.testing.assert_allclose(side_information.joint_realism_distortion(rate, shared, 0.0), alone, rtol=1e-12)
    np.testing.assert_allclose(
        side_information.marginal_realism_distortion(rate, 0.0, 0.0).upper,
        gaussian.distortion_rate_perception(rate, 0.0), rtol=1e-12)
    for sign in (-1.0, 1.0):
        found = side_information.marginal_realism_distortion(rate, 0.0, sign, known_to="decoder")
        np.testing.assert_array_equal(found.upper, 0.0)
    needed = side_information.sufficient_common_randomness([0.0, 1.0, 1.0], [0.0, 0.0, 1.0])
    np.testing.assert_allclose(needed, [0, np.inf, 1], rtol=1e-15)
    edges = side_information.marginal_realism_rate([0.0, 0.0, 3.0], [0.5, 1.0, 0.0])
    np.testing.assert_array_equal(edges, [np.inf, 0, 0])


def test_gradients():
    def upper(rate, shared, r, s2):
        return side_information.marginal_realism_distortion(rate, shared, r, s2, known_to="decoder").upper

    gradient = jax.jit(jax.grad(upper, argnums=(0, 1, 2, 3)))
    for at in ([1.0, 0.3, 0.5, 2.0], [1.0, 3.0, 0.5, 2.0], [0.4, 0.0, -0.8, 1.0]):
        for k, by_gradient in enumerate(gradient(*at)):
            step = 1e-6 * (np.arange(4) == k)
            if k == 1 and at[1] == 0:
                continue  # one-sided
            numeric = (upper(*(np.array(at) + step)) - upper(*(np.array(at) - step))) / 2e-6
            np.testing.assert_allclose(by_gradient, numeric, rtol=1e-6, atol=1e-8)
    assert gradient(0.0, 0.5, 0.0, 1.0)[0] == -np.inf
    np.testing.assert_allclose(gradient(0.0, 0.0, 0.0, 1.0)[0], -4 * np.log(2), rtol=1e-12)
    assert np.isfinite(gradient(1.0, 0.3, 0.0, 1.0)[2])
    assert np.isnan(jax.jit(upper)(1.0, 0.3, 1.5, 1.0))


@pytest.mark.parametrize("call, word", [
    (lambda: side_information.joint_realism_distortion(-1.0, 0.0, 0.5), "rate"),
    (lambda: side_information.joint_realism_distortion(1.0, -1.0, 0.5), "common_randomness"),
    (lambda: side_information.marginal_realism_distortion(1.0, 0.0, 1.5), "correlation"),
    (lambda: side_information.marginal_realism_distortion(1.0, 0.0, 0.5, -1.0), "variance"),
    (lambda: side_information.marginal_realism_distortion(1.0, 0.0, 0.5, known_to="encoder"), "known_to"),
    (lambda: side_information.marginal_realism_rate(-1.0, 0.5), "distortion"),
    (lambda: side_information.sufficient_common_randomness(1.0, 2.0), "correlation"),
])
def test_refusals(call, word):
    with pytest.raises(ValueError, match=word):
        call()
