"""Fits: schedule, noise and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted import network, rate_control, training
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.objectives import objective
from rdr.codecs.overfitted.schedule import Schedule, as_arrays

SCHEDULE = Schedule(steps=100, held_fraction=0.2)


@pytest.mark.parametrize("step", [0, 50, 79])
def test_noisy_numbers_stay_near(step):
    latents = (jnp.linspace(-3, 3, 200).reshape(10, 20) / training.LATENT_UNIT,)
    noisy = training.quantized(latents, jnp.int32(step), SCHEDULE, jax.random.key(1))[0]
    # Soft rounding moves by less than 1/2, twice; noise of 0.22 hardly ever by more than 1.
    assert jnp.abs(noisy - latents[0] * training.LATENT_UNIT).max() < 2
    assert not (noisy == jnp.round(noisy)).all()


def test_last_stage_rounds_and_passes_no_gradient():
    latent = jnp.asarray([[0.4, 1.6, -2.2]], jnp.float32) / training.LATENT_UNIT

    def rounded(latent):
        return training.quantized((latent,), jnp.int32(80), SCHEDULE, jax.random.key(1))[0]

    np.testing.assert_allclose(rounded(latent), [[0, 2, -2]], atol=1e-6)
    np.testing.assert_array_equal(jax.grad(lambda x: rounded(x).sum())(latent), np.zeros((1, 3)))


def test_gradient_of_the_rate_is_that_of_finite_differences():
    arch = Architecture(4, 4, levels=2, entropy_width=4)
    weights = network.initial_weights(arch, jax.random.key(0))
    weights = {name: np.asarray(w, np.float64) for name, w in weights.items()}
    rng = np.random.default_rng(0)
    latents = [rng.standard_normal(shape) for shape in arch.latent_shapes]
    with jax.enable_x64(True):
        bits = jax.jit(lambda g: network.bits(weights, g).sum())
        gradient = jax.jit(jax.grad(bits))([jnp.asarray(latent) for latent in latents])
        for i, j in ((0, 0), (1, 2), (3, 3)):
            step = np.zeros((4, 4))
            step[i, j] = 1e-5
            up, down = (bits([jnp.asarray(latents[0] + s * step), jnp.asarray(latents[1])]) for s in (1, -1))
            np.testing.assert_allclose(gradient[0][i, j], (up - down) / 2e-5, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def fit():
    """A small fit: its sizes, first state, step, and what the step sees."""
    arch = Architecture(6, 5, levels=2)
    weights = {name: jnp.asarray(w) for name, w in network.initial_weights(arch, jax.random.key(0)).items()}
    image = jnp.asarray(np.random.default_rng(0).uniform(size=(6, 5, 3)), jnp.float32)
    update = jax.jit(training.make_update(arch, objective("mse").distance, jax.random.key(1)))
    data = training.Data(image[None], jnp.float32(0), (), image, as_arrays(SCHEDULE))
    return arch, training.initial_state(arch, weights, 0.01), update, data


def test_rates_of_rounded_latents_are_reported_where_a_rate_is_given(fit):
    """Fault 21: the bar said the bits of latents alone, half of a small file's."""
    arch, state, update, data = fit
    empty = [jnp.zeros(shape, jnp.float32) for shape in arch.latent_shapes]
    rate = float(jax.jit(network.bits)(state.weights, empty).sum() / 30)
    state = state._replace(rate=state.rate._replace(log_rate=jnp.float32(np.log(rate))))
    late, metrics = update(state, jnp.int32(rate_control.WARMUP_STEPS), data._replace(target_bpp=jnp.float32(50.0)))
    weights = sum(w.size * np.log2(1 + 2 * np.e * np.abs(w).mean() * 2.0 ** (6 if name[0] in "pr" else 5))
                  for name, w in state.weights.items())
    assert 30 * rate < weights  # nothing is pretrained for five rows of pixels at two levels
    np.testing.assert_allclose(metrics["bpp"], rate + weights / 30, rtol=1e-4)
    assert late.rate.log_lambda > state.rate.log_lambda
    late, _ = update(state, jnp.int32(rate_control.WARMUP_STEPS), data)
    assert late.rate.log_lambda == state.rate.log_lambda


def test_weights_rest_while_latents_are_corrected(fit):
    _, state, update, data = fit
    schedule = as_arrays(SCHEDULE._replace(weight_rate=0.0, held_weight_rate=0.0))
    late, _ = update(state, jnp.int32(0), data._replace(schedule=schedule))
    for name, w in state.weights.items():
        np.testing.assert_array_equal(late.weights[name], w)
    assert any((new != old).any() for new, old in zip(late.latents, state.latents))


def test_latents_are_held_in_the_last_stage_and_weights_go_on(fit):
    _, state, update, data = fit
    late, _ = update(state, jnp.int32(90), data)
    for new, old in zip(late.latents, state.latents):
        np.testing.assert_array_equal(new, old)
    assert any((late.weights[name] != w).any() for name, w in state.weights.items())
