"""Oracles: the Gaussian's closed form, recorded Sinkhorn values of uniform and Laplace (nats), Shannon's bound."""

import numpy as np
import pytest

from theory import continuous, gaussian

LN2 = np.log(2.0)


@pytest.fixture(scope="module")
def gaussian_curve():
    density = continuous.gaussian_mixture([0.0], [1.0], [1.0])
    return continuous.perfect_realism_curve(density, np.array([0.5, 1.0, 2.0]) / LN2)


def test_gaussian_meets_its_closed_form(gaussian_curve):
    # R = -log2(1 - (1 - D/2)^2) / 2 on the curve; at beta = 1/2, 1, 2 (nats) D is as recorded to nine digits.
    curve = gaussian_curve
    np.testing.assert_allclose(curve.distortion, [0.763932022, 0.438447187, 0.234435563], atol=2e-9)
    exact = -0.5 * np.log2(1.0 - (1.0 - curve.distortion / 2.0) ** 2)
    np.testing.assert_allclose(curve.rate, exact, atol=1e-8)
    assert np.all(curve.rate - curve.rate_lower < 1e-11) and np.all(curve.gap >= 0) and np.all(curve.certified)
    # The error estimate covers what is left, truncation at 1e-11 of the mass included.
    assert np.all(curve.discretization_error < 1e-9)


def test_brackets_between_points_of_the_curve(gaussian_curve):
    """Fault 28: `rate_at` knew the fields of one of the two kinds of curve only."""
    curve = gaussian_curve
    for i in range(3):
        low, high = continuous.rate_at(curve, curve.distortion[i])
        np.testing.assert_allclose([low, high], [curve.rate_lower[i], curve.rate[i]], atol=1e-9)
    middle = 0.5 * (curve.distortion[0] + curve.distortion[1])
    low, high = continuous.rate_at(curve, middle)
    assert low < gaussian.rate_distortion_perception(float(middle), 0.0) < high


@pytest.fixture(scope="module")
def laplace_curve():
    return continuous.perfect_realism_curve(continuous.laplace(np.sqrt(0.5)), np.array([0.5, 2.0, 8.0]) / LN2)


@pytest.mark.parametrize(
    ("density", "beta", "distortion", "rate", "digits"),
    [
        (continuous.uniform(), [6.0, 20.0], [0.0595297, 0.02106803], [0.2531183, 0.6614043], 2e-6),
        pytest.param(
            continuous.uniform(), [6.0, 20.0, 100.0],
            [0.0595297, 0.02106803, 0.0046483], [0.2531183, 0.6614043, 1.335714], 2e-6, marks=pytest.mark.stress,
        ),
        (
            continuous.laplace(np.sqrt(0.5)), [0.5, 2.0, 8.0],
            [0.716123, 0.226293, 0.060795], [0.243353, 0.720364, 1.341848], 1e-6,
        ),
    ],
)  # fmt: skip
def test_uniform_and_laplace_meet_recorded_values(density, beta, distortion, rate, digits, laplace_curve):
    curve = laplace_curve
    if density.name == "uniform":
        curve = continuous.perfect_realism_curve(density, np.array(beta) / LN2)
    np.testing.assert_allclose(curve.distortion, distortion, atol=digits)
    np.testing.assert_allclose(curve.rate * LN2, rate, atol=digits)
    assert np.all(curve.rate - curve.rate_lower < 1e-11)
    assert np.all(curve.discretization_error < 1e-10)
    # Linear-estimation Shannon bound h - log(2 pi e (D - D^2 / 4 var)) / 2, strict for these sources.
    variance, entropy = (1 / 12, 0.0) if density.name == "uniform" else (1.0, np.log(2 * np.e * np.sqrt(0.5)))
    d = np.asarray(curve.distortion)
    shannon = entropy - 0.5 * np.log(2 * np.pi * np.e * (d - d**2 / (4 * variance)))
    assert np.all(shannon < curve.rate_lower * LN2)


def test_extrapolation_removes_the_error_of_a_kinked_density_on_a_lattice(laplace_curve):
    x = np.arange(-200, 201) * 0.08
    lattice = continuous.from_grid("laplace", x, np.exp(-np.abs(x) * np.sqrt(2.0)))
    found = continuous.perfect_realism(lattice, slope=0.5 / LN2, spacing=0.08)
    truth = float((laplace_curve.rate + laplace_curve.slope * laplace_curve.distortion)[0])
    raw = abs(float(found.rate + found.slope * found.distortion) - truth)
    extrapolated = abs(float(found.extrapolated_rate + found.slope * found.extrapolated_distortion) - truth)
    assert raw > 1e-5
    assert extrapolated < raw / 30
    assert raw <= 1.5 * float(found.discretization_error)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="slopes must be > 0"):
        continuous.perfect_realism_curve(continuous.uniform(), [-1.0])
    with pytest.raises(ValueError, match="spacing must be > 0"):
        continuous.perfect_realism(continuous.uniform(), slope=1.0, spacing=0.0)
    with pytest.raises(ValueError, match="slope must be one number"):
        continuous.perfect_realism(continuous.uniform(), slope=[1.0])
