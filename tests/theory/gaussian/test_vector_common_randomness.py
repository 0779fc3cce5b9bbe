"""Oracles: a conic solver's recorded values, the scalar closed form, both ends, random splits, finite differences."""

import functools
import pathlib

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.gaussian import vector, vector_realism
from theory.gaussian import vector_common_randomness as shared

RECORDED = pathlib.Path(__file__).parent / "data" / "vector_common_randomness.npz"
COUNT, SIZE = 500, 4


def padded(function, first, common, eigenvalues):
    """Calls with one shape throughout, so that each function is compiled once."""
    first, common = np.broadcast_arrays(np.asarray(first, float), np.asarray(common, float))
    lam = np.zeros((COUNT, SIZE))
    lam[: first.size, : np.shape(eigenvalues)[-1]] = eigenvalues
    flat = [np.concatenate([x.ravel(), np.ones(COUNT - first.size)]) for x in (first, common)]
    found = function(*flat, lam)
    return jax.tree.map(lambda x: np.asarray(x)[: first.size].reshape((*first.shape, *x.shape[1:])), found)


def test_recorded_conic_solutions():
    """Clarabel was asked for 1e-11; what it returned is within 3e-8 of the truth, relative to 2 sum lam."""
    data = np.load(RECORDED)
    found = shared.strong_realism_split(data["rate"], data["common_randomness"], data["eigenvalues"])
    scale = 2.0 * data["eigenvalues"].sum(-1)
    assert (np.abs(found.distortion - data["perfect"]) <= 3e-8 * scale).all()
    assert (found.distortion_lower <= found.distortion).all()
    assert (found.distortion - found.distortion_lower <= 2e-13 * scale).all()
    assert (found.rates.sum(-1) <= data["rate"] * (1 + 1e-14)).all()
    assert (found.common_randomness >= 0).all() and (found.randomness_price <= 0.5 * found.rate_price).all()
    used = (found.rates + found.common_randomness).sum(-1)
    assert (used <= (data["rate"] + data["common_randomness"]) * (1 + 1e-14)).all()
    # The levels say which components are left to the decoder.
    nu = found.randomness_price / np.log(4.0)
    mu = found.rate_price / np.log(4.0) - nu
    left = data["eigenvalues"] ** 2 <= (mu * nu)[:, None] * (1 - 1e-9)
    assert left.any(0).sum() > 1 and (found.rates[left] == 0).all()
    assert (found.rates[data["eigenvalues"] ** 2 > (mu * nu)[:, None] * (1 + 1e-9)] > 0).all()


def test_one_component_is_the_scalar_closed_form():
    rate = np.array([0.0, 1e-12, 1e-6, 0.1, 1.0, 5.0, 60.0])[:, None]
    common = np.array([0.0, 1e-6, 0.3, 4.0, 1e3, np.inf])
    found = padded(shared.strong_realism_split, rate, common, [2.5])
    exact = gaussian.strong_realism_distortion(rate, common, 0.0, 2.5)
    np.testing.assert_allclose(found.distortion, exact, rtol=1e-14)
    assert (found.distortion_lower <= exact * (1 + 1e-15)).all()
    rates = padded(shared.strong_realism_rate, exact, common, [2.5])
    # Near R = 0 the curve is 5 (1 - c sqrt(R)): a rounding of D costs sqrt(R) 1e-15 there.
    np.testing.assert_allclose(rates, np.broadcast_to(rate, exact.shape), rtol=1e-12, atol=1e-15)


def test_both_ends_are_known_functions():
    lam, rate = np.array([4.0, 1.0, 0.25, 1e-3]), np.array([1e-3, 0.2, 1.0, 4.0, 30.0])
    found = padded(shared.strong_realism_split, rate, 0.0, lam)
    np.testing.assert_allclose(found.distortion, 2.0 * vector.distortion_rate(rate, lam), rtol=1e-13)
    np.testing.assert_allclose(found.randomness_price, 0.5 * found.rate_price, rtol=1e-12)
    found = padded(shared.strong_realism_split, rate, np.inf, lam)
    exact = vector_realism.perfect_realism_distortion_rate(rate, lam)
    np.testing.assert_allclose(found.distortion, exact, rtol=1e-13)
    filling = vector_realism.perfect_realism_water_filling(exact, lam)
    np.testing.assert_allclose(found.rates, filling.rates, rtol=1e-6, atol=1e-12)
    assert (found.rates > 0).all() and (found.randomness_price == 0).all()
    np.testing.assert_allclose(found.rate_price, 2.0 * np.log(2.0) * filling.water_level, rtol=1e-9)


