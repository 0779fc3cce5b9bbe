"""Oracles: the Gaussian's closed forms; R(D) of Laplace, uniform and Gaussian sources, exact or in recorded
sandwiches; recorded values of R(D, 0). All of them lie within the brackets of 64 bins.
"""

import jax
import numpy as np
import pytest

from theory import continuous, continuous_perception, gaussian
from theory.continuous_perception import bins as binning

LN2 = np.log(2.0)
DIVERGENCES = ["kl", "w2sq"]
LAPLACE = continuous.laplace(np.sqrt(0.5))
NORMAL = continuous.gaussian_mixture([0.0], [1.0], [1.0])


def solve(density, distortion, perception, divergence, **options):
    found = continuous_perception.rate_distortion_perception(
        density, distortion=distortion, perception=perception, divergence=divergence, **options)
    assert np.all(found.certified) and np.all(found.gap >= 0) and np.all(found.quadrature_error < 1e-9)
    assert np.all(found.distortion <= distortion)
    assert np.all(found.perception <= np.asarray(perception) * (1 + 1e-12) + 1e-15)
    return found


@pytest.mark.parametrize(("divergence", "gap"), [
    ("kl", 0.003), pytest.param("w2sq", 0.013, marks=pytest.mark.stress)])
def test_a_gaussian_s_closed_form_lies_within(divergence, gap):
    distortion, perception = np.array([0.3, 0.3, 0.6]), np.array([1e-3, 1e-2, 2e-3])
    found = solve(NORMAL, distortion, perception, divergence)
    exact = gaussian.rate_distortion_perception(distortion, perception, divergence=divergence)
    assert found.rate.shape == (3,)
    assert np.all(found.rate_lower <= exact) and np.all(exact <= found.rate) and np.all(found.gap < gap)
    # Two draws within bins cost two mean variances (at most) of distortion; nothing else is lost under KL.
    if divergence == "kl":
        variance = binning.bins_of(NORMAL.panels(1024, 6), 64).mean_variance
        assert np.all(found.rate - exact < found.slope * 2 * variance)


def test_the_gap_shrinks_with_the_square_of_the_number_of_bins():
    coarse = solve(NORMAL, 0.3, 1e-2, "kl", bins=40)
    fine = solve(NORMAL, 0.3, 1e-2, "kl")
    assert 2.0 < float(coarse.gap / fine.gap) < 3.2  # (64 / 40)^2 = 2.56


@pytest.mark.parametrize("divergence", ["kl", pytest.param("w2sq", marks=pytest.mark.stress)])
def test_other_densities_between_their_rates_without_perception_and_with_all_of_it(divergence):
    # At beta = 20 nats the tangent to the uniform's R(D), of other tests, and R(D, 0) at the distortion 0.02106803.
    # Whatever the perception, R(2 D, P) <= R(D) (Blau and Michaeli 2019): the last point, at twice the tangent's D.
    perception = np.array([1e-4, 1e-3, 0.06, 1e-4])
    found = solve(continuous.uniform(), np.array([0.02106803] * 3 + [2 * 0.022932253]), perception, divergence)
    assert float(found.rate[-1]) < 0.564864695 / LN2
    found = jax.tree.map(lambda x: x[:3], found)
    least, most = (0.564864695 + 20 * (0.022932253 - 0.02106803)) / LN2, 0.6614043 / LN2
    assert np.all(found.rate >= least - 1e-6) and np.all(found.rate_lower <= most + 1e-6)
    assert np.all(np.diff(found.rate) < 0) and np.all(np.diff(found.rate_lower) < 0) and np.all(found.gap < 0.0025)
    if divergence == "w2sq":
        assert float(found.rate[-1]) < least + 0.004
    # Laplace: the reference's sandwich of R(D) at beta = 2; R(D, 0) at 0.226293.
    found = solve(LAPLACE, np.array([0.2474154, 0.226293, 2 * 0.2474154]), np.array([0.2, 1e-4, 1e-4]), divergence)
    assert float(found.rate[-1]) < 0.6264625 / LN2
    assert found.rate[0] >= 0.6264625 / LN2 and found.rate_lower[1] <= 0.720364 / LN2 + 1e-6
    assert float(found.rate[1]) > 0.720364 / LN2 - 0.02 and np.all(found.gap < 0.017)
    if divergence == "w2sq":
        assert found.rate_lower[0] <= 0.6284910 / LN2


def test_absolute_error_with_much_perception_is_the_rate_distortion_function():
    found = solve(NORMAL, np.array([0.4, 0.6]), np.array([0.5, 0.5]), "w2sq", cost="absolute")
    exact = gaussian.absolute_error.gaussian_rate_distortion(np.array([0.4, 0.6]))
    assert np.all(found.rate_lower <= exact) and np.all(exact <= found.rate) and np.all(found.gap < 0.006)
    # Laplace: R(D) = log2(b / D). No perception makes it smaller.
    with_little = solve(LAPLACE, 0.4, np.array([1e-3, 1e-2]), "kl", cost="absolute")
    assert np.all(with_little.rate > np.log2(np.sqrt(0.5) / 0.4)) and np.all(with_little.gap < 0.012)
    # E |X - Y|^2 >= (E |X - Y|)^2: a rate at D under absolute error is one at D^2 for squared error, or less.
    squared = solve(LAPLACE, 0.16, np.array([1e-3, 1e-2]), "kl")
    assert np.all(with_little.rate_lower <= squared.rate)


def test_enough_distortion_needs_no_rate():
    found = solve(NORMAL, np.array([2.0 + 1e-6, 7.0]), 1e-3, "kl")
    np.testing.assert_allclose(found.rate, 0.0, atol=1e-14)
    np.testing.assert_array_equal(found.rate_lower, 0.0)


@pytest.mark.stress
@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_random_points_and_both_ends_of_perception(divergence):
    rng = np.random.default_rng(0)
    distortion = np.concatenate([rng.uniform(0.05, 1.5, 250), [0.3, 0.3]])
    perception = np.concatenate([np.exp(rng.uniform(-10.0, 1.0, 250)), [0.0, np.inf]])
    found = continuous_perception.rate_distortion_perception(
        NORMAL, distortion=distortion, perception=perception, divergence=divergence, bins=32)
    exact = gaussian.rate_distortion_perception(distortion, perception, divergence=divergence)
    assert np.all(found.certified) and np.all(found.rate_lower <= exact) and np.all(exact <= found.rate)
    assert np.all(found.gap < 0.02 + 0.05 * np.asarray(found.slope) ** 0.5)


@pytest.mark.parametrize(("change", "match"), [
    ({"distortion": 0.0}, "distortion must be > 0"), ({"perception": -1.0}, "perception must be >= 0"),
    ({"divergence": "tv"}, "divergence"), ({"cost": "cubic"}, "cost"), ({"bins": 4}, "bins"),
    ({"distortion": 1e-4}, "give more bins"), ({"distortion": [0.3, 1e-4]}, "give more bins"),
    ({"density": continuous.from_points("points", [0.0, 1.0], [0.5, 0.5])}, "theory.discrete"),
])
def test_what_is_refused(change, match):
    arguments = {"density": continuous.uniform(3.0), "distortion": 0.3, "perception": 0.1, "bins": 16, **change}
    with pytest.raises(ValueError, match=match):
        continuous_perception.rate_distortion_perception(arguments.pop("density"), **arguments)
