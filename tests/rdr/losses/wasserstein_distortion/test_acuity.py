"""Maps of sigma by acuity: the threshold itself, its place, edges."""

import numpy as np
import pytest

from rdr.losses.wasserstein_distortion.acuity import finest_frequency, sigma_from_acuity
from rdr.vision import castle_csf


def test_the_finest_grating_is_just_seen_and_finer_ones_are_not():
    degrees = np.array([0.0, 5.0, 20.0])
    u = np.asarray(finest_frequency(degrees, luminance=50.0, contrast=0.5, visual_field=90.0), np.float64)
    found = castle_csf.mechanism_sensitivities(
        np.stack([u, 1.1 * u, 2 * u]), 50.0, eccentricity=degrees[None], visual_field=90.0).achromatic
    np.testing.assert_allclose(found[0], 2.0, rtol=2e-4)
    assert np.all(found[1:] < 2.0)
    # Some fifty cycles per degree at the fovea, as people's acuity is; ever less away from it.
    assert 30 < finest_frequency(0.0)[()] < 70 and np.all(np.diff(u) < 0)


def test_sigma_is_half_a_period_where_the_eye_looks_and_grows_away_from_it():
    sigma = np.asarray(sigma_from_acuity((9, 41), (4.0, 0.0), pixels_per_degree=2.0))
    assert sigma.dtype == np.float32
    np.testing.assert_allclose(sigma[4, 0], 0.5 * 2.0 / float(finest_frequency(0.0)), rtol=1e-3)
    np.testing.assert_allclose(sigma[4, 40], 0.5 * 2.0 / float(finest_frequency(20.0)), rtol=1e-3)
    assert np.all(np.diff(sigma[4]) > 0)
    np.testing.assert_array_equal(sigma, sigma[::-1])


def test_nothing_is_seen_at_the_far_periphery_and_what_is_impossible_is_refused():
    assert finest_frequency(119.0, luminance=0.01, contrast=0.01) == 0
    dark = sigma_from_acuity((1, 2), (0.0, 0.0), pixels_per_degree=0.01, luminance=0.01, contrast=0.01)
    assert np.isinf(dark[0, 1])
    for call, message in (
        (lambda: finest_frequency(1.0, contrast=0.0), "contrast must be in"),
        (lambda: finest_frequency(-1.0), "eccentricity must be non-negative"),
        (lambda: finest_frequency(1.0, luminance=-1.0), "luminance must be positive"),
        (lambda: sigma_from_acuity((2, 2), (0, 0), pixels_per_degree=0.0), "pixels_per_degree must be positive"),
        (lambda: sigma_from_acuity((2, 2), (0, 0), pixels_per_degree=9.0, periods=-1.0), "periods must"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
