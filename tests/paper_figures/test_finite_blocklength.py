import numpy as np
import pytest

from paper_figures import finite_blocklength
from paper_figures.tables import DATA
from theory import finite_blocklength as theory
from theory import gaussian
from theory.quantization import lattices


@pytest.fixture(scope="module")
def data():
    return finite_blocklength.load(DATA / "finite_blocklength.csv")


def test_the_committed_table_is_what_theory_says(data):
    # Re-derived in full where it is cheap; the brackets themselves are tested beside the code that makes them.
    ball = data.series("gaussian", "ball")
    expected = lattices.space_filling_loss(lattices.sphere_bound(ball["blocklength"]))
    np.testing.assert_allclose(ball["excess_bits"], expected, rtol=1e-8, atol=1e-11)
    for panel, dispersion in (("gaussian", theory.gaussian_dispersion(0.25)),
                              ("bernoulli", theory.bernoulli_dispersion(0.11, 0.05))):
        low, high, normal = (data.series(panel, name) for name in ("converse", "achievability", "normal"))
        assert np.all(low["excess_bits"] <= high["excess_bits"]) and len(low["blocklength"]) > 50
        expected = theory.normal_approximation(0.0, dispersion, normal["blocklength"], 0.01)
        np.testing.assert_allclose(normal["excess_bits"], expected, rtol=1e-8)
        long = low["blocklength"] >= 200
        n = low["blocklength"][long]
        assert np.all(np.abs(normal["excess_bits"] - low["excess_bits"])[long] * n < 12 + np.log2(n) / 2)
    length = data.series("realism", "length")
    rates = theory.gaussian_realism_rates(2 - np.sqrt(3), 0.0, blocklength=length["blocklength"])
    np.testing.assert_allclose(length["excess_bits"], rates.length - rates.lower, rtol=1e-7, atol=1e-10)
    assert float(gaussian.rate_distortion_perception(2 - np.sqrt(3), 0.0)) == pytest.approx(1.0)


def test_the_figure_shows_the_table(data):
    figure = finite_blocklength.make_figure(data)
    bounds = ("achievability", "converse")
    for axes, panel, names in zip(figure.axes, ("bernoulli", "gaussian", "realism"),
                                  (bounds, bounds, ("length", "entropy"))):
        lines = [line.get_xydata() for line in axes.lines]
        for name in names:
            rows = data.series(panel, name)
            drawn = np.stack([rows["blocklength"], rows["excess_bits"]], 1)
            assert any(line.shape == drawn.shape and np.array_equal(line, drawn) for line in lines)
        assert "bits" in axes.get_ylabel() and "block length" in axes.get_xlabel()
    labels = {text.get_text() for text in figure.axes[1].texts}
    assert {"$E_8$", "256"} <= labels


def test_a_table_without_a_column_or_series_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("panel,series\ngaussian,ball\n")
    with pytest.raises(ValueError, match="lacks the columns blocklength"):
        finite_blocklength.load(path)
