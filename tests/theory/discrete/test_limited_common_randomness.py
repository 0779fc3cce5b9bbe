"""Oracles: the doubling R(D/2) at C = 0, R(D, P=0) at C = infinity, the joint distribution recomputed by hand, and an
independent minimization for two letters.
"""

import importlib

import jax.numpy as jnp
import numpy as np
import pytest

from theory import continuous
from theory.discrete import estimation_bound, limited_common_randomness, rate_distortion_perception

module = importlib.import_module("theory.discrete.limited_common_randomness")

PMF = np.array([0.2, 0.5, 0.3])
POINTS = np.array([0.0, 1.0, 2.0])
COST = (POINTS[:, None] - POINTS) ** 2
SEEDS = (0.0, 0.4, np.inf)


def solve(seed):
    return limited_common_randomness(
        PMF, COST, common_randomness=seed, slope=1.5, points=POINTS, auxiliary_size=5, restarts=4, steps=120
    )


@pytest.fixture(scope="module")
def results():
    return dict(zip(SEEDS, map(solve, SEEDS)))


@pytest.mark.parametrize("seed", SEEDS)
def test_returned_channels_are_what_is_claimed(results, seed):
    found = results[seed]
    encoder, decoder = np.asarray(found.encoder), np.asarray(found.decoder)
    np.testing.assert_allclose(encoder.sum(1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(decoder.sum(1), 1.0, rtol=1e-12)
    assert encoder.min() >= 0 and decoder.min() >= 0
    joint = PMF[:, None, None] * encoder[:, :, None] * decoder[None]
    np.testing.assert_allclose(joint.sum((0, 1)), PMF, atol=1e-12)
    np.testing.assert_allclose((joint * COST[:, None]).sum(), found.distortion, rtol=1e-10)

    def information(pair):
        product = pair.sum(1, keepdims=True) * pair.sum(0, keepdims=True)
        return np.sum(pair[pair > 0] * np.log2(pair[pair > 0] / product[pair > 0]))

    np.testing.assert_allclose(information(joint.sum(2)), found.information_input, atol=1e-10)
    np.testing.assert_allclose(information(joint.sum(0).T), found.information_output, atol=1e-10)
    np.testing.assert_allclose(
        found.rate, max(float(found.information_input), float(found.information_output) - seed), atol=1e-12
    )


@pytest.mark.parametrize(("seed", "gap"), [(0.0, 2e-3), (0.4, 0.03), (np.inf, 2e-3)])
def test_bounds_are_ordered_and_meet_where_they_are_known_to(results, seed, gap):
    found = results[seed]
    # At C = 0 and infinity both are tight: what is left is the search (the value is within 2e-3 bit here).
    assert -1e-9 <= float(found.rate - found.rate_lower) < gap


def test_without_common_randomness_the_distortion_doubles(results):
    # R(D, C=0) = R_classical(D/2), the classical rate being that of reproduction on the whole line.
    found = results[0.0]
    curve = continuous.rate_distortion_curve(
        continuous.from_points("letters", POINTS, PMF), np.geomspace(1.0, 12.0, 12), rounds=6
    )
    lower, upper = continuous.rate_at(curve, found.distortion / 2.0)
    assert float(lower) - 1e-9 <= float(found.rate) <= float(upper) + 5e-3


def test_more_common_randomness_needs_less_rate(results):
    lagrangian = [float(results[seed].rate + 1.5 * results[seed].distortion) for seed in SEEDS]
    assert lagrangian[0] > lagrangian[1] + 0.01 > lagrangian[2] + 0.02


@pytest.mark.stress  # programs of their own; the doubled rate-distortion function is the oracle for three letters
def test_two_letters_without_seed_match_a_scan_over_binary_codes():
    # C = 0, +-1 equally likely: E[X|U] = m U, posterior sampling, D = 2 (1 - m^2), R = 1 - H((1 + m) / 2).
    points = np.array([-1.0, 1.0])
    found = limited_common_randomness(
        [0.5, 0.5], (points[:, None] - points) ** 2, common_randomness=0.0, slope=0.6, points=points,
        auxiliary_size=5, restarts=4, steps=120,
    )  # fmt: skip
    m = np.linspace(0.0, 1.0, 100_001)[1:-1]
    up = (1 + m) / 2
    best = np.min(1 + up * np.log2(up) + (1 - up) * np.log2(1 - up) + 0.6 * 2 * (1 - m**2))
    np.testing.assert_allclose(found.rate + 0.6 * found.distortion, best, atol=1e-3)
    assert float(found.rate + 0.6 * found.distortion) >= best - 1e-8


def test_estimation_bound_is_the_doubled_distortion_rate_function_at_no_seed():
    # Two letters: D(R) by the same binary code, exact for +-1 by symmetry.
    m = 0.8
    rate = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
    bound = float(estimation_bound([-1.0, 1.0], [0.5, 0.5], 2 * (1 - m**2), 0.0, num_slopes=24))
    assert rate - 0.02 < bound <= rate + 1e-9
    assert float(estimation_bound([-1.0, 1.0], [0.5, 0.5], 2 * (1 - m**2), jnp.inf, num_slopes=24)) < bound
    assert float(estimation_bound([1.0, 1.0], [0.5, 0.5], 0.1, 0.0)) == 0.0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(pmf=[0.0, 0.5, 0.5]), "pmf must be > 0"),
        (dict(pmf=[0.5, 0.5]), r"shape \[n, n\]"),
        (dict(distortion_matrix=-COST), "distortion_matrix must be >= 0"),
        (dict(common_randomness=-1.0), "common_randomness must be >= 0"),
        (dict(slope=0.0), "slope must be > 0"),
        (dict(restarts=0), "restarts must be >= 1"),
        (dict(points=2 * POINTS), "squared distance between the points"),
    ],
)
def test_bad_arguments_are_refused(change, match):
    arguments = dict(pmf=PMF, distortion_matrix=COST, common_randomness=1.0, slope=1.0) | change
    with pytest.raises(ValueError, match=match):
        limited_common_randomness(arguments.pop("pmf"), arguments.pop("distortion_matrix"), **arguments)


