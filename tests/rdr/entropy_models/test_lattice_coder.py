import functools

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.entropy_models import lattice_coder
from rdr.entropy_models.lattice import lattice_prior
from rdr.entropy_models.lattice_coder import coset_index, decode_points, encode_points, point_bits
from rdr.quantize import LATTICES, closest_point, lattice

STEP, PER_UNIT = 1.5, 8


@functools.cache
def some(name: str, dithered: bool):
    """A lattice, its prior, points of a Gaussian, their cosets and their dither; not to be written to."""
    found, rng, count = lattice(name), np.random.default_rng(0), {"BW16": 600, "Leech": 300}.get(name, 3000)
    dither = rng.integers(0, found.period * PER_UNIT, (count, found.dimension)) * int(dithered)
    x = rng.standard_normal((count, found.dimension)) / STEP + dither / PER_UNIT * found.scale
    points, cosets = closest_point(jnp.asarray(x), found)
    prior = lattice_prior(found, beta=0.5 / (1 + found.second_moment * STEP**2), step=STEP,
                          levels=found.outer * PER_UNIT)
    return found, prior, np.asarray(points), np.asarray(cosets), dither


@pytest.mark.parametrize(("name", "dithered"), [
    pytest.param(name, dithered, marks=[] if dithered or name in ("Z", "E8") else pytest.mark.stress)
    for name in LATTICES for dithered in (False, True)
])  # fmt: skip
def test_round_trip_and_size(name, dithered):
    found, prior, points, cosets, dither = some(name, dithered)
    index = coset_index(points, found)
    np.testing.assert_array_equal(index, cosets[:, 0] * len(found.code) + cosets[:, 1])
    coded, escapes = encode_points(points, dither, found, prior)
    decoded = decode_points(coded, escapes, dither, found, prior)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, points)
    bits = point_bits(points, dither, found, prior)
    assert bits.shape == (len(points),) and bits.sum() / 8 - 8 <= len(coded) <= 1.001 * bits.sum() / 8 + 64


def test_size_is_the_entropy_of_the_distribution():
    """Oracle: at high rate the entropy at a uniform dither, n/2 log2(pi e / beta) - n log2(step) bits."""
    found, step, beta, n = lattice("E8"), 0.25, 0.5, 8
    rng = np.random.default_rng(5)
    dither = rng.integers(0, found.period * PER_UNIT, (20_000, n))
    # Rounding a Gaussian with a dither has the distribution's power where it is 1 / (2 beta) with the noise taken off.
    deviation = np.sqrt(0.5 / beta - found.second_moment * step**2)
    x = rng.standard_normal((20_000, n))
    x *= deviation * np.sqrt(x.size / np.sum(x * x))
    points = np.asarray(closest_point(jnp.asarray(x / step + dither / PER_UNIT * found.scale), found)[0])
    prior = lattice_prior(found, beta=beta, step=step, levels=found.outer * PER_UNIT)
    coded, escapes = encode_points(points, dither, found, prior)
    entropy = n * (0.5 * np.log2(np.pi * np.e / beta) - np.log2(step)) * len(points)
    # The grid of the dither adds power of 1/12 (1/8 whole numbers)^2: below 1e-5.
    assert abs(8 * (len(coded) + len(escapes)) - entropy) < 0.001 * entropy + 512


@pytest.mark.parametrize("name", ["Z", "A2", "E8", "Leech"])
def test_far_points_are_escapes(name):
    found, prior, points, _, dither = some(name, True)
    points, dither = points[:20], dither[:20]
    far = points.copy()
    far[3] += found.period * 1000
    far[4] -= found.period * 2**25
    coded, escapes = encode_points(far, dither, found, prior)
    assert len(escapes) > 0
    np.testing.assert_array_equal(decode_points(coded, escapes, dither, found, prior), far)


@pytest.mark.parametrize("name", LATTICES)
def test_no_points_and_one(name):
    found, prior, points, _, dither = some(name, True)
    for count in (0, 1):
        message = encode_points(points[:count], dither[:count], found, prior)
        np.testing.assert_array_equal(decode_points(*message, dither[:count], found, prior), points[:count])


def test_cosets_in_parts_are_the_same(monkeypatch):
    for dithered in (False, True):
        found, prior, points, _, dither = some("BW16", dithered)
        points, dither = points[:50], dither[:50]
        whole = encode_points(points, dither, found, prior)
        with monkeypatch.context() as patch:
            patch.setattr(lattice_coder, "_CHUNK", 7 * 32)
            message = encode_points(points, dither, found, prior)
            np.testing.assert_array_equal(decode_points(*message, dither, found, prior), points)
        assert abs(len(message[0]) - len(whole[0])) <= 4  # in another order: of the same size


def test_what_is_no_point_is_refused():
    found, prior, points, _, dither = some("Leech", False)
    points, dither = points[:3], dither[:3]
    for change in (1, 2, 4):  # off the lattice, off the code, off the parity
        spoilt = points.copy()
        spoilt[1, 5] += change
        with pytest.raises(ValueError, match="points must be of the lattice Leech"):
            encode_points(spoilt, dither, found, prior)


def test_damage_is_refused():
    found, prior, points, _, dither = some("E8", True)
    points, dither = points[:200].copy(), dither[:200]
    points[7] += 4000
    coded, escapes = encode_points(points, dither, found, prior)
    for bad in [(coded[:-1], escapes), (coded + coded[-4:], escapes), (coded, b""), (coded, escapes + b"\x01")]:
        with pytest.raises(ValueError, match="damaged message"):
            decode_points(*bad, dither, found, prior)
