import math

import numpy as np
import pytest

from paper_figures import wasserstein_rate
from paper_figures.tables import DATA
from rdr.evaluation import tables
from theory import wasserstein_distortion as theory

TABLE = DATA / "wasserstein_rate.csv"


@pytest.fixture(scope="module")
def data():
    return wasserstein_rate.load(TABLE)


def test_no_committed_codec_beats_its_converse(data):
    columns = data.columns
    assert tables.violations(columns) == []
    # Ideal code lengths are held to it as well, and the bounds to theory's.
    assert (columns["gap_bits"] >= -3 * columns["gap_se"]).all()
    rows = wasserstein_rate.chosen(columns, family="tiles", loss="proxy")
    share = np.where(np.char.startswith(rows["codec"], "realistic"), 0.5, 1.0)
    lower, upper = theory.tile_rate_bounds(share * rows["distortion"], rows["dimension"])
    np.testing.assert_allclose(rows["bound_lower_bits"], lower, rtol=1e-7)
    np.testing.assert_allclose(rows["bound_upper_bits"], upper, rtol=1e-7)
    for dimension, sigma in ((1, 8.0), (2, 4.0)):
        rows = wasserstein_rate.chosen(columns, family="two fields", source="white", dimension=dimension, sigma=sigma)
        assert len(rows["codec"]) == 4
        level = np.geomspace(2e-3, 0.999, 200)  # those of the figure: its programs, read between levels
        point = theory.white_field_water_filling(level, sigma, dimension=dimension)
        assert point.distortion[0] < rows["distortion"].min() and rows["distortion"].max() < point.distortion[-1]
        expected = np.interp(rows["distortion"], point.distortion, point.rate)
        np.testing.assert_allclose(rows["bound_lower_bits"], expected, rtol=0.02)


@pytest.mark.parametrize("quantizer, most", [("dither", 0.26), ("trellis-256", 0.05)])
def test_committed_tiles_come_as_near_as_promised(data, quantizer, most):
    """Bits per coded scalar above the bracket."""
    rows = wasserstein_rate.chosen(data.columns, family="tiles", codec=f"moments-{quantizer}")
    assert len(rows["codec"]) == 9
    excess = (rows["ideal_bits"] - rows["surplus_bits"] - rows["bound_upper_bits"]) / 2
    assert (excess <= most + rows["surplus_se"]).all()  # two standard errors, of half the bits
    assert excess.mean() <= most


@pytest.mark.parametrize("quantizer, most", [("dither", 0.3), ("trellis-256", 0.06)])
def test_committed_fields_come_as_near_as_promised(data, quantizer, most):
    """Wide windows: bits per active component above the two-field function, and distortion beside it."""
    rows = wasserstein_rate.chosen(data.columns, family="two fields", codec=f"checkerboard-{quantizer}")
    wide = rows["sigma"] >= 16
    assert wide.sum() == 16
    ratio = rows["distortion"] / rows["asymptotic_distortion"]
    assert np.abs(ratio[wide] - 1).max() < 0.05
    bits = rows["ideal_bits"] - rows["surplus_bits"]
    excess, se = (bits - rows["asymptotic_bits"]) / rows["degrees"], rows["surplus_se"] / rows["degrees"]
    assert (excess[wide] <= most + 2 * se[wide]).all()
    assert np.average(excess[wide], weights=(rows["degrees"] * rows["samples"])[wide]) <= most
    # Coding alone, at any sigma; in narrow windows the decoder loses more, of white lines at the lower level.
    coding = (bits - rows["coded_bits"]) / rows["degrees"]
    assert (coding <= most + 2 * rows["coded_se"] / rows["degrees"]).all()
    more = excess > most + 2 * se
    assert set(zip(rows["source"][more], rows["dimension"][more], rows["sigma"][more])) <= {
        ("white", 1, 2.0), ("white", 1, 4.0)}


def test_realism_without_common_randomness_costs_3_db(data):
    for pixels in (4, 16, 64):
        rows = wasserstein_rate.chosen(data.columns, family="tiles", dimension=pixels, loss="proxy")
        real = np.char.startswith(rows["codec"], "realistic")
        gap = (rows["ideal_bits"] - rows["bound_upper_bits"])[real] / 2
        assert real.sum() == 3 and (gap > 0).all() and gap.max() < 0.27  # above R(D/2) by what rounding loses


@pytest.mark.parametrize("stand_in", [True, pytest.param(False, marks=pytest.mark.stress)])
def test_figures_show_the_tables(data, stand_in, monkeypatch):
    if stand_in:  # each slope is programs of its own; theory/wasserstein_distortion/test_foveation.py has their values
        monkeypatch.setattr(theory, "bits_per_octave", lambda c, level: 0.65878 * math.log10(level) ** 2 / c**2)
    figure = wasserstein_rate.rate_figure(data)
    drawn = np.concatenate([line.get_ydata() for axis in figure.axes for line in axis.lines])
    for family in ("tiles", "two fields"):
        rows = wasserstein_rate.chosen(data.columns, family=family, source="white", loss="proxy")
        kept = np.char.endswith(rows["codec"], "trellis-256")
        assert np.isin(rows["rate_bits"][kept], drawn).all()
    figure = wasserstein_rate.glance_figure(data)
    drawn = np.concatenate([line.get_ydata() for line in figure.axes[1].lines])
    kept = (data.octaves["inside"] > 0.05) & (data.octaves["low"] > 0)
    assert np.isin(data.octaves["latent_bits"][kept], drawn).all()
    curve = figure.axes[0].lines[0]
    assert np.interp(0.1, curve.get_xdata(), curve.get_ydata()) == pytest.approx(65.878, rel=0.02)
    if stand_in:
        for line, level in zip(figure.axes[0].lines[::2], (0.1, 0.01)):
            expected = [theory.bits_per_octave(c, level) for c in line.get_xdata()]
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
    figure = wasserstein_rate.realism_figure(data)
    least, realistic = figure.axes[0].lines[:2]
    np.testing.assert_allclose(realistic.get_xdata(), 2 * least.get_xdata())
    assert math.isclose(least.get_xdata()[-1], 0.0932126341, rel_tol=2e-3)


def test_a_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("family,loss\na,b\n")
    with pytest.raises(ValueError, match="lacks the columns codec, dimension"):
        wasserstein_rate.load(path)
