"""Oracles: automatic differentiation; brute force over random points; a kernel sum whose maximum is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.continuous import supremum

bound = jax.jit(supremum.certified_supremum, static_argnames=("cells", "subdivisions"))


def problem(dimension, slope, seed=0):
    rng = np.random.default_rng(seed)
    nodes = rng.uniform(-2.0, 2.0, (40, dimension)) * np.array([3.0, 1.0])[:dimension]
    log_ratio = np.log(rng.random(40))
    arguments = dict(low=jnp.asarray(nodes.min(0)), high=jnp.asarray(nodes.max(0)))
    return jnp.asarray(nodes), jnp.asarray(log_ratio), jnp.asarray(slope), arguments


def kernel_sum(nodes, log_ratio, slope, y):
    """c at the rows of y, by NumPy."""
    squares = ((np.asarray(nodes)[:, None] - np.asarray(y)[None]) ** 2).sum(-1)
    return np.exp(np.asarray(log_ratio)[:, None] - slope * squares).sum(0)


def test_hermite_functions_are_derivatives_of_a_gaussian():
    derivatives = [lambda t: jnp.exp(-t * t)]
    for _ in range(7):
        derivatives.append(jax.grad(derivatives[-1]))
    expected = jax.jit(lambda t: jnp.stack([f(t) for f in derivatives]))(0.37)
    np.testing.assert_allclose(jax.jit(supremum._hermite_functions)(0.37), expected, rtol=1e-12)


def test_remainder_bound_dominates_the_eighth_derivative():
    t = jnp.linspace(-6.0, 6.0, 4001)
    # f_8 = -2 t f_7 - 14 f_6
    table = jax.jit(supremum._hermite_functions)(t)
    eighth = -2.0 * t * table[7] - 14.0 * table[6]
    ratio = jnp.max(jnp.abs(eighth) * jnp.exp(0.5 * t * t)) / supremum._CRAMER
    assert 0.3 < ratio <= 1.0


@pytest.mark.parametrize(("dimension", "cells", "margin"), [(1, (300,), 1e-8), (2, (60, 40), 1e-4)])
@pytest.mark.parametrize("slope", [0.3, 4.0])
def test_no_point_exceeds_the_bound_and_the_margin_is_small(dimension, cells, margin, slope):
    nodes, log_ratio, s, box = problem(dimension, slope)
    found = bound(nodes, log_ratio, s, cells=cells, subdivisions=16, **box)
    rng = np.random.default_rng(1)
    everywhere = rng.uniform(-9.0, 9.0, (20_000, dimension))
    nearby = np.asarray(found.location) + 1e-3 * rng.standard_normal((20_000, dimension))
    values = kernel_sum(nodes, log_ratio, slope, np.concatenate([everywhere, nearby]))
    assert values.max() <= found.lower + 1e-12 <= found.upper + 1e-12
    at = kernel_sum(nodes, log_ratio, slope, np.asarray(found.location)[None])
    np.testing.assert_allclose(found.lower, at[0], rtol=1e-12)
    assert found.upper - found.lower < margin * found.upper


@pytest.mark.parametrize("cells", [4, 30, pytest.param(7, marks=pytest.mark.stress)])
def test_bound_holds_on_coarse_cells(cells):
    nodes, log_ratio, s, box = problem(1, 4.0, seed=3)
    y = np.linspace(-6.0, 6.0, 20_001)[:, None]
    truth = kernel_sum(nodes, log_ratio, 4.0, y).max()
    found = bound(nodes, log_ratio, s, cells=(cells,), subdivisions=2, **box)
    assert found.upper >= truth


@pytest.mark.parametrize("width", [3.0, 4.0])
def test_remainder_covers_a_cell_too_wide_for_its_polynomial(width):
    # One kernel at the edge of the only cell: the polynomial stays below 0.9 where c is 1.
    nodes, log_ratio = jnp.array([[0.0], [width]]), jnp.log(jnp.array([1.0, 1e-12]))
    found = bound(nodes, log_ratio, jnp.asarray(1.0), low=jnp.array([0.0]), high=jnp.array([width]), cells=(1,),
                  subdivisions=64)  # fmt: skip
    assert found.cell_value[0] < 0.9
    assert found.upper >= 1.0


def test_one_kernel_has_its_maximum_at_its_center():
    nodes = jnp.array([[0.4], [3.0]])
    log_ratio = jnp.array([jnp.log(2.0), -jnp.inf])
    found = bound(nodes, log_ratio, jnp.asarray(5.0), low=jnp.array([0.0]), high=jnp.array([1.0]), cells=(20,),
                  subdivisions=64)  # fmt: skip
    np.testing.assert_allclose(found.location, [0.4], atol=1e-7)
    np.testing.assert_allclose(found.lower, 2.0, rtol=1e-12)
    np.testing.assert_allclose(found.upper, 2.0, rtol=1e-6)


def test_quadratic_maximum_over_a_ball():
    rng = np.random.default_rng(0)
    gradient, curvature = rng.normal(size=50), rng.normal(size=50) * 3.0
    t = np.linspace(-0.7, 0.7, 20_001)[:, None]
    truth = (gradient * t + 0.5 * curvature * t**2).max(0)
    found = supremum._quadratic_maximum(jnp.asarray(gradient), jnp.asarray(curvature), 0.7)
    # The grid of t misses the maximum by at most |curvature| step^2 / 8.
    np.testing.assert_allclose(found, truth, atol=1e-8)
