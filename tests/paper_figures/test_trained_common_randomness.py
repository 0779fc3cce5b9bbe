"""The committed table of codecs with few shared bits: re-derived, held to what it shows, and drawn."""

import numpy as np
import pytest

from paper_figures import trained_common_randomness
from paper_figures.tables import DATA
from rdr.evaluation.tables import violations
from theory.gaussian import common_randomness


@pytest.fixture(scope="module")
def data():
    return trained_common_randomness.load(DATA / "trained_common_randomness.csv")


def test_bounds_are_those_of_the_theory(data):
    for name, bits in (("bound_lower_bits", data["common_randomness_bits"]), ("bound_upper_bits",
                       data["common_randomness_bits"]), ("none_bits", 0.0), ("unlimited_bits", np.inf)):
        expected = common_randomness.strong_realism_rate(data["distortion"], bits, data["perception"])
        np.testing.assert_allclose(data[name], expected, atol=1e-7)
    np.testing.assert_allclose(data["gap_bits"], data["rate_bits"] - data["bound_lower_bits"], atol=1e-7)
    assert violations(data) == []


def test_every_number_of_shared_bits_is_followed_within_a_scalar_quantizers_loss(data):
    """0.2546 bit is what scalar quantization loses at high rate; training and few samples add at most 0.03."""
    np.testing.assert_array_equal(np.unique(data["common_randomness_bits"]), [0, 1, 2, 3, 4])
    assert (data["gap_bits"] < 0.285).all() and (data["perception"] < 2e-3).all()


def test_a_shared_bit_beats_what_is_possible_without(data):
    """Codecs with two bits and more need less than any code without common randomness at their D and P."""
    shared = data["common_randomness_bits"] >= 2
    assert (data["rate_bits"] < data["none_bits"])[shared].all()
    rates = [trained_common_randomness.rate_at(data, c, 0.1) for c in range(5)]
    assert (np.diff(rates) < 0).all() and rates[0] - rates[4] > 0.35  # the bound promises 0.5 at most


def test_rates_are_interpolated_between_neighbors_only():
    data = {"common_randomness_bits": np.zeros(2), "distortion": np.array([0.25, 0.0625]),
            "rate_bits": np.array([1.0, 2.0])}
    np.testing.assert_allclose(trained_common_randomness.rate_at(data, 0.0, 0.125), 1.5)
    assert np.isnan(trained_common_randomness.rate_at(data, 0.0, 0.5))


def test_the_figure_shows_the_table(data, tmp_path):
    figure = trained_common_randomness.make_figure(data)
    plane, price = figure.axes
    marks = [line for line in plane.lines if line.get_linestyle() == "None"]
    assert sum(line.get_xdata().size for line in marks) == len(data["rate_bits"])
    assert "C" in price.get_xlabel() and "bits" in plane.get_xlabel()
    assert trained_common_randomness.main(["f", f"--out={tmp_path}"]) == 0 and len(list(tmp_path.iterdir())) == 2
