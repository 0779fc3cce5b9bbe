"""The committed table: re-derived where it can be, held to what the README claims, and drawn."""

import numpy as np
import pytest

from paper_figures import gaussian_rdp
from paper_figures.tables import DATA
from rdr.evaluation.tables import violations
from theory import gaussian
from theory.quantization.entropy_coded import entropy_coded_rate_distortion
from theory.quantization.tabulated_density import gaussian_density


@pytest.fixture(scope="module")
def data():
    return gaussian_rdp.load(DATA / "gaussian_rdp.csv")


def rows(data, family):
    return {name: column[data.columns["codec"] == family] for name, column in data.columns.items()}


def test_bounds_and_gaps_are_those_of_the_theory(data):
    t = data.columns
    none = gaussian.conditional_rate_distortion_perception(t["distortion"], t["perception"])
    unlimited = gaussian.rate_distortion_perception(t["distortion"], t["perception"])
    np.testing.assert_allclose(t["bound_lower_bits"], np.where(t["codec"] == "dithered", unlimited, none), atol=1e-7)
    np.testing.assert_allclose(t["gap_bits"], t["rate_bits"] - t["bound_lower_bits"], atol=1e-7)
    np.testing.assert_allclose(t["rate_distortion_bits"], gaussian.rate_distortion(t["distortion"]), atol=1e-7)
    np.testing.assert_allclose(t["unlimited_randomness_bits"], unlimited, atol=1e-7)
    np.testing.assert_allclose(t["perfect_realism_bits"], gaussian.rate_distortion_perception(t["distortion"], 0.0),
                               atol=1e-7)
    assert violations(t) == []
    assert (t["gap_se"] < 0.01).all() and int(data.header["samples"]) >= 2**18


def nearest(table, rate):
    i = np.argmin(np.abs(table["rate_bits"] - rate))
    assert abs(table["rate_bits"][i] - rate) < 0.15
    return {name: column[i] for name, column in table.items()}


@pytest.mark.parametrize("rate", [*(pytest.param(rate, marks=pytest.mark.stress) for rate in (0.5, 1.0, 3.0)), 2.0])
def test_deterministic_codecs_are_optimal_scalar_quantizers(data, rate):
    row = nearest(rows(data, "deterministic"), rate)
    optimum = float(entropy_coded_rate_distortion(gaussian_density(), row["distortion"]).lower)
    assert row["rate_bits"] - optimum <= 0.02


@pytest.mark.parametrize("rate", [1.0, 2.0, 3.0])
def test_dithered_codecs_are_near_perfect_realism(data, rate):
    table = rows(data, "dithered")
    real = {name: column[table["perception"] <= 0.002] for name, column in table.items()}
    row = nearest(real, rate)
    assert row["rate_bits"] - float(gaussian.rate_distortion_perception(row["distortion"], 0.0)) <= 0.27


def test_private_noise_buys_what_interpolation_predicts(data):
    table, plain = rows(data, "private"), rows(data, "deterministic")
    known = np.isfinite(table["interpolated_distortion"])
    assert known.sum() >= 20
    order = np.argsort(plain["rate_bits"])
    logs = np.log(np.append(1.0, plain["distortion"][order]))
    g = np.exp(np.interp(table["rate_bits"][known], np.append(0.0, plain["rate_bits"][order]), logs))
    expected = g + np.maximum(np.sqrt(g) - np.sqrt(table["perception"][known]), 0.0) ** 2
    np.testing.assert_allclose(table["interpolated_distortion"][known], expected, rtol=1e-8)
    ratio = table["distortion"][known] / table["interpolated_distortion"][known]
    assert ratio.max() <= 1.03


def test_a_higher_weight_of_realism_gives_more_of_it(data):
    for family in ("private", "dithered"):
        table = rows(data, family)
        perception = table["perception"].reshape(-1, 4)  # four ratios at each rate weight
        assert (np.diff(perception, axis=1) < 0).mean() > 0.9


def test_figures_show_the_table(data):
    figure = gaussian_rdp.rate_distortion(data)
    left, right = figure.axes[:2]
    marks = [line for line in left.lines if line.get_linestyle() == "None" and line.get_marker() in "os"]
    shown = sum(line.get_xdata().size for line in marks)
    assert shown == (data.columns["codec"] != "dithered").sum()
    assert "rate" in figure.axes[2].get_xlabel() and "bits" in figure.axes[2].get_ylabel()
    bounds = [line.get_xydata() for line in right.lines if line.get_linestyle() == "-"]
    perfect = [np.allclose(xy[:, 1], gaussian.distortion_rate_perception(xy[:, 0], 0.0), rtol=1e-9) for xy in bounds]
    assert sum(perfect) == 1
    plane = gaussian_rdp.distortion_perception(data)
    assert len(plane.axes) >= 3 and all("W₂" in axis.get_xlabel() for axis in plane.axes[:3])


def test_points_at_a_rate_are_interpolated_between_neighbors_only():
    columns = {"codec": np.array(["private"] * 3), "rate_bits": np.array([1.0, 2.0, 3.0]),
               "distortion": 4.0 ** -np.array([1.0, 2.0, 3.0]), "perception": 8.0 ** -np.array([1.0, 2.0, 3.0]),
               "distortion_weight": np.ones(3), "perception_weight": np.full(3, 4.0)}
    data = gaussian_rdp.Data({}, columns)
    np.testing.assert_allclose(gaussian_rdp.at_rate(data, "private", 1.5), [[4.0**-1.5, 8.0**-1.5]])
    assert gaussian_rdp.at_rate(data, "private", 0.5).shape == (0, 2)


def test_drawing_from_the_committed_table_by_command(tmp_path):
    assert gaussian_rdp.main(["gaussian_rdp", f"--out={tmp_path}"]) == 0
    assert len(list(tmp_path.iterdir())) == 4


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("codec,rate_bits\n")
    with pytest.raises(ValueError, match="holds no operating points"):
        gaussian_rdp.load(tmp_path / "t.csv")
