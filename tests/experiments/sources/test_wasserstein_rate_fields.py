import math

import numpy as np
import pytest

from experiments.sources import wasserstein_rate_fields as fields


def test_hartley_transform_is_orthonormal_and_its_own_inverse():
    x = np.random.default_rng(0).standard_normal((12, 12))
    np.testing.assert_allclose(fields.hartley(fields.hartley(x)), x, atol=1e-12)
    assert np.square(fields.hartley(x)).sum() == pytest.approx(np.square(x).sum())


def test_local_statistics_are_those_of_the_window():
    x = np.random.default_rng(0).standard_normal(64)
    where = fields.setting("white", 64, 1, 3.0)
    distance = np.minimum(np.arange(64), 64 - np.arange(64))
    q = np.exp(-0.5 * (distance / 3.0) ** 2)
    q /= q.sum()
    m, v = fields.statistics(x, where.transfer)
    around = np.array([np.roll(x, -t) for t in range(64)])
    np.testing.assert_allclose(m, around @ q, atol=1e-12)
    np.testing.assert_allclose(v, np.sqrt((around**2) @ q - (around @ q) ** 2), atol=1e-12)


@pytest.mark.parametrize("source, variance", [("white", 0.03526185), ("ar1", 0.10420745)])
def test_variance_of_pooled_means(source, variance):
    assert fields.setting(source, 4096, 1, 8.0).means.mean() == pytest.approx(variance, abs=2e-8)


@pytest.mark.parametrize("dimension, side, sigma, level, distortion, rate", [
    (1, 8192, 8.0, 0.1, 0.0134928082, 0.1059237944), (1, 8192, 8.0, 0.01, 0.0018165833, 0.3371482545),
    (2, 512, 4.0, 0.1, 0.002940399016, 0.014157355929)])
def test_two_field_function(dimension, side, sigma, level, distortion, rate):
    where = fields.setting("white", side, dimension, sigma)
    spectra = (where.means, where.deviations)
    assert sum(np.minimum(s, level).mean() for s in spectra) == pytest.approx(distortion, rel=1e-4)
    assert fields.water_filling_rate(spectra, distortion)[0] == pytest.approx(rate, rel=2e-4)


def test_converse_on_a_torus_is_that_of_the_plane():
    where = fields.setting("white", 512, 2, 4.0)
    rate, slope, above = fields.water_filling_rate((where.means,), 0.001642571070)
    assert rate == pytest.approx(0.009510778741, rel=2e-3)
    assert slope == pytest.approx(-1 / (2 * math.log(2) * 0.1), rel=2e-3)
    assert above / 512**2 == pytest.approx(math.log(10) / (4 * math.pi * 16), rel=0.02)
    assert fields.water_filling_rate((where.means,), 1.0) == (0.0, 0.0, 0)


@pytest.mark.parametrize("kind", fields.CARRIERS)
def test_carriers_have_no_local_mean_and_local_power_one(kind):
    where = fields.setting("white", 256, 2, 8.0)
    m, v = fields.statistics(fields.carrier(kind, where.transfer), where.transfer)
    assert np.abs(m).max() < 0.03
    # Noise fluctuates as noise does: the spectrum of v is that of the window's power over 2.
    assert np.abs(v - 1).max() < 0.02 or (kind == "noise" and v.std() == pytest.approx(0.0249, abs=0.005))


def test_two_fields_come_near_their_formula_and_stay_above_the_converse():
    where = fields.setting("white", 4096, 1, 16.0)
    drawn = fields.draw(where, 8, 0)
    row = fields.measure(where, drawn, 0.05, quantizer="dither", second=True, filler="checkerboard", seed=0)
    assert row["distortion"] == pytest.approx(row["asymptotic_distortion"], rel=0.05)
    assert 0 < row["ideal_bits"] - row["asymptotic_bits"] < 0.3 * row["degrees"]
    assert row["bound_lower_bits"] < row["asymptotic_bits"]
    other = fields.measure(where, drawn, 0.05, quantizer="dither", second=False, filler="checkerboard", seed=0)
    assert other["distortion"] > 2 * row["distortion"] and other["rate_bits"] < 0.7 * row["rate_bits"]


def test_without_the_samples_own_bits_errors_are_smaller():
    where = fields.setting("white", 2048, 1, 8.0)
    rows = [fields.measure(where, fields.draw(where, 8, seed, 64), 0.05, quantizer="trellis-8", second=True,
                           filler="checkerboard", seed=seed) for seed in range(3)]
    raw = np.array([row["ideal_bits"] - row["asymptotic_bits"] for row in rows]) / rows[0]["degrees"]
    surplus = np.array([row["surplus_bits"] for row in rows]) / rows[0]["degrees"]
    assert (raw - surplus).std() < 0.6 * raw.std()
    assert all(row["surplus_se"] > 0.0 for row in rows)
    assert np.mean([row["surplus_se"] / row["gap_se"] for row in rows]) < 0.8
    lam = np.array([2.0, 0.5])
    x = np.random.default_rng(0).standard_normal((4000, 2)) * np.sqrt(lam)
    found = fields.surplus_bits(x, lam)
    assert abs(found.mean()) < 4 * found.std() / math.sqrt(4000)
    assert found.std() == pytest.approx(math.log2(math.e), rel=0.1)  # of a chi-square of 2, halved


def test_fields_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="side must be"):
        fields.setting("white", 16, 1, 4.0)
    with pytest.raises(ValueError, match="source must be"):
        fields.spectrum("pink", 16, 1)
    with pytest.raises(ValueError, match="carrier must be"):
        fields.carrier("wave", np.zeros(8))
