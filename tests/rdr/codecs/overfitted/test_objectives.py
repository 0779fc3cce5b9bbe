"""What fits minimize."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted.objectives import FEATURES, objective, sigma_map
from rdr.losses.wasserstein_distortion.acuity import sigma_from_acuity
from rdr.vision.cvvdp import cvvdp

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(0.2, 0.8, (1, 40, 48, 3)), jnp.float32)


def test_squared_error_is_in_squared_levels():
    goal = objective("mse")
    value = goal.distance(goal.params, goal.prepare(goal.params, IMAGE, None), IMAGE + np.float32(2 / 255))
    np.testing.assert_allclose(value, [4.0], rtol=1e-4)


@pytest.mark.parametrize("features", [
    # What the others' maps are, `tests/rdr/features` hold; that a network's are an objective, the test below.
    name if name in ("pixels", "alexnet") else pytest.param(name, marks=pytest.mark.stress) for name in FEATURES])
def test_wasserstein_distortion_of_all_features_tells_images_apart(features, trained_weights):
    goal = objective("wd", features=features, scales=2, display="standard_phone")
    image = IMAGE if features != "vgg16" else jnp.tile(IMAGE, (1, 2, 2, 1))
    target = jax.jit(goal.prepare, static_argnums=2)(goal.params, image, 2.0)
    distance = jax.jit(goal.distance)
    assert float(distance(goal.params, target, image)[0]) < 1e-6
    other = jnp.roll(image, 1, 1) * np.float32(0.9)
    assert float(distance(goal.params, target, other)[0]) > 1e-3
    if features in ("pixels", "alexnet"):  # the others' gradients take long to compile, and are tested by themselves
        slope = jax.jit(jax.grad(lambda x: goal.distance(goal.params, target, x)[0]))(other)
        assert bool(jnp.isfinite(slope).all())


def test_a_larger_network_is_an_objective(trained_weights):
    goal, image = objective("wd", features="vgg16", scales=2), jax.ShapeDtypeStruct((1, 80, 96, 3), jnp.float32)
    target = jax.eval_shape(lambda params, x: goal.prepare(params, x, 2.0), goal.params, image)
    distance, slope = jax.eval_shape(jax.value_and_grad(lambda x, params, target: goal.distance(
        params, target, x)[0]), image, goal.params, target)
    assert distance.shape == () and slope.shape == image.shape and distance.dtype == slope.dtype == jnp.float32


def test_realism_ignores_where_things_are():
    goal = objective("wd", features="pixels")
    moved = jnp.roll(IMAGE, 16, 1)
    fidelity, realism = jax.jit(lambda image, other: [
        goal.distance(None, goal.prepare(None, image, sigma), other)[0] for sigma in (0.0, np.inf)])(IMAGE, moved)
    assert realism < 0.01 * fidelity


def test_mixed_objective_adds_squared_error():
    other = IMAGE + np.float32(0.1)
    goals = (objective("wd", features="pixels"), objective("wd_mse", features="pixels"),
             objective("wd_mse", features="pixels", squared_error_weight=30.0),
             objective("wd_mse", features="pixels", squared_error_weight=0.0))
    plain, mixed, more, none = jax.jit(lambda image, other: [
        goal.distance(None, goal.prepare(None, image, 1.0), other) for goal in goals])(IMAGE, other)
    np.testing.assert_allclose([mixed - plain, more - plain], [[0.1], [0.3]], rtol=1e-3)
    assert none == plain


def test_jod_is_inner_quality_on_the_display():
    """Oracle: `rdr.vision.cvvdp`; beyond [0, 1] values count as black or white, and descent brings them back.

    It does not see a factor of all light, and hardly the hues of areas, so some squared error is added.
    """
    image = np.random.default_rng(1).uniform(0.2, 0.8, (1, 8, 9, 1)).astype(np.float32)
    other = np.array(image[:, ::-1])
    other[0, 2, 3], other[0, 4, 5] = 1.2, -0.1
    goal = objective("jod", display="standard_phone")
    assert goal is objective("jod", display="standard_phone") and not goal.needs_sigma
    target = goal.prepare(goal.params, image, None)
    distance = jax.jit(jax.value_and_grad(lambda x: goal.distance(goal.params, target, x)[0]))
    value, slope = distance(other)
    shown = np.clip(other, 0, 1)  # three equal channels are the same: tests/rdr/vision/test_cvvdp.py
    seen = jax.jit(lambda x, y: cvvdp(x, y, display="standard_phone"))(shown, image)
    np.testing.assert_allclose(value, seen.inner[0] + 0.2 * np.mean((255 * (shown - image)) ** 2), rtol=1e-4)
    assert slope[0, 2, 3, 0] > 0 > slope[0, 4, 5, 0]
    value, slope = distance(image)
    assert value == 0 and np.isfinite(slope).all()


@pytest.mark.parametrize(("display", "words"), [
    (None, "display must be one of standard_4k"), ("tv", "display must be one of standard_4k"),
    ("standard_hdr_linear", "'standard_hdr_linear' takes cd/m"),
])
def test_displays_that_no_fit_has_are_named(display, words):
    for name in ("jod", "wd"):
        with pytest.raises(ValueError, match=words):
            objective(name, features="vdp", display=display)


def test_sigma_maps():
    assert sigma_map(3, IMAGE) == 3.0
    foveated = np.asarray(sigma_map("eccentricity", IMAGE, fixation=(0, 0)))
    assert foveated.shape == (40, 48) and foveated[0, 0] == 0 and foveated[39, 47] > 0
    closer = np.asarray(sigma_map("eccentricity", IMAGE, fixation=(0, 0), pixels_per_degree=20.0))
    assert (closer[foveated > 0] > foveated[foveated > 0]).all() and (closer >= foveated).all()
    resolved = np.asarray(sigma_map("acuity", IMAGE, fixation=(0, 0), pixels_per_degree=20.0))
    np.testing.assert_array_equal(resolved, sigma_from_acuity((40, 48), (0, 0), pixels_per_degree=20.0))
    middle = np.asarray(sigma_map("acuity", IMAGE))
    assert middle.argmin() in (19 * 48 + 23, 19 * 48 + 24, 20 * 48 + 23, 20 * 48 + 24)
    assert sigma_map("0.1deg", IMAGE, pixels_per_degree=60.0) == 6.0
    saliency = np.zeros((40, 48))
    saliency[:10] = 1
    looked_at = np.asarray(sigma_map("saliency", IMAGE, saliency=saliency))
    assert looked_at[0, 5, 0] < looked_at[0, 30, 0]
    np.testing.assert_array_equal(sigma_map(saliency, IMAGE), saliency)
    assert 0 <= float(jax.jit(lambda image: sigma_map("intrinsic", image))(IMAGE).max()) <= 6


@pytest.mark.parametrize(("sigma", "words"), [(-1, "sigma must be >= 0"), ("x", "sigma must be a number"),
                                              ("saliency", "saliency must be a map"),
                                              ("-1deg", "of degrees as in 0.1deg")])
def test_wrong_sigmas_are_named(sigma, words):
    with pytest.raises(ValueError, match=words):
        sigma_map(sigma, IMAGE)


@pytest.mark.parametrize("name", ["psnr", ""])
def test_wrong_objectives_are_named(name):
    with pytest.raises(ValueError, match="objective must be one of"):
        objective(name)


def test_features_may_be_a_function():
    """Oracle: at sigma = 0 the distortion is the squared error of the maps."""
    def twice(images):
        return {"twice": 2 * images}

    goal = objective("wd", features=twice)
    assert goal is objective("wd", features=twice) and goal.needs_sigma
    other = IMAGE + 0.1
    found = jax.jit(lambda image, other: goal.distance(goal.params, goal.prepare(goal.params, image, 0.0), other))(
        IMAGE, other)
    np.testing.assert_allclose(found, 4 * np.mean((other - IMAGE) ** 2), rtol=1e-5)


def test_wrong_features_are_named():
    with pytest.raises(ValueError, match="features must be one of"):
        objective("wd", features="none")
