import numpy as np
import pytest

from paper_figures import sample_bounds
from paper_figures.tables import DATA


def test_the_committed_table_has_no_bound_above_another_and_no_codec_below_one():
    data = sample_bounds.load(DATA / "sample_bounds.csv")
    for source in dict.fromkeys(data["source"].tolist()):
        best = (data["source"] == source) & (data["estimator"] == "best")
        rows = {kind: np.flatnonzero(best & (data["kind"] == kind)) for kind in ("upper", "lower")}
        upper, lower = (data["rate_bits"][rows[kind]] for kind in ("upper", "lower"))
        errors = np.hypot(*(data["rate_se"][rows[kind]] for kind in ("upper", "lower")))
        assert (lower <= upper + 3 * errors + 1e-4).all(), source
        places = data["distortion"][rows["lower"]]
        for row in np.flatnonzero((data["source"] == source) & (data["kind"] == "codec")):
            d, rate, se = (data[name][row] for name in ("distortion", "rate_bits", "rate_se"))
            assert rate > np.interp(np.log(d), np.log(places), lower) - 3 * se, (source, data["estimator"][row])


def test_draws_what_the_table_holds():
    data = sample_bounds.load(DATA / "sample_bounds.csv")
    figure = sample_bounds.make_figure(data)
    sources = list(dict.fromkeys(data["source"].tolist()))
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in panels] == [sample_bounds.TITLES[source] for source in sources]
    for axes, source in zip(panels, sources):
        drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
        chosen = (data["source"] == source) & (data["estimator"] == "klt_dither")
        np.testing.assert_array_equal(np.sort(drawn[sample_bounds.CODECS["klt_dither"]][:, 1]),
                                      np.sort(data["rate_bits"][chosen]))
        assert "bits" in axes.get_ylabel() and axes.get_xscale() == "log"


def test_other_tables_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="lacks the columns"):
        sample_bounds.load(tmp_path / "t.csv")
