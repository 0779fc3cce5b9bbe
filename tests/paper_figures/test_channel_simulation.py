import numpy as np
import pytest

from paper_figures import channel_simulation
from paper_figures.tables import DATA
from theory.channel_simulation import gaussian_functional_information


@pytest.fixture(scope="module")
def data():
    return channel_simulation.load(DATA / "channel_simulation.csv")


def test_the_committed_table_obeys_the_bounds(data):
    # Re-derived: the functional information of single numbers; blocks are held to the same in their own tests.
    schemes = data.schemes()
    layered = schemes["layered"]
    expected = gaussian_functional_information(layered["information_bits"])
    np.testing.assert_allclose(layered["functional_information_bits"], expected, atol=1e-9)
    rate = layered["information_bits"] + layered["excess_bits"]
    assert np.all(np.abs(rate / expected - 1) < 0.003 + 3 * layered["rate_se"] / rate)
    for rows in schemes.values():
        if str(rows["exact"][0]) == "True":
            rate = rows["information_bits"] + rows["excess_bits"]
            assert (rate > rows["functional_information_bits"] - 3 * rows["rate_se"]).all()
            assert (rows["least_p"] > 1e-3).all()
            assert rows["samples"].min() >= 2**14


def test_the_figure_shows_the_table(data):
    left, right = channel_simulation.make_figure(data).axes
    lines = {line.get_label(): line.get_xydata() for line in left.lines}
    for name, rows in data.schemes().items():
        (label,) = [key for key in lines if key.startswith(f"{name} (n")]
        np.testing.assert_array_equal(lines[label][:, 0], rows["information_bits"])
        np.testing.assert_allclose(lines[label][:, 1], 1 + rows["excess_bits"] / rows["information_bits"])
    assert "information" in left.get_xlabel() and "second" in right.get_ylabel()
    assert "least possible, n = 1" in lines and "least possible, n = 8" in lines


def test_a_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("scheme,dimension\nlayered,1\n")
    with pytest.raises(ValueError, match="lacks the columns decode_samples_per_second"):
        channel_simulation.load(path)
