"""Curves are drawn in the order of their rates, each with its own look, gaps left out."""

import numpy as np

from rdr.evaluation.rd_curves import Curve
from rdr.evaluation.rd_plots import make_figure, points_of

A = Curve("a", "rate_bpp", np.array([0.4, 0.1, 0.2]), {"psnr": np.array([36.0, 30.0, 33.0])}, "")
B_METRICS = {"psnr": np.array([29.0, np.nan]), "fd_vgg16": np.array([3.0, 1.0])}
B = Curve("b", "rate_bpp", np.array([0.1, 0.3]), B_METRICS, "")


def test_panels_hold_the_points():
    figure = make_figure([A, B], ["psnr", "fd_vgg16"])
    left, right = figure.axes
    a, b = left.get_lines()
    assert a.get_xydata().tolist() == [[0.1, 30.0], [0.2, 33.0], [0.4, 36.0]]
    assert b.get_xydata().tolist() == [[0.1, 29.0]]
    assert a.get_marker() != b.get_marker() and a.get_color() != b.get_color()
    assert (left.get_xlabel(), left.get_ylabel()) == ("rate (bits per pixel)", "PSNR (dB)")
    assert right.get_ylabel() == "FD (vgg16)" and len(right.get_lines()) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_similarities_are_drawn_in_decibels_of_what_they_lack():
    curve = A._replace(metrics={"ms_ssim": np.array([1.0, 0.9, 0.99])})
    axis = make_figure([curve], ["ms_ssim"]).axes[0]
    np.testing.assert_allclose(axis.get_lines()[0].get_xydata(), [[0.1, 10.0], [0.2, 20.0]], rtol=1e-12)
    assert axis.get_ylabel().startswith("MS-SSIM, ")


def test_wide_ranges_of_rates_are_drawn_in_logarithms():
    wide = A._replace(rates=np.array([0.01, 1.0, 3.0]))
    assert make_figure([wide], ["psnr"]).axes[0].get_xscale() == "log"
    assert make_figure([A], ["psnr"]).axes[0].get_xscale() == "linear"


def test_hulls_drop_points_that_time_sharing_beats():
    bent = A._replace(metrics={"psnr": np.array([36.0, 30.0, 30.5]), "fid": np.array([1.0, 7.0, 6.9])})
    for metric in ("psnr", "fid"):
        rates, values = points_of(bent, metric, hull=True)
        assert rates.tolist() == [0.1, 0.4] and len(values) == 2
        assert len(points_of(bent, metric, hull=False)[0]) == 3
