"""Newton's method for R(D, P): optimality conditions at its answer, and posteriors against NumPy."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete.common import channels
from theory.discrete.perception import blocks as perception_blocks
from theory.discrete.perception import interior_point as perception_interior_point
from theory.discrete.perception.divergences import SEPARABLE

RNG = np.random.default_rng(5)
PMF = RNG.dirichlet(np.ones(6))
MATRIX = RNG.random((6, 6)) * (1.0 - np.eye(6))


@functools.cache
def problem():
    return channels.normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))


def posteriors(nu, slope):
    logits = np.log(PMF)[:, None] + nu[:, None] - slope * np.asarray(problem().distortion)
    weights = np.exp(logits)
    return weights / weights.sum(0), np.log(weights.sum(0))


def test_posteriors_are_bayes():
    nu = RNG.standard_normal(6)
    got, h = perception_interior_point.posteriors(problem(), jnp.asarray(nu), jnp.asarray(3.0))
    expected, log_normalizer = posteriors(nu, 3.0)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(h, log_normalizer, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["kl", "tv"])
def test_conditions_hold_at_the_answer(name):
    block = perception_blocks.total_variation_block(problem().pmf) if name == "tv" else (
        perception_blocks.separable_block(problem().pmf, SEPARABLE[name]))
    # The constraint binds: without it the optimum at this distortion diverges by about 0.1.
    budget, target = 1e-3, 0.25
    point, steps = perception_interior_point.solve(
        problem(), block, slope=jnp.asarray(2.0), perception_multiplier=jnp.asarray(1.0), target=jnp.asarray(target),
        perception_budget=jnp.asarray(budget), fixed_slope=False, fixed_multiplier=False, tolerance=jnp.asarray(1e-10),
        max_iterations=100, gauge=False)
    s, h = posteriors(np.asarray(point.log_multiplier), float(point.slope))
    q = np.asarray(block.output_pmf(point.block))
    np.testing.assert_allclose(s @ q, PMF, atol=1e-9)  # posteriors average to the source
    np.testing.assert_allclose(((s * np.asarray(problem().distortion)).sum(0) * q).sum(), target, atol=1e-9)
    divergence = 0.5 * np.abs(q - PMF).sum() if name == "tv" else (q * np.log(q / PMF)).sum()
    np.testing.assert_allclose(divergence, budget, atol=1e-9)
    multiplier = float(point.perception_multiplier)
    assert multiplier > 0.01
    if name == "kl":
        # Stationarity in q: h = t (ln q / p + 1) + constant on the support.
        np.testing.assert_allclose(h - multiplier * np.log(q / PMF), (h - multiplier * np.log(q / PMF))[0], atol=1e-6)
    else:
        # The multiplier is the spread of h between letters that gain mass and letters that lose it.
        gains, loses = q > PMF + 1e-7, q < PMF - 1e-7
        assert gains.any() and loses.any()
        np.testing.assert_allclose(h[gains].min() - h[loses].max(), multiplier, atol=1e-6)
    assert int(steps) < 60
