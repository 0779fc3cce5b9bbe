"""Oracles: a conic solver's recorded values, the solver of one stage, sources known to be refinable."""

import pathlib

import jax
import numpy as np
import pytest

from theory.discrete import rate_distortion
from theory.discrete.successive_refinement import refinability, refinement_point

OPTIMIZED = True
RECORDED = pathlib.Path(__file__).parent / "data" / "successive_refinement.npz"
DISTANCE = np.abs(np.subtract.outer(np.arange(3), np.arange(3))).astype(float)
FOUND = jax.jit(jax.vmap(lambda pmf, first, second, slopes, weight: refinement_point(
    pmf, first, second, slopes=(slopes[0], slopes[1]), weight=weight, tolerance=1e-5, max_iterations=2000)))


def gerrish(p):
    return np.array([(1 - p) / 2, p, (1 - p) / 2])


@pytest.fixture(scope="module")
def recorded():
    data = np.load(RECORDED)
    return data, FOUND(*(data[name] for name in ("pmf", "first", "second", "slopes", "weight")))


def test_recorded_conic_solutions(recorded):
    """Clarabel's default tolerance of 1e-8, times a few for its scaling."""
    data, found = recorded
    assert (found.lagrangian_lower <= data["value"] + 1e-6).all()
    assert (found.lagrangian >= data["value"] - 1e-6).all()
    gap = np.asarray(found.lagrangian - found.lagrangian_lower)
    assert (gap >= 0).all() and np.mean(found.converged) > 0.9 and gap.max() < 1e-2
    np.testing.assert_allclose(found.channel.sum((2, 3)), np.ones((500, 3)), rtol=1e-12)


def test_rates_are_those_of_the_channel(recorded):
    data, found = recorded
    joint = data["pmf"][:, :, None, None] * np.asarray(found.channel)
    for rate, table in ((found.first_rate, joint.sum(-1)), (found.total_rate, joint.reshape(500, 3, 9))):
        product = table.sum(1, keepdims=True) * table.sum(2, keepdims=True)
        ratio = np.where(table > 0, table, 1) / np.where(table > 0, product, 1)
        terms = table * np.log2(ratio)
        np.testing.assert_allclose(rate, terms.sum((1, 2)), atol=1e-12)
    np.testing.assert_allclose(found.first_distortion, (joint.sum(-1) * data["first"]).sum((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.second_distortion, (joint.sum(2) * data["second"]).sum((1, 2)), rtol=1e-12)


def test_letters_that_never_occur_and_large_slopes_leave_numbers():
    """Output laws underflow at slopes of hundreds of bits; then both rates are the entropy of the source."""
    pmf, hamming = np.array([0.0, 0.3, 0.7]), 1.0 - np.eye(3)
    for slopes, weight in (((3000.0, 3000.0), 1.0), ((1111.0, 8104.0), 0.0)):
        found = refinement_point(pmf, hamming, hamming, slopes=slopes, weight=weight)
        entropy = -0.3 * np.log2(0.3) - 0.7 * np.log2(0.7)
        assert 0 <= found.lagrangian - found.lagrangian_lower <= 1e-6
        np.testing.assert_allclose(found.lagrangian, (weight + 1) * entropy, rtol=1e-6)
        np.testing.assert_allclose(np.asarray(found.channel).sum((1, 2)), 1, atol=1e-12)


def test_gerrish_source_is_not_refinable():
    """The excess at p = .15 from D = .7 to .3 (recorded by the conic solver, too), and none from .5 to .2."""
    found = refinability(gerrish(0.15), DISTANCE, DISTANCE, distortions=(0.7, 0.3), tolerance=1e-5)
    assert 2.30e-3 < found.excess_lower <= found.excess_upper < 2.35e-3
    # The conic value of the same Lagrangian.
    value = float(np.load(RECORDED)["gerrish"])
    assert found.point.lagrangian_lower - 1e-6 <= value <= found.point.lagrangian + 1e-6
    free = refinability(gerrish(0.15), DISTANCE, DISTANCE, distortions=(0.5, 0.2), tolerance=1e-5)
    assert 0 == free.excess_lower <= free.excess_upper < 2e-5


def test_hamming_distortion_is_refinable_and_the_code_is_the_two_single_ones():
    pmf, matrix = np.array([0.5, 0.3, 0.2]), 1 - np.eye(3)
    found = refinability(pmf, matrix, matrix, distortions=(0.3, 0.1), tolerance=1e-5)
    assert found.excess_lower == 0 and found.excess_upper < 2e-5
    single = [rate_distortion(pmf, matrix, distortion=d).rate for d in (0.3, 0.1)]
    np.testing.assert_allclose([found.point.first_rate, found.point.total_rate], single, atol=1e-3)
    assert found.point.total_rate - found.point.first_rate > 0.5


@pytest.mark.parametrize(("keywords", "said"), [
    ({"slopes": (0.0, 1.0)}, "slopes"), ({"slopes": (1.0, 1.0), "weight": -1.0}, "weight"),
    ({"slopes": (1.0, 1.0), "max_iterations": 0}, "max_iterations")])
def test_refused(keywords, said):
    with pytest.raises(ValueError, match=said):
        refinement_point(gerrish(0.2), DISTANCE, DISTANCE, **keywords)


def test_a_distortion_without_rate_is_refused():
    with pytest.raises(ValueError, match=r"distortions\[0\]"):
        refinability(gerrish(0.2), DISTANCE, DISTANCE, distortions=(0.9, 0.3))


def test_laplace_refinement_adds_up():
    """What the derivation says of |x - y|: N of scale D_1 is the mixture for (D_2, D_1) plus N_2 of scale D_2."""
    first, second = 0.8, 0.3
    t = np.linspace(-40, 40, 401)

    def laplace(scale):
        return 1 / (1 + scale**2 * t**2)

    share = (second / first) ** 2
    mixture = share + (1 - share) * laplace(first)
    np.testing.assert_allclose(mixture * laplace(second), laplace(first), rtol=1e-13)
