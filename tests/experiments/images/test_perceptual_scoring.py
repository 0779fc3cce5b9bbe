"""Responses of metrics to distortions, by hand."""

import numpy as np

from experiments.images import perceptual_scoring
from rdr.evaluation.metric_suite import dissimilarity
from rdr.metrics.full_reference import full_reference


def test_a_response_is_the_noise_of_equal_score_over_the_distortion():
    errors = [1e-4, 4e-4, 1.6e-3, 6.4e-3]
    # A score that is the root of the squared error for noise, and of an eighth of it for the distortion.
    noise, distorted = np.sqrt(errors), np.sqrt(np.array(errors) / 8)
    wide = [1e-7, *errors, 1.0]
    found = perceptual_scoring.response(distorted.tolist(), errors, np.sqrt(wide).tolist(), wide)
    np.testing.assert_allclose(found, -3.0, rtol=1e-12)
    np.testing.assert_allclose(perceptual_scoring.response(noise, errors, np.sqrt(wide), wide), 0.0, atol=1e-12)
    # Unseen, and seen beyond all noise: cut.
    assert perceptual_scoring.response([0.0] * 4, errors, np.sqrt(wide), wide) == -6.0
    assert perceptual_scoring.response([1e9] * 4, errors, np.sqrt(wide), wide) == 6.0


def test_a_metric_that_falls_with_noise_counts_the_least_noise_that_reaches_a_score():
    # Scores 1, 3, 2, 4 of noises 1, 4, 16, 64: a score of 2.5 is reached between the first two.
    found = perceptual_scoring.response([2.5], [1.0], [1.0, 3.0, 2.0, 4.0], [1.0, 4.0, 16.0, 64.0])
    np.testing.assert_allclose(found, 2 * np.log2(2.5) / np.log2(3.0), rtol=1e-12)


def test_similarities_become_distances():
    values = np.array([1.0, 0.25])
    np.testing.assert_array_equal(dissimilarity(full_reference("ssim"), values), [0.0, 0.75])
    np.testing.assert_array_equal(dissimilarity(full_reference("mse"), values), values)
