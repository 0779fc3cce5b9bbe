"""Learning rates of both stages."""

import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted.schedule import Schedule, as_arrays, learning_rates, noisy_steps, progress

SCHEDULE = Schedule(steps=100, held_fraction=0.2, held_weight_rate=2e-3)


def test_rates_fall_and_latents_stop():
    steps = (0, 40, 79, 80, 90, 99)
    pairs = [learning_rates(jnp.int32(step), SCHEDULE) for step in steps]
    latents, weights = np.asarray(pairs).T
    np.testing.assert_allclose(latents, [1e-2, 5e-3, 5e-4, 0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(weights[[0, 1, 2, 3, 4]], [2e-2, 1e-2, 2e-3, 2e-3, 1e-3], rtol=1e-5)
    assert 0 < weights[5] < 2e-5


def test_stages_have_whole_steps():
    assert [float(noisy_steps(Schedule(steps=steps))) for steps in (1, 2, 20, 2000)] == [1, 1, 17, 1700]
    parts = [progress(jnp.int32(step), as_arrays(SCHEDULE)) for step in (0, 20, 80, 99)]
    np.testing.assert_allclose(parts, [0, 0.25, 1, 1])
