"""Fits: schedule, noise and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted import network, training
from rdr.codecs.overfitted.architecture import Architecture

SCHEDULE = training.Schedule(steps=100, rounded=0.2, rounded_rate=2e-3)


def test_learning_rate_falls_in_two_stages():
    rates = np.asarray([training.learning_rate(jnp.int32(step), SCHEDULE) for step in (0, 40, 79, 80, 99)])
    np.testing.assert_allclose(rates[[0, 1, 3]], [1e-2, 5e-3, 2e-3], rtol=1e-5)
    assert (np.diff(rates) <= 0).all() and rates[-1] < 1e-4


@pytest.mark.parametrize("step", [0, 50, 79])
def test_noisy_numbers_stay_near(step):
    grids = (jnp.linspace(-3, 3, 200).reshape(10, 20) / training.GRID_UNIT,)
    noisy = training.quantized(grids, jnp.int32(step), SCHEDULE, jax.random.key(1))[0]
    # Soft rounding moves by less than 1/2, twice, and noise by 1/2.
    assert jnp.abs(noisy - grids[0] * training.GRID_UNIT).max() < 1.5
    assert not (noisy == jnp.round(noisy)).all()


def test_last_stage_rounds_and_passes_gradients():
    grid = jnp.asarray([[0.4, 1.6, -2.2]], jnp.float32) / training.GRID_UNIT

    def rounded(grid):
        return training.quantized((grid,), jnp.int32(80), SCHEDULE, jax.random.key(1))[0]

    np.testing.assert_allclose(rounded(grid), [[0, 2, -2]], atol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda x: rounded(x).sum())(grid), np.full((1, 3), training.GRID_UNIT))


def test_gradient_of_the_rate_is_that_of_finite_differences():
    arch = Architecture(4, 4, levels=2, entropy_width=4)
    weights = network.initial_weights(arch, jax.random.key(0))
    weights = {name: np.asarray(w, np.float64) for name, w in weights.items()}
    rng = np.random.default_rng(0)
    grids = [rng.standard_normal(shape) for shape in arch.grids]
    with jax.enable_x64(True):
        gradient = jax.grad(lambda g: network.bits(weights, g).sum())([jnp.asarray(grid) for grid in grids])
        for i, j in ((0, 0), (1, 2), (3, 3)):
            step = np.zeros((4, 4))
            step[i, j] = 1e-5
            up, down = (network.bits(weights, [grids[0] + s * step, grids[1]]).sum() for s in (1, -1))
            np.testing.assert_allclose(gradient[0][i, j], (up - down) / 2e-5, rtol=1e-4, atol=1e-5)
