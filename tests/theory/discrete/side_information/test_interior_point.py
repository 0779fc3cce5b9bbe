"""The interior-point method's gradient, and that its end meets the optimality conditions."""

import jax
import jax.numpy as jnp
import numpy as np

from theory.discrete.perception.blocks import fixed_output_block
from theory.discrete.side_information import interior_point, solver
from theory.discrete.side_information.problem import Options, Problem, limits_of

RNG = np.random.default_rng(5)
PROBLEM = Problem(*(jnp.asarray(x) for x in (
    RNG.dirichlet(np.ones(6)).reshape(3, 2), RNG.uniform(0.1, 1.0, (3, 4)), np.zeros((3, 4, 0)), np.zeros(0), 0.25, 1.0,
    np.zeros(0), 1e-9)))
OPTIONS = Options("tv", "free", 1, 100)


def test_log_ratios_are_the_gradient_of_the_rate():
    limits = limits_of(PROBLEM, OPTIONS)
    channel = jnp.asarray(RNG.uniform(0.1, 1.0, (4, 3)))
    by_letter = jax.grad(lambda u: solver.rate_of(limits, u))(channel) / limits.source.letters[None]
    np.testing.assert_allclose(interior_point.log_ratios(limits, channel)[0], by_letter, atol=1e-14)


def test_the_end_is_a_saddle_point():
    limits = limits_of(PROBLEM, OPTIONS)
    tolerance = 1e-10
    point, steps = jax.jit(lambda: interior_point.solve(
        limits, fixed_output_block(jnp.zeros(0)), PROBLEM.outputs, usable=jnp.zeros(0, bool), target=limits.target,
        budget=jnp.ones(()), constrained=False, tolerance=jnp.asarray(tolerance), max_iterations=100))()
    assert 5 < int(steps) < 60
    u, z = np.asarray(point.channel), np.asarray(point.reduced_costs)
    assert (u > 0).all() and (z > 0).all() and float(point.slope) > 0
    np.testing.assert_allclose(u.sum(0), 1.0, atol=1e-10)
    g = np.asarray(interior_point.log_ratios(limits, point.channel)[0])
    cost = np.asarray(limits.costs.distortion).T
    np.testing.assert_allclose(g + float(point.slope) * cost - np.asarray(point.multiplier), z, atol=1e-9)
    p = np.asarray(limits.source.letters)
    assert (p * u * z).sum() < tolerance and float(point.slope * point.slack) < tolerance
    np.testing.assert_allclose((p * u * cost).sum(), limits.target, atol=1e-8)
