"""Fits: schedule, noise and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted import network, training
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.objectives import objective

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
        bits = jax.jit(lambda g: network.bits(weights, g).sum())
        gradient = jax.jit(jax.grad(bits))([jnp.asarray(grid) for grid in grids])
        for i, j in ((0, 0), (1, 2), (3, 3)):
            step = np.zeros((4, 4))
            step[i, j] = 1e-5
            up, down = (bits([jnp.asarray(grids[0] + s * step), jnp.asarray(grids[1])]) for s in (1, -1))
            np.testing.assert_allclose(gradient[0][i, j], (up - down) / 2e-5, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def fit():
    """A small fit: its sizes, first state, step, and what the step sees."""
    arch = Architecture(6, 5, levels=2)
    weights = {name: jnp.asarray(w) for name, w in network.initial_weights(arch, jax.random.key(0)).items()}
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(6, 5, 3)), jnp.float32)
    update = jax.jit(training.make_update(arch, objective("mse").distance, jax.random.key(1)))
    data = training.Data(image[None], jnp.float32(0), (), image, training.as_arrays(SCHEDULE))
    return arch, training.initial_state(arch, weights, 0.01), update, data


def test_lambda_moves_towards_the_wanted_rate_and_not_without_end(fit):
    arch, state, update, data = fit
    empty = [jnp.zeros(shape, jnp.float32) for shape in arch.grids]
    rate = float(network.bits(state.weights, empty).sum() / 30)  # of the rounded grids, which are empty here
    state, moved = state._replace(log_rate=jnp.float32(np.log(rate))), {}
    for wanted in (0.0, 1e-3, 50.0):
        data = data._replace(wanted=jnp.float32(wanted))
        early, _ = update(state, jnp.int32(training.SETTLING - 1), data)
        assert early.log_rd_lambda == state.log_rd_lambda
        late, metrics = update(state, jnp.int32(training.SETTLING), data)
        moved[wanted] = float(late.log_rd_lambda - state.log_rd_lambda)
        if wanted:
            np.testing.assert_allclose(metrics["bpp"], rate, rtol=1e-4)
            np.testing.assert_allclose([late.log_rate, late.trend], [np.log(rate), 0.0], atol=1e-4)
    assert moved[0.0] == 0 and moved[1e-3] < 0 < moved[50.0] <= training.STEERING * 1.001
    # A rate that is too low but rises by a twentieth in each step will soon be too high.
    data = data._replace(wanted=jnp.float32(2 * rate))
    rising, _ = update(state._replace(trend=jnp.float32(0.05)), jnp.int32(50), data)
    off = np.log(2.0) - training.FORESIGHT * training.LATELY * 0.05
    assert off < -1
    np.testing.assert_allclose(rising.log_rd_lambda - state.log_rd_lambda, -training.STEERING, rtol=1e-3)
    still, _ = update(state, jnp.int32(50), data)
    np.testing.assert_allclose(still.log_rd_lambda - state.log_rd_lambda, np.log(2.0) * training.STEERING, rtol=1e-3)
    data = data._replace(wanted=jnp.float32(50.0))
    far = state._replace(log_rd_lambda=state.log_rd_lambda + jnp.float32(training.REACH))
    late, _ = update(far, jnp.int32(50), data)
    np.testing.assert_allclose(late.log_rd_lambda, far.log_rd_lambda)


def test_weights_rest_while_grids_are_corrected(fit):
    _, state, update, data = fit
    schedule = training.as_arrays(SCHEDULE._replace(weights=0.0))
    late, _ = update(state, jnp.int32(0), data._replace(schedule=schedule))
    for name, w in state.weights.items():
        np.testing.assert_array_equal(late.weights[name], w)
    assert any((new != old).any() for new, old in zip(late.grids, state.grids))
