"""Oracles: recorded values, SLSQP on the definition, the scalar closed form, Monte Carlo, limits."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from theory import gaussian
from theory.gaussian import diffusion
from theory.gaussian import process as gaussian_process
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.gaussian import vector_realism as gaussian_vector_realism
from theory.numerics import units

VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())
EIGENVALUES = np.array([4.0, 1.0, 0.25])
BY_DISTORTION, BY_RATE = (
    jax.jit(jax.grad(f, argnums=(0, 1))) for f in (gaussian_vector.rate_distortion, gaussian_vector.distortion_rate))
CONDITIONAL = gaussian_vector.conditional_rate_distortion_perception
OF_CONDITIONAL = jax.jit(jax.grad(CONDITIONAL, argnums=(0, 1, 2)))


def finite_differences(f, point, step=1e-6):
    """Central differences of f along every entry of every argument."""
    slopes = []
    for k, argument in enumerate(point):
        argument = np.asarray(argument, float)
        slope = np.zeros(argument.shape)
        for index in np.ndindex(argument.shape):
            moved = np.zeros(argument.shape)
            moved[index] = step
            up, down = (
                f(*(argument + sign * moved if j == k else a for j, a in enumerate(point))) for sign in (1, -1))
            slope[index] = (up - down) / (2 * step)
        slopes.append(slope)
    return slopes


def test_recorded_water_filling():
    for row in VALUES["rwf"]:
        rate = gaussian_vector.rate_distortion(row["D"], np.array(row["lam"], float))
        # The recorded levels come from a bisection to 1e-12.
        np.testing.assert_allclose(units.bits_to_nats(rate), row["R"], rtol=1e-12)
        filling = gaussian_vector.water_filling(row["D"], np.array(row["lam"], float))
        np.testing.assert_allclose(filling.water_level, row["theta"], rtol=1e-12)
    assert abs(gaussian_vector.rate_distortion(1.5, EIGENVALUES) - 1.6780719051) < 5e-11


def test_water_filling_is_the_optimum_over_all_divisions_of_the_distortion():
    """Oracle: SLSQP over the components' distortions."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        lam = 10 ** rng.uniform(-1, 1, 4)
        d = rng.uniform(0.05, 0.9) * lam.sum()
        found = optimize.minimize(
            lambda x, lam=lam: np.sum(0.5 * np.log2(lam / x)), x0=lam * d / lam.sum(), method="SLSQP",
            bounds=[(1e-9, v) for v in lam], options={"ftol": 1e-14, "maxiter": 500},
            constraints=[{"type": "eq", "fun": lambda x, d=d: d - x.sum()}])
        np.testing.assert_allclose(gaussian_vector.rate_distortion(d, lam), found.fun, atol=1e-7)


def test_one_component_is_the_scalar_function():
    d = np.linspace(0, 3, 13)
    np.testing.assert_allclose(
        gaussian_vector.rate_distortion(d, [2.0]), gaussian.rate_distortion(d, 2.0), rtol=1e-14)
    np.testing.assert_allclose(
        gaussian_vector.distortion_rate(d, [2.0]), gaussian.distortion_rate(d, 2.0), rtol=1e-14)
    np.testing.assert_allclose(
        gaussian_vector.conditional_rate_distortion_perception(d, 0.1, [2.0]),
        gaussian.conditional_rate_distortion_perception(d, 0.1, 2.0), rtol=1e-13)


def test_a_weight_repeats_a_component():
    d = np.linspace(0.01, 12, 9)
    repeated = gaussian_vector.rate_distortion(d, [3.0, 3.0, 3.0, 0.5])
    np.testing.assert_allclose(
        gaussian_vector.rate_distortion(d, [3.0, 0.5, 9.0], weights=[3.0, 1.0, 0.0]), repeated, rtol=1e-13)


def test_rate_and_distortion_are_inverse():
    rate = np.linspace(0.0, 30.0, 31)
    lam = np.array([4.0, 1.0, 1.0, 1e-3, 0.0])
    distortion = gaussian_vector.distortion_rate(rate, lam)
    np.testing.assert_allclose(gaussian_vector.rate_distortion(distortion, lam), rate, rtol=1e-12, atol=1e-14)
    assert gaussian_vector.distortion_rate(np.inf, lam) == 0.0
    assert gaussian_vector.distortion_rate(1.0, [0.0, 0.0]) == 0.0


