"""What codecs are trained on, with a codec whose outputs are known."""

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.base import Codec
from rdr.codecs.image import objective


def known_codec(seen):
    """Reconstructs x + offset at 2 bits a pixel, and remembers what it was given."""
    def forward(params, x, *, key, rate=None, realism=None, dtype=None):
        seen.append((key, rate, realism))
        offset = params["offset"] + (0.0 if realism is None else realism * params["realism"])
        return x + offset, jnp.full((x.shape[0],), 2.0 * x.shape[1] * x.shape[2], jnp.float32)

    return Codec("known", None, forward, None, None, None, None)


BATCH = jnp.full((4, 8, 8, 3), 100, jnp.uint8)


def test_weights_are_geometric_in_the_level():
    weight = objective.weight_at(jnp.array([0.0, 1.0, 2.0]), levels=3, weights=(0.01, 0.04))
    np.testing.assert_allclose(weight, [0.01, 0.02, 0.04], rtol=1e-6)


def test_the_loss_is_rate_plus_weighted_squared_error():
    loss = objective.rate_distortion_loss(known_codec([]), rate_levels=0, weights=(0.01, 0.5))
    value, metrics = loss({"offset": jnp.float32(0.1)}, BATCH, jax.random.key(0), 0)
    np.testing.assert_allclose(value, 2.0 + 0.01 * 255**2 * 0.01, rtol=1e-5)
    np.testing.assert_allclose(metrics["bits_per_pixel"], 2.0)
    np.testing.assert_allclose(metrics["mse"], 0.01, rtol=1e-5)


def test_levels_are_one_in_each_quarter_and_differ_from_step_to_step():
    seen = []
    loss = objective.rate_distortion_loss(known_codec(seen), rate_levels=5, weights=(0.01, 0.04))
    for step in range(3):
        loss({"offset": jnp.float32(0.1)}, BATCH, jax.random.key(step), step)
    rates = np.array([rate for _, rate, _ in seen])
    np.testing.assert_array_equal(np.floor(rates), np.tile(np.arange(4.0), (3, 1)))
    assert len(np.unique(rates)) == 12


def test_the_realism_loss_weighs_texture_by_the_realism_weight_and_uses_rounded_latents():
    seen = []
    loss = objective.realism_loss(known_codec(seen), {"offset": jnp.float32(0.1)}, rate_levels=0, weights=(0.01, 0.01),
                                  perceptual_weight=0.0, texture_weight=0.5)
    value, metrics = loss({"realism": jnp.float32(0.2)}, BATCH, jax.random.key(0), 0)
    key, _, beta = seen[0]
    assert key is None and 0.0 < float(beta) < 1.0
    error = (0.1 + 0.2 * float(beta)) ** 2  # of the flat image; its Wasserstein distortion is the same
    np.testing.assert_allclose(metrics["mse"], error, rtol=1e-4)
    np.testing.assert_allclose(metrics["texture"], error, rtol=1e-3)
    np.testing.assert_allclose(value, 0.01 * 255**2 * error * (1.0 + 0.5 * float(beta)), rtol=1e-3)
