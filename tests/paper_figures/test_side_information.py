import numpy as np

from paper_figures import side_information
from paper_figures.tables import DATA
from theory.closed_form import side_information as closed_form
from theory.gaussian import side_information as gaussian

DATA_FILE = DATA / "side_information.csv"


def test_the_committed_table_is_what_theory_says_and_what_is_drawn():
    data = side_information.load(DATA_FILE)
    series = {name: np.stack([data[key][data["series"] == name] for key in ("x", "lower", "upper")])
              for name in side_information.LABELS}
    x, _, rate = series["binary_decoder"]
    np.testing.assert_allclose(rate, closed_form.binary_wyner_ziv_rate(x, 0.25), atol=1e-9)
    x, lower, upper = series["binary_solver"]
    expected = np.asarray(closed_form.binary_wyner_ziv_rate(x, 0.25))
    assert (lower <= expected + 1e-9).all() and (expected <= upper + 1e-9).all()
    x, lower, upper = series["marginal_decoder"]
    bounds = gaussian.marginal_realism_distortion(1.0, x, 0.8, known_to="decoder")
    np.testing.assert_allclose([lower, upper], [bounds.lower, bounds.upper], atol=1e-9)
    figure = side_information.make_figure(data)
    drawn = {line.get_label(): line.get_xydata() for axis in figure.axes for line in axis.lines}
    assert len(drawn) == 9
    np.testing.assert_array_equal(drawn[side_information.LABELS["joint"]].T, series["joint"][[0, 2]])
    errors = series["as_is"][2]
    np.testing.assert_array_equal(drawn[side_information.LABELS["as_is"]][:, 1], 10 * np.log10(errors))
    assert all("bits" in axis.get_xlabel() + axis.get_ylabel() for axis in figure.axes)