def test_the_components_add_up_to_the_whole():
    d = np.linspace(0.1, 6.0, 7)
    filling = gaussian_vector.water_filling(d, EIGENVALUES)
    np.testing.assert_allclose(filling.distortions.sum(-1), np.minimum(d, EIGENVALUES.sum()), rtol=1e-14)
    np.testing.assert_allclose(
        filling.rates.sum(-1), gaussian_vector.rate_distortion(d, EIGENVALUES), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(filling.reconstruction_variances + filling.distortions,
                               np.broadcast_to(EIGENVALUES, (7, 3)), rtol=1e-14)


def test_monte_carlo_of_the_backward_channel():
    """Oracle: simulated pairs of the optimal test channel have the stated distortion and information."""
    filling = gaussian_vector.water_filling(1.5, EIGENVALUES)
    gain = 1 - np.asarray(filling.distortions) / EIGENVALUES
    key = jax.random.key(0)
    x = np.sqrt(EIGENVALUES) * np.asarray(jax.random.normal(key, (200_000, 3)))
    noise = np.sqrt(gain * np.asarray(filling.distortions))
    y = gain * x + noise * np.asarray(jax.random.normal(jax.random.fold_in(key, 1), (200_000, 3)))
    errors = ((x - y) ** 2).sum(1)
    assert abs(errors.mean() - 1.5) < 4.5 * errors.std() / np.sqrt(len(errors))
    used = gain > 0
    correlation = np.array([np.corrcoef(x[:, i], y[:, i])[0, 1] for i in np.flatnonzero(used)])
    information = -0.5 * np.log2(1 - correlation**2).sum()
    # d(information)/d(rho) times the standard error (1 - rho^2)/sqrt(n) of each correlation.
    error = np.sqrt(np.sum((correlation / np.log(2)) ** 2 / 200_000))
    assert abs(information - float(gaussian_vector.rate_distortion(1.5, EIGENVALUES))) < 4.5 * error


@pytest.mark.parametrize("distortion", [0.1, 0.75, 1.5, 2.25, 5.2], ids=str)
def test_gradients_equal_finite_differences_also_where_a_component_drops_out(distortion):
    # 0.75 and 2.25 are the distortions at which components 0.25 and 1 leave the active set.
    point = (distortion, EIGENVALUES)
    gradient = BY_DISTORTION(*point)
    for found, numeric in zip(gradient, finite_differences(gaussian_vector.rate_distortion, point)):
        # At a region's edge the second derivative jumps: central differences are off by the step there.
        np.testing.assert_allclose(found, numeric, rtol=2e-6)
    rate = float(gaussian_vector.rate_distortion(*point))
    gradient = BY_RATE(rate, EIGENVALUES)
    numeric = finite_differences(gaussian_vector.distortion_rate, (rate, EIGENVALUES))
    for found, expected in zip(gradient, numeric):
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_gradient_at_a_zero_eigenvalue_and_at_the_ends():
    lam = np.array([4.0, 1.0, 0.0])
    gradient = BY_DISTORTION(1.5, lam)[1]
    one_sided = (gaussian_vector.rate_distortion(1.5, lam + np.array([0, 0, 1e-7]))
                 - gaussian_vector.rate_distortion(1.5, lam)) / 1e-7
    np.testing.assert_allclose(gradient[2], one_sided, rtol=1e-6)

    def slope(distortion, lam):
        return BY_DISTORTION(distortion, lam)[0]

    assert gaussian_vector.rate_distortion(0.0, lam) == np.inf and slope(0.0, lam) == -np.inf
    np.testing.assert_allclose(slope(1e-12, lam), -1e12 / np.log(2), rtol=1e-9)
    for d in (5.0, 7.0, np.inf):
        assert gaussian_vector.rate_distortion(d, lam) == 0.0 and slope(d, lam) == 0.0
    np.testing.assert_allclose(BY_RATE(0.0, lam)[0], -2 * np.log(2) * 4, rtol=1e-14)
    assert gaussian_vector.rate_distortion(0.0, [0.0, 0.0]) == 0.0


def test_second_derivatives_are_those_of_the_water_level():
    numeric = (BY_DISTORTION(1.5 + 1e-6, EIGENVALUES)[0] - BY_DISTORTION(1.5 - 1e-6, EIGENVALUES)[0]) / 2e-6
    second = jax.jit(jax.grad(jax.grad(gaussian_vector.rate_distortion)))(1.5, EIGENVALUES)
    np.testing.assert_allclose(second, numeric, rtol=1e-7)


def test_order_convexity_and_scaling_on_random_inputs():
    rng = np.random.default_rng(1)
    lam = 10 ** rng.uniform(-2, 1, (20, 1, 6))
    d = np.sort(rng.uniform(0.01, 1.3, (20, 40)), -1) * lam.sum(-1)
    rate = np.asarray(gaussian_vector.rate_distortion(d, lam))
    assert (np.diff(rate, axis=1) <= 1e-13).all()
    i, j = rng.integers(0, 40, (2, 60))
    middle = np.asarray(gaussian_vector.rate_distortion((d[:, i] + d[:, j]) / 2, lam))
    assert (middle <= (rate[:, i] + rate[:, j]) / 2 + 1e-12).all()
    np.testing.assert_allclose(gaussian_vector.rate_distortion(7 * d, 7 * lam), rate, atol=1e-12)
    assert (rate[d >= lam.sum(-1)] == 0).all()


def test_recorded_conditional_rates():
    d, perception = np.array([1.5, 3.0, 1.5]), np.array([0.1, 0.1, 0.0])
    rate = gaussian_vector.conditional_rate_distortion_perception(d, perception, EIGENVALUES)
    np.testing.assert_allclose(units.bits_to_nats(rate), [1.648622914, 0.895228306, 2.079441542], atol=6e-10)


def test_conditional_rate_is_the_optimum_over_the_messages_distortion():
    """Oracle: the definition, D = G + [sqrt(G) - sqrt(P)]_+^2 with G what the message leaves, on a fine grid."""
    grid = np.linspace(1e-4, 5.0, 200_001)
    rates = np.asarray(gaussian_vector.rate_distortion(grid, EIGENVALUES))
    for d, perception in [(1.5, 0.1), (3.0, 0.7), (0.5, 0.6)]:
        reached = grid + np.maximum(np.sqrt(grid) - np.sqrt(perception), 0) ** 2
        best = rates[reached <= d].min()
        found = gaussian_vector.conditional_rate_distortion_perception(d, perception, EIGENVALUES)
        assert 0 <= best - float(found) < 3e-5 * 4  # the grid's step times the slope


def test_conditional_rate_at_its_edges():
    rate = gaussian_vector.conditional_rate_distortion_perception
    d = np.linspace(0.1, 6, 5)
    plain = gaussian_vector.rate_distortion(d, EIGENVALUES)
    np.testing.assert_allclose(rate(d, np.inf, EIGENVALUES), plain, rtol=1e-14)
    np.testing.assert_allclose(rate(d, 0.0, EIGENVALUES),
                               gaussian_vector.rate_distortion(d / 2, EIGENVALUES), rtol=1e-13)
    gradient = OF_CONDITIONAL(1.5, 0.0, EIGENVALUES)
    assert gradient[1] == -np.inf and np.isfinite(gradient[0]) and np.isfinite(gradient[2]).all()
    point = (1.5, 0.2, EIGENVALUES)
    for found, numeric in zip(OF_CONDITIONAL(*point), finite_differences(rate, point)):
        np.testing.assert_allclose(found, numeric, rtol=2e-6)


def test_eigenvalues_of_a_rotated_covariance():
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    covariance = rotation @ np.diag(EIGENVALUES) @ rotation.T
    np.testing.assert_allclose(gaussian_vector.eigenvalues_of(covariance), np.sort(EIGENVALUES), rtol=1e-13)
    rank_one = np.outer([1.0, 2.0], [1.0, 2.0])
    found = np.asarray(gaussian_vector.eigenvalues_of(rank_one))
    assert (found >= 0).all() and abs(found[1] - 5.0) < 1e-14
    # Equal eigenvalues: the derivative of their sum is the identity.
    slope = jax.grad(lambda c: gaussian_vector.eigenvalues_of(c).sum())(jnp.eye(3))
    np.testing.assert_allclose(slope, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("call, said", [
    (lambda: gaussian_vector.rate_distortion(-1.0, EIGENVALUES), "distortion must be >= 0"),
    (lambda: gaussian_vector.rate_distortion(1.0, [1.0, -1.0]), "eigenvalues must be >= 0"),
    (lambda: gaussian_vector.rate_distortion(1.0, 3.0), "eigenvalues must have shape"),
    (lambda: gaussian_vector.rate_distortion(1.0, []), "eigenvalues must have shape"),
    (lambda: gaussian_vector.rate_distortion(1.0, [1.0, 2.0], weights=[1.0]), "weights must have shape"),
    (lambda: gaussian_vector.rate_distortion(1.0, [1.0, 2.0], weights=[1.0, -1.0]), "weights must be >= 0"),
    (lambda: gaussian_vector.distortion_rate(np.nan, EIGENVALUES), "rate must be >= 0"),
    (lambda: gaussian_vector.conditional_rate_distortion_perception(1.0, -1.0, EIGENVALUES), "perception"),
    (lambda: gaussian_vector.eigenvalues_of(np.ones((2, 3))), "covariance must have shape"),
    (lambda: gaussian_vector.eigenvalues_of([[1.0, 0.5], [0.0, 1.0]]), "covariance must be symmetric"),
    (lambda: gaussian_vector.eigenvalues_of([[1.0, 2.0], [2.0, 1.0]]), "covariance needs eigenvalues >= 0"),
])
def test_arguments_outside_their_domain_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_inside_a_trace_they_give_nan():
    assert np.isnan(jax.jit(gaussian_vector.rate_distortion)(-1.0, EIGENVALUES))
    assert np.isnan(jax.jit(gaussian_vector.distortion_rate)(-1.0, EIGENVALUES))
    conditional = jax.jit(gaussian_vector.conditional_rate_distortion_perception)
    assert np.isnan(conditional(-1.0, 0.1, EIGENVALUES)) and np.isnan(conditional(1.0, -0.1, EIGENVALUES))


def test_conditional_perception_at_zero_where_nothing_is_sent():
    def rate(distortion, perception):
        return gaussian_vector.conditional_rate_distortion_perception(distortion, perception, np.ones(2))

    by_perception = jax.jit(jax.grad(rate, argnums=1))
    assert by_perception(5.0, 0.0) == 0.0 and rate(5.0, 0.0) == 0.0
    assert by_perception(0.5, 0.0) == -np.inf
    # Away from the edge: one number, by differences.
    slope = (rate(0.5, 0.1 + 1e-6) - rate(0.5, 0.1 - 1e-6)) / 2e-6
    np.testing.assert_allclose(by_perception(0.5, 0.1), slope, rtol=1e-7)
    assert np.isnan(jax.jit(rate)(0.5, np.nan)) and np.isnan(jax.jit(rate)(0.5, -0.1))


@jax.jit
def every_function(lam, w):
    return [
        gaussian_vector.rate_distortion(0.5, lam, weights=w),
        gaussian_vector.distortion_rate(0.5, lam, weights=w),
        gaussian_vector.water_filling(0.5, lam, weights=w).rates,
        gaussian_vector_realism.perfect_realism_rate_distortion(0.5, lam, weights=w),
        gaussian_vector_realism.perfect_realism_distortion_rate(0.5, lam, weights=w),
        gaussian_vector_perception.rate_distortion_perception(0.5, 0.1, lam, weights=w).rate,
        gaussian_vector.conditional_rate_distortion_perception(0.5, 0.1, lam, weights=w),
        gaussian_process.rate_distortion(0.5, lam, weights=w),
        jnp.stack(diffusion.diffusion_compression(0.5, lam, weights=w)),
    ]


@pytest.mark.parametrize("eigenvalues, weights", [([1.0, -1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, -1.0]),
                                                  ([1.0, np.nan], [1.0, 1.0]), ([1.0, np.inf], [1.0, 1.0])])
def test_traced_arguments_outside_of_the_domain_give_nan_everywhere(eigenvalues, weights):
    for value in every_function(np.array(eigenvalues), np.array(weights)):
        assert np.isnan(value).all()
    for value in every_function(np.ones(2), np.ones(2)):
        assert np.isfinite(value).all()


def test_a_traced_covariance_outside_of_the_domain_gives_nan():
    eigenvalues = jax.jit(gaussian_vector.eigenvalues_of)
    bad = np.array([[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]], [[1.0, np.nan], [np.nan, 1.0]]])
    assert np.isnan(eigenvalues(bad)).all()
    np.testing.assert_allclose(eigenvalues(np.broadcast_to(np.ones((2, 2)), (3, 2, 2)))[0], [0.0, 2.0], atol=1e-15)
