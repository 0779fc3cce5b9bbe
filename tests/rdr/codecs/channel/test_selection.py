import numpy as np
import pytest
from scipy import stats

from rdr.codecs.channel import selection
from rdr.codecs.channel.proposals import candidates, chosen_normals
from rdr.codecs.channel.survival import log_largest_ratio, survival_tables
from rdr.randomness import shared_key

KEY = shared_key(2)
DEVIATION, RATIO = 1.5, 2.0
TARGET = selection.Target(RATIO, survival_tables(RATIO, 2, DEVIATION))


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch):
    """Blocks are padded to as many as are looked at in one go: to no more than these tests have."""
    monkeypatch.setattr(selection, "_NUMBERS", 2**18)


def some(blocks, seed=0):
    return DEVIATION * np.random.default_rng(seed).standard_normal((blocks, 2))


def samples(z, found):
    y = np.zeros_like(z)
    rows = np.flatnonzero(found.index >= 0)
    y[rows] = (RATIO**2 + 1) ** 0.5 * chosen_normals(KEY, rows, found.index[rows], 2)
    y[found.index < 0] = found.plain
    return y


def seen(block, groups=4):
    """Log ratios, arrival times and uniforms of a block's candidates, in float64, for z."""
    found = candidates(KEY, np.uint32(block), np.uint32(0), groups, 2)
    return [np.asarray(part, np.float64) for part in found]


def log_ratio(normals, z):
    y = (RATIO**2 + 1) ** 0.5 * normals
    return np.log1p(RATIO**2) - 0.5 * ((y - z) ** 2).sum(1) + 0.5 * (y**2).sum(1) / (RATIO**2 + 1)


def survives(level, z):
    """Oracle for S: probabilities of balls, by scipy's noncentral chi-square distribution."""
    spread, norm = RATIO**2 + 1, np.linalg.norm(z)
    top = log_largest_ratio(norm, RATIO, 2)
    if level <= 0:
        return 1.0
    square = 2 * spread / RATIO**2 * (top - np.log(level))
    if square <= 0:
        return 0.0
    return (stats.ncx2(2, norm**2 / RATIO**4 + 1e-12).cdf(square)
            - level * stats.ncx2(2, norm**2 * spread / RATIO**4 + 1e-12).cdf(square / spread))


def test_greedy_rejection_takes_the_candidate_that_it_should():
    """Oracle: the recursion in float64 with probabilities from scipy; within 10^-4 of the limit both are right."""
    z = some(40)
    found = selection.select(KEY, z, TARGET, rule="greedy", most=512)
    for block in range(40):
        normals, _, uniforms = seen(block)
        ratio, level = np.exp(log_ratio(normals, z[block])), 0.0
        for k in range(512):
            left = survives(level, z[block])
            limit = level + uniforms[k] * left
            if k == found.index[block]:
                assert ratio[k] > limit * (1 - 1e-4)
                break
            assert ratio[k] < limit * (1 + 1e-4)
            level += left
        else:
            assert found.index[block] == -1


def test_the_poisson_functional_representation_takes_the_least_score():
    z = some(60)
    found = selection.select(KEY, z, TARGET, rule="poisson", most=512)
    for block in np.flatnonzero(found.index >= 0):
        normals, waits, _ = seen(block)
        scores = np.log(np.cumsum(waits)) - log_ratio(normals, z[block])
        assert scores[found.index[block]] <= scores.min() + 1e-4
    assert (found.index >= 0).mean() > 0.9


def test_a_star_sampling_with_a_global_bound_takes_the_same_candidate():
    """Gumbel values from the top down, each that of the rest of the space, until none below can win."""
    z = some(60, seed=1)
    found = selection.select(KEY, z, TARGET, rule="poisson", most=512)
    compared = 0
    for block in np.flatnonzero(found.index >= 0):
        normals, waits, _ = seen(block)
        ratio = log_ratio(normals, z[block])
        top = log_largest_ratio(np.linalg.norm(z[block]), RATIO, 2)
        gumbel, best, winner, runner_up = np.inf, -np.inf, -1, -np.inf
        for k, wait in enumerate(waits):
            gumbel = -np.log(wait + np.exp(-gumbel))  # a Gumbel number below the last one
            if gumbel + top < best:
                break
            value = gumbel + ratio[k]
            runner_up = max(runner_up, min(value, best))
            best, winner = (value, k) if value > best else (best, winner)
        if best - runner_up > 1e-4:  # float32 can tell them apart
            assert found.index[block] == winner
            compared += 1
    assert compared > 40


@pytest.mark.parametrize("rule", ["ordered", "importance"])
def test_the_approximate_rules_take_the_least_score(rule):
    z = some(30)
    found = selection.select(KEY, z, selection.Target(RATIO, None), rule=rule, most=384)
    left = 384 - np.arange(384)
    for block in range(30):
        normals, waits, _ = (part[:384] for part in seen(block))
        times = np.cumsum(waits / left) if rule == "ordered" else waits
        scores = np.log(times) - log_ratio(normals, z[block])
        assert scores[found.index[block]] <= scores.min() + 1e-4


@pytest.mark.parametrize(("most", "rule"), [
    *((128, rule) for rule in selection.EXACT),
    *(pytest.param(4096, rule, marks=pytest.mark.stress) for rule in selection.EXACT),
])  # fmt: skip
def test_exact_rules_are_exact_however_few_candidates_they_look_at(rule, most):
    """With 128 candidates many blocks are sampled from what is left; the noise must not notice."""
    z = 1.7 * some(6000, seed=1)  # larger than the source should be: more is left
    found = selection.select(KEY, z, TARGET, rule=rule, most=most)
    error = samples(z, found) - z
    share = (found.index < 0).mean()
    assert share > 0.03 if most == 128 else share < 0.03  # the rest is beyond the tables
    assert stats.kstest(error.ravel(), "norm").pvalue > 1e-4
    assert stats.kstest(0.5 * (error**2).sum(1), "expon").pvalue > 1e-4
    towards = (error * z).sum(1) / np.linalg.norm(z, axis=1)  # along x, where candidates are denser on one side
    assert stats.kstest(towards, "norm").pvalue > 1e-4
    far = np.linalg.norm(z, axis=1) > np.quantile(np.linalg.norm(z, axis=1), 0.8)
    assert stats.kstest(towards[far], "norm").pvalue > 1e-4


def test_blocks_beyond_the_tables_are_sampled_at_once():
    z = np.full((600, 2), 1e3)
    for rule in selection.EXACT:
        found = selection.select(KEY, z, TARGET, rule=rule, most=128)
        assert (found.index == -1).all()
        assert stats.kstest((found.plain - z).ravel(), "norm").pvalue > 1e-4
