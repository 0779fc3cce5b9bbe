"""Oracles: closed forms of the truncated Gaussian and the uniform; integrals by SciPy; couplings by quantiles."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from theory import continuous
from theory.continuous.panels import Panels, gauss_legendre
from theory.continuous_perception import bins as binning
from theory.continuous_perception import perception


@pytest.fixture(scope="module")
def gaussian():
    panels = continuous.gaussian_mixture([0.0], [1.0], [1.0]).panels(160, 6)
    return panels, binning.bins_of(panels, 10)


def test_bins_have_the_moments_of_truncated_gaussians(gaussian):
    panels, bins = gaussian
    edges = panels.edges[bins.first]
    assert len(bins.pmf) == 10 and bins.first[-1] == 160
    np.testing.assert_allclose(bins.pmf, np.diff(norm.cdf(edges)), atol=1e-12)
    np.testing.assert_allclose(bins.means, truncnorm.mean(edges[:-1], edges[1:]), atol=1e-9)
    np.testing.assert_allclose(bins.variances, truncnorm.var(edges[:-1], edges[1:]), atol=1e-8)
    # Panter and Dite: sqrt(3) pi / (2 n^2), at n = 10 to about a tenth.
    np.testing.assert_allclose(bins.mean_variance, np.sqrt(3) * np.pi / 200, rtol=0.15)


@pytest.mark.parametrize("cost", ["squared", "absolute"])
def test_distortions_within_bins_are_integrals(gaussian, cost):
    panels, bins = gaussian
    edges = panels.edges[bins.first]
    sample, center = binning.sample_distortion(bins, cost), binning.center_distortion(bins, cost)
    power = 2.0 if cost == "squared" else 1.0

    def mean(f, k):
        low, high = edges[k : k + 2]
        return quad(lambda x: norm.pdf(x) * f(x), low, high, limit=200)[0] / (norm.cdf(high) - norm.cdf(low))

    for i, j in [(3, 3), (3, 5), (2, 0), (4, 4)]:
        inner = mean(lambda x, at=bins.means[j]: abs(x - at) ** power, i)
        # Exact but for |x - y| within a panel of a sixteenth of the bin, where it is bounded from above.
        slack = 2e-2 * bins.variances[i] ** 0.5 if cost == "absolute" and i == j else 1e-9
        assert -1e-9 <= center[i, j] - inner <= slack
        both = mean(lambda x, k=j: mean(lambda y: abs(x - y) ** power, k), i)
        assert -1e-7 <= sample[i, j] - both <= slack + 1e-7


def monotone(p, q):
    """The coupling of pmfs p and q in increasing order, [n, n]."""
    ends = np.minimum(np.cumsum(p)[:, None], np.cumsum(q)[None])
    ends = np.pad(ends, ((1, 0), (1, 0)))
    return np.maximum(np.diff(np.diff(ends, axis=0), axis=1), 0.0)


@pytest.mark.parametrize("number", [20, 160])
def test_a_density_moves_at_no_more_than_the_cost_of_its_bins(number):
    panels = continuous.gaussian_mixture([0.0], [1.0], [1.0]).panels(number, 6)
    bins = binning.bins_of(panels, 10)
    kinds = perception.kinds_of((bins, bins), "w2sq", "squared")
    edges = norm.cdf(np.clip(panels.edges[bins.first], -9.0, 9.0))
    u = (np.arange(100_000) + 0.5) / 100_000
    x = norm.ppf(u)
    rng = np.random.default_rng(0)
    for share in (0.0, 0.3, 1.0):
        q = (1.0 - share) * bins.pmf + share * rng.dirichlet(np.ones(len(bins.pmf)))
        plan = monotone(bins.pmf, q)
        level = np.concatenate([[0.0], np.cumsum(q)])
        j = np.clip(np.searchsorted(level, u) - 1, 0, len(q) - 1)
        drawn = norm.ppf(edges[j] + (u - level[j]) / q[j] * (edges[j + 1] - edges[j]))
        for kind, y in zip(kinds, (drawn, bins.means[j])):
            exact, bound = np.mean((x - y) ** 2), np.sum(plan * kind.transport) + kind.spent
            # Quantiles cut off 1e-5 of the mass at either end.
            assert bound >= exact - 2e-4
            if share == 0.0:
                np.testing.assert_allclose(bound, exact, atol=2e-4)


def test_a_transport_costs_nearly_that_of_quantiles_and_not_less(gaussian):
    panels, bins = gaussian
    edges = panels.edges[bins.first]
    costs = binning.sample_transport(bins)
    assert np.all(np.diagonal(costs) == 0)
    np.testing.assert_allclose(costs, costs.T, rtol=1e-12)
    u = (np.arange(20_000) + 0.5) / 20_000
    quantiles = [truncnorm.ppf(u, low, high) for low, high in zip(edges[:-1], edges[1:])]
    for i, j in [(0, 1), (3, 4), (2, 7), (8, 9)]:
        exact = np.mean((quantiles[i] - quantiles[j]) ** 2)
        # Two panels of a tenth of a bin or less are coupled independently: 2 variances too much.
        assert exact - 1e-6 <= costs[i, j] <= exact + 0.05 * (bins.variances[i] + bins.variances[j])


def test_intervals_of_different_shapes_cost_more_than_their_means_are_apart():
    # Two bins of one panel each, uniform on [0, 1] and [1, 3]: quantiles give 1.5^2 + (2 - 1)^2 / 12.
    nodes, widths = gauss_legendre(np.array([0.0, 1.0, 3.0]), 6)
    bins = binning.measured(Panels(np.array([0.0, 1.0, 3.0]), nodes, widths / 3.0), np.array([0, 1, 2]))
    cost = binning.sample_transport(bins)[0, 1]
    assert cost >= 1.5**2 + 1 / 12
    np.testing.assert_allclose(cost, 1.5**2 + (1 + 4) / 12)  # independent draws


def test_an_interval_without_mass_belongs_to_a_bin_with_mass():
    panels = continuous.gaussian_mixture([-1.0, 1.0], [0.01, 0.01], [0.5, 0.5]).panels(320, 6)
    assert np.any(panels.weights.sum(1) == 0)
    bins = binning.bins_of(panels, 20)
    assert np.all(bins.pmf > 0) and np.all(np.diff(bins.means) > 0)
    np.testing.assert_allclose(bins.pmf @ bins.means, 0.0, atol=1e-12)
    np.testing.assert_allclose(bins.pmf @ (bins.variances + bins.means**2), 1.0 + 1e-4, rtol=1e-9)


def test_interpolation_reproduces_cubics_and_stays_beyond_the_ends(gaussian):
    panels, bins = gaussian
    matrix = binning.interpolation(bins, panels.edges)
    cubic = np.polynomial.Polynomial([0.3, -1.0, 0.5, 0.2])
    inside = np.clip(panels.edges, bins.means[0], bins.means[-1])
    np.testing.assert_allclose(matrix @ cubic(bins.means), cubic(inside), atol=1e-10)
    np.testing.assert_allclose(matrix.sum(1), 1.0, atol=1e-10)
