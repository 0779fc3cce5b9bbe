"""Oracles: the functions that are looked up, two codecs' closed forms, and the source without noise."""

import numpy as np
import pytest

from theory.bounds import bounds_of, interval, remote_bounds_of, sources
from theory.gaussian import remote, vector


def test_gaussian_sources_seen_through_noise():
    source, d = sources.gaussian(1.0, 2.0), np.array([[0.45], [0.6], [1.0], [3.0]])
    least = 2.0 * 0.5 / 2.5
    plain = interval(remote_bounds_of(source, noise_variance=0.5), d)
    np.testing.assert_array_equal(plain.lower, plain.upper)
    by_hand = np.maximum(0.5 * np.log2((2.0 - least) / (d - least)), 0.0)
    np.testing.assert_allclose(plain.lower, by_hand, rtol=1e-12, atol=1e-15)
    assert np.isinf(interval(remote_bounds_of(source, noise_variance=0.5), 0.99 * least).lower)
    p = np.array([0.0, 0.05, 9.0])
    for perception in ("w2sq", "kl"):
        (found,) = remote_bounds_of(source, noise_variance=0.5, perception=perception)
        assert found.kind == "exact" and "0.4" in found.conditions and "unlimited" in found.conditions
        rate = np.asarray(found.rate(d, p))
        np.testing.assert_array_equal(
            rate, remote.remote_rate_distortion_perception(d, p, 2.0, 0.5, divergence=perception))
        # Noise does not help, and realism has its price.
        assert np.all(rate >= interval(bounds_of(source, perception=perception), d, p).upper - 1e-12)
        assert np.all(rate >= plain.lower - 1e-12) and np.any(rate[:, :1] > plain.lower + 1e-3)


def test_vectors_seen_through_noise():
    eigenvalues, noise = np.array([4.0, 1.0, 0.25]), np.array([0.1, 1.0, 0.0])
    (found,) = remote_bounds_of(sources.gaussian_vector(eigenvalues), noise_variance=noise)
    rates = np.array([0.3, 2.0])
    np.testing.assert_allclose(
        found.rate(remote.noisy_source_codecs(rates, eigenvalues, noise).denoised_before, 0.0), rates, rtol=1e-11)
    least = 0.4 / 4.1 + 0.5
    np.testing.assert_array_equal(found.rate(np.array([0.5 * least, 6.0]), 0.0), [np.inf, 0.0])
    (clean,) = remote_bounds_of(sources.gaussian_vector(eigenvalues), noise_variance=0.0)
    np.testing.assert_allclose(clean.rate(1.5), vector.rate_distortion(1.5, eigenvalues), rtol=1e-14)


def test_what_is_not_known_is_said():
    for source, options, said in [
        (sources.laplace(), {}, r"'laplace' seen through noise .*known are .*\('gaussian', 'squared_error', 'w2sq'\)"),
        (sources.gaussian(), {"perception": "tv"}, "nothing is known of source 'gaussian'"),
        (sources.gaussian(), {"perception": "fid"}, "perception must be one of"),
        (sources.gaussian(), {"distortion": "mse"}, "distortion must be one of"),
        (sources.gaussian(), {"noise_variance": -1.0}, "noise_variance must be >= 0"),
        (sources.gaussian(), {"noise_variance": [1.0]}, "one number"),
        (sources.gaussian_vector(), {"noise_variance": [1.0, 2.0]}, "for 3 components"),
        ("gaussian", {}, "source must be made by"),
    ]:
        with pytest.raises(ValueError, match=said):
            remote_bounds_of(source, **{"noise_variance": 1.0, **options})
