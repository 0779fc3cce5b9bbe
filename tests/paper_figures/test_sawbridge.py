"""The committed tables of sources on curves: re-derived where they can be, held to the requirement, and drawn."""

import numpy as np
import pytest

from paper_figures import circle_and_ramp, sawbridge
from paper_figures.tables import DATA
from rdr.evaluation.tables import violations
from theory.closed_form import manifolds

TABLES = {"sawbridge": sawbridge, "circle_and_ramp": circle_and_ramp}


@pytest.fixture(scope="module", params=TABLES)
def data(request):
    return request.param, sawbridge.load(DATA / f"{request.param}.csv")


def test_bounds_are_those_of_the_theory(data):
    _, t = data
    for i, source in enumerate(t["source"]):
        hull = manifolds.hull_rate_distortion(t["distortion"][i], str(source))
        linear = manifolds.linear_rate_distortion(t["distortion"][i], str(source))
        np.testing.assert_allclose(t["bound_upper_bits"][i], hull, atol=1e-7)
        np.testing.assert_allclose(t["linear_bits"][i], linear, atol=1e-7)
        assert hull - 1e-3 <= t["bound_lower_bits"][i] <= hull + 1e-7
    np.testing.assert_allclose(t["gap_bits"], t["rate_bits"] - t["bound_upper_bits"], atol=1e-7)
    assert violations(t) == []


def test_every_codec_is_at_its_vertex_of_the_hull(data):
    """The requirement: D within 2 % of N equal cells at log2 N bits, for every N on the hull from 2 to 8."""
    name, t = data
    np.testing.assert_array_equal(t["used_codewords"], t["target_cells"])
    assert np.abs(t["distortion"] / t["target_distortion"] - 1).max() < 0.02
    assert np.abs(t["rate_bits"] - np.log2(t["target_cells"])).max() < 0.02
    expected = {"sawbridge": [range(2, 9)], "circle_and_ramp": [range(3, 9), range(4, 9)]}[name]
    np.testing.assert_array_equal(t["target_cells"], np.concatenate([list(part) for part in expected]))
    if name == "sawbridge":
        assert (t["dimension"] == 1024).all()
        np.testing.assert_allclose(t["target_distortion"], 1 / (6 * t["target_cells"]), rtol=1e-9)
        assert (t["linear_bits"] / t["rate_bits"])[t["target_cells"] >= 4].min() > 2  # a linear transform's rate
        assert (t["linear_bits"] / t["rate_bits"])[-1] > 3.5


def test_the_figure_shows_the_table(data):
    name, t = data
    figure = TABLES[name].make_figure(t)
    for axis, source in zip(figure.axes, dict.fromkeys(t["source"])):
        rows = t["source"] == source
        hull, linear, marks = axis.lines[:3]
        np.testing.assert_array_equal(marks.get_xdata(), t["rate_bits"][rows])
        np.testing.assert_array_equal(marks.get_ydata(), t["distortion"][rows])
        np.testing.assert_allclose(
            manifolds.hull_distortion_rate(hull.get_xdata(), str(source)), hull.get_ydata(), rtol=1e-9)
        assert np.interp(marks.get_ydata()[-1], linear.get_ydata(), linear.get_xdata()) > marks.get_xdata()[-1]
        assert "bits" in axis.get_xlabel()


def test_drawing_by_command(tmp_path, capsys):
    assert sawbridge.main(["sawbridge", f"--out={tmp_path}"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sawbridge.pdf", "sawbridge.png"]
    (tmp_path / "t.csv").write_text("rate_bits,source\n")
    assert sawbridge.main(["sawbridge", f"--table={tmp_path / 't.csv'}", f"--out={tmp_path}"]) == 1
    assert "holds no operating points" in capsys.readouterr().err
