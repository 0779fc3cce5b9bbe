"""Maps of sigma: against the rules written out in loops, and on images where the answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.wasserstein_distortion import sigma as sigma_maps

RNG = np.random.default_rng(0)
SALIENCY = RNG.random((2, 9, 7)) ** 8


def test_inverse_saliency_rule():
    sigma = jax.jit(lambda s: sigma_maps.sigma_from_saliency(s, minimum=0.1))(SALIENCY)
    for n in range(2):
        p = 0.1 + 0.9 * SALIENCY[n] / SALIENCY[n].mean()
        np.testing.assert_allclose(sigma[n], 16 * 0.1 / p, rtol=1e-12)
    # Nothing salient: as if all were equally so.
    np.testing.assert_allclose(sigma_maps.sigma_from_saliency(np.zeros((1, 2, 2)), minimum=0.1), 1.6, rtol=1e-6)


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_salient_regions_rule_equals_a_loop_over_pixels(threshold):
    sigma = np.asarray(sigma_maps.sigma_from_salient_regions(SALIENCY, threshold=threshold))
    for n, s in enumerate(SALIENCY):
        salient = np.argwhere(s > (min(0.1, s.max() / 8) if threshold is None else threshold))
        for y in range(9):
            for x in range(7):
                assert sigma[n, y, x] == 1.5 * np.abs(salient - [y, x]).sum(1).min()


def test_without_salient_pixels_all_is_texture():
    assert np.isinf(sigma_maps.sigma_from_salient_regions(np.zeros((1, 3, 4)))).all()


def test_eccentricity_in_degrees():
    sigma = np.asarray(
        sigma_maps.sigma_from_eccentricity((20, 30), (4.0, 5.0), pixels_per_degree=2.0, slope=0.5, fovea_degrees=1.0)
    )
    assert sigma.shape == (20, 30) and sigma[4, 5] == 0 and sigma[4, 7] == 0
    # 3-4-5: 10 pixels away are 5 degrees, 4 beyond the fovea: sigma = 2 degrees = 4 pixels.
    assert sigma[4 + 6, 5 + 8] == pytest.approx(0.5 * (10 - 2), rel=1e-6)


def test_intrinsic_sigma_of_a_texture_is_near_its_period_and_of_flat_images_zero():
    place = np.indices((64, 64)).sum(0)
    waves = {period: np.sin(2 * np.pi * place / period)[None, :, :, None] for period in (4, 16)}
    call = jax.jit(sigma_maps.intrinsic_sigma)
    found = {period: np.asarray(call(x)) for period, x in waves.items()}
    inner = np.s_[0, 16:48, 16:48]
    # A window of standard deviation s multiplies the wave by exp(-(2 pi s / period)^2): by 0.7 at a tenth of
    # the period, where it is still changing, and by less than 0.03 at 0.3 of it. Levels double, so that the
    # first one beyond it lies below 0.6.
    for period, sigma in found.items():
        assert (sigma[inner] >= 0.1 * period).all() and (sigma[inner] <= 0.6 * period).all()
    np.testing.assert_array_equal(call(np.full((1, 64, 64, 1), 0.7)), 0)


def test_intrinsic_sigma_of_a_ramp_is_infinite():
    # Local means of a ramp differ from the global one however wide the window.
    ramp = np.linspace(0, 1, 64) * np.ones((64, 1))
    assert np.isinf(jax.jit(sigma_maps.intrinsic_sigma)(ramp[None, :, :, None])[0, 32, 4])


def test_intrinsic_sigma_takes_maps_of_any_size():
    for shape in ((1, 1, 1, 2), (1, 1, 5, 1), (2, 7, 3, 1)):
        assert jax.jit(sigma_maps.intrinsic_sigma)(RNG.random(shape)).shape == shape[:3]


def test_standard_deviations_of_published_windows():
    # Cascaded (1, 2, 1)/4 with decimation: level i convolves two boxes of 2^i pixels.
    for level in range(5):
        box = np.full(2**level, 0.5**level)
        window, place = np.convolve(box, box), np.arange(2 ** (level + 1) - 1)
        variance = window @ (place - window @ place) ** 2
        found = float(sigma_maps.std_of_codex_window(2.0**level))
        assert found == pytest.approx(np.sqrt(max(variance, 0)), abs=1e-7)
    place = np.arange(-3000, 3001)
    for scale in (0.3, 2.0, 10.0):
        window = np.exp(-np.abs(place) / scale)
        found = float(sigma_maps.std_of_geometric_window(scale))
        assert found == pytest.approx(np.sqrt(window @ place**2 / window.sum()), rel=1e-9)
    assert sigma_maps.std_of_geometric_window(0.0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sigma_maps.sigma_from_saliency(SALIENCY[0], minimum=0.1), "saliency must be floating point of shape"),
        (lambda: sigma_maps.sigma_from_saliency(-SALIENCY, minimum=0.1), "saliency must be >= 0"),
        (lambda: sigma_maps.sigma_from_saliency(SALIENCY, minimum=0.0), "minimum must be in"),
        (lambda: sigma_maps.sigma_from_saliency(SALIENCY, minimum=0.1, maximum_sigma=-1.0), "maximum_sigma must be"),
        (lambda: sigma_maps.sigma_from_salient_regions(SALIENCY, slope=0.0), "slope must be > 0"),
        (lambda: sigma_maps.sigma_from_eccentricity((2, 2), (0, 0), pixels_per_degree=0), "pixels_per_degree must be"),
        (
            lambda: sigma_maps.sigma_from_eccentricity((2, 2), (0, 0), pixels_per_degree=1, slope=-1),
            "slope and fovea_degrees must be",
        ),
        (lambda: sigma_maps.intrinsic_sigma(np.zeros((1, 4, 4, 1)), threshold=1.0), "threshold must be in"),
    ],
)
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_whole_numbers_are_not_truncated():
    decay = np.exp(-0.25)
    np.testing.assert_allclose(sigma_maps.std_of_geometric_window(4), np.sqrt(2 * decay) / (1 - decay), rtol=1e-6)


def test_a_bfloat16_saliency_map_is_computed_with_in_float32():
    saliency = np.random.default_rng(0).random((1, 40, 300)).astype(np.float32)
    half = jnp.asarray(saliency, jnp.bfloat16)
    exact = np.float32(half)
    for rule in (
        lambda s: sigma_maps.sigma_from_salient_regions(s, threshold=0.99),
        lambda s: sigma_maps.sigma_from_saliency(s, minimum=0.1),
    ):
        got = rule(half)
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, rule(exact), rtol=1e-6)


def test_widths_in_degrees():
    for sigma, expected in (("0.5deg", 20.0), ("4", 4.0), (4, 4.0), ("inf", np.inf), ("infdeg", np.inf), ("0deg", 0.0)):
        assert sigma_maps.in_pixels(sigma, pixels_per_degree=40.0) == expected
    for sigma in ("-1deg", "deg", "nan", "nandeg", "fovea", -1.0, "4px"):
        with pytest.raises(ValueError, match="sigma must be a number of pixels, at least 0, or of degrees as in 0.1"):
            sigma_maps.in_pixels(sigma, pixels_per_degree=40.0)
    for wrong in (0.0, -3.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="pixels_per_degree must be positive and finite"):
            sigma_maps.in_pixels("1deg", pixels_per_degree=wrong)
