"""Oracle: R(D) of a Gaussian vector, between what comes from its samples."""

import jax
import numpy as np
import pytest

from theory.estimation import curves, known_sources
from theory.gaussian import vector

VARIANCES = np.array([2.0, 0.5, 0.1])
SAMPLES = np.asarray(known_sources.gaussian_samples(jax.random.key(3), 3000, VARIANCES))
TRAINING, HELD_OUT = SAMPLES[:1500], SAMPLES[1500:]
RATES = np.array([0.7, 2.0])


def test_slopes_are_derivatives_where_the_rates_are():
    slopes, places = curves.gaussian_slopes(TRAINING, RATES)
    eigenvalues = np.linalg.eigvalsh(np.cov(TRAINING.T, bias=True))
    np.testing.assert_allclose(vector.rate_distortion(places, eigenvalues), RATES, rtol=1e-9)
    step = 1e-5
    rise = [np.asarray(vector.rate_distortion(places + sign * step, eigenvalues)) for sign in (-1, 1)]
    np.testing.assert_allclose(slopes, (rise[0] - rise[1]) / (2 * step), rtol=1e-6)


def test_the_gaussian_is_above_the_truth():
    found = curves.curve("gaussian", TRAINING, HELD_OUT, rate=RATES)
    assert found.kind == "upper"
    slopes, _ = curves.gaussian_slopes(TRAINING, RATES)
    errors = np.asarray(found.rate_se) + np.asarray(slopes) * np.asarray(found.distortion_se)
    excess = np.asarray(found.rate) - np.asarray(vector.rate_distortion(np.asarray(found.distortion), VARIANCES))
    assert (excess > -4 * errors).all() and (excess < 0.06).all()
    with pytest.raises(ValueError, match="name must be"):
        curves.curve("blahut", TRAINING, HELD_OUT, rate=RATES)
