"""Candidates: their marginals, mixtures, and what counts as perfect realism."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.perception import candidates
from theory.discrete.perception.duals import bind_divergence
from theory.discrete.perception.problem import Options, Problem, limits_of

PMF, HAMMING = np.array([0.5, 0.2, 0.2, 0.1]), 1.0 - np.eye(4)
OPTIONS = Options("tv", False, False, False, 100)
PROBLEM = Problem(*(jnp.asarray(x) for x in (PMF, HAMMING, 0.2, 0.05)), (), jnp.asarray(1e-8))


@pytest.fixture(scope="module")
def realistic():
    return jax.jit(candidates.fixed_output, static_argnums=1)(PROBLEM, OPTIONS)


def test_a_given_output_is_met(realistic):
    q = np.array([0.4, 0.3, 0.2, 0.1])
    there = jax.jit(candidates.fixed_output, static_argnums=1)(PROBLEM, OPTIONS, jnp.asarray(q))
    np.testing.assert_allclose(PMF @ np.asarray(there.channel), q, atol=1e-15)
    assert not bool(there.realistic)
    np.testing.assert_allclose(PMF @ np.asarray(realistic.channel), PMF, atol=1e-15)
    assert bool(realistic.realistic)


def test_realism_is_measured_and_not_believed(realistic):
    limits = limits_of(PROBLEM, OPTIONS)
    perception = bind_divergence(limits.problem, OPTIONS, ())
    assert float(candidates.measured_divergence(perception, limits.problem.pmf, realistic)) == 0.0
    # A channel that only says so has no divergence at all.
    other = realistic._replace(channel=jnp.asarray(np.full((4, 4), 0.25)))
    assert np.isnan(candidates.measured_divergence(perception, limits.problem.pmf, other))
    claimed = other._replace(realistic=jnp.asarray(False))
    np.testing.assert_allclose(candidates.measured_divergence(perception, limits.problem.pmf, claimed), 0.25 + 0.0)


def test_mixtures_and_independence(realistic):
    half = candidates.mix(realistic, jnp.asarray(0.5), jnp.asarray(PMF))
    np.testing.assert_allclose(half.channel, 0.5 * np.asarray(realistic.channel) + 0.5 * np.eye(4))
    alone = candidates.independent(jnp.asarray(PMF), realistic)
    np.testing.assert_array_equal(alone.channel, np.tile(PMF, (4, 1)))
    assert bool(alone.realistic)
