import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.quantize import LATTICES, closest_point, lattice, lattices

VECTORS = {"Z": 100_000, "A2": 100_000, "D4": 50_000, "E8": 30_000, "BW16": 10_000, "Leech": 1_500}


def nearest(x, name):
    return closest_point(x, lattice(name))


def uniform(name: str, count: int, seed: int = 0) -> np.ndarray:
    """Vectors that are uniform over periods of the lattice, hence over its cells."""
    found = lattice(name)
    rng = np.random.default_rng(seed)
    return rng.uniform(-2 * found.period, 2 * found.period, (count, found.dimension)) * found.scale


def distance(x, points, name):
    return np.sum(np.square(x - np.asarray(points) * lattice(name).scale), -1)


def test_codes_have_the_known_weights():
    assert dict(zip(*np.unique(lattices.golay_code().sum(1), return_counts=True))) == {
        0: 1, 8: 759, 12: 2576, 16: 759, 24: 1}
    assert dict(zip(*np.unique(lattices.reed_muller_code().sum(1), return_counts=True))) == {0: 1, 8: 30, 16: 1}


@pytest.mark.parametrize("name", LATTICES)
def test_cells_have_volume_one(name):
    """Points modulo the period, counted by coset, times the cell's volume fill the period's cube."""
    found = lattice(name)
    points = found.glues * len(found.code) * (found.period // found.outer) ** found.dimension
    if found.parities is not None:
        points //= 2
    np.testing.assert_allclose(np.prod(found.scale * found.period) / points, 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", LATTICES)
def test_mean_squared_error_is_the_second_moment(name):
    x = uniform(name, VECTORS[name])
    points = np.asarray(nearest(jnp.asarray(x), name)[0])
    error = distance(x, points, name) / lattice(name).dimension
    assert abs(error.mean() - lattice(name).second_moment) < 4 * error.std() / np.sqrt(len(x))
    assert error.std() / np.sqrt(len(x)) < 0.003 * error.mean()


@pytest.mark.parametrize("name", ["Z", "A2", "D4", "E8"])
def test_nearest_points_are_those_of_brute_force(name):
    """Oracle: all vectors of whole numbers within reach that satisfy the textbook definition."""
    n = lattice(name).dimension
    # Vectors whose nearest points lie within reach, as covering radii are at most 2 whole numbers.
    width = {"Z": 2.0, "A2": 1.5, "D4": 1.9, "E8": 1.2}[name]
    if name == "E8":  # twice D8 and D8 + 1/2
        box = np.concatenate([np.array(list(itertools.product(values, repeat=8)))
                              for values in ((-2, 0, 2), (-3, -1, 1, 3))])
        box = box[box.sum(1) % 4 == 0]
    else:
        box = np.array(list(itertools.product(range(-4, 5), repeat=n)))
        if name != "Z":  # D4; the hexagonal lattice as a rectangular one with its centers
            box = box[box.sum(1) % 2 == 0]
    x = np.random.default_rng(1).uniform(-width, width, (100, n)) * lattice(name).scale
    best = np.array([distance(row, box, name).min() for row in x])
    points = np.asarray(nearest(jnp.asarray(x), name)[0])
    assert (points[:, None] == box[None]).all(-1).any(-1).all()  # they are points, within the box
    np.testing.assert_allclose(distance(x, points, name), best, rtol=1e-9)


def test_no_minimal_vector_of_the_leech_lattice_leads_closer():
    """Oracle: the 196,560 minimal vectors in their textbook form, (+-2)^8 0^16, (-+3, +-1^23) and (+-4^2, 0^22)."""
    golay = lattices.golay_code()
    octads = golay[golay.sum(1) == 8]
    signs = np.array([s for s in itertools.product((1, -1), repeat=8) if math.prod(s) == 1])
    places = np.argsort(-octads, axis=1, kind="stable")[:, :8]
    first = np.zeros((759, 128, 24), np.int8)
    np.put_along_axis(first, np.repeat(places[:, None], 128, 1), np.repeat(2 * signs[None], 759, 0).astype(np.int8), 2)
    # (-3, 1^23) with the signs of a codeword's places changed; 1 mod 4 at its zeros.
    second = np.ones((24, 4096, 24), np.int8)
    second[np.arange(24), :, np.arange(24)] = -3
    second = second * (1 - 2 * golay[None]).astype(np.int8)
    third = []
    for i, j in itertools.combinations(range(24), 2):
        for a, b in itertools.product((4, -4), repeat=2):
            third.append(np.eye(24, dtype=np.int8)[i] * a + np.eye(24, dtype=np.int8)[j] * b)
    vectors = np.concatenate([first.reshape(-1, 24), second.reshape(-1, 24), np.array(third)])
    assert len(vectors) == 196_560 and (np.sum(vectors.astype(int) ** 2, 1) == 32).all()
    some = vectors[::4914]  # 40, as many as elsewhere: one program
    points = np.asarray(nearest(jnp.asarray(some * lattice("Leech").scale), "Leech")[0])
    np.testing.assert_array_equal(points, some)  # each of them is a point
    x = uniform("Leech", 40, 2)
    points = np.asarray(nearest(jnp.asarray(x), "Leech")[0])
    error = (x / lattice("Leech").scale - points).astype(np.float32)
    # |e - v|^2 >= |e|^2 for all of them; tolerance: float32.
    assert (2 * error @ vectors.T.astype(np.float32)).max() <= 32 + 1e-3


@pytest.mark.parametrize("name", LATTICES)
def test_points_form_a_group_and_shifts_by_them_change_nothing(name):
    count = 40 if name in ("BW16", "Leech") else 100  # as many as in other tests: the same programs
    x, y = uniform(name, count, 3), uniform(name, count, 4)
    p, q = (np.asarray(nearest(jnp.asarray(v), name)[0]) for v in (x, y))
    scale = lattice(name).scale
    np.testing.assert_array_equal(nearest(jnp.asarray((p - q) * scale), name)[0], p - q)
    np.testing.assert_array_equal(nearest(jnp.asarray(x + q * scale), name)[0], p + q)


@pytest.mark.parametrize("name", ["BW16", "Leech"])
def test_neighbors_are_no_closer(name):
    """The points nearest to slightly moved vectors are neighbors; none may be closer to the vector itself."""
    x = uniform(name, 40, 5)
    own = distance(x, nearest(jnp.asarray(x), name)[0], name)
    rng = np.random.default_rng(6)
    others = 0
    for _ in range(4):
        moved = nearest(jnp.asarray(x + 0.2 * rng.standard_normal(x.shape)), name)[0]
        found = distance(x, moved, name)
        others += int((found > own + 1e-9).sum())
        assert (found >= own - 1e-9).all()
    assert others > 20  # neighbors were indeed tried


@pytest.mark.parametrize("name, hole, squared", [
    ("Z", [0.5], 0.25), ("D4", [1, 0, 0, 0], 1.0), ("E8", [2] + [0] * 7, 4.0), ("Leech", [4] + [0] * 23, 16.0)])
def test_ties_go_to_one_of_the_nearest_points(name, hole, squared):
    """Deep holes lie at the covering radius from many points (Conway and Sloane, chapter 4), in whole numbers here."""
    x = np.array(hole, float) * lattice(name).scale
    point, coset = closest_point(jnp.asarray(x), lattice(name))
    error = np.asarray(point) - np.array(hole)
    assert np.sum(error**2) == squared and coset.shape == (2,)


def test_parts_dtypes_and_shapes(monkeypatch):
    x = uniform("BW16", 50, 7).reshape(5, 10, 16)
    points, cosets = closest_point(x, lattice("BW16"))
    assert points.shape == (5, 10, 16) and cosets.shape == (5, 10, 2)
    assert points.dtype == cosets.dtype == jnp.int32
    np.testing.assert_array_equal(points % 2, lattices.reed_muller_code()[np.asarray(cosets)[..., 1]])
    np.testing.assert_array_equal(closest_point(x.astype(np.float32), lattice("BW16"))[0], points)
    monkeypatch.setattr(lattices, "_CHUNK", 3 * 32 * 16)  # three vectors at a time, the last part padded
    np.testing.assert_array_equal(closest_point(x, lattice("BW16"))[0], points)
    assert closest_point(np.zeros((0, 8)), lattice("E8"))[0].shape == (0, 8)


def test_refusals():
    with pytest.raises(ValueError, match="name must be one of 'Z', .*got 'E7'"):
        lattice("E7")
    with pytest.raises(ValueError, match=r"x must have shape \[..., 8\] for E8, got \(3, 4\)"):
        closest_point(np.zeros((3, 4)), lattice("E8"))
