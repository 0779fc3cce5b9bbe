"""Oracles: a conic solver's recorded two-sided values, the scalar closed form, unlimited randomness, random splits."""

import pathlib

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import common_randomness, vector, vector_common_randomness, vector_perception
from theory.gaussian.vector_block_realism import block_realism, block_realism_rate

RECORDED = pathlib.Path(__file__).parent / "data" / "vector_common_randomness.npz"
COUNT, SIZE = 500, 4


@pytest.fixture(scope="module")
def solved():
    """Recorded problems and those of the tests below, in one call: name -> (arguments, answer)."""
    data = np.load(RECORDED)
    few = slice(0, 350)
    tasks = {"recorded": (data["rate"][few], data["common_randomness"][few], data["perception"][few],
                          data["eigenvalues"][few])}
    grid = np.meshgrid([1e-3, 0.3, 2.0], [0.0, 0.5, np.inf], [0.0, 0.01, 0.3, 9.0], indexing="ij")
    flat = [axis.ravel() for axis in grid]
    tasks["scalar"] = (*flat, np.tile([2.5, 0.0, 0.0, 0.0], (36, 1)))
    grid = np.meshgrid([0.1, 1.0, 4.0], [0.0, 0.4, np.inf], [0.0, 0.05, 0.5, 6.0], indexing="ij")
    tasks["vector"] = (*(axis.ravel() for axis in grid), np.tile([4.0, 1.0, 0.25, 0.01], (36, 1)))
    tasks["edges"] = (np.array([0.0, 0.0, 1e4]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.04, 0.0]),
                      np.tile([1.0, 0.5, 0.0, 0.0], (3, 1)))
    parts = list(tasks.values())
    missing = COUNT - sum(len(part[0]) for part in parts)
    parts.append((*(np.ones(missing) for _ in range(3)), np.ones((missing, SIZE))))
    answer = block_realism(*(np.concatenate(rows) for rows in zip(*parts)))
    ends = np.cumsum([len(part[0]) for part in parts])
    return {name: (part, jax.tree.map(lambda x, stop=stop, part=part: np.asarray(x)[stop - len(part[0]): stop], answer))
            for (name, part), stop in zip(tasks.items(), ends)}


def test_recorded_conic_solutions(solved):
    """The conic solver's two sides are off by its own tolerance, seen as up to 1e-7 of the variance."""
    data, (arguments, found) = np.load(RECORDED), solved["recorded"]
    scale, count = arguments[3].sum(-1), len(arguments[0])
    assert (found.lower <= found.upper).all()
    assert (found.lower <= data["upper"][:count] + 1e-7 * scale).all()
    assert (found.upper >= data["lower"][:count] - 1e-7 * scale).all()
    assert (found.upper - found.lower <= 1e-6 * scale).all()
    assert np.median((found.upper - found.lower) / scale) < 1e-11
    assert (found.rates.sum(-1) <= arguments[0] * (1 + 1e-12)).all()
    assert (found.known.sum(-1) <= (arguments[0] + arguments[1]) * (1 + 1e-12)).all()


def test_one_component_is_the_scalar_closed_form(solved):
    (rate, common, perception, _), found = solved["scalar"]
    exact = gaussian.strong_realism_distortion(rate, common, perception, 2.5)
    np.testing.assert_allclose(found.upper, exact, rtol=1e-13)
    assert (found.lower <= exact * (1 + 1e-14)).all() and (found.lower >= exact * (1 - 1e-9)).all()


def test_both_ends_are_known_functions(solved):
    (rate, common, perception, lam), found = solved["vector"]
    assert (found.upper - found.lower <= 1e-7 * found.upper).all()
    perfect = perception == 0
    np.testing.assert_allclose(found.upper[perfect], vector_common_randomness.strong_realism_distortion(
        rate, common, lam)[perfect], rtol=1e-12)
    free = perception == 6.0
    np.testing.assert_allclose(found.upper[free], vector.distortion_rate(rate, lam)[free], rtol=1e-12)
    unlimited = np.isinf(common)
    back = vector_perception.rate_distortion_perception(
        found.upper[unlimited], perception[unlimited], lam[unlimited]).rate
    np.testing.assert_allclose(back, rate[unlimited], rtol=1e-7)


def test_no_split_does_better_than_the_lower_bound(solved):
    (rate, common, perception, lam), found = solved["vector"]
    rng = np.random.default_rng(0)
    for row in np.flatnonzero(np.isfinite(common)):
        sent, known = (rng.dirichlet(np.full(4, 0.5), 4000) * total for total in (rate[row], rate[row] + common[row]))
        a, b = 1 - 4.0**-sent, 1 - 4.0**-known
        gap = (1 + a - 2 * np.sqrt(a * b)) @ lam[row]
        reached = (1 - a) @ lam[row] + np.maximum(np.sqrt(gap) - np.sqrt(perception[row]), 0) ** 2
        assert found.lower[row] <= reached.min()


def test_edges(solved):
    _, found = solved["edges"]
    np.testing.assert_allclose(found.upper, [3.0, 1.5 + (np.sqrt(1.5) - 0.2) ** 2, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(found.lower, found.upper)


@pytest.mark.parametrize(("arguments", "said"), [
    ((-1.0, 0.0, 0.0, [1.0]), "rate"), ((1.0, -0.5, 0.0, [1.0]), "common_randomness"),
    ((1.0, 0.5, -1.0, [1.0]), "perception"), ((1.0, 0.5, 0.0, [-1.0]), "eigenvalues")])
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        block_realism(*arguments)


@pytest.mark.stress  # compiles the solver once more; tests/theory/bounds/test_lookup.py has the scalar's inverse, too
def test_rates_are_those_at_which_the_distortion_is_reached():
    """Oracles: the scalar's inverse in one component, both ends of common randomness in a vector."""
    d, shared, perception = np.array([0.5, 3.0, 2.0, 5.5]), np.array([0.7, np.inf, 0.0, 0.0]), np.full(4, 0.2)
    scalar = common_randomness.strong_realism_rate(d, shared, perception, 3.0)
    found = block_realism_rate(d, shared, perception, np.tile([3.0, 0.0], (4, 1)))
    np.testing.assert_allclose(found.upper, scalar, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.lower, scalar, rtol=1e-8, atol=1e-9)
    lam = np.tile([3.0, 0.5], (4, 1))
    found = jax.tree.map(np.asarray, block_realism_rate(d, shared, perception, lam))
    assert np.all(found.lower <= found.upper) and np.all(found.upper - found.lower < 1e-6)
    free = np.asarray(vector_perception.rate_distortion_perception(d, perception, lam).rate)
    assert found.lower[1] <= free[1] * (1 + 1e-7) and found.upper[1] >= free[1] * (1 - 1e-12)
    assert np.all(found.lower[[0, 2]] > free[[0, 2]] + 1e-3) and found.upper[2] < vector.rate_distortion(1.0, lam[0])
    edges = block_realism_rate(np.array([0.0, 7.0, 0.0, 1.0]), shared, np.array([0.2, 0.0, np.inf, np.inf]), lam)
    np.testing.assert_allclose(edges.upper, [np.inf, 0.0, np.inf, vector.rate_distortion(1.0, lam[0])], rtol=1e-9)
    np.testing.assert_allclose(edges.lower, edges.upper, rtol=1e-7)
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        block_realism_rate(-1.0, 0.0, 0.0, [1.0])
