import numpy as np
import pytest

from paper_figures import diffusion_codecs
from paper_figures.tables import DATA
from theory.channel_simulation import uniform_noise_rate
from theory.gaussian.diffusion import diffusion_compression
from theory.gaussian.vector_realism import perfect_realism_rate_distortion

LAM = np.array([4.0, 1.0, 0.25])


@pytest.fixture(scope="module")
def data():
    return diffusion_codecs.load(DATA / "diffusion_codecs.csv")


def test_no_row_beats_its_bound_and_claims_of_exactness_hold(data):
    columns = data.columns
    assert (columns["rate_bits"] > columns["bound_lower_bits"] - 3 * columns["gap_se"]).all()
    assert (columns["bound_lower_bits"] <= columns["bound_upper_bits"] + 1e-9).all()
    exact = columns["exact"] == "True"
    assert exact.sum() > 15 and (columns["least_p"][exact] > 1e-3).all()
    assert (columns["perception"][exact] < 6 * columns["perception_null"][exact]).all()
    # The posterior mean is no sample of the source, and the tests see it.
    assert (columns["least_p"][columns["decoder"] == "mean"] < 1e-10).all()


def test_gaussian_rows_are_where_theory_puts_them(data):
    rows = data.where(source="gaussian_vector")
    known = np.isfinite(rows["predicted_distortion"])
    away = (rows["distortion"] - rows["predicted_distortion"])[known] / rows["distortion_se"][known]
    assert np.abs(away).max() < 5.5  # of standard errors from 8 messages
    flow = data.where(source="gaussian_vector", decoder="flow", end=0.2)
    np.testing.assert_allclose(flow["information_bits"] * np.log(2), 2.567899219, rtol=1e-8)
    np.testing.assert_allclose(flow["predicted_distortion"], 0.596452226, rtol=1e-8)
    both = [data.where(source="gaussian_vector", channel="E8", decoder=d, steps=1) for d in ("flow", "ancestral")]
    end = both[1]["end"][0]
    theory = diffusion_compression(end, LAM)
    ratio = both[1]["distortion"][0] / both[0]["distortion"][both[0]["end"] == end][0]
    np.testing.assert_allclose(ratio, theory.ancestral_distortion / theory.flow_distortion, rtol=0.01)
    assert 2.9 < 10 * np.log10(ratio) < 3.02  # dB
    for channel, bits in (("E8", 2.5), ("BW16", 1.6)):
        row = data.where(source="gaussian_vector", channel=channel, decoder="flow")
        at = np.argmin(row["end"])
        optimum = float(perfect_realism_rate_distortion(row["distortion"][at], LAM))
        assert optimum > 3 * bits * 0.995 and row["rate_bits"][at] < 1.15 * optimum
    uniform = data.where(source="gaussian_vector", channel="uniform", decoder="flow", end=0.2, steps=1)
    single = float(np.sum(uniform_noise_rate(0.5 * np.log2(1 + 4 * LAM))))
    np.testing.assert_allclose(uniform["least_bits"], single, rtol=1e-8)


def test_steps_cost_what_their_law_says(data):
    for channel in diffusion_codecs.STEPPED:
        rows = data.where(source="gaussian_vector", channel=channel, decoder="flow", end=0.2)
        beyond = rows["rate_bits"] - rows["header_bits"] - rows["least_bits"]
        # Each step ends three coders: at most 12 bytes for each group of components.
        ends = rows["steps"] * 3 * 12 * 8 / (rows["vectors"] / 8)
        assert (beyond > -4 * rows["rate_se"]).all()
        assert (beyond < ends + 0.01 * rows["least_bits"] + 4 * rows["rate_se"]).all()
    uniform = data.where(source="gaussian_vector", channel="uniform", decoder="flow", end=0.2)
    order = np.argsort(uniform["steps"])
    assert 1.37 < uniform["least_bits"][order][-1] / uniform["least_bits"][order][-2] < np.sqrt(2)
    for name in ("greedy-8", "greedy-32"):
        row = data.where(source="gaussian_vector", channel=name, decoder="flow", steps=1)
        n = int(name.partition("-")[2])
        beyond = row["rate_bits"] - row["header_bits"] - row["least_bits"]
        ends = 3 * 20 * 8 / (row["vectors"] / 8)
        assert (beyond < 3 * 1.893 / n + ends + 4 * row["rate_se"]).all()


def test_the_figure_shows_the_table(data):
    left, right = diffusion_codecs.make_figure(data).axes
    assert "steps" in left.get_xlabel() and "bits per vector" in left.get_ylabel()
    labels = left.get_legend_handles_labels()[1]
    assert "UQDM: theory" in labels and "layered dither: measured" in labels
    lines = {line.get_label(): line.get_xydata() for line in left.lines}
    rows = data.where(source="gaussian_vector", channel="uniform", decoder="flow", end=0.2)
    np.testing.assert_allclose(np.sort(lines["UQDM: theory"][:, 1]), np.sort(rows["least_bits"]))
    drawn = sum(len(line.get_xdata()) for line in right.lines)
    shown = ((data.columns["decoder"] == "chosen") | ((data.columns["decoder"] == "flow")
             & (np.char.find(data.columns["channel"].astype(str), "codebook") < 0))).sum()
    assert drawn == shown
    with pytest.raises(ValueError, match="cannot be read"):
        diffusion_codecs.load(DATA / "no_such_table.csv")
