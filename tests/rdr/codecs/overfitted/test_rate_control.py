"""Lambda follows rates, looks ahead, and has its limits."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted import rate_control
from rdr.codecs.overfitted.objectives import RD_LAMBDAS, Objective

RATE = 0.7


@pytest.fixture
def state():
    return rate_control.initial_rate_state(0.01)._replace(log_rate=jnp.float32(np.log(RATE)))


def steer(state, target_bpp, step=50):
    return rate_control.steer(state, jnp.int32(step), jnp.float32(RATE), jnp.float32(target_bpp))


def test_lambda_moves_towards_the_rate_after_a_while(state):
    moved = {}
    for target in (0.0, 1e-3, 50.0):
        assert steer(state, target, rate_control.WARMUP_STEPS - 1).log_lambda == state.log_lambda
        late = steer(state, target, rate_control.WARMUP_STEPS)
        moved[target] = float(late.log_lambda - state.log_lambda)
        np.testing.assert_allclose([late.log_rate, late.trend], [np.log(RATE), 0.0], atol=1e-6)
    assert moved[0.0] == 0 and moved[1e-3] < 0 < moved[50.0] <= rate_control.GAIN * 1.001
    still = steer(state, 2 * RATE)
    np.testing.assert_allclose(still.log_lambda - state.log_lambda, np.log(2.0) * rate_control.GAIN, rtol=1e-3)


def test_a_rate_that_rises_will_soon_be_too_high(state):
    rising = steer(state._replace(trend=jnp.float32(0.05)), 2 * RATE)
    assert np.log(2.0) - rate_control.HORIZON_STEPS * rate_control.TREND_DECAY * 0.05 < -1
    np.testing.assert_allclose(rising.log_lambda - state.log_lambda, -rate_control.GAIN, rtol=1e-3)


def test_lambda_has_a_limit(state):
    far = state._replace(log_lambda=state.log_lambda + jnp.float32(rate_control.MAX_LOG_LAMBDA_SHIFT))
    np.testing.assert_allclose(steer(far, 50.0).log_lambda, far.log_lambda)


def test_guesses_come_from_what_the_image_says():
    goal = Objective("mse", None, None, lambda scale, target, image: scale * jnp.square(target - image).mean((1, 2, 3)))

    def first(image, scale=1.0, target_bpp=0.2):
        image = jnp.asarray(image, jnp.float32)
        return rate_control.guess_lambda(goal, goal.distance, jnp.float32(scale), image[None], image, target_bpp)

    board = np.indices((16, 32)).sum(0)[:, :, None] % 2  # flat at a quarter of its resolution: both errors are 1/4
    np.testing.assert_allclose(first(board), 0.1 / 0.25, rtol=1e-4)
    np.testing.assert_allclose(first(board, scale=10.0), 0.01 / 0.25, rtol=1e-4)
    np.testing.assert_allclose(first(board, target_bpp=0.4), 2**1.7 * 0.1 / 0.25, rtol=1e-4)
    assert first(np.linspace(0, 1, 512).reshape(16, 32, 1)) > 10 * first(board)  # what is smooth costs little
    assert first(np.full((16, 32, 1), 0.3)) == RD_LAMBDAS["mse"]
    # Where there is next to nothing to see, the formula's .1 / 2.5e-7 is no guess: as far as the control goes at most.
    limit = RD_LAMBDAS["mse"] * np.exp(rate_control.MAX_LOG_LAMBDA_SHIFT)
    np.testing.assert_allclose(first(0.3 + 1e-3 * board), limit, rtol=1e-6)


def test_lambda_moves_towards_a_psnr_too(state):
    assert steer(state, RATE * 10 ** 0.1).log_lambda > state.log_lambda > steer(state, RATE * 10**-0.1).log_lambda
    higher = [rate_control.guess_lambda_for_psnr("mse", psnr) for psnr in (30.0, 40.0)]
    np.testing.assert_allclose(higher, [0.3 / 65.025, 3.0 / 65.025])
