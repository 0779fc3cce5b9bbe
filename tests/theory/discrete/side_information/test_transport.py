"""Oracles: all vertices of a small transport problem, weak duality, sums over groups."""

import itertools

import jax.numpy as jnp
import numpy as np

from theory.discrete.side_information import transport as transports
from theory.discrete.side_information.problem import Options, Problem
from theory.discrete.side_information.transport import filled, groups_of, task_of, transport

COST = np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0], [3.0, 1.0, 0.5]])


def task(joint, target, cost=COST):
    n, m = cost.shape
    outputs = np.broadcast_to(np.eye(m), (n, m, m))
    return task_of(Problem(*(jnp.asarray(x) for x in given(joint, target, cost, outputs))),
                   Options("tv", "perfect", 1, 100))


def given(joint, target, cost, outputs):
    values = {"joint": joint, "cost": cost, "distortion": 1.0, "perception": 0.0, "tolerance": 1e-8,
              "outputs": outputs, "target": target, "points": np.arange(3.0)}
    return [values[field] for field in Problem._fields]


def test_least_cost_and_prices():
    p, target = np.array([0.5, 0.2, 0.3]), np.array([0.25, 0.35, 0.4])
    answer = transport(task(p[:, None], target))
    least = np.inf
    equal = np.vstack([np.kron(np.eye(3), np.ones(3)), np.kron(np.ones(3), np.eye(3))])[:5]
    for base in itertools.combinations(range(9), 5):
        columns = equal[:, base]
        if abs(np.linalg.det(columns)) > 0.5:
            x = np.linalg.solve(columns, np.r_[p, target[:2]])
            least = min(least, COST.ravel()[list(base)] @ x) if x.min() > -1e-12 else least
    np.testing.assert_allclose(answer.least, least, rtol=1e-12)
    np.testing.assert_allclose(p @ answer.channel, target, atol=1e-12)
    np.testing.assert_allclose((p[:, None] * answer.channel * COST).sum(), least, rtol=1e-12)
    prices = answer.by_letter[:, None] + answer.by_output
    assert (prices <= COST + 1e-12).all()
    np.testing.assert_allclose(p @ answer.by_letter + target @ answer.by_output, least, rtol=1e-12)
    assert answer.channel.min() >= 0


def test_letters_in_doubt_share_a_channel():
    joint = np.array([[0.3, 0.0], [0.2, 0.1], [0.0, 0.4]])
    together = task(joint, np.full(3, 1 / 3))
    np.testing.assert_array_equal(groups_of(together), [0, 0, 0])
    answer = transport(together, groups_of(together))
    np.testing.assert_allclose(answer.channel, np.full((3, 3), 1 / 3), atol=1e-12)
    apart = task(np.array([[0.3, 0.0], [0.3, 0.0], [0.0, 0.4]]), np.full(3, 1 / 3))
    np.testing.assert_array_equal(groups_of(apart), [0, 0, 1])
    assert transport(apart).least <= transport(apart, groups_of(apart)).least < answer.least


def test_rare_letters_have_rows_and_rare_outputs_a_share():
    p, target = np.array([0.6, 0.4 - 1e-300, 1e-300]), np.array([0.7, 0.3, 1e-12])
    answer = transport(task(p[:, None], target))
    np.testing.assert_allclose(answer.channel.sum(1), 1.0, rtol=1e-15)
    np.testing.assert_allclose((p @ answer.channel)[2], 1e-12, rtol=1e-6)
    rows = filled(task(p[:, None], target), np.zeros((3, 3)))
    assert (rows.argmax(1) == COST.argmin(1)).all()
    left_out = filled(task(np.array([[0.6], [0.3], [0.1]]), target), np.eye(3)[[0, 1, 1]])
    np.testing.assert_allclose((np.array([0.6, 0.3, 0.1]) @ left_out)[2], 1e-12, rtol=1e-9)
    barred = np.where(np.arange(3) == 2, np.inf, COST)  # the third symbol may not be used
    rows = filled(task(p[:, None], np.array([0.7, 0.3, 0.0]), barred), np.zeros((3, 3)))
    np.testing.assert_array_equal(rows.argmax(1), [0, 1, 1])


def test_signs_of_the_rounding_of_a_linear_program_are_dropped(monkeypatch):
    solve = transports.linprog

    def rounded(*arguments, **options):
        answer = solve(*arguments, **options)
        answer.x = np.where(answer.x == 0, -1e-13, answer.x)
        return answer

    monkeypatch.setattr(transports, "linprog", rounded)
    answer = transport(task(np.array([[0.5], [0.2], [0.3]]), np.array([0.25, 0.35, 0.4])))
    assert answer.channel.min() == 0
