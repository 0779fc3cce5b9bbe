"""Bytes at equal quality on lines that are known; color of areas by another package."""

import math

import numpy as np
import pytest

from experiments.images.display_measures import bytes_of_squared_error, color_error


def test_the_color_of_areas_is_what_counts():
    peer = pytest.importorskip("skimage.color")
    red, orange = (np.full((16, 24, 3), color, np.uint8) for color in ((180, 40, 30), (200, 110, 30)))
    one = peer.deltaE_ciede2000(*(peer.rgb2lab(x[:1, :1]) for x in (red, orange))).item()
    assert one > 10 and color_error(red, orange) == pytest.approx(one, rel=1e-3)
    half = red.copy()
    half[:, :8] = orange[:, :8]
    half[:8] = red[:8]
    assert color_error(red, half) == pytest.approx(one / 6, rel=1e-3)  # one of six areas
    # Noise of pixels that leaves the areas' means is none; a rest below 8 pixels is cut.
    checks = red + np.uint8(8) * (np.indices((16, 24)).sum(0) % 2 == 1)[..., None].astype(np.uint8)
    assert color_error(red + np.uint8(4), checks) < 1e-2
    assert color_error(np.pad(red, ((0, 5), (0, 0), (0, 0))), np.pad(red, ((0, 5), (0, 0), (0, 0)), mode="edge")) == 0


def row(method, size, jod, name="a"):
    return {"name": name, "display": "desktop", "method": method, "bytes": size, "jod": jod}


def test_squared_error_takes_more_bytes_for_the_same_quality():
    rows = [row("mse", 100, 8.0), row("jod", 110, 8.5), row("mse x4", 400, 9.0), row("mse x2", 200, 8.4),
            row("glance", 100, 8.7), row("mse", 100, 1.0, "b"), row("jod", 100, 2.0, "b")]
    (found,) = bytes_of_squared_error(rows)  # of b squared error has one length
    assert found["bytes_mse"] == pytest.approx(200 * 2 ** (1 / 6)) and found["bytes"] == 110
    assert found["saved"] == pytest.approx(1 - 110 / found["bytes_mse"])


def test_where_lines_do_not_reach_nothing_is_said_to_be_saved():
    rows = [row("mse", 100, 8.0), row("mse x2", 200, 8.4), row("jod", 100, 8.5), row("jod", 100, 7.9)]
    longer, shorter = bytes_of_squared_error(rows)
    assert longer["bytes_mse"] == math.inf and math.isnan(longer["saved"])
    assert math.isnan(shorter["bytes_mse"]) and math.isnan(shorter["saved"])
    # Where quality falls with bytes, the shorter length that has it counts.
    dip = [row("mse", 100, 8.0), row("mse x2", 200, 8.6), row("mse x4", 400, 8.4), row("mse x8", 800, 9.0),
           row("jod", 100, 8.3)]
    assert bytes_of_squared_error(dip)[0]["bytes_mse"] == pytest.approx(100 * math.sqrt(2))
