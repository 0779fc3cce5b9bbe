"""Remote sources against the joint pmf written out, the solver of the direct source, and a noisy coin by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory import discrete
from theory.finite_blocklength import erased_coin_dispersion

RNG = np.random.default_rng(11)
JOINT = RNG.dirichlet(np.ones(12)).reshape(3, 4)
D = RNG.uniform(0.2, 1.0, (3, 3)) * (1 - np.eye(3))


def test_reduced_distortion_is_the_joint_expectation():
    """E[d(S, Y)] over p(s, x) W(y|x), summed over all triples, for random channels; forbidden pairs stay forbidden."""
    reduced = discrete.reduced_distortion(JOINT, D)
    for _ in range(20):
        channel = RNG.dirichlet(np.ones(3), 4)
        brute = sum(JOINT[s, x] * channel[x, y] * D[s, y] for s in range(3) for x in range(4) for y in range(3))
        np.testing.assert_allclose((JOINT.sum(0)[:, None] * channel * np.asarray(reduced)).sum(), brute, rtol=1e-13)
    partly = np.array([[0.5, 0.0, 0.0], [0.25, 0.25, 0.0]])
    barred = np.array([[1.0, 2.0, np.inf], [3.0, 4.0, 5.0]])
    np.testing.assert_allclose(
        discrete.reduced_distortion(partly, barred), [[5 / 3, 8 / 3, np.inf], [3, 4, 5], [0, 0, 0]], rtol=1e-15)


def test_a_coin_seen_through_noise():
    """Hamming: d' = b + (1 - 2b) d, so R(D) = 1 - h((D - b) / (1 - 2b)); with its gradient by D."""
    b, distortion = 0.1, 0.26
    joint = np.array([[1 - b, b], [b, 1 - b]]) / 2
    value, slope = jax.jit(jax.value_and_grad(
        lambda d: discrete.remote_rate_distortion(joint, 1.0 - np.eye(2), distortion=d).rate))(distortion)
    d = (distortion - b) / (1 - 2 * b)
    np.testing.assert_allclose(value, 1 + d * np.log2(d) + (1 - d) * np.log2(1 - d), atol=1e-9)
    np.testing.assert_allclose(slope, np.log2(d / (1 - d)) / (1 - 2 * b), rtol=1e-6)
    with pytest.raises(ValueError, match="distortion must be at least 0.1"):
        discrete.remote_rate_distortion(joint, 1.0 - np.eye(2), distortion=0.09)


@pytest.mark.stress
def test_a_source_that_is_seen_is_the_direct_problem():
    pmf = JOINT.sum(1)
    asked = dict(distortion=0.15, perception=0.03, divergence="tv")
    remote = discrete.remote_rate_distortion_perception(np.diag(pmf), D, **asked)
    direct = discrete.rate_distortion_perception(pmf, D, **asked)
    assert remote.rate_lower - 1e-12 <= direct.rate and direct.rate_lower - 1e-12 <= remote.rate
    assert remote.converged
    np.testing.assert_allclose(remote.slope, direct.slope, rtol=1e-5)


def test_realism_compares_with_the_source_unless_told_otherwise():
    """At P = 0 the output has the law of S, though X has four letters; or that of a given pmf."""
    wide = dict(distortion=0.45, perception=0.0, divergence="tv")
    result = discrete.remote_rate_distortion_perception(JOINT, D, **wide)
    np.testing.assert_allclose(JOINT.sum(0) @ np.asarray(result.channel), JOINT.sum(1), atol=1e-15)
    other = np.array([0.2, 0.3, 0.5])
    told = discrete.remote_rate_distortion_perception(JOINT, D, realism_pmf=other, **wide)
    np.testing.assert_allclose(JOINT.sum(0) @ np.asarray(told.channel), other, atol=1e-15)
    for found in (result, told):
        assert found.converged and found.distortion <= 0.45
    plain = discrete.remote_rate_distortion(JOINT, D, distortion=0.45)
    assert plain.rate < min(result.rate, told.rate)


def test_power_divergences_are_those_of_their_names():
    """Order 2, as the command line writes it, against a multiple of chi-square written out; and what it is not."""
    ask = dict(distortion=0.3, perception=0.005)
    result = discrete.remote_rate_distortion_perception(JOINT, D, divergence="alpha=2", **ask)
    p, q = JOINT.sum(1), JOINT.sum(0) @ np.asarray(result.channel)
    np.testing.assert_allclose(np.sum((p - q) ** 2 / p) / (2 * np.log(2)), 0.005, rtol=1e-6)
    assert result.converged
    with pytest.raises(ValueError, match="points belong to"):
        discrete.remote_rate_distortion_perception(JOINT, D, divergence="alpha=2", points=[0, 1, 2], **ask)
    # A letter that the law lacks is barred for orders of 1 and more, and costs a finite amount below.
    barred, free = (np.asarray(discrete.remote_rate_distortion_perception(
        JOINT, D, divergence=f"alpha={order}", distortion=0.5, perception=0.3, realism_pmf=[0.5, 0.0, 0.5]).channel)
        for order in (2, 0.5))
    assert np.all(barred[:, 1] == 0) and np.all(free[:, 1] > 1e-3)