def test_unlimited_common_randomness_is_the_classical_optimum_at_perfect_realism():
    """Fault 5: a local search returned .6397 where R(D, 0) is .5729."""
    pmf, places = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 3.0])
    cost = (places[:, None] - places) ** 2
    answer = limited_common_randomness(pmf, cost, common_randomness=np.inf, slope=1.0, restarts=1, steps=20)
    assert answer.gap < 1e-6 and answer.certified
    unlimited = rate_distortion_perception(
        pmf, cost, distortion=float(answer.distortion), perception=0.0, divergence="tv")
    np.testing.assert_allclose(answer.rate, unlimited.rate, atol=1e-6)


def test_slopes_of_the_estimation_bound_are_those_that_the_rate_needs():
    """Fault 7: letters at a distance of 1e-5 asked for slopes of 1e11, and the bound took for ever."""
    pmf, places = np.full(3, 1 / 3), np.array([0.0, 1.0, 1.00001])[:, None]
    variance = float(np.sum(pmf[:, None] * (places - pmf @ places) ** 2))
    slopes = module._supporting_slopes(places, pmf, variance, 0.1, 12)
    assert slopes.size == 12 and slopes.max() < 8 * np.log2(3) / 0.1 + 1e-9 and slopes.max() < 1000
    assert module._supporting_slopes(places, pmf, variance, 0.0, 12).max() <= 2e4 / variance * (1 + 1e-12)
    # Letters that are far apart are resolved as before.
    assert module._supporting_slopes(POINTS[:, None], PMF, 0.49, 1e-3, 12).max() == pytest.approx(12.0)


def test_no_dispersion_is_claimed_under_perfect_realism():
    """The notion is not defined there: NaN, of the shapes that other solutions have."""
    zero = np.zeros(())
    answer = module.LimitedCommonRandomness(zero, zero, "", zero, zero, zero, zero, zero, np.eye(3), np.eye(3))
    assert np.isnan(answer.dispersion) and answer.dispersion.shape == ()
    assert np.isnan(answer.tilted_information).all() and answer.tilted_information.shape == (3,)
