import itertools

import jax
import numpy as np
import pytest

from theory import gaussian
from theory.quantization import lattices

# Oracle: literature as in `LATTICES`; (1/2) log2(2 pi e G) in bits to six digits, and dB to four.
LOSSES = {"Z": (0.254614, 1.5329), "A2": (0.226857, 1.3658), "A3*": (0.211911, None), "D4": (0.193870, 1.1672),
          "E8": (0.145974, 0.8789), "BW16": (0.111085, 0.6688), "Leech": (0.083893, 0.5051)}
MOMENTS = {"A2": 0.0801875374, "A3*": 0.0785432812, "D4": 0.0766032346, "E8": 0.0716820988, "BW16": 0.0682976,
           "Leech": 0.0657710}


@pytest.mark.parametrize("name", lattices.LATTICES)
def test_losses_are_those_of_the_literature(name):
    g = lattices.LATTICES[name].normalized_second_moment
    bits, decibels = LOSSES[name]
    assert float(lattices.space_filling_loss(g)) == pytest.approx(bits, abs=0.6e-6)
    if decibels is not None:
        assert float(lattices.space_filling_loss_db(g)) == pytest.approx(decibels, abs=0.6e-4)
    if name in MOMENTS:
        assert g == pytest.approx(MOMENTS[name], abs=0.6e-10 if len(str(MOMENTS[name])) > 10 else 0.6e-7)


def nearest_even(x):
    """Nearest point of D_n, integers of even sum: round, and if the sum is odd, the worst coordinate otherwise."""
    r = np.rint(x)
    d = x - r
    worst = np.argmax(np.abs(d), axis=1)
    rows = np.arange(len(x))
    r[rows, worst] += np.where(r.sum(1) % 2 != 0, np.where(d[rows, worst] >= 0, 1.0, -1.0), 0.0)
    return r


def best_of(x, candidates):
    error = np.full(len(x), np.inf)
    for candidate in candidates:
        error = np.minimum(error, np.sum((x - candidate) ** 2, axis=1))
    return error


def coset_error(x, cosets, nearest):
    return best_of(x, (nearest(x - c) + c for c in cosets))


def reed_muller_16():
    """RM(1, 4): the 32 affine functions on four bits."""
    bits = np.array(list(itertools.product([0, 1], repeat=4)))
    words = [(bits @ np.array(a)) % 2 for a in itertools.product([0, 1], repeat=4)]
    return np.array([w ^ c for w in words for c in (0, 1)], float)


def golay_24():
    """The extended Golay code, from the generator polynomial of the quadratic-residue code of length 23."""
    polynomial = 0b101011100011
    rows = [[(polynomial << i) >> k & 1 for k in range(23)] for i in range(12)]
    generator = np.array([[*row, sum(row) % 2] for row in rows])
    code = (np.array(list(itertools.product([0, 1], repeat=12))) @ generator) % 2
    assert np.bincount(code.sum(1))[[8, 12, 16]].tolist() == [759, 2576, 759]
    return code


def leech_error(x, code):
    """Squared distance to the Leech lattice in the scale of Conway and Sloane: m + 2c + 4z, sum(z) = m mod 2."""
    best = np.full(len(x), np.inf)
    for m in (0, 1):
        r = x - m
        targets = np.stack([r / 4, (r - 2) / 4])  # for c_i = 0 and 1
        z = np.rint(targets)
        d = np.abs(targets - z)
        cost, flip = 16 * d**2, 16 * (1 - 2 * d)
        total = cost[0].sum(1)[:, None] + (cost[1] - cost[0]) @ code.T
        odd = (z[0].sum(1)[:, None] + (z[1] - z[0]) @ code.T + m) % 2 != 0
        least = np.full(total.shape, np.inf)
        for i in range(24):
            least = np.minimum(least, np.where(code[:, i][None] > 0, flip[1][:, i : i + 1], flip[0][:, i : i + 1]))
        best = np.minimum(best, (total + np.where(odd, least, 0)).min(1))
    return best


