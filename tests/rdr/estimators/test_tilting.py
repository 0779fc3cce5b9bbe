import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from rdr.estimators import tilting


def test_a_curve_is_the_divergence_of_each_row_from_the_weights_whatever_the_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)).astype(np.float32), rng.normal(size=(2, 5, 3)).astype(np.float32)
    w, s = rng.dirichlet(np.ones(5), size=2).astype(np.float32), np.asarray([0.5, 3.0], np.float32)
    monkeypatch.setattr(tilting, "BLOCK_NUMBERS", 15)  # blocks of three, the last one not full
    rates, distortions = tilting.tilt_curve(y, w, s, x)
    cost = ((x[:, None] - y[:, None]) ** 2).sum(-1)
    log_q = np.log(w)[:, None] - s[:, None, None] * cost
    log_q -= logsumexp(log_q, axis=-1, keepdims=True)
    q = np.exp(log_q)
    np.testing.assert_allclose(rates, (q * (log_q - np.log(w)[:, None])).sum(-1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(distortions, (q * cost).sum(-1), rtol=1e-5)


def test_narrow_clusters_far_apart_are_not_described_without_an_error():
    x = np.asarray([[-1e3], [-1e3 + 0.01], [1e3 - 0.02], [1e3 + 0.01]], np.float32)
    y = np.asarray([[[-1e3], [1e3]]], np.float32)
    rates, distortions = tilting.tilt_curve(y, np.full((1, 2), 0.5, np.float32), np.full(1, 1e4, np.float32), x)
    least = np.square(x[:, 0].astype(np.float64) - y[0, [0, 0, 1, 1], 0])
    np.testing.assert_allclose(distortions[0], least, rtol=1e-4)
    np.testing.assert_allclose(rates[0], np.log(2), rtol=1e-6)


def test_the_rate_of_samples_far_from_all_points_is_no_difference_of_large_numbers():
    weights = jnp.asarray([0.25, 0.75])
    rates, distortions = tilting.tilt(jnp.asarray([[100.0]]), jnp.asarray([[0.0], [0.1]]), jnp.log(weights),
                                      jnp.float32(1e6), tilting.squared_differences)
    np.testing.assert_allclose([rates[0], distortions[0]], [np.log(4 / 3), 99.9**2], rtol=1e-6)


def test_points_without_weight_are_not_used():
    rates, distortions = tilting.tilt(jnp.zeros((1, 1)), jnp.asarray([[0.0], [1.0]]), jnp.log(jnp.asarray([0.0, 1.0])),
                                      jnp.float32(2.0), tilting.squared_error)
    np.testing.assert_allclose([rates[0], distortions[0]], [0.0, 1.0], atol=1e-6)


def test_blocks_are_filled_and_counted():
    blocks, counted = tilting.in_blocks(jnp.arange(5.0), 2)
    np.testing.assert_array_equal(blocks, [[0, 1], [2, 3], [4, 0]])
    np.testing.assert_array_equal(counted, [[1, 1], [1, 1], [1, 0]])
    assert tilting.block_rows(2**22, 100) == 1 and tilting.block_rows(1, 100) == 100
