"""Rate and realism inputs: their formulas at levels, between and beyond them."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.image.gain_units import gain_at, init_gains, interpolate

TABLE = np.log(np.array([[1.0, 2.0], [4.0, 2.0], [16.0, 8.0]], np.float32))


def test_gains_are_geometric_between_levels_and_clipped_beyond():
    found = gain_at(TABLE, jnp.array([0.0, 0.5, 1.0, 1.5, 2.0, 7.0, -1.0]))[:, 0, 0]
    want = [[1, 2], [2, 2], [4, 2], [8, 4], [16, 8], [16, 8], [1, 2]]
    np.testing.assert_allclose(found, want, rtol=1e-6)


def test_every_level_learns_from_levels_between():
    gradient = jax.grad(lambda table: jnp.sum(gain_at(table, jnp.array([1.25]))))(jnp.asarray(TABLE))
    assert (np.abs(gradient[1:]) > 0).all() and (np.asarray(gradient[0]) == 0).all()


def test_initial_gains_cancel_and_have_the_ratio_and_mean_asked_for():
    gains = init_gains(5, 3, ratio=9.0, mean=2.0)
    np.testing.assert_array_equal(gains["log_gain"], -gains["log_inverse"])
    np.testing.assert_allclose(np.exp(gains["log_gain"][-1] - gains["log_gain"][0]), 9.0, rtol=1e-5)
    np.testing.assert_allclose(np.exp(np.mean(gains["log_gain"])), 2.0, rtol=1e-5)


def test_interpolation_is_exact_at_both_ends():
    base, delta = {"a": jnp.array([1.0, -2.0])}, {"a": jnp.array([0.5, 1.0])}
    np.testing.assert_array_equal(interpolate(base, delta, 0.0)["a"], base["a"])
    np.testing.assert_array_equal(interpolate(base, delta, 1.0)["a"], [1.5, -1.0])
