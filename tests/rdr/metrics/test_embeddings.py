"""Embeddings: their vectors by hand, their names and hashes, refusals."""

import jax
import numpy as np
import pytest

from rdr.features import alexnet, steerable_pyramid
from rdr.metrics.embeddings import EMBEDDINGS, embedding, embedding_available, steerable_statistics


def test_steerable_statistics_are_means_and_deviations_of_the_bands():
    images = np.random.default_rng(0).random((2, 32, 36, 3))
    found = np.asarray(jax.jit(steerable_statistics)(images))
    assert found.shape == (2, 81) and found.dtype == np.float64
    pyramid = jax.jit(lambda x: steerable_pyramid.steerable_pyramid(x, num_scales=3, num_orientations=4))(images)
    np.testing.assert_allclose(found[:, :3], np.std(pyramid.highpass, axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found[:, 3:6], np.mean(pyramid.lowpass, axis=(1, 2)), rtol=1e-12)
    magnitude = np.abs(np.asarray(pyramid.bands[2]))
    np.testing.assert_allclose(found[:, -24:-12], magnitude.mean((1, 2)).reshape(2, 12), rtol=1e-9)
    # A cyclic shift moves no energy.
    shifted = np.asarray(jax.jit(steerable_statistics)(np.roll(images, (8, 4), (1, 2))))
    np.testing.assert_allclose(shifted, found, rtol=1e-9)


def test_the_alexnet_vector_is_the_mean_of_its_last_map(trained_weights):
    e = embedding("alexnet")
    images = np.random.default_rng(1).random((2, 40, 33, 3)).astype(np.float32)
    found = e.call(e.params, images)
    maps = alexnet.features(e.params, images, taps=("relu5",))["relu5"]
    np.testing.assert_allclose(found, np.mean(maps, axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert found.shape == (2, e.dimension) and len(e.weights_sha256) == 64


def test_names_and_availability():
    assert embedding_available("steerable") and embedding("steerable").weights_sha256 is None
    assert "inception" not in EMBEDDINGS  # nothing here may be called FID
    with pytest.raises(ValueError, match="embedding must be one of 'steerable', 'alexnet', .* got 'inception'"):
        embedding("inception")


def test_a_function_is_an_embedding():
    def mean_color(images):
        return images.mean((1, 2))

    own = embedding(mean_color, min_side=8)
    assert (own.name, own.dimension, own.min_side) == ("mean_color", 3, 8) and embedding(own) is own
    x = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(own.call(own.params, x), x.mean((1, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match=r"must map .* got \(1, 32, 32, 3\)"):
        embedding(lambda images: images)
