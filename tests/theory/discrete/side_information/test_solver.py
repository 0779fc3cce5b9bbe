"""Certified rates against a conic solver on 2,000 recorded problems, and every claim of a result recomputed."""

import itertools

import numpy as np
import pytest
from scipy.special import xlogy

from tests.theory.discrete.side_information import families

LN2 = np.log(2)
MAPS = np.array(list(itertools.product(range(3), repeat=2)))


def core(family, joint, d):
    """Joint pmf of the letters that the encoder sees and of the side information, costs, and outputs, by hand."""
    if family == "wyner_ziv":
        given = joint / joint.sum(1, keepdims=True)
        return joint, np.einsum("xy,xty->xt", given, d[:, MAPS]), None
    if family == "remote":
        return joint.sum(0)[:, None], (joint / joint.sum(0)).T @ d, np.tile(np.eye(3), (4, 1, 1))
    pairs = (joint[:, :, None] * np.eye(2)).reshape(6, 2)
    outputs = np.tile(np.eye(3), (6, 1, 1)) if family == "conditional_marginal" else None
    return pairs, np.repeat(d, 2, axis=0), outputs


# Each is a program of its own; test_conditional.py and ../test_remote.py hold the other two against other solvers.
@pytest.fixture(scope="module", params=["wyner_ziv", "conditional_marginal", *(
    pytest.param(name, marks=pytest.mark.stress) for name in ("conditional", "remote"))])
def solved(request):
    problem, rates, exact = families.recorded(request.param)
    return request.param, problem, rates, exact, *families.solve(request.param, *problem)


def test_bounds_enclose_the_oracle(solved):
    """The conic solver works to 1e-10 of its objective and constraints, which is worth up to 1e-8 bit in the rate."""
    _, _, rates, exact, result, _ = solved
    assert result.converged.all() and np.isfinite(result.rate).all()
    assert (result.rate_lower <= result.rate).all() and (result.rate - result.rate_lower).max() < 1e-9
    assert (result.rate - rates)[exact].max() < 1e-8
    assert (rates - result.rate_lower)[exact].min() > -1e-8
    np.testing.assert_allclose(result.rate, rates, atol=3e-7)  # where the oracle doubts itself
    assert 2 * exact.sum() > len(rates) and (result.rate > 0.01).sum() > 200


def test_channels_and_certificates_are_what_they_say(solved):
    """Rate, distortion, divergence and lower bound of every fifth problem, from the definitions in numpy."""
    family, (joints, matrices, distortions, perceptions), _, _, result, _ = solved
    for i in range(0, len(joints), 5):
        joint, cost, outputs = core(family, joints[i], matrices[i])
        channel = result.channel[i].reshape(cost.shape)
        p, side = joint.sum(1), joint.sum(0)
        np.testing.assert_allclose(channel.sum(1), 1.0, atol=1e-12)
        posterior = (joint / side).T @ channel  # [k, m]
        rate = (joint[:, :, None] * (xlogy(channel, channel)[:, None] - xlogy(channel[:, None], posterior[None]))).sum()
        np.testing.assert_allclose(result.rate[i], rate / LN2, atol=1e-12)
        achieved = p @ (channel * cost).sum(1)
        np.testing.assert_allclose(result.distortion[i], achieved, rtol=1e-12)
        assert achieved <= distortions[i] * (1 + 1e-14)
        realism = 0.0
        if outputs is not None:
            q = np.einsum("x,xt,xtj->j", p, channel, outputs)
            target, h, t = joints[i].sum(1), result.critic[i], result.perception_slope[i]
            if family == "remote":
                assert 0.5 * np.abs(q - target).sum() <= perceptions[i] * (1 + 1e-12)
                conjugate = target @ np.maximum(h / t, (h / t).max() - 1.0)
            else:
                assert xlogy(q, q / target).sum() / LN2 <= perceptions[i] * (1 + 1e-12)
                conjugate = np.log2(target @ 2.0 ** (h / t))
            realism = t * (perceptions[i] + conjugate)
        if result.rate_lower[i] == 0 or not (channel[p > 0] > 0).all():
            continue
        given = joint / np.where(p > 0, p, 1.0)[:, None]
        logs = np.log2(np.where(channel > 0, channel, 1.0)) - given @ np.log2(posterior)
        terms = logs + result.slope[i] * cost + (0.0 if outputs is None else outputs @ result.critic[i])
        bound = p[p > 0] @ terms.min(1)[p > 0] - result.slope[i] * distortions[i] - realism
        np.testing.assert_allclose(result.rate_lower[i], bound, atol=1e-11)


