"""Contrast sensitivity and displays: a single grating by hand, published properties, edges."""

import jax
import numpy as np
import pytest

from rdr.metrics.contrast_sensitivity import (
    Display,
    contrast_sensitivity,
    contrast_sensitivity_error,
    display_luminance,
    pixels_per_degree,
)  # fmt: skip
from rdr.vision import castle_csf, make_display
from rdr.vision.colorspace import from_rgb, to_rgb

ERROR = jax.jit(contrast_sensitivity_error, static_argnames=("display", "model"))


def barten(u, luminance, area):
    optics = 5200 * np.exp(-0.0016 * u**2 * (1 + 100 / luminance) ** 0.08)
    return optics / np.sqrt((1 + 144 / area + 0.64 * u**2) * (63 / luminance**0.83 + 1 / (1 - np.exp(-0.02 * u**2))))


def srgb(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("axis", [0, 1])
def test_one_grating_scores_its_contrast_times_the_sensitivity(axis):
    # A cosine of the transform's own, 12 half cycles over 64 or 48 pixels, 2 % of the mean luminance.
    display = Display(pixels_per_degree=30.0, peak_luminance=200.0, black_luminance=2.0)
    size = (48, 64)
    wave = np.cos(np.pi * 12 * (np.arange(size[axis]) + 0.5) / size[axis])
    wave = np.expand_dims(wave, 1 - axis) * np.ones(size)
    reference = np.full((1, *size, 3), srgb(0.4))
    images = np.broadcast_to(srgb(0.4 + 0.4 * 0.02 * wave)[None, ..., None], reference.shape)
    u = 12 / (2 * size[axis]) * 30.0
    mean = 2.0 + 198.0 * 0.4
    contrast = 0.02 * 198.0 * 0.4 / mean
    expected = contrast / np.sqrt(2) * barten(u, mean, 48 * 64 / 30.0**2)
    found = ERROR(images, reference, display=display)
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


@pytest.mark.parametrize("direction", [0, 1, 2])
def test_gratings_of_castle_csf_s_threshold_score_alike_in_all_directions_of_color(direction):
    # Twice the threshold of a steady grating at the fovea, in light and dark, red and green, yellow and violet; on gray
    # of two luminances.
    level, size = np.array([0.4, 0.1])[:, None], (48, 64)
    white = np.asarray(from_rgb(np.ones(3), "lms"))
    white = white / white[:2].sum()  # L + M is luminance
    gray = (2.0 + 198.0 * level) * white  # of a peak of 200 and a black of 2 cd/m^2
    way = np.asarray(castle_csf.dkl_directions(gray))[:, direction]
    seen = np.asarray(jax.jit(castle_csf.sensitivity)(12 / 128 * 30.0, background=gray, direction=way,
                                                      area=48 * 64 / 30.0**2))
    cones = np.sqrt(np.mean((way / gray) ** 2, axis=-1))
    wave = np.cos(np.pi * 12 * (np.arange(64) + 0.5) / 64)[None, :, None] * np.ones((48, 1, 1))
    change = np.asarray(to_rgb(way, "lms")) * np.asarray(from_rgb(np.ones(3), "lms"))[:2].sum() / 198.0
    linear = level[:, None, None] + 2 / (seen * cones)[:, None, None, None] * wave * change[:, None, None]
    images, reference = srgb(linear), np.broadcast_to(srgb(level)[:, None, None], (2, *size, 3))
    for display in (Display(30.0, 200.0, 2.0), make_display("x", peak=200, black=2, pixels_per_degree=30.0,
                                                            resolution=(9, 9))):
        found = ERROR(images, reference, display=display, model="castle")
        np.testing.assert_allclose(found, 2 / np.sqrt(2) * np.ones(2), rtol=1e-4)
    if direction == 0:  # luminance alone has the same
        mean = 2.0 + 198.0 * level[:, 0]
        luminance = jax.jit(castle_csf.mechanism_sensitivities)(12 / 128 * 30.0, mean,
                                                                area=48 * 64 / 30.0**2).achromatic
        np.testing.assert_allclose(luminance, seen, rtol=2e-5)


def test_displays_of_both_kinds_and_linear_ones():
    rng = np.random.default_rng(0)
    light = rng.uniform(5.0, 50.0, (1, 8, 9, 3))
    other = light * 1.1
    screen = make_display("x", peak=100, black=0.1, transfer="linear", pixels_per_degree=30.0, resolution=(9, 9))
    srgb_screen = screen._replace(transfer="srgb")
    coded = [srgb((x - 0.1) / 99.9) for x in (other, light)]
    for model in ("barten", "castle"):
        linear = ERROR(other, light, display=screen, model=model)
        np.testing.assert_allclose(linear, ERROR(*coded, display=srgb_screen, model=model), rtol=1e-6)
        assert 0 < linear[0] < np.inf
    # Four numbers of a display and the display that has them; luminance's weights have another digit there.
    np.testing.assert_allclose(ERROR(*coded, display=Display(30.0, 100.0, 0.1)), ERROR(*coded, display=srgb_screen),
                               rtol=1e-3)
    with pytest.raises(ValueError, match="model must be one of 'barten', 'castle', got 'daly'"):
        contrast_sensitivity_error(light, light, model="daly")
    for x, display, words in ((-light, screen, "images must hold luminances in cd/m.2, at least 0"),
                              (light * np.nan, screen, "images must be finite"),
                              (light, "tv", "display must be one of"),
                              (np.full_like(light, np.inf), screen, "images must be finite")):
        with pytest.raises(ValueError, match=words):
            contrast_sensitivity_error(x, light * 0, display=display)


@pytest.mark.parametrize("model", ["barten", "castle"])
def test_gradients_are_those_of_finite_differences_and_finite_at_equal_images(model):
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.2, 0.8, (1, 8, 9, 3))
    image, direction = (reference + 0.1 * rng.normal(size=reference.shape) for _ in range(2))
    call = jax.jit(jax.value_and_grad(lambda x: contrast_sensitivity_error(x, reference, model=model)[0]))
    slope = (call(image + 1e-6 * direction)[0] - call(image - 1e-6 * direction)[0]) / 2e-6
    assert float(np.sum(call(image)[1] * direction)) == pytest.approx(float(slope), rel=1e-5)
    value, gradient = call(reference)
    assert value < 1e-12 and np.isfinite(gradient).all()


