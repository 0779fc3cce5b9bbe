"""Lower bounds with proved confidence: below the truth, weaker than those in expectation, what they say they assume."""

import jax
import numpy as np
import pytest

from theory.estimation import confident_dual, known_sources
from theory.estimation.confident_dual import certificate
from theory.estimation.csiszar_dual import dual_lines, evaluate_dual, fit_dual
from theory.gaussian import scalar


@pytest.fixture(scope="module")
def fitted():
    x = known_sources.gaussian_samples(jax.random.key(0), 20_000, [1.0])
    return fit_dual(x[:4000], slopes=[1.0, 3.0], atoms=32, iterations=60), x[4000:]


def test_bounds_hold_and_bounded_support_helps(fitted):
    function, x = fitted
    lines = dual_lines(function, x)
    plain = certificate(function, x)
    boxed = certificate(function, x, support=([-8.0], [8.0]))
    truth = np.asarray(scalar.rate_distortion(plain.distortion, 1.0))
    expected = np.asarray(lines.intercept - lines.slope * lines.distortion)
    for found in (plain, boxed):
        rate = np.asarray(found.rate)
        assert (rate < truth).all() and (rate < expected).all() and (rate >= 0).all()
        assert found.kind == "lower" and np.all(np.asarray(found.rate_se) == 0)
        assert "probability 0.95" in found.assumptions
    assert float(boxed.rate[1]) > max(float(plain.rate[1]), 0.5) and "box" in boxed.assumptions
    # More confidence costs rate.
    assert float(certificate(function, x, support=([-8.0], [8.0]), confidence=0.999).rate[1]) < float(boxed.rate[1])


def test_the_uncertainty_of_the_mean_is_taken_off(fitted, monkeypatch):
    """Empirical Bernstein, written out, beside a supremum of e^-5 instead of what samples say of it."""
    function, x = fitted
    monkeypatch.setattr(confident_dual, "_within", lambda *_: np.exp(-5.0))
    found = certificate(function, x, support=([-8.0], [8.0]))
    nu, surprise, n = np.asarray(evaluate_dual(x, function)), np.log(2 / (0.05 / 3)), len(x)
    spread = np.log((1 + np.asarray(function.floor)) / np.asarray(function.floor))
    radius = np.sqrt(2 * nu.var(0, ddof=1) * surprise / n) + 7 * spread * surprise / (3 * (n - 1))
    expected = nu.mean(0) - radius + 5 - np.asarray(function.slope) * np.asarray(found.distortion)
    np.testing.assert_allclose(found.rate, expected / np.log(2), rtol=1e-9)


def test_distortions_that_are_asked_for(fitted):
    function, x = fitted
    point = certificate(function, x, support=([-8.0], [8.0]), distortion=[0.24, 0.9, 5.0])
    assert (np.asarray(point.rate) < np.asarray(scalar.rate_distortion([0.24, 0.9, 1.0], 1.0)) + 1e-12).all()
    assert float(point.rate[2]) == 0.0


@pytest.mark.stress
def test_one_in_twenty_at_most_exceeds_the_truth():
    training = known_sources.gaussian_samples(jax.random.key(1), 2000, [1.0])
    function = fit_dual(training, slopes=[1.0], atoms=32, iterations=60)
    above = 0
    for key in jax.random.split(jax.random.key(2), 200):
        point = certificate(function, known_sources.gaussian_samples(key, 4000, [1.0]), support=([-9.0], [9.0]))
        above += float(point.rate[0]) > float(scalar.rate_distortion(point.distortion[0], 1.0))
    print(f"{above} of 200 above the truth")
    assert above <= 10


@pytest.mark.parametrize("arguments, message", [
    (dict(confidence=1.0), "confidence must be below 1"), (dict(confidence=0.0), "confidence must be > 0"),
    (dict(support=([-1.0], [1.0])), "support must contain every sample"),
    (dict(support=([1.0], [-1.0])), "support must be a lower"),
    (dict(support=([-1e9], [1e9])), "support must have few")])
def test_refuses(fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        certificate(*fitted, **arguments)


def test_between_corners_of_the_lattice_there_may_be_more():
    """All samples in the middle between two corners: the largest c is 1 there, and exp(-0.01) at the corners."""
    points = np.full((50_000, 1), 0.25)
    bound = confident_dual._within((np.zeros(1), np.ones(1)), points, np.zeros(50_000), 0.16, 1.0, 0.05)
    assert 1.0 <= bound < 1.001
