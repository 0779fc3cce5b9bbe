"""Oracles: recorded values, SLSQP over correlations, the scalar closed form, limits."""

import json
import pathlib

import jax
import numpy as np
import pytest
from scipy import optimize

from theory import gaussian
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_realism as realism
from theory.numerics import units

VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())
EIGENVALUES = np.array([4.0, 1.0, 0.25])
RATE, DISTORTION = realism.perfect_realism_rate_distortion, realism.perfect_realism_distortion_rate
BY_DISTORTION, BY_RATE = (jax.jit(jax.grad(f, argnums=(0, 1))) for f in (RATE, DISTORTION))


def test_recorded_perfect_realism():
    for row in VALUES["vec_P0"]:
        lam = np.array(row["lam"], float)
        np.testing.assert_allclose(units.bits_to_nats(RATE(row["D"], lam)), row["R"], rtol=1e-13)
        filling = realism.perfect_realism_water_filling(row["D"], lam)
        np.testing.assert_allclose(filling.water_level, row["theta"], rtol=1e-12)
        np.testing.assert_allclose(filling.distortions, row["Di"], rtol=1e-12)
        np.testing.assert_allclose(filling.reconstruction_variances, lam)


def test_it_is_the_optimum_over_all_correlations():
    """Oracle: SLSQP on sum -1/2 log2(1 - rho^2) under sum 2 lam (1 - rho) <= D."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        lam = 10 ** rng.uniform(-1, 1, 4)
        d = rng.uniform(0.1, 1.8) * lam.sum()
        found = optimize.minimize(
            lambda x: np.sum(-0.5 * np.log2(1 - x**2)), x0=np.full(4, max(1 - d / (2 * lam.sum()), 0.05)),
            method="SLSQP", bounds=[(0, 1 - 1e-9)] * 4, options={"ftol": 1e-14, "maxiter": 500},
            constraints=[{"type": "ineq", "fun": lambda x, d=d, lam=lam: d - np.sum(2 * lam * (1 - x))}])
        np.testing.assert_allclose(RATE(d, lam), found.fun, atol=1e-7)


def test_equal_eigenvalues_are_copies_of_the_scalar_function():
    d = np.array([0.0, 1e-6, 0.3, 1.0, 1.9, 2.0, 5.0])
    scalar = gaussian.rate_distortion_perception(3.0 * d, 0.0, 3.0)
    np.testing.assert_allclose(RATE(12.0 * d, [3.0] * 4), 4 * scalar, rtol=1e-12)
    # The rows are also those of one component of weight 4.
    np.testing.assert_allclose(RATE(12.0 * d, [3.0], weights=[4.0]), 4 * scalar, rtol=1e-12)
    rate = np.array([0.0, 1e-9, 0.5, 4.0, 60.0])
    scalar = gaussian.distortion_rate_perception(rate, 0.0, 3.0)
    np.testing.assert_allclose(DISTORTION(4 * rate, [3.0] * 4), 4 * scalar, rtol=1e-12)


def test_rate_and_distortion_are_inverse():
    lam = np.array([40.0, 1.0, 1.0, 1e-4, 0.0])
    # At rate 0 the curve is flat: R ~ (2 sum lam - D)^2, so that rounding D costs sqrt(eps) of R there.
    rate = np.logspace(-4, 2, 25)
    distortion = DISTORTION(rate, lam)
    np.testing.assert_allclose(RATE(distortion, lam), rate, rtol=1e-9)
    assert DISTORTION(0.0, lam) == 2 * lam.sum() and DISTORTION(np.inf, lam) == 0.0
    assert DISTORTION(1.0, [0.0, 0.0]) == 0.0 and RATE(0.0, [0.0, 0.0]) == 0.0


def test_no_component_is_left_out_and_they_add_up():
    d = np.array([0.3, 3.0, 10.0])
    filling = realism.perfect_realism_water_filling(d, EIGENVALUES)
    assert (np.asarray(filling.rates) > 0).all()
    np.testing.assert_allclose(filling.distortions.sum(-1), d, rtol=1e-13)
    np.testing.assert_allclose(filling.rates.sum(-1), RATE(d, EIGENVALUES), rtol=1e-13)
    nothing = realism.perfect_realism_water_filling(20.0, EIGENVALUES)
    np.testing.assert_allclose(nothing.distortions, 2 * EIGENVALUES)
    assert (np.asarray(nothing.rates) == 0).all() and nothing.water_level == np.inf
    everything = realism.perfect_realism_water_filling(0.0, [1.0, 0.0])
    np.testing.assert_array_equal(everything.rates, [np.inf, 0.0])
    np.testing.assert_array_equal(everything.distortions, [0.0, 0.0])


def test_realism_costs_between_nothing_and_three_decibels():
    rng = np.random.default_rng(1)
    lam = 10 ** rng.uniform(-3, 1, (50, 6))
    d = rng.uniform(0.01, 1.99, 50) * lam.sum(-1)
    rate = np.asarray(RATE(d, lam))
    assert (rate >= np.asarray(gaussian_vector.rate_distortion(d, lam)) - 1e-13).all()
    assert (rate <= np.asarray(gaussian_vector.rate_distortion(d / 2, lam)) + 1e-13).all()


def test_order_convexity_and_scaling_on_random_inputs():
    rng = np.random.default_rng(2)
    lam = 10 ** rng.uniform(-2, 1, (20, 1, 6))
    d = np.sort(rng.uniform(0.001, 2.2, (20, 40)), -1) * lam.sum(-1)
    rate = np.asarray(RATE(d, lam))
    assert (np.diff(rate, axis=1) <= 1e-13).all()
    i, j = rng.integers(0, 40, (2, 60))
    assert (np.asarray(RATE((d[:, i] + d[:, j]) / 2, lam)) <= (rate[:, i] + rate[:, j]) / 2 + 1e-12).all()
    np.testing.assert_allclose(RATE(5 * d, 5 * lam), rate, atol=1e-12)
    assert (rate[d >= 2 * lam.sum(-1)] == 0).all()


@pytest.mark.parametrize("distortion", [1e-4, 1.5, 10.4])
def test_gradients_equal_finite_differences(distortion):
    slope, by_lam = BY_DISTORTION(distortion, EIGENVALUES)
    step = 1e-6 * distortion
    numeric = (RATE(distortion + step, EIGENVALUES) - RATE(distortion - step, EIGENVALUES)) / (2 * step)
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)
    for i in range(3):
        moved = np.eye(3)[i] * 1e-6
        numeric = (RATE(distortion, EIGENVALUES + moved) - RATE(distortion, EIGENVALUES - moved)) / 2e-6
        np.testing.assert_allclose(by_lam[i], numeric, rtol=1e-5, atol=1e-9)
    rate = float(RATE(distortion, EIGENVALUES))
    np.testing.assert_allclose(BY_RATE(rate, EIGENVALUES)[0], 1 / slope, rtol=1e-9)


def test_value_and_gradient_at_the_ends_and_at_a_zero_eigenvalue():
    lam = np.array([4.0, 1.0, 0.0])
    by_lam = BY_DISTORTION(1.5, lam)[1]
    one_sided = (RATE(1.5, lam + np.array([0, 0, 1e-7])) - RATE(1.5, lam)) / 1e-7
    np.testing.assert_allclose(by_lam[2], one_sided, rtol=1e-6)
    assert RATE(0.0, lam) == np.inf and BY_DISTORTION(0.0, lam)[0] == -np.inf
    for d in (10.0, 11.0, np.inf):
        assert RATE(d, lam) == 0.0 and BY_DISTORTION(d, lam)[0] == 0.0
    # The curve arrives at 2 sum lam with slope 0: -2 R'(D) sum lam^2 -> 2 sum lam - D in nats.
    near = BY_DISTORTION(10.0 - 1e-6, lam)[0] * np.log(2)
    np.testing.assert_allclose(near, -1e-6 / (4 * np.sum(lam**2)), rtol=1e-5)
    assert BY_RATE(0.0, lam)[0] == -np.inf
    np.testing.assert_allclose(BY_RATE(0.0, lam)[1], [2.0, 2.0, 2.0])
    second = jax.jit(jax.grad(jax.grad(RATE)))
    numeric = (BY_DISTORTION(1.5 + 1e-6, lam)[0] - BY_DISTORTION(1.5 - 1e-6, lam)[0]) / 2e-6
    np.testing.assert_allclose(second(1.5, lam), numeric, rtol=1e-7)


def test_arguments_outside_their_domain_are_refused_or_nan():
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        RATE(-1.0, EIGENVALUES)
    with pytest.raises(ValueError, match="rate must be >= 0"):
        DISTORTION(-1.0, EIGENVALUES)
    with pytest.raises(ValueError, match="eigenvalues must be >= 0"):
        realism.perfect_realism_water_filling(1.0, [-1.0])
    assert np.isnan(jax.jit(RATE)(-1.0, EIGENVALUES)) and np.isnan(jax.jit(DISTORTION)(-1.0, EIGENVALUES))
