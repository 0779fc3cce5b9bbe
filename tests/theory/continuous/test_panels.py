"""Oracles: integrals of polynomials; the cumulative distribution of a Gaussian."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from theory import continuous
from theory.continuous import panels


def test_edges_meet_breakpoints_and_are_denser_where_the_density_is():
    nodes = np.linspace(-1.0, 3.0, 4001)
    values = np.where(nodes < 0, 8.0, 1.0)
    breakpoints = np.array([-1.0, 0.0, 0.001, 3.0])
    edges = panels.panel_edges(breakpoints, nodes, values, 60)
    assert edges.shape == (61,) and np.all(np.diff(edges) > 0)
    assert set(breakpoints) <= set(edges)
    # The cube root of 8 is 2: cumulative shares of [-1, 0] are 2/5 and 1/4, their mean 13/40 of 60 panels.
    assert abs(np.sum(edges <= 0) - 1 - 60 * 13 / 40) <= 1


def test_rules_integrate_polynomials_of_degree_2k_minus_1():
    edges = np.array([-1.0, 0.5, 2.0])
    nodes, weights = panels.gauss_legendre(edges, 4)
    for degree in range(8):
        exact = (edges[1:] ** (degree + 1) - edges[:-1] ** (degree + 1)) / (degree + 1)
        np.testing.assert_allclose((weights * nodes**degree).sum(1), exact, rtol=1e-13, atol=1e-14)
    assert abs((weights * nodes**8).sum() - (2.0**9 + 1) / 9) > 1e-3


@pytest.mark.parametrize("order", [4, 6])
def test_panels_of_a_density_have_its_masses(order):
    found = continuous.gaussian_mixture([1.0], [2.0], [1.0]).panels(300, order)
    exact = np.diff(norm.cdf(found.edges, 1.0, 2.0))
    np.testing.assert_allclose(found.weights.sum(1), exact, atol=1e-9 if order == 4 else 1e-12)


def test_narrow_parts_that_panels_miss_are_refused_and_others_have_none():
    spike = continuous.from_pdf("spike", lambda x: jnp.exp(-0.5 * ((x - 0.3) / 2e-3) ** 2), [-1.0, 1.0])
    with pytest.raises(ValueError, match="breakpoints must enclose"):
        spike.panels(1, 4)
    assert continuous.from_points("points", [0.0, 1.0], [0.5, 0.5]).panels is None
    assert continuous.banana().panels is None
