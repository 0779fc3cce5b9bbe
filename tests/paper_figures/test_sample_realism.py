import numpy as np
import pytest

from paper_figures import sample_realism
from paper_figures.tables import DATA


def test_the_committed_table_says_that_realism_costs_and_lower_bounds_are_below():
    data, _ = sample_realism.load(DATA / "sample_realism.csv")
    levels = np.unique(data["perception"][data["series"] == "upper bound"])
    assert levels.size == 3
    for easier, harder in zip(levels[:0:-1], levels[-2::-1]):
        x, rate = sample_realism.rows_of(data, "upper bound", harder)
        other = sample_realism.rows_of(data, "upper bound", easier)
        assert (np.interp(x, *other) <= rate + 1e-6).all()
    for perception in (0.0, np.inf):
        x, rate = sample_realism.rows_of(data, "lower bound", perception)
        assert (np.diff(rate) < 0).all()
    least, bits = sample_realism.rows_of(data, "lower bound", np.inf)
    for row in np.flatnonzero(data["series"] != "lower bound"):
        if data["rate_bits"][row] <= bits.max():
            at = bits >= data["rate_bits"][row]
            assert data["distortion"][row] >= least[at].max(), data["series"][row]


def test_draws_what_the_table_holds():
    made = sample_realism.load(DATA / "sample_realism.csv")
    axes, = sample_realism.make_figure(made).axes
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    data, of_the_mean = made
    level = np.unique(data["perception"][data["series"] == "trained"])[-1]
    chosen = (data["series"] == "trained") & (data["perception"] == level)
    label = f"{sample_realism.CODECS['trained']}, P = {level / of_the_mean:.2g}"
    np.testing.assert_array_equal(np.sort(drawn[label][:, 1]), np.sort(data["rate_bits"][chosen]))
    assert "bits" in axes.get_ylabel() and axes.get_xscale() == "log"


def test_other_tables_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("series,perception,rate_bits,distortion\na,1,1,1\n")
    with pytest.raises(ValueError, match="lacks the line perception_of_the_mean"):
        sample_realism.load(tmp_path / "t.csv")
