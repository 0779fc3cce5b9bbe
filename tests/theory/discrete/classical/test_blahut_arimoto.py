"""The classical iterations against NumPy's own, and their known speed and failure."""

import functools

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from theory.discrete.classical import blahut_arimoto
from theory.discrete.common import channels

PMF = np.array([0.2, 0.3, 0.5])
MATRIX = np.random.default_rng(1).random((3, 3))
np.fill_diagonal(MATRIX, 0.0)


@functools.cache
def problem():
    return channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))


def scale():
    return float(problem().scale)


def test_updates_are_those_of_the_textbook():
    slope, steps = 3.0, 7
    found = blahut_arimoto.blahut_arimoto(
        problem(), slope=jnp.asarray(slope * scale()), tolerance=jnp.asarray(0.0), max_iterations=steps)
    q, k = np.full(3, 1 / 3), np.exp(-slope * MATRIX)
    for _ in range(steps):
        channel = q * k / (q * k).sum(1, keepdims=True)
        q = PMF @ channel
    np.testing.assert_allclose(found.weights, q, rtol=1e-13)
    assert int(found.iterations) == steps
    np.testing.assert_allclose(found.gap, np.log(((PMF / (k @ q)) @ k).max()), rtol=1e-10)


def test_the_constrained_iteration_finds_its_slope_anew_each_time():
    target, steps = 0.1, 4
    found = blahut_arimoto.constrained_blahut_arimoto(
        problem(), slope=jnp.asarray(scale()), target=jnp.asarray(target / scale()), tolerance=jnp.asarray(0.0),
        max_iterations=steps)

    def channel(slope, q):
        weights = q * np.exp(-slope * MATRIX)
        return weights / weights.sum(1, keepdims=True)

    def slope_of(q):
        return brentq(lambda s: PMF @ (channel(s, q) * MATRIX).sum(1) - target, 0.0, 50.0, xtol=1e-13)

    q = np.full(3, 1 / 3)
    for _ in range(steps):
        q = PMF @ channel(slope_of(q), q)
    np.testing.assert_allclose(found.weights, q, rtol=1e-10)
    np.testing.assert_allclose(found.slope / scale(), slope_of(q), rtol=1e-10)
    # The gap is the upper bound KL(W || p q) less what the dual point proves at the target.
    w, k = channel(slope_of(q), q), np.exp(-slope_of(q) * MATRIX)
    upper = (PMF[:, None] * w * np.log(w / q)).sum()
    lower = -PMF @ np.log(k @ q) - slope_of(q) * target - np.log(((PMF / (k @ q)) @ k).max())
    np.testing.assert_allclose(found.gap, upper - lower, rtol=1e-8)


def test_the_gap_bounds_the_distance_to_the_optimum():
    def objective(q, slope):
        return -PMF @ np.log(np.exp(-slope * MATRIX) @ q)

    options = {"slope": jnp.asarray(3.0 * scale()), "tolerance": jnp.asarray(1e-13)}
    best = blahut_arimoto.blahut_arimoto(problem(), max_iterations=3000, **options)
    for steps in (1, 5, 20):
        found = blahut_arimoto.blahut_arimoto(problem(), max_iterations=steps, **options)
        excess = objective(np.asarray(found.weights), 3.0) - objective(np.asarray(best.weights), 3.0)
        assert -1e-12 <= excess <= found.gap
        assert excess <= np.log(3.0) / steps
