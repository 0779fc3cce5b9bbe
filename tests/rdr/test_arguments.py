"""Arguments of losses: types, shapes, and values that cannot be meant."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import arguments
from rdr.features import color, vgg, weights
from rdr.losses import color_difference, dists, lpips, nlpd, ssim
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.metrics.contrast_sensitivity import contrast_sensitivity_error


@pytest.mark.parametrize(
    "given, working",
    [("bfloat16", "float32"), ("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_arrays_are_worked_on_in_at_least_float32(given, working):
    (got,) = arguments.working_arrays(x=jnp.ones(3, given))
    assert got.dtype == working
    x, y = arguments.working_arrays(x=jnp.ones(3, given), y=jnp.ones(3, jnp.float32))
    assert x.dtype == y.dtype == working


def test_what_is_no_image_is_refused_by_name():
    with pytest.raises(ValueError, match="photo must hold floating-point numbers .* got uint8"):
        arguments.image_batch(np.zeros((1, 2, 2, 3), np.uint8), name="photo")
    with pytest.raises(ValueError, match=r"images must have shape \[batch, .* got \(2, 2, 3\)"):
        arguments.image_batch(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match="images must have 3 channels"):
        arguments.image_batch(np.zeros((1, 2, 2, 1)), channels=3)
    with pytest.raises(ValueError, match="images must have shape"):
        arguments.image_batch(np.zeros((1, 0, 2, 1)))
    with pytest.raises(ValueError, match=r"reference must have the shape of images, \(1, 2, 2, 1\)"):
        arguments.image_pair(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 3, 1)))
    # No image at all is a batch like any other.
    assert arguments.image_batch(np.zeros((0, 2, 2, 1))).shape == (0, 2, 2, 1)


def test_numbers_are_samples_of_one_dimension():
    x, y = arguments.sample_pair(np.zeros(4), np.zeros(5))
    assert x.shape == (4, 1) and y.shape == (5, 1)


@pytest.fixture(scope="module")
def one():
    return weights.random_params("vgg16", jax.random.key(0))


@pytest.mark.parametrize("loss", ["lpips", "dists", "ssim", "ms_ssim", "ciede2000", "csf", "vgg16", "color"])
def test_images_from_0_to_255_are_refused(loss, one):
    """Fault 24: float images in 0..255 passed in silence."""
    x = np.full((1, 176, 176, 3), 0.5, np.float32)
    y = x.copy()
    y[0, :88] = 200.0
    call = {
        "lpips": lambda x, y: lpips.lpips(lpips.LPIPSParams(one, ()), x, y, network="vgg16"),
        "dists": lambda x, y: dists.dists(dists.with_published_weights(one), x, y),
        "ssim": ssim.ssim, "ms_ssim": ssim.ms_ssim, "ciede2000": color_difference.color_difference,
        "csf": contrast_sensitivity_error, "vgg16": lambda x, y: vgg.features(one, y),
        "color": lambda x, y: color.features(None, y),
    }[loss]  # fmt: skip
    with pytest.raises(ValueError, match="RDR_CHECKS=0"):
        call(x, y)
    if loss != "vgg16":
        with pytest.raises(ValueError, match="RDR_CHECKS=0"):
            call(y, y)


def test_checks_of_values_are_for_concrete_ones_and_can_be_switched_off(monkeypatch):
    """Fault 24: what is wrong inside a trace cannot be seen; overshoot of a codec is none of it."""
    arguments.check_unit_range(jnp.array([-0.5, 1.5]), name="x")
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got values from 0 to 255"):
        arguments.check_unit_range(jnp.array([0.0, 255.0]), name="x")
    jax.jit(lambda x: arguments.check_unit_range(x, name="x") or x)(jnp.array([0.0, 255.0]))
    planes = jnp.zeros((2, 3, 40, 50))
    with pytest.raises(ValueError, match=r"x must have channels last, .*\(2, 3, 40, 50\)"):
        arguments.check_channels_last(planes, name="x")
    with pytest.raises(ValueError, match="reference must have channels last"):
        wasserstein_distortion(planes, planes, 1.0)
    with pytest.raises(ValueError, match="images must have channels last"):
        nlpd.nlpd(planes, planes)
    arguments.check_channels_last(jnp.zeros((1, 3, 3, 512)), name="x")  # a deep map of a small image
    monkeypatch.setenv("RDR_CHECKS", "0")
    arguments.check_unit_range(jnp.array([0.0, 255.0]), name="x")
    arguments.check_channels_last(planes, name="x")
