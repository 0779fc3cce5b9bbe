"""The committed heat map: its table, what it shows, and refusals."""

import numpy as np
import pytest

from paper_figures import threshold_patterns
from paper_figures.tables import DATA

TABLE = DATA / "threshold_patterns.csv"


def test_the_committed_table_is_drawn_whole():
    data = threshold_patterns.load(TABLE)
    assert data.metrics[:8] == ("mse", "ssim", "ms_ssim", "nlpd", "ciede2000", "csf", "csf_castle", "cvvdp")
    light = np.array([direction == "light" for direction, _ in data.groups])
    # The level that scores are compared with is their median in light and dark.
    np.testing.assert_allclose(np.median(data.deviation[:, light], axis=1), 0.0, atol=0.05)
    spread = dict(zip(data.metrics, np.sqrt(np.mean(np.square(data.deviation[:, light]), axis=1))))
    assert min(spread, key=spread.get) in ("csf", "csf_castle") and spread["mse"] > 1.5 * spread["csf_castle"]
    # Those that know how the eye sees color are as near there; the others are off by more.
    colored = dict(zip(data.metrics, np.sqrt(np.mean(np.square(data.deviation[:, ~light]), axis=1))))
    assert max(colored["csf_castle"], colored["cvvdp"]) < 4.6 < min(
        value for name, value in colored.items() if name not in ("csf_castle", "cvvdp"))
    figure = threshold_patterns.make_figure(data)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == data.deviation.size + len(set(data.groups))


def test_a_table_with_a_missing_row_is_refused(tmp_path):
    lines = TABLE.read_text().splitlines()
    (tmp_path / "x.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="one row per metric and pattern"):
        threshold_patterns.load(tmp_path / "x.csv")
