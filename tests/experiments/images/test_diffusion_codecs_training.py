"""Images of a source, and a network that learns what the best linear denoiser does not know."""

import numpy as np
import pytest

from experiments.images import diffusion_codecs_training as training
from rdr.codecs.diffusion import network


def test_cells_are_means_of_what_they_cover():
    matrix = training.cell_means(28, 16)
    np.testing.assert_allclose(matrix.sum(0), 1)
    np.testing.assert_allclose(matrix.sum(1), 16 / 28)
    np.testing.assert_allclose(matrix[:3, 0], np.array([1, 0.75, 0]) / 1.75)
    np.testing.assert_array_equal(training.cell_means(4, 2), [[0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5]])
    with pytest.raises(ValueError, match="side must be from 1 to 4"):
        training.cell_means(4, 5)


def test_digits_come_in_two_parts_and_smaller():
    pytest.importorskip("sklearn")
    whole, small = (training.load("digits", "", side=side, seed=0) for side in (8, 4))
    assert whole.shape == (8, 8, 1) and small.shape == (4, 4, 1)
    means = whole.vectors[0].reshape(4, 2, 4, 2).mean((1, 3)).ravel()
    np.testing.assert_allclose(small.vectors[0], means, atol=1e-6)
    with pytest.raises(ValueError, match="data must be one of"):
        training.load("faces", "", side=8, seed=0)


def test_a_network_learns_that_there_are_two_kinds(tmp_path):
    rng = np.random.default_rng(0)
    vectors = (rng.choice([-0.5, 0.5], (2000, 1)) + 0.05 * rng.standard_normal((2000, 8))).astype(np.float32)
    model = network.statistics(vectors)
    options = {"width": 32, "blocks": 1, "batch": 64, "learning_rate": 1e-2, "seed": 0, "directory": tmp_path}
    weights = network.round_weights(training.train(model, vectors, steps=800, **options))
    noise = 0.6  # at which a linear denoiser hedges
    t = noise**2 / (1 + noise**2)
    noisy = np.sqrt(1 - t) * vectors + np.sqrt(t) * rng.standard_normal(vectors.shape)
    errors = [np.square(network.exact_denoiser(model, each)(noisy, t) - vectors).sum(1).mean()
              for each in (weights, None)]
    assert errors[0] < 0.5 * errors[1]
    # What was trained is found again.
    again = training.train(model, vectors, steps=800, **options)
    for name, value in weights.items():
        np.testing.assert_array_equal(network.round_weights(again)[name], value)
