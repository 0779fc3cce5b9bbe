"""Bjontegaard deltas, against the package `bjontegaard` and curves whose deltas are known."""

import json
import pathlib

import numpy as np
import pytest

from rdr.metrics.bjontegaard import METHODS, bd_difference, bd_metric, bd_rate

RECORD = json.loads((pathlib.Path(__file__).parents[2] / "data" / "bjontegaard.json").read_text(encoding="utf-8"))
CURVES = [tuple(np.array(axis) for axis in curve) for curve in RECORD["curves"]]
RATES, QUALITY = np.array([0.1, 0.2, 0.4, 0.8]), np.array([28.0, 31.0, 34.0, 37.0])


@pytest.mark.parametrize("method", METHODS)
def test_deltas_equal_those_of_the_package(method):
    for key, (rate, metric) in RECORD["bd_rate and bd_psnr"].items():
        name, *pair = key.split()
        if name != method:
            continue
        rates, metrics = zip(*(CURVES[int(i)] for i in pair))
        # Both are float64; the package fits its cubic without centering, which costs it digits.
        np.testing.assert_allclose(bd_rate(rates, metrics, method=method).values, [0.0, rate], rtol=1e-8)
        np.testing.assert_allclose(bd_metric(rates, metrics, method=method).values, [0.0, metric], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_curve_of_a_tenth_less_rate_scores_minus_ten_percent(method):
    deltas = bd_rate([RATES, 0.9 * RATES, RATES[::-1]], [QUALITY, QUALITY, QUALITY[::-1]], method=method)
    np.testing.assert_allclose(deltas.values, [0.0, -10.0, 0.0], atol=1e-11)
    assert deltas.interval == (28.0, 37.0) and deltas.overlap == 1.0
    lifted = bd_metric([RATES, RATES], [QUALITY, QUALITY + 0.5], method=method)
    np.testing.assert_allclose(lifted.values, [0.0, 0.5], atol=1e-12)


def test_straight_lines_in_log_rate_have_the_closed_form():
    # log r = a + b q: the mean difference over [q0, q1] is that at its middle.
    quality = np.linspace(30.0, 36.0, 5)
    other = np.linspace(31.0, 38.0, 6)
    rates = [np.exp(-20.0 + 0.5 * quality), np.exp(-18.5 + 0.44 * other)]
    expected = 100 * np.expm1(1.5 - 0.06 * 33.5)
    for method in METHODS:
        deltas = bd_rate(rates, [quality, other], method=method)
        np.testing.assert_allclose(deltas.values[1], expected, rtol=1e-10)
        assert deltas.interval == (31.0, 36.0) and deltas.overlap == 5.0 / 8.0


@pytest.mark.parametrize("count", [2, 3])
def test_few_points_do_for_piecewise_methods(count):
    for method in ("pchip", "akima"):
        deltas = bd_rate([RATES[:count], 0.5 * RATES[:count]], [QUALITY[:count], QUALITY[:count]], method=method)
        np.testing.assert_allclose(deltas.values, [0.0, -50.0], atol=1e-10)
    with pytest.raises(ValueError, match="curve 1 must have at least 2 points"):
        bd_rate([RATES[:1], RATES], [QUALITY[:1], QUALITY])


def test_many_curves_are_compared_over_the_range_that_all_share():
    quality = [np.linspace(28.0, 40.0, 7), np.linspace(30.0, 44.0, 8), np.linspace(33.0, 37.0, 5)]
    rates = [np.exp(0.2 * q + 0.003 * (k + 1) * (q - 30.0) ** 2 - 8.0) for k, q in enumerate(quality)]
    three, pair = (bd_rate(rates[:n], quality[:n], method="pchip") for n in (3, 2))
    assert three.interval == (33.0, 37.0) and pair.interval == (30.0, 40.0)
    # Over 33..37 the mean of 0.003 (q - 30)^2 is 0.003 (7^3 - 3^3) / 12; interpolation errs by 1e-3 of that.
    np.testing.assert_allclose(three.values[1], 100 * np.expm1(0.003 * (7**3 - 3**3) / 12), rtol=5e-3)
    assert abs(pair.values[1] - three.values[1]) > 1.0


def test_metrics_that_fall_with_rate_and_two_metrics_are_compared_too():
    distance = 5.0 * RATES**-0.5
    np.testing.assert_allclose(bd_rate([RATES, 1.2 * RATES], [distance, distance]).values, [0.0, 20.0], atol=1e-10)
    # Realism at equal fidelity.
    np.testing.assert_allclose(bd_difference([QUALITY, QUALITY], [distance, distance - 1]).values, [0, -1], atol=1e-12)


def test_curves_that_cannot_be_compared_are_refused_in_words():
    with pytest.raises(ValueError, match="curves must share a range, but VTM begins at 40 where JPEG ends at 37"):
        bd_rate([RATES, RATES], [QUALITY, QUALITY + 12.0], names=["JPEG", "VTM"])
    bent = np.array([28.0, 31.0, 30.0, 37.0])
    with pytest.raises(ValueError, match=r"JPEG must be strictly monotone, but goes from \(30, -0.91"):
        bd_rate([RATES, RATES], [bent, QUALITY], names=["JPEG", "VTM"])
    with pytest.raises(ValueError, match="curve 2 must be strictly monotone"):
        bd_rate([RATES, RATES], [QUALITY, np.array([28.0, 31.0, 31.0, 37.0])])
    with pytest.raises(ValueError, match="curve 2 must run in the same direction as curve 1"):
        bd_rate([RATES, RATES], [QUALITY, QUALITY[::-1]])
    with pytest.raises(ValueError, match="curve 1 must have positive finite rates"):
        bd_rate([RATES - 0.1, RATES], [QUALITY, QUALITY])
    with pytest.raises(ValueError, match="curve 2 must have at least 4 points"):
        bd_rate([RATES, RATES[:3]], [QUALITY, QUALITY[:3]], method="cubic")
    with pytest.raises(ValueError, match="curve 1 must have finite values"):
        bd_rate([RATES, RATES], [np.array([28.0, np.nan, 34.0, 37.0]), QUALITY])
    with pytest.raises(ValueError, match="method must be one of 'cubic', 'pchip', 'akima', got 'linear'"):
        bd_rate([RATES, RATES], [QUALITY, QUALITY], method="linear")
    with pytest.raises(ValueError, match="curves must be two or more"):
        bd_rate([RATES], [QUALITY])
    for function in (bd_rate, bd_metric, bd_difference):
        with pytest.raises(ValueError, match="names must be one per curve, 2, got 1"):
            function([RATES, 2 * RATES], [QUALITY, QUALITY], names=["JPEG"])
