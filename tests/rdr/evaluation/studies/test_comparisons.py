"""Answers counted by pair and observer."""

import numpy as np
import pytest

from rdr.evaluation.studies.answer_layouts import Item, Trial
from rdr.evaluation.studies.answers import merge_trials, read_answers
from rdr.evaluation.studies.comparisons import count_answers, pieces
from tests.rdr.evaluation.studies.answer_files import aic3_rows, own_row, write_aic3, write_own

SOURCE, LOW, HIGH, OTHER = Item("ref", "0"), Item("c", "1"), Item("c", "2"), Item("d", "1")


def trial(left, right, response, *, observer="o", pivot=SOURCE, kind="test", protocol="triplet"):
    return Trial(observer, "s", protocol, kind, left, pivot, right, response, "", 1.0)


def test_each_codec_is_counted_with_its_source_alone():
    answers = merge_trials("study", "triplet", "ref", [
        trial(LOW, SOURCE, "left"), trial(SOURCE, LOW, "left"), trial(HIGH, LOW, "notsure", observer="p"),
        trial(HIGH, LOW, "skip"), trial(LOW, OTHER, "left"), trial(OTHER, SOURCE, "right"), trial(LOW, LOW, "left"),
        trial(HIGH, SOURCE, "left", kind="catch"), trial(HIGH, SOURCE, "left", kind="training"),
        trial(HIGH, LOW, "left", pivot=LOW)])  # fmt: skip
    c, d = count_answers(answers)
    assert (c.condition, d.condition, c.items, d.items) == ("c", "d", (SOURCE, LOW, HIGH), (SOURCE, OTHER))
    assert c.reference == d.reference == 0 and c.pairs.tolist() == [[0, 1], [1, 2]]
    # The source and LOW were named once each, of which HIGH and LOW were too alike for p.
    np.testing.assert_array_equal(c.counts, [[[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]])
    np.testing.assert_array_equal(d.counts, [[[1, 0, 0]], [[0, 0, 0]]])
    (everything,) = count_answers(answers, scope="source")
    assert everything.counts.sum() == 5 and len(everything.items) == 4
    assert c.keep(np.array([False, True])).counts.sum() == 1
    with pytest.raises(ValueError, match="scope must be one of"):
        count_answers(answers, scope="all")


def test_preferences_are_fitted_together_and_right_answers_are_none(tmp_path):
    rows = [own_row(protocol="2afc", codec_pivot="", level_pivot="", codec_right="d", level_right="1"),
            own_row(trial=2, protocol="3afc", correct="left")]
    choices, oddity = read_answers([write_own(tmp_path / "a.csv", rows)])
    (one,) = count_answers(choices)
    assert one.condition == "" and one.reference is None and one.counts.sum() == 1
    with pytest.raises(ValueError, match="right or wrong"):
        count_answers(oddity)


def test_traps_equal_images_and_other_codecs_are_left_out(tmp_path):
    (answers,) = read_answers([write_aic3(tmp_path / "a.csv", aic3_rows([0, 1, 2], observers=3, seed=0))])
    counted = count_answers(answers)
    assert [(one.source, one.condition) for one in counted] == [("2", "6"), ("10", "6")]
    assert [one.counts.sum() for one in counted] == [9, 9]


def test_pieces_are_those_of_comparisons_or_of_wins_both_ways():
    pairs, counts = np.array([[0, 1], [1, 2], [3, 4]]), np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    assert pieces(5, pairs, counts).tolist() == [0, 0, 0, 1, 1]
    strong = pieces(5, pairs, counts, directed=True)
    assert len(set(strong.tolist())) == 4 and strong[3] == strong[4]
