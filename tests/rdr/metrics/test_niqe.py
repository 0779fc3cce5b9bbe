"""Natural scene statistics: fits of known distributions, one patch by brute force, what the distance tells apart."""

import jax
import numpy as np
import pytest
from scipy import ndimage, optimize, special

from rdr.metrics.moments import moments
from rdr.metrics.niqe import (  # fmt: skip
    DIMENSION,
    asymmetric_fit,
    compiled_patch_statistics,
    fit_natural_model,
    natural_distance,
)


def asymmetric_samples(rng, shape, left, right, count):
    """|x| = width * gamma^(1/shape), on a side chosen in proportion to its width; given root mean squares."""
    scale = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    size = rng.gamma(1 / shape, size=count) ** (1 / shape)
    sign = np.where(rng.random(count) < left / (left + right), -left, right)
    return scale * sign * size


@pytest.mark.parametrize("shape,left,right", [(2.0, 1.0, 1.0), (1.0, 0.5, 1.5), (0.7, 2.0, 1.0)])
def test_the_fit_finds_the_distribution_that_samples_came_from(shape, left, right):
    values = asymmetric_samples(np.random.default_rng(0), shape, left, right, 250_000).reshape(500, 500)
    found = jax.jit(asymmetric_fit)(values)
    mean = (right - left) * special.gamma(2 / shape) / np.sqrt(special.gamma(1 / shape) * special.gamma(3 / shape))
    # A quarter of a million samples of heavy tails: moments within one per cent, shapes within two.
    np.testing.assert_allclose(found[0], shape, rtol=0.02)
    np.testing.assert_allclose(found[2:], [left, right], rtol=0.012)
    np.testing.assert_allclose(found[1], mean, rtol=0.03, atol=0.01)
    np.testing.assert_allclose(found[1], values.mean(), atol=0.02)


def test_statistics_of_a_patch_by_brute_force():
    rng = np.random.default_rng(1)
    image = ndimage.gaussian_filter(rng.random((40, 36, 3)), (1, 1, 0))
    image = (image - image.min()) / np.ptp(image)
    found, sharpness = compiled_patch_statistics(image[None], patch_size=16)
    assert found.shape == (1, 4, DIMENSION) and found.dtype == np.float64
    luma = (image[:32, :32] @ [0.299, 0.587, 0.114]) * 255

    def blur(x):
        return ndimage.gaussian_filter(x, 7 / 6, radius=3, mode="nearest")

    mean = blur(luma)
    deviation = np.sqrt(np.maximum(blur(luma**2) - mean**2, 0))
    normalized = (luma - mean) / (deviation + 1)
    np.testing.assert_allclose(sharpness[0, 3], deviation[16:, 16:].mean() / 255, rtol=1e-9)

    def fit(x):
        left, right = np.sqrt(np.mean(x[x < 0] ** 2)), np.sqrt(np.mean(x[x > 0] ** 2))
        g = left / right
        target = np.abs(x).mean() ** 2 / np.mean(x**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
        shape = optimize.brentq(
            lambda a: special.gamma(2 / a) ** 2 / special.gamma(1 / a) / special.gamma(3 / a) - target, 0.2, 10
        )
        factor = special.gamma(2 / shape) / np.sqrt(special.gamma(1 / shape) * special.gamma(3 / shape))
        return shape, (right - left) * factor, left, right

    patch = normalized[16:, 16:]
    shape, _, left, right = fit(patch)
    # The table's step is 0.001, interpolated: shapes to 1e-6.
    np.testing.assert_allclose(found[0, 3, :2], [shape, (left + right) / 2], rtol=1e-5)
    diagonal = (normalized * np.roll(normalized, (-1, 1), (0, 1)))[16:, 16:]
    np.testing.assert_allclose(found[0, 3, 14:18], fit(diagonal), rtol=1e-5, atol=1e-8)


def photographs(rng, count, side=96):
    """Seeded images with a spectrum and edges like photographs'."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1
    images = []
    for _ in range(count):
        layers = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) / frequency**1.2).real for _ in range(3)]
        layers = [(x - x.mean()) / x.std() for x in layers]
        image = np.where(layers[2] > 0, layers[0], 0.5 + layers[1])
        images.append(np.clip(0.5 + 0.18 * image, 0, 1))
    return np.float32(np.stack(images)[..., None] * np.ones(3))


def test_noise_and_blur_are_farther_from_a_fit_than_pictures_like_those_fitted():
    rng = np.random.default_rng(2)
    fitted, held_out = photographs(rng, 12), photographs(rng, 6)
    statistics, sharpness = compiled_patch_statistics(fitted, patch_size=32)
    model = fit_natural_model(statistics.reshape(-1, 36), sharpness.reshape(-1), patch_size=32, threshold=0.5)
    assert model.num_patches == np.sum(sharpness >= 0.5 * sharpness.max())

    def distances(images):
        twice = np.concatenate([images, images])  # as many as were fitted: the same program
        return [natural_distance(model, x) for x in compiled_patch_statistics(twice, patch_size=32)[0][:6]]

    noisy = np.float32(np.clip(held_out + 0.1 * rng.normal(size=held_out.shape), 0, 1))
    blurred = np.float32(ndimage.gaussian_filter(held_out, (0, 1.5, 1.5, 0)))
    natural = max(distances(held_out))
    assert min(distances(noisy)) > natural and min(distances(blurred)) > natural


def test_the_distance_is_the_mahalanobis_distance_of_the_means():
    rng = np.random.default_rng(3)
    reference, patches = rng.normal(size=(100, 36)), 0.5 + 2 * rng.normal(size=(80, 36))
    model = fit_natural_model(reference, np.ones(100))
    a, b = moments(reference), moments(patches)
    away = a.mean - b.mean
    expected = np.sqrt(away @ np.linalg.solve((a.covariance + b.covariance) / 2, away))
    np.testing.assert_allclose(natural_distance(model, patches), expected, rtol=1e-10)
    assert natural_distance(model, reference) == 0.0
    # A single patch has no covariance of its own.
    alone = np.sqrt((patches[0] - a.mean) @ np.linalg.solve(a.covariance / 2, patches[0] - a.mean))
    np.testing.assert_allclose(natural_distance(model, patches[:1]), alone, rtol=1e-10)


def test_flat_images_give_numbers_and_small_ones_are_refused():
    found, sharpness = compiled_patch_statistics(np.full((1, 32, 32, 3), 0.5, np.float32), patch_size=32)
    assert np.isfinite(found).all() and (sharpness == 0).all() and found.dtype == np.float32
    with pytest.raises(ValueError, match="images must measure at least patch_size = 96 each way"):
        compiled_patch_statistics(np.zeros((1, 95, 200, 3), np.float32))
    with pytest.raises(ValueError, match="patch_size must be even and at least 16, got 15"):
        compiled_patch_statistics(np.zeros((1, 95, 200, 3), np.float32), patch_size=15)
    with pytest.raises(ValueError, match="at least two sharp patches, got 1 of 3"):
        fit_natural_model(np.zeros((3, 36)), [1.0, 0.1, 0.1])
