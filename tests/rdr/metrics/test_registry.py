"""Metrics by name; users add theirs."""

import numpy as np
import pytest

import rdr.metrics


def test_users_add_metrics():
    def largest_error(images, reference):
        return abs(images - reference).max((1, 2, 3))

    x, y = np.random.default_rng(0).random((2, 2, 8, 8, 3), np.float32)
    metric = rdr.metrics.get(largest_error)
    assert metric.name == "largest_error" and not metric.higher_is_better and rdr.metrics.get(metric) is metric
    np.testing.assert_allclose(metric(x, y), abs(x - y).max((1, 2, 3)))
    rdr.metrics.register("largest", largest_error, min_side=4)
    try:
        assert "largest" in rdr.metrics.names() and rdr.metrics.get("largest").min_side == 4
        with pytest.raises(ValueError, match="must be new"):
            rdr.metrics.register("largest", largest_error)
    finally:
        rdr.metrics.unregister("largest")
    for nothing in ("largest", None, ["psnr"]):
        with pytest.raises(ValueError, match="metrics must be among .*got "):
            rdr.metrics.get(nothing)
    with pytest.raises(ValueError, match="must be new"):
        rdr.metrics.register(3, largest_error)
