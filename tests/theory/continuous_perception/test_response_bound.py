"""Oracles: the same dual by NumPy and SciPy on dense grids; R(D, P) of a Gaussian, which no multiplier may exceed."""

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from theory import continuous, gaussian
from theory.continuous_perception import response_bound as module

KINDS = [("kl", "squared"), ("w2sq", "squared"), ("kl", "absolute"), ("w2sq", "absolute")]
Y = np.linspace(-9.0, 9.0, 1201)
LN2 = np.log(2.0)


@pytest.fixture(scope="module")
def panels():
    return continuous.gaussian_mixture([0.0], [1.0], [1.0]).panels(160, 6)


def responses(panels, nu, slope, cost, y):
    """h by a sum over a dense grid of a standard Gaussian; nu is linear between edges."""
    x = np.linspace(-9.0, 9.0, 2401)
    log_p = -0.5 * x**2 - logsumexp(-0.5 * x**2)
    distance = np.abs(x[None] - y[:, None]) ** (2 if cost == "squared" else 1)
    return logsumexp(log_p + np.interp(x, panels.edges, nu) - slope * distance, axis=1)


def random_point(panels, rng):
    knots = np.linspace(-9.0, 9.0, 14)
    curved = rng.uniform(0.0, 0.6) * np.minimum(panels.edges**2, 16.0)
    return curved + np.interp(panels.edges, knots, 0.3 * rng.standard_normal(14)), rng.uniform(0.5, 6.0)


@pytest.mark.parametrize("cost", ["squared", "absolute"])
def test_the_envelope_lies_above_h_and_close_to_it(panels, cost):
    nu, slope = random_point(panels, np.random.default_rng(0))
    mean, bound = jax.jit(module.envelope, static_argnums=5)(nu, slope, *panels, cost)
    y = np.sort(np.random.default_rng(1).uniform(-9.0, 9.0, 400))
    k = np.clip(np.searchsorted(panels.edges, y, side="right") - 1, 0, len(panels.edges) - 2)
    upper = np.asarray(bound.value)[k] + np.asarray(bound.slope)[k] * (y - panels.edges[k]) - bound.curvature * y**2
    excess = upper - responses(panels, nu, slope, cost, y)
    # The grid has an error of 1e-5 at kinks; a chord exceeds a convex function by (second derivative) width^2 / 8.
    width = np.diff(panels.edges)[k]
    assert excess.min() > -2e-5
    assert np.all(excess <= 8 * slope * (1 + slope) * width**2 / 8 + 1e-4)
    np.testing.assert_allclose(mean, np.sum(panels.weights * np.interp(panels.nodes, panels.edges, nu)), rtol=1e-12)


@pytest.mark.parametrize(("divergence", "cost"), KINDS)
def test_the_bound_is_the_dual_s_value_by_another_route(panels, divergence, cost):
    rng = np.random.default_rng(2)
    p = np.exp(-0.5 * Y**2)
    p = p / p.sum()
    nu, slope = random_point(panels, rng)
    h = responses(panels, nu, slope, cost, Y)
    coarse = slice(None, None, 2)

    def dual(log_t, level):
        t = np.exp(log_t)
        if divergence == "kl":
            return t * level + t * logsumexp(np.log(p) + h / t)
        moved = (h[None] - t * (Y[coarse, None] - Y[None]) ** 2).max(1)
        return t * level + np.sum(moved * p[coarse]) / p[coarse].sum()

    base = np.sum(panels.weights * np.interp(panels.nodes, panels.edges, nu)) - slope * 0.3
    for level in (0.0, 0.02, 0.3, np.inf):
        if level in (0.0, np.inf):
            best = p @ h if level == 0.0 else h.max()
        else:
            best = min(minimize_scalar(dual, bounds=(-12.0, 9.0), args=(level,), method="bounded").fun, h.max())
        found = module.response_bound(nu, slope, 0.3, level, *panels, divergence=divergence, cost=cost)
        # From below, up to the grids' own errors; close, up to chords over panels of a tenth.
        assert -0.03 <= found - (base - best) <= 1e-4, level


@pytest.mark.parametrize("divergence", ["kl", "w2sq"])
def test_no_multiplier_proves_more_than_a_gaussian_needs(panels, divergence):
    rng = np.random.default_rng(3)
    levels = rng.uniform(0.05, 1.2, 60), np.exp(rng.uniform(-8.0, 0.0, 60))
    exact = np.asarray(gaussian.rate_distortion_perception(*levels, divergence=divergence))
    margins = []
    for d, p, truth in zip(*levels, exact):
        nu, _ = random_point(panels, rng)
        # Near the optimum of R(D), so that some of the bounds are close.
        nu = 0.1 * rng.uniform() * nu + 0.5 * np.minimum(panels.edges**2, 16.0)
        limit = p * LN2 if divergence == "kl" else p
        found = module.response_bound(
            nu, 0.5 / d * rng.uniform(0.9, 1.1), d, limit, *panels, divergence=divergence, cost="squared")
        margins.append(truth - found / LN2)
    assert min(margins) >= 0 and min(margins) < 0.1
