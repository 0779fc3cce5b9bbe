"""Precision, recall, density and coverage: by brute force and in cases that are known."""

import numpy as np
import pytest

from rdr.metrics.prdc import neighbor_statistics


def brute_force(x, y, k):
    def distances(a, b):
        return np.linalg.norm(a[:, None] - b[None], axis=2)

    radius_x, radius_y = (np.sort(distances(z, z), axis=1)[:, k] for z in (x, y))
    cross = distances(x, y)
    return (
        (cross <= radius_y).any(1).mean(),
        (cross <= radius_x[:, None]).any(0).mean(),
        (cross <= radius_y).sum() / (k * len(x)),
        (cross <= radius_y).any(0).mean(),
    )


@pytest.mark.parametrize("k", [1, 3])
def test_statistics_equal_brute_force_in_any_block_size(k):
    rng = np.random.default_rng(0)
    x, y = 1.5 * rng.normal(size=(40, 3)) + 7.0, rng.normal(size=(30, 3)) + 7.5
    expected = brute_force(x, y, k)
    assert len(set(expected)) == 4
    for block in (7, 1024):
        np.testing.assert_allclose(neighbor_statistics(x, y, k=k, block=block), expected, rtol=1e-12)


def test_a_narrow_set_is_precise_but_does_not_recall_and_a_far_one_is_neither():
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(400, 2))
    narrow, far = neighbor_statistics(0.1 * rng.normal(size=(400, 2)), reference), neighbor_statistics(
        rng.normal(size=(400, 2)) + 50.0, reference)
    assert narrow.precision == 1.0 and narrow.recall < 0.1 and narrow.coverage < 0.3
    assert far == (0.0, 0.0, 0.0, 0.0)


def test_density_and_coverage_of_equal_distributions_are_what_theory_says():
    # E density = 1 and E coverage = 1 - binom(N-1, k) / binom(2N-1, k)-like; for N samples each, 1 - prod.
    k, n = 5, 300
    found = np.array([
        neighbor_statistics(*np.random.default_rng(s).normal(size=(2, n, 4)), k=k)[2:] for s in range(20)
    ])
    # A ball around a reference point holds none of n others with probability prod (n - 1 - i) / (2n - 1 - i), i < k.
    coverage = 1 - np.prod([(n - 1 - i) / (2 * n - 1 - i) for i in range(k)])
    for column, expected in zip(found.T, (1.0, coverage)):
        assert abs(column.mean() - expected) < 4 * column.std(ddof=1) / np.sqrt(20)


def test_equal_sets_cover_each_other_and_small_sets_are_refused():
    x = np.random.default_rng(2).normal(size=(20, 3))
    found = neighbor_statistics(x, x, k=2)
    assert found.precision == found.recall == found.coverage == 1.0
    with pytest.raises(ValueError, match="k must be from 1 to less than both sets' sizes, 20 and 20, got 20"):
        neighbor_statistics(x, x, k=20)
