"""The importance-weighted bound on a channel whose rate is known, and against a sum over all proposals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.estimators import importance

importance_bound = jax.jit(importance.importance_bound)


def test_one_proposal_is_the_elbo_and_equal_ones_change_nothing():
    ratios, distortions = jnp.asarray([[-1.5, 0.25]]), jnp.asarray([[0.3, 2.0]])
    for count in (1, 3):
        nats, errors = importance_bound(jnp.tile(ratios, (count, 1)), jnp.tile(distortions, (count, 1)),
                                        jnp.float32(2.0))
        np.testing.assert_allclose(nats, -ratios[0], rtol=1e-6)
        np.testing.assert_allclose(errors, distortions[0], rtol=1e-6)


def test_the_bound_is_above_the_channel_that_picks_a_proposal():
    """Two letters z with y = z, K = 2 proposals from r: all four pairs summed by hand."""
    p, r, d, slope = np.asarray([0.3, 0.7]), np.asarray([0.6, 0.4]), np.asarray([0.0, 1.0]), 1.3
    w = p * np.exp(-slope * d) / r
    picked, bound, distortion = np.zeros(2), 0.0, 0.0
    for i in (0, 1):
        for j in (0, 1):
            chance = r[i] * r[j]
            share = w[[i, j]] / w[[i, j]].sum()
            picked[i] += chance * share[0]
            picked[j] += chance * share[1]
            nats, error = importance_bound(jnp.asarray(np.log(p / r)[[i, j]][:, None]), jnp.asarray(d[[i, j]][:, None]),
                                           jnp.float32(slope))
            bound, distortion = bound + chance * float(nats[0]), distortion + chance * float(error[0])
    np.testing.assert_allclose(distortion, picked @ d, rtol=1e-6)
    divergence = picked @ np.log(picked / p)
    assert divergence < bound < r @ np.log(r / p) + slope * (r @ d - picked @ d)  # the ELBO's Lagrangian is larger
    best = -np.log(p @ np.exp(-slope * d))
    assert bound + slope * distortion > divergence + slope * distortion > best


@pytest.mark.stress
def test_many_proposals_approach_the_partition_function():
    z = jax.random.normal(jax.random.key(0), (4000, 50))  # proposals from the prior
    nats, errors = importance_bound(jnp.zeros_like(z), jnp.square(z - 1.0), jnp.float32(0.5))
    lagrangian = np.asarray(nats + 0.5 * errors)
    exact = 0.5 * np.log(2.0) + 0.25  # -log E exp(-(Z - 1)^2 / 2)
    assert abs(lagrangian.mean() - exact) < 4 * lagrangian.std() / np.sqrt(50) + 1e-3