def test_the_bound_holds_for_random_channels(solved):
    """A channel that meets the constraints of a problem has at least the rate that its dual point proves."""
    family, (joints, matrices, distortions, perceptions), _, _, result, _ = solved
    rng, tried = np.random.default_rng(1), 0
    for i in range(0, 500, 10):
        joint, cost, outputs = core(family, joints[i], matrices[i])
        channel, p = result.channel[i].reshape(cost.shape), joint.sum(1)
        for share in (0.02, 0.2):
            other = (1 - share) * channel + share * rng.dirichlet(np.full(cost.shape[1], 0.3), len(cost))
            spent = p @ (other * cost).sum(1)
            slack = 0.0
            if outputs is not None:
                q, target = np.einsum("x,xt,xtj->j", p, other, outputs), joints[i].sum(1)
                delta = 0.5 * np.abs(q - target).sum() if family == "remote" else xlogy(q, q / target).sum() / LN2
                slack = result.perception_slope[i] * max(delta - perceptions[i], 0.0)
            posterior = (joint / joint.sum(0)).T @ other
            rate = (joint[:, :, None] * (xlogy(other, other)[:, None] - xlogy(other[:, None], posterior[None]))).sum()
            # The dual point bounds rate + s E[d] + t delta, so also channels that exceed a limit.
            lagrangian = rate / LN2 + result.slope[i] * max(spent - distortions[i], 0.0) + slack
            assert lagrangian >= result.rate_lower[i] - 1e-12
            tried += 1
    assert tried == 100


def test_gradients_are_those_of_the_optimal_value(solved):
    """Central differences of the recorded problems' rates, by the same program."""
    family, problem, _, _, result, gradients = solved
    chosen = np.nonzero((result.rate > 0.05) & (problem[0].min((1, 2)) > 0.01) & (problem[2] > 0.02))[0][:20]
    base = [x[chosen] for x in problem]
    rng, step = np.random.default_rng(2), 1e-5
    direction = rng.standard_normal(base[0].shape)
    direction -= direction.mean((1, 2), keepdims=True)
    moves = [0.01 * direction, rng.uniform(0, 1, base[1].shape) * (base[1] > 0), np.full(len(chosen), 1.0)]
    moves += [0.1 * base[3] if np.isfinite(base[3]).all() else np.zeros(len(chosen))]
    for k, move in enumerate(moves):
        up, down = ([x + sign * step * move if j == k else x for j, x in enumerate(base)] for sign in (1, -1))
        both = families.solve(family, *(np.concatenate(pair) for pair in zip(up, down)))[0].rate
        numeric = (both[:len(chosen)] - both[len(chosen):]) / (2 * step)
        by_gradient = (gradients[k][chosen] * move).reshape(len(chosen), -1).sum(1)
        # Rates are off by up to their gap of 3e-10, so differences by 3e-5; the rest is curvature.
        np.testing.assert_allclose(by_gradient, numeric, rtol=2e-4, atol=1e-4)


def test_impossible_realism_is_proved_and_not_only_missed():
    """Remote, P small: below the transport from X to the law of S no channel exists, which the bound inf says."""
    problem, _, _ = families.recorded("remote")
    joint, d = problem[0][:50], problem[1][:50]
    letters = joint.sum(1)
    reduced = np.einsum("isx,isy->ixy", joint / letters[:, None], d)
    least = (letters * reduced.min(2)).sum(1)
    result = families.solve("remote", joint, d, least * (1 + 1e-6), np.full(50, 1e-3))[0]
    nothing = np.isnan(result.rate)
    assert nothing.sum() > 20 and np.isposinf(result.rate_lower[nothing]).all()
    assert not np.isposinf(result.rate_lower[~nothing]).any()