@pytest.mark.stress  # two programs; perception/test_power_divergence.py has the members of the family
def test_the_power_divergence_of_order_one_is_that_of_kullback_and_leibler():
    one, named = (discrete.remote_rate_distortion_perception(
        JOINT, D, divergence=divergence, distortion=0.3, perception=0.005)
        for divergence in (discrete.alpha_divergence(1.0), "kl"))
    np.testing.assert_allclose(one.rate, named.rate, atol=2e-8)


def test_the_rate_at_perfect_realism_moves_with_the_law_that_is_asked_for():
    law, move, step = np.array([0.2, 0.3, 0.5]), np.array([0.4, -1.0, 0.6]), 1e-5

    def rate(law):
        return discrete.remote_rate_distortion_perception(
            JOINT, D, distortion=0.45, perception=0.0, divergence="tv", realism_pmf=law).rate

    numeric = (rate(law + step * move) - rate(law - step * move)) / (2 * step)
    # Rates are off by up to their gap of 1e-8, so differences by 1e-3.
    np.testing.assert_allclose(jax.jit(jax.grad(rate))(law) @ move, numeric, rtol=1e-6, atol=1e-3)
    assert abs(numeric) > 0.1


@pytest.mark.parametrize("changed, word", [
    ({"joint": JOINT[0]}, "joint_pmf must have shape"),
    ({"realism_pmf": [0.5, 0.5]}, "realism_pmf must have shape"),
    ({"realism_pmf": [0.5, 0.5, 0.5]}, "realism_pmf must sum"),
    ({"d": D[:, :2]}, "distortion_matrix must have shape"),
    ({"distortion": 0.0}, "distortion must be at least"),
    ({"realism_pmf": [0.0, 0.0, 1.0], "perception": 0.0, "distortion": 0.45}, "no channel has"),  # one letter only
])
def test_refusals(changed, word):
    arguments = {"distortion": 0.5, "perception": 0.1, "divergence": "tv"} | changed
    joint, d = arguments.pop("joint", JOINT), arguments.pop("d", D)
    with pytest.raises(ValueError, match=word):
        discrete.remote_rate_distortion_perception(joint, d, **arguments)


def test_denoising_gains_what_is_between_the_channel_and_the_bound():
    """Everything recomputed from the two rate-distortion functions; a clean observation leaves nothing to gain."""
    joint = np.array([[0.35, 0.05, 0.05], [0.02, 0.25, 0.03], [0.1, 0.05, 0.1]])
    gain = discrete.denoising_gain(joint, D, observed_distortion=0.1)
    made = discrete.rate_distortion(joint.sum(0), D, distortion=0.1)
    triples = joint[:, :, None] * np.asarray(made.channel)[None]
    np.testing.assert_allclose(gain.rate, made.rate, atol=1e-12)
    np.testing.assert_allclose(gain.distortion_as_is, (triples * D[:, None]).sum(), atol=1e-12)
    np.testing.assert_allclose(gain.distortion_denoised_after, (triples.sum(1).T @ D).min(1).sum(), atol=1e-12)
    assert gain.distortion_best_lower <= gain.distortion_best + 1e-12
    assert gain.distortion_best < gain.distortion_denoised_after - 1e-4
    assert gain.distortion_denoised_after <= gain.distortion_as_is
    best = discrete.remote_rate_distortion(joint, D, distortion=gain.distortion_best)
    np.testing.assert_allclose(best.rate, gain.rate, atol=1e-8)
    clean = discrete.denoising_gain(np.diag(joint.sum(1)), D, observed_distortion=0.1)
    np.testing.assert_allclose([clean.distortion_as_is, clean.distortion_best], 0.1, atol=1e-8)
    assert jnp.isfinite(clean.rate)


def test_dispersion_counts_the_noise():
    """The erased coin's closed form; with realism that does not bind the same; where it binds, none."""
    erased, distortion = 0.2, 0.25
    joint = np.array([[1 - erased, 0.0, erased], [0.0, 1 - erased, erased]]) / 2
    found = discrete.remote_rate_distortion(joint, 1.0 - np.eye(2), distortion=distortion)
    exact = float(erased_coin_dispersion(distortion, erased))
    np.testing.assert_allclose(found.dispersion, exact, rtol=1e-4)
    assert found.noise_dispersion > 0.3 * exact
    lossless = discrete.remote_rate_distortion(joint, 1.0 - np.eye(2), distortion=0.1)
    assert np.isinf(lossless.dispersion)


@pytest.mark.stress
def test_dispersion_under_realism_that_does_not_bind():
    plain = discrete.remote_rate_distortion(JOINT, D, distortion=0.3)
    free = discrete.remote_rate_distortion_perception(JOINT, D, distortion=0.3, perception=np.inf, divergence="tv")
    bound = discrete.remote_rate_distortion_perception(JOINT, D, distortion=0.3, perception=0.005, divergence="tv")
    np.testing.assert_allclose(free.dispersion, plain.dispersion, rtol=1e-4)
    assert np.isnan(bound.dispersion) and np.isnan(bound.tilted_information).all()
