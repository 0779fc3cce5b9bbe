"""Oracles: moments and entropies in closed form; the rule at half the spacing."""

import jax.numpy as jnp
import numpy as np
import pytest

from theory.continuous import densities

DENSITIES = {
    "uniform": lambda: densities.uniform(2.0),
    "laplace": lambda: densities.laplace(0.5),
    "mixture": lambda: densities.gaussian_mixture([-1.0, 2.0], [0.5, 1.0], [0.25, 0.75]),
    "plane": lambda: densities.gaussian_mixture([[1.0, 0.0]], [[1.0, 0.5]], [1.0]),
    "banana": lambda: densities.banana(),
}
# Mean and covariance trace in closed form.
MOMENTS = {
    "uniform": ([0.0], 4.0 / 12.0),
    "laplace": ([0.0], 2 * 0.25),
    "mixture": ([0.25 * -1 + 0.75 * 2], 0.25 * (0.25 + 1) + 0.75 * (1 + 4) - 1.25**2),
    "plane": ([1.0, 0.0], 1.25),
    # E U = (0, -.9); rotated by -240 degrees and shifted.
    "banana": ([0.9 * np.sqrt(3) / 2 - 1.0, 0.45 - 1.0], 10.87),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_rule_has_the_density_s_moments(name):
    rule = DENSITIES[name]().rule(0.5)
    nodes, weights = np.asarray(rule.nodes), np.asarray(rule.weights)
    mean, variance = MOMENTS[name]
    found = weights @ nodes
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found, mean, atol=1e-10)
    np.testing.assert_allclose((weights[:, None] * (nodes - found) ** 2).sum(), variance, rtol=1e-10)


@pytest.mark.parametrize("name", DENSITIES)
def test_rule_resolves_a_kernel_of_unit_width(name):
    # log of a sum of two kernels exp(-s|x-y|^2), sqrt(s) = 2 = 1/spacing, as the solver integrates it.
    def integral(spacing):
        rule = DENSITIES[name]().rule(spacing)
        squares = [np.sum((np.asarray(rule.nodes) - shift) ** 2, axis=-1) for shift in (0.0, 0.3)]
        return np.asarray(rule.weights) @ np.logaddexp(-4.0 * squares[0], -4.0 * squares[1])

    np.testing.assert_allclose(integral(0.5), integral(0.2), rtol=1e-10)


@pytest.mark.parametrize(("name", "mass"), [("laplace", 1e-11), ("mixture", 1e-11), ("plane", 1e-7), ("banana", 1e-6)])
def test_core_misses_at_most_the_stated_tail(name, mass):
    rule = DENSITIES[name]().rule(0.25)
    missed = np.asarray(rule.weights)[~np.asarray(rule.core)].sum()
    # The trapezoid rule cannot resolve the edge of the core better than one layer of nodes.
    assert 0.0 < missed < 1.6 * mass


def test_grid_density_is_subsampled():
    x = np.linspace(-1.0, 1.0, 9)
    density = densities.from_grid("triangle", x, 1.0 - np.abs(x))
    np.testing.assert_allclose(density.rule(0.5).nodes[:, 0], [-0.5, 0.0, 0.5])
    np.testing.assert_allclose(density.rule(0.5).weights, [0.25, 0.5, 0.25])
    assert density.rule(0.01).nodes.shape == (7, 1)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: densities.uniform(0.0), "width must be > 0"),
        (lambda: densities.laplace(float("nan")), "scale must be > 0"),
        (lambda: densities.laplace(tail_mass=0.7), "tail_mass"),
        (lambda: densities.from_pdf("f", jnp.ones_like, [1.0, 0.0]), "breakpoints"),
        (lambda: densities.from_pdf("f", lambda x: -x, [0.0, 1.0]).rule(1.0), "the pdf of f must be >= 0"),
        (lambda: densities.gaussian_mixture([0.0], [1.0, 1.0], [1.0]), r"shape \[k\] or \[k, 2\]"),
        (lambda: densities.gaussian_mixture([0.0], [1.0], [0.5]), "weights must sum to 1"),
        (lambda: densities.gaussian_mixture([0.0], [0.0], [1.0]), "standard_deviations must be > 0"),
        (lambda: densities.from_points("p", [0.0, 1.0], [1.0]), "points must have shape"),
        (lambda: densities.from_grid("g", [0.0, 1.0, 3.0], [1.0, 1.0, 1.0]), "equally spaced"),
    ],
)
def test_bad_densities_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_narrow_parts_that_were_not_declared_are_refused_and_declared_ones_found():
    """Fault 8: a spike with 29 % of the mass was stepped over, and the answer certified .09 bit off."""
    def pdf(x):
        return jnp.exp(-0.5 * x**2) + 400.0 * jnp.exp(-0.5 * ((x - 1.2345) / 1e-3) ** 2)

    with pytest.raises(ValueError, match=r"breakpoints must enclose every narrow part .* lies between 1.*and 1"):
        densities.from_pdf("spike", pdf, [-9.0, 9.0]).rule(0.5)
    declared = densities.from_pdf("spike", pdf, [-9.0, 1.2345 - 0.01, 1.2345 + 0.01, 9.0])
    rule = declared.rule(1e-2)
    inside = np.abs(np.asarray(rule.nodes)[:, 0] - 1.2345) < 0.01
    np.testing.assert_allclose(np.asarray(rule.weights)[inside].sum(), (0.4 + 0.02 * 0.1861) / 1.4, atol=2e-3)
    # A spacing that is merely coarse is halved until the masses agree.
    nodes = np.asarray(densities.from_pdf("normal", lambda x: jnp.exp(-0.5 * x**2), [-9.0, 9.0]).rule(18.0).nodes)
    assert nodes.shape[0] > 12


def test_breakpoints_are_finite():
    """Fault 28: infinite ones overflowed later."""
    with pytest.raises(ValueError, match="breakpoints must be at least two increasing, finite numbers"):
        densities.from_pdf("normal", lambda x: jnp.exp(-0.5 * x**2), [-np.inf, 0.0, np.inf])
