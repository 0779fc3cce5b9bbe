import numpy as np
import pytest
from scipy import special, stats

from rdr.bitstream.tables import check_tables
from rdr.codecs.channel import lattice_tables as tables
from rdr.codecs.channel.lattice_trials import acceptance, dithers, packing_radius
from rdr.entropy_models.lattice import log_mass
from rdr.quantize import closest_point, lattice

E8 = lattice("E8")


def test_layers_are_quantiles_of_shared_words():
    words = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint32)
    radii, layer = tables.layers(words, 8, 16)
    assert stats.kstest(0.5 * radii**2, stats.gamma(5.0).cdf).pvalue > 1e-4
    assert set(np.unique(layer)) == set(range(16))
    order = np.argsort(words)
    assert (np.diff(layer[order]) >= 0).all() and (np.diff(radii[order]) >= 0).all()
    ends = tables.layers(np.array([0, 2**32 - 1], np.uint32), 8, 16)
    assert np.isfinite(ends[0]).all() and ends[1].tolist() == [0, 15]


def test_trials_cost_their_entropy():
    p, table = acceptance(E8), tables.geometric_table(E8)
    check_tables(table)
    pmf = p * (1 - p) ** np.arange(int(table.lengths[0]))
    bits = -(pmf * np.log2(table.counts[0, : pmf.size] / 2.0**24)).sum()
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) / p
    assert bits == pytest.approx(entropy, abs=1e-5)


def near_points(u: np.ndarray) -> np.ndarray:
    """The lattice points around u [k, 8] in whole numbers, [k, 9361, 8]: all within three times the packing radius."""
    grid = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 8, indexing="ij"), -1).reshape(-1, 8)
    grid = grid[(grid**2).sum(1) == 8]
    odd = (grid % 2 == 1).all(1) & (((grid - 1) // 2).sum(1) % 2 == 0)
    even = (grid % 2 == 0).all(1) & ((grid // 2).sum(1) % 2 == 0)
    least = grid[odd | even]
    assert len(least) == 240
    around = np.unique((least[:, None] + least[None]).reshape(-1, 8), axis=0)
    assert len(around) == 9361
    return np.asarray(closest_point(u * E8.scale, E8)[0])[:, None] + around


def test_chances_of_acceptance_are_those_of_the_balls():
    """Oracle: the balls around all points near u, by the noncentral chi-square distribution."""
    ratio, levels, count = 0.5, 16, 60
    priors = tables.make_priors(E8, ratio, count=8, levels=levels)
    found = tables.acceptance_chances(E8, priors, ratio, levels=levels)
    u, grid = dithers(np.random.default_rng(1).integers(0, 2**32, (count, 8), np.uint32), E8, levels)
    chance = tables.chance_of(E8, priors, found, np.full(count, 3), grid) / 2.0**16
    radius = np.sqrt(2 * stats.gamma(5.0).ppf(3.5 / 8))
    away = (((near_points(u) - u[:, None]) * E8.scale) ** 2).sum(-1) * (radius / packing_radius(E8) / ratio) ** 2
    expected = np.where(
        away < 400, special.chndtr((radius / ratio) ** 2, 8, np.minimum(away, 400)), 0.0).sum(1)
    # An entry of the table covers a range of dithers and of radii; what counts are the bits that it loses for a trial.
    lost = expected * np.log2(expected / chance) + (1 - expected) * np.log2((1 - expected) / (1 - chance))
    assert lost.mean() < 0.01
    assert chance.mean() == pytest.approx(expected.mean(), abs=0.01)


def test_the_mass_of_a_lattice_is_the_sum_over_its_points():
    """Oracle: the sum in floats. The logarithm is piecewise linear: at most .09 too low."""
    prior = tables.make_priors(E8, 0.5, count=1, levels=16)[0]
    _, grid = dithers(np.random.default_rng(0).integers(0, 2**32, (50, 8), np.uint32), E8, 16)
    u = grid * E8.outer / 16
    radius = float(tables.layers(np.array([2**31], np.uint32), 8, 1)[0][0])
    step, ball = radius / packing_radius(E8), radius**2 / 10
    beta = 0.5 / (0.25 + ball * (1 - 0.55 * np.exp(-2.4 * 0.25 / ball)))
    total = np.exp(-beta * (((near_points(u) - u[:, None]) * E8.scale * step) ** 2).sum(-1)).sum(-1)
    difference = log_mass(E8, prior, grid) / 2.0**24 - np.log2(total)
    assert difference.min() > -0.09 and difference.max() < 0.001


def test_trees_hold_priors():
    priors = tables.make_priors(E8, 1.0, count=2, levels=16)
    for prior, again in zip(priors, tables.priors_of(tables.priors_tree(priors)), strict=True):
        np.testing.assert_array_equal(prior.log_sums, again.log_sums)
        np.testing.assert_array_equal(prior.integers.counts, again.integers.counts)
