import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from experiments.sources import wasserstein_rate as experiment
from experiments.sources import wasserstein_rate_fields as fields
from experiments.sources import wasserstein_rate_images as images
from experiments.sources import wasserstein_rate_tiles as tiles
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory import wasserstein_distortion as theory

TINY = dataclasses.replace(experiment.PRESETS["smoke"], sigmas=(), tile_pixels=(16,), tile_distortions=(0.3,))


def sources(count=64, pixels=16):
    return np.random.default_rng(1).standard_normal((8, count, pixels))


def test_loss_of_tiles_is_the_squared_error_of_mean_and_deviation():
    x = sources()
    y = tiles.moments_codec(x, 0.01, "dither", 0).decoded
    expected = np.square(x.mean(-1) - y.mean(-1)) + np.square(x.std(-1) - y.std(-1))
    np.testing.assert_allclose(tiles.loss(x, y, False), expected.mean(-1), rtol=1e-4)
    sorted_error = np.square(np.sort(x, -1) - np.sort(y, -1)).mean(-1)
    np.testing.assert_allclose(tiles.loss(x, y, True), sorted_error.mean(-1), rtol=1e-4)


@pytest.mark.parametrize("pixels", [4, 16])
def test_realistic_tiles_are_the_source_at_twice_the_distortion(pixels):
    x = sources(512, pixels)
    level = 0.1 / pixels
    made = tiles.realistic_codec(x, level, 3)
    flat = made.decoded.reshape(-1, pixels)
    assert stats.kstest(flat.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(flat.mean(-1) * math.sqrt(pixels), "norm").pvalue > 1e-3
    assert stats.kstest(pixels * flat.var(-1), stats.chi2(pixels - 1).cdf).pvalue > 1e-3
    least = tiles.moments_codec(x, level, "rounding", 3)
    ratio = tiles.loss(x, made.decoded, False).mean() / tiles.loss(x, least.decoded, False).mean()
    assert ratio == pytest.approx(2.0, abs=0.08) and made.message == least.message


def test_bounds_of_the_exact_loss_hold_between_tiles_and_order_statistics():
    lower, upper = tiles.exact_bounds(0.02 / 4, 4)
    # At high rate the two differ by what the order statistics lack of a Gaussian vector.
    assert lower == pytest.approx(-2 * math.log2(0.005) - math.log2(24)) and lower < upper < lower + 1.2


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
    assert rate == pytest.approx(float(theory.white_field_rate(0.001642571070, 4.0)), rel=2e-3)
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


@pytest.mark.parametrize("sigma, trace", [(1.0, 0.1108068625), (math.sqrt(15) / 2, 0.0298776627), (3.0, 0.0212245508)])
def test_windows_of_images_are_those_of_the_loss(sigma, trace):
    where = images.windows("white", (16, 16), sigma)
    assert where.variances.sum() == pytest.approx(trace, abs=1e-9)
    assert where.variances[0] == pytest.approx(1 / 256, rel=1e-6)
    assert where.weights.sum() == pytest.approx(1.0)
    # The loss of an image and its shift in brightness sees the means alone.
    x = np.random.default_rng(2).standard_normal((1, 256))
    np.testing.assert_allclose(images.loss(where, x, x + 0.5, exact=False), 0.25, rtol=1e-4)


def test_filled_images_have_the_expected_deviations():
    where = images.windows("white", (1, 64), 4.0)
    expected = np.full(len(where.windows), 0.9)
    y = images.fill(where, np.zeros((2, 64)), expected, images.texture("checkerboard", (1, 64)))
    v = np.sqrt(np.square(y) @ where.windows.T - np.square(y @ where.windows.T))
    np.testing.assert_allclose(v, 0.9, atol=0.01)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    experiment.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir


def test_rows_are_consistent(finished):
    header, table = read_table(finished / "points.csv")
    assert set(table["family"]) == {"tiles", "images"} and set(table["loss"]) == {"proxy", "exact"}
    assert "no bounds" in header["level"]
    assert tables.violations(table) == []
    np.testing.assert_allclose(table["gap_bits"], table["ideal_bits"] - table["bound_lower_bits"], atol=1e-9)
    assert (table["rate_bits"] >= table["ideal_bits"] * 0.999).all()
    assert np.isnan(table["bound_upper_bits"][table["family"] == "images"]).all()
    for name in ("config.json", "run.json", "summary.txt"):
        assert (finished / name).exists()


def test_a_codec_below_its_converse_fails_the_run(finished, tmp_path, monkeypatch):
    workdir = command_line.open_workdir(tmp_path, TINY)
    (tmp_path / "cases").mkdir()
    for path in (finished / "cases").iterdir():
        rows = json.loads(path.read_text())
        rows[0]["rate_bits"] = rows[0]["bound_lower_bits"] - 3.1 * rows[0]["gap_se"]
        (tmp_path / "cases" / path.name).write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="lie below their bound by more than 3 standard errors"):
        experiment.run(TINY, workdir)


@pytest.mark.parametrize("change, said", [
    ({"quantizers": ("hexagon",)}, "quantizers must be"), ({"tile_pixels": (5,)}, "tile_pixels must be"),
    ({"longest": (100, 64), "sigmas": (32.0,)}, "longest must be"), ({"levels": (1.5,)}, "levels must lie"),
    ({"tiles": 3}, "tiles must be")])
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(TINY, **change)
    with pytest.raises(ValueError, match="side must be"):
        fields.setting("white", 16, 1, 4.0)
    with pytest.raises(ValueError, match="source must be"):
        fields.spectrum("pink", 16, 1)
