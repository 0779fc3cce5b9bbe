"""Maps of errors: their means are the metrics, and they are where the error is."""

import numpy as np
import pytest

from rdr.evaluation import error_maps
from rdr.features import weights
from rdr.losses import lpips
from rdr.losses.wasserstein_distortion import wasserstein_distortion

RNG = np.random.default_rng(2)
ORIGINAL = RNG.random((1, 21, 18, 3), np.float32)
IMAGE = np.clip(ORIGINAL + 0.2 * RNG.standard_normal(ORIGINAL.shape), 0, 1).astype(np.float32)


def test_squared_error_of_each_pixel():
    found = error_maps.squared_error_map(IMAGE, ORIGINAL)
    assert found.shape == (1, 21, 18)
    difference = IMAGE[0, 3, 4].astype(np.float64) - ORIGINAL[0, 3, 4]
    assert found[0, 3, 4] == pytest.approx((difference**2).sum() / 3, rel=1e-12)
    with pytest.raises(ValueError, match="shape"):
        error_maps.squared_error_map(IMAGE, ORIGINAL[:, :-1])


@pytest.mark.parametrize("sigma", [0.0, 2.5, np.inf])
def test_the_mean_over_pixels_is_wasserstein_distortion(sigma):
    normalized = [(x - 0.449) / 0.226 for x in (ORIGINAL, IMAGE)]
    wanted = float(wasserstein_distortion(normalized[0], normalized[1], sigma)[0])
    found = error_maps.wasserstein_distortion_map(IMAGE, ORIGINAL, sigma, features="pixels")
    assert found.shape == (1, 21, 18) and found.min() >= 0
    assert found.mean() == pytest.approx(wanted, rel=2e-5)
    if sigma == 0:
        squares = error_maps.squared_error_map(IMAGE, ORIGINAL) / 0.226**2
        np.testing.assert_allclose(found, squares, rtol=1e-4, atol=1e-6)
    if sigma == np.inf:
        assert np.ptp(found) == 0


def test_wasserstein_distortion_is_where_images_differ():
    image = ORIGINAL.copy()
    image[:, :, :4] = IMAGE[:, :, :4]
    found = error_maps.wasserstein_distortion_map(image, ORIGINAL, 2.5, features="pixels")[0]
    assert found[:, :4].mean() > 100 * found[:, 14:].mean()


def test_smaller_maps_are_repeated():
    np.testing.assert_array_equal(error_maps._repeat(np.asarray([[[1.0, 2.0], [3.0, 4.0]]]), (3, 4))[0],
                                  [[1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])


def test_the_mean_of_lpips_over_pixels_is_nearly_lpips():
    if not weights.weights_available("alexnet"):
        pytest.skip("the weights of AlexNet are not installed")
    rng = np.random.default_rng(1)
    original = rng.random((1, 64, 64, 3), np.float32)
    image = np.clip(original + 0.1 * rng.standard_normal(original.shape), 0, 1).astype(np.float32)
    wanted = float(lpips.lpips(lpips.load_params(), image, original)[0])
    found = error_maps.lpips_map(image, original)
    assert found.shape == (1, 64, 64) and found.mean() == pytest.approx(wanted, rel=0.02)
