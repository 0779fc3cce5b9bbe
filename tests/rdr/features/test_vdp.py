"""ColorVideoVDP's bands as features: values by a slow route in double precision, and derivatives."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

import rdr.features
import rdr.losses
from rdr.features import vdp
from rdr.losses.wasserstein_distortion import wasserstein_distortion
from rdr.vision import cvvdp_model, get_display, make_display, show

DISPLAY = make_display("far", peak=300, contrast=900, ambient=100, resolution=(80, 60), pixels_per_degree=30.0)
TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
# Typed off the package: gains of channels before masking.
GAINS = (1.0, 1.45, 1.0)


def weights(is_base):
    p = cvvdp_model._data()["parameters"]
    channels = np.array([1.0, p["ch_chrom_w"], p["ch_chrom_w"]])
    return channels * (np.array(p["baseband_weight"])[:3] if is_base else GAINS)


def smaller(plane):
    """A step down of even sides, sample by sample; borders are mirrored, the border pixel repeated."""
    def along(row):
        n = len(row)
        at = [row[-k - 1] if k < 0 else row[2 * n - 1 - k] if k >= n else row[k] for k in range(-2, n + 2)]
        return [sum(tap * at[2 * i + k] for k, tap in enumerate(TAPS)) for i in range(n // 2)]

    return np.array([along(column) for column in np.array([along(row) for row in plane]).T]).T


def larger(plane):
    """A step up: zeros between samples, whose ends are repeated, and twice the taps."""
    def along(row):
        at = [row[0], *row, row[-1]]
        even = [2 * (TAPS[0] * (at[i - 1] + at[i + 1]) + TAPS[2] * at[i]) for i in range(1, len(row) + 1)]
        odd = [2 * TAPS[1] * (at[i] + at[i + 1]) for i in range(1, len(row) + 1)]
        return [x for pair in zip(even, odd) for x in pair]

    return np.array([along(column) for column in np.array([along(row) for row in plane]).T]).T


def sensitivity(channel, luminance, frequency):
    data = cvvdp_model._data()
    axes = [np.linspace(*data[name], 32) for name in ("log10_luminance", "log10_frequency")]
    log = RegularGridInterpolator(axes, data["table"][channel])(np.stack(
        [np.log10(luminance), np.full(luminance.shape, math.log10(frequency))], -1))
    return 10 ** (log + data["parameters"]["sensitivity_correction"] / 20)


def by_hand(image):
    """Maps of one image [height, width, 3], float64, by loops."""
    level, maps = np.moveaxis(np.asarray(show(image, DISPLAY, space="dkl")), -1, 0), []
    frequencies = list(vdp.frequencies(*image.shape[:2], DISPLAY).values())
    for k, frequency in enumerate(frequencies):
        is_base = k == len(frequencies) - 1
        coarse = None if is_base else [smaller(plane) for plane in level]
        below = level * 0 if coarse is None else np.stack([larger(plane) for plane in coarse])
        adapted = np.full(level.shape[1:], level[0].mean()) if is_base else below[0]
        contrast = (level - below) / adapted * (2 if 0 < k < len(frequencies) - 1 else 1)
        maps.append(np.stack([contrast[c] * sensitivity(c, adapted, frequency) * weights(is_base)[c]
                              for c in range(3)], -1))
        level = None if coarse is None else np.stack(coarse)
    return maps


@functools.cache
def pair():
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.2, 0.8, (1, 8, 16, 3))
    return np.clip(reference + 0.1 * rng.normal(size=reference.shape), 0, 1), reference


FEATURES = jax.jit(lambda x: vdp.features(None, x, display=DISPLAY))


def test_maps_are_those_by_hand():
    image = pair()[1]
    found = FEATURES(image)
    assert {name: x.shape for name, x in found.items()} == {
        "band_0": (1, 8, 16, 3), "band_1": (1, 4, 8, 3), "base": (1, 2, 4, 3)}
    for ours, theirs in zip(found.values(), by_hand(image[0])):
        np.testing.assert_allclose(ours[0], theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.0, np.inf])
def test_wasserstein_distortion_of_the_bands_is_that_by_hand(sigma):
    image, reference = pair()
    maps = [by_hand(x[0]) for x in (image, reference)]
    if sigma == 0:
        expected = sum(np.mean((x - y) ** 2) for x, y in zip(*maps))
    else:
        expected = sum(np.mean((x.mean((0, 1)) - y.mean((0, 1))) ** 2 + (x.std((0, 1)) - y.std((0, 1))) ** 2)
                       for x, y in zip(*maps))
    call = jax.jit(lambda x, y: wasserstein_distortion(x, y, sigma, image_shape=(8, 16)))
    found = call(FEATURES(reference), FEATURES(image))
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


def test_windows_in_degrees_are_pixels_of_the_display():
    image, reference = pair()
    loss = jax.jit(rdr.losses.get("wasserstein_distortion", sigma="0.1deg", features="vdp", display=DISPLAY))
    pixels = jax.jit(lambda x, y: wasserstein_distortion(x, y, 3.0, image_shape=(8, 16)))
    np.testing.assert_allclose(loss(image, reference), pixels(FEATURES(reference), FEATURES(image)), rtol=1e-6)


def test_gradients_are_those_of_finite_differences_and_finite_at_equal_images():
    image, reference = pair()
    target = FEATURES(reference)
    call = jax.jit(jax.value_and_grad(
        lambda x: wasserstein_distortion(target, vdp.features(None, x, display=DISPLAY), 1.5, image_shape=(8, 16))[0]))
    direction = np.random.default_rng(1).normal(size=image.shape)
    image = 0.1 + 0.8 * jnp.asarray(image)
    slope = (call(image + 1e-6 * direction)[0] - call(image - 1e-6 * direction)[0]) / 2e-6
    assert float(jnp.sum(call(image)[1] * direction)) == pytest.approx(float(slope), rel=1e-5)
    value, gradient = call(jnp.asarray(reference))
    assert value < 1e-12 and np.isfinite(gradient).all()


def test_frequencies_of_the_bands():
    assert vdp.frequencies(8, 16, DISPLAY) == {"band_0": 15.0, "band_1": pytest.approx(15 * 0.3228), "base": 0.1}


@pytest.mark.parametrize(("images", "display", "words"), [
    (np.ones((1, 8, 8, 3)), None, "display must be one of standard_4k"),
    (np.ones((1, 8, 8, 3)), "tv", "display must be one of standard_4k"),
    (np.full((1, 8, 8, 3), np.nan), DISPLAY, "images must be finite"),
    (np.full((1, 8, 8, 3), -1.0), get_display("standard_hdr_linear"), "at least 0"),
    (np.ones((8, 8, 3)), DISPLAY, "images must have shape"), (np.ones((1, 1, 8, 3)), DISPLAY, "at least 2 pixels"),
    (np.ones((1, 8, 8, 2)), DISPLAY, "1 or 3 channels"), (np.full((1, 8, 8, 3), 200.0), DISPLAY, "must lie in"),
    (np.ones((1, 8, 8, 3)), DISPLAY._replace(pixels_per_degree=0.0), "pixels_per_degree must be positive"),
])
def test_refusals(images, display, words):
    with pytest.raises(ValueError, match=words):
        vdp.features(None, images, display=display)


def test_losses_need_the_display_that_degrees_and_bands_are_of():
    for options in ({"sigma": "0.1deg"}, {"sigma": 2.0, "features": "vdp"}):
        with pytest.raises(ValueError, match="display must be one of"):
            rdr.losses.get("wasserstein_distortion", **options)
