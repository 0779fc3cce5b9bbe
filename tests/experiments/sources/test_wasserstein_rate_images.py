import math

import numpy as np
import pytest

from experiments.sources import wasserstein_rate_images as images
from theory import wasserstein_distortion as theory


@pytest.mark.parametrize("sigma, trace", [(1.0, 0.1108068625), (math.sqrt(15) / 2, 0.0298776627), (3.0, 0.0212245508)])
def test_windows_of_images_are_those_of_the_loss(sigma, trace):
    where = images.windows("white", (16, 16), sigma)
    assert where.variances.sum() == pytest.approx(trace, abs=1e-9)
    assert where.variances[0] == pytest.approx(1 / 256, rel=1e-6)
    assert where.weights.sum() == pytest.approx(1.0)
    expected = theory.pooled_eigenvalues(theory.pyramid_mean_matrix(np.full((16, 16), sigma)))
    np.testing.assert_allclose(where.variances, np.sort(expected)[::-1], atol=1e-9)
    # The loss of an image and its shift in brightness sees the means alone.
    x = np.random.default_rng(2).standard_normal((1, 256))
    np.testing.assert_allclose(images.loss(where, x, x + 0.5, exact=False), 0.25, rtol=1e-4)


def test_filled_images_have_the_expected_deviations():
    where = images.windows("white", (1, 64), 4.0)
    expected = np.full(len(where.windows), 0.9)
    y = images.fill(where, np.zeros((2, 64)), expected, images.texture("checkerboard", (1, 64)))
    v = np.sqrt(np.square(y) @ where.windows.T - np.square(y @ where.windows.T))
    np.testing.assert_allclose(v, 0.9, atol=0.01)
