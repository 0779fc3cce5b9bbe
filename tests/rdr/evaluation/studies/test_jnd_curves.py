"""Curves over JND, and BD-rates."""

import numpy as np
import pytest

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.condition_values import RATE, Values
from rdr.evaluation.studies.jnd_curves import compare_curves, make_curves
from rdr.evaluation.studies.metric_agreement import Points


def study(noise=0.05, sources=6, factor=0.5):
    """Codec b needs half the rate of a for the same distortion, up to some noise."""
    rng, keys, rates, source, distortion = np.random.default_rng(0), [], {}, [], []
    for s in range(sources):
        for codec, scale in (("a", 1.0), ("b", factor)):
            for level, rate in ((1, 2.0), (2, 1.0), (3, 0.5), (4, 0.25)):
                keys.append((f"s{s}", Item(codec, str(level))))
                rates[keys[-1]] = rate * scale * (1 + 0.1 * s)
                source.append(s)
                distortion.append(2.0 * -np.log(rate / 2.5) + 0.1 * s)
    quality = -np.array(distortion)
    samples = quality + noise * rng.standard_normal((300, quality.size))
    return Points(keys, np.array(source), quality, samples, 30), Values({RATE: rates}, {}, {})


def test_the_planted_rate_is_found_with_its_interval():
    points, values = study()
    curves, places = make_curves(points, values, question="distortion")
    assert [curve.name for curve in curves] == ["a", "b"] and len(curves[0].images) == 6
    assert (np.diff(curves[0].rates) > 0).all() and (np.diff(curves[0].metrics["jnd"]) < 0).all()
    (row,) = compare_curves(curves, places, points, question="distortion", seed=0)
    assert row["bd_rate_percent"] == pytest.approx(-50, abs=0.5) and row["refused"] == ""
    assert -60 < row["bd_rate_low"] < -50 < row["bd_rate_high"] < -40
    (back,) = compare_curves(curves, places, points, question="distortion", anchor="b", seed=0)
    assert back["bd_rate_percent"] == pytest.approx(100, abs=2) and back["anchor"] == "b"
    noisy, _ = study(noise=0.3)
    (wide,) = compare_curves(curves, places, noisy, question="distortion", seed=0)
    assert wide["bd_rate_high"] - wide["bd_rate_low"] > 1.5 * (row["bd_rate_high"] - row["bd_rate_low"])


def test_preferences_rise_with_the_rate():
    points, values = study()
    curves, places = make_curves(points, values, question="preference")
    assert (np.diff(curves[0].metrics["jnd"]) > 0).all()
    (row,) = compare_curves(curves, places, points, question="preference", seed=0)
    assert row["bd_rate_percent"] == pytest.approx(-50, abs=0.5)


def test_what_cannot_be_compared_says_why():
    points, values = study(sources=2)
    apart = points._replace(quality=points.quality - 50 * np.array([item.condition == "b" for _, item in points.keys]))
    curves, places = make_curves(apart, values, question="distortion")
    (row,) = compare_curves(curves, places, apart, question="distortion", seed=0)
    assert "share a range" in row["refused"] and np.isnan(row["bd_rate_percent"])
    with pytest.raises(ValueError, match="no curve of codec 'c'"):
        compare_curves(curves, places, apart, question="distortion", anchor="c", seed=0)
    with pytest.raises(ValueError, match="must be in a column rate_bpp"):
        make_curves(points, Values({}, {}, {}), question="distortion")
    with pytest.raises(ValueError, match="rates at two levels"):
        make_curves(points, Values({RATE: {}}, {}, {}), question="distortion")
    negative = Values({RATE: {key: -1.0 for key in points.keys}}, {}, {})
    with pytest.raises(ValueError, match="rates must be positive"):
        make_curves(points, negative, question="distortion")
