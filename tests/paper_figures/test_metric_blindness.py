"""The committed heat map: its table, what it shows, and refusals."""

import numpy as np
import pytest

from paper_figures import metric_blindness
from paper_figures.tables import DATA


def test_the_committed_table_is_drawn_whole():
    data = metric_blindness.load(DATA / "metric_blindness.csv")
    assert data.distortions == ("blur", "noise", "jpeg", "shift", "brightness", "texture", "codec")
    for name in ("mse", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "cvvdp", "lpips_alexnet", "dists", "wd_vgg16"):
        assert name in data.metrics
    row = dict(zip(data.metrics, data.response))
    # Definitions: the squared error answers noise and everything else alike; every metric answers noise as noise, up to
    # the draw of it. Natural statistics, from nine patches of each image, depend on the draw by an octave.
    np.testing.assert_allclose(row["mse"], 0.0, atol=0.001)
    for name, values in row.items():
        assert abs(values[1]) < (1.5 if name == "natural" else 0.1), name
    assert data.header["codec"].startswith("rdr.codecs.overfitted fitted for squared error in 150 steps")
    rates = [float(rate) for rate in data.header["codec"].split("; ")[2].split(" bits")[0].split()]
    assert len(rates) == 4 and (np.diff(rates) < 0).all() and data.order[data.metrics.index("mse"), 6] == 1.0
    # SSIM hardly sees brightness; distances of statistics hardly see a shift.
    assert row["ssim"][4] < -3 and row["dists"][3] < row["ssim"][3] - 1
    # ColorVideoVDP sees brightness, if less than noise, and a shift more than the squared error does.
    assert row["ssim"][4] + 2 < row["cvvdp"][4] < 0 < row["cvvdp"][3]
    assert (data.order[data.metrics.index("cvvdp")] == 1).all()
    figure = metric_blindness.make_figure(data)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == data.response.size and texts[0] == "0"


def test_a_table_with_a_missing_row_is_refused(tmp_path):
    lines = (DATA / "metric_blindness.csv").read_text().splitlines()
    (tmp_path / "x.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="one row per metric and distortion"):
        metric_blindness.load(tmp_path / "x.csv")
