"""The program at a given output against linear programming, and its conditions of optimality."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from theory.discrete import decoder_program
from theory.discrete.perception import blocks


@jax.jit
def solved(cost, rows, q):
    return decoder_program.solve(cost, rows, q > 0, blocks.fixed_output_block(q), None, gauge=True,
                                 tolerance=jnp.asarray(1e-10), max_iterations=100)


def test_optimal_transport_is_that_of_linear_programming():
    rng = np.random.default_rng(0)
    equal = np.vstack([np.kron(np.eye(3), np.ones(4)), np.kron(np.ones(3), np.eye(4))[:-1]])
    for trial in range(20):
        cost, rows, q = rng.uniform(0, 2, (3, 4)), rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))
        if trial % 4 == 1:
            q = np.array([0.0, 0.5, 0.2, 0.3])
        if trial % 4 == 2:
            rows, cost[0, 1] = np.array([0.4, 0.0, 0.6]), np.inf
        finite = np.where(np.isinf(cost), 1e4, cost)
        truth = linprog(finite.ravel(), A_eq=equal, b_eq=np.r_[rows, q[:-1]]).fun
        point, steps = solved(jnp.asarray(cost), jnp.asarray(rows), jnp.asarray(q))
        joint, used = np.asarray(point.joint), (rows > 0)[:, None] & (q > 0)[None] & np.isfinite(cost)
        np.testing.assert_allclose((joint * finite)[used].sum(), truth, atol=1e-8)
        np.testing.assert_allclose(joint.sum(1), rows, atol=1e-9)
        np.testing.assert_allclose(joint.sum(0), q, atol=1e-9)
        assert (joint[~used] == 0).all() and steps < 40
        # The dual point proves the same.
        h = np.asarray(point.critic)
        proved = rows @ np.where(used, cost + h, np.inf).min(1, initial=1e9) - q @ h
        np.testing.assert_allclose(proved, truth, atol=1e-8)
