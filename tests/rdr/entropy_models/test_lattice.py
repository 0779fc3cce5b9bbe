import itertools

import numpy as np
import pytest

from rdr.entropy_models.lattice import (
    coset_weights,
    fixed_point_exp2,
    fixed_point_multiply,
    lattice_prior,
    locate,
    prior_from_tree,
    prior_tree,
)
from rdr.entropy_models.lattice_coder import point_bits
from rdr.quantize import LATTICES, closest_point, lattice

LOG2E = 1 / np.log(2.0)


def some_points(name: str, step: float, count: int, per_unit: int, seed: int = 0):
    """Points of a standard normal source with dither, and the dither on a grid of 1 / per_unit whole numbers."""
    found, rng = lattice(name), np.random.default_rng(seed)
    dither = rng.integers(0, found.period * per_unit, (count, found.dimension))
    x = rng.standard_normal((count, found.dimension)) / step + dither / per_unit * found.scale
    return np.asarray(closest_point(x, found)[0]), dither


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.stress) if name == "BW16" else name for name in LATTICES])
def test_at_high_rate_the_distribution_is_that_of_a_density(name):
    """Oracle: the sum of exp(-beta |point - u|^2) over a lattice of cells of volume V tends to (pi / beta)^(n/2) / V.

    By Poisson's formula the error at this step is below 1e-8. Tolerance: chances have 16 fractional bits.
    """
    step, beta, per_unit = 0.3, 0.5, 16
    found = lattice(name)
    prior = lattice_prior(found, beta=beta, step=step, levels=found.outer * per_unit)
    points, dither = some_points(name, step, 300 if name != "Leech" else 60, per_unit)
    z = step * found.scale * (points - dither / per_unit)
    expected = beta * LOG2E * np.sum(z**2, 1) + found.dimension * (0.5 * np.log2(np.pi / beta) - np.log2(step))
    bits = point_bits(points, dither, found, prior)
    np.testing.assert_allclose(bits, expected, atol=0.01 * found.dimension + 0.01)
    np.testing.assert_allclose(bits.mean(), expected.mean(), atol=5e-4 * found.dimension + 1e-3)


@pytest.mark.parametrize("name, step", [("A2", 2.0), ("D4", 1.7), ("D4", 6.0), ("E8", 4.5)])
def test_at_low_rate_the_distribution_is_that_of_brute_force(name, step):
    """Oracle: the sum over all points within reach, in float64."""
    found, beta, per_unit = lattice(name), 0.4, 8
    reach = {"A2": 9, "D4": 6, "E8": 2}[name]
    box = np.array(list(itertools.product(range(-reach, reach + 1), repeat=found.dimension)))
    if name == "D4" or name == "A2":
        box = box[box.sum(1) % 2 == 0]
    else:
        box = box[(box % 2 == box[:, :1] % 2).all(1) & (box.sum(1) % 4 == 0)]
    prior = lattice_prior(found, beta=beta, step=step, levels=found.outer * per_unit)
    dither = np.random.default_rng(1).integers(-per_unit // 2, per_unit // 2, (12, found.dimension))
    weights = np.exp(-beta * np.sum((step * found.scale * (box[None] - dither[:, None] / per_unit)) ** 2, -1))
    chances = weights / weights.sum(1, keepdims=True)
    for d, chance in zip(dither, chances):
        likely = np.flatnonzero(chance > 1e-3)
        bits = point_bits(box[likely], np.repeat(d[None], likely.size, 0), found, prior)
        np.testing.assert_allclose(2.0**-bits, chance[likely], rtol=0.02, atol=1e-4)
        np.testing.assert_allclose(np.sum(2.0**-bits), chance[likely].sum(), atol=1e-4)


@pytest.mark.parametrize(("name", "step"), [
    ("BW16", 1.2), ("BW16", 5.0), ("Leech", 2.6),
    *(pytest.param(*case, marks=pytest.mark.stress) for case in (("BW16", 2.6), ("Leech", 1.2), ("Leech", 5.0))),
])  # fmt: skip
def test_coset_weights_are_the_products_of_sums(name, step):
    """Oracle: the formula of the module in float64, coordinate by coordinate."""
    found, beta, per_unit = lattice(name), 0.4, 8
    prior = lattice_prior(found, beta=beta, step=step, levels=found.outer * per_unit)
    dither = np.random.default_rng(2).integers(0, found.period * per_unit, (3, found.dimension))
    z = np.arange(-24, 25)
    rows = []
    for m in range(found.glues):
        residue = m + found.inner * found.code[None]  # [1, words, n]
        sums = []
        for q in (0, 1):
            place = residue[..., None] + found.outer * z[z % 2 == q] - dither[:, None, :, None] / per_unit
            sums.append(np.exp(-beta * (step * found.scale[0] * place) ** 2).sum(-1))
        sign = -1 if found.parities[m] else 1
        rows.append(0.5 * (np.prod(sums[0] + sums[1], -1) + sign * np.prod(sums[0] - sums[1], -1)))
    expected = np.concatenate(rows, -1)
    expected /= expected.sum(1, keepdims=True)
    weights = coset_weights(found, prior, dither)
    assert weights.dtype == np.int64 and weights.min() >= 1
    got = weights / weights.sum(1, keepdims=True)
    # Every coset has 1 of 2^29 for good measure: 8,192 of them take 1.6e-5 at most, or more where none has much.
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-7)


def test_powers_of_two_in_integer_arithmetic():
    prior = lattice_prior(lattice("Z"), beta=0.5, step=1.0, levels=1)
    log = -np.concatenate([np.arange(5), np.random.default_rng(0).integers(0, 2**29, 10_000), [2**34]])
    got = fixed_point_exp2(log, prior.powers)
    np.testing.assert_allclose(got, 2.0 ** (log / 2.0**24 + 30), rtol=1e-7, atol=2)
    assert abs(got[0] - 2**30) <= 1 and got[-1] == 0
    assert fixed_point_multiply(np.int64(2**31), np.int64(2**29)) == 2**30


def test_places_say_where_a_residue_lies():
    found = lattice("Leech")
    prior = lattice_prior(found, beta=0.5, step=1.0, levels=32)
    residue, dither = np.arange(4)[:, None], np.arange(-70, 70)[None]
    position, shift = locate(found, prior, residue, dither)
    assert position.min() == 0 and position.max() == 31
    np.testing.assert_allclose((residue - dither / 8) / 4, shift + position / 32)


def test_the_tree_holds_everything():
    prior = lattice_prior(lattice("A2"), beta=0.5, step=0.7, levels=8)
    again = prior_from_tree(prior_tree(prior))
    assert prior.log_sums.shape == (2, 8)  # two scales
    for a, b in zip([*prior[:4], *prior.integers], [*again[:4], *again.integers]):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options, said", [
    ({"beta": 0.0, "step": 1.0, "levels": 4}, "beta and step must be positive and finite, got 0.0"),
    ({"beta": 1.0, "step": np.inf, "levels": 4}, "beta and step must be positive and finite"),
    ({"beta": 1.0, "step": 1.0, "levels": 6}, "levels must be a multiple of 4 for Leech, got 6"),
    ({"beta": 1.0, "step": 1e-6, "levels": 4}, "the step is too small for integer tables"),
])
def test_refusals(options, said):
    with pytest.raises(ValueError, match=said):
        lattice_prior(lattice("Leech"), **options)
