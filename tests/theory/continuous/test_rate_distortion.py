"""Oracles: the Gaussian's closed form, Shannon's lower bound, Blahut-Arimoto, an independent optimization of the atoms,
and the reference sandwiches of other programs (recorded values, nats, with the digits on which two routes agreed).
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory import continuous

# The package exports a function of the module's name.
module = importlib.import_module("theory.continuous.rate_distortion")

LN2 = np.log(2.0)
# beta (nats), D, R (nats): atoms optimized by BFGS, D and R to about 1e-6, R + beta D to about 1e-8.
UNIFORM = np.array([
    (6.5, 0.073120685, 0.063721652), (8, 0.053618289, 0.203500989), (12, 0.033987787, 0.391244508),
    (16, 0.027820675, 0.475645921), (20, 0.022932253, 0.564864695), (30, 0.015218459, 0.750342468),
    (50, 0.009377032, 0.975738267), (100, 0.004787450, 1.294598351),
])  # fmt: skip
ATOMS = [2, 2, 2, 2, 3, 3, 4, 6]


@pytest.fixture(scope="module")
def uniform_curve():
    return continuous.rate_distortion_curve(
        continuous.uniform(), np.concatenate([[5.9], UNIFORM[:, 0]]) / LN2, tolerance=1e-9
    )


def test_uniform_source_is_bracketed_to_1e_9_and_agrees_with_the_reference(uniform_curve):
    curve = uniform_curve
    assert bool(curve.converged.all())
    assert float(jnp.max(curve.rate - curve.rate_lower)) < 1e-9
    np.testing.assert_allclose(curve.distortion[1:], UNIFORM[:, 1], atol=2e-6)
    np.testing.assert_allclose(curve.rate[1:] * LN2, UNIFORM[:, 2], atol=2e-5)
    intercept = (curve.rate + curve.slope * curve.distortion)[1:] * LN2
    np.testing.assert_allclose(intercept, UNIFORM[:, 2] + UNIFORM[:, 0] * UNIFORM[:, 1], atol=1.5e-7)
    np.testing.assert_array_equal(curve.atoms_used[1:], ATOMS)


def test_uniform_source_has_no_rate_below_the_critical_slope(uniform_curve):
    np.testing.assert_allclose(uniform_curve.rate[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(uniform_curve.distortion[0], 1.0 / 12.0, rtol=1e-12)
    assert int(uniform_curve.atoms_used[0]) == 1


def test_uniform_source_at_slope_30_has_three_known_atoms(uniform_curve):
    used = uniform_curve.weights[6] > 0.0
    atoms, weights = uniform_curve.atoms[6][used][:, 0], uniform_curve.weights[6][used]
    order = jnp.argsort(atoms)
    np.testing.assert_allclose(atoms[order], [-0.309798, 0.0, 0.309798], atol=1e-6)
    np.testing.assert_allclose(weights[order], [0.354859, 0.290283, 0.354859], atol=1e-6)


def test_rate_at_brackets_the_curve_at_every_distortion(uniform_curve):
    distortion = jnp.array([0.002, 0.0093770320, 0.02, 0.07, 0.09])
    lower, upper = continuous.rate_at(uniform_curve, distortion)
    assert bool(jnp.all(lower <= upper + 1e-12)) and jnp.isinf(upper[0])
    np.testing.assert_allclose([lower[1], upper[1]], 0.975738267 / LN2, atol=1e-5)
    shannon = -0.5 * jnp.log2(2 * jnp.pi * jnp.e * distortion)
    assert bool(jnp.all(upper >= shannon))
    np.testing.assert_allclose([lower[-1], upper[-1]], 0.0, atol=1e-9)


def test_a_rate_at_a_distortion_has_the_slope_as_derivative(uniform_curve):
    # The supporting line through a point of the curve is its tangent: grad of the lower bound is minus the slope.
    derivative = jax.grad(lambda d: continuous.rate_at(uniform_curve, d)[0])(float(uniform_curve.distortion[6]))
    np.testing.assert_allclose(derivative, -uniform_curve.slope[6], rtol=1e-12)


# beta (nats), D, then the sandwich of a grid program for R (nats) at that D.
LAPLACE = np.array([
    (2, 0.2474154, 0.6264625, 0.6284910), (4, 0.1247076, 0.9690778, 0.9691993), (8, 0.0624624, 1.3143729, 1.3144488),
    (20, 0.0249968, 1.7721498, 1.7722102),
])  # fmt: skip


@pytest.mark.stress
def test_laplace_source_lies_in_the_reference_sandwiches_with_its_tails():
    tolerance = 1e-6
    beta, distortion, low, high = LAPLACE.T
    curve = continuous.rate_distortion_curve(
        continuous.laplace(np.sqrt(0.5)), beta / LN2, tolerance=tolerance, max_atoms=320)
    assert bool(curve.converged.all()) and float(jnp.max(curve.rate - curve.rate_lower)) < tolerance
    np.testing.assert_allclose(curve.distortion, distortion, atol=2e-5)
    # R at the reference's D: move along the tangent; D differs by under 1e-4 of itself, the bend is below 1e-8.
    tangent = np.asarray(curve.slope * (curve.distortion - distortion))
    rate = (np.stack([curve.rate_lower, curve.rate]) + tangent[None]) * LN2
    assert np.all(rate[1] >= low) and np.all(rate[0] <= high)
    # Shannon: h = log2(2 e b).
    shannon = np.log2(2 * np.e * np.sqrt(0.5)) - 0.5 * np.log2(2 * np.pi * np.e * np.asarray(curve.distortion))
    assert np.all(shannon < np.asarray(curve.rate_lower))


def test_gaussian_source_meets_its_closed_form():
    # At beta = 1 (nats), D = 1/(2 beta) and R = log2(1/D)/2.
    density = continuous.gaussian_mixture([0.0], [1.0], [1.0])
    curve = continuous.rate_distortion_curve(density, np.array([1.0]) / LN2, tolerance=1e-7)
    exact = 0.5 * jnp.log2(1.0 / curve.distortion)
    assert bool(jnp.all(curve.rate_lower <= exact)) and bool(jnp.all(exact <= curve.rate + 1e-12))
    assert float(jnp.max(curve.rate - curve.rate_lower)) < 1e-6
    intercept = curve.rate + curve.slope * curve.distortion
    np.testing.assert_allclose(intercept, [0.5 + 0.5 / LN2], atol=1e-7)


@pytest.mark.stress
def test_mixture_is_bracketed_and_agrees_with_blahut_arimoto():
    density = continuous.gaussian_mixture([-2.0, 1.5], [0.5, 1.0], [0.3, 0.7])
    point = continuous.rate_distortion(density, slope=0.5 / LN2, tolerance=1e-8)
    assert bool(point.converged)
    rule = density.rule(1.0)
    y = jnp.linspace(-5.0, 5.0, 101)
    kernel = jnp.exp(-0.5 * (rule.nodes - y[None]) ** 2)
    q = jax.lax.fori_loop(0, 3000, lambda _, q: q * ((rule.weights / (kernel @ q)) @ kernel), jnp.full(101, 1 / 101))
    upper = -rule.weights @ jnp.log2(kernel @ q)
    intercept = float(point.rate + point.slope * point.distortion)
    # The grid of step 0.1 and 3000 iterations (F - F* <= ln 101 / 3000) can only be above.
    assert -1e-8 < float(upper) - intercept < 5e-3


def test_banana_lies_in_the_reference_sandwich_and_above_shannon():
    # Recorded: beta = 1/4 nats on the total squared error, D = 2.246576, R in [1.240971, 1.242689] bits.
    point = continuous.rate_distortion(
        continuous.banana(tail_mass=1e-4), slope=0.25 / LN2, tolerance=1e-3, max_atoms=90, rounds=3, steps=12
    )
    rate = np.array([point.rate_lower, point.rate]) + float(point.slope) * (float(point.distortion) - 2.246576)
    assert rate[1] - rate[0] < 2e-3
    assert rate[1] >= 1.240971 and rate[0] <= 1.242689
    assert float(point.rate) >= np.log2(3.0 / float(point.distortion))


@pytest.mark.stress
@pytest.mark.parametrize("beta, distortion, low, high, atoms", [
    (0.5, 1.226550, 1.745993, 1.752393, 160), (1.0, 0.704007, 2.263608, 2.274674, 250),
    (2.0, 0.448180, 2.758345, 2.779637, 400),
])
def test_banana_lies_in_every_reference_sandwich(beta, distortion, low, high, atoms):
    point = continuous.rate_distortion(
        continuous.banana(tail_mass=1e-5), slope=beta / LN2, tolerance=1e-4, max_atoms=atoms, rounds=6, steps=12)
    rate = np.array([point.rate_lower, point.rate]) + float(point.slope) * (float(point.distortion) - distortion)
    assert rate[1] - rate[0] < 4e-4
    # By convexity the tangent is below the curve: by less than this at a distortion that differs by under 2 %.
    bend = 0.5 * (np.log(float(point.distortion) / distortion)) ** 2 / LN2
    assert rate[1] + bend >= low and rate[0] <= high
    assert float(point.rate) >= np.log2(3.0 / float(point.distortion))


def test_a_point_mass_needs_no_rate():
    point = continuous.rate_distortion(continuous.from_points("one", [0.7], [1.0]), slope=3.0)
    np.testing.assert_allclose([point.rate, point.rate_lower, point.distortion], 0.0, atol=1e-9)


def test_two_letters_reproduced_on_the_line_and_curves_compile_once():
    before = module.solve_slope._cache_size()
    curve, _ = (
        continuous.rate_distortion_curve(continuous.from_points("two", [-1.0, 1.0], [p, 1 - p]), slopes)
        for p, slopes in ((0.5, [1.5, 4.0, 5.0]), (0.4, [2.5, 4.5, 5.0])))
    assert module.solve_slope._cache_size() - before == 1
    # By symmetry two atoms +-a: p(y|x) flips with probability e; everything is a function of one variable.
    point = jax.tree.map(lambda field: field[0], curve)
    a = jnp.linspace(0.0, 1.0, 200_001)
    flip = 1.0 / (1.0 + 2.0 ** (1.5 * 4 * a))
    entropy = -flip * jnp.log2(flip) - (1 - flip) * jnp.log2(1 - flip)
    lagrangian = 1.0 - entropy + 1.5 * ((1 - flip) * (1 - a) ** 2 + flip * (1 + a) ** 2)
    found = float(point.rate + point.slope * point.distortion)
    np.testing.assert_allclose(found, lagrangian.min(), atol=1e-8)
    assert float(point.rate - point.rate_lower) < 1e-8


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda d: continuous.rate_distortion_curve(d, [0.0]), "slopes must be > 0"),
        (lambda d: continuous.rate_distortion_curve(d, [np.nan]), "slopes must be > 0"),
        (lambda d: continuous.rate_distortion_curve(d, 1.0), r"slopes must have shape \[k\]"),
        (lambda d: continuous.rate_distortion(d, slope=[1.0, 2.0]), "slope must be one number"),
        (lambda d: continuous.rate_distortion(d, slope=1.0, tolerance=0.0), "tolerance must be > 0"),
    ],
)
def test_bad_arguments_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(continuous.uniform())


def test_a_coarse_bracket_at_given_distortions_with_progress():
    """Fault 28: a density with tails took minutes in silence, and slopes only."""
    said = []
    _, distortion, low, high = LAPLACE[0]
    point = continuous.rate_distortion(
        continuous.laplace(np.sqrt(0.5)), distortion=distortion, quality="coarse", progress=said.append)
    assert bool(point.converged) and point.distortion <= distortion
    assert 0.0 <= point.gap <= 1e-3
    assert point.rate * LN2 >= low and point.rate_lower * LN2 <= high
    assert said and all("steps" in line and "bits" in line for line in said)


LOGISTIC = continuous.from_pdf("logistic", lambda x: 0.25 / jnp.cosh(0.5 * x) ** 2, [-40.0, 0.0, 40.0])


@pytest.mark.stress
def test_coarse_brackets_of_other_densities():
    one = continuous.gaussian_mixture([0.0], [1.0], [1.0])
    for density, distortion in ((one, 0.1), (LOGISTIC, 0.5)):
        point = continuous.rate_distortion(density, distortion=distortion, quality="coarse")
        assert bool(point.converged) and point.distortion <= distortion
        assert 0.0 <= point.gap <= 1e-3
        if density is one:
            assert point.rate_lower <= 0.5 * np.log2(10.0) <= point.rate
        else:
            # Shannon's lower bound: h = 2 nats.
            assert point.rate >= 2.0 / LN2 - 0.5 * np.log2(2 * np.pi * np.e * distortion)
    none = continuous.rate_distortion(one, distortion=1.5, quality="coarse")
    assert float(none.rate_lower) == 0.0 <= float(none.gap) < 1e-6


def test_a_distortion_or_a_slope():
    with pytest.raises(ValueError, match="slope and distortion: give exactly one"):
        continuous.rate_distortion(continuous.uniform())
    with pytest.raises(ValueError, match="quality must be one of 'fine', 'coarse'"):
        continuous.rate_distortion(continuous.uniform(), slope=1.0, quality="best")
    with pytest.raises(ValueError, match="distortion must be > 0"):
        continuous.rate_distortion(continuous.uniform(), distortion=0.0)
