"""Fits of reproduction measures: never worse, exact where the answer is known."""

import jax.numpy as jnp
import numpy as np

from theory.estimation.mixture import Reproduction, fit_reproduction, log_partition


def test_a_fit_lowers_the_objective_and_its_distortion_is_that_of_its_channel():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(80, 2)))
    slopes = jnp.asarray([0.2, 3.0])
    values = []
    for iterations in (1, 30):
        found, distortion = fit_reproduction(x, x[:8], slopes, iterations=iterations)
        one = Reproduction(found.atoms[1], found.log_weights[1])
        values.append(float(log_partition(x, one, 3.0).mean()))
    assert values[1] > values[0] + 0.01
    distances = ((np.asarray(x)[:, None] - np.asarray(one.atoms)) ** 2).sum(-1)
    joint = np.exp(np.asarray(one.log_weights) - 3.0 * distances)
    z = joint.sum(1, keepdims=True)
    np.testing.assert_allclose(log_partition(x, one, 3.0), np.log(z[:, 0]), rtol=1e-10)
    np.testing.assert_allclose(distortion[1], (joint / z * distances).sum(1).mean(), rtol=1e-10)
    # Below the critical slope 1 / (2 lambda) all atoms come together at the mean.
    assert float(jnp.abs(found.atoms[0] - x.mean(0, keepdims=True)).max()) < 0.1
    np.testing.assert_allclose(np.exp(found.log_weights).sum(-1), 1.0, rtol=1e-12)
