"""The committed table of the Laplacian: re-derived, held to what it shows, and drawn."""

import numpy as np
import pytest

from paper_figures import laplace
from paper_figures.tables import DATA
from rdr.evaluation.tables import violations
from theory.closed_form.shannon_lower_bound import squared_error
from theory.quantization.laplace import entropy_coded_rate_distortion


@pytest.fixture(scope="module")
def data():
    return laplace.load(DATA / "laplace.csv")


def test_bounds_are_brackets_above_shannons(data):
    shannon = np.asarray(squared_error(data["distortion"], np.log2(2 * np.e), dimension=1))
    assert (data["bound_lower_bits"] >= np.maximum(shannon, 0.0) - 1e-7).all()
    width = data["bound_upper_bits"] - data["bound_lower_bits"]
    assert (width >= 0).all() and width.max() < 0.03
    best = np.asarray(entropy_coded_rate_distortion(data["distortion"], 1.0))
    np.testing.assert_allclose(data["scalar_quantizer_bits"], best, atol=1e-7)
    np.testing.assert_allclose(data["gap_bits"], data["rate_bits"] - data["bound_upper_bits"], atol=1e-7)
    assert violations(data) == []


def test_codecs_without_a_dither_reach_the_best_scalar_quantizer(data):
    """Rounding within 0.013 bit of it at every rate, bytes written; no deterministic codec below it but by chance."""
    excess = data["rate_bits"] - data["scalar_quantizer_bits"]
    assert np.abs(excess[data["codec"] == "scalar"]).max() < 0.013
    deterministic = data["codec"] != "dithered"
    assert (excess > -5 * data["gap_se"])[deterministic].all() and excess[deterministic].max() < 0.05


def test_a_dither_costs_much_at_low_rate_and_little_at_high_rate(data):
    """There is nothing in dead zones for it: its cells cannot be wider about 0."""
    rows = np.flatnonzero(data["codec"] == "dithered")
    rows = rows[np.argsort(data["rate_bits"][rows])]
    excess = (data["rate_bits"] - data["scalar_quantizer_bits"])[rows]
    assert excess[0] > 0.08 and 0 < excess[-1] < 0.025
    assert (data["gap_bits"][rows] < 0.27).all()


def test_the_figure_shows_the_table(data, tmp_path):
    figure = laplace.make_figure(data)
    marks = {line.get_color(): line for line in figure.axes[0].lines if line.get_marker() in "sD^"}
    for family, (_, color, _) in laplace.FAMILIES.items():
        rows = data["codec"] == family
        np.testing.assert_allclose(np.sort(marks[color].get_ydata()), np.sort(data["gap_bits"][rows]))
    assert "bits" in figure.axes[0].get_xlabel() and "bits" in figure.axes[0].get_ylabel()
    assert laplace.main(["laplace", f"--out={tmp_path}"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["laplace.pdf", "laplace.png"]


def test_another_experiments_table_is_one_sentence(tmp_path, capsys):
    assert laplace.main(["laplace", f"--table={DATA / 'sawbridge.csv'}", f"--out={tmp_path}"]) == 1
    assert "holds no operating points of the Laplacian" in capsys.readouterr().err
