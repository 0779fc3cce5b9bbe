import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.quantize import nearest_path, quantize_path, trellis
from rdr.quantize import trellis as trellis_function
from rdr.quantize.trellis import walk

STATES = (8, 16, 32, 64, 128, 256)


@pytest.mark.parametrize("states", STATES)
def test_two_branches_lead_out_of_and_into_every_state(states):
    found = trellis(states)
    assert found.next_state.shape == found.previous.shape == (states, 2)
    assert (np.bincount(found.next_state.ravel(), minlength=states) == 2).all()
    for s in range(states):
        for before, residue in zip(found.previous[s], found.residue[s]):
            assert residue % 2 == before % 2
            assert found.next_state[before, (residue - before % 2) // 2] == s


@pytest.mark.parametrize("states, squared", [(8, 10), (16, 11), (32, 13), (64, 14), (128, 16), (256, 16)])
def test_free_distances_are_the_published_ones(states, squared):
    """Oracle: Ungerboeck 1982, table I: the least squared distance of two paths that part and meet again.

    Paths are compared in pairs: residues 0, 1 or 2 apart (modulo 4) cost 0, 1 or 4. Parallel branches lie 4 apart.
    """
    found = trellis(states)
    square = np.array([0, 1, 4, 1])
    a, b = np.divmod(np.arange(states**2), states)
    residue = (np.arange(states) & 1)[:, None] + 2 * np.arange(2)[None]
    cost = np.full(states**2, 10**6)
    for s in range(states):  # two paths part
        to = found.next_state[s, 0] * states + found.next_state[s, 1]
        cost[to] = min(cost[to], square[(residue[s, 0] - residue[s, 1]) % 4])
    met, best = a == b, 16
    for _ in range(60):
        best = min(best, cost[met].min())
        apart, new = np.where(met, 10**6, cost), cost.copy()
        for i, j in itertools.product(range(2), repeat=2):
            to = found.next_state[a, i] * states + found.next_state[b, j]
            np.minimum.at(new, to, apart + square[(residue[a, i] - residue[b, j]) % 4])
        if (new == cost).all():
            break
        cost = new
    assert best == squared


def test_viterbi_finds_the_best_of_all_paths():
    """Oracle: all 2^9 paths, one after the other."""
    rng = np.random.default_rng(0)
    costs = rng.uniform(size=(5, 9, 4))
    found = trellis(16)
    best = np.full(5, np.inf)
    for branches in itertools.product(range(2), repeat=9):
        state, total = 0, np.zeros(5)
        for step, j in enumerate(branches):
            total += costs[:, step, (state & 1) + 2 * j]
            state = found.next_state[state, j]
        best = np.minimum(best, total)
    residues = np.asarray(quantize_path(costs, found))
    np.testing.assert_allclose(np.take_along_axis(costs, residues[..., None], 2)[..., 0].sum(1), best, rtol=1e-12)
    np.testing.assert_array_equal(residues % 2, walk(residues, found) % 2)  # and it is a path from state 0


@pytest.mark.parametrize("states", [8, 256])
def test_paths_stay_near_and_shifts_by_four_change_nothing(states):
    rng = np.random.default_rng(1)
    x = rng.uniform(-20, 20, (6, 200))
    found = trellis(states)
    k = np.asarray(jax.jit(lambda v: nearest_path(v, found))(jnp.asarray(x)))
    assert k.dtype == np.int32
    np.testing.assert_array_equal(k % 2, walk(k, found) % 2)
    assert np.abs(k - x).max() <= 2.0  # of each residue the nearest integer is at most 2 away
    error = np.square(k - x).mean()
    assert error < 0.95 / 3  # one parity throughout would give 4/12
    moves = 4 * rng.integers(-5, 5, x.shape)
    np.testing.assert_array_equal(nearest_path(x + moves, found), k + moves)


def test_float32_finds_paths_as_good_on_long_blocks():
    x = np.random.default_rng(2).uniform(0, 4, (2, 5000))
    found = trellis(8)
    exact, single = (np.asarray(nearest_path(v, found)) for v in (x, x.astype(np.float32)))
    np.testing.assert_allclose(np.square(single - x).mean(), np.square(exact - x).mean(), rtol=1e-6)


def test_parts_and_empty_batches(monkeypatch):
    x = np.random.default_rng(3).uniform(0, 4, (7, 30))
    whole = np.asarray(nearest_path(x, trellis(8)))
    monkeypatch.setitem(nearest_path.__globals__, "_CHUNK", 2 * 30 * 8)  # two rows at a time, the last part padded
    np.testing.assert_array_equal(nearest_path(x, trellis(8)), whole)
    assert nearest_path(np.zeros((0, 5)), trellis(8)).shape == (0, 5)
    assert nearest_path(np.zeros((3, 0)), trellis(8)).shape == (3, 0)


def test_refusals():
    with pytest.raises(ValueError, match="states must be one of 8, 16, 32, 64, 128, 256, got 7"):
        trellis_function(7)
    with pytest.raises(ValueError, match=r"costs must have shape \[batch, steps, 4\], got \(2, 3\)"):
        quantize_path(np.zeros((2, 3)), trellis(8))
    with pytest.raises(ValueError, match=r"x must have shape \[batch, steps\], got \(3,\)"):
        nearest_path(np.zeros(3), trellis(8))
