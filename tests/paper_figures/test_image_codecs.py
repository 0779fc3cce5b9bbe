"""Figures of the image codec: from made-up tables whose shape is known, and the committed ones held to their claims."""

import numpy as np
import pytest

from paper_figures import image_codecs
from paper_figures.tables import DATA

COMMITTED = DATA / "image_codecs.csv"


@pytest.fixture
def made_up(tmp_path):
    """A codec whose squared error follows the parabola exactly, a JPEG 6 dB behind, and a codec without BD-rate."""
    heading, rows, real = "codec,rate_bpp,psnr,mse,dists", [], []
    for rate, psnr in ((0.1, 25.0), (0.2, 28.0), (0.4, 31.0), (0.8, 34.0)):
        for weight in (0, 1):
            rows.append(f"mbt2018-mean realism {weight},{rate},{psnr - weight},0.001,0.1")
        rows.append(f"JPEG (Pillow),{rate},{psnr - 6},0.004,0.1")
        real += [f"mbt2018-mean realism {weight:g},{rate},0,{0.001 + rate * weight**2},{0.5 - 0.3 * weight}"
                 for weight in (0, 0.25, 0.5, 0.75, 1)]
    (tmp_path / "t.csv").write_text("\n".join([heading, *rows]) + "\n")
    (tmp_path / "t_realism.csv").write_text("\n".join([heading, *real]) + "\n")
    rates = ["codec,bd_rate_percent", "mbt2018-mean realism 0,-60", "mbt2018-mean realism 1,-50", "VTM 4:4:4,"]
    (tmp_path / "t_bd_rates.csv").write_text("\n".join(rates) + "\n")
    return tmp_path / "t.csv"


def test_a_decoder_that_follows_the_theory_lies_on_the_parabola(made_up):
    data = image_codecs.load(made_up)
    for rate in (0.1, 0.8):
        distance, excess = image_codecs.normalized(data, data.realism["rate_bpp"] == rate)
        np.testing.assert_allclose(distance, [1.0, 0.75, 0.5, 0.25, 0.0], atol=1e-12)
        np.testing.assert_allclose(excess, image_codecs.shape(distance), atol=1e-12)


def test_rates_without_a_value_are_left_out_and_published_curves_are_there(made_up):
    data = image_codecs.load(made_up)
    assert np.isnan(data.bd_rates["bd_rate_percent"]).tolist() == [False, False, True]
    assert set(image_codecs._PUBLISHED) <= set(data.published)
    bars = image_codecs.rate_distortion(data).axes[1]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["mbt2018-mean (ours)",
                                                                      "mbt2018-mean (ours, realism 1)"]


@pytest.mark.parametrize("source", ["made_up", COMMITTED])
def test_figures_are_written(source, request, tmp_path):
    if source == COMMITTED and not COMMITTED.exists():
        pytest.skip("no table is committed yet")
    table = request.getfixturevalue(source) if source == "made_up" else source
    assert image_codecs.main(["image_codecs", f"--table={table}", f"--out={tmp_path / 'out'}"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["image_codecs.png", "image_realism.png"]


@pytest.mark.skipif(not COMMITTED.exists(), reason="no table is committed yet")
def test_the_committed_codec_keeps_its_promises():
    data = image_codecs.load(COMMITTED)
    mine = next(curve for name, curve in data.curves.items() if name.endswith("realism 0"))
    assert len(mine["rate_bpp"]) >= 4
    np.testing.assert_allclose(mine["rate_bpp"], mine["estimated_bpp"], rtol=0.01)
    values = dict(zip(data.bd_rates["codec"], data.bd_rates["bd_rate_percent"]))
    assert values["mbt2018-mean realism 0"] < 0  # better than JPEG at equal PSNR
    real = next(curve for name, curve in data.curves.items() if name.endswith("realism 1"))
    np.testing.assert_array_equal(real["rate_bpp"], mine["rate_bpp"])  # the same bytes
    for name in ("lpips", "dists", "psnr"):
        assert (real[name] < mine[name]).all()
