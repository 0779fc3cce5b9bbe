"""The start at principal components: what comes out of it before any training, and its steps."""

import jax
import numpy as np
import pytest

from rdr.codecs.image import make_codec
from rdr.codecs.image.pca_init import principal_start, step_gain
from rdr.transforms.image import Analysis, Synthesis

NAME, CHANNELS, LATENTS = "bmshj2018-factorized", 24, 40


def fresh(codec):
    """Parameters as `init` draws them, without compiling it."""
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        if "kernel" in name:
            return (rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:3]))).astype(np.float32)
        if "root_gamma" in name:
            return np.sqrt(0.1 * np.eye(*leaf.shape)).astype(np.float32)
        return np.full(leaf.shape, float("root_beta" in name), np.float32)

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(codec.init, jax.random.key(0)))


def smooth_images(count, *, side=32):
    """Slow waves around gray, in colors that vary together."""
    rng = np.random.default_rng(3)
    row, column = np.mgrid[:side, :side] / side
    images = []
    for _ in range(count):
        waves = sum(np.cos(2 * np.pi * (rng.uniform(-1, 1) * row + rng.uniform(-1, 1) * column + rng.random()))
                    for _ in range(3))
        images.append(0.5 + 0.1 * waves[..., None] * (1.0 + 0.2 * rng.random(3)))
    return np.round(255 * np.stack(images)).astype(np.uint8)


def transformed(params, x):
    y = Analysis(CHANNELS, LATENTS).apply({"params": params["analysis"]}, x)
    return y, Synthesis(CHANNELS).apply({"params": params["synthesis"]}, y)


def test_images_like_those_it_saw_come_through_the_transforms_before_any_training():
    codec = make_codec(NAME, channels=CHANNELS, latents=LATENTS)
    random = fresh(codec)
    through = jax.jit(transformed)
    images = smooth_images(12)
    x = images.astype(np.float32)[:2] / 255

    weights = (0.01, 0.01)
    latents, found = through(principal_start(random, images, weights=weights, noise=0.0), x)
    error = np.mean(np.square(np.asarray(found) - x))
    assert error < 0.02 * np.var(x)  # all but a fiftieth of the power; what is lost is in components that were left out
    # With a little noise most of that stays; the random start gives nothing of it.
    noisy = np.mean(np.square(np.asarray(through(principal_start(random, images, weights=weights), x)[1]) - x))
    assert error < noisy < 0.2 * np.var(x)
    assert np.mean(np.square(np.asarray(through(random, x)[1]) - x)) > np.var(x)
    # The latents' unit is the step: gray is 0, and white would be half a gain in the first component.
    assert 0.05 * step_gain(0.01) < np.abs(latents).max() < step_gain(0.01)


def test_gains_are_the_best_steps_of_each_level():
    codec = make_codec(NAME, channels=CHANNELS, latents=LATENTS, rate_levels=3)
    gains = principal_start(fresh(codec), smooth_images(4), weights=(0.001, 0.016))["gains"]
    want = np.log([[step_gain(0.001)], [step_gain(0.004)], [step_gain(0.016)]])
    np.testing.assert_allclose(gains["log_gain"], np.broadcast_to(want, (3, LATENTS)), rtol=1e-6)
    np.testing.assert_array_equal(gains["log_inverse"], -gains["log_gain"])


@pytest.mark.parametrize("weight", [0.001, 0.05])
def test_the_step_minimizes_rate_and_weighted_error_of_a_fine_quantizer(weight):
    """768 coefficients of a 16 x 16 block in three colors, each with the entropy of a fine quantizer."""
    gain = np.linspace(0.5, 2.0, 3001) * step_gain(weight)
    step = 16.0 / gain
    bits_per_pixel = 768 * -np.log2(step) / 256
    loss = bits_per_pixel + weight * 255.0**2 * step**2 / 12
    assert gain[np.argmin(loss)] == pytest.approx(step_gain(weight), rel=1e-3)


def test_it_is_the_same_every_time_and_bad_images_are_refused():
    codec = make_codec(NAME, channels=CHANNELS, latents=LATENTS)
    random = fresh(codec)
    first, second = (principal_start(random, smooth_images(4), weights=(0.01, 0.01)) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert jax.tree.map(np.shape, first) == jax.tree.map(np.shape, random)
    for images in (np.zeros((2, 24, 32, 3), np.uint8), np.zeros((2, 32, 32, 3), np.float32)):
        with pytest.raises(ValueError, match="images must be uint8"):
            principal_start(random, images, weights=(0.01, 0.01))
