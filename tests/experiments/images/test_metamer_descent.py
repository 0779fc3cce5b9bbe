"""Descents from noise: features at each resolution, and what coarse resolutions hand on."""

import math

import jax
import numpy as np
import pytest

from experiments.images import metamer_descent


def test_features_of_each_resolution_are_those_asked_for(monkeypatch):
    monkeypatch.setattr(metamer_descent.weights, "load_params", lambda name: None)
    asked = []

    def features(params, images, *, taps, pooling):
        asked.append((images.shape, taps, pooling))
        return {tap: images[..., :1] for tap in taps}

    monkeypatch.setattr(metamer_descent.vgg, "features", features)
    found = metamer_descent.feature_maps("vgg16", (0, 2, 1))(np.zeros((1, 16, 16, 1), np.float32))
    assert asked == [((1, 16, 16, 3), ("relu1_1",), "average"),
                     ((1, 8, 8, 3), ("relu1_2", "relu2_2"), "average"), ((1, 4, 4, 3), ("relu1_2",), "average")]
    assert list(found) == ["pixels", "1/1 relu1_1", "1/2 relu1_2", "1/2 relu2_2", "1/4 relu1_2"]


def test_coarse_resolutions_start_finer_ones():
    photo = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    sigma = np.full((16, 16), 4.0, np.float32)
    sigma[:2, :2] = math.inf
    calls, counts = [], []

    def descend(target, widths, start, steps):
        calls.append((target, widths, np.asarray(start)))
        counts.append(steps)
        return jax.numpy.full(target.shape, 0.25 * len(calls)), np.arange(3) + len(calls)

    image, values = metamer_descent.descend_from_coarse(descend, photo, sigma, jax.random.key(0), coarser=2,
                                                        steps=5)
    assert [target.shape for target, _, _ in calls] == [(1, 4, 4, 3), (1, 8, 8, 3), (1, 16, 16, 3)]
    np.testing.assert_allclose(calls[0][0][0, 1, 2], photo[0, 4:8, 8:12].mean((0, 1)), rtol=1e-5)
    assert [widths[-1, -1] for _, widths, _ in calls] == [1.0, 2.0, 4.0] and math.isinf(calls[1][1][0, 0])
    # Noise of the mean color first; then what the resolution before ended at, with little noise.
    assert abs(calls[0][2] - photo.mean((0, 1, 2))).max() < 0.5 and calls[0][2].std() > 0.05
    assert abs(calls[1][2].mean() - 0.25) < 0.01 and 0.01 < calls[2][2].std() < 0.05
    assert counts == [20, 10, 5]
    assert values[0] == 3 and float(image[0, 0, 0, 0]) == 0.75


def test_unknown_features_are_refused_in_words():
    with pytest.raises(ValueError, match="features must be 'vgg16', 'alexnet' or 'pixels'"):
        metamer_descent.feature_maps("resnet", (1,))