def decoders():
    """name -> (samples, box side, volume, squared error of the nearest point)."""
    d8 = [np.zeros(8), np.full(8, 0.5)]
    hexagon = np.array([1.0, 3**0.5])

    def hexagonal(x):
        return best_of(x, (np.rint((x - c) / hexagon) * hexagon + c for c in (np.zeros(2), hexagon / 2)))

    bw = reed_muller_16()
    code = golay_24()
    return {
        "Z": (200_000, 1, 1.0, lambda x: (x[:, 0] - np.rint(x[:, 0])) ** 2),
        "A2": (200_000, 12 * hexagon, 3**0.5 / 2, hexagonal),
        "A3*": (200_000, 2, 0.5, lambda x: coset_error(x, [np.zeros(3), np.full(3, 0.5)], np.rint)),
        "D4": (200_000, 2, 2.0, lambda x: coset_error(x, [np.zeros(4)], nearest_even)),
        "E8": (100_000, 2, 1.0, lambda x: coset_error(x, d8, nearest_even)),
        "BW16": (20_000, 4, 2.0**12, lambda x: coset_error(x, bw, lambda y: 2 * nearest_even(y / 2))),
        # Scaled by sqrt(8) the Leech lattice has volume 8^12.
        "Leech": (800, 8, 8.0**12, lambda x: leech_error(x, code)),
    }


@pytest.mark.parametrize("name", lattices.LATTICES)
def test_simulated_nearest_points_have_the_second_moment_within_five_standard_errors(name):
    # Second route: Monte Carlo over a box that is a multiple of a sublattice's cell, with exact decoders.
    count, side, volume, error = decoders()[name]
    n = lattices.LATTICES[name].dimension
    x = np.random.default_rng(1).uniform(0, 1, (count, n)) * side
    samples = error(x) / (n * volume ** (2 / n))
    standard_error = samples.std() / np.sqrt(count)
    assert standard_error < 0.01 * samples.mean()
    assert samples.mean() == pytest.approx(lattices.LATTICES[name].normalized_second_moment, abs=5 * standard_error)


def test_the_sphere_bound_lies_below_every_lattice_and_falls_to_zador_limit():
    # Oracle: Conway and Sloane, chapter 2.
    np.testing.assert_allclose(
        lattices.sphere_bound(np.array([1, 8, 16, 24])),
        [1 / 12, 0.0704535591, 0.0665683339, 0.0647497645], rtol=0, atol=1e-10,  # digits cut, not rounded
    )
    for lattice in lattices.LATTICES.values():
        bound = float(lattices.sphere_bound(lattice.dimension))
        assert bound <= lattice.normalized_second_moment * (1 + 1e-15)
    n = np.array([1.0, 10, 100, 1e4, 1e6])
    bounds = np.asarray(lattices.sphere_bound(n))
    assert np.all(np.diff(bounds) < 0)
    # G_n = (1 + O(ln n / n)) / (2 pi e).
    assert bounds[-1] == pytest.approx(1 / (2 * np.pi * np.e), rel=2e-5)
    assert float(lattices.space_filling_loss(1 / (2 * np.pi * np.e))) == pytest.approx(0.0, abs=1e-15)
    assert 1 / (2 * np.pi * np.e) == pytest.approx(0.0585498315, abs=6e-11)


def test_the_scalar_quantizers_losses_to_their_digits():
    assert float(lattices.space_filling_loss(1 / 12)) == pytest.approx(0.2546143348, abs=6e-11)
    assert float(lattices.space_filling_loss_db(1 / 12)) == pytest.approx(1.532931042, abs=6e-10)
    assert float(lattices.universal_dithered_excess()) == pytest.approx(0.7546, abs=6e-5)


