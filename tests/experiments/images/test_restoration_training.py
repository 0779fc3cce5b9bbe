"""Networks of restoration: crops, what they are before training, and objectives at outputs that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.images import restoration_training as training
from rdr.transforms.unet import UNet

SETTINGS = training.Settings(channels=2, batch=4, crop=8, learning_rate=1e-3, noises=(0.35,), flow_noise=(0.0, 0.0),
                             sigmas=(1.0, 4.0), features="laplacian_pyramid", seed=0)


def untrained(name):
    """A network that is 0, as before the first step."""
    channels, conditions, _ = training.SHAPES[name]
    shapes = jax.eval_shape(UNet(2).init, jax.random.key(0), jnp.zeros((1, 8, 8, channels)), jnp.zeros((1, conditions)))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), shapes["params"])


def test_crops_are_parts_of_patches_some_mirrored_and_start_anywhere():
    patches = np.arange(3 * 12 * 12, dtype=np.uint16).reshape(3, 12, 12, 1).astype(np.uint8)
    stream = training.crops(patches, batch=16, side=5, seed=3, start=0)
    first, second = next(stream), next(stream)
    np.testing.assert_array_equal(second, next(training.crops(patches, batch=16, side=5, seed=3, start=1)))
    parts = {patches[k, i : i + 5, j : j + 5].tobytes() for k in range(3) for i in range(8) for j in range(8)}
    mirrored = {np.frombuffer(part, np.uint8).reshape(5, 5)[:, ::-1].tobytes() for part in parts}
    drawn = [crop.tobytes() for crop in np.concatenate((first, second))]
    assert all(crop in parts | mirrored for crop in drawn)
    assert any(crop in mirrored - parts for crop in drawn) and any(crop in parts - mirrored for crop in drawn)


@pytest.mark.stress
def test_before_training_denoising_is_wiener_s_and_enlarging_is_linear():
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1), jnp.float32)
    noise = jnp.asarray([0.1, 0.35], jnp.float32)
    out = training.denoise(2, untrained("denoiser"), x, noise)
    gain = 0.25**2 / (0.25**2 + np.square([0.1, 0.35]))
    np.testing.assert_allclose(out, x * gain[:, None, None, None], rtol=1e-5)
    mean = 0.5 * x
    out = training.denoise(2, untrained("upscaler_denoiser"), x, noise, mean)
    gain = 0.08**2 / (0.08**2 + np.square([0.1, 0.35]))
    np.testing.assert_allclose(out, mean + (x - mean) * gain[:, None, None, None], rtol=1e-5)
    small = training.shrink(x)
    np.testing.assert_allclose(small[1, 0, 1, 0], x[1, :4, 4:].mean(), rtol=1e-5)
    np.testing.assert_allclose(training.upscale(2, untrained("upscaler"), small), training.enlarge(small), atol=1e-6)
    np.testing.assert_allclose(training.enlarge(jnp.full((1, 2, 2, 1), 0.3, jnp.float32)), 0.3, rtol=1e-6)


@pytest.mark.stress
def test_a_denoiser_is_scaled_so_that_its_target_is_of_order_1():
    """At every noise the network's best output, (x_0 - kept x) / scale, has variance 1 if pixels have deviation 1/4."""
    rng = np.random.default_rng(0)
    x = 0.25 * rng.normal(size=100_000)
    for s in (0.01, 0.1, 0.35):
        seen = x + s * rng.normal(size=x.shape)
        kept, scale = 0.25**2 / (0.25**2 + s**2), 0.25 * s / np.hypot(0.25, s)
        ones = training.denoise(2, untrained("denoiser"), jnp.ones((1, 4, 4, 1)), jnp.asarray([s], jnp.float32))
        np.testing.assert_allclose(ones, kept, rtol=1e-5)
        assert np.std((x - kept * seen) / scale) == pytest.approx(1.0, abs=0.02)


@pytest.mark.stress
def test_objectives_at_networks_that_are_0():
    """A flow of velocity 0 is off by the estimate's error; the upscaler by interpolation's; a denoiser by Wiener's."""
    x = 0.25 * jax.random.normal(jax.random.key(1), (64, 8, 8, 1), jnp.float32)
    others = {"denoiser": untrained("denoiser"), "upscaler": untrained("upscaler")}
    kept = 0.25**2 / (0.25**2 + 0.35**2)
    found = training.loss_of("denoiser_flow", SETTINGS)(untrained("denoiser_flow"), others, x, jax.random.key(2))
    assert found == pytest.approx(kept * 0.35**2 / 0.08**2, rel=0.05)
    found = training.loss_of("upscaler", SETTINGS)(untrained("upscaler"), {}, x, jax.random.key(2))
    expected = np.mean(np.square(training.enlarge(training.shrink(x)) - x)) / 0.08**2
    assert found == pytest.approx(expected, rel=1e-4)
    found = training.loss_of("denoiser", SETTINGS)(untrained("denoiser"), {}, x, jax.random.key(2))
    assert found == pytest.approx(1.0, rel=0.1)


@pytest.mark.stress
def test_wasserstein_distortion_of_an_output_that_is_the_estimate():
    x = 0.2 * jax.random.normal(jax.random.key(1), (4, 16, 16, 1), jnp.float32)
    others = {"upscaler": untrained("upscaler")}
    loss = training.loss_of("upscaler_wasserstein", SETTINGS)
    assert loss(untrained("upscaler_wasserstein"), others, x, jax.random.key(2)) > 0
    flat = jnp.zeros_like(x)
    assert loss(untrained("upscaler_wasserstein"), others, flat, jax.random.key(2)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.stress
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path):
    patches = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1)).astype(np.uint8)
    whole = training.train("upscaler", SETTINGS, patches, {}, steps=6, directory=tmp_path / "whole")
    again = training.train("upscaler", SETTINGS, patches, {}, steps=6, directory=tmp_path / "whole")
    jax.tree.map(np.testing.assert_array_equal, whole, again)
    assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(whole)) > 0
