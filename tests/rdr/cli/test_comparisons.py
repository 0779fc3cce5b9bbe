"""Comparisons of curves: intervals over images, protocols, hulls."""

import numpy as np

from rdr.cli.comparisons import Config, compare_metric
from rdr.evaluation.rd_curves import Curve


def curve(name, factor, rng, **options):
    """Four operating points of twelve images."""
    rates = np.array([0.1, 0.2, 0.4, 0.8])[:, None] * np.exp(0.3 * rng.normal(size=12))
    psnr = 30 + 3 * np.log2(rates / 0.1) + rng.normal(size=12)
    per_image = {"rate_bpp": factor * rates, "psnr": psnr}
    return Curve(name, "rate_bpp", factor * rates.mean(1), {"psnr": psnr.mean(1)}, "", per_image,
                 tuple(f"i{k}" for k in range(12)), **options)


def test_intervals_over_images_hold_the_truth_and_are_narrow_for_paired_images():
    rng = np.random.default_rng(0)
    anchor = curve("anchor", 1.0, rng)
    better = anchor._replace(name="better", rates=0.8 * anchor.rates, per_image={
        "rate_bpp": 0.8 * anchor.per_image["rate_bpp"] * np.exp(0.02 * rng.normal(size=(1, 12))),
        "psnr": anchor.per_image["psnr"],
    })
    (row,) = compare_metric([anchor, better], "psnr", Config())
    np.testing.assert_allclose(row["bd_rate_percent"], -20.0, rtol=1e-9)
    assert row["bd_rate_low"] < -20.0 < row["bd_rate_high"] or abs(row["bd_rate_low"] + 20) < 1.0
    assert 0.1 < row["bd_rate_high"] - row["bd_rate_low"] < 5.0
    other = better._replace(images=("x",) * 12)
    assert "bd_rate_low" not in compare_metric([anchor, other], "psnr", Config())[0]


def test_metrics_of_different_protocols_are_not_compared():
    rng = np.random.default_rng(0)
    protocol = {"metric": "psnr", "patch_size": None, "options": {"range": 1.0, "sigma": 8.0}}
    anchor = curve("anchor", 1.0, rng)._replace(protocols={"psnr": protocol})
    other = anchor._replace(name="other", rates=0.8 * anchor.rates)
    assert "refused" not in compare_metric([anchor, other], "psnr", Config())[0]
    for change, said in (({"patch_size": 64}, "patch_size"), ({"options": {"range": 1.0, "sigma": 4.0}}, "sigma")):
        changed = other._replace(protocols={"psnr": protocol | change})
        (row,) = compare_metric([anchor, changed], "psnr", Config())
        assert row["refused"] == f"other and anchor must have one protocol of psnr, they differ in {said}"
    # A table says nothing of its protocol: its reader has to know.
    assert "refused" not in compare_metric([anchor, other._replace(protocols={})], "psnr", Config())[0]


def test_curves_that_bend_are_refused_or_taken_by_their_hulls():
    rates = np.array([0.1, 0.2, 0.3, 0.4, 0.8])
    straight = Curve("a", "rate_bpp", rates, {"psnr": 30 + 10 * np.sqrt(rates)}, "")
    bent = Curve("b", "rate_bpp", rates, {"psnr": np.where(rates == 0.3, 31.0, 30 + 10 * np.sqrt(rates))}, "")
    (row,) = compare_metric([straight, bent], "psnr", Config())
    assert "b must be strictly monotone" in row["refused"]
    (row,) = compare_metric([straight, bent], "psnr", Config(hull=True, method="pchip"))
    assert abs(row["bd_rate_percent"]) < 1.0
    # A metric that falls with the rate has its hull below.
    falling = [c._replace(metrics={"fid": 40 - c.metrics["psnr"]}) for c in (straight, bent)]
    (row,) = compare_metric(falling, "fid", Config(hull=True, method="pchip"))
    assert abs(row["bd_rate_percent"]) < 1.0
