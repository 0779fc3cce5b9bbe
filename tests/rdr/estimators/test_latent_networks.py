"""Densities against scipy's, and the start at principal components."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from rdr.estimators import latent_networks as networks


def test_principal_coordinates_have_variance_one_and_start_the_networks_there_and_back():
    x = (np.random.default_rng(0).normal(size=(200, 3)) @ np.diag([3.0, 1.0, 0.2]) + 5.0).astype(np.float32)
    coordinates = networks.principal_coordinates(x, 2)
    z = (x - coordinates.mean) @ coordinates.axes / coordinates.scales
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(2), atol=1e-5)
    sizes = networks.Architecture(3, 2, (4,), 1, 1)
    params = networks.initial_params(jax.random.key(0), sizes, coordinates)
    centered = jnp.asarray(x - coordinates.mean, jnp.float32)
    back = networks.decode(params["decoder"], jnp.asarray(z, jnp.float32), sizes)
    np.testing.assert_allclose(back, centered @ coordinates.axes @ coordinates.axes.T, atol=1e-4)
    constant = networks.principal_coordinates(np.ones((4, 2)), 1)
    assert (constant.scales > 0).all()
    with pytest.raises(ValueError, match="latent must be at most the dimension, 3, got 4"):
        networks.principal_coordinates(x, 4)


def test_the_prior_is_a_mixture_and_scales_are_standard_deviations():
    rng = np.random.default_rng(1)
    z, means, log_scales = (rng.normal(size=s).astype(np.float32) for s in ((5, 2), (3, 2), (3, 2)))
    found = networks.log_prior({"means": means, "log_scales": log_scales, "logits": jnp.asarray([0.0, 1.0, 2.0])},
                               jnp.asarray(z))
    weights = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    expected = sum(w * stats.norm.pdf(z, m, np.exp(s)).prod(1)
                   for w, m, s in zip(weights, means, log_scales, strict=True))
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-4)


@pytest.mark.stress
@pytest.mark.parametrize("levels", [1, 2])
def test_proposals_have_densities_that_integrate(levels):
    """E_r p / r = 1 wherever the encoder's distribution covers the prior's."""
    sizes = networks.Architecture(2, 1, (3,), 1, levels)
    coordinates = networks.principal_coordinates(np.random.default_rng(0).normal(size=(50, 2)), 1)
    params = networks.initial_params(jax.random.key(1), sizes, coordinates)
    params["encoder"]["scale"]["bias"] = jnp.full((1,), 1.6, jnp.float32)  # wider than the prior
    if levels == 2:
        params["encoder"]["scale2"]["bias"] = jnp.full((1,), 1.6, jnp.float32)
        params["encoder"]["mean2"]["line"] *= 0.1
    z, log_ratios = networks.propose(params, jnp.zeros((1, 2), jnp.float32), jax.random.key(2), 20_000, sizes)
    assert z.shape == (20_000, 1, 1)
    ratios = np.exp(np.asarray(log_ratios)[:, 0])
    assert abs(ratios.mean() - 1) < 5 * ratios.std() / np.sqrt(ratios.size)
