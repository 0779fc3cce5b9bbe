"""How a problem is taken apart and brought to scale."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from theory.discrete.side_information.problem import Options, Problem, bind, limits_of, source_of

JOINT = np.array([[0.2, 0.0], [0.3, 0.1], [0.0, 0.0], [0.1, 0.3]])

FREE = Options("tv", "free", 1, 10)


def make(target, points, distortion=0.5, letters=6):
    cost = jnp.asarray([[1.0, 2.0], [0.0, 3.0], [np.inf, np.inf], [4.0, np.inf]])
    outputs = jnp.zeros((4, 2, letters)).at[:, :, 0].set(1.0)
    return Problem(jnp.asarray(JOINT), cost, outputs, jnp.asarray(target), jnp.asarray(distortion), jnp.asarray(0.1),
                   jnp.asarray(points), jnp.asarray(1e-9))


def test_a_source_is_taken_apart_with_letters_that_do_not_occur():
    source = source_of(jnp.asarray(2 * JOINT))
    np.testing.assert_allclose(source.letters, [0.2, 0.4, 0.0, 0.4])
    np.testing.assert_allclose(source.given_letter, [[1, 0], [0.75, 0.25], [0, 0], [0.25, 0.75]])
    np.testing.assert_allclose(source.given_side, JOINT / JOINT.sum(0))


def test_limits_leave_out_what_no_channel_uses():
    limits = limits_of(make(np.full(6, 1 / 6), np.zeros(0), distortion=2.3), FREE)
    np.testing.assert_array_equal(limits.live, [[True, True], [True, True], [False, False], [True, False]])
    # E[min] = 0.2 * 1 + 0.4 * 0 + 0.4 * 4 = 1.8
    np.testing.assert_allclose(limits.target * limits.costs.scale + 1.8, 2.3)
    lossless = limits_of(make(np.full(6, 1 / 6), np.zeros(0), distortion=1.8), FREE)
    assert bool(lossless.lossless) and not np.asarray(lossless.live)[:, 1].any()
    assert not bool(limits_of(make(np.full(6, 1 / 6), np.zeros(0), distortion=1.7), FREE).reachable)


@pytest.mark.parametrize("name, regime, forbids", [("tv", "perfect", True), ("kl", "constrained", True),
                                                   ("chi2", "constrained", False), ("kl", "free", False)])
def test_outputs_that_realism_rules_out_are_forbidden(name, regime, forbids):
    problem = make([0.5, 0.5, 0.0, 0.0, 0.0, 0.0], np.zeros(0), distortion=3.0)
    problem = problem._replace(outputs=problem.outputs.at[1, 1, 2].set(0.1))
    limits = limits_of(problem, Options(name, regime, 1, 10))
    assert bool(limits.live[1, 1]) != forbids and bool(limits.live[1, 0])


@pytest.mark.parametrize("name, power", [("w1", 1), ("w2sq", 2)])
def test_transport_stays_within_a_group(name, power):
    """Against the linear program of couplings whose pairs lie in one group."""
    rng, points = np.random.default_rng(0), np.array([0.0, 0.7, 2.0])
    target, q = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    q = np.concatenate([q[:3] / q[:3].sum() * target[:3].sum(), q[3:] / q[3:].sum() * target[3:].sum()])
    problem = make(target, points)
    options = Options(name, "constrained", 2, 10)
    perception = bind(problem, limits_of(problem, options), options)
    cost = np.full((6, 6), 1e3)
    cost[:3, :3] = cost[3:, 3:] = np.abs(points[:, None] - points) ** power
    plan = linprog(cost.ravel(), A_eq=np.vstack([np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))]),
                   b_eq=np.r_[target, q])
    np.testing.assert_allclose(perception.value(jnp.asarray(q), None) * perception.scale, plan.fun, rtol=1e-7)
