"""Strategies, their costs and outputs, by enumeration."""

import jax.numpy as jnp
import numpy as np

from theory.discrete.side_information import strategies

GIVEN = np.array([[0.25, 0.75], [1.0, 0.0]])
D = np.array([[0.0, 1.0, np.inf], [2.0, 0.0, 5.0]])


def test_every_map_once():
    maps = strategies.all_strategies(2, 3)
    assert maps.shape == (9, 2) and len({tuple(row) for row in maps}) == 9
    assert maps[0].tolist() == [0, 0] and maps[1].tolist() == [0, 1]


def test_costs_and_outputs():
    maps = strategies.all_strategies(2, 3)
    cost = np.asarray(strategies.strategy_costs(jnp.asarray(GIVEN), jnp.asarray(D), maps))
    marginal = np.asarray(strategies.strategy_outputs(jnp.asarray(GIVEN), maps, 3, joint=False))
    joint = np.asarray(strategies.strategy_outputs(jnp.asarray(GIVEN), maps, 3, joint=True)).reshape(2, 9, 2, 3)
    for x in range(2):
        for number, t in enumerate(maps):
            # A forbidden pair counts only where the side information occurs.
            expected = sum(GIVEN[x, y] * D[x, t[y]] for y in range(2) if GIVEN[x, y] > 0)
            assert cost[x, number] == expected
            q = np.zeros((2, 3))
            for y in range(2):
                q[y, t[y]] += GIVEN[x, y]
            np.testing.assert_allclose(joint[x, number], q)
            np.testing.assert_allclose(marginal[x, number], q.sum(0))
