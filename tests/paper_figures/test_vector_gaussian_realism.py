"""The committed table of Gaussian vectors: re-derived, held to what it shows, and drawn."""

import numpy as np
import pytest

from paper_figures import vector_gaussian_realism
from paper_figures.tables import DATA
from rdr.evaluation.tables import violations
from theory.gaussian import vector as gaussian_vector
from theory.gaussian import vector_perception as gaussian_vector_perception
from theory.gaussian import vector_realism as gaussian_vector_realism


@pytest.fixture(scope="module")
def data():
    return vector_gaussian_realism.load(DATA / "vector_gaussian_realism.csv")


def test_bounds_and_components_are_those_of_the_theory(data):
    t, lam = data.columns, data.eigenvalues
    bound = gaussian_vector_perception.rate_distortion_perception(t["distortion"], t["perception"], lam[None]).rate
    np.testing.assert_allclose(t["bound_lower_bits"], bound, atol=1e-6)
    for name, function in (("plain_rate", gaussian_vector.water_filling),
                           ("realism_rate", gaussian_vector_realism.perfect_realism_water_filling)):
        rates = function(t["distortion"], lam[None]).rates
        for j in range(lam.size):
            np.testing.assert_allclose(t[f"{name}_{j + 1}"], rates[:, j], atol=1e-7)
    np.testing.assert_allclose(sum(t[f"rate_{j + 1}"] for j in range(lam.size)), t["cross_entropy_bits"], rtol=1e-7)
    np.testing.assert_allclose(t["gap_bits"], t["rate_bits"] - t["bound_lower_bits"], atol=1e-7)
    assert violations(t) == []


def test_realism_gives_rate_to_components_that_water_filling_leaves_out(data):
    t = data.columns
    left_out, given = [], []
    for level in np.unique(t["distortion_weight"]):
        rows = np.flatnonzero(t["distortion_weight"] == level)
        plain, real = rows[np.argmin(t["perception_weight"][rows])], rows[np.argmax(t["perception_weight"][rows])]
        assert t["perception"][real] < 0.05 * t["perception"][plain] and t["perception"][real] < 3e-3
        for j in range(1, data.eigenvalues.size + 1):
            if t[f"plain_rate_{j}"][plain] == 0 and t[f"realism_rate_{j}"][real] > 0.17:
                left_out.append(t[f"rate_{j}"][plain])
                given.append(t[f"rate_{j}"][real])
    assert len(given) >= 1 and max(left_out) < 0.05 and min(given) > 0.2


def test_the_figure_shows_the_table(data, tmp_path):
    figure = vector_gaussian_realism.make_figure(data)
    levels = np.unique(data.columns["distortion_weight"])
    assert len(figure.axes) == levels.size and all(len(axis.lines) == 4 for axis in figure.axes)
    shown = figure.axes[0].lines[3].get_ydata()  # trained with realism at the finest level
    row = np.argmax(data.columns["rate_bits"])
    np.testing.assert_array_equal(shown, [data.columns[f"rate_{j + 1}"][row] for j in range(data.eigenvalues.size)])
    assert vector_gaussian_realism.main(["f", f"--out={tmp_path}"]) == 0 and len(list(tmp_path.iterdir())) == 2
