"""Side information at the decoder alone: closed forms, extremes, other algorithms."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from tests.theory.discrete.side_information import families
from theory import discrete
from theory.closed_form import side_information as closed_form

TOLERANCE = 1e-9


def embed(joint, d):
    """A problem of two letters as one of three, the third of which never occurs."""
    wide = np.full((3, 3), 9.0)
    wide[:2, :2] = d
    return np.pad(joint, ((0, 1), (0, 0))), wide


def solve(cases):
    joints, matrices, distortions = (np.array(x) for x in zip(*cases))
    return families.solve("wyner_ziv", joints, matrices, distortions, np.full(len(cases), np.inf))[0]


def test_binary_source_is_the_closed_form():
    """With its straight part, which only a choice among strategies makes."""
    crossings = np.array([0.05, 0.2, 0.25, 0.4, 0.8])
    cases, expected = [], []
    for q in crossings:
        for d in np.linspace(0.0, 1.1 * min(q, 1 - q), 12):
            cases.append((*embed(np.array([[1 - q, q], [q, 1 - q]]) / 2, 1.0 - np.eye(2)), d))
            expected.append(closed_form.binary_wyner_ziv_rate(d, q))
    result = solve(cases)
    expected = np.array(expected)
    assert (result.rate_lower <= expected + 1e-10).all() and (expected <= result.rate + 1e-10).all()
    assert result.converged.all()


def test_extremes_of_side_information():
    """Y = X: nothing is sent; Y independent of X: R(D)."""
    hamming = 1.0 - np.eye(3)
    known = np.array([[0.7, 0.0], [0.0, 0.3], [0.0, 0.0]])
    alone = np.outer([0.5, 0.3, 0.2], [0.6, 0.4])
    result = solve([(known, hamming, 0.0), (known, hamming, 0.1), (alone, hamming, 0.1), (alone, hamming, 0.3)])
    np.testing.assert_allclose(result.rate[:2], 0.0, atol=1e-10)
    expected = [discrete.rate_distortion([0.5, 0.3, 0.2], hamming, distortion=d).rate for d in (0.1, 0.3)]
    np.testing.assert_allclose(result.rate[2:], expected, atol=2 * TOLERANCE)


def test_lossless_is_slepian_and_wolf():
    """R(0) = H(X|Y) under Hamming distortion."""
    problem, _, _ = families.recorded("wyner_ziv")
    joints = problem[0][:20]
    result = solve([(joint, 1.0 - np.eye(3), 0.0) for joint in joints])
    entropies = []
    for joint in joints:
        positive = joint[joint > 0]
        side = joint.sum(0)
        entropies.append(-(positive * np.log2(positive)).sum() + (side * np.log2(side)).sum())
    np.testing.assert_allclose(result.rate, entropies, atol=1e-10)
    assert np.isinf(result.slope).all() and (result.distortion == 0).all()


def test_no_iteration_of_alternating_minimization_beats_the_bound():
    """Willems' form of Blahut and Arimoto: W(t|x) ~ exp(sum_y p(y|x) ln q(t|y) - s c), q(t|y) = sum_x p(x|y) W(t|x)."""
    problem, _, _ = families.recorded("wyner_ziv")
    result = families.solve("wyner_ziv", *problem)[0]
    maps = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), -1).reshape(9, 2)
    for i in np.nonzero((result.rate > 0.1) & (result.slope < 20))[0][:20]:
        joint, d, s = problem[0][i], problem[1][i], result.slope[i]
        given, by_side = joint / joint.sum(1, keepdims=True), joint / joint.sum(0)
        cost = np.einsum("xy,xty->xt", given, d[:, maps])
        q = np.full((2, 9), 1 / 9)
        for _ in range(3000):
            logits = given @ np.log(np.maximum(q, 1e-300)) - np.log(2) * s * cost
            w = np.exp(logits - logits.max(1, keepdims=True))
            w /= w.sum(1, keepdims=True)
            q = by_side.T @ w
        rate = (joint[:, :, None] * w[:, None] * np.log2(np.maximum(w[:, None], 1e-300) / np.maximum(q, 1e-300))).sum()
        lagrangian = rate + s * (joint.sum(1) @ (w * cost).sum(1))
        best = result.rate[i] + s * result.distortion[i]
        assert best - 2e-9 <= lagrangian <= best + 1e-4


@pytest.mark.parametrize("realism", ["joint", pytest.param("marginal", marks=pytest.mark.stress)])
def test_realism_of_the_decoders_output(realism):
    """At P = 0 the output is what it must be, also beside a letter pair that never occurs; realism costs."""
    problem, _, _ = families.recorded("wyner_ziv")
    chosen = np.nonzero((problem[0] == 0).any((1, 2)))[0][0]
    joint, d = problem[0][chosen], problem[1][chosen]
    target = joint.sum(1)
    distortion = 0.5 * target @ d @ target
    maps = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), -1).reshape(9, 2)
    result = discrete.wyner_ziv_rate_distortion_perception(
        joint, d, distortion=distortion, perception=0.0, divergence="tv", realism=realism)
    assert result.converged and result.perception == 0
    q = np.zeros((3, 2))
    for number, t in enumerate(maps):
        for y in range(2):
            q[t[y], y] += joint[:, y] @ np.asarray(result.channel)[:, number]
    np.testing.assert_allclose(*((q.sum(1), target) if realism == "marginal" else (q, joint)), atol=1e-15)
    assert solve([(joint, d, distortion)]).rate[0] <= result.rate + 1e-9


