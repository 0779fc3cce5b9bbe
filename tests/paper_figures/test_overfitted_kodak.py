"""The committed run over whole photographs, and its figure."""

import numpy as np
import pytest

from paper_figures import overfitted_kodak
from paper_figures.tables import DATA
from rdr.metrics.bjontegaard import bd_rate

TABLE = overfitted_kodak.load(DATA / "overfitted_kodak.csv")
IMAGES = list(dict.fromkeys(TABLE.columns["picture"]))


def _curve(image, codec):
    rows = (TABLE.columns["picture"] == image) & (TABLE.columns["codec"] == codec)
    order = np.argsort(TABLE.columns["bytes"][rows])
    return TABLE.columns["bytes"][rows][order], TABLE.columns["psnr"][rows][order]


def test_rates_are_those_of_whole_files():
    assert len(IMAGES) == 24
    np.testing.assert_allclose(TABLE.columns["bits_per_pixel"], 8 * TABLE.columns["bytes"] / (512 * 768), rtol=1e-9)
    for image in IMAGES:
        assert len(_curve(image, "overfitted MSE")[0]) >= 4


@pytest.mark.parametrize("codec", ["JPEG", "WebP"])
def test_squared_error_beats_older_codecs(codec):
    rates = []
    for image in IMAGES:
        (size, psnr), (other_size, other_psnr) = _curve(image, "overfitted MSE"), _curve(image, codec)
        keep = np.concatenate([[True], np.diff(other_size) > 0])
        rates.append(float(bd_rate([other_size[keep], size], [other_psnr[keep], psnr]).values[1]))
    assert max(rates) < 0
    if codec == "JPEG":  # the other table says the same
        rows = (TABLE.rates["codec"] == "overfitted MSE") & (TABLE.rates["picture"] == "mean")
        np.testing.assert_allclose(TABLE.rates["bd_rate_percent"][rows], [np.mean(rates)], rtol=1e-6)


def test_the_figure_shows_the_table():
    figure = overfitted_kodak.make_figure(TABLE)
    *axes, bars = figure.axes[: overfitted_kodak.MOST + 1]
    shown = [axis.get_title() for axis in axes]
    assert len(set(shown)) == overfitted_kodak.MOST
    ours = (TABLE.rates["codec"] == "overfitted MSE") & (TABLE.rates["picture"] != "mean")
    rates = dict(zip(TABLE.rates["picture"][ours], TABLE.rates["bd_rate_percent"][ours]))
    assert shown[0] == min(rates, key=rates.get) and shown[-1] == max(rates, key=rates.get)
    assert sorted(shown, key=rates.get) == shown
    for axis, image in zip(axes, shown):
        line = axis.get_lines()[0]
        size, psnr = _curve(image, "overfitted MSE")
        np.testing.assert_allclose(line.get_xdata(), 8 * size / (512 * 768))
        np.testing.assert_allclose(line.get_ydata(), psnr)
    np.testing.assert_array_equal(np.sort(bars.get_lines()[0].get_xdata()), np.sort(list(rates.values())))
