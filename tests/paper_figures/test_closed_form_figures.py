"""The committed tables of closed forms: re-derived, held to what the figures say, and drawn."""

import importlib

import numpy as np
import pytest

from paper_figures import (
    bernoulli_rdp,
    common_randomness,
    gaussian_image,
    gaussian_surface,
    surfaces,
    water_filling,
)
from paper_figures.tables import DATA
from theory import gaussian
from theory.closed_form import bernoulli
from theory.gaussian.process import image_spectrum, perfect_realism_rate_distortion, rate_distortion

# Tables hold ten significant digits of both arguments and values.
DIGITS = {"rtol": 2e-8, "atol": 1e-8}


def test_surfaces_are_those_of_the_theory():
    surface = bernoulli_rdp.load(DATA / "bernoulli_rdp.csv")
    expected = bernoulli.rate_distortion_perception(surface.distortion[:, None], surface.perception[None, :], 0.1)
    np.testing.assert_allclose(surface.rate, expected, **DIGITS)
    surface = gaussian_surface.load(DATA / "gaussian_surface.csv")
    expected = gaussian.rate_distortion_perception(surface.distortion[:, None], surface.perception[None, :])
    np.testing.assert_allclose(surface.rate, expected, **DIGITS)


def test_common_randomness_rates_give_their_distortion_back():
    data = common_randomness.load(DATA / "common_randomness.csv")
    distortion = gaussian.strong_realism_distortion(
        data["rate_bits"], data["common_randomness_bits"], data["perception"])
    np.testing.assert_allclose(distortion, data["distortion"], rtol=1e-8)
    assert (data["rate_bits"] >= data["rate_unlimited_bits"] - 1e-9).all()
    assert set(np.unique(data["perception"])) == {0.0, 0.005, 0.02}


def test_water_filling_rows_add_up_and_realism_leaves_no_component_out():
    data = water_filling.load(DATA / "water_filling.csv")
    assert (data["kkt_residual"] < 1e-10).all()
    for p in np.unique(data["perception"]):
        rows = data["perception"] == p
        np.testing.assert_allclose(data["distortion"][rows].sum(), data["total_distortion"][rows][0], rtol=1e-8)
        np.testing.assert_allclose(data["rate_bits"][rows].sum(), data["total_rate_bits"][rows][0], rtol=1e-8)
    plain, perfect = np.isinf(data["perception"]), data["perception"] == 0
    assert (data["rate_bits"][plain] == 0).sum() == 5 and (data["rate_bits"][perfect] > 0).all()
    np.testing.assert_allclose(data["reconstruction_variance"][perfect], data["eigenvalue"][perfect], rtol=1e-8)


def test_image_rates_are_certified_ordered_and_right_at_both_ends():
    data = gaussian_image.load(DATA / "gaussian_image.csv")
    assert (np.abs(data["bits_per_pixel_upper"] - data["bits_per_pixel"]) < 1e-8).all()
    assert (data["kkt_residual"] < 1e-8).all()
    np.testing.assert_allclose(data["psnr_db"], -10 * np.log10(data["distortion"]), rtol=1e-8)
    perceptions = sorted(np.unique(data["perception"]), reverse=True)
    bits = np.array([data["bits_per_pixel"][data["perception"] == p] for p in perceptions])
    assert (np.diff(bits, axis=0) >= -1e-9).all() and (bits[-1] - bits[0]).max() > 0.15
    spectrum, weights = image_spectrum(256, 0.04)
    distortion = data["distortion"][data["perception"] == 0]
    np.testing.assert_allclose(bits[0], rate_distortion(distortion, spectrum, weights=weights), **DIGITS)
    np.testing.assert_allclose(
        bits[-1], perfect_realism_rate_distortion(distortion, spectrum, weights=weights), **DIGITS)


@pytest.mark.parametrize("name", [
    "bernoulli_rdp", "gaussian_surface", "common_randomness", "water_filling", "gaussian_image"])
def test_figures_are_drawn_with_named_axes(name, tmp_path, capsys):
    module = importlib.import_module(f"paper_figures.{name}")
    assert module.main([name, f"--out={tmp_path}"]) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    figure = module.make_figure(module.load(DATA / f"{name}.csv"))
    named = [axis for axis in figure.axes if axis.get_title()]
    assert named and (figure.axes[0].get_ylabel() and (figure.axes[-1].get_xlabel() or figure.get_supxlabel()))


def test_curves_are_the_tables_columns():
    surface = bernoulli_rdp.load(DATA / "bernoulli_rdp.csv")
    lines = bernoulli_rdp.make_figure(surface).axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_xydata()[:, 1], surface.rate[:, 0])
    assert lines[0].get_label() == "$P = 0.00$"


def test_a_table_that_is_no_grid_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("distortion,perception,rate_bits\n0,0,1\n0,1,1\n1,0,1\n")
    with pytest.raises(ValueError, match="not a full grid"):
        surfaces.read_surface(tmp_path / "t.csv")
