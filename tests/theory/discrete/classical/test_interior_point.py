"""The interior-point method itself: optimality conditions in NumPy, quadratic end, limits on steps."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.classical import interior_point
from theory.discrete.common import channels

RNG = np.random.default_rng(0)
PMF, MATRIX = RNG.dirichlet(np.ones(20)), RNG.random((20, 30))


@functools.cache
def problem():
    return channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))


def solve(**options):
    arguments = {"slope": jnp.asarray(2.0), "target": jnp.asarray(1.0), "fixed_slope": True,
                 "tolerance": jnp.asarray(1e-11), "max_iterations": 60, **options}
    return interior_point.solve(problem(), **arguments)


@pytest.mark.parametrize("options", [
    {"slope": jnp.asarray(8.0)}, {"fixed_slope": False, "target": jnp.asarray(0.1)}])
def test_karush_kuhn_tucker_conditions_hold(options):
    found = solve(**options)
    q, s = np.asarray(found.weights), float(found.slope)
    d = np.asarray(problem().distortion)
    k = np.exp(-s * d)
    c = (PMF / (k @ q)) @ k
    assert (q > 0).all() and c.max() <= 1.0 + 1e-10
    assert (q * np.abs(1.0 - c)).sum() <= 1e-9
    np.testing.assert_allclose(q.sum(), 1.0, atol=1e-9)
    if not options.get("fixed_slope", True):
        mean = (PMF[:, None] * q * k / (k @ q)[:, None] * d).sum()
        np.testing.assert_allclose(mean, 0.1, rtol=1e-8)
    # Far fewer steps than the thousands of Blahut-Arimoto.
    assert 5 <= int(found.iterations) <= 30


def test_steps_are_limited_and_the_best_is_kept():
    gaps = [float(solve(max_iterations=n).gap) for n in (2, 4, 8, 60)]
    assert all(later <= earlier for earlier, later in zip(gaps, gaps[1:]))
    assert gaps[-1] <= 1e-11 < gaps[0]


def test_largest_step():
    step = interior_point.largest_step(jnp.array([1.0, 2.0, 3.0]), jnp.array([-0.5, 1.0, -6.0]))
    assert step == 0.5
    assert jnp.isinf(interior_point.largest_step(jnp.ones(3), jnp.ones(3)))