def test_no_split_does_better_than_the_lower_bound():
    rng = np.random.default_rng(1)
    lam, rate, common = np.array([3.0, 1.0, 0.4, 0.05]), 1.3, 0.8
    lower = padded(shared.strong_realism_split, rate, common, lam).distortion_lower
    sent = rng.dirichlet(np.full(4, 0.7), 200_000) * rate
    known = rng.dirichlet(np.full(4, 0.7), 200_000) * (rate + common)
    reached = 2.0 * lam.sum() - 2.0 * np.sqrt((1 - 4.0**-sent) * (1 - 4.0**-known)) @ lam
    assert lower <= reached.min() < 1.03 * lower


def test_gradients_are_those_of_differences():
    lam, point, step = np.array([4.0, 1.0, 0.25, 0.01]), np.array([1.0, 0.7]), 1e-5
    both = np.concatenate([point, lam])
    steps = both + step * np.concatenate([np.eye(6), -np.eye(6)])
    for function, first in ((shared.strong_realism_distortion, 1.0), (shared.strong_realism_rate, 3.0)):
        start = np.concatenate([[first], both[1:]])
        moved = steps - both + start
        values = padded(function, moved[:, 0], moved[:, 1], moved[:, 2:])
        differences = (values[:6] - values[6:]) / (2.0 * step)
        grad = by_all(function, start)
        np.testing.assert_allclose(grad, differences, rtol=1e-7, atol=1e-8)
        saved = -differences[1] / differences[0] if first == 1.0 else -differences[1]
        assert 0.0 < abs(saved) < 0.5


@functools.partial(jax.jit, static_argnums=0)
def by_all(function, x):
    return jax.grad(lambda x: padded_sum(function, x))(x)


def padded_sum(function, x):
    row = np.eye(COUNT)[0]
    lam = row[:, None] * x[None, 2:] + (1.0 - row)[:, None]
    return function(x[0] * row + 1.0 - row, x[1] * row + 1.0 - row, lam)[0]


def test_edges():
    lam = np.array([1.0, 0.5, 0.0, 0.0])
    found = padded(shared.strong_realism_distortion, [0.0, 0.0, np.inf, 1e4], [0.0, np.inf, 0.0, 1.0], lam)
    np.testing.assert_array_equal(found, [3.0, 3.0, 0.0, 0.0])
    found = padded(shared.strong_realism_rate, [0.0, 3.0, 5.0, np.inf], [1.0, 0.0, np.inf, 2.0], lam)
    np.testing.assert_array_equal(found, [np.inf, 0.0, 0.0, 0.0])

    def at(common):
        return by_all(shared.strong_realism_distortion, np.array([0.0, common, *lam]))[0]
    assert at(1.0) == -np.inf
    np.testing.assert_allclose(at(0.0), -4.0 * np.log(2.0), rtol=1e-14)  # twice that of reverse water-filling
    nothing = padded(shared.strong_realism_split, 1.0, 1.0, np.zeros(4))
    assert nothing.distortion == 0.0 and (nothing.rates == 0).all()
    ones = np.ones(COUNT)
    bad = jax.jit(lambda c: shared.strong_realism_distortion(ones, c, np.ones((COUNT, SIZE))))(-ones)
    assert np.isnan(bad).all()


@pytest.mark.parametrize(("arguments", "said"), [
    ((-1.0, 0.0, [1.0]), "rate"), ((1.0, -0.5, [1.0]), "common_randomness"),
    ((1.0, np.nan, [1.0]), "common_randomness"), ((1.0, 0.5, [-1.0]), "eigenvalues"), ((1.0, 0.5, 1.0), "eigenvalues")])
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        shared.strong_realism_split(*arguments)
