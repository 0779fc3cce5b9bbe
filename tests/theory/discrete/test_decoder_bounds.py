"""What is said of a decoder and of a dual point, against the definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from theory.discrete import decoder_bounds
from theory.discrete.perception.problem import Options

P, W = np.array([0.5, 0.3, 0.2]), np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])
D = (np.arange(3.0)[:, None] - np.arange(3.0)) ** 2
OPTIONS = Options("tv", False, False, False, 10)
TASK = decoder_bounds.Task(*(jnp.asarray(x) for x in (P, W, D)), jnp.asarray(0.1), (), jnp.asarray(1e-8))
ROWS = P @ W
COST = (P[:, None] * W).T @ D / ROWS[:, None]


def test_decoders_are_mixed_and_measured():
    decoder = np.array([[1.0, 0.0, 0.0], [0.1, 0.6, 0.3]])

    @jax.jit
    def judged(decoder, critic, t):
        scaled = decoder_bounds.scaled_task(TASK, OPTIONS)
        empty = jnp.zeros((0, 0))
        found = decoder_bounds.mixable(scaled, decoder, empty, empty)
        mixed, plan = decoder_bounds.mixed(found, jnp.asarray(P)[None])
        lower = decoder_bounds.proved(scaled, critic, t)
        return scaled.scale, found.share, decoder_bounds.report(
            TASK, scaled, mixed, plan, False, critic, t, lower, jnp.asarray(0))

    critic, t = np.array([0.9, 0.9, -1.0]), 1.9
    scale, share, result = jax.tree.map(np.asarray, judged(decoder, critic, t))
    mixed = (1 - share) * decoder + share * P
    q = ROWS @ mixed
    assert share > 0
    np.testing.assert_allclose(0.5 * np.abs(q - P).sum(), 0.1, atol=1e-8)
    np.testing.assert_allclose(result.distortion, (ROWS[:, None] * mixed * COST).sum(), rtol=1e-12)
    h, price = critic * scale, t * scale
    proved = ROWS @ (COST + h).min(1) - price * 0.1 - P @ np.maximum(h, h.max() - price)
    np.testing.assert_allclose(result.distortion_lower, proved, atol=1e-12)
    assert 0.69 + 0.09 < result.distortion_lower < result.distortion and not result.converged
