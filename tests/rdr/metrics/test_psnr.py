"""PSNR in both kinds, against scikit-image's recorded formula and by hand."""

import math

import numpy as np
import pytest

from rdr.losses.pointwise import squared_error
from rdr.metrics.psnr import image_psnr, psnr, psnr_of_mean


def test_psnr_equals_scikit_image(recorded_pair):
    metrics = pytest.importorskip("skimage.metrics")
    x, y = recorded_pair(37, 41, seed=4)
    expected = metrics.peak_signal_noise_ratio(x[0], y[0], data_range=1.0)
    np.testing.assert_allclose(psnr(y, x), [expected], rtol=1e-13)
    np.testing.assert_allclose(psnr(255 * y, 255 * x, data_range=255.0), [expected], rtol=1e-13)


def test_the_two_averages_differ_as_jensen_says():
    rng = np.random.default_rng(0)
    x = rng.random((2, 8, 8, 3))
    y = np.stack([x[0] + 0.1, x[1] + 0.01])
    values, errors = psnr(y, x), squared_error(y, x)
    np.testing.assert_allclose(values, [20.0, 40.0], rtol=1e-12)
    np.testing.assert_allclose(psnr_of_mean(errors), -10 * math.log10((0.01 + 0.0001) / 2), rtol=1e-12)
    assert psnr_of_mean(errors) < np.mean(values)


def test_equal_images_have_infinite_psnr_and_bad_values_are_refused():
    x = np.zeros((1, 4, 4, 3), np.float32)
    assert psnr(x, x)[0] == np.inf and psnr_of_mean([0.0, 0.0]) == np.inf
    with pytest.raises(ValueError, match="data_range must be positive"):
        psnr(x, x, data_range=0.0)
    with pytest.raises(ValueError, match="mean_squared_errors must be one or more numbers"):
        psnr_of_mean([])
    with pytest.raises(ValueError, match="mean_squared_errors must be one or more numbers"):
        psnr_of_mean([-1.0])


def test_images_of_whole_numbers_are_compared_in_float64():
    """Fault 9: an image of 16 bits beside one of 8 had 54.02 dB where 59.00 is true."""
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (300, 20, 3), np.uint16)
    shallow = np.uint8(np.round(deep / 257))
    expected = -10 * np.log10(np.mean((deep / 65535 - shallow / 255) ** 2))
    assert math.isclose(image_psnr(deep, shallow), expected, rel_tol=1e-12)
    assert math.isclose(image_psnr(shallow, deep), expected, rel_tol=1e-12)
    assert image_psnr(deep, deep) == np.inf
    with pytest.raises(ValueError, match="reference must have the shape"):
        image_psnr(deep, deep[:5])
    with pytest.raises(ValueError, match=r"image must be uint8 or uint16 .*got float64\[2, 2\]"):
        image_psnr(np.zeros((2, 2)), deep)