def test_a_change_of_brightness_counts_as_half_a_cycle_and_hue_alone_is_not_seen():
    reference = np.full((1, 20, 30, 3), srgb(0.3))
    display = Display()
    mean = 0.1 + 99.9 * 0.3
    expected = 99.9 * 0.03 / mean * barten(60 / (2 * 30), mean, 600 / 3600.0)
    found = ERROR(np.full((1, 20, 30, 3), srgb(0.33)), reference, display=display)
    np.testing.assert_allclose(found, [expected], rtol=1e-9)
    # Red up, green down, by the inverse of their luminances.
    tinted = np.array([0.3 + 0.05 / 0.2126, 0.3 - 0.05 / 0.7152, 0.3])
    assert ERROR(np.broadcast_to(srgb(tinted), reference.shape), reference, display=display) < 1e-9


def test_sensitivity_peaks_at_a_few_cycles_and_falls_in_the_dark():
    u = np.geomspace(0.2, 50.0, 200)
    bright, dark = (np.asarray(jax.jit(contrast_sensitivity)(u, level, 100.0)) for level in (100.0, 0.1))
    np.testing.assert_allclose(bright, barten(u, 100.0, 100.0), rtol=1e-12)
    assert 2.0 < u[bright.argmax()] < 6.0 and u[dark.argmax()] < u[bright.argmax()]
    assert (bright > dark).all() and 200 < bright.max() < 700


def test_pq_is_smpte_st_2084():
    # Table values of the standard's inverse: 100 cd/m^2 at 0.50808, 1000 at 0.75183, 10,000 at 1.
    display = Display(peak_luminance=10_000.0, black_luminance=1e-6, transfer="pq")
    code = np.array([0.508078421517399, 0.751827096247041, 1.0])
    found = display_luminance(np.repeat(code[:, None], 3, 1), display)
    np.testing.assert_allclose(found, [100.0, 1000.0, 10_000.0], rtol=1e-9)
    small = display_luminance(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), Display(transfer="pq"))
    np.testing.assert_allclose(small, [0.1, 100.0], rtol=1e-12)
    np.testing.assert_allclose(display_luminance(np.eye(3), display).sum(), 10_000.0, rtol=1e-9)


def test_farther_away_fine_noise_is_seen_less():
    rng = np.random.default_rng(0)
    reference = np.full((1, 32, 32, 3), 0.5, np.float32)
    noisy = reference + np.float32(0.02) * rng.choice([-1, 1], (1, 32, 32, 1)).astype(np.float32)
    near, far = (ERROR(noisy, reference, display=Display(pixels_per_degree=p)) for p in (20, 80))
    assert near.dtype == np.float32 and far < near


def test_pixels_per_degree_and_refusals():
    # One meter away, a degree is 17.45 mm.
    np.testing.assert_allclose(pixels_per_degree(distance=1.0, width=0.5, pixels=2000), 69.815, rtol=1e-4)
    with pytest.raises(ValueError, match="distance, width and pixels must be positive"):
        pixels_per_degree(distance=0.0, width=0.5, pixels=2000)
    x = np.zeros((1, 8, 8, 3))
    for wrong, message in (
        (Display(transfer="hlg"), "display.transfer must be one of 'srgb', 'pq', got 'hlg'"),
        (Display(pixels_per_degree=0.0), "display.pixels_per_degree must be positive"),
        (Display(black_luminance=200.0), "display.black_luminance must be positive and below"),
    ):
        with pytest.raises(ValueError, match=message):
            contrast_sensitivity_error(x, x, display=wrong)
