"""SSIM and MS-SSIM, against recorded values of scikit-image and pytorch-msssim and against scipy."""

import jax
import numpy as np
import pytest
from scipy import ndimage

from rdr.losses.ssim import MS_SSIM_WEIGHTS, ms_ssim, ms_ssim_loss, ssim, ssim_loss


def test_ssim_equals_scikit_image(recorded, recorded_pair):
    x, y = recorded_pair(37, 41, seed=4)
    # Both are float64 sums of the same numbers.
    np.testing.assert_allclose(jax.jit(ssim)(x, y)[0], recorded["scikit-image ssim 37x41 seed 4"], rtol=1e-12)


def test_ssim_and_ms_ssim_equal_pytorch_msssim(recorded, recorded_pair):
    x, y = recorded_pair(176, 192, seed=3)
    # Recorded with its window in float64; the exponents of the scales stay float32.
    one, several = jax.jit(lambda x, y: (ssim(x, y)[0], ms_ssim(x, y)[0]))(x, y)
    np.testing.assert_allclose(one, recorded["ssim 176x192 seed 3"], rtol=1e-12)
    np.testing.assert_allclose(several, recorded["ms_ssim 176x192 seed 3"], rtol=1e-7)
    single = jax.jit(ms_ssim)(x.astype(np.float32), y.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single[0], recorded["ms_ssim 176x192 seed 3"], rtol=1e-5)


def scipy_ssim(x, y):
    """Luminance and contrast-structure maps of one channel where the window of 11 fits."""

    def blur(z):
        return ndimage.gaussian_filter(z, 1.5, radius=5)[5:-5, 5:-5]

    mx, my = blur(x), blur(y)
    vx, vy, c = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    return (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4), (2 * c + 9e-4) / (vx + vy + 9e-4)


def test_ms_ssim_at_odd_sizes_repeats_the_last_row_and_column(recorded_pair):
    x, y = (z[0] for z in recorded_pair(25, 31, seed=8))
    totals = []
    for channel in range(3):
        _, fine = scipy_ssim(x[..., channel], y[..., channel])
        halves = [
            np.pad(z[..., channel], ((0, 1), (0, 1)), mode="edge").reshape(13, 2, 16, 2).mean((1, 3))
            for z in (x, y)
        ]
        luminance, coarse = scipy_ssim(*halves)
        totals.append(fine.mean() ** 0.4 * (luminance * coarse).mean() ** 0.6)
    got = jax.jit(lambda x, y: ms_ssim(x, y, weights=(0.4, 0.6)))(x[None], y[None])
    np.testing.assert_allclose(got, [np.mean(totals)], rtol=1e-12)


def test_similarity_of_equal_images_is_one_and_losses_vanish(recorded_pair):
    x, _ = recorded_pair(37, 41, seed=4)
    similarity, loss, several = jax.jit(
        lambda x, y: (ssim(x, y), ssim_loss(x, y), ms_ssim_loss(x, y, weights=(0.5, 0.5)))
    )(x, x)
    np.testing.assert_allclose(similarity, 1.0, atol=1e-14)
    np.testing.assert_allclose(loss, 0.0, atol=1e-14)
    np.testing.assert_allclose(several, 0.0, atol=1e-14)


def test_the_range_of_the_data_scales_out(recorded_pair):
    x, y = recorded_pair(37, 41, seed=4)
    scaled, plain = jax.jit(lambda x, y: (ssim(255 * x, 255 * y, data_range=255.0), ssim(x, y)))(x, y)
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)


def test_negative_contrast_counts_as_zero_with_zero_gradient():
    rng = np.random.default_rng(0)
    x = rng.random((1, 24, 24, 1))
    value, gradient = jax.jit(jax.value_and_grad(lambda z: ms_ssim(z, x, weights=(0.5, 0.5)).sum()))(1.0 - x)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_images_smaller_than_the_window_are_refused():
    x = np.zeros((1, 160, 200, 3))
    with pytest.raises(ValueError, match="at least 161 pixels each way for 5 scales"):
        ms_ssim(x, x)
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(x[:, :10], x[:, :10])
    with pytest.raises(ValueError, match="window_size must be odd"):
        ssim(x, x, window_size=10)
    with pytest.raises(ValueError, match="weights must name"):
        ms_ssim(x, x, weights=())
    assert len(MS_SSIM_WEIGHTS) == 5


def test_float32_keeps_its_digits_at_large_means_and_equal_images_score_exactly_one():
    rng, call = np.random.default_rng(4), jax.jit(ssim)
    x = 0.1 * rng.random((1, 20, 20, 1))
    y = x + 0.05 * rng.random(x.shape)
    for mean in (0.0, 100.0):
        # At a range of 1 the constants matter, so a large mean is a cancellation of five digits.
        exact = call(np.float64(np.float32(x + mean)), np.float64(np.float32(y + mean)))
        got = call(np.float32(x + mean), np.float32(y + mean))
        np.testing.assert_allclose(got, exact, rtol=2e-4 if mean else 1e-6)
    for value in (0.0, 0.3, 0.7, 1.0, 1e3):
        flat = np.full((1, 16, 16, 3), value, np.float32)
        assert float(call(flat, flat)[0]) == 1.0
    noisy = np.float32(x)
    assert float(call(noisy, noisy)[0]) == 1.0


@pytest.mark.parametrize("option", ["data_range", "window_sigma", "k1", "k2"])
def test_options_that_are_not_positive_are_refused(option):
    x = np.zeros((1, 16, 16, 1))
    with pytest.raises(ValueError, match=f"{option} must be positive"):
        ssim(x, x, **{option: 0.0})


@pytest.mark.parametrize("shape", [
    (11, 11), (12, 75), (203, 140),
    *(pytest.param(shape, marks=pytest.mark.stress) for shape in ((74, 75), (139, 30)))])
def test_blocks_of_the_blur_join_without_seams(shape):
    """Fault 38: blurs are products with banded matrices; of every size they are scipy's correlation."""
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 1, *shape, 2))
    call = jax.jit(jax.value_and_grad(lambda x, y: ssim(x, y)[0]))
    value, gradient = call(x, y)
    maps = [np.multiply(*scipy_ssim(x[0, ..., c], y[0, ..., c])) for c in range(2)]
    np.testing.assert_allclose(value, np.mean(maps), rtol=1e-12)
    # The derivative along a direction, by differences.
    direction, step = rng.normal(size=x.shape), 1e-6
    change = (call(x + step * direction, y)[0] - call(x - step * direction, y)[0]) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient * direction), change, rtol=1e-5)