def test_too_many_strategies_are_refused():
    with pytest.raises(ValueError, match=r"8\^5 strategies, more than 4,096; wyner_ziv_bracket"):
        discrete.wyner_ziv_rate_distortion(np.full((8, 5), 1 / 40), 1.0 - np.eye(8), distortion=0.1)


@pytest.mark.stress
def test_four_by_four_by_four_is_certified():
    rng = np.random.default_rng(4)
    joint, d = rng.dirichlet(np.ones(16)).reshape(4, 4), (np.arange(4.0)[:, None] - np.arange(4.0)) ** 2 / 9
    for distortion in (0.0, 0.01, 0.05):
        result = discrete.wyner_ziv_rate_distortion(jnp.asarray(joint), d, distortion=distortion)
        assert result.gap < 1e-9


def test_erased_copies_lose_nothing():
    """Three values of side information do not fit the program for two: bounds by its own, at one distortion."""
    p, e, distortion = np.array([0.7, 0.3]), 0.4, 0.06
    joint = np.array([[p[0] * (1 - e), 0.0, p[0] * e], [0.0, p[1] * (1 - e), p[1] * e]])
    result = discrete.wyner_ziv_rate_distortion(joint, 1.0 - np.eye(2), distortion=distortion)
    expected = closed_form.erased_side_information_rate(distortion, e, p[1])
    assert result.rate_lower - 1e-12 <= expected <= result.rate + 1e-12 and result.converged


def test_dispersion_is_the_spread_of_what_binning_pays():
    """Sums of the three parts, by their covariance, for the recorded problems; and a sample of letters."""
    problem, _, _ = families.recorded("wyner_ziv")
    result = families.solve("wyner_ziv", *problem)[0]
    rng, maps = np.random.default_rng(3), np.array(list(itertools.product(range(3), repeat=2)))
    for k in (0, 7):
        joint, d = problem[0][k], problem[1][k]
        weight = joint[:, :, None] * result.channel[k][:, None]
        by_side, marginal = (joint / joint.sum(0)).T @ result.channel[k], joint.sum(1) @ result.channel[k]
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [np.broadcast_to(x, weight.shape) for x in (
                -np.log2(by_side / marginal)[None], np.log2(result.channel[k] / marginal)[:, None],
                result.slope[k] * d[:, maps].swapaxes(1, 2))]
        parts = np.stack([np.where(weight > 0, x, 0.0).ravel() for x in parts])
        spread = np.cov(parts, aweights=weight.ravel(), ddof=0).sum()
        np.testing.assert_allclose(result.dispersion[k], spread, rtol=1e-9)
        drawn = parts.sum(0)[rng.choice(weight.size, 200_000, p=weight.ravel() / weight.sum())]
        np.testing.assert_allclose(drawn.var(), spread, rtol=0.05)
        np.testing.assert_allclose(parts.sum(0) @ weight.ravel(), result.rate[k] + result.slope[k] * problem[2][k],
                                   atol=1e-7)
    # The derivative of the rate by the pmf, by differences; the spread is more than its variance.
    few, size = [x[:4] for x in problem], 1e-4
    step = rng.uniform(-1, 1, few[0].shape) * few[0]
    step -= few[0] * step.sum((1, 2), keepdims=True)
    ends = [families.solve("wyner_ziv", few[0] + sign * size * step, *few[1:])[0].rate for sign in (1, -1)]
    np.testing.assert_allclose(
        (step * result.tilted_information[:4]).sum((1, 2)), (ends[0] - ends[1]) / (2 * size), atol=1e-4)
    assert (result.dispersion >= (problem[0] * (result.tilted_information - result.rate[:, None, None]) ** 2).sum(
        (1, 2)) - 1e-9).all()


@pytest.mark.stress
@pytest.mark.parametrize("erased, distortion", [(0.5, 0.2), (0.3, 0.05), (0.25, 0.25)])
def test_published_values_of_an_erased_coin(erased, distortion):
    """Kelly and Wagner: no errors but erasures in the output, R = (p - D)+, the same with Y at both ends."""
    joint = np.array([[1 - erased, erased, 0.0], [0.0, erased, 1 - erased]]) / 2
    costs = np.array([[0.0, 1.0, np.inf], [np.inf, 1.0, 0.0]])
    alone = discrete.wyner_ziv_rate_distortion(joint, costs, distortion=distortion)
    both = discrete.conditional_rate_distortion(joint, costs, distortion=distortion)
    for found in (alone, both):
        np.testing.assert_allclose([found.rate, found.rate_lower], max(erased - distortion, 0.0), atol=1e-8)
