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


@pytest.mark.parametrize(("name", "side", "loss"), [("gaussian", 1, 0.06), ("projections", -1, 2.1)])
def test_curves_are_on_their_side_of_the_truth(name, side, loss):
    found = curves.curve(name, TRAINING, HELD_OUT, rate=RATES, atoms=16, iterations=30, finer=8)
    assert found.kind == {1: "upper", -1: "lower"}[side]
    slopes, _ = curves.gaussian_slopes(TRAINING, RATES)
    count = {"gaussian": 2, "projections": 16}[name]
    rate, distortion, rate_se, distortion_se = (np.asarray(values)[:count] for values in (
        found.rate, found.distortion, found.rate_se, found.distortion_se))
    errors = rate_se + np.repeat(slopes, count // 2) * distortion_se
    excess = side * (rate - np.asarray(vector.rate_distortion(distortion, VARIANCES)))
    assert (excess > -4 * errors).all() and (excess < loss).all()
    if name == "projections":  # a plane, and the component that is left
        np.testing.assert_allclose(rate, np.geomspace(0.25, 2.0, 16))
        exact = sum(np.asarray(vector.distortion_rate(rate, of)) for of in (VARIANCES[:2], VARIANCES[2:]))
        assert (distortion < exact + 4 * distortion_se).all() and (distortion[:6] > 0.9 * exact[:6]).all()


def test_the_last_point_of_a_gaussian_curve_sends_nothing():
    found = curves.curve("gaussian", TRAINING, HELD_OUT, rate=RATES)
    assert found.rate.shape == (3,) and found.rate[-1] == 0 and found.rate_se[-1] == 0
    errors = ((HELD_OUT - TRAINING.mean(0)) ** 2).sum(1)
    np.testing.assert_allclose(found.distortion[-1], errors.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.distortion_se[-1], errors.std(ddof=1) / errors.size**0.5, rtol=1e-12)


def test_the_dual_is_for_few_dimensions():
    few = curves.curve("dual", TRAINING[:, 1:2], HELD_OUT[:, 1:2], rate=RATES, atoms=16, iterations=30, finer=8)
    truth = np.asarray(vector.rate_distortion(np.asarray(few.distortion), VARIANCES[1:2]))
    assert truth.shape == (16,) and truth[0] < 0.3
    assert (np.asarray(few.rate) < truth + 4 * np.asarray(few.rate_se)).all()
    assert (np.asarray(few.rate) > truth - 0.3).all()
    with pytest.raises(ValueError, match="at most 3 dimensions, got 4"):
        curves.curve("dual", np.ones((9, 4)), np.ones((9, 4)), rate=RATES)
    with pytest.raises(ValueError, match="name must be"):
        curves.curve("blahut", TRAINING, HELD_OUT, rate=RATES)
    with pytest.raises(ValueError, match="size must be"):
        curves.curve("projections", TRAINING, HELD_OUT, rate=RATES, size=4)


def test_samples_that_differ_along_one_line_have_one_projection():
    line = np.random.default_rng(0).integers(0, 2, (40, 1)) * np.array([[1.0, 2.0, -1.0]])
    found = curves.curve("projections", line[:20], line[20:], rate=[0.5], size=2, atoms=4, iterations=5)
    assert found.rate.shape == (1,) and (np.asarray(found.distortion) <= 1.5).all()  # its variance