@pytest.mark.parametrize("name, points, printed", [
    ("A2", [(0.988787, 0.346172), (1.957945, 0.091535)], [0.2236, None]),
    ("D4", [(0.945961, 0.349851), (1.918651, 0.091858)], [None, None]),
    ("E8", [(0.574089, 0.537939), (0.904732, 0.349718), (1.379959, 0.181287), (1.882487, 0.090384)],
     [None, 0.1469, None, 0.1486]),
    ("BW16", [(0.910536, 0.337797), (1.845300, 0.091173)], [None, None]),
    ("Leech", [(0.842392, 0.354222), (1.324018, 0.181438), (1.820652, 0.091410)], [0.0938, None, 0.0949]),
])
def test_measured_lattice_codecs_lie_at_their_predicted_excess(name, points, printed):
    # Oracle: points (bits, squared error per sample) measured on a Gaussian, Lei, Hassani and Bidokhti 2025 (arXiv
    # 2403.07320). Their entropy models cost up to 0.025 bit more than the high-rate loss, and nothing can cost less
    # than the sphere bound's loss does at high rate.
    rate, distortion = np.array(points).T
    excess = rate - np.asarray(gaussian.rate_distortion(distortion))
    predicted = float(lattices.space_filling_loss(lattices.LATTICES[name].normalized_second_moment))
    assert np.all(np.abs(excess - predicted) < 0.025)
    np.testing.assert_allclose(
        excess[[i for i, digits in enumerate(printed) if digits]], [digits for digits in printed if digits],
        rtol=0, atol=6e-5)


def test_dithered_bounds_are_the_gaussian_curves_shifted_by_the_loss():
    # Second route: the bound from its derivation, (1/2) log2(2 pi e G (1 + s^2 / d)), D = s^2 d / (s^2 + d).
    g, variance, noise = lattices.LATTICES["E8"].normalized_second_moment, 1.7, np.array([0.01, 0.3, 5.0])
    rate = 0.5 * np.log2(2 * np.pi * np.e * g * (1 + variance / noise))
    wiener = variance * noise / (variance + noise)
    np.testing.assert_allclose(lattices.dithered_rate_upper_bound(wiener, g, variance), rate, rtol=1e-12)
    realistic = 2 * variance * (1 - np.sqrt(variance / (variance + noise)))
    np.testing.assert_allclose(lattices.dithered_realism_rate_upper_bound(realistic, g, variance), rate, rtol=1e-12)
    assert float(lattices.universal_dithered_excess()) == pytest.approx(0.5 * np.log2(4 * np.pi * np.e / 12), rel=1e-14)


def test_bad_arguments():
    with pytest.raises(ValueError, match="normalized_second_moment must be > 0"):
        lattices.space_filling_loss(0.0)
    with pytest.raises(ValueError, match="dimension must be >= 1"):
        lattices.sphere_bound(0)
    with pytest.raises(ValueError, match="distortion / variance must be <= 1"):
        lattices.dithered_rate_upper_bound(2.0, 1 / 12)


def test_at_the_end_of_the_dithered_bound_value_and_derivative_are_those_of_its_own_side():
    g, loss = 1 / 12, float(lattices.space_filling_loss(1 / 12))
    assert float(lattices.dithered_rate_upper_bound(1.0, g)) == pytest.approx(loss, rel=1e-14)
    assert float(lattices.dithered_realism_rate_upper_bound(2.0, g)) == pytest.approx(loss, rel=1e-14)
    slope = (lattices.dithered_rate_upper_bound(1.0, g) - lattices.dithered_rate_upper_bound(1.0 - 1e-8, g)) / 1e-8
    np.testing.assert_allclose(jax.grad(lattices.dithered_rate_upper_bound)(1.0, g), slope, rtol=1e-6)
    assert jax.grad(lattices.dithered_rate_upper_bound)(0.0, g) == -np.inf


def test_beyond_the_variance_a_trace_gives_nan():
    g = 1 / 12
    assert np.isnan(jax.jit(lattices.dithered_rate_upper_bound)(1.5, g))
    assert np.isnan(jax.jit(lattices.dithered_realism_rate_upper_bound)(2.5, g))
