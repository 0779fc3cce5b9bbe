"""Metrics beside scales, with what is uncertain of both."""

import numpy as np
import pytest

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.condition_values import Values
from rdr.evaluation.studies.metric_agreement import (
    Points,
    agreement_with_scales,
    gather_points,
    significant_pairs,
)
from rdr.metrics.rank_correlation import kendall, spearman
from tests.rdr.evaluation.studies.test_scale_tables import scales


def points(sources, levels, noise, *, resamples=200, seed=0):
    rng = np.random.default_rng(seed)
    keys = [(f"s{s}", Item("c", str(level))) for s in range(sources) for level in range(1, levels + 1)]
    quality = -np.tile(np.arange(1.0, levels + 1), sources)
    samples = quality + noise * rng.standard_normal((resamples, quality.size))
    return Points(keys, np.repeat(np.arange(sources), levels), quality, samples, 20)


def values(data, metric, *, higher=True, errors=None):
    table = dict(zip(data.keys, metric))
    return Values({"m": table}, {} if errors is None else {"m": dict(zip(data.keys, errors))}, {"m": higher})


def test_points_are_all_but_the_sources_oriented_by_the_question():
    fits = [scales("c"), scales("d", source="kodim02")]
    found = gather_points(fits, question="distortion", resamples=400, seed=0)
    assert [item.condition for _, item in found.keys] == ["c", "c", "d", "d"] and found.source.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(found.quality, [-1 / 3, -1.5] * 2)
    np.testing.assert_allclose(found.samples.std(0), 1, rtol=0.15)  # the Hessian's, without a bootstrap
    assert (gather_points(fits, question="preference", resamples=2, seed=0).quality > 0).all()


def test_pairs_are_of_one_source_and_significant():
    data = points(2, 3, 0.3)
    assert significant_pairs(data).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5]]
    assert [pair for pair in significant_pairs(points(2, 3, 0.6)).tolist()] == [[0, 2], [3, 5]]


def test_a_metric_of_the_right_order_agrees_and_its_opposite_disagrees():
    data = points(6, 4, 0.1)
    (row,) = agreement_with_scales(data, values(data, 40 + 3 * data.quality), seed=0)
    assert row["spearman"] == pytest.approx(1) and row["significant_pairs"] == 1 and row["pairs"] == 36
    assert row["pearson"] > 0.99 and row["images"] == 24
    (opposite,) = agreement_with_scales(data, values(data, 40 + 3 * data.quality, higher=False), seed=0)
    assert opposite["spearman"] == pytest.approx(-1) and opposite["significant_pairs"] == 0


def test_intervals_widen_with_the_uncertainty_of_either():
    rng = np.random.default_rng(3)

    def width(noise, errors=None, sources=8):
        data = points(sources, 4, noise)
        metric = data.quality + rng.normal(0, 0.3, data.quality.size)
        (row,) = agreement_with_scales(data, values(data, metric, errors=errors), seed=0)
        assert row["spearman"] == pytest.approx(spearman(metric, data.quality))
        assert row["kendall"] == pytest.approx(kendall(metric, data.quality))
        return row["kendall_high"] - row["kendall_low"]

    exact = width(0.01)
    assert width(1.0) > 1.3 * exact and width(0.01, errors=np.ones(32)) > 1.3 * exact and width(0.01, sources=5) > exact


def test_images_without_a_value_are_left_out_and_strangers_refused():
    data = points(3, 3, 0.1)
    metric = data.quality.copy()
    metric[:2] = np.nan
    metric[2] = np.inf  # an image without error
    (row,) = agreement_with_scales(data, values(data, metric), seed=0)
    assert row["images"] == 7 and row["pairs"] == 6 and np.isfinite(row["pearson"])
    with pytest.raises(ValueError, match="do sources, conditions and levels have the names"):
        agreement_with_scales(data, Values({"m": {("else", Item("c", "1")): 1.0}}, {}, {"m": True}), seed=0)
