"""Mean opinion scores: beside the package sureal (recorded), and planted observers."""

import json
import pathlib

import numpy as np
import pytest

from rdr.evaluation.studies import opinion_scores
from rdr.evaluation.studies.answers import Item

RECORD = json.loads((pathlib.Path(__file__).parents[3] / "data" / "opinion_scores.json").read_text(encoding="utf-8"))
SCORES = np.array(RECORD["scores"], np.float64)


def test_scores_are_those_of_sureal():
    np.testing.assert_allclose(opinion_scores.mean_opinions(SCORES).quality, RECORD["mos"], atol=1e-12)
    rejected = opinion_scores.reject_observers(SCORES)
    assert rejected.tolist() == RECORD["rejected"] and rejected.sum() == 1 and rejected[3]
    cleaned = opinion_scores.mean_opinions(SCORES, rejected=rejected)
    np.testing.assert_allclose(cleaned.quality, RECORD["bt500"], atol=1e-12)
    found = opinion_scores.recover_opinions(SCORES)
    np.testing.assert_allclose(found.quality, RECORD["p910"], atol=1e-6)
    np.testing.assert_allclose(found.bias, RECORD["bias"], atol=1e-6)
    np.testing.assert_allclose(found.inconsistency, RECORD["inconsistency"], atol=1e-6)


def test_planted_observers_are_recovered_with_right_errors():
    rng, inside, ratio = np.random.default_rng(0), [], []
    quality, bias, spread = np.linspace(1, 5, 100), rng.normal(0, 0.5, 24), np.geomspace(0.6, 1.8, 24)
    bias -= bias.mean()
    for _ in range(20):
        scores = quality + bias[:, None] + spread[:, None] * rng.standard_normal((24, 100))
        found, plain = opinion_scores.recover_opinions(scores), opinion_scores.mean_opinions(scores)
        inside.append(np.abs(found.quality - quality) < 1.96 * found.error)
        ratio.append(np.std(found.quality - quality) / np.std(plain.quality - quality))
    assert 0.91 < np.mean(inside) < 0.97 and np.mean(ratio) < 0.85  # careful observers count more
    np.testing.assert_allclose(found.inconsistency, spread, rtol=0.3)
    np.testing.assert_allclose(found.bias, bias, atol=0.5)


def test_errors_of_means_are_those_of_each_images_ratings():
    scores = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]])
    found = opinion_scores.mean_opinions(scores)
    np.testing.assert_allclose(found.quality, [3, 3])
    np.testing.assert_allclose(found.error, [2 / np.sqrt(3), 1])
    np.testing.assert_allclose(found.bias, [-1.5, 0, 1.5])
    left = opinion_scores.mean_opinions(np.array([[1.0, 2.0], [3.0, np.nan]]), rejected=[True, False])
    np.testing.assert_array_equal(left.quality, [3, np.nan])
    with pytest.raises(ValueError, match="must leave an observer"):
        opinion_scores.mean_opinions(np.array([[1.0, 2.0]]), rejected=[True])
    with pytest.raises(ValueError, match="a rating of each"):
        opinion_scores.mean_opinions(np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match="two observers"):
        opinion_scores.recover_opinions(np.ones((1, 3)))


def test_observers_of_one_opinion_are_never_rejected():
    assert not opinion_scores.reject_observers(np.full((4, 3), 2.0)).any()  # everybody is two deviations of 0 away


def test_a_table_is_read_with_repeated_ratings_and_rows_have_three_ways(tmp_path):
    path = tmp_path / "r.csv"
    lines = [f"{i},x,c,{level},{(level + i) % 5 + 1}" for i in range(5) for level in (1, 10)]
    path.write_text("observer,source,condition,level,score\n" + "\n".join([*lines, "0,x,c,1,4", "1,x,c,2,3"]) + "\n")
    ratings = opinion_scores.read_ratings(path)
    assert ratings.keys == (("x", Item("c", "1")), ("x", Item("c", "2")), ("x", Item("c", "10")))
    assert ratings.scores[0, 0] == 3 and np.isnan(ratings.scores[0, 1])
    rows, rejected = opinion_scores.opinion_rows(ratings)
    assert len(rows) == 3 and rows[0]["ratings"] == 5 and rejected == ("1",)
    assert rows[0]["mos_low"] < rows[0]["mos"] < rows[0]["mos_high"] and rows[0]["p910_low"] < rows[0]["p910"]
    for text, message in (("observer,source\nx,y\n", "lacks condition, level, score"),
                          ("observer,source,condition,level,score\na,x,c,1,good\n", "row 1: could not convert"),
                          ("observer,source,condition,level,score\na,x,c,1,nan\n", "row 1 must have")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            opinion_scores.read_ratings(path)
