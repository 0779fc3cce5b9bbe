"""The generator's bounds of a Gaussian, whose best generator is linear: by draws, and by weights beyond the cap."""

import functools

import jax
import numpy as np
import pytest

from rdr.estimators import evaluate_generator, fit_generator, generator, importance_weighted

KEY = jax.random.key(0)
SLOPES = np.asarray([2.0, 200.0])  # of variance 1: D = .36 and .0036, R = .74 and 4.06 bits
SETTINGS = {"slopes": SLOPES, "key": KEY, "hidden": (), "steps": 150, "batch": 64, "draws": 64}


def gaussian(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 1)) - 3.0


@functools.cache
def fitted():
    return fit_generator(gaussian(2000), **SETTINGS)


def lagrangian():
    level = 1 / (2 * np.log(2) * SLOPES)
    return 0.5 * np.log2(1 / level) + SLOPES * level


def test_draws_bound_from_above_and_state_their_cap():
    found = evaluate_generator(fitted(), gaussian(4000, seed=1), key=KEY, refuse=False)
    value, reach = found.rate + SLOPES * found.distortion, 4 * (found.rate_se + SLOPES * found.distortion_se)
    assert (value > lagrangian() - reach).all()
    assert value[0] < 1.05 * lagrangian()[0] + reach[0]
    assert (found.rate <= 6).all() and "6.00 bits" in found.assumptions and found.kind == "upper"


def test_a_cap_that_binds_is_refused_where_it_does():
    with pytest.raises(ValueError, match=r"draws must be many enough .* got 16 \(4.00 bits\) for a rate of"):
        evaluate_generator(fitted()._replace(draws=16), gaussian(50, seed=1), key=KEY)


def test_importance_weights_go_beyond_the_cap():
    found = importance_weighted(fitted()._replace(draws=2), gaussian(4000, seed=1), key=KEY)
    value, reach = found.rate + SLOPES * found.distortion, 4 * (found.rate_se + SLOPES * found.distortion_se)
    assert (value > lagrangian() - reach).all()
    assert (value < 1.03 * lagrangian() + reach).all()  # 4 bits of two draws
    assert found.rate[1] > 3.5 and found.kind == "upper" and found.assumptions == ""


@pytest.mark.stress
def test_one_call_resumes_both_trainings_and_refuses_wrong_choices(tmp_path):
    settings = {**SETTINGS, "steps": 10, "slopes": SLOPES, "workdir": tmp_path}
    first = generator(gaussian(100), gaussian(50, seed=1), beyond_cap="importance", **settings)
    again = generator(gaussian(100), gaussian(50, seed=1), beyond_cap="importance", **settings)
    np.testing.assert_array_equal(again.rate, first.rate)
    assert {path.name for path in tmp_path.iterdir()} == {"generator", "encoder"}


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match="beyond_cap must be 'refuse', 'keep' or 'importance', got 'maybe'"):
        generator(gaussian(100), gaussian(50), beyond_cap="maybe", **SETTINGS)
    with pytest.raises(ValueError, match="draws must be a whole number"):
        fit_generator(gaussian(100), **{**SETTINGS, "draws": 0})
