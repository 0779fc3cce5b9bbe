import math

import jax
import numpy as np
import pytest
from scipy import stats

from rdr.codecs.channel import lattice_trials as trials
from rdr.quantize import LATTICES, closest_point, lattice
from rdr.randomness import shared_key

KEY = shared_key(3)


@pytest.mark.parametrize("name, density", [("Z", 1.0), ("A2", 0.906899682), ("D4", 0.616850275), ("E8", 0.253669508),
                                           ("BW16", 0.014708164), ("Leech", 0.001929574)])
def test_packing_densities(name, density):
    assert trials.acceptance(lattice(name)) == pytest.approx(density, rel=1e-6)


@pytest.mark.parametrize("name", [  # the densities above hold the Leech lattice's radius
    pytest.param(name, marks=pytest.mark.stress) if name == "Leech" else name for name in LATTICES])
def test_the_packing_radius_is_the_largest(name):
    """Within it of a point, that point is the nearest; half way to a neighbor it is at most as near as the neighbor."""
    found = lattice(name)
    rng, radius = np.random.default_rng(0), trials.packing_radius(found)
    direction = rng.standard_normal((500, found.dimension))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    assert not np.asarray(closest_point(0.9999 * radius * direction, found)[0]).any()
    # Neighbors: nearest points to what is a little further out, in many directions.
    far = np.asarray(closest_point(2.0 * radius * rng.uniform(0.6, 1.3, (500, 1)) * direction, found)[0])
    lengths = np.linalg.norm(far[far.any(1)] * found.scale, axis=1)
    assert lengths.size and lengths.min() >= 2.0 * radius * (1 - 1e-9)
    assert lengths.min() == pytest.approx(2.0 * radius, rel=1e-9)


def test_the_limit_of_trials():
    for name, expected in (("Z", 1), ("E8", 152), ("BW16", 2994)):
        limit, p = trials.max_trials(lattice(name)), trials.acceptance(lattice(name))
        assert limit == expected and (1 - p) ** limit <= 2.0**-64


def test_a_trial_is_looked_up_without_those_before():
    together = trials.trial_words(KEY, np.repeat([7, 8], 3), np.tile([0, 1, 900], 2), 8)
    alone = trials.trial_words(KEY, np.array([8]), np.array([900]), 8)
    np.testing.assert_array_equal(together[-1], alone[0])
    expected = jax.random.bits(jax.random.fold_in(jax.random.fold_in(KEY, 8), 900), (8,), "uint32")
    np.testing.assert_array_equal(alone[0], expected)
    assert len(np.unique(together)) == 48


def test_dithers_lie_around_those_of_the_tables():
    found = lattice("E8")
    words = np.array([0, 2**31, 2**32 - 1, 123456789], np.uint32)
    u, grid = trials.dithers(words, found, 16)
    assert np.all(np.abs(u - grid * found.outer / 16) <= 0.5 * found.outer / 16) and grid.max() < 32
    assert np.ptp(u[[0, 2]]) == pytest.approx(found.period, rel=1e-9)


@pytest.mark.parametrize("name", ["A2", "E8"])
def test_the_first_trial_within_the_ball_is_found(name):
    """Oracle: every trial up to the one found, in float64 and one after the other."""
    found = lattice(name)
    w = 3.0 * np.random.default_rng(1).standard_normal((300, found.dimension)) + 1e5
    index, points, words = trials.first_accepted(KEY, w, found, levels=16)
    blocks = np.arange(300)
    np.testing.assert_array_equal(words, trials.trial_words(KEY, blocks, index, found.dimension))
    for trial in range(1, index.max() + 1):
        u, _ = trials.dithers(trials.trial_words(KEY, blocks, np.full(300, trial), found.dimension), found, 16)
        nearest = np.asarray(closest_point((w + u) * found.scale, found)[0])
        inside = np.linalg.norm((nearest - u - w) * found.scale, axis=1) <= trials.packing_radius(found)
        assert not inside[trial < index].any() and inside[trial == index].all()
        np.testing.assert_array_equal(nearest[trial == index], points[trial == index])


def test_the_number_of_trials_is_geometric_whatever_x_is():
    found = lattice("E8")
    p = trials.acceptance(found)
    for offset in (0.0, 0.37, 1e6):
        index, _, _ = trials.first_accepted(KEY, np.full((20_000, 8), offset), found, levels=16)
        counts = np.bincount(index, minlength=14)[1:14]
        expected = 20_000 * p * (1 - p) ** np.arange(13)
        statistic = ((counts - expected) ** 2 / expected).sum()
        assert stats.chi2.sf(statistic, 13) > 1e-4
    assert math.isclose(index.mean(), 1 / p, rel_tol=0.05)


def test_what_is_too_large_is_refused():
    with pytest.raises(ValueError, match="x must be within about 2\\^30 noise scales of 0"):
        trials.first_accepted(KEY, np.full((1, 8), 2.0**31), lattice("E8"), levels=16)
